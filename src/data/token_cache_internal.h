/* The head of a token cache's file, for the reader and the writer. Private to src/data. */
#ifndef FN_DATA_TOKEN_CACHE_INTERNAL_H
#define FN_DATA_TOKEN_CACHE_INTERNAL_H

#include "data/token_cache.h"

enum { FN_TOKENS_VERSION = 1, FN_TOKENS_HEADER = 128, FN_TOKENS_CHECKSUM_AT = 120 };

/* As it lies in the file. */
typedef struct fn_tokens_header {
  char magic[8];
  uint32_t version, size;
  uint64_t tokenizer[2], dataset[2], n_rows[FN_SPLIT_COUNT], n_ids;
  uint32_t vocab_size, zero[9];
  uint64_t checksum;
} fn_tokens_header;
/* All but checksum and number of ids. */
fn_tokens_header fn_tokens_make_header(fn_hash128 dataset, const size_t n_rows[FN_SPLIT_COUNT], fn_hash128 tokenizer,
                                       int32_t vocab_size);
/* DIR/cache/tokens-<hash>.bin; malloc'd, NULL when memory is short. */
char *fn_tokens_path(const char *dir, fn_hash128 tokenizer);

#endif
