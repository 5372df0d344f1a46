#include "tensor/cpu/onednn.h"

#include "base/library.h"

#include <pthread.h>
#include <stdio.h>

/* The leading members of dnnl_version_t (oneapi/dnnl/dnnl_types.h), which are part of its ABI. */
typedef struct version {
  int major, minor, patch;
} version;

/* What the library is asked for. Symbols of the libraries it depends on are found through its handle: libgomp's among
 * them. */
typedef struct functions {
  __typeof__(((fn_onednn *)0)->sgemm) sgemm;
  __typeof__(((fn_onednn *)0)->omp_set_num_threads) omp_set_num_threads;
  const version *(*version_of)(void);
} functions;

/* Written once under pthread_once, read-only afterwards. */
static fn_onednn library;
static fn_err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  static const char *const names[] = {"libdnnl.so.2", NULL};
  static const fn_symbol symbols[] = {
      {"dnnl_sgemm", offsetof(functions, sgemm)},
      {"omp_set_num_threads", offsetof(functions, omp_set_num_threads)},
      {"dnnl_version", offsetof(functions, version_of)},
  };
  functions f = {0};
  if (fn_library_load(&f, names, symbols, FN_COUNT_OF(symbols), "libdnnl2", &failure) != FN_OK) return;
  const version *v = f.version_of();
  library = (fn_onednn){f.sgemm, f.omp_set_num_threads, v->major, v->minor, v->patch};
}

fn_status fn_onednn_get(const fn_onednn **onednn_out, fn_err *err) {
  pthread_once(&once, load);
  if (failure.status != FN_OK)
    return fn_err_set(err, FN_E_UNSUPPORTED, "device.gemm=onednn: %s; device.gemm=own needs no library",
                      failure.message);
  *onednn_out = &library;
  return FN_OK;
}

void fn_onednn_describe(char *buf, size_t size, const fn_onednn *onednn) {
  if (onednn)
    snprintf(buf, size, "oneDNN %d.%d.%d", onednn->major, onednn->minor, onednn->patch);
  else
    snprintf(buf, size, "own GEMM");
}
