#define _GNU_SOURCE /* POLLRDHUP */
#include "serve/http.h"

#include "serve/connections.h"
#include "serve/guard.h"
#include "serve/http_request.h"
#include "serve/microhttpd_library.h"
#include "serve/proxy.h"
#include "serve/route.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct fn_http {
  const fn_microhttpd *mhd;
  fn_server *server;
  struct MHD_Daemon *daemon;
  fn_connections *connections;
  int listen_fd;
  int closed_fd; /* of a listening socket that was given up, its number kept; 0: none */
  atomic_size_t n_open, n_at_work;
  fn_http_kind kind;
  bool secure;       /* TLS */
  bool knows_layout; /* of heads in the library's memory */
};

/* Where an exchange stands between libmicrohttpd's thread and the one that completes it. */
enum { RUNNING, SUSPENDED, ROOM /* for more of an upload */, COMPLETE };

/* One request on a connection. */
typedef struct call {
  fn_exchange exchange;
  fn_http *http;
  struct MHD_Connection *connection;
  fn_connection *limits; /* NULL: none */
  int fd;
  atomic_int state;
  bool begun;            /* headers were looked at */
  bool is_upload, ended; /* the body goes to the route in pieces; all of it has come */
  bool answered;
  bool closes; /* the connection, after the answer */
  bool body_too_large;
  fn_buf body;
  size_t n_target; /* bytes of the request's target as it came */
  uint64_t n_received;
} call;

/* ---- sockets */

fn_status fn_http_listen(int *fd_out, const char *host, uint16_t port, fn_err *err) {
  char service[8];
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
  snprintf(service, sizeof service, "%u", (unsigned)port);
  const int failed = getaddrinfo(host != NULL ? host : "127.0.0.1", service, &hints, &list);
  if (failed != 0)
    return fn_err_set(err, FN_E_INVALID, "serve.host: %s: %s", host != NULL ? host : "127.0.0.1", gai_strerror(failed));
  int fd = -1, error = 0;
  for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
    const int one = 1;
    fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd >= 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 1024) == 0) break;
    error = errno;
    if (fd >= 0) close(fd);
    fd = -1;
  }
  freeaddrinfo(list);
  if (fd < 0) {
    return fn_err_errno(err, error, "cannot listen at %s:%u (serve.host, serve.port, serve.metrics_port)",
                        host != NULL ? host : "127.0.0.1", (unsigned)port);
  }
  *fd_out = fd;
  return FN_OK;
}

static void format_address(char *out, size_t size, const struct sockaddr *address, socklen_t length, char *service,
                           size_t service_size) {
  if (getnameinfo(address, length, out, (socklen_t)size, service, (socklen_t)service_size,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    snprintf(out, size, "unknown");
}

void fn_http_format_url(char out[128], int fd, bool secure) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  char host[80] = "", service[8] = "";
  if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
    format_address(host, sizeof host, (struct sockaddr *)&address, length, service, sizeof service);
  const bool six = address.ss_family == AF_INET6;
  snprintf(out, 128, "%s://%s%s%s:%s", secure ? "https" : "http", six ? "[" : "", host, six ? "]" : "", service);
}

bool fn_http_is_loopback(int fd) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  char host[80] = "", service[8] = "";
  fn_address parsed;
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return false;
  if (address.ss_family == AF_UNIX) return true;
  format_address(host, sizeof host, (struct sockaddr *)&address, length, service, sizeof service);
  return fn_address_parse(&parsed, fn_str_from(host)) && fn_address_is_loopback(&parsed);
}

/* ---- the two threads of an exchange */

/* Uploads: the connection is counted as at work while it is suspended, by whoever suspends and resumes it. */
static void resume(call *c, int state) {
  fn_http *http = c->http;
  if (atomic_exchange(&c->state, state) != SUSPENDED) return;
  http->mhd->resume_connection(c->connection);
  atomic_fetch_sub(&http->n_at_work, 1);
}

static void on_room(fn_exchange *x) {
  resume(x->transport, ROOM);
}

static void complete(fn_exchange *x) {
  call *c = x->transport;
  fn_http *http = c->http;
  if (c->is_upload) {
    resume(c, COMPLETE);
    return;
  }
  if (atomic_exchange(&c->state, COMPLETE) == SUSPENDED) http->mhd->resume_connection(c->connection);
  atomic_fetch_sub(&http->n_at_work, 1); /* the last that is done: whoever reads 0 may end the library */
}

/* libmicrohttpd does not watch sockets of suspended connections. A client that has shut down its sending half counts as
 * gone, as with other servers: it cannot be told from one that left. */
static bool is_gone(const fn_exchange *x) {
  const call *c = x->transport;
  struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
  return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* Begins the exchange and suspends the connection until it is complete, which may already be so. */
static fn_progress begin(call *c) {
  atomic_store(&c->state, RUNNING);
  atomic_fetch_add(&c->http->n_at_work, 1);
  if (fn_exchange_begin(&c->exchange) == FN_EXCHANGE_DONE) {
    atomic_fetch_sub(&c->http->n_at_work, 1);
    return FN_EXCHANGE_DONE;
  }
  fn_connection_set(c->http->connections, c->limits, FN_CONNECTION_WORKS, 0);
  c->http->mhd->suspend_connection(c->connection);
  int expected = RUNNING;
  if (!atomic_compare_exchange_strong(&c->state, &expected, SUSPENDED)) c->http->mhd->resume_connection(c->connection);
  return FN_EXCHANGE_PENDING;
}

/* ---- answers */

static struct MHD_Response *make_response(call *c) {
  const fn_microhttpd *mhd = c->http->mhd;
  fn_response *r = &c->exchange.response;
  if (r->fd >= 0) {
    const int fd = r->fd;
    r->fd = -1;
    return mhd->create_response_from_fd64(r->fd_bytes, fd);
  }
  char *data = r->body.data; /* handed over, freed by the library */
  const size_t length = r->body.length;
  r->body.data = NULL;
  fn_buf_init(&r->body, 0);
  return mhd->create_response_from_buffer_with_free_callback(length, data, free);
}

static void add_headers(struct MHD_Response *response, const call *c) {
  const fn_microhttpd *mhd = c->http->mhd;
  const fn_response *r = &c->exchange.response;
  if (r->content_type != NULL) (void)mhd->add_response_header(response, "Content-Type", r->content_type);
  (void)mhd->add_response_header(response, "X-Request-Id", c->exchange.request.id);
  if (r->closes || c->closes || fn_server_is_draining(c->http->server))
    (void)mhd->add_response_header(response, "Connection", "close");
  fn_str rest = fn_buf_str(&r->headers);
  while (rest.length > 0) { /* "Name: value\r\n" */
    char line[4096];
    const char *end = memchr(rest.data, '\r', rest.length);
    const size_t length = end != NULL ? (size_t)(end - rest.data) : rest.length;
    snprintf(line, sizeof line, "%.*s", (int)length, rest.data);
    char *colon = strchr(line, ':');
    if (colon != NULL) {
      *colon = '\0';
      (void)mhd->add_response_header(response, line, colon + 2);
    }
    const size_t used = length + 2 < rest.length ? length + 2 : rest.length;
    rest = fn_str_make(rest.data + used, rest.length - used);
  }
}

static enum MHD_Result answer(call *c) {
  const fn_microhttpd *mhd = c->http->mhd;
  const uint64_t length =
      c->exchange.response.fd >= 0 ? c->exchange.response.fd_bytes : c->exchange.response.body.length;
  fn_guard_finish(fn_server_guard(c->http->server), &c->exchange);
  struct MHD_Response *response = make_response(c);
  if (response == NULL) return MHD_NO;
  add_headers(response, c);
  c->answered = true;
  fn_connection_set(c->http->connections, c->limits, FN_CONNECTION_ANSWERS, length);
  const enum MHD_Result result = mhd->queue_response(c->connection, (unsigned)c->exchange.response.status, response);
  mhd->destroy_response(response);
  fn_exchange_finish(&c->exchange, c->n_received, length);
  return result;
}

/* ---- requests */

/* The raw target, before the library takes it apart. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection) {
  fn_http *http = arg;
  call *c = fn_mem_calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->http = http;
  c->connection = connection;
  c->fd = http->mhd->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  c->limits = http->mhd->get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
  fn_exchange_init(&c->exchange, http->server);
  c->exchange.transport = c;
  c->exchange.request.is_secure = http->secure;
  c->exchange.operation_only = http->kind == FN_HTTP_OPERATION;
  c->exchange.complete = complete;
  c->exchange.is_gone = is_gone;
  c->exchange.resume = on_room;
  fn_buf_init(&c->body, (size_t)fn_server_get_options(http->server)->serve->max_body_bytes);
  fn_exchange_count(&c->exchange);
  atomic_fetch_add(&http->n_open, 1);
  c->n_target = strlen(target);
  fn_http_read_target(&c->exchange, target);
  return c;
}

/* The library refused the request's head or its chunks by an answer of its own, the client left, or took too long. */
static void fail_unanswered(call *c) {
  fn_exchange *x = &c->exchange;
  const union MHD_ConnectionInfo *info =
      c->http->mhd->get_connection_info(c->connection, MHD_CONNECTION_INFO_HTTP_STATUS);
  if (fn_connection_is_late(c->http->connections, c->limits))
    (void)fn_exchange_fail(x, 408, "request_timeout", "the request was not whole in time (serve.request_timeout_s)");
  else if (info != NULL)
    (void)fn_exchange_fail(x, 400, "malformed", "the request's head or the chunks of its body are not HTTP/1.1");
  else
    (void)fn_exchange_fail(x, 499, "client_gone", "the request ended before it was whole");
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why) {
  (void)arg, (void)connection, (void)why;
  call *c = *context;
  if (c == NULL) return;
  if (!c->answered) {
    fail_unanswered(c);
    fn_exchange_finish(&c->exchange, c->n_received, 0);
  }
  atomic_fetch_sub(&c->http->n_open, 1);
  fn_connection_set(c->http->connections, c->limits, FN_CONNECTION_WAITS, 0);
  fn_buf_deinit(&c->body);
  fn_exchange_deinit(&c->exchange);
  free(c);
  *context = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode why) {
  fn_http *http = arg;
  if (why == MHD_CONNECTION_NOTIFY_STARTED) {
    const int fd = http->mhd->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *context = fn_connections_add(http->connections, fd, !http->secure);
    fn_server_count_connection(http->server, 1);
  } else {
    fn_server_count_connection(http->server, -1);
    fn_connections_remove(http->connections, *context);
    *context = NULL;
  }
}

typedef struct headers {
  fn_exchange *exchange;
  fn_field *fields;
  size_t n, capacity;
  bool failed;
} headers;

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_length,
                                 const char *value, size_t value_length) {
  (void)kind;
  headers *h = arg;
  if (h->n == h->capacity) return h->failed = true, MHD_NO;
  h->fields[h->n++] = (fn_field){fn_str_make(key, key_length), fn_str_make(value != NULL ? value : "", value_length)};
  return MHD_YES;
}

static enum MHD_Result count_header(void *arg, enum MHD_ValueKind kind, const char *key, const char *value) {
  (void)kind, (void)key, (void)value;
  ++*(size_t *)arg;
  return MHD_YES;
}

static void read_peer(call *c) {
  const union MHD_ConnectionInfo *info =
      c->http->mhd->get_connection_info(c->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  char service[8];
  if (info == NULL || info->client_addr == NULL) return;
  const socklen_t length =
      info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  format_address(c->exchange.request.client, sizeof c->exchange.request.client, info->client_addr, length, service,
                 sizeof service);
}

/* The library's view of the headers: the memory is the connection's and lives as long as the request. */
static bool read_headers(call *c) {
  struct MHD_Connection *connection = c->connection;
  fn_request *r = &c->exchange.request;
  size_t n = 0;
  (void)c->http->mhd->get_connection_values(connection, MHD_HEADER_KIND, count_header, &n);
  headers h = {.exchange = &c->exchange, .capacity = n};
  h.fields = fn_arena_alloc(&c->exchange.arena, n + 1, sizeof *h.fields);
  if (h.fields == NULL) return false;
  (void)c->http->mhd->get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &h);
  r->headers = h.fields;
  r->n_headers = h.n;
  return !h.failed;
}

/* What can be refused before the body comes. */
static fn_progress look_at_headers(call *c, const char *method, const char *version) {
  fn_exchange *x = &c->exchange;
  c->closes = true; /* when it is refused: whatever body follows is not read */
  if (!read_headers(c)) return fn_exchange_no_memory(x);
  read_peer(c);
  fn_http_read_method(&x->request, method);
  fn_http_choose_id(x);
  if (x->response.status != 0) return FN_EXCHANGE_DONE; /* the target was refused */
  uint64_t length = 0;
  if (c->http->knows_layout) {
    const size_t n =
        c->http->mhd->get_connection_info(c->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    if (!fn_http_head_is_exact(fn_str_make(method, n), c->n_target))
      return fn_exchange_fail(x, 400, "malformed", "the request's head is not HTTP/1.1, byte by byte (RFC 9112)");
  }
  if (fn_http_check(&length, x, version) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  /* The library takes line breaks between chunks that others read in another way; what is thought to follow such a body
   * is never answered. */
  const bool chunked = fn_request_header(&x->request, "Transfer-Encoding").data != NULL;
  c->closes = chunked || length > 0;
  if (fn_exchange_route(x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  const fn_serve_options *o = fn_server_get_options(x->server)->serve;
  const uint64_t max = (uint64_t)(x->route->body == FN_BODY_UPLOAD ? o->max_upload_bytes : o->max_body_bytes);
  if (length > max) {
    return fn_exchange_fail(x, 413, "too_large", "the body has %llu bytes; at most %llu are taken (%s)",
                            (unsigned long long)length, (unsigned long long)max,
                            x->route->body == FN_BODY_UPLOAD ? "serve.max_upload_bytes" : "serve.max_body_bytes");
  }
  c->closes = chunked;
  return FN_EXCHANGE_PENDING;
}

/* What comes after a body that was too long is thrown away, so that the client can still read why; but not for ever. */
static enum MHD_Result take_body(call *c, const char *data, size_t *length) {
  const uint64_t max = (uint64_t)fn_server_get_options(c->http->server)->serve->max_body_bytes;
  c->n_received += *length;
  if (c->n_received > max) c->body_too_large = true;
  if (c->body_too_large && c->n_received > max + (16 << 20)) return MHD_NO;
  if (!c->body_too_large) fn_buf_append(&c->body, data, *length);
  fn_connection_set(c->http->connections, c->limits, FN_CONNECTION_READS, c->n_received);
  *length = 0;
  return MHD_YES;
}

/* ---- uploads */

/* From now on the state says whether something happened since; false: the answer is there already. */
static bool start_running(call *c) {
  int state = atomic_load(&c->state);
  while (state != COMPLETE && !atomic_compare_exchange_weak(&c->state, &state, RUNNING)) continue;
  return state != COMPLETE;
}

/* Suspends the connection, unless there was room or an answer meanwhile. */
static enum MHD_Result suspend(call *c) {
  int expected = RUNNING;
  fn_connection_set(c->http->connections, c->limits, FN_CONNECTION_WORKS, 0);
  atomic_fetch_add(&c->http->n_at_work, 1);
  c->http->mhd->suspend_connection(c->connection);
  if (atomic_compare_exchange_strong(&c->state, &expected, SUSPENDED)) return MHD_YES;
  c->http->mhd->resume_connection(c->connection);
  atomic_fetch_sub(&c->http->n_at_work, 1);
  return MHD_YES;
}

static fn_progress begin_upload(call *c) {
  c->is_upload = true;
  return fn_exchange_begin(&c->exchange);
}

static enum MHD_Result take_piece(call *c, const char *data, size_t *length) {
  const uint64_t max = (uint64_t)fn_server_get_options(c->http->server)->serve->max_upload_bytes;
  size_t n = *length;
  if (c->n_received + n > max) c->body_too_large = true;
  if (c->body_too_large) {
    c->n_received += n;
    *length = 0;
    return c->n_received > max + (16 << 20) ? MHD_NO : MHD_YES;
  }
  (void)start_running(c);
  (void)c->exchange.route->receive(&c->exchange, data, n, &n);
  c->n_received += n;
  *length -= n;
  if (*length > 0) return suspend(c);
  fn_connection_set(c->http->connections, c->limits, FN_CONNECTION_READS, c->n_received);
  return MHD_YES;
}

/* Called at the body's end, and again whenever the connection was resumed. */
static enum MHD_Result end_upload(call *c) {
  fn_exchange *x = &c->exchange;
  if (c->body_too_large) {
    c->closes = true;
    (void)fn_exchange_fail(x, 413, "too_large", "the body has more than %llu bytes (serve.max_upload_bytes)",
                           (unsigned long long)fn_server_get_options(c->http->server)->serve->max_upload_bytes);
    return answer(c);
  }
  if (!start_running(c)) return answer(c);
  size_t n = 0;
  if (!c->ended && x->route->receive(x, NULL, 0, &n) == FN_EXCHANGE_DONE) return answer(c);
  c->ended = true;
  return suspend(c);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *length, void **context) {
  (void)arg, (void)connection, (void)url;
  call *c = *context;
  if (c == NULL) return MHD_NO;
  fn_exchange *x = &c->exchange;
  if (!c->begun) {
    c->begun = true;
    /* An answer as early as this ends the connection; without a body it can wait for the next call. */
    if (look_at_headers(c, method, version) == FN_EXCHANGE_DONE) return c->closes ? answer(c) : MHD_YES;
    fn_connection_set(c->http->connections, c->limits, FN_CONNECTION_READS, 0);
    if (x->route->body != FN_BODY_UPLOAD || begin_upload(c) == FN_EXCHANGE_PENDING) return MHD_YES;
    c->closes = true;
    return answer(c);
  }
  if (c->is_upload) return *length > 0 ? take_piece(c, data, length) : end_upload(c);
  if (*length > 0) return take_body(c, data, length);
  if (x->response.status != 0) return answer(c); /* refused, or resumed */
  if (c->body_too_large) {
    c->closes = true;
    (void)fn_exchange_fail(x, 413, "too_large", "the body has more than %llu bytes (serve.max_body_bytes)",
                           (unsigned long long)fn_server_get_options(c->http->server)->serve->max_body_bytes);
    return answer(c);
  }
  x->request.body = fn_buf_str(&c->body);
  return begin(c) == FN_EXCHANGE_DONE ? answer(c) : MHD_YES;
}

static FN_PRINTF(2, 0) void on_library_message(void *arg, const char *format, va_list args) {
  const fn_http *http = arg;
  char message[512];
  vsnprintf(message, sizeof message, format, args);
  message[strcspn(message, "\n")] = '\0';
  fn_server_event(http->server, FN_SEVERITY_DEBUG, "http_library", NULL, "%s", message);
}

/* A file of serve.tls_cert or serve.tls_key, whole. */
static fn_status read_pem(fn_buf *out, const char *key, const char *path, const char *begins, fn_err *err) {
  fn_err why = {0};
  if (path == NULL)
    return fn_err_set(err, FN_E_INVALID, "%s is missing: TLS needs serve.tls_cert and serve.tls_key", key);
  const fn_status status = fn_file_read(out, path, 1 << 20, &why);
  if (status != FN_OK) return fn_err_set(err, status, "%s: %s", key, why.message);
  if (strstr(out->data, begins) == NULL)
    return fn_err_set(err, FN_E_INVALID, "%s: %s is no PEM file: \"%s\" is not in it", key, path, begins);
  return FN_OK;
}

/* options: [4], for MHD_OPTION_ARRAY; the texts stay the caller's. */
static fn_status prepare_tls(struct MHD_OptionItem *options, fn_http *h, fn_buf *cert, fn_buf *key, fn_err *err) {
  static const char *const priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";
  const fn_serve_options *o = fn_server_get_options(h->server)->serve;
  options[0] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
  if (h->kind == FN_HTTP_OPERATION || (o->tls_cert == NULL && o->tls_key == NULL)) return FN_OK;
  FN_TRY(read_pem(cert, "serve.tls_cert", o->tls_cert, "BEGIN CERTIFICATE", err));
  FN_TRY(read_pem(key, "serve.tls_key", o->tls_key, "PRIVATE KEY", err));
  if (h->mhd->is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
    return fn_err_set(err, FN_E_UNSUPPORTED, "serve.tls_cert: this libmicrohttpd has no TLS");
  options[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, cert->data};
  options[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, key->data};
  options[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)(uintptr_t)priorities};
  options[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
  h->secure = true;
  return FN_OK;
}

static fn_status start_daemon(fn_http *h, fn_err *err) {
  const fn_serve_options *o = fn_server_get_options(h->server)->serve;
  FN_AUTO_BUF fn_buf cert;
  FN_AUTO_BUF fn_buf key;
  struct MHD_OptionItem tls[4];
  fn_buf_init(&cert, 1 << 20);
  fn_buf_init(&key, 1 << 20);
  FN_TRY(prepare_tls(tls, h, &cert, &key, err));
  /* The library's own limit, without a byte, comes after ours, which can still say why. */
  const int64_t longest = (o->idle_timeout_s > o->request_timeout_s ? o->idle_timeout_s : o->request_timeout_s) + 5;
  const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  h->daemon = h->mhd->start_daemon(
      h->secure ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER,
      on_library_message, h, MHD_OPTION_LISTEN_SOCKET, h->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->max_connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)longest,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(32 << 10), MHD_OPTION_STRICT_FOR_CLIENT, 0,
      MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
  if (h->daemon != NULL) return FN_OK;
  if (h->secure)
    return fn_err_set(err, FN_E_INVALID,
                      "the TLS library refuses %s with %s (serve.tls_cert, serve.tls_key): is it its key?", o->tls_cert,
                      o->tls_key);
  return fn_err_errno(err, errno != 0 ? errno : EINVAL, "the HTTP library cannot start");
}

fn_status fn_http_start(fn_http **http_out, fn_server *server, int listen_fd, fn_http_kind kind, fn_err *err) {
  const fn_serve_options *o = fn_server_get_options(server)->serve;
  fn_http *h = fn_mem_calloc(1, sizeof *h);
  fn_status status = h != NULL ? FN_OK : fn_err_no_memory(err, "a server");
  if (status == FN_OK) status = fn_microhttpd_get(&h->mhd, err);
  if (status == FN_OK) status = fn_connections_create(&h->connections, o->idle_timeout_s, o->request_timeout_s, err);
  if (status == FN_OK) {
    h->server = server;
    h->listen_fd = listen_fd;
    h->kind = kind;
    h->knows_layout = strncmp(h->mhd->get_version(), "0.9.75", 6) == 0;
    status = start_daemon(h, err);
  }
  if (status != FN_OK) {
    close(listen_fd);
    if (h != NULL) fn_connections_destroy(h->connections);
    free(h);
    return status;
  }
  *http_out = h;
  return FN_OK;
}

/* The library's thread may be about to accept on the socket still. Its number must not come to mean something else
 * then: it becomes /dev/null, which lets the socket go, and is closed when that thread has ended. */
void fn_http_quiesce(fn_http *h) {
  const MHD_socket fd = h->mhd->quiesce_daemon(h->daemon);
  if (fd == MHD_INVALID_SOCKET) return;
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0 && dup3(null, fd, O_CLOEXEC) == fd)
    h->closed_fd = fd;
  else
    close(fd);
  if (null >= 0) close(null);
}

size_t fn_http_n_open(const fn_http *h) {
  return atomic_load(&h->n_open);
}
size_t fn_http_n_at_work(const fn_http *h) {
  return atomic_load(&h->n_at_work);
}

void fn_http_stop(fn_http *h) {
  if (h == NULL) return;
  h->mhd->stop_daemon(h->daemon);
  if (h->closed_fd > 0) close(h->closed_fd);
  fn_connections_destroy(h->connections);
  free(h);
}
