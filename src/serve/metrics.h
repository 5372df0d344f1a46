/* Counters of the server and their page for Prometheus (text format 0.0.4). All counting is atomic, without locks. */
#ifndef FN_SERVE_METRICS_H
#define FN_SERVE_METRICS_H

#include "serve/serve.h"

typedef struct fn_counters fn_counters;

FN_NODISCARD fn_status fn_counters_create(fn_counters **metrics_out, fn_err *err);
void fn_counters_destroy(fn_counters *metrics);

/* One answered exchange. route NULL: none was found. */
void fn_counters_count_exchange(fn_counters *metrics, const fn_route *route, fn_method method, int status,
                                double seconds, uint64_t request_bytes, uint64_t response_bytes);
/* One article that was answered. */
void fn_counters_count_prediction(fn_counters *metrics, const fn_prediction *prediction);

/* The whole page: what was counted here, the batcher's figures, the model's. */
void fn_counters_format(fn_buf *out, fn_server *server);

fn_counters *fn_server_metrics(const fn_server *server);
/* Reloads that succeeded and failed so far. */
void fn_server_get_reloads(uint64_t *done_out, uint64_t *failed_out, const fn_server *server);

/* Lines of one family, for others that have figures of their own: # HELP and # TYPE once, then samples. labels: "" or
 * "{a=\"b\"}". */
void fn_counters_family(fn_buf *out, const char *name, const char *type, const char *help);
void fn_counters_sample(fn_buf *out, const char *name, const char *labels, double value);
/* A label's value with \\, " and line breaks escaped. */
void fn_counters_append_label(fn_buf *out, const char *value);

#endif
