/* Time. */
#ifndef FN_BASE_CLOCK_H
#define FN_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since an arbitrary start, never going back. */
uint64_t fn_clock_ns(void);
/* Nanoseconds of processor time that all threads of this process have used. */
uint64_t fn_clock_processor_ns(void);
/* Milliseconds since 1970-01-01 UTC. */
int64_t fn_clock_unix_ms(void);
/* "2026-11-22T13:20:37Z" (out[21]) from Unix milliseconds. */
void fn_clock_format(char out[21], int64_t unix_ms);

#endif
