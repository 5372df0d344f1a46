/* The table of operations of a device, for those who write models (src/model) and devices; everybody else needs
 * device.h only.
 *
 * Numbers are opaque here: a matrix is a place on the device with a shape, its elements of the device's own type. Calls
 * are enqueue-only: nothing is returned, nothing allocated (scratch memory comes from the workspace that
 * fn_device_reserve planned), nothing can fail. Rows are packed tokens: no padding anywhere.
 *
 * Shape letters: R rows, B sequences, T packed tokens, C hidden, H heads, D head size, F feed-forward, V vocabulary. */
#ifndef FN_TENSOR_OPS_H
#define FN_TENSOR_OPS_H

#include "tensor/device.h"

/* Row-major view; rows lie `stride` elements apart. */
typedef struct fn_mat {
  void *data;
  size_t n_rows, n_cols, stride;
} fn_mat;

/* y = x Wᵀ + b, W [n_out, n_in] as Hugging Face stores it. Gradients are added to; NULL when not wanted. b may be NULL.
 * For inference only, w may be NULL where prepared is set. */
typedef struct fn_linear {
  size_t n_in, n_out;
  const void *w, *b;
  void *dw, *db;
  const void *prepared; /* W in the device's own form (fn_ops.prepare; tensor/tiles.h), or NULL: made at every call */
  const float *scales;  /* backend int8: prepared is 8-bit tiles with these scales [round up n_out to 16]; else NULL */
} fn_linear;

/* Layer normalisation (Ba et al. 2016) over n channels, variance in two passes. */
typedef struct fn_norm {
  size_t n;
  const void *gamma, *beta;
  void *dgamma, *dbeta;
  double epsilon;
} fn_norm;

/* Sum of up to three tables; position and type may be NULL. The row pad_id of `word` never gets a gradient.
 * Backend int8: where its scales are set, a table is rows of int8 (fn_rows_int8_make). */
typedef struct fn_embedding {
  size_t width;
  const void *word, *position, *type;
  void *d_word, *d_position, *d_type;
  int32_t pad_id, position_offset;
  const float *word_scales, *position_scales; /* one a row, or NULL */
} fn_embedding;

/* Which rows belong together. Rows of sequence b are offsets[b] … offsets[b+1]-1; positions[r] counts from 0 within the
 * sequence and, with draws[r], names the row to dropout wherever it stands. */
typedef struct fn_layout {
  size_t n_rows, n_sequences, longest;
  const int32_t *offsets, *positions;
  const uint32_t *draws;
} fn_layout;

/* One site of inverted dropout. An element is kept when its 16 random bits are at least round(65536 p), and then scaled
 * by the inverse of the exact share kept. See tensor/dropout.h for the counter scheme. */
typedef struct fn_dropout {
  double p;
  uint64_t seed, step;
  uint32_t layer, site;
} fn_dropout;
enum fn_dropout_site {
  FN_SITE_EMBEDDING,
  FN_SITE_ATTENTION,
  FN_SITE_ATTENTION_OUT,
  FN_SITE_FFN_OUT,
  FN_SITE_POOLED,
  FN_SITE_HEAD
};

typedef enum fn_activation { FN_ACT_GELU, FN_ACT_GELU_TANH, FN_ACT_RELU, FN_ACT_TANH } fn_activation;

/* Scaled dot-product attention within each sequence (Vaswani et al. 2017), no mask. Queries may be a subset of a
 * sequence's rows. window > 0: a query sees keys at most window/2 positions away. */
typedef struct fn_attention {
  size_t n_heads, head_size;
  double scale;
  int32_t window;
  const fn_layout *queries, *keys;
  const fn_dropout *dropout; /* of the probabilities; NULL: none */
} fn_attention;

/* The largest calls to come: what scratch memory is planned for. */
typedef struct fn_device_shape {
  size_t max_T, max_B, longest;
  size_t hidden, heads, feed_forward, head_width; /* head_width: widest matrix of the classification head */
  bool training;
} fn_device_shape;

typedef struct fn_ops {
  /* Memory in this device's element type. */
  size_t (*scratch_bytes)(const fn_device *device, const fn_device_shape *shape);
  void (*zero)(fn_device *device, void *x, size_t n);
  /* W of a linear layer in the form that its forward pass streams: prepared_n elements into out, of fn_device_alloc;
   * on the fast device the fp32 tiles of tensor/tiles.h.
   * For weights that stay as they are for many calls; 0 elements: this device has no such form. */
  size_t (*prepared_n)(const fn_device *device, const fn_linear *l);
  void (*prepare)(fn_device *device, void *out, const fn_linear *l);

  /* Primitives. Outputs may not alias inputs except where said. */
  void (*embed)(fn_device *device, fn_mat y, const fn_embedding *e, const int32_t *ids, const int32_t *positions,
                const int32_t *types);
  void (*embed_backward)(fn_device *device, fn_mat dy, const fn_embedding *e, const int32_t *ids,
                         const int32_t *positions, const int32_t *types);
  void (*linear)(fn_device *device, fn_mat y, fn_mat x, const fn_linear *l);
  /* dx.data NULL: not wanted; accumulate: dx += instead of dx =. */
  void (*linear_backward)(fn_device *device, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *l);
  /* y = xhat γ + β, xhat = (x - mean) / √(var + ε). xhat may be x; rstd[R]. */
  void (*norm)(fn_device *device, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, const fn_norm *norm);
  void (*norm_backward)(fn_device *device, fn_mat dx, fn_mat dy, fn_mat xhat, const void *rstd, const fn_norm *norm);
  /* In place: y may be x, dx may be dy. */
  void (*activation)(fn_device *device, fn_mat y, fn_mat x, fn_activation kind);
  void (*activation_backward)(fn_device *device, fn_mat dx, fn_mat dy, fn_mat x, fn_activation kind);
  /* y = x · mask / share kept; its own backward. y may be x. d NULL or p = 0: a copy. */
  void (*dropout)(fn_device *device, fn_mat y, fn_mat x, const fn_layout *layout, const fn_dropout *d);
  void (*add)(fn_device *device, fn_mat y, fn_mat x);                                   /* y += x */
  void (*gather_rows)(fn_device *device, fn_mat y, fn_mat x, const int32_t *rows);      /* y[i] = x[rows[i]] */
  void (*scatter_add_rows)(fn_device *device, fn_mat y, fn_mat x, const int32_t *rows); /* y[rows[i]] += x[i] */
  void (*segment_mean)(fn_device *device, fn_mat y, fn_mat x, const fn_layout *layout); /* y[b] = mean of its rows */
  void (*segment_mean_backward)(fn_device *device, fn_mat dx, fn_mat dy, const fn_layout *layout); /* dx = */
  /* context [R,C]; lse [H,R]: log Σ exp of the scores of each row, kept for the backward pass. */
  void (*attention)(fn_device *device, fn_mat context, void *lse, fn_mat q, fn_mat k, fn_mat v, const fn_attention *a);
  void (*attention_backward)(fn_device *device, fn_mat dq, fn_mat dk, fn_mat dv, fn_mat dcontext, fn_mat context,
                             const void *lse, fn_mat q, fn_mat k, fn_mat v, const fn_attention *a);
  /* Cross-entropy with smoothing s: target (1-s) at the label plus s/K everywhere. losses[b] = weights[b] ℓ_b (double,
   * on the host); dlogits = scale · weights[b] · dℓ_b/dlogits. dlogits.data NULL: not wanted. */
  void (*softmax_loss)(fn_device *device, double *losses, fn_mat dlogits, fn_mat logits, const int32_t *labels,
                       const float *weights, double smoothing, double scale);
  void (*to_float)(fn_device *device, float *y, fn_mat x); /* y[n_rows * n_cols] */

  /* Blocks: what devices fuse. fn_blocks_default fills in compositions of the primitives above. */
  /* y = dropout(norm(embedding)); xhat and rstd are kept. */
  void (*embed_norm)(fn_device *device, fn_mat y, fn_mat xhat, void *rstd, const fn_embedding *e, const fn_norm *norm,
                     const int32_t *ids, const int32_t *types, const fn_layout *layout, const fn_dropout *d);
  /* dy is overwritten. */
  void (*embed_norm_backward)(fn_device *device, fn_mat dy, fn_mat xhat, const void *rstd, const fn_embedding *e,
                              const fn_norm *norm, const int32_t *ids, const int32_t *types, const fn_layout *layout,
                              const fn_dropout *d);
  /* Projections of one input, side by side: columns of y are those of parts[0], parts[1] … */
  void (*qkv)(fn_device *device, fn_mat y, fn_mat x, const fn_linear *parts, size_t n_parts);
  void (*qkv_backward)(fn_device *device, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *parts,
                       size_t n_parts);
  /* s = residual + dropout(x Wᵀ + b); y = norm(s); keeps xhat, rstd. */
  void (*linear_dropout_residual_norm)(fn_device *device, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, fn_mat residual,
                                       const fn_linear *l, const fn_norm *norm, const fn_layout *layout,
                                       const fn_dropout *d);
  /* dy [R,C] is overwritten by the gradient of the residual; dx = that of x. */
  void (*linear_dropout_residual_norm_backward)(fn_device *device, fn_mat dx, fn_mat dy, fn_mat x, fn_mat xhat,
                                                const void *rstd, const fn_linear *l, const fn_norm *norm,
                                                const fn_layout *layout, const fn_dropout *d);
  /* y = norm(x + dropout(act(x W1ᵀ + b1) W2ᵀ + b2)); keeps pre = x W1ᵀ + b1 [R,F] (pre.data NULL: not kept), xhat,
   * rstd. */
  void (*ffn)(fn_device *device, fn_mat y, fn_mat xhat, void *rstd, fn_mat pre, fn_mat x, const fn_linear *up,
              const fn_linear *down, fn_activation kind, const fn_norm *norm, const fn_layout *layout,
              const fn_dropout *d);
  /* dy becomes the gradient of x; pre is overwritten. */
  void (*ffn_backward)(fn_device *device, fn_mat dy, fn_mat pre, fn_mat x, fn_mat xhat, const void *rstd,
                       const fn_linear *up, const fn_linear *down, fn_activation kind, const fn_norm *norm,
                       const fn_layout *layout, const fn_dropout *d);
} fn_ops;

const fn_ops *fn_device_ops(const fn_device *device);
/* Bytes of one element: 4, or 8 for the double reference. */
size_t fn_device_element_size(const fn_device *device);
/* Scratch memory for calls up to `shape`; grows only. Must precede the operations. FN_E_NO_MEMORY, FN_E_LIMIT. */
FN_NODISCARD fn_status fn_device_reserve(fn_device *device, const fn_device_shape *shape, fn_err *err);

/* Device memory, zeroed, 64-byte aligned: n elements. NULL when memory is short or n is too large. */
void *fn_device_alloc(fn_device *device, size_t n);
/* Same, not zeroed: work space. */
void *fn_device_alloc_raw(fn_device *device, size_t n);
void fn_device_free(fn_device *device, void *x);

/* Views of a matrix. */
fn_mat fn_mat_make(void *data, size_t n_rows, size_t n_cols);
fn_mat fn_mat_rows(const fn_device *device, fn_mat m, size_t first, size_t n);
fn_mat fn_mat_columns(const fn_device *device, fn_mat m, size_t first, size_t n);

/* Processor time of all threads by operation since the last reset, for profiles: what others do on the machine is not
 * in it, waiting workers are while they spin. Off unless enabled. */
typedef struct fn_profile_entry {
  const char *name;
  uint64_t calls, ns;
} fn_profile_entry;
void fn_device_profile_enable(fn_device *device, bool on);
size_t fn_device_profile(const fn_device *device, const fn_profile_entry **entries_out);

#endif
