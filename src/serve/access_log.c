#include "serve/access_log.h"

#include "base/json.h"
#include "serve/route.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_WAITING = 256 << 10, MAX_LINE = PIPE_BUF, LAST_MS = 500 };

/* ---- lines */

static const char *const small[] = {"debug", "info", "warning", "error"};
static const char *const large[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
static const char *method_name(const fn_request *r) {
  switch (r->method) {
  case FN_METHOD_GET: return r->is_head ? "HEAD" : "GET";
  case FN_METHOD_POST: return "POST";
  case FN_METHOD_DELETE: return "DELETE";
  case FN_METHOD_PUT: return "PUT";
  case FN_METHOD_OPTIONS: return "OPTIONS";
  case FN_METHOD_OTHER: break;
  }
  return "OTHER";
}

/* The next n hexadecimal digits, in small letters. */
static bool take_hex(char *out, fn_str *s, size_t n) {
  if (s->length < n) return false;
  for (size_t i = 0; i < n; i++) {
    const char c = s->data[i];
    const bool upper = c >= 'A' && c <= 'F';
    if (!upper && !(c >= 'a' && c <= 'f') && !(c >= '0' && c <= '9')) return false;
    out[i] = (char)(upper ? c - 'A' + 'a' : c);
  }
  out[n] = '\0';
  *s = fn_str_make(s->data + n, s->length - n);
  return true;
}

static bool take_text(fn_str *s, const char *text) {
  if (!fn_str_starts_with(*s, text)) return false;
  *s = fn_str_make(s->data + strlen(text), s->length - strlen(text));
  return true;
}

/* Root=1-5759e988-bd862e3fe1be46a994272793 */
static bool read_amazon(char out[33], fn_str s) {
  while (s.length > 0 && !fn_str_starts_with(s, "Root=1-")) s = fn_str_make(s.data + 1, s.length - 1);
  return take_text(&s, "Root=1-") && take_hex(out, &s, 8) && take_text(&s, "-") && take_hex(out + 8, &s, 24);
}

void fn_access_log_trace(char out[33], const fn_request *r) {
  char trace[33];
  fn_str parent = fn_request_header(r, "traceparent"), google = fn_request_header(r, "X-Cloud-Trace-Context");
  const bool found = (take_hex(trace, &parent, 2) && take_text(&parent, "-") && take_hex(trace, &parent, 32) &&
                      fn_str_starts_with(parent, "-")) ||
                     take_hex(trace, &google, 32) || read_amazon(trace, fn_request_header(r, "X-Amzn-Trace-Id"));
  snprintf(out, 33, "%s", found ? trace : "");
}

static void format_time(char out[32], int64_t ms) {
  char seconds[21];
  fn_clock_format(seconds, ms);
  snprintf(out, 32, "%.19s.%03dZ", seconds, (int)(ms % 1000));
}

static void write_exchange(fn_json_writer *w, const char *trace_project, const fn_exchange *x) {
  char trace[33], name[128];
  fn_access_log_trace(trace, &x->request);
  if (trace[0] != '\0') fn_json_text(w, "trace", trace);
  if (trace[0] != '\0' && trace_project != NULL) {
    snprintf(name, sizeof name, "projects/%.60s/traces/%s", trace_project, trace);
    fn_json_text(w, "logging.googleapis.com/trace", name);
  }
  fn_json_text(w, "request_id", x->request.id);
  fn_json_text(w, "method", method_name(&x->request));
  fn_json_text(w, "route", x->route != NULL ? x->route->path : NULL);
  fn_json_int(w, "status", x->response.status);
  fn_json_double(w, "ms", fn_exchange_ms(x));
  fn_json_text(w, "client", x->request.client);
  if (x->key_id[0] != '\0') fn_json_text(w, "key", x->key_id);
  fn_json_int(w, "bytes", (int64_t)x->request.body.length);
}

static void format_json(fn_buf *out, const char *trace_project, const char *time, fn_severity severity,
                        const char *code, const char *message, const fn_exchange *x) {
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "severity", large[severity]);
  fn_json_text(&w, "time", time);
  fn_json_text(&w, "code", code);
  fn_json_text(&w, "message", message);
  if (x != NULL) write_exchange(&w, trace_project, x);
  fn_json_end(&w);
}

void fn_access_log_format(fn_buf *out, fn_log_format format, const char *trace_project, int64_t time_ms,
                          fn_severity severity, const char *code, const char *message, const fn_exchange *x) {
  char time[32], text[64];
  format_time(time, time_ms);
  if (x != NULL) { /* what was answered, in a line that groups well */
    snprintf(text, sizeof text, "%s %.40s %d", method_name(&x->request),
             x->route != NULL ? x->route->path : "(no route)", x->response.status);
    message = text;
  }
  if (format == FN_LOG_JSON) {
    format_json(out, trace_project, time, severity, code, message, x);
  } else {
    fn_buf_printf(out, "%s %s %s: ", time, small[severity], code);
    for (; *message; message++) fn_buf_append_char(out, (unsigned char)*message < ' ' ? ' ' : *message);
    if (x != NULL)
      fn_buf_printf(out, " %.3f ms, client %s%s%s, request %s", (double)(fn_clock_ns() - x->begin_ns) * 1e-6,
                    x->request.client, x->key_id[0] ? ", key " : "", x->key_id, x->request.id);
  }
  fn_buf_append_char(out, '\n');
}

/* ---- writing */

struct fn_access_log {
  fn_access_log_options options;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t thread;
  fn_buf waiting; /* whole lines */
  uint64_t n_lost, end_ns;
};

/* Writes of at most PIPE_BUF bytes do not block where poll has seen room: for pipes that is what its word means. */
static size_t write_some(int fd, const char *data, size_t length, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  if (poll(&p, 1, timeout_ms) <= 0 || (p.revents & POLLOUT) == 0) return 0;
  const ssize_t n = write(fd, data, length < MAX_LINE ? length : MAX_LINE);
  return n > 0 ? (size_t)n : 0;
}

static void tell_lost(fn_access_log *l) {
  char message[80];
  snprintf(message, sizeof message, "%llu lines of this log were lost: its reader is too slow",
           (unsigned long long)l->n_lost);
  l->n_lost = 0;
  fn_access_log_format(&l->waiting, l->options.format, NULL, fn_clock_unix_ms(), FN_SEVERITY_WARNING, "log_lost",
                       message, NULL);
}

static void *write_waiting(void *arg) {
  fn_access_log *l = arg;
  pthread_mutex_lock(&l->lock);
  for (;;) {
    while (l->waiting.length == 0 && l->end_ns == 0) pthread_cond_wait(&l->changed, &l->lock);
    if (l->waiting.length == 0 || (l->end_ns != 0 && fn_clock_ns() > l->end_ns)) break;
    char piece[MAX_LINE];
    const size_t n = l->waiting.length < sizeof piece ? l->waiting.length : sizeof piece;
    memcpy(piece, l->waiting.data, n);
    pthread_mutex_unlock(&l->lock);
    const size_t written = write_some(l->options.fd, piece, n, 100);
    pthread_mutex_lock(&l->lock);
    l->waiting.length -= written;
    memmove(l->waiting.data, l->waiting.data + written, l->waiting.length + 1);
    if (l->waiting.length == 0 && l->n_lost > 0) tell_lost(l);
  }
  pthread_mutex_unlock(&l->lock);
  return NULL;
}

fn_status fn_access_log_open(fn_access_log **log_out, const fn_access_log_options *options, fn_err *err) {
  fn_access_log *l = fn_mem_calloc(1, sizeof *l);
  if (l == NULL) return fn_err_no_memory(err, "a log");
  l->options = *options;
  fn_buf_init(&l->waiting, MAX_WAITING + 2 * MAX_LINE);
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  const int failed = pthread_create(&l->thread, NULL, write_waiting, l);
  if (failed != 0) {
    free(l);
    return fn_err_errno(err, failed, "a thread that writes the log");
  }
  *log_out = l;
  return FN_OK;
}

void fn_access_log_close(fn_access_log *l) {
  if (l == NULL) return;
  pthread_mutex_lock(&l->lock);
  l->end_ns = fn_clock_ns() + LAST_MS * UINT64_C(1000000);
  pthread_cond_signal(&l->changed);
  pthread_mutex_unlock(&l->lock);
  pthread_join(l->thread, NULL);
  fn_buf_deinit(&l->waiting);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
  free(l);
}

static bool is_wanted(const fn_access_log *l, fn_severity severity, const fn_exchange *x) {
  if (severity < l->options.level) return false;
  if (x == NULL || severity >= FN_SEVERITY_WARNING || l->options.requests == FN_LOG_ALL) return true;
  return l->options.requests == FN_LOG_ERRORS && x->response.status >= 400;
}

void fn_access_log_event(void *arg, fn_severity severity, const char *code, const char *message, const fn_exchange *x) {
  fn_access_log *l = arg;
  if (!is_wanted(l, severity, x)) return;
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 8 * MAX_LINE);
  fn_access_log_format(&line, l->options.format, l->options.trace_project, fn_clock_unix_ms(), severity, code, message,
                       x);
  pthread_mutex_lock(&l->lock);
  size_t written = 0;
  if (l->waiting.length == 0 && line.length <= MAX_LINE) written = write_some(l->options.fd, line.data, line.length, 0);
  if (line.failed || (l->waiting.length + line.length > MAX_WAITING && written == 0)) {
    l->n_lost++;
  } else if (written < line.length) {
    fn_buf_append(&l->waiting, line.data + written, line.length - written);
    pthread_cond_signal(&l->changed);
  }
  pthread_mutex_unlock(&l->lock);
}
