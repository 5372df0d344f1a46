/* What the loaders of tokenizer.json and vocab.txt share. Inside src/text only. */
#ifndef FN_TEXT_LOAD_H
#define FN_TEXT_LOAD_H

#include "text/tokenizer.h"

/* The part of tokenizer_config.json that matters. */
typedef struct fn_tokenizer_config {
  int do_lower_case, strip_accents, tokenize_chinese_chars; /* 1, 0, or -1 when not given */
  bool has_special[FN_SPECIALS];
} fn_tokenizer_config;

/* Names of special tokens and model_max_length go into *spec; text empty: nothing is given. */
FN_NODISCARD fn_status fn_tokenizer_config_parse(fn_tokenizer_config *config_out, fn_tokenizer_spec *spec, fn_str text,
                                                 const char *name, fn_err *err);

/* The post-processor of tokenizer.json must be BERT's: [CLS] A [SEP] and [CLS] A [SEP] B:1 [SEP]:1, because batches are
 * made that way. Takes the names of [CLS] and [SEP] from it; null says nothing. */
FN_NODISCARD fn_status fn_post_processor_parse(fn_tokenizer_spec *spec, const json_t *part, const char *name,
                                               fn_err *err);

/* Copy into the spec's arena. */
FN_NODISCARD fn_status fn_spec_copy(fn_str *out, fn_tokenizer_spec *spec, fn_str text, fn_err *err);

#endif
