/* Facade of src/text: text → token ids with byte offsets. WordPiece (BERT family), identical to the Hugging Face
 * `tokenizers` engine: ids, offsets, type ids, cutting. */
#ifndef FN_TEXT_TEXT_H
#define FN_TEXT_TEXT_H

#include "base/base.h"

/* Immutable after loading; may be shared by threads. */
typedef struct fn_tokenizer fn_tokenizer;

/* dir holds tokenizer.json, or vocab.txt (with tokenizer_config.json's do_lower_case, if there; default: lower-case).
 * A path to one of those two files is taken as well. Errors name the file and key. */
FN_NODISCARD fn_status fn_tokenizer_load(fn_tokenizer **tokenizer_out, const char *dir, fn_err *err);
void fn_tokenizer_destroy(fn_tokenizer *tokenizer);
/* Writes tokenizer.json, vocab.txt and tokenizer_config.json into dir, so that AutoTokenizer and we load the same. */
FN_NODISCARD fn_status fn_tokenizer_save(const fn_tokenizer *tokenizer, const char *dir, fn_err *err);

typedef struct fn_tokenizer_info {
  int32_t vocab_size; /* largest id + 1 */
  int32_t cls_id, sep_id, pad_id, unk_id, mask_id;
  bool lowercase;
  fn_hash128 hash; /* of everything that decides ids: key of the token cache */
} fn_tokenizer_info;
const fn_tokenizer_info *fn_tokenizer_get_info(const fn_tokenizer *tokenizer);
/* The token's text ("##ing"), terminated, owned by the tokenizer (or by the file it is a view of); NULL when id is out
 * of range. */
const char *fn_tokenizer_token(const fn_tokenizer *tokenizer, int32_t id);

/* Tokens of one text, without special tokens. Caller's storage: zero-initialise, reuse, deinit. */
typedef struct fn_tokens {
  int32_t *ids;
  uint32_t *begin, *end; /* byte offsets into the text: [begin, end) */
  size_t n, capacity;
} fn_tokens;
void fn_tokens_deinit(fn_tokens *tokens);
/* Appends nothing on failure; resets *tokens first. Invalid UTF-8 is read as U+FFFD per bad byte. Text over 2^31 bytes
 * is FN_E_LIMIT. max_tokens = 0: all; otherwise stops as soon as that many tokens exist. */
FN_NODISCARD fn_status fn_tokenizer_encode(fn_tokens *tokens, const fn_tokenizer *tokenizer, fn_str text,
                                           size_t max_tokens, fn_err *err);

/* Pieces of words that were met before, for one caller at a time: 1 MiB whatever is read, of which the words used last
 * stay. Ids do not depend on it. With another tokenizer than the one before it starts empty. */
typedef struct fn_word_cache fn_word_cache;
FN_NODISCARD fn_status fn_word_cache_create(fn_word_cache **cache_out, fn_err *err);
void fn_word_cache_destroy(fn_word_cache *cache);
/* As fn_tokenizer_encode; cache may be NULL. */
FN_NODISCARD fn_status fn_tokenizer_encode_cached(fn_tokens *tokens, const fn_tokenizer *tokenizer,
                                                  fn_word_cache *cache, fn_str text, size_t max_tokens, fn_err *err);

/* A tokenizer's tables as a packed model file keeps them, to be used as they are: nothing is built when they are opened
 * but what the few added tokens need. Numbers are little-endian. */
typedef struct fn_tokenizer_tables {
  const char *strings; /* [n_strings] texts of all tokens in order of id, each ended by a zero byte */
  size_t n_strings;
  const uint32_t *index; /* [(vocab_size + 31) / 32] where the text of every 32nd token begins */
  size_t n_index;
  const uint32_t *edges; /* [n_edges][2] open-addressing table of the trie over the vocabulary (text/trie.h): node · 256
                          * + byte (0: empty place), child with the highest bit set where a token ends */
  size_t n_edges;        /* a power of two */
  const int32_t *values; /* [n_values] token of each node, -1: none */
  size_t n_values;
} fn_tokenizer_tables;
/* Tables of a tokenizer: strings and index are malloc'd (release them with free; index through a cast), the rest is a
 * view of the tokenizer. Appends to *json what else makes it up (an object, as text). */
FN_NODISCARD fn_status fn_tokenizer_pack(fn_tokenizer_tables *tables_out, fn_buf *json, const fn_tokenizer *tokenizer,
                                         fn_err *err);
/* The tables must outlive the tokenizer and stay unchanged. name stands in errors. Tables that would lead a search
 * astray are FN_E_INVALID; ones that merely hold other tokens than they should are not noticed (checksums are for
 * that). */
FN_NODISCARD fn_status fn_tokenizer_open_packed(fn_tokenizer **tokenizer_out, const fn_tokenizer_tables *tables,
                                                fn_str json, const char *name, fn_err *err);

/* Lengths that `longest first` cutting leaves of a pair when n_special special tokens are added and max_tokens is the
 * limit for all (Hugging Face TruncationStrategy::LongestFirst, right side). Single text: pass *second = 0 and the
 * single's count of special tokens. */
void fn_pair_cut(size_t *first, size_t *second, size_t n_special, size_t max_tokens);

/* A WordPiece vocabulary from texts (BERT's scheme: [PAD] [UNK] [CLS] [SEP] [MASK], single characters, then pieces by
 * frequency-weighted pair merging as in Hugging Face's WordPieceTrainer). Deterministic. next yields texts until false.
 */
typedef bool (*fn_text_next)(void *arg, fn_str *text_out);
FN_NODISCARD fn_status fn_tokenizer_train(fn_tokenizer **tokenizer_out, fn_text_next next, void *arg,
                                          int32_t vocab_size, int min_frequency, bool lowercase, fn_err *err);

#endif
