#include "serve/microhttpd_library.h"

#include "base/library.h"

#include <pthread.h>

/* Written once under pthread_once, read-only afterwards. */
static fn_microhttpd library;
static fn_err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  static const char *const names[] = {"libmicrohttpd.so.12", NULL};
  static const fn_symbol symbols[] = {
#define SYMBOL(member) {"MHD_" #member, offsetof(fn_microhttpd, member)},
      FN_MICROHTTPD_FUNCTIONS(SYMBOL)
#undef SYMBOL
  };
  failure.status = fn_library_load(&library, names, symbols, FN_COUNT_OF(symbols), "libmicrohttpd12", &failure);
}

fn_status fn_microhttpd_get(const fn_microhttpd **library_out, fn_err *err) {
  pthread_once(&once, load);
  if (failure.status != FN_OK) return fn_err_set(err, failure.status, "serving HTTP: %s", failure.message);
  *library_out = &library;
  return FN_OK;
}
