#include "tensor/options.h"

static const fn_option options[] = {
    {"device.backend", FN_OPTION_ENUM, offsetof(fn_tensor_options, backend), "fast", "fast|reference", false, false,
     "Kernels: `fast` is vectorised for this CPU, `reference` is plain C and many times slower."},
    {"device.threads", FN_OPTION_INT, offsetof(fn_tensor_options, n_threads), "0", "[0,1024]", false, false,
     "Worker threads; 0 takes every processor this process may use. Results do not depend on it."},
    {"device.gemm", FN_OPTION_ENUM, offsetof(fn_tensor_options, gemm), "auto", "auto|own|onednn", false, false,
     "Who multiplies matrices on the fast backend. `auto` is `own`."},
    {"device.cpu_level", FN_OPTION_ENUM, offsetof(fn_tensor_options, cpu_level), "amx",
     "c|avx2|avxvnni|avx512|avx512vnni|amx", false, false,
     "Highest instruction set to use; levels that the machine lacks are never used."},
};

const fn_option_table fn_tensor_option_table = {
    .title = "Device",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_tensor_options),
};

fn_device_options fn_tensor_options_device(const fn_tensor_options *o) {
  return (fn_device_options){
      .backend = (fn_backend)o->backend,
      .gemm = (fn_gemm)o->gemm,
      .max_level = (fn_cpu_level)o->cpu_level,
      .n_threads = (int)o->n_threads,
  };
}
