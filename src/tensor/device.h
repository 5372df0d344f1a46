/* The device: where a model's numbers live and who computes on them.
 *
 * A device is a table of operations (tensor/ops.h), an allocator and workers. A model is written once over the table;
 * a new kind of device is a new table. Three are filled in: `reference` is plain C (one source compiled for float and
 * for double), `fast` has vectorised kernels for the level of the CPU it runs on, `int8` only infers, with weights and
 * activations of eight bits.
 *
 * Bits: with one build and one CPU level the same calls give the same bits with any number of threads, because work is
 * cut by shape only. The forward operations of `fast` with FN_GEMM_OWN and all those of `int8` go further: a row's
 * result depends on nothing but the row and the model, and every level of the CPU gives the same bits. */
#ifndef FN_TENSOR_DEVICE_H
#define FN_TENSOR_DEVICE_H

#include "base/base.h"

typedef struct fn_device fn_device;

typedef enum fn_backend {
  FN_BACKEND_FAST,          /* vectorised kernels, fp32 */
  FN_BACKEND_REFERENCE,     /* plain C, fp32 */
  FN_BACKEND_REFERENCE_F64, /* plain C, double throughout: for gradient checks */
  FN_BACKEND_INT8           /* vectorised kernels, forward only: 8-bit weights and activations where a layer has them */
} fn_backend;

/* Who multiplies matrices on the fast backend. */
typedef enum fn_gemm {
  FN_GEMM_AUTO,   /* the measured choice: see docs of device.gemm */
  FN_GEMM_OWN,    /* own kernels */
  FN_GEMM_ONEDNN, /* oneDNN, loaded at first use; FN_E_UNSUPPORTED when libdnnl.so.2 is not there */
} fn_gemm;

/* Levels of the CPU in order of speed. A device takes the highest that the machine has at or below max_level. */
typedef enum fn_cpu_level {
  FN_CPU_C,          /* what the build's target architecture guarantees (x86-64: SSE2; aarch64: NEON) */
  FN_CPU_AVX2,       /* AVX2 + FMA */
  FN_CPU_AVXVNNI,    /* AVX2 and dot products of bytes (AVX-VNNI); fp32 as avx2 */
  FN_CPU_AVX512,     /* AVX-512 F, BW, DQ, VL */
  FN_CPU_AVX512VNNI, /* AVX-512 and dot products of bytes; fp32 as avx512 */
  FN_CPU_AMX,        /* AVX-512 with VNNI and the matrix unit's products of bytes; fp32 as avx512 */
  FN_CPU_LEVEL_COUNT
} fn_cpu_level;
const char *fn_cpu_level_name(fn_cpu_level level); /* "c", "avx2", "avxvnni", "avx512", "avx512vnni", "amx" */
/* Whether this machine, its operating system and this build have the level. Not every machine with a level has all
 * those below it: AVX-512 came before AVX-VNNI. */
bool fn_cpu_level_present(fn_cpu_level level);
/* Highest level that is present. */
fn_cpu_level fn_cpu_level_detect(void);

typedef struct fn_device_options {
  fn_backend backend;
  fn_gemm gemm;
  fn_cpu_level max_level; /* FN_CPU_AMX for no limit */
  int n_threads;          /* [1,1024]; 0: fn_cpu_available() */
  fn_pool *pool;          /* borrowed workers that outlive the device (n_threads is then ignored), or NULL: own ones */
} fn_device_options;
#define FN_DEVICE_OPTIONS_INIT                                                                                         \
  { FN_BACKEND_FAST, FN_GEMM_AUTO, FN_CPU_AMX, 0, NULL }

/* options NULL: the values of FN_DEVICE_OPTIONS_INIT. A device may be used by one thread at a time.
 * FN_E_INVALID (threads out of range), FN_E_UNSUPPORTED (oneDNN asked for and missing), FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_device_create(fn_device **device_out, const fn_device_options *options, fn_err *err);
void fn_device_destroy(fn_device *device); /* NULL is fine */
/* The device's workers; borrowed. NULL when it has one thread. */
fn_pool *fn_device_pool(const fn_device *device);
fn_backend fn_device_get_backend(const fn_device *device);
fn_cpu_level fn_device_get_level(const fn_device *device); /* the level in use */
/* Gop/s that one of its threads reaches when the device's multiplications run from registers alone: measured by the
 * call, which takes some tenths of a second. NaN where that is not known (plain C). */
double fn_device_peak(const fn_device *device);
/* One line for logs and run records: "fast avx512, own GEMM, 2 threads". What decides the bits of a training run stands
 * in it, threads apart, so two runs whose lines differ before the last comma may differ in the last bits. */
void fn_device_describe(char *buf, size_t size, const fn_device *device);

/* A range of a parameter slab with its own treatment. */
typedef struct fn_segment {
  size_t offset, n; /* elements */
  float lr_multiplier, weight_decay;
  bool frozen; /* left as it is, and out of the norm */
} fn_segment;

/* One AdamW step (Loshchilov & Hutter 2019, "Decoupled weight decay regularization"; arithmetic of torch.optim.AdamW):
 *   g = gradient * gradient_scale;  θ ← θ (1 − lr·λ);  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²
 *   θ ← θ − lr · (m / (1−β₁ᵗ)) / (√v / √(1−β₂ᵗ) + ε)           with lr and λ of the segment
 * values, gradients, m, v: slabs of one length, 16-element aligned segments run fastest; n_segments in any order. */
typedef struct fn_adamw_step {
  float *values, *gradients, *m, *v;
  const fn_segment *segments;
  size_t n_segments;
  double lr, beta1, beta2, epsilon, gradient_scale;
  int64_t step; /* from 1 */
} fn_adamw_step;
void fn_device_adamw(fn_device *device, const fn_adamw_step *args);
/* Σ x² over the segments that are not frozen, in double: fixed blocks within each segment, added in order, so that the
 * result depends neither on threads nor on the level of the CPU. */
double fn_device_squared_norm(fn_device *device, const float *x, const fn_segment *segments, size_t n_segments);
/* x[0..n) = 0, by all workers. */
void fn_device_zero(fn_device *device, float *x, size_t n);

#endif
