/* Facade of src/model: one transformer encoder with a classification head, written once over the device table.
 * Shape letters: B sequences, T packed tokens, C hidden, H heads, D = C/H head size, F feed-forward, V vocabulary,
 * L layers, K classes. */
#ifndef FN_MODEL_MODEL_H
#define FN_MODEL_MODEL_H

#include "data/batch.h"
#include "model/usage.h"
#include "tensor/tensor.h"

/* The architecture: config.json's names. Loaded, checked (ranges, activation, family) and saved by model/config.c. */
typedef struct fn_model_config {
  char family[32]; /* model_type: "bert" is filled in now */
  int32_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, max_position_embeddings,
      type_vocab_size, num_labels, pad_token_id;
  char hidden_act[32]; /* "gelu" (erf), "gelu_new", "gelu_pytorch_tanh", "relu" */
  double hidden_dropout_prob, attention_probs_dropout_prob, classifier_dropout, layer_norm_eps, initializer_range;
  int32_t head_size; /* 0: Hugging Face's BertForSequenceClassification head; > 0: pooled → head_size → ReLU → K */
  char labels[8][32];   /* id2label: "real", "fake" */
  fn_model_usage usage; /* "fakenews": how articles are given to it; not known for directories from elsewhere */
} fn_model_config;

typedef struct fn_model fn_model;

/* Reads dir/config.json; see model/config.h for what is accepted. FN_E_NOT_FOUND, FN_E_INVALID, FN_E_UNSUPPORTED with
 * file, line and key. */
FN_NODISCARD fn_status fn_model_config_load(fn_model_config *config_out, const char *dir, fn_err *err);
/* Writes it by rename; FN_E_INVALID for a config that would not be read back. */
FN_NODISCARD fn_status fn_model_config_save(const fn_model_config *config, const char *dir, fn_err *err);

/* Model with random weights: normal(0, initializer_range), norms 1, biases 0; a pure function of seed. */
FN_NODISCARD fn_status fn_model_create(fn_model **model_out, const fn_model_config *config, fn_device *device,
                                       uint64_t seed, fn_err *err);
/* HF directory: config.json and model.safetensors, or shards with their index. Names may lack the prefix "bert." (a
 * bare encoder) or be of the old kind (gamma, beta); position_ids and the heads of pretraining (cls.*) are left aside.
 * allow_new_head: a pooler or head that is missing, or of another size than overrides asks for, is drawn from seed as
 * fn_model_create draws it, and *new_head_out (may be NULL) tells; other tasks' heads are left aside. Every other
 * tensor that is missing, unexpected or of another shape is FN_E_INVALID, which lists up to eight of them.
 * overrides: NULL, or a config whose dropout rates, initializer_range, head_size, labels and usage replace the file's.
 * The model borrows device. Values are the file's bits for F32, exact for F16 and BF16, rounded for F64. */
FN_NODISCARD fn_status fn_model_load(fn_model **model_out, const char *dir, const fn_model_config *overrides,
                                     bool allow_new_head, uint64_t seed, fn_device *device, bool *new_head_out,
                                     fn_err *err);
/* Writes config.json and model.safetensors (F32, HF names, metadata format=pt) into dir, which exists. Both reach the
 * disk before either appears under its name, so a full disk (FN_E_IO) leaves the files that were there. */
FN_NODISCARD fn_status fn_model_save(const fn_model *model, const char *dir, fn_err *err);
void fn_model_destroy(fn_model *model);
const fn_model_config *fn_model_get_config(const fn_model *model);

/* Weights in the forms that kernels stream (tensor/tiles.h), as a packed file keeps them. Names are Hugging Face's,
 * with
 * ".scale" after them for the scales of the rows of int8 weights:
 *   weights of linear layers   int8: U8 [N/16, K/4, 16, 4] and F32 [N rounded up to 16]; f32: F32 [N/16, K, 16]
 *   words, positions           int8: I8 [rows, C] and F32 [rows]; f32: F32 [rows, C]
 *   the head, norms, biases, token types: F32 as in model.safetensors */
typedef struct fn_model_tensors {
  fn_tensor_view *list; /* names and data in the arena */
  size_t n;
  fn_arena arena;
} fn_model_tensors;
/* From a model on a device of fp32. Release with deinit. */
FN_NODISCARD fn_status fn_model_pack(fn_model_tensors *tensors_out, const fn_model *model, bool int8, fn_err *err);
void fn_model_tensors_deinit(fn_model_tensors *tensors);
/* A model for evaluation whose weights are file's tensors, where they lie; file must stay open, its data 64-byte
 * aligned. device: of FN_BACKEND_INT8 for int8 weights, FN_BACKEND_FAST for f32. Tensors that are missing or of another
 * type or shape are FN_E_INVALID, by name; so is a scale, norm or bias that is not a finite number. */
FN_NODISCARD fn_status fn_model_open(fn_model **model_out, const fn_model_config *config, const fn_safetensors *file,
                                     bool int8, fn_device *device, fn_err *err);

/* Named parameters, in a fixed order: HF names, one slab for values and one for gradients. */
typedef struct fn_parameter {
  const char *name;
  size_t offset, n; /* elements within the slab; offsets are multiples of 16 */
  int32_t shape[4], n_dims;
  bool decay; /* false for biases and norms */
  bool is_head;
  int32_t layer; /* -1 embeddings, 0 … L-1, L pooler and head */
} fn_parameter;
size_t fn_model_n_parameters(const fn_model *model); /* count of tensors */
const fn_parameter *fn_model_parameter(const fn_model *model, size_t i);
/* Getting them undoes fn_model_prepare, so get them anew before every change. */
float *fn_model_values(fn_model *model);
const float *fn_model_values_const(const fn_model *model);
float *fn_model_gradients(fn_model *model);    /* NULL until fn_model_plan(…, training = true) */
size_t fn_model_slab_n(const fn_model *model); /* elements of each slab, padding included (zeros) */

/* Dropout keys of a training step: masks are a function of (seed, step, draw, layer, site, head, position, channel). */
typedef struct fn_dropout_key {
  uint64_t seed, step;
} fn_dropout_key;

/* Workspace for batches up to (T, B, longest): afterwards a step allocates nothing. May be called again to grow. */
FN_NODISCARD fn_status fn_model_plan(fn_model *model, int32_t max_T, int32_t max_B, int32_t longest, bool training,
                                     fn_err *err);
/* Packs the weights for evaluation: every fn_model_forward is faster by what packing costs, which matters for small
 * batches; as much memory again as the weights of the layers. Undone by fn_model_values. FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_model_prepare(fn_model *model, fn_err *err);
/* Evaluation forward pass: logits_out[B*K], no dropout; bits depend on nothing but row and model. Checks ids against V
 * and lengths against max_position_embeddings. */
FN_NODISCARD fn_status fn_model_forward(float *logits_out, fn_model *model, const fn_batch *batch, fn_err *err);
/* The same, and with it the vectors that the head reads (after pooling, before head_size): embeddings_out[B*C]. */
FN_NODISCARD fn_status fn_model_forward_embeddings(float *logits_out, float *embeddings_out, fn_model *model,
                                                   const fn_batch *batch, fn_err *err);
/* Training pass over one micro-batch: adds to the gradients those of (Σ wᵢ ℓᵢ) · scale, where ℓ is cross-entropy with
 * label_smoothing and w the batch's weights; *loss_sum_out = Σ wᵢ ℓᵢ (double). logits_out[B*K] may be NULL. dropout
 * NULL: all dropout off. The caller zeroes gradients at the start of a step and passes scale = 1 / Σ w of the step. */
FN_NODISCARD fn_status fn_model_forward_backward(double *loss_sum_out, float *logits_out, fn_model *model,
                                                 const fn_batch *batch, double scale, double label_smoothing,
                                                 const fn_dropout_key *dropout, fn_err *err);

#endif
