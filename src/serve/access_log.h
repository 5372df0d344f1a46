/* What happens, as lines: JSON that the clouds' agents and log stores read, or text for people. Any thread. Texts of
 * articles, keys, cookies and paths as they came are never written: of a request only its route, its ids and figures.
 */
#ifndef FN_SERVE_ACCESS_LOG_H
#define FN_SERVE_ACCESS_LOG_H

#include "serve/serve.h"

typedef enum fn_log_format { FN_LOG_AUTO, FN_LOG_JSON, FN_LOG_TEXT } fn_log_format;
typedef enum fn_log_requests { FN_LOG_ALL, FN_LOG_ERRORS, FN_LOG_NONE } fn_log_requests;

/* The line of one event, with its end. trace_project: of Google's cloud, in whose form the trace is then named too;
 * NULL: none. time_ms: Unix. */
void fn_access_log_format(fn_buf *out, fn_log_format format, const char *trace_project, int64_t time_ms,
                          fn_severity severity, const char *code, const char *message, const fn_exchange *x);
/* 32 lower-case hexadecimal digits of traceparent (W3C), X-Cloud-Trace-Context or X-Amzn-Trace-Id; "" without. */
void fn_access_log_trace(char out[33], const fn_request *request);

typedef struct fn_access_log_options {
  int fd;               /* stays the caller's */
  fn_log_format format; /* not AUTO */
  fn_severity level;    /* less is left out */
  fn_log_requests requests;
  const char *trace_project; /* outlives the log; NULL: none */
} fn_access_log_options;

typedef struct fn_access_log fn_access_log;

/* A reader that stalls never stops the server: up to 256 KiB wait for it, then lines are lost, and how many is told. */
FN_NODISCARD fn_status fn_access_log_open(fn_access_log **log_out, const fn_access_log_options *options, fn_err *err);
/* Waits half a second at most for what is not written yet. NULL is fine. */
void fn_access_log_close(fn_access_log *log);
/* As fn_serve_events.event; arg is the log. */
void fn_access_log_event(void *arg, fn_severity severity, const char *code, const char *message, const fn_exchange *x);

#endif
