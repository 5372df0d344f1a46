/* Initial weights. Each tensor has a stream of random numbers of its own, named by the tensor, and each element its
 * place in the stream: the values depend neither on the other tensors nor on threads. */
#include "model/internal.h"

enum { CHUNK = 16384, DRAWS_PER_NORMAL = 4 };

typedef struct draw_job {
  unsigned char *out;
  size_t n, element_size;
  uint64_t seed, stream;
  double deviation;
} draw_job;

static void set(unsigned char *out, size_t element_size, size_t i, double x) {
  if (element_size == sizeof(float))
    ((float *)(void *)out)[i] = (float)x;
  else
    ((double *)(void *)out)[i] = (double)(float)x;
}

static void draw_task(void *arg, size_t i, int worker) {
  const draw_job *j = arg;
  size_t first = i * CHUNK, last = j->n - first < CHUNK ? j->n : first + CHUNK;
  fn_rng rng = fn_rng_make(j->seed, j->stream);
  (void)worker;
  rng.position = first * DRAWS_PER_NORMAL;
  for (size_t e = first; e < last; e++) set(j->out, j->element_size, e, fn_rng_normal(&rng) * j->deviation);
}

void fn_model_draw(fn_model *m, size_t i, uint64_t seed) {
  const fn_parameter *p = &m->parameters.list[i];
  size_t size = fn_device_element_size(m->device);
  draw_job job = {.out = (unsigned char *)m->values + p->offset * size, .n = p->n, .element_size = size, .seed = seed};
  fn_model_unprepare(m);
  if (p->n_dims == 1) {
    double value = fn_str_ends_with(fn_str_from(p->name), "LayerNorm.weight") ? 1 : 0;
    for (size_t e = 0; e < p->n; e++) set(job.out, size, e, value);
    return;
  }
  job.stream = fn_hash64(p->name, strlen(p->name), 0);
  job.deviation = m->config.initializer_range;
  fn_pool_run(fn_device_pool(m->device), (p->n + CHUNK - 1) / CHUNK, draw_task, &job);
  if ((int32_t)i == m->parameters.word)
    for (size_t c = 0; c < (size_t)p->shape[1]; c++)
      set(job.out, size, (size_t)m->config.pad_token_id * (size_t)p->shape[1] + c, 0);
}
