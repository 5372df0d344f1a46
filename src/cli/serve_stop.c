#include "cli/serve_stop.h"

#include <time.h>

/* Kept from the time that is left for 503s, for the batch that is at work, and for taking everything apart. */
static uint64_t reserve_ns(uint64_t timeout_ns) {
  const uint64_t quarter = timeout_ns / 4;
  return quarter < 500000000u ? quarter : 500000000u;
}

/* Waits a moment; true: a signal came meanwhile. */
static bool pause_for(int *signal_out, const sigset_t *set) {
  const struct timespec tick = {0, 10 * 1000000};
  const int n = sigtimedwait(set, NULL, &tick);
  if (n > 0) *signal_out = n;
  return n > 0;
}

fn_serve_end fn_serve_drain(int *urged_by_out, fn_server *server, fn_http *http, const sigset_t *set) {
  const fn_serve_options *o = fn_server_get_options(server)->serve;
  const uint64_t begin = fn_clock_ns(), timeout = (uint64_t)o->shutdown_timeout_s * 1000000000u;
  const uint64_t quiet = begin + (uint64_t)o->drain_delay_s * 1000000000u;
  const uint64_t end = begin + timeout - reserve_ns(timeout) / 2, cut = begin + timeout - reserve_ns(timeout);
  bool closed = false;
  fn_server_drain(server);
  while (fn_clock_ns() < cut) {
    if (!closed && fn_clock_ns() >= quiet) {
      fn_http_quiesce(http);
      closed = true;
    }
    if (closed && fn_http_n_open(http) == 0) break;
    if (pause_for(urged_by_out, set)) return FN_SERVE_URGED;
  }
  if (!closed) fn_http_quiesce(http);
  fn_server_cancel(server); /* connections that stay open may still bring requests: these are refused */
  while (fn_clock_ns() < end && fn_http_n_open(http) > 0) {
    if (pause_for(urged_by_out, set)) return FN_SERVE_URGED;
  }
  return fn_http_n_at_work(http) == 0 ? FN_SERVE_ENDED : FN_SERVE_STUCK;
}
