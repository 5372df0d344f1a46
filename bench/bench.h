/* What the measuring programs do with errors: they end. */
#ifndef FN_BENCH_H
#define FN_BENCH_H

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

static inline void *need(void *p) {
  if (p) return p;
  fprintf(stderr, "out of memory\n");
  exit(1);
}

static inline void check(fn_status status, const fn_err *err) {
  if (status == FN_OK) return;
  fprintf(stderr, "%s\n", err->message);
  exit(fn_status_exit_code(status));
}

#endif
