#include "tensor/cpu/detect.h"
#include "tensor/cpu/onednn.h"
#include "tensor/cpu/peak.h"
#include "tensor/device_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *fn_cpu_level_name(fn_cpu_level level) {
  static const char *const names[FN_CPU_LEVEL_COUNT] = {"c", "avx2", "avxvnni", "avx512", "avx512vnni", "amx"};
  return (unsigned)level < FN_CPU_LEVEL_COUNT ? names[level] : "unknown";
}

static fn_status device_init(fn_device *d, const fn_device_options *o, fn_err *err) {
  d->backend = o->backend;
  d->element_size = o->backend == FN_BACKEND_REFERENCE_F64 ? sizeof(double) : sizeof(float);
  d->level = fn_cpu_level_at_most(o->max_level);
  if (d->level == FN_CPU_AMX && o->backend == FN_BACKEND_INT8 && !fn_cpu_amx_enable()) d->level = FN_CPU_AVX512VNNI;
  d->kernels = fn_kernels_of(d->level);
  d->int8 = fn_int8_kernels_of(d->level);
  switch (o->backend) {
  case FN_BACKEND_FAST: d->ops = fn_fast_ops; break;
  case FN_BACKEND_REFERENCE: d->ops = fn_reference_ops_f32; break;
  case FN_BACKEND_REFERENCE_F64: d->ops = fn_reference_ops_f64; break;
  case FN_BACKEND_INT8: d->ops = fn_int8_ops; break;
  default: return fn_err_set(err, FN_E_INVALID, "device.backend must be fast, reference or int8");
  }
  if (o->backend != FN_BACKEND_INT8) fn_blocks_default(&d->ops);
  if (o->backend == FN_BACKEND_FAST && o->gemm == FN_GEMM_ONEDNN) FN_TRY(fn_onednn_get(&d->onednn, err));
  d->pool = o->pool;
  if (!o->pool) {
    int n = o->n_threads == 0 ? fn_cpu_available() : o->n_threads;
    if (n < 0 || n > 1024)
      return fn_err_set(err, FN_E_INVALID, "device.threads must be 0 to 1024, not %d", o->n_threads);
    if (n > 1) FN_TRY(fn_pool_create(&d->pool, n, err));
    d->owns_pool = true;
  }
  d->n_threads = fn_pool_n_threads(d->pool);
#define FN_PROFILE_NAME(id, text) d->profile[FN_PROFILE_##id].name = text;
  FN_PROFILE_LIST(FN_PROFILE_NAME)
#undef FN_PROFILE_NAME
  return FN_OK;
}

fn_status fn_device_create(fn_device **device_out, const fn_device_options *options, fn_err *err) {
  const fn_device_options defaults = FN_DEVICE_OPTIONS_INIT;
  fn_device *d = fn_mem_calloc(1, sizeof *d);
  if (!d) return fn_err_no_memory(err, "a device");
  fn_status status = device_init(d, options ? options : &defaults, err);
  if (status != FN_OK) {
    fn_device_destroy(d);
    return status;
  }
  *device_out = d;
  return FN_OK;
}

void fn_device_destroy(fn_device *device) {
  if (!device) return;
  if (device->owns_pool) fn_pool_destroy(device->pool);
  free(device->scratch);
  free(device);
}

fn_pool *fn_device_pool(const fn_device *device) {
  return device->pool;
}

fn_backend fn_device_get_backend(const fn_device *device) {
  return device->backend;
}

fn_cpu_level fn_device_get_level(const fn_device *device) {
  return device->level;
}

double fn_device_peak(const fn_device *device) {
  return fn_cpu_peak(device->level, device->backend == FN_BACKEND_INT8);
}

void fn_device_describe(char *buf, size_t size, const fn_device *device) {
  char gemm[64];
  const char *s = device->n_threads == 1 ? "" : "s";
  if (device->backend == FN_BACKEND_INT8) {
    snprintf(buf, size, "int8 %s, %d thread%s", fn_cpu_level_name(device->level), device->n_threads, s);
    return;
  }
  if (device->backend != FN_BACKEND_FAST) {
    snprintf(buf, size, "reference %s, plain C, %d thread%s", device->element_size == 8 ? "f64" : "f32",
             device->n_threads, s);
    return;
  }
  fn_onednn_describe(gemm, sizeof gemm, device->onednn);
  snprintf(buf, size, "fast %s, %s, %d thread%s", fn_cpu_level_name(fn_cpu_level_fp32(device->level)), gemm,
           device->n_threads, s);
}

const fn_ops *fn_device_ops(const fn_device *device) {
  return &device->ops;
}

size_t fn_device_element_size(const fn_device *device) {
  return device->element_size;
}

fn_status fn_device_reserve(fn_device *device, const fn_device_shape *shape, fn_err *err) {
  assert(device->scratch_used == 0);
  size_t needed = device->ops.scratch_bytes(device, shape);
  if (needed <= device->scratch_size) return FN_OK;
  unsigned char *p = fn_mem_slab_raw(needed);
  if (!p) return fn_err_no_memory(err, "scratch memory of the device");
  free(device->scratch);
  device->scratch = p;
  device->scratch_size = needed;
  return FN_OK;
}

void *fn_device_alloc(fn_device *device, size_t n) {
  size_t n_bytes;
  return fn_size_mul(&n_bytes, n, device->element_size) ? fn_mem_slab(n_bytes) : NULL;
}

void *fn_device_alloc_raw(fn_device *device, size_t n) {
  size_t n_bytes;
  return fn_size_mul(&n_bytes, n, device->element_size) ? fn_mem_slab_raw(n_bytes) : NULL;
}

void fn_device_free(fn_device *device, void *x) {
  (void)device;
  free(x);
}

fn_mat fn_mat_make(void *data, size_t n_rows, size_t n_cols) {
  return (fn_mat){data, n_rows, n_cols, n_cols};
}

fn_mat fn_mat_rows(const fn_device *device, fn_mat m, size_t first, size_t n) {
  assert(first + n <= m.n_rows);
  unsigned char *data = m.data;
  return (fn_mat){data ? data + first * m.stride * device->element_size : NULL, n, m.n_cols, m.stride};
}

fn_mat fn_mat_columns(const fn_device *device, fn_mat m, size_t first, size_t n) {
  assert(first + n <= m.n_cols);
  unsigned char *data = m.data;
  return (fn_mat){data ? data + first * device->element_size : NULL, m.n_rows, n, m.stride};
}

void fn_device_profile_enable(fn_device *device, bool on) {
  device->profiling = on;
  for (size_t i = 0; i < FN_PROFILE_COUNT; i++) device->profile[i].calls = device->profile[i].ns = 0;
}

size_t fn_device_profile(const fn_device *device, const fn_profile_entry **entries_out) {
  *entries_out = device->profile;
  return FN_PROFILE_COUNT;
}
