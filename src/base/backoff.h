/* How long anything here waits before it tries again: exponential, with "equal jitter" (Brooker 2015, "Exponential
 * Backoff And Jitter", AWS Architecture Blog), so that many that failed together do not come back together. */
#ifndef FN_BASE_BACKOFF_H
#define FN_BASE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds to wait after n_failures ≥ 1 in a row: min(last_s, first_s · 2^(n_failures - 1)) · (½ + ½U), U uniform in
 * [0, 1), and never less than asked_s: what the other side asked for (Retry-After; 0: nothing). How long such a wish is
 * followed is the caller's to bound. Seeded by clock and process: no two calls agree. */
double fn_backoff_s(double first_s, double last_s, int64_t n_failures, double asked_s);

/* Sleeps; asks go_on(arg) ten times a second, and returns false as soon as it does. */
bool fn_backoff_sleep(double seconds, bool (*go_on)(const void *arg), const void *arg);

#endif
