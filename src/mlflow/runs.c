/* Experiments and runs. */
#include "mlflow/internal.h"

#include <math.h>

enum { MAX_EXPERIMENTS = 500 }; /* of one search */

/* ---- experiments ---- */

static fn_status refuse_deleted(fn_mlflow *m, const json_t *experiment, fn_err *err) {
  if (strcmp(fn_mlflow_text(experiment, "lifecycle_stage"), "deleted") != 0) return FN_OK;
  char name[200];
  fn_mlflow_clean(name, sizeof name, fn_str_from(fn_mlflow_text(experiment, "name")));
  return fn_err_set(err, FN_E_INVALID,
                    "%s: the experiment \"%s\" is deleted; restore it (mlflow experiments restore --experiment-id "
                    "%.40s) or set track.experiment to another name",
                    m->uri, name, fn_mlflow_text(experiment, "experiment_id"));
}

static fn_status by_name(char **id_out, fn_mlflow *m, const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *answer = NULL;
  const fn_call_pair query[] = {{"experiment_name", name}};
  FN_TRY(fn_mlflow_ask(&answer, m, "GET", "experiments/get-by-name", query, 1, (fn_str){0}, err));
  const json_t *experiment = json_object_get(answer, "experiment");
  const char *id = fn_mlflow_text(experiment, "experiment_id");
  if (!*id) return fn_mlflow_strange(m, "experiments/get-by-name", "no experiment_id", err);
  FN_TRY(refuse_deleted(m, experiment, err));
  char *copy = fn_str_dup(fn_str_from(id));
  if (!copy) return fn_err_no_memory(err, "an id");
  *id_out = copy;
  return FN_OK;
}

fn_status fn_mlflow_experiment(char **id_out, fn_mlflow *m, const char *name, bool create, fn_err *err) {
  fn_status status = by_name(id_out, m, name, err);
  if (status != FN_E_NOT_FOUND || !create) return status;
  fn_err refused = {0};
  status = fn_mlflow_post(NULL, m, "POST", "experiments/create", &refused, "s", "name", name);
  /* somebody else may have made it meanwhile: it counts whether it is there */
  if (status != FN_OK && strcmp(m->failure.code, "RESOURCE_ALREADY_EXISTS") != 0)
    return fn_err_set(err, status, "%s", refused.message);
  return by_name(id_out, m, name, err);
}

fn_status fn_mlflow_experiment_check(fn_mlflow *m, const char *id, const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *answer = NULL;
  const fn_call_pair query[] = {{"experiment_id", id}};
  FN_TRY(fn_mlflow_ask(&answer, m, "GET", "experiments/get", query, 1, (fn_str){0}, err));
  const json_t *experiment = json_object_get(answer, "experiment");
  if (!*fn_mlflow_text(experiment, "experiment_id"))
    return fn_mlflow_strange(m, "experiments/get", "no experiment_id", err);
  FN_TRY(refuse_deleted(m, experiment, err));
  const char *is = fn_mlflow_text(experiment, "name");
  if (!name || !*name || strcmp(is, name) == 0) return FN_OK;
  char shown[200];
  fn_mlflow_clean(shown, sizeof shown, fn_str_from(is));
  m->failure = (fn_mlflow_failure){.http = 200};
  return fn_err_set(err, FN_E_INVALID, "%s: the experiment %.40s is \"%s\", not \"%.200s\"", m->uri, id, shown, name);
}

fn_status fn_mlflow_experiment_of(char **id_out, fn_mlflow *m, const char *id, const char *name, fn_err *err) {
  if (!id) return fn_mlflow_experiment(id_out, m, name, true, err);
  FN_TRY(fn_mlflow_experiment_check(m, id, name, err));
  *id_out = fn_str_dup(fn_str_from(id));
  return *id_out ? FN_OK : fn_err_no_memory(err, "an experiment");
}

/* ---- runs ---- */

static fn_status run_of(fn_mlflow_run *run_out, fn_mlflow *m, json_t *answer, const char *member, fn_err *err) {
  json_t *object = json_object_get(answer, member);
  fn_status status = fn_mlflow_read_run(run_out, json_incref(object), err);
  if (status == FN_E_IO) m->failure = (fn_mlflow_failure){.http = 200, .temporary = true};
  return status;
}

static void write_pairs(fn_json_writer *w, const char *key, const fn_track_pair *pairs, size_t n) {
  fn_json_array(w, key);
  for (size_t i = 0; i < n; i++) {
    fn_json_object(w, NULL);
    fn_json_text(w, "key", pairs[i].key);
    fn_json_text(w, "value", pairs[i].value);
    fn_json_end(w);
  }
  fn_json_end(w);
}

fn_status fn_mlflow_run_create(fn_mlflow_run *run_out, fn_mlflow *m, const char *experiment_id, const char *name,
                               int64_t start_ms, const fn_track_pair *tags, size_t n_tags, fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 4 * 1024 * 1024);
  fn_json_writer w;
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "experiment_id", experiment_id);
  if (name) fn_json_text(&w, "run_name", name);
  fn_json_int(&w, "start_time", start_ms);
  for (size_t i = 0; i < n_tags; i++) /* MLflow's clients say it twice; its search knows attributes.user_id */
    if (strcmp(tags[i].key, "mlflow.user") == 0) fn_json_text(&w, "user_id", tags[i].value);
  if (n_tags > 0) write_pairs(&w, "tags", tags, n_tags);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&body, "a run", err));
  FN_AUTO_JSON json_t *answer = NULL;
  FN_TRY(fn_mlflow_ask(&answer, m, "POST", "runs/create", NULL, 0, fn_buf_str(&body), err));
  return run_of(run_out, m, answer, "run", err);
}

fn_status fn_mlflow_run_get(fn_mlflow_run *run_out, fn_mlflow *m, const char *run_id, fn_err *err) {
  FN_AUTO_JSON json_t *answer = NULL;
  const fn_call_pair query[] = {{"run_id", run_id}, {"run_uuid", run_id}};
  FN_TRY(fn_mlflow_ask(&answer, m, "GET", "runs/get", query, 2, (fn_str){0}, err));
  return run_of(run_out, m, answer, "run", err);
}

fn_status fn_mlflow_run_update(fn_mlflow *m, const char *run_id, const char *status, int64_t end_ms, fn_err *err) {
  return end_ms != 0 ? fn_mlflow_post(NULL, m, "POST", "runs/update", err, "sssi", "run_id", run_id, "run_uuid", run_id,
                                      "status", status, "end_time", end_ms)
                     : fn_mlflow_post(NULL, m, "POST", "runs/update", err, "sss", "run_id", run_id, "run_uuid", run_id,
                                      "status", status);
}

typedef struct run_search {
  fn_mlflow_run_emit emit;
  void *arg;
  size_t left; /* SIZE_MAX: all */
} run_search;

static fn_status on_run(void *arg, json_t *object, fn_err *err) {
  run_search *s = arg;
  if (s->left == 0) return FN_E_CANCELLED;
  if (s->left != SIZE_MAX) s->left--;
  fn_mlflow_run run;
  FN_TRY(fn_mlflow_read_run(&run, json_incref(object), err));
  fn_status status = s->emit(s->arg, &run, err);
  fn_mlflow_run_deinit(&run);
  return status;
}

/* ids: a list in JSON without its brackets. */
static fn_status search_in(fn_mlflow *m, const char *ids, const char *filter, size_t max, run_search *search,
                           fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 256 * 1024);
  fn_buf_printf(&body, "{\"experiment_ids\":[%s],\"run_view_type\":\"ACTIVE_ONLY\"", ids);
  fn_buf_append_str(&body, ",\"order_by\":[\"attributes.start_time DESC\"]");
  if (filter) {
    fn_buf_append_str(&body, ",\"filter\":");
    fn_buf_append_json(&body, fn_str_from(filter));
  }
  const size_t page = max == 0 || max > 1000 ? 1000 : max;
  fn_buf_printf(&body, ",\"max_results\":%zu", page);
  search->left = max == 0 ? SIZE_MAX : max;
  return fn_mlflow_pages(m, false, "runs/search", NULL, 0, fn_buf_str(&body), "runs", on_run, search, err);
}

typedef struct experiment_list {
  fn_buf ids;
  size_t n;
  fn_mlflow *mlflow;
  const char *filter;
  size_t max;
  run_search *search;
} experiment_list;

static fn_status search_listed(experiment_list *l, fn_err *err) {
  if (l->n == 0) return FN_OK;
  FN_TRY(fn_buf_check(&l->ids, "experiments", err));
  FN_TRY(search_in(l->mlflow, l->ids.data, l->filter, l->max, l->search, err));
  fn_buf_reset(&l->ids);
  l->n = 0;
  return FN_OK;
}

static fn_status on_experiment(void *arg, json_t *object, fn_err *err) {
  experiment_list *l = arg;
  const char *id = fn_mlflow_text(object, "experiment_id");
  if (!*id) return FN_OK;
  if (l->n > 0) fn_buf_append_char(&l->ids, ',');
  fn_buf_append_json(&l->ids, fn_str_from(id));
  return ++l->n < MAX_EXPERIMENTS ? FN_OK : search_listed(l, err);
}

fn_status fn_mlflow_run_search(fn_mlflow *m, const char *experiment_id, const char *filter, size_t max,
                               fn_mlflow_run_emit emit, void *arg, fn_err *err) {
  run_search search = {emit, arg, 0};
  experiment_list l = {.mlflow = m, .filter = filter, .max = max, .search = &search};
  fn_buf_init(&l.ids, 64 * 1024);
  fn_status status = FN_OK;
  if (experiment_id) {
    fn_buf_append_json(&l.ids, fn_str_from(experiment_id));
    l.n = 1;
  } else {
    const fn_str body = fn_str_from("{\"view_type\":\"ACTIVE_ONLY\",\"max_results\":1000");
    status = fn_mlflow_pages(m, false, "experiments/search", NULL, 0, body, "experiments", on_experiment, &l, err);
  }
  if (status == FN_OK) status = search_listed(&l, err);
  fn_buf_deinit(&l.ids);
  return status;
}

/* ---- batches ---- */

enum { MAX_METRICS = 1000, MAX_PAIRS = 100, MAX_ALL = 1000, MAX_BYTES = 900 * 1000 };

/* MLflow refuses a batch that names a parameter twice. */
static bool is_named(const fn_track_pair *pairs, size_t n, const char *key) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(pairs[i].key, key) == 0) return true;
  return false;
}

/* Appends pairs to a list until a limit is met; returns how many. */
static size_t add_pairs(fn_buf *body, const char *list, const fn_track_pair *pairs, size_t n, size_t max_value) {
  size_t i = 0;
  fn_buf_printf(body, ",\"%s\":[", list);
  for (; i < n && i < MAX_PAIRS && body->length < MAX_BYTES && !is_named(pairs, i, pairs[i].key); i++) {
    fn_buf_append_str(body, i ? ",{\"key\":" : "{\"key\":");
    fn_buf_append_json(body, fn_str_from(pairs[i].key));
    fn_buf_append_str(body, ",\"value\":");
    fn_buf_append_json(body, fn_utf8_head(pairs[i].value, max_value));
    fn_buf_append_char(body, '}');
  }
  fn_buf_append_char(body, ']');
  return i;
}

static size_t add_metrics(fn_buf *body, const fn_metric_point *metrics, size_t n) {
  size_t i = 0;
  fn_buf_append_str(body, ",\"metrics\":[");
  for (; i < n && body->length < MAX_BYTES; i++) {
    const fn_metric_point *p = &metrics[i];
    fn_buf_append_str(body, i ? ",{\"key\":" : "{\"key\":");
    fn_buf_append_json(body, fn_str_from(p->key));
    fn_buf_append_str(body, ",\"value\":");
    if (isnan(p->value))
      fn_buf_append_str(body, "\"NaN\"");
    else if (isinf(p->value))
      fn_buf_append_str(body, p->value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
      fn_buf_append_double(body, p->value);
    fn_buf_printf(body, ",\"timestamp\":%lld,\"step\":%lld}", (long long)p->time_ms, (long long)p->step);
  }
  fn_buf_append_char(body, ']');
  return i;
}

fn_status fn_mlflow_log_batch(size_t *n_sent, fn_mlflow *m, const char *run_id, const fn_track_pair *params,
                              size_t n_params, const fn_track_pair *tags, size_t n_tags, const fn_metric_point *metrics,
                              size_t n_metrics, fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 2 * 1024 * 1024);
  size_t sent = 0;
  if (n_sent) *n_sent = 0;
  while (n_params + n_tags + n_metrics > 0) {
    fn_buf_reset(&body);
    fn_buf_append_str(&body, "{\"run_id\":");
    fn_buf_append_json(&body, fn_str_from(run_id));
    size_t a = add_pairs(&body, "params", params, n_params, FN_TRACK_MAX_PARAM);
    size_t b = a == n_params ? add_pairs(&body, "tags", tags, n_tags, FN_TRACK_MAX_TAG) : 0;
    size_t room = MAX_ALL - a - b;
    size_t c = a == n_params && b == n_tags ? add_metrics(&body, metrics, n_metrics < room ? n_metrics : room) : 0;
    fn_buf_append_char(&body, '}');
    FN_TRY(fn_buf_check(&body, "a batch of metrics", err));
    FN_TRY(fn_mlflow_ask(NULL, m, "POST", "runs/log-batch", NULL, 0, fn_buf_str(&body), err));
    params += a, n_params -= a;
    tags += b, n_tags -= b;
    metrics += c, n_metrics -= c;
    sent += a + b + c;
    if (n_sent) *n_sent = sent;
  }
  return FN_OK;
}

fn_status fn_mlflow_log_inputs(fn_mlflow *m, const char *run_id, const fn_mlflow_dataset *datasets, size_t n,
                               fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 1024 * 1024);
  fn_json_writer w;
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "run_id", run_id);
  fn_json_array(&w, "datasets");
  for (size_t i = 0; i < n; i++) {
    const fn_mlflow_dataset *d = &datasets[i];
    fn_json_object(&w, NULL);
    if (d->context) {
      const fn_track_pair tag = {"mlflow.data.context", d->context};
      write_pairs(&w, "tags", &tag, 1);
    }
    fn_json_object(&w, "dataset");
    fn_json_text(&w, "name", d->name);
    fn_json_str(&w, "digest", fn_utf8_head(d->digest, 36));
    fn_json_text(&w, "source_type", d->source_type);
    fn_json_text(&w, "source", d->source);
    char profile[64];
    (void)snprintf(profile, sizeof profile, "{\"num_rows\": %lld}", (long long)d->n_rows);
    if (d->n_rows > 0) fn_json_text(&w, "profile", profile);
    fn_json_end(&w);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&body, "data sets of a run", err));
  return fn_mlflow_ask(NULL, m, "POST", "runs/log-inputs", NULL, 0, fn_buf_str(&body), err);
}
