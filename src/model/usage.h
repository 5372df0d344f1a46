/* How articles are to be given to a model and what it was made of: the object "fakenews" in config.json, written by
 * training, read by evaluation and prediction. Transformers ignores it. A directory from elsewhere has none. */
#ifndef FN_MODEL_USAGE_H
#define FN_MODEL_USAGE_H

#include "base/base.h"
#include "data/batch.h"

typedef struct fn_model_usage {
  bool known; /* false: the directory says nothing, the rest is zero */
  fn_text_mode text;
  int32_t max_tokens;      /* of a sequence, special tokens included */
  char data_hash[33];      /* fn_dataset_hash of the training data */
  char tokenizer_hash[33]; /* fn_tokenizer_info.hash */
  char version[96];        /* of the program that trained it */
} fn_model_usage;

/* object: value of the key, NULL or null when it is absent. name stands in errors. */
FN_NODISCARD fn_status fn_model_usage_parse(fn_model_usage *usage_out, const json_t *object, const char *name,
                                            fn_err *err);
/* Writes the key with its object; nothing when usage is not known. */
void fn_model_usage_format(fn_json_writer *w, const fn_model_usage *usage);

#endif
