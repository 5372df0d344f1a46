#include "serve/metrics.h"

#include "serve/guard.h"
#include "serve/recording.h"
#include "serve/route.h"

#include <stdatomic.h>

/* Seconds; the predecessor's alerts look at 0.25 and 5. */
static const double buckets[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0};
enum { N_BUCKETS = FN_COUNT_OF(buckets) };

enum { N_METHODS = 6, N_CLASSES = 5 };
static const char *const method_names[N_METHODS] = {"GET", "POST", "DELETE", "PUT", "OPTIONS", "OTHER"};

typedef struct histogram {
  atomic_ullong buckets[N_BUCKETS + 1]; /* not cumulative; the last is beyond all bounds */
  atomic_ullong sum_us;
} histogram;

typedef struct handler {
  atomic_ullong requests[N_METHODS][N_CLASSES];
  histogram durations[N_METHODS];
  atomic_ullong request_bytes, response_bytes;
} handler;

struct fn_counters {
  size_t n_handlers; /* routes and, as the last, none of them */
  handler *handlers;
  histogram all;
  atomic_ullong n_predictions, n_refused, verdicts[4], reasons[FN_N_REASONS], tokens, truncated;
};

static size_t count_routes(void) {
  size_t n = 0;
  while (fn_routes[n].path != NULL) n++;
  return n;
}

fn_status fn_counters_create(fn_counters **metrics_out, fn_err *err) {
  fn_counters *m = fn_mem_calloc(1, sizeof *m);
  if (m == NULL) return fn_err_no_memory(err, "counters");
  m->n_handlers = count_routes() + 1;
  m->handlers = fn_mem_calloc(m->n_handlers, sizeof *m->handlers);
  if (m->handlers == NULL) {
    free(m);
    return fn_err_no_memory(err, "counters");
  }
  *metrics_out = m;
  return FN_OK;
}

void fn_counters_destroy(fn_counters *m) {
  if (m == NULL) return;
  free(m->handlers);
  free(m);
}

static void add(atomic_ullong *counter, uint64_t n) {
  atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
static uint64_t get(const atomic_ullong *counter) {
  return atomic_load_explicit(counter, memory_order_relaxed);
}

static void observe(histogram *h, double seconds) {
  size_t b = 0;
  while (b < N_BUCKETS && seconds > buckets[b]) b++;
  add(&h->buckets[b], 1);
  add(&h->sum_us, (uint64_t)(seconds * 1e6));
}

static size_t method_index(fn_method method) {
  switch (method) {
  case FN_METHOD_GET: return 0;
  case FN_METHOD_POST: return 1;
  case FN_METHOD_DELETE: return 2;
  case FN_METHOD_PUT: return 3;
  case FN_METHOD_OPTIONS: return 4;
  case FN_METHOD_OTHER: break;
  }
  return 5;
}

/* Rows of one path count together. */
static size_t handler_index(const fn_counters *m, const fn_route *route) {
  size_t i = 0;
  if (route == NULL) return m->n_handlers - 1;
  while (strcmp(fn_routes[i].path, route->path) != 0) i++;
  return i;
}

void fn_counters_count_exchange(fn_counters *m, const fn_route *route, fn_method method, int status, double seconds,
                                uint64_t request_bytes, uint64_t response_bytes) {
  handler *h = &m->handlers[handler_index(m, route)];
  const size_t i = method_index(method), class = status >= 100 && status < 600 ? (size_t)(status / 100 - 1) : 4;
  add(&h->requests[i][class], 1);
  observe(&h->durations[i], seconds);
  observe(&m->all, seconds);
  add(&h->request_bytes, request_bytes);
  add(&h->response_bytes, response_bytes);
}

void fn_counters_count_prediction(fn_counters *m, const fn_prediction *p) {
  add(&m->n_predictions, 1);
  if (p->status != FN_OK) {
    add(&m->n_refused, 1);
    return;
  }
  add(&m->verdicts[p->verdict], 1);
  for (size_t i = 0; i < FN_N_REASONS; i++) {
    if (p->reasons & 1u << i) add(&m->reasons[i], 1);
  }
  add(&m->tokens, (uint64_t)p->n_tokens);
  if (p->truncated) add(&m->truncated, 1);
}

/* ---- the page */

void fn_counters_family(fn_buf *out, const char *name, const char *type, const char *help) {
  fn_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void fn_counters_sample(fn_buf *out, const char *name, const char *labels, double value) {
  fn_buf_printf(out, "%s%s ", name, labels);
  fn_buf_append_double(out, value);
  fn_buf_append_char(out, '\n');
}

void fn_counters_append_label(fn_buf *out, const char *value) {
  for (; *value; value++) {
    if (*value == '\\' || *value == '"') fn_buf_append_char(out, '\\');
    if (*value == '\n')
      fn_buf_append_str(out, "\\n");
    else
      fn_buf_append_char(out, *value);
  }
}

static const char *handler_name(const fn_counters *m, size_t i) {
  return i + 1 < m->n_handlers ? fn_routes[i].path : "none";
}

static uint64_t n_observed(const histogram *h) {
  uint64_t n = 0;
  for (size_t b = 0; b <= N_BUCKETS; b++) n += get(&h->buckets[b]);
  return n;
}

static void format_histogram(fn_buf *out, const char *name, const char *labels, const histogram *h) {
  uint64_t n = 0;
  const char *comma = labels[0] ? "," : "";
  for (size_t b = 0; b < N_BUCKETS; b++) {
    n += get(&h->buckets[b]);
    fn_buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, comma);
    fn_buf_append_double(out, buckets[b]);
    fn_buf_printf(out, "\"} %llu\n", (unsigned long long)n);
  }
  n += get(&h->buckets[N_BUCKETS]);
  const char *open = labels[0] ? "{" : "", *close = labels[0] ? "}" : "";
  fn_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma, (unsigned long long)n);
  fn_buf_printf(out, "%s_sum%s%s%s ", name, open, labels, close);
  fn_buf_append_double(out, (double)get(&h->sum_us) * 1e-6);
  fn_buf_printf(out, "\n%s_count%s%s%s %llu\n", name, open, labels, close, (unsigned long long)n);
}

static void format_requests(fn_buf *out, const fn_counters *m) {
  fn_counters_family(out, "http_requests_total", "counter", "Requests that were answered, by route, method and class.");
  for (size_t i = 0; i < m->n_handlers; i++) {
    for (size_t j = 0; j < N_METHODS; j++) {
      for (size_t c = 0; c < N_CLASSES; c++) {
        const uint64_t n = get(&m->handlers[i].requests[j][c]);
        if (n == 0) continue;
        fn_buf_printf(out, "http_requests_total{handler=\"%s\",method=\"%s\",status=\"%zuxx\"} %llu\n",
                      handler_name(m, i), method_names[j], c + 1, (unsigned long long)n);
      }
    }
  }
  fn_counters_family(out, "http_request_duration_seconds", "histogram",
                     "Time from a request's first byte to its answer.");
  for (size_t i = 0; i < m->n_handlers; i++) {
    for (size_t j = 0; j < N_METHODS; j++) {
      const histogram *h = &m->handlers[i].durations[j];
      char labels[200];
      if (n_observed(h) == 0) continue;
      snprintf(labels, sizeof labels, "handler=\"%s\",method=\"%s\"", handler_name(m, i), method_names[j]);
      format_histogram(out, "http_request_duration_seconds", labels, h);
    }
  }
  fn_counters_family(out, "http_request_duration_highr_seconds", "histogram", "The same over all routes.");
  format_histogram(out, "http_request_duration_highr_seconds", "", &m->all);
  static const char *const sizes[] = {"http_request_size_bytes", "http_response_size_bytes"};
  static const char *const helps[] = {"Bodies of requests.", "Bodies of answers."};
  for (size_t s = 0; s < 2; s++) {
    fn_counters_family(out, sizes[s], "summary", helps[s]);
    for (size_t i = 0; i < m->n_handlers; i++) {
      uint64_t n = 0;
      for (size_t j = 0; j < N_METHODS; j++) n += n_observed(&m->handlers[i].durations[j]);
      if (n == 0) continue;
      const uint64_t sum = get(s == 0 ? &m->handlers[i].request_bytes : &m->handlers[i].response_bytes);
      fn_buf_printf(out, "%s_count{handler=\"%s\"} %llu\n%s_sum{handler=\"%s\"} %llu\n", sizes[s], handler_name(m, i),
                    (unsigned long long)n, sizes[s], handler_name(m, i), (unsigned long long)sum);
    }
  }
}

static void format_one(fn_buf *out, const char *name, const char *type, const char *help, double value) {
  fn_counters_family(out, name, type, help);
  fn_counters_sample(out, name, "", value);
}

static void format_predictions(fn_buf *out, const fn_counters *m) {
  format_one(out, "requests_total", "counter", "Number of requests made to FastAPI inference app.",
             (double)get(&m->n_predictions));
  fn_counters_family(out, "fakenews_verdicts_total", "counter", "Articles that were answered, by verdict.");
  for (int v = 0; v < 4; v++)
    fn_buf_printf(out, "fakenews_verdicts_total{verdict=\"%s\"} %llu\n",
                  fn_verdict_names[v] ? fn_verdict_names[v] : "none", (unsigned long long)get(&m->verdicts[v]));
  fn_counters_family(out, "fakenews_reasons_total", "counter", "Answers with a reason to trust them less.");
  for (size_t i = 0; i < FN_N_REASONS; i++)
    fn_buf_printf(out, "fakenews_reasons_total{reason=\"%s\"} %llu\n", fn_reason_names[i],
                  (unsigned long long)get(&m->reasons[i]));
  format_one(out, "fakenews_refused_articles_total", "counter",
             "Articles without an answer: nothing to read, too long.", (double)get(&m->n_refused));
  format_one(out, "fakenews_truncated_articles_total", "counter", "Articles that were not read to their end.",
             (double)get(&m->truncated));
}

static void format_batcher(fn_buf *out, const fn_batcher_stats *s) {
  format_one(out, "fakenews_queue_articles", "gauge", "Articles that wait for a worker.", (double)s->waiting_articles);
  format_one(out, "fakenews_queue_tokens", "gauge", "Tokens that wait for a worker, estimated.",
             (double)s->waiting_tokens);
  format_one(out, "fakenews_batches_total", "counter", "Batches that went through the model.", (double)s->n_batches);
  format_one(out, "fakenews_batch_articles_total", "counter", "Articles in them.", (double)s->n_articles);
  format_one(out, "fakenews_batch_tokens_total", "counter", "Tokens in them.", (double)s->n_tokens);
  format_one(out, "fakenews_worker_busy_seconds_total", "counter", "Time that workers spent on them, all together.",
             (double)s->busy_ns * 1e-9);
  format_one(out, "fakenews_queue_full_total", "counter", "Requests answered with 503 because too much waited.",
             (double)s->n_full);
  format_one(out, "fakenews_abandoned_total", "counter", "Requests that were dropped because their client had gone.",
             (double)s->n_gone);
  format_one(out, "fakenews_late_total", "counter", "Requests that were given up after serve.timeout_ms.",
             (double)s->n_late);
}

static void format_origin(fn_buf *out, const fn_server *server) {
  fn_server_origin origin;
  if (!fn_server_get_origin(&origin, server)) return;
  const double age = (double)(fn_clock_ns() - origin.asked_ns) * 1e-9;
  format_one(out, "fakenews_registry_version", "gauge", "Version of the registry's model that answers.",
             (double)origin.version);
  if (origin.alias[0]) /* a version by its number is not asked for again, and grows no older */
    format_one(out, "fakenews_registry_age_seconds", "gauge",
               "Time since the registry last said where the alias stands; since the start when it never did.", age);
  format_one(out, "fakenews_registry_failures_total", "counter",
             "Questions to the registry in vain, and versions that could not be fetched or were refused.",
             (double)origin.n_failures);
}

static void format_server(fn_buf *out, fn_server *server) {
  uint64_t done, failed;
  fn_engine *engine = fn_server_engine(server);
  fn_server_get_reloads(&done, &failed, server);
  fn_counters_family(out, "fakenews_build_info", "gauge", "1; its labels say what runs.");
  fn_buf_append_str(out, "fakenews_build_info{version=\"");
  fn_counters_append_label(out, fn_server_get_options(server)->version);
  fn_buf_append_str(out, "\",model=\"");
  fn_counters_append_label(out, fn_engine_get_info(engine)->id);
  fn_buf_append_str(out, "\"} 1\n");
  format_one(out, "fakenews_model_loaded_timestamp_seconds", "gauge", "When the model was loaded, Unix time.",
             (double)fn_engine_loaded_ms(engine) * 1e-3);
  fn_engine_unref(engine);
  format_one(out, "fakenews_reloads_total", "counter", "Models that took over.", (double)done);
  format_one(out, "fakenews_reload_failures_total", "counter", "Models that were refused; the one in service stayed.",
             (double)failed);
  format_one(out, "fakenews_active_requests", "gauge", "Requests that are not answered yet.",
             (double)fn_server_n_active(server));
  format_one(out, "fakenews_connections", "gauge", "Connections that are open.",
             (double)fn_server_n_connections(server));
  format_one(out, "fakenews_draining", "gauge", "1 after SIGTERM.", fn_server_is_draining(server) ? 1.0 : 0.0);
}

static void format_log(fn_buf *out, const fn_server *server) {
  fn_prediction_log_stats s;
  if (fn_server_log(server) == NULL) return;
  fn_prediction_log_get_stats(&s, fn_server_log(server));
  format_one(out, "fakenews_log_up", "gauge", "1 while the prediction log's database could last be used.",
             s.database_up ? 1.0 : 0.0);
  format_one(out, "fakenews_log_rows_total", "counter", "Rows that reached the database.", (double)s.n_written);
  format_one(out, "fakenews_log_repeated_total", "counter", "Rows that were there already: retries.",
             (double)s.n_repeated);
  format_one(out, "fakenews_log_lost_total", "counter", "Answered, but neither written nor spooled.", (double)s.n_lost);
  format_one(out, "fakenews_log_failed_total", "counter", "Requests answered with 503 because no row could be written.",
             (double)s.n_failed);
  format_one(out, "fakenews_log_purged_total", "counter", "Rows deleted after predictions.keep_days.",
             (double)s.n_purged);
  format_one(out, "fakenews_log_pending_rows", "gauge", "Rows that wait to be written.", (double)s.n_pending);
  format_one(out, "fakenews_log_lag_seconds", "gauge", "Age of the oldest row that is not in the database.", s.lag_s);
  format_one(out, "fakenews_log_spool_bytes", "gauge", "Size of the spool that waits for the database.",
             (double)s.spool_bytes);
  fn_counters_family(out, "fakenews_log_commit_seconds", "summary", "Transactions of the prediction log.");
  fn_counters_sample(out, "fakenews_log_commit_seconds_sum", "", s.commit_s);
  fn_counters_sample(out, "fakenews_log_commit_seconds_count", "", (double)s.n_commits);
}

static void format_guard(fn_buf *out, fn_server *server) {
  fn_guard_stats s;
  fn_guard_get_stats(&s, fn_server_guard(server));
  fn_counters_family(out, "fakenews_denied_total", "counter", "Requests that were not let in.");
  fn_counters_sample(out, "fakenews_denied_total", "{why=\"unauthorized\"}", (double)s.n_unauthorized);
  fn_counters_sample(out, "fakenews_denied_total", "{why=\"forbidden\"}", (double)s.n_forbidden);
  fn_counters_sample(out, "fakenews_denied_total", "{why=\"rate\"}", (double)s.n_limited);
  fn_counters_sample(out, "fakenews_denied_total", "{why=\"cross_site\"}", (double)s.n_cross_site);
}

void fn_counters_format(fn_buf *out, fn_server *server) {
  const fn_counters *m = fn_server_metrics(server);
  fn_batcher_stats stats;
  fn_batcher_get_stats(&stats, fn_server_batcher(server));
  format_requests(out, m);
  format_predictions(out, m);
  format_batcher(out, &stats);
  format_server(out, server);
  format_origin(out, server);
  format_log(out, server);
  format_guard(out, server);
}
