/* Token ids of every row of a dataset for one tokenizer: title and text, uncut, without special tokens. A derived
 * cache, DIR/cache/tokens-<tokenizer hash>.bin, that is rebuilt whenever it does not match or is damaged. Opening and
 * reading it stand in data/dataset.h; here are its file and what messages and tests ask.
 *
 * The file, little-endian, N = rows of all splits in the order train, validation, test:
 *
 *   0    8       "FNTOKENS"
 *   8    u32     version, 1
 *   12   u32     size of this header, 128
 *   16   u64[2]  hash of the tokenizer, high and low half
 *   32   u64[2]  hash of the dataset, high and low half
 *   48   u64[3]  rows of train, validation, test
 *   72   u64     M, token ids in all
 *   80   u32     vocabulary size V
 *   84   36      zero
 *   120  u64     checksum: XXH3-64 of all that follows, seeded with the XXH3-64 (seed 0) of bytes 0 … 119
 *   128  u64[2N+1]  begin of each title and text, in ids: row r has its title at [b[2r], b[2r+1]), its text at
 *                [b[2r+1], b[2r+2]); b[0] = 0, never falling, b[2N] = M
 *   …    i32[M]  ids in [0, V); the file ends here */
#ifndef FN_DATA_TOKEN_CACHE_H
#define FN_DATA_TOKEN_CACHE_H

#include "data/dataset.h"

/* Ids of all rows. */
size_t fn_token_cache_n_ids(const fn_token_cache *cache);

/* How this cache came about: for messages and tests. */
typedef enum fn_token_cache_origin {
  FN_TOKEN_CACHE_FOUND,   /* the file was there and valid */
  FN_TOKEN_CACHE_WRITTEN, /* made now and kept in the folder */
  FN_TOKEN_CACHE_MEMORY,  /* made now; the folder could not be written */
} fn_token_cache_origin;
fn_token_cache_origin fn_token_cache_get_origin(const fn_token_cache *cache);

/* The same with any encoder in place of a tokenizer. encode fills *tokens as fn_tokenizer_encode does (ids only are
 * used) and is called from several threads at once; equal hashes must mean equal ids. */
typedef struct fn_encoder {
  fn_status (*encode)(fn_tokens *tokens, const void *arg, fn_str text, fn_err *err);
  const void *arg;
  fn_hash128 hash;
  int32_t vocab_size; /* ids outside [0, vocab_size) are FN_E_INTERNAL */
} fn_encoder;
FN_NODISCARD fn_status fn_token_cache_open_with(fn_token_cache **cache_out, const fn_dataset *dataset,
                                                const fn_encoder *encoder, fn_pool *pool, fn_err *err);

/* The same file written row by row, while the dataset is: ids wait in temporary files of folder (which lives as long as
 * the writer) until all are there, so memory does not grow with the rows. */
typedef struct fn_token_cache_writer fn_token_cache_writer;
/* dir: of the dataset. */
FN_NODISCARD fn_status fn_token_cache_writer_create(fn_token_cache_writer **writer_out, const char *dir,
                                                    const char *folder, const fn_tokenizer *tokenizer, fn_err *err);
/* The next row of a split; splits may take turns. ids[n_title + n_text], those of the title first. */
FN_NODISCARD fn_status fn_token_cache_writer_append(fn_token_cache_writer *writer, fn_split split, const int32_t *ids,
                                                    size_t n_title, size_t n_text, fn_err *err);
/* Puts the file in place; dataset: fn_dataset_hash of what was written. Afterwards only destroy may be called. */
FN_NODISCARD fn_status fn_token_cache_writer_finish(fn_token_cache_writer *writer, fn_hash128 dataset, fn_err *err);
void fn_token_cache_writer_destroy(fn_token_cache_writer *writer);

#endif
