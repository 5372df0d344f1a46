/* The server over HTTP/1.1, by libmicrohttpd; what that library lets through and must not be is refused here. */
#ifndef FN_SERVE_HTTP_H
#define FN_SERVE_HTTP_H

#include "serve/serve.h"

typedef struct fn_http fn_http;

/* A socket that listens; host NULL: 127.0.0.1. FN_E_IO says who has the port already. */
FN_NODISCARD fn_status fn_http_listen(int *fd_out, const char *host, uint16_t port, fn_err *err);
/* "http://127.0.0.1:8080" of a listening socket. */
void fn_http_format_url(char out[128], int fd, bool secure);

/* Whether only this machine can reach it. */
bool fn_http_is_loopback(int fd);

typedef enum fn_http_kind {
  FN_HTTP_ALL,       /* over TLS where serve.tls_cert is set */
  FN_HTTP_OPERATION, /* health and metrics alone, in the clear: serve.metrics_port */
} fn_http_kind;

/* Serves from now on, on threads of its own; takes the socket over, also on failure. */
FN_NODISCARD fn_status fn_http_start(fn_http **http_out, fn_server *server, int listen_fd, fn_http_kind kind,
                                     fn_err *err);
/* Accepts no more connections. */
void fn_http_quiesce(fn_http *http);
/* Requests whose answer is not sent yet; of these, those that are at work (a client may be slow at either end). */
size_t fn_http_n_open(const fn_http *http);
size_t fn_http_n_at_work(const fn_http *http);
/* Ends it, and connections with it. Only while fn_http_n_at_work is 0 and stays so. */
void fn_http_stop(fn_http *http);

#endif
