/* How `fakenews serve` ends: asked by a signal, within a time, whatever its clients do. */
#ifndef FN_CLI_SERVE_STOP_H
#define FN_CLI_SERVE_STOP_H

#include "serve/http.h"

#include <signal.h>

typedef enum fn_serve_end {
  FN_SERVE_ENDED, /* every request is answered or its connection may be cut: fn_http_stop returns at once */
  FN_SERVE_STUCK, /* a worker is still at a batch: nothing may be taken apart, the process has to end */
  FN_SERVE_URGED, /* a second signal of `set` came; the same holds */
} fn_serve_end;

/* After the first signal. /readyz says 503 from now on; serve.drain_delay_s later no connection is accepted any more;
 * shortly before serve.shutdown_timeout_s is over, what no worker has begun is answered with 503. Returns as soon as
 * every answer is sent. set: blocked signals; which one came in *urged_by_out. */
fn_serve_end fn_serve_drain(int *urged_by_out, fn_server *server, fn_http *http, const sigset_t *set);

#endif
