/* The default blocks: compositions of a device's primitives, and the meaning of the fused ones. */
#include "tensor/device_internal.h"

static fn_mat scratch_mat(fn_device *d, size_t n_rows, size_t n_cols) {
  return fn_mat_make(fn_scratch_take(d, n_rows * n_cols * d->element_size), n_rows, n_cols);
}

static void embed_norm(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, const fn_embedding *e, const fn_norm *norm,
                       const int32_t *ids, const int32_t *types, const fn_layout *layout, const fn_dropout *drop) {
  d->ops.embed(d, xhat, e, ids, layout->positions, types);
  d->ops.norm(d, y, xhat, rstd, xhat, norm);
  d->ops.dropout(d, y, y, layout, drop);
}

static void embed_norm_backward(fn_device *d, fn_mat dy, fn_mat xhat, const void *rstd, const fn_embedding *e,
                                const fn_norm *norm, const int32_t *ids, const int32_t *types, const fn_layout *layout,
                                const fn_dropout *drop) {
  d->ops.dropout(d, dy, dy, layout, drop);
  d->ops.norm_backward(d, dy, dy, xhat, rstd, norm);
  d->ops.embed_backward(d, dy, e, ids, layout->positions, types);
}

static void qkv(fn_device *d, fn_mat y, fn_mat x, const fn_linear *parts, size_t n_parts) {
  size_t column = 0;
  for (size_t i = 0; i < n_parts; column += parts[i++].n_out)
    d->ops.linear(d, fn_mat_columns(d, y, column, parts[i].n_out), x, &parts[i]);
}

static void qkv_backward(fn_device *d, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *parts,
                         size_t n_parts) {
  size_t column = 0;
  for (size_t i = 0; i < n_parts; column += parts[i++].n_out)
    d->ops.linear_backward(d, dx, accumulate || i > 0, fn_mat_columns(d, dy, column, parts[i].n_out), x, &parts[i]);
}

static void linear_dropout_residual_norm(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, fn_mat residual,
                                         const fn_linear *l, const fn_norm *norm, const fn_layout *layout,
                                         const fn_dropout *drop) {
  d->ops.linear(d, xhat, x, l);
  d->ops.dropout(d, xhat, xhat, layout, drop);
  d->ops.add(d, xhat, residual);
  d->ops.norm(d, y, xhat, rstd, xhat, norm);
}

static void linear_dropout_residual_norm_backward(fn_device *d, fn_mat dx, fn_mat dy, fn_mat x, fn_mat xhat,
                                                  const void *rstd, const fn_linear *l, const fn_norm *norm,
                                                  const fn_layout *layout, const fn_dropout *drop) {
  size_t mark = d->scratch_used;
  fn_mat dl = scratch_mat(d, dy.n_rows, dy.n_cols);
  d->ops.norm_backward(d, dy, dy, xhat, rstd, norm);
  d->ops.dropout(d, dl, dy, layout, drop);
  d->ops.linear_backward(d, dx, false, dl, x, l);
  d->scratch_used = mark;
}

static void ffn(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat pre, fn_mat x, const fn_linear *up,
                const fn_linear *down, fn_activation kind, const fn_norm *norm, const fn_layout *layout,
                const fn_dropout *drop) {
  size_t mark = d->scratch_used;
  fn_mat act = scratch_mat(d, x.n_rows, up->n_out);
  if (!pre.data) pre = act;
  d->ops.linear(d, pre, x, up);
  d->ops.activation(d, act, pre, kind);
  d->ops.linear_dropout_residual_norm(d, y, xhat, rstd, act, x, down, norm, layout, drop);
  d->scratch_used = mark;
}

static void ffn_backward(fn_device *d, fn_mat dy, fn_mat pre, fn_mat x, fn_mat xhat, const void *rstd,
                         const fn_linear *up, const fn_linear *down, fn_activation kind, const fn_norm *norm,
                         const fn_layout *layout, const fn_dropout *drop) {
  size_t mark = d->scratch_used;
  fn_mat act = scratch_mat(d, x.n_rows, up->n_out), dact = scratch_mat(d, x.n_rows, up->n_out);
  d->ops.activation(d, act, pre, kind);
  d->ops.linear_dropout_residual_norm_backward(d, dact, dy, act, xhat, rstd, down, norm, layout, drop);
  d->ops.activation_backward(d, dact, dact, pre, kind);
  d->ops.linear_backward(d, dy, true, dact, x, up);
  d->scratch_used = mark;
}

void fn_blocks_default(fn_ops *ops) {
  if (!ops->embed_norm) ops->embed_norm = embed_norm;
  if (!ops->embed_norm_backward) ops->embed_norm_backward = embed_norm_backward;
  if (!ops->qkv) ops->qkv = qkv;
  if (!ops->qkv_backward) ops->qkv_backward = qkv_backward;
  if (!ops->linear_dropout_residual_norm) ops->linear_dropout_residual_norm = linear_dropout_residual_norm;
  if (!ops->linear_dropout_residual_norm_backward)
    ops->linear_dropout_residual_norm_backward = linear_dropout_residual_norm_backward;
  if (!ops->ffn) ops->ffn = ffn;
  if (!ops->ffn_backward) ops->ffn_backward = ffn_backward;
}

size_t fn_blocks_scratch_bytes(const fn_device *device, const fn_device_shape *s) {
  size_t size = device->element_size, act = fn_scratch_need(s->max_T * s->feed_forward, size);
  size_t dl = fn_scratch_need(s->max_T * s->hidden, size);
  return s->training ? 2 * act + dl : act;
}
