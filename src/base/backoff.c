#include "base/backoff.h"

#include "base/clock.h"
#include "base/rng.h"

#include <math.h>
#include <time.h>
#include <unistd.h>

double fn_backoff_s(double first_s, double last_s, int64_t n_failures, double asked_s) {
  const int n_doubled = n_failures < 1 ? 0 : n_failures > 64 ? 63 : (int)n_failures - 1;
  fn_rng rng = fn_rng_make(fn_clock_ns(), (uint64_t)getpid());
  const double wait_s = fmin(last_s, ldexp(first_s, n_doubled)) * (0.5 + 0.5 * fn_rng_uniform(&rng));
  return fmax(wait_s, asked_s);
}

bool fn_backoff_sleep(double seconds, bool (*go_on)(const void *arg), const void *arg) {
  const uint64_t end = fn_clock_ns() + (uint64_t)(seconds * 1e9);
  for (;;) {
    if (!go_on(arg)) return false;
    const uint64_t now = fn_clock_ns();
    if (now >= end) return true;
    const uint64_t left = end - now;
    const struct timespec slice = {.tv_nsec = left < 100000000 ? (long)left : 100000000};
    nanosleep(&slice, NULL);
  }
}
