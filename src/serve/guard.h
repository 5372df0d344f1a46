/* What stands before every route: who the client is, whether it may ask, how often, from which pages; and the headers
 * that every answer has. One for each server. */
#ifndef FN_SERVE_GUARD_H
#define FN_SERVE_GUARD_H

#include "serve/auth.h"
#include "serve/serve.h"

typedef struct fn_guard fn_guard;

FN_NODISCARD fn_status fn_guard_create(fn_guard **guard_out, const fn_server_options *options, fn_err *err);
void fn_guard_destroy(fn_guard *guard);
fn_auth *fn_guard_auth(fn_guard *guard);

/* Before the route is looked for: the client's address where a proxy tells it, and answers to OPTIONS. */
fn_progress fn_guard_meet(fn_guard *guard, fn_exchange *x);
/* Once it is found, before the body: key or cookie, role, rate. FN_EXCHANGE_DONE: refused. */
fn_progress fn_guard_admit(fn_guard *guard, fn_exchange *x);
/* With the body: what a page sends must come from a page of ours. */
fn_progress fn_guard_admit_body(fn_guard *guard, fn_exchange *x);
/* Headers against misuse by browsers, into the response; transports call it just before they send. */
void fn_guard_finish(fn_guard *guard, fn_exchange *x);

typedef struct fn_guard_stats {
  uint64_t n_unauthorized, n_forbidden, n_limited, n_cross_site;
} fn_guard_stats;
void fn_guard_get_stats(fn_guard_stats *stats_out, fn_guard *guard);

fn_guard *fn_server_guard(const fn_server *server);

#endif
