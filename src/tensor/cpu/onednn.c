#include "tensor/cpu/onednn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* The leading members of dnnl_version_t (oneapi/dnnl/dnnl_types.h), which are part of its ABI. */
typedef struct version {
  int major, minor, patch;
} version;

/* Written once under pthread_once, read-only afterwards. */
static fn_onednn library;
static char failure[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* dlsym returns an object pointer; POSIX says that its bytes are those of the function pointer. */
static bool find(void *function_out, void *handle, const char *name) {
  void *p = dlsym(handle, name);
  if (p) memcpy(function_out, &p, sizeof p);
  return p != NULL;
}

static void load(void) {
  void *handle = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *why = dlerror();
    snprintf(failure, sizeof failure, "%s", why ? why : "libdnnl.so.2 cannot be loaded");
    return;
  }
  const version *(*version_of)(void) = NULL;
  /* Symbols of the libraries it depends on are found through its handle: libgomp's among them. */
  if (!find(&library.sgemm, handle, "dnnl_sgemm") || !find(&version_of, handle, "dnnl_version") ||
      !find(&library.omp_set_num_threads, handle, "omp_set_num_threads")) {
    snprintf(failure, sizeof failure, "libdnnl.so.2 lacks dnnl_sgemm, dnnl_version or omp_set_num_threads");
    dlclose(handle);
    return;
  }
  const version *v = version_of();
  library.major = v->major;
  library.minor = v->minor;
  library.patch = v->patch;
}

fn_status fn_onednn_get(const fn_onednn **onednn_out, fn_err *err) {
  pthread_once(&once, load);
  if (failure[0])
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "device.gemm=onednn: %s (Debian package libdnnl2; device.gemm=own needs no library)", failure);
  *onednn_out = &library;
  return FN_OK;
}

void fn_onednn_describe(char *buf, size_t size, const fn_onednn *onednn) {
  if (onednn)
    snprintf(buf, size, "oneDNN %d.%d.%d", onednn->major, onednn->minor, onednn->patch);
  else
    snprintf(buf, size, "own GEMM");
}
