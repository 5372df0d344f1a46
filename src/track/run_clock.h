/* The clock of a run: set once, at its start. */
#ifndef FN_TRACK_RUN_CLOCK_H
#define FN_TRACK_RUN_CLOCK_H

#include "base/base.h"

/* Unix milliseconds that count on whatever is done to the machine's clock meanwhile, also while the machine sleeps.
 * Read by any thread. */
typedef struct fn_run_clock {
  int64_t set_ms, set_ticks_ms;
} fn_run_clock;
/* Set to the machine's time now, or to `least_ms` where that is later. */
fn_run_clock fn_run_clock_make(int64_t least_ms);
int64_t fn_run_clock_ms(const fn_run_clock *clock);

#endif
