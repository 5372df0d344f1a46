/* The tensors of a Hugging Face directory: model.safetensors, or model.safetensors.index.json with its shards. */
#ifndef FN_MODEL_WEIGHTS_H
#define FN_MODEL_WEIGHTS_H

#include "tensor/safetensors.h"

#define FN_WEIGHTS_MAX_SHARDS ((size_t)1024)

typedef struct fn_weights fn_weights; /* immutable once open */

/* FN_E_NOT_FOUND when the directory holds neither file (the message says what to do about pytorch_model.bin). Every
 * tensor the index names must be in the shard that it names, and shards must lie in the directory itself. */
FN_NODISCARD fn_status fn_weights_open(fn_weights **weights_out, const char *dir, fn_err *err);
void fn_weights_close(fn_weights *weights); /* NULL is fine */
size_t fn_weights_n(const fn_weights *weights);
/* i < n; sorted by name. Valid until close. */
const fn_tensor_view *fn_weights_get(const fn_weights *weights, size_t i);
/* Index of a name, or SIZE_MAX. */
size_t fn_weights_find(const fn_weights *weights, const char *name);
/* Path of model.safetensors or of the index, for messages. */
const char *fn_weights_path(const fn_weights *weights);

/* Hash of the bytes of the weights: of model.safetensors as fn_hash_file gives it, or over the index and its shards. */
FN_NODISCARD fn_status fn_weights_hash(fn_hash128 *hash_out, const char *dir, fn_err *err);

#define FN_AUTO_WEIGHTS FN_CLEANUP(fn_cleanup_weights_)
static inline void fn_cleanup_weights_(fn_weights **weights) {
  fn_weights_close(*weights);
}

#endif
