/* What the files of src/tensor know about a device. */
#ifndef FN_TENSOR_DEVICE_INTERNAL_H
#define FN_TENSOR_DEVICE_INTERNAL_H

#include "tensor/ops.h"

#include <assert.h>

/* Operations that a profile tells apart. */
#define FN_PROFILE_LIST(X)                                                                                             \
  X(EMBED, "embed")                                                                                                    \
  X(EMBED_BACKWARD, "embed backward")                                                                                  \
  X(QKV, "qkv")                                                                                                        \
  X(QKV_BACKWARD, "qkv backward")                                                                                      \
  X(ATTENTION, "attention")                                                                                            \
  X(ATTENTION_BACKWARD, "attention backward")                                                                          \
  X(OUTPUT, "attention output + norm")                                                                                 \
  X(OUTPUT_BACKWARD, "attention output + norm backward")                                                               \
  X(FFN, "ffn + norm")                                                                                                 \
  X(FFN_BACKWARD, "ffn + norm backward")                                                                               \
  X(HEAD, "head and row operations") X(ADAMW, "adamw") X(SQUARED_NORM, "squared norm") X(ZERO, "zero")
typedef enum fn_profile_id {
#define FN_PROFILE_ENUM(id, name) FN_PROFILE_##id,
  FN_PROFILE_LIST(FN_PROFILE_ENUM)
#undef FN_PROFILE_ENUM
      FN_PROFILE_COUNT
} fn_profile_id;

struct fn_kernels;
struct fn_int8_kernels;
struct fn_onednn;

struct fn_device {
  fn_ops ops;
  fn_backend backend;
  fn_cpu_level level;
  fn_pool *pool;
  bool owns_pool;
  int n_threads;
  size_t element_size;
  const struct fn_kernels *kernels;   /* fast and int8 */
  const struct fn_int8_kernels *int8; /* int8 only */
  const struct fn_onednn *onednn;     /* when it multiplies */
  unsigned char *scratch;
  size_t scratch_size, scratch_used;
  bool profiling;
  fn_profile_entry profile[FN_PROFILE_COUNT];
};

/* Scratch memory is a stack: take within an operation, release to the mark at its end. */
static inline void *fn_scratch_take(fn_device *device, size_t n_bytes) {
  size_t at = device->scratch_used;
  device->scratch_used += (n_bytes + 63) & ~(size_t)63;
  assert(device->scratch_used <= device->scratch_size && "fn_device_reserve planned too little");
  return device->scratch + at;
}
/* Bytes that fn_scratch_take uses for n elements. */
static inline size_t fn_scratch_need(size_t n, size_t size) {
  return (n * size + 63) & ~(size_t)63;
}

static inline uint64_t fn_profile_begin(const fn_device *device) {
  return device->profiling ? fn_clock_processor_ns() : 0;
}
static inline void fn_profile_end(fn_device *device, fn_profile_id id, uint64_t begin) {
  if (!device->profiling) return;
  device->profile[id].calls++;
  device->profile[id].ns += fn_clock_processor_ns() - begin;
}

/* Fills the entries that are still NULL. */
void fn_blocks_default(fn_ops *ops);
/* Scratch bytes the default blocks take on top of what their primitives take. */
size_t fn_blocks_scratch_bytes(const fn_device *device, const fn_device_shape *shape);

/* Cross-entropy of one row, in double for every device: returns w ℓ; gradient[n] = w dℓ/dx. Label -1 counts as weight
 * 0. */
enum { FN_MAX_CLASSES = 256 };
double fn_softmax_loss_row(double *gradient, const double *x, size_t n, int32_t label, double weight, double smoothing);

extern const fn_ops fn_reference_ops_f32, fn_reference_ops_f64, fn_fast_ops, fn_int8_ops;

#endif
