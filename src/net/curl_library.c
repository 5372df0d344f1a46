#include "net/curl_library.h"

#include "base/library.h"

#include <pthread.h>

/* Written once under pthread_once, read-only afterwards. */
static fn_curl library;
static fn_err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  static const char *const names[] = {"libcurl.so.4", NULL};
  static const fn_symbol symbols[] = {
#define SYMBOL(member) {"curl_" #member, offsetof(fn_curl, member)},
      FN_CURL_FUNCTIONS(SYMBOL)
#undef SYMBOL
  };
  if (fn_library_load(&library, names, symbols, FN_COUNT_OF(symbols), "libcurl4", &failure) != FN_OK) return;
  CURLcode code = library.global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) (void)fn_err_set(&failure, FN_E_INTERNAL, "libcurl: %s", library.easy_strerror(code));
}

fn_status fn_curl_get(const fn_curl **curl_out, fn_err *err) {
  pthread_once(&once, load);
  if (failure.status != FN_OK) return fn_err_set(err, failure.status, "network: %s", failure.message);
  *curl_out = &library;
  return FN_OK;
}
