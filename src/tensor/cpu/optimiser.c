/* What runs over parameter slabs: AdamW, the norm of the gradient, zeroing. Both devices in single precision share it.
 */
#include "tensor/cpu/kernels.h"
#include "tensor/device_internal.h"

#include <math.h>

/* Elements per task; part of the definition of the squared norm. */
enum { BLOCK = 16384, MAX_BLOCKS = 256 };

typedef struct slab_job {
  const fn_device *d;
  const fn_adamw_step *step;
  const fn_segment *segment;
  const float *x;
  float *y;
  size_t first, n; /* elements of this run */
  fn_adamw_range range;
  double sums[MAX_BLOCKS];
} slab_job;

static size_t block_of(const slab_job *j, size_t i, size_t *at) {
  *at = i * BLOCK;
  return j->n - *at < BLOCK ? j->n - *at : BLOCK;
}

static void adamw_task(void *arg, size_t i, int worker) {
  const slab_job *j = arg;
  size_t at, n = block_of(j, i, &at);
  fn_adamw_range r = j->range;
  (void)worker;
  r.value = j->step->values + j->segment->offset + at;
  r.gradient = j->step->gradients + j->segment->offset + at;
  r.m = j->step->m + j->segment->offset + at;
  r.v = j->step->v + j->segment->offset + at;
  r.n = n;
  j->d->kernels->adamw(&r);
}

void fn_device_adamw(fn_device *device, const fn_adamw_step *args) {
  assert(device->element_size == sizeof(float) && args->step >= 1);
  uint64_t begin = fn_profile_begin(device);
  double t = (double)args->step, correction1 = 1 - pow(args->beta1, t), correction2 = 1 - pow(args->beta2, t);
  slab_job job = {.d = device, .step = args};
  for (size_t i = 0; i < args->n_segments; i++) {
    const fn_segment *s = &args->segments[i];
    if (s->frozen || s->n == 0) continue;
    double lr = args->lr * (double)s->lr_multiplier;
    job.segment = s;
    job.n = s->n;
    job.range = (fn_adamw_range){
        .gradient_scale = (float)args->gradient_scale,
        .decay = (float)(1 - lr * (double)s->weight_decay),
        .beta1_rest = (float)(1 - args->beta1),
        .beta2 = (float)args->beta2,
        .beta2_rest = (float)(1 - args->beta2),
        .step_size = (float)(lr / correction1),
        .root_correction = (float)sqrt(correction2),
        .epsilon = (float)args->epsilon,
    };
    fn_pool_run(device->pool, (s->n + BLOCK - 1) / BLOCK, adamw_task, &job);
  }
  fn_profile_end(device, FN_PROFILE_ADAMW, begin);
}

static void norm_task(void *arg, size_t i, int worker) {
  slab_job *j = arg;
  size_t at, n = block_of(j, i, &at);
  (void)worker;
  j->sums[i] = j->d->kernels->squared_norm(j->x + j->first + at, n);
}

double fn_device_squared_norm(fn_device *device, const float *x, const fn_segment *segments, size_t n_segments) {
  uint64_t begin = fn_profile_begin(device);
  double sum = 0;
  slab_job job = {.d = device, .x = x};
  for (size_t s = 0; s < n_segments; s++) {
    if (segments[s].frozen) continue;
    for (size_t at = 0; at < segments[s].n; at += (size_t)BLOCK * MAX_BLOCKS) {
      size_t rest = segments[s].n - at, most = (size_t)BLOCK * MAX_BLOCKS;
      job.first = segments[s].offset + at;
      job.n = rest < most ? rest : most;
      size_t n_blocks = (job.n + BLOCK - 1) / BLOCK;
      fn_pool_run(device->pool, n_blocks, norm_task, &job);
      for (size_t i = 0; i < n_blocks; i++) sum += job.sums[i];
    }
  }
  fn_profile_end(device, FN_PROFILE_SQUARED_NORM, begin);
  return sum;
}

static void zero_task(void *arg, size_t i, int worker) {
  slab_job *j = arg;
  size_t at, n = block_of(j, i, &at);
  (void)worker;
  memset(j->y + at, 0, n * sizeof *j->y);
}

void fn_device_zero(fn_device *device, float *x, size_t n) {
  uint64_t begin = fn_profile_begin(device);
  slab_job job = {.d = device, .y = x, .n = n};
  fn_pool_run(device->pool, (n + BLOCK - 1) / BLOCK, zero_task, &job);
  fn_profile_end(device, FN_PROFILE_ZERO, begin);
}
