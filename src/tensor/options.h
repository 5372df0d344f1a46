/* Settings of src/tensor: device.*. */
#ifndef FN_TENSOR_OPTIONS_H
#define FN_TENSOR_OPTIONS_H

#include "config/config.h"
#include "tensor/device.h"

typedef struct fn_tensor_options {
  int backend, gemm, cpu_level; /* as fn_backend, fn_gemm, fn_cpu_level */
  int64_t n_threads;            /* 0: all that this process may use */
} fn_tensor_options;

extern const fn_option_table fn_tensor_option_table;

/* The same as options of fn_device_create. */
fn_device_options fn_tensor_options_device(const fn_tensor_options *options);

#endif
