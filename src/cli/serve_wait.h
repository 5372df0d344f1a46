/* `fakenews serve` between its start and its end: reloads on SIGHUP, and when the model's file is replaced. */
#ifndef FN_CLI_SERVE_WAIT_H
#define FN_CLI_SERVE_WAIT_H

#include "serve/serve.h"

#include <signal.h>

/* Returns the signal that ends the program: SIGTERM or SIGINT, or SIGHUP with a terminal. signals: blocked in all
 * threads. */
int fn_serve_wait(fn_server *server, const sigset_t *signals, bool has_terminal);

#endif
