/* config.json: reading, checking and writing the description of an architecture, as Hugging Face Transformers keeps it.
 *
 * What the file leaves out takes the default of transformers' BertConfig. What would change the numbers and is not
 * handled here (relative positions, decoders, quantised weights, regression heads) is refused by name, not ignored.
 *
 * The head is BertForSequenceClassification's (pooled → dropout → K), or, when the key
 *     "fakenews_head": {"type": "two_layer", "size": 512}
 * is there, pooled → size → ReLU → dropout → K. Transformers knows no such head: it loads the encoder of such a
 * directory (BertModel) and leaves the head aside. */
#ifndef FN_MODEL_CONFIG_H
#define FN_MODEL_CONFIG_H

#include "model/model.h"

#define FN_MODEL_MAX_LABELS       ((int32_t)(sizeof((fn_model_config *)0)->labels / sizeof((fn_model_config *)0)->labels[0]))
#define FN_MODEL_CONFIG_MAX_BYTES ((size_t)16 << 20) /* of config.json */

/* The defaults of transformers' BertConfig with the labels real and fake: bert-base's sizes. */
void fn_model_config_init(fn_model_config *config);

/* text is the content of a config.json; name stands in errors, which give the line and the key. FN_E_INVALID: not
 * JSON, a value of the wrong type or out of range; FN_E_UNSUPPORTED: a family, activation or feature not handled. */
FN_NODISCARD fn_status fn_model_config_parse(fn_model_config *config_out, fn_str text, const char *name, fn_err *err);
/* Appends the JSON that Transformers reads, keys sorted as it sorts them. */
void fn_model_config_format(fn_buf *out, const fn_model_config *config);

/* Every range and relation (head size whole, known activation and family, labels distinct …); name stands in errors. */
FN_NODISCARD fn_status fn_model_config_check(const fn_model_config *config, const char *name, fn_err *err);

/* The tokenizer must not give ids beyond the embedding, whose rows are config->vocab_size; fewer are fine. dir and
 * tokenizer_dir stand in the error. */
FN_NODISCARD fn_status fn_model_check_tokenizer(const fn_model_config *config, const fn_tokenizer_info *tokenizer,
                                                const char *dir, const char *tokenizer_dir, fn_err *err);

#endif
