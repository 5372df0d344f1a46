#include "track/run_clock.h"

#include <time.h>

static int64_t ticks_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t); /* CLOCK_MONOTONIC stands still while a laptop sleeps */
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

fn_run_clock fn_run_clock_make(int64_t least_ms) {
  const int64_t now = fn_clock_unix_ms();
  return (fn_run_clock){now > least_ms ? now : least_ms, ticks_ms()};
}

int64_t fn_run_clock_ms(const fn_run_clock *clock) {
  return clock->set_ms + ticks_ms() - clock->set_ticks_ms;
}
