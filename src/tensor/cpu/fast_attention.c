/* Attention of the fast device: one task per (sequence, head). */
#include "tensor/cpu/fast.h"

typedef struct attention_job {
  const fn_device *d;
  const fn_attention *a;
  fn_dropout_state drop;
  fn_mat context, q, k, v, dcontext, dq, dk, dv;
  float *lse;
  float *scratch;
  size_t scratch_floats;
} attention_job;

static fn_head_task head_task(const attention_job *j, size_t i, int worker) {
  const fn_attention *a = j->a;
  size_t b = i / a->n_heads, h = i % a->n_heads, column = h * a->head_size;
  size_t q0 = (size_t)a->queries->offsets[b], k0 = (size_t)a->keys->offsets[b];
  return (fn_head_task){
      .q = fn_row(j->q, q0) + column,
      .k = fn_row(j->k, k0) + column,
      .v = fn_row(j->v, k0) + column,
      .stride_q = j->q.stride,
      .stride_k = j->k.stride,
      .stride_v = j->v.stride,
      .n_q = (size_t)a->queries->offsets[b + 1] - q0,
      .n_k = (size_t)a->keys->offsets[b + 1] - k0,
      .D = a->head_size,
      .scale = (float)a->scale,
      .window = a->window,
      .q_positions = a->queries->positions + q0,
      .q_draws = a->queries->draws + q0,
      .head = (uint32_t)h,
      .dropout = &j->drop,
      .context = fn_row(j->context, q0) + column,
      .stride_context = j->context.stride,
      .lse = j->lse ? j->lse + h * j->q.n_rows + q0 : NULL,
      .scratch = j->scratch + (size_t)worker * j->scratch_floats,
  };
}

static void attention_task(void *arg, size_t i, int worker) {
  const attention_job *j = arg;
  const fn_head_task task = head_task(j, i, worker);
  j->d->kernels->attention(&task);
}

static void backward_task(void *arg, size_t i, int worker) {
  const attention_job *j = arg;
  fn_head_task t = head_task(j, i, worker);
  size_t b = i / j->a->n_heads, column = t.head * j->a->head_size;
  size_t q0 = (size_t)j->a->queries->offsets[b], k0 = (size_t)j->a->keys->offsets[b];
  t.context_in = t.context;
  t.dcontext = fn_row(j->dcontext, q0) + column;
  t.stride_dcontext = j->dcontext.stride;
  t.dq = fn_row(j->dq, q0) + column;
  t.dk = fn_row(j->dk, k0) + column;
  t.dv = fn_row(j->dv, k0) + column;
  t.stride_dq = j->dq.stride;
  t.stride_dk = j->dk.stride;
  t.stride_dv = j->dv.stride;
  j->d->kernels->attention_backward(&t);
}

static void run(fn_device *d, attention_job *job, bool backward) {
  size_t mark = d->scratch_used;
  job->scratch_floats = d->kernels->attention_scratch(job->a->keys->longest, job->a->head_size, backward);
  job->scratch = fn_scratch_take(d, (size_t)d->n_threads * job->scratch_floats * sizeof *job->scratch);
  fn_pool_run(d->pool, job->a->keys->n_sequences * job->a->n_heads, backward ? backward_task : attention_task, job);
  d->scratch_used = mark;
}

void fn_fast_attention(fn_device *d, fn_mat context, void *lse, fn_mat q, fn_mat k, fn_mat v, const fn_attention *a) {
  uint64_t begin = fn_profile_begin(d);
  attention_job job = {.d = d, .a = a, .context = context, .lse = lse, .q = q, .k = k, .v = v};
  job.drop = fn_dropout_make(a->dropout);
  run(d, &job, false);
  fn_profile_end(d, FN_PROFILE_ATTENTION, begin);
}

void fn_fast_attention_backward(fn_device *d, fn_mat dq, fn_mat dk, fn_mat dv, fn_mat dcontext, fn_mat context,
                                const void *lse, fn_mat q, fn_mat k, fn_mat v, const fn_attention *a) {
  uint64_t begin = fn_profile_begin(d);
  attention_job job = {
      .d = d, .a = a, .context = context, .q = q, .k = k, .v = v, .dcontext = dcontext, .dq = dq, .dk = dk, .dv = dv};
  memcpy(&job.lse, &lse, sizeof lse); /* only read */
  job.drop = fn_dropout_make(a->dropout);
  run(d, &job, true);
  fn_profile_end(d, FN_PROFILE_ATTENTION_BACKWARD, begin);
}
