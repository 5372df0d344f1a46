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
/* The token's text ("##ing"), terminated, owned by the tokenizer; NULL when id is out of range. */
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
