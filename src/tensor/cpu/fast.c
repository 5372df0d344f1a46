/* The fast device's table and its scratch memory. */
#include "tensor/cpu/fast.h"

static void softmax_loss(fn_device *d, double *losses, fn_mat dlogits, fn_mat logits, const int32_t *labels,
                         const float *weights, double smoothing, double scale) {
  (void)d;
  size_t n = logits.n_cols;
  double x[FN_MAX_CLASSES], gradient[FN_MAX_CLASSES];
  assert(n <= FN_MAX_CLASSES);
  for (size_t b = 0; b < logits.n_rows; b++) {
    for (size_t k = 0; k < n; k++) x[k] = (double)fn_row(logits, b)[k];
    losses[b] = fn_softmax_loss_row(gradient, x, n, labels[b], (double)weights[b], smoothing);
    if (!dlogits.data) continue;
    for (size_t k = 0; k < n; k++) fn_row(dlogits, b)[k] = (float)(scale * gradient[k]);
  }
}

void fn_fast_to_float(fn_device *d, float *y, fn_mat x) {
  (void)d;
  for (size_t i = 0; i < x.n_rows; i++) memcpy(y + i * x.n_cols, fn_row(x, i), x.n_cols * sizeof *y);
}

static size_t max_of(size_t a, size_t b) {
  return a > b ? a : b;
}

/* The most that any one operation takes; each releases all of it at its end. */
static size_t scratch_bytes(const fn_device *d, const fn_device_shape *s) {
  size_t f = sizeof(float), threads = (size_t)d->n_threads, C = s->hidden, F = s->feed_forward;
  size_t widest = max_of(max_of(C, F), s->head_width), block = FN_WIDE_ROWS;
  size_t packed = 2 * fn_scratch_need(fn_fast_right_floats(C, F) + fn_fast_right_floats(F, C), f) +
                  3 * fn_scratch_need(fn_fast_right_floats(C, C), f) +
                  fn_scratch_need(fn_fast_right_floats(widest, widest), f) * (s->head_width > C);
  size_t rows = fn_scratch_need(threads * block * FN_SLICE, f);
  size_t head = s->heads > 0 ? C / s->heads : C;
  size_t attention = fn_scratch_need(threads * d->kernels->attention_scratch(s->longest, head, s->training), f);
  size_t forward = max_of(packed + rows, attention);
  if (!s->training) return forward;
  /* The number of blocks is not monotonous in the rows: batches below max_T may have up to max_T / 8 + 1. */
  size_t sums =
      fn_scratch_need((s->max_T / 8 + 1 < 64 ? s->max_T / 8 + 1 : max_of(fn_n_blocks(s->max_T), 64)) * 2 * C, f);
  size_t backward = sums + fn_scratch_need(s->max_T * C, f) + fn_scratch_need(s->max_T * F, f) + packed +
                    fn_fast_weight_gradients_scratch(d, widest, max_of(3 * C, widest));
  return max_of(forward, backward);
}

const fn_ops fn_fast_ops = {
    .scratch_bytes = scratch_bytes,
    .prepared_n = fn_fast_prepared_n,
    .prepare = fn_fast_prepare,
    .zero = fn_fast_zero,
    .embed = fn_fast_embed,
    .embed_backward = fn_fast_embed_backward,
    .linear = fn_fast_linear,
    .linear_backward = fn_fast_linear_backward,
    .norm = fn_fast_norm,
    .norm_backward = fn_fast_norm_backward,
    .activation = fn_fast_activation,
    .activation_backward = fn_fast_activation_backward,
    .dropout = fn_fast_dropout,
    .add = fn_fast_add,
    .gather_rows = fn_fast_gather_rows,
    .scatter_add_rows = fn_fast_scatter_add_rows,
    .segment_mean = fn_fast_segment_mean,
    .segment_mean_backward = fn_fast_segment_mean_backward,
    .attention = fn_fast_attention,
    .attention_backward = fn_fast_attention_backward,
    .softmax_loss = softmax_loss,
    .to_float = fn_fast_to_float,
    .embed_norm = fn_fast_embed_norm,
    .embed_norm_backward = fn_fast_embed_norm_backward,
    .qkv = fn_fast_qkv,
    .qkv_backward = fn_fast_qkv_backward,
    .linear_dropout_residual_norm = fn_fast_output,
    .linear_dropout_residual_norm_backward = fn_fast_output_backward,
    .ffn = fn_fast_ffn,
    .ffn_backward = fn_fast_ffn_backward,
};
