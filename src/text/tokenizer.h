/* What a tokenizer consists of. Inside src/text and its tests only. */
#ifndef FN_TEXT_TOKENIZER_H
#define FN_TEXT_TOKENIZER_H

#include "text/blocks.h"
#include "text/normalize.h"
#include "text/short_words.h"
#include "text/text.h"
#include "text/trie.h"

enum {
  FN_VOCAB_MAX = 1 << 20,          /* tokens */
  FN_TOKEN_MAX_BYTES = 1024,       /* of one token's text */
  FN_WORD_MAX_CHARS = 1000,        /* upper bound of model.max_input_chars_per_word */
  FN_TOKENIZER_FILE_MAX = 1 << 26, /* bytes of a tokenizer file */
};

/* A token that is cut out of the text before words are looked for. */
typedef struct fn_added_token {
  fn_str content;
  int32_t id;
  bool single_word;    /* only where no letter touches it */
  bool lstrip, rstrip; /* takes the white space at its left, right */
  bool normalized;     /* looked for in the normalised text, in its own normalised form */
  bool special;
} fn_added_token;

enum fn_special { FN_SPECIAL_UNK, FN_SPECIAL_CLS, FN_SPECIAL_SEP, FN_SPECIAL_PAD, FN_SPECIAL_MASK, FN_SPECIALS };

/* Everything that a tokenizer file says; loaders and the trainer fill it, fn_tokenizer_build turns it into a tokenizer.
 * Texts live in the arena. */
typedef struct fn_tokenizer_spec {
  fn_arena arena;
  fn_str *tokens; /* by id; malloc'd */
  size_t n_model; /* ids below are the model's vocabulary … */
  size_t n_tokens, tokens_capacity;
  fn_added_token *added; /* by id; malloc'd */
  size_t n_added, added_capacity;
  fn_normalizer_options normalizer;
  fn_str prefix;                 /* of pieces that continue a word: "##" */
  uint32_t max_chars;            /* of a word; a longer one is [UNK] */
  fn_str specials[FN_SPECIALS];  /* names */
  int32_t post_ids[FN_SPECIALS]; /* ids that the post-processor gives to [CLS] and [SEP]; -1 = not said */
  bool by_line;                  /* from vocab.txt: errors name the line */
  int64_t model_max_length;      /* from tokenizer_config.json, kept for saving; 0 = not known */
} fn_tokenizer_spec;

/* BERT's settings (lower-casing), no tokens. */
void fn_tokenizer_spec_init(fn_tokenizer_spec *spec);
void fn_tokenizer_spec_deinit(fn_tokenizer_spec *spec);
/* Appends a token (copied); its id is n_tokens before the call. */
FN_NODISCARD fn_status fn_tokenizer_spec_add(fn_tokenizer_spec *spec, fn_str token, fn_err *err);
FN_NODISCARD fn_status fn_tokenizer_spec_add_added(fn_tokenizer_spec *spec, fn_added_token token, fn_err *err);
/* Declares the special tokens that are in the vocabulary as added tokens, as Hugging Face does for vocab.txt. */
FN_NODISCARD fn_status fn_tokenizer_spec_add_specials(fn_tokenizer_spec *spec, fn_err *err);

struct fn_tokenizer {
  fn_tokenizer_spec spec;     /* opened from packed tables: no spec.tokens */
  fn_tokenizer_tables tables; /* then; otherwise empty */
  fn_tokenizer_info info;
  fn_trie pieces;          /* the model's vocabulary */
  fn_short_words words;    /* its short tokens again, for words that are one token */
  uint32_t continuation;   /* node after the prefix; 0 = root when the prefix is empty, unless … */
  bool has_continuation;   /* … no token begins with it */
  fn_trie raw, normalized; /* added tokens by content; by normalised content. Values are indices into spec.added */
  fn_byte_classes classes;
  fn_block_classify classify;
  char byte_lower[128];
  uint64_t case_bits; /* 0x20 in each byte when letters are lowered, else 0 */
};

/* Takes *spec over, also on failure. name stands in errors. Refuses duplicates, missing [UNK] [CLS] [SEP], … */
FN_NODISCARD fn_status fn_tokenizer_build(fn_tokenizer **tokenizer_out, fn_tokenizer_spec *spec, const char *name,
                                          fn_err *err);

/* The added tokens as a list under key. */
void fn_added_tokens_write(fn_json_writer *w, const char *key, const fn_tokenizer_spec *spec);

/* What a tokenizer needs beside vocabulary and trie: added tokens, kinds of bytes. */
FN_NODISCARD fn_status fn_tokenizer_finish_added(fn_tokenizer *tokenizer, const char *name, fn_err *err);
void fn_tokenizer_finish_bytes(fn_tokenizer *tokenizer);

/* Contents of a file, for tests that have no file: name stands in errors. config: text of tokenizer_config.json, empty
 * when there is none. */
FN_NODISCARD fn_status fn_tokenizer_parse_json(fn_tokenizer **tokenizer_out, fn_str text, const char *name,
                                               fn_str config, const char *config_name, fn_err *err);
FN_NODISCARD fn_status fn_tokenizer_parse_vocab(fn_tokenizer **tokenizer_out, fn_str text, const char *name,
                                                fn_str config, const char *config_name, fn_err *err);

/* Normalised text with the place of each of its bytes, for finding normalised added tokens. */
typedef struct fn_aligned {
  fn_buf bytes;
  uint32_t *begin, *end; /* by byte of `bytes` */
  size_t begin_capacity, end_capacity;
  bool failed;
} fn_aligned;
void fn_aligned_init(fn_aligned *aligned);
void fn_aligned_deinit(fn_aligned *aligned);
void fn_aligned_reset(fn_aligned *aligned);
/* fn_char_sink; arg is the fn_aligned. */
void fn_aligned_sink(void *arg, uint32_t code_point, uint32_t begin, uint32_t end);

/* Normalises text[begin, end), from begin to end as one text. */
FN_NODISCARD fn_status fn_normalizer_run(fn_normalizer *normalizer, const char *text, uint32_t begin, uint32_t end,
                                         fn_err *err);

/* Finds added tokens as Hugging Face's AddedVocabulary::find_matches does: leftmost, longest; then flags. */
typedef struct fn_added_scan {
  const fn_added_token *tokens;
  const fn_trie *trie;
  const char *text;
  size_t length;
  size_t at;    /* where the search goes on */
  size_t taken; /* everything before is used up */
} fn_added_scan;
typedef struct fn_added_match {
  const fn_added_token *token;
  size_t begin, end;         /* with stripped white space; begin can lie before `gap_end` of nothing */
  size_t gap_begin, gap_end; /* ordinary text before it; empty when gap_begin ≥ gap_end */
} fn_added_match;
/* False when there is none; then [scan->taken, length) is ordinary text. */
bool fn_added_next(fn_added_match *match_out, fn_added_scan *scan);

#endif
