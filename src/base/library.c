#include "base/library.h"

#ifdef FN_STATIC

fn_status fn_library_load(void *functions_out, const char *const *names, const fn_symbol *symbols, size_t n_symbols,
                          const char *package, fn_err *err) {
  (void)functions_out, (void)symbols, (void)n_symbols, (void)package;
  return fn_err_set(err, FN_E_UNSUPPORTED, "%s cannot be loaded: this is a static build, which loads no libraries",
                    names[0]);
}

#else

#include <dlfcn.h>
#include <string.h>

fn_status fn_library_load(void *functions_out, const char *const *names, const fn_symbol *symbols, size_t n_symbols,
                          const char *package, fn_err *err) {
  void *handle = NULL;
  for (size_t i = 0; names[i] && !handle; i++) handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *why = dlerror();
    return fn_err_set(err, FN_E_UNSUPPORTED, "%.300s (Debian package %s)", why ? why : names[0], package);
  }
  for (size_t i = 0; i < n_symbols; i++) {
    if (dlsym(handle, symbols[i].name)) continue;
    dlclose(handle);
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s lacks %s (Debian package %s has it)", names[0], symbols[i].name,
                      package);
  }
  /* dlsym returns an object pointer; POSIX says that its bytes are those of the function pointer. */
  for (size_t i = 0; i < n_symbols; i++) {
    void *p = dlsym(handle, symbols[i].name);
    memcpy((char *)functions_out + symbols[i].offset, &p, sizeof p);
  }
  return FN_OK;
}

#endif
