/* Threads for requests that wait for a disk, a database or a model to be loaded, so that those that only need a worker
 * never wait behind them. Internal to src/serve. */
#ifndef FN_SERVE_BACKGROUND_H
#define FN_SERVE_BACKGROUND_H

#include "serve/exchange.h"

typedef struct fn_background fn_background;

FN_NODISCARD fn_status fn_background_create(fn_background **background_out, size_t n_threads, size_t max_waiting,
                                            fn_err *err);
/* Runs what waits, then ends the threads. NULL is fine. */
void fn_background_destroy(fn_background *background);

/* work fills in the response on one of the threads, then the exchange is complete. Where too many wait already: 503.
 * To be returned by a route's begin. */
fn_progress fn_exchange_work(fn_exchange *x, void (*work)(fn_exchange *x));

/* Of the server; internal. */
fn_background *fn_server_background(fn_server *server);

#endif
