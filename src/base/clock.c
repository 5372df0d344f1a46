#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t fn_clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t fn_clock_processor_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int64_t fn_clock_unix_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void fn_clock_format(char out[21], int64_t unix_ms) {
  time_t seconds = (time_t)(unix_ms / 1000);
  struct tm tm;
  if (!gmtime_r(&seconds, &tm) || strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &tm) != 20)
    memcpy(out, "1970-01-01T00:00:00Z", 21);
}
