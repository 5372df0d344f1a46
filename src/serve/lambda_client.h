/* HTTP/1.1 to the Runtime API of AWS Lambda: one kept connection to an address of this machine. No names are resolved,
 * no proxy, no TLS: the API has none of these (docs/decisions/0020). Internal to src/serve. */
#ifndef FN_SERVE_LAMBDA_CLIENT_H
#define FN_SERVE_LAMBDA_CLIENT_H

#include "base/base.h"

#include <sys/socket.h>

/* Events have at most 6 MiB; escaped control characters are no reason for more than twice that. */
enum { FN_LAMBDA_MAX_EVENT = 16 << 20, FN_LAMBDA_MAX_HEAD = 64 << 10 };

typedef struct fn_lambda_client {
  struct sockaddr_storage address;
  socklen_t address_length;
  char host[80]; /* as in AWS_LAMBDA_RUNTIME_API */
  int fd;        /* -1: not connected */
  int stop_fd;   /* readable: give up; -1: none */
} fn_lambda_client;

/* An answer of the API. Memory is kept for the next. */
typedef struct fn_lambda_reply {
  int status;
  fn_buf head; /* lines, each ending in "\r\n", without the first and the empty one */
  fn_buf body;
} fn_lambda_reply;

/* api: "127.0.0.1:9001", "localhost:9001" or "[::1]:9001"; anything else is FN_E_INVALID. */
FN_NODISCARD fn_status fn_lambda_client_init(fn_lambda_client *client, const char *api, int stop_fd, fn_err *err);
void fn_lambda_client_deinit(fn_lambda_client *client);
void fn_lambda_reply_init(fn_lambda_reply *reply);
void fn_lambda_reply_deinit(fn_lambda_reply *reply);

/* One request, without a limit of time (a sandbox is frozen while it waits). path begins behind "/2018-06-01"; headers:
 * whole lines, or "". A kept connection that turns out to be closed is opened again once. FN_E_CANCELLED: stop_fd
 * became readable. FN_E_IO: the API cannot be reached; FN_E_INVALID: what it says is no HTTP. */
FN_NODISCARD fn_status fn_lambda_client_call(fn_lambda_reply *reply, fn_lambda_client *client, const char *method,
                                             const char *path, const char *headers, fn_str body, fn_err *err);
/* Value of a header, trimmed; data NULL: there is none. */
fn_str fn_lambda_reply_header(const fn_lambda_reply *reply, const char *name);

/* How long a body is, from a head as read ("HTTP/1.1 200 OK\r\nName: value\r\n…\r\n\r\n"); for tests. */
typedef struct fn_lambda_framing {
  int status;
  bool chunked, closes, has_length;
  size_t length;
  size_t lines; /* where the header lines begin */
} fn_lambda_framing;
FN_NODISCARD fn_status fn_lambda_framing_parse(fn_lambda_framing *out, fn_str head, fn_err *err);

#endif
