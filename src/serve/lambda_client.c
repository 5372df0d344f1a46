#include "serve/lambda_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* ---- address */

static fn_status refuse_address(const char *api, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID,
                    "AWS_LAMBDA_RUNTIME_API: \"%.80s\" is no numeric address with a port, such as 127.0.0.1:9001", api);
}

fn_status fn_lambda_client_init(fn_lambda_client *c, const char *api, int stop_fd, fn_err *err) {
  *c = (fn_lambda_client){.fd = -1, .stop_fd = stop_fd};
  const char *colon = strrchr(api, ':');
  int64_t port;
  if (colon == NULL || strlen(api) >= sizeof c->host || !fn_str_to_int64(&port, fn_str_from(colon + 1)) || port < 1 ||
      port > 65535)
    return refuse_address(api, err);
  snprintf(c->host, sizeof c->host, "%s", api);
  char host[80];
  fn_str name = fn_str_make(api, (size_t)(colon - api));
  if (fn_str_is(name, "localhost")) name = fn_str_from("127.0.0.1");
  const bool six = name.length > 2 && name.data[0] == '[' && name.data[name.length - 1] == ']';
  if (six) name = fn_str_make(name.data + 1, name.length - 2);
  snprintf(host, sizeof host, "%.*s", (int)name.length, name.data);
  struct sockaddr_in *v4 = (struct sockaddr_in *)&c->address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&c->address;
  if (!six && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    c->address_length = sizeof *v4;
  } else if (six && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    c->address_length = sizeof *v6;
  } else {
    return refuse_address(api, err);
  }
  return FN_OK;
}

static void disconnect(fn_lambda_client *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}
void fn_lambda_client_deinit(fn_lambda_client *c) {
  disconnect(c);
}

void fn_lambda_reply_init(fn_lambda_reply *r) {
  r->status = 0;
  fn_buf_init(&r->head, FN_LAMBDA_MAX_HEAD);
  fn_buf_init(&r->body, FN_LAMBDA_MAX_EVENT);
}
void fn_lambda_reply_deinit(fn_lambda_reply *r) {
  fn_buf_deinit(&r->head);
  fn_buf_deinit(&r->body);
}

/* ---- bytes */

static fn_status connect_to(fn_lambda_client *c, fn_err *err) {
  const int one = 1;
  c->fd = socket(c->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0) return fn_err_errno(err, errno, "a socket");
  (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (const struct sockaddr *)&c->address, c->address_length) == 0) return FN_OK;
  const int error = errno;
  disconnect(c);
  return fn_err_errno(err, error, "the Runtime API at %s", c->host);
}

static fn_status send_all(fn_lambda_client *c, fn_str bytes, fn_err *err) {
  while (bytes.length > 0) {
    const ssize_t n = send(c->fd, bytes.data, bytes.length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fn_err_errno(err, errno, "sending to the Runtime API at %s", c->host);
    bytes = fn_str_make(bytes.data + n, bytes.length - (size_t)n);
  }
  return FN_OK;
}

/* *n_out 0: the other side has closed. */
static fn_status receive(size_t *n_out, fn_lambda_client *c, char *out, size_t size, fn_err *err) {
  for (;;) {
    struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->stop_fd, .events = POLLIN}};
    if (poll(p, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return fn_err_errno(err, errno, "waiting for the Runtime API");
    }
    if (p[1].revents != 0) return fn_err_set(err, FN_E_CANCELLED, "asked to stop");
    const ssize_t n = recv(c->fd, out, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "the Runtime API at %s", c->host);
    *n_out = (size_t)n;
    return FN_OK;
  }
}

static fn_status refuse(const fn_lambda_client *c, const char *what, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID, "the Runtime API at %s does not speak HTTP/1.1: %s", c->host, what);
}

/* ---- head */

static fn_str next_line(fn_str *rest) {
  const char *end = rest->length > 0 ? memchr(rest->data, '\n', rest->length) : NULL;
  const size_t used = end != NULL ? (size_t)(end - rest->data) + 1 : rest->length;
  fn_str line = fn_str_make(rest->data, used);
  while (line.length > 0 && (line.data[line.length - 1] == '\n' || line.data[line.length - 1] == '\r')) line.length--;
  *rest = fn_str_make(rest->data + used, rest->length - used);
  return line;
}

static bool split(fn_str *name_out, fn_str *value_out, fn_str line) {
  const char *colon = line.length > 0 ? memchr(line.data, ':', line.length) : NULL;
  if (colon == NULL) return false;
  const size_t n = (size_t)(colon - line.data);
  *name_out = fn_str_make(line.data, n);
  *value_out = fn_str_trim(fn_str_make(colon + 1, line.length - n - 1));
  return true;
}

fn_status fn_lambda_framing_parse(fn_lambda_framing *out, fn_str head, fn_err *err) {
  fn_lambda_framing f = {0};
  fn_str rest = head, name, value;
  const fn_str first = next_line(&rest);
  int64_t n;
  if (first.length < 12 || !fn_str_starts_with(first, "HTTP/1.") || first.data[8] != ' ' ||
      !fn_str_to_int64(&n, fn_str_make(first.data + 9, 3)) || n < 100 || n > 599)
    return fn_err_set(err, FN_E_INVALID, "no status line");
  f.status = (int)n;
  f.lines = head.length - rest.length;
  f.closes = first.data[7] == '0';
  while (rest.length > 0) {
    if (!split(&name, &value, next_line(&rest))) continue;
    if (fn_str_equal_nocase(name, fn_str_from("Content-Length"))) {
      if (f.has_length || !fn_str_to_int64(&n, value) || n < 0 || n > FN_LAMBDA_MAX_EVENT)
        return fn_err_set(err, FN_E_INVALID, "Content-Length %.*s", (int)(value.length < 40 ? value.length : 40),
                          value.data);
      f.has_length = true;
      f.length = (size_t)n;
    } else if (fn_str_equal_nocase(name, fn_str_from("Transfer-Encoding"))) {
      if (!fn_str_equal_nocase(value, fn_str_from("chunked")))
        return fn_err_set(err, FN_E_INVALID, "a transfer encoding other than chunked");
      f.chunked = true;
    } else if (fn_str_equal_nocase(name, fn_str_from("Connection"))) {
      f.closes |= fn_str_equal_nocase(value, fn_str_from("close"));
    }
  }
  if (f.chunked && f.has_length) return fn_err_set(err, FN_E_INVALID, "two lengths");
  *out = f;
  return FN_OK;
}

fn_str fn_lambda_reply_header(const fn_lambda_reply *reply, const char *name) {
  fn_str rest = fn_buf_str(&reply->head), n, value;
  while (rest.length > 0) {
    if (split(&n, &value, next_line(&rest)) && fn_str_equal_nocase(n, fn_str_from(name))) return value;
  }
  return (fn_str){NULL, 0};
}

/* Where the empty line ends; 0: not there yet. */
static size_t find_end(const fn_buf *head, size_t from) {
  for (size_t i = from > 3 ? from - 3 : 0; i + 4 <= head->length; i++) {
    if (memcmp(head->data + i, "\r\n\r\n", 4) == 0) return i + 4;
  }
  return 0;
}

/* Until the empty line; what came behind it goes to `rest`. */
static fn_status read_head(fn_buf *rest, fn_lambda_reply *r, fn_lambda_client *c, bool *nothing_came, fn_err *err) {
  size_t end = 0, n;
  fn_buf_reset(&r->head);
  *nothing_came = true;
  while (end == 0) {
    char piece[16384];
    FN_TRY(receive(&n, c, piece, sizeof piece, err));
    if (n == 0) return fn_err_set(err, FN_E_IO, "the Runtime API at %s has closed the connection", c->host);
    *nothing_came = false;
    const size_t before = r->head.length;
    fn_buf_append(&r->head, piece, n);
    if (r->head.failed) return refuse(c, "a head of more than 64 KiB", err);
    end = find_end(&r->head, before);
  }
  fn_buf_append(rest, r->head.data + end, r->head.length - end);
  r->head.length = end;
  return FN_OK;
}

/* ---- body */

static fn_status more(fn_buf *bytes, fn_lambda_client *c, fn_err *err) {
  char piece[65536];
  size_t n;
  FN_TRY(receive(&n, c, piece, sizeof piece, err));
  if (n == 0) return refuse(c, "the body is cut", err);
  fn_buf_append(bytes, piece, n);
  return fn_buf_check(bytes, "the event", err);
}

static fn_status read_plain(fn_lambda_reply *r, fn_buf *rest, fn_lambda_client *c, size_t length, fn_err *err) {
  while (rest->length < length) FN_TRY(more(rest, c, err));
  if (rest->length > length) return refuse(c, "bytes behind the body", err);
  fn_buf_append(&r->body, rest->data, length);
  return fn_buf_check(&r->body, "the event", err);
}

static bool parse_hex(size_t *out, fn_str s) {
  size_t n = 0, digits = 0;
  for (; digits < s.length && s.data[digits] != ';'; digits++) {
    const char c = s.data[digits];
    const int d = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
    if (d < 0 || digits == 8) return false;
    n = n * 16 + (size_t)d;
  }
  *out = n;
  return digits > 0;
}

/* A line of rest from *at on, more bytes being fetched where it is not whole. */
static fn_status chunk_line(fn_str *line_out, fn_buf *rest, size_t *at, fn_lambda_client *c, fn_err *err) {
  while (*at >= rest->length || !memchr(rest->data + *at, '\n', rest->length - *at)) {
    if (rest->length - *at > 4096) return refuse(c, "a chunk's line is too long", err);
    FN_TRY(more(rest, c, err));
  }
  fn_str left = fn_str_make(rest->data + *at, rest->length - *at);
  *line_out = next_line(&left);
  *at = rest->length - left.length;
  return FN_OK;
}

static fn_status read_chunks(fn_lambda_reply *r, fn_buf *rest, fn_lambda_client *c, fn_err *err) {
  size_t at = 0, n = 1;
  fn_str line;
  while (n > 0) {
    FN_TRY(chunk_line(&line, rest, &at, c, err));
    if (!parse_hex(&n, line) || n > FN_LAMBDA_MAX_EVENT) return refuse(c, "a chunk without its length", err);
    while (rest->length - at < n) FN_TRY(more(rest, c, err));
    fn_buf_append(&r->body, rest->data + at, n);
    FN_TRY(fn_buf_check(&r->body, "the event", err));
    at += n;
    if (n > 0) FN_TRY(chunk_line(&line, rest, &at, c, err));
  }
  do FN_TRY(chunk_line(&line, rest, &at, c, err)); /* trailers */
  while (line.length > 0);
  return FN_OK;
}

static fn_status read_reply(fn_lambda_reply *r, fn_lambda_client *c, bool *nothing_came, fn_err *err) {
  FN_AUTO_BUF fn_buf rest;
  fn_buf_init(&rest, 2 * FN_LAMBDA_MAX_EVENT);
  fn_buf_reset(&r->body);
  FN_TRY(read_head(&rest, r, c, nothing_came, err));
  fn_lambda_framing f;
  fn_err why = {0};
  if (fn_lambda_framing_parse(&f, fn_buf_str(&r->head), &why) != FN_OK) return refuse(c, why.message, err);
  if (f.chunked) {
    FN_TRY(read_chunks(r, &rest, c, err));
  } else {
    FN_TRY(read_plain(r, &rest, c, f.length, err));
  }
  r->status = f.status;
  memmove(r->head.data, r->head.data + f.lines, r->head.length - f.lines);
  r->head.length -= f.lines;
  if (f.closes) disconnect(c);
  return FN_OK;
}

static fn_status attempt(fn_lambda_reply *r, fn_lambda_client *c, fn_str head, fn_str body, bool *nothing_came,
                         fn_err *err) {
  *nothing_came = true;
  if (c->fd < 0) FN_TRY(connect_to(c, err));
  fn_status status = send_all(c, head, err);
  if (status == FN_OK) status = send_all(c, body, err);
  if (status == FN_OK) status = read_reply(r, c, nothing_came, err);
  if (status != FN_OK) disconnect(c);
  return status;
}

fn_status fn_lambda_client_call(fn_lambda_reply *r, fn_lambda_client *c, const char *method, const char *path,
                                const char *headers, fn_str body, fn_err *err) {
  FN_AUTO_BUF fn_buf head;
  bool nothing_came;
  fn_buf_init(&head, 1 << 16);
  fn_buf_printf(&head, "%s /2018-06-01%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: fakenews\r\n%s", method, path, c->host,
                headers);
  if (strcmp(method, "POST") == 0) fn_buf_printf(&head, "Content-Length: %zu\r\n", body.length);
  fn_buf_append_str(&head, "\r\n");
  FN_TRY(fn_buf_check(&head, "a request to the Runtime API", err));
  const bool was_kept = c->fd >= 0;
  const fn_status status = attempt(r, c, fn_buf_str(&head), body, &nothing_came, err);
  if (status != FN_E_IO || !was_kept || !nothing_came) return status;
  return attempt(r, c, fn_buf_str(&head), body, &nothing_came, err);
}
