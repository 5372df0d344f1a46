/* Stands for http.c in a static build: libmicrohttpd is loaded at first use, which a static program cannot do. */
#include "serve/http.h"

fn_status fn_http_listen(int *fd_out, const char *host, uint16_t port, fn_err *err) {
  (void)fd_out, (void)host, (void)port;
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "this is the static build for AWS Lambda: it answers the events of a Runtime API "
                    "(AWS_LAMBDA_RUNTIME_API) and no HTTP; the ordinary build does");
}

/* None of the others is reached without a socket of fn_http_listen. */
void fn_http_format_url(char out[128], int fd, bool secure) {
  (void)fd, (void)secure;
  out[0] = '\0';
}
fn_status fn_http_start(fn_http **http_out, fn_server *server, int listen_fd, fn_http_kind kind, fn_err *err) {
  (void)server, (void)listen_fd, (void)kind;
  return fn_http_listen(&(int){0}, NULL, 0, http_out != NULL ? err : NULL);
}
void fn_http_quiesce(fn_http *http) {
  (void)http;
}
size_t fn_http_n_open(const fn_http *http) {
  (void)http;
  return 0;
}
size_t fn_http_n_at_work(const fn_http *http) {
  (void)http;
  return 0;
}
void fn_http_stop(fn_http *http) {
  (void)http;
}
bool fn_http_is_loopback(int fd) {
  (void)fd;
  return true;
}
