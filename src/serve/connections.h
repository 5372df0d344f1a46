/* Time limits of connections that libmicrohttpd does not have: its own counts from the last byte, so that a client
 * which sends or takes one byte now and then would hold a connection for ever. And clients that leave in the middle of
 * a body, which it may miss. Internal to src/serve. */
#ifndef FN_SERVE_CONNECTIONS_H
#define FN_SERVE_CONNECTIONS_H

#include "base/base.h"

/* What a connection is at, and how long that may take. */
typedef enum fn_connection_phase {
  FN_CONNECTION_WAITS,   /* for a whole head: idle_s */
  FN_CONNECTION_READS,   /* a body: request_s, and a second more for each FN_CONNECTION_RATE bytes */
  FN_CONNECTION_WORKS,   /* the answer is being made: no limit of ours */
  FN_CONNECTION_ANSWERS, /* request_s, and a second more for each FN_CONNECTION_RATE bytes of the answer */
} fn_connection_phase;
enum { FN_CONNECTION_RATE = 16 << 10 };

typedef struct fn_connection fn_connection;
typedef struct fn_connections fn_connections; /* all of a transport; any thread */

/* Starts the thread that looks at the clock. */
FN_NODISCARD fn_status fn_connections_create(fn_connections **connections_out, int64_t idle_s, int64_t request_s,
                                             fn_err *err);
/* After the last of them was removed. NULL is fine. */
void fn_connections_destroy(fn_connections *all);
/* plain: a few bytes may be written to fd while nothing was answered yet (no TLS). fd stays the caller's, open until
 * the connection is removed. NULL when memory is short: it has no limit then but the library's. */
fn_connection *fn_connections_add(fn_connections *all, int fd, bool plain);
void fn_connections_remove(fn_connections *all, fn_connection *connection);

/* The limit counts from the change of phase; a further call in the same phase only tells of more bytes. connection NULL
 * does nothing. */
void fn_connection_set(fn_connections *all, fn_connection *connection, fn_connection_phase phase, uint64_t n_bytes);
/* Whether its time ran out: the socket was shut down then, after 408 where a request had begun and nothing else was
 * sent. */
bool fn_connection_is_late(fn_connections *connections, const fn_connection *connection);

#endif
