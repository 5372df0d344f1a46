/* Settings of src/serve: serve.*. */
#ifndef FN_SERVE_OPTIONS_H
#define FN_SERVE_OPTIONS_H

#include "config/config.h"

typedef struct fn_serve_options {
  const char *host; /* NULL: 127.0.0.1, or 0.0.0.0 where the environment names a port */
  int64_t port;     /* 0: one that is free */
  int64_t workers;  /* 0: as many as processors */
  int64_t max_body_bytes, max_upload_bytes, max_items, max_connections;
  int64_t batch_tokens; /* that go through the encoder at once, in place of infer.batch_tokens */
  int64_t queue_tokens; /* that may wait */
  int64_t timeout_ms;
  int64_t idle_timeout_s, request_timeout_s;
  int64_t drain_delay_s, shutdown_timeout_s;
  bool watch;
  int64_t max_uploads, max_upload_rows;
  const char *tls_cert, *tls_key;          /* PEM files; NULL: no TLS */
  int64_t metrics_port;                    /* 0: /metrics is where everything is */
  int log_format, log_level, log_requests; /* fn_log_format, fn_severity, fn_log_requests */
  int auth;                                /* fn_auth_mode */
  int64_t rate_per_minute;                 /* 0: no limit */
  fn_config_list trusted_proxies, cors_origins;
  const char *predict_route, *health_route; /* further names of /invocations and /ping; NULL: none */
} fn_serve_options;

extern const fn_option_table fn_serve_option_table;

#endif
