#include "mlflow/logged.h"

enum { MAX_PARAMS = 100, MAX_METRICS = 1000 };

void fn_mlflow_logged_deinit(fn_mlflow_logged *l) {
  free(l->id);
  free(l->root);
  json_decref(l->params);
  *l = (fn_mlflow_logged){0};
}

static fn_status take(fn_mlflow_logged *out, fn_mlflow *m, const json_t *model, fn_err *err) {
  const json_t *info = json_object_get(model, "info");
  const json_t *params = json_object_get(json_object_get(model, "data"), "params");
  const char *id = fn_mlflow_text(info, "model_id"), *root = fn_mlflow_text(info, "artifact_uri");
  const size_t n = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-");
  if (n == 0 || n > 64 || id[n] != '\0' || !*root)
    return fn_mlflow_strange(m, "logged-models", "no model_id or artifact_uri", err);
  fn_mlflow_logged l = {.ready = strcmp(fn_mlflow_text(info, "status"), "LOGGED_MODEL_READY") == 0,
                        .id = fn_str_dup(fn_str_from(id)),
                        .root = fn_str_dup(fn_str_from(root)),
                        .params = json_object()};
  bool ok = l.id && l.root && l.params;
  for (size_t i = 0; ok && i < json_array_size(params); i++)
    ok = json_object_set_new(l.params, fn_mlflow_text(json_array_get(params, i), "key"), json_true()) == 0;
  if (!ok) {
    fn_mlflow_logged_deinit(&l);
    return fn_err_no_memory(err, "a logged model");
  }
  fn_mlflow_logged_deinit(out);
  *out = l;
  return FN_OK;
}

/* ---- looking for one ---- */

typedef struct look {
  fn_mlflow *mlflow;
  const char *run_id, *hash, *digest;
  fn_mlflow_logged found;
  bool is_own;
} look;

static const char *tag_of(const json_t *info, const char *key) {
  const json_t *tags = json_object_get(info, "tags");
  for (size_t i = 0; i < json_array_size(tags); i++)
    if (strcmp(fn_mlflow_text(json_array_get(tags, i), "key"), key) == 0)
      return fn_mlflow_text(json_array_get(tags, i), "value");
  return "";
}

static fn_status on_model(void *arg, json_t *model, fn_err *err) {
  look *k = arg;
  const json_t *info = json_object_get(model, "info");
  const char *digest = tag_of(info, FN_LOGGED_DIGEST);
  const bool is_ready = strcmp(fn_mlflow_text(info, "status"), "LOGGED_MODEL_READY") == 0,
             is_own = k->digest ? strcmp(digest, k->digest) == 0 : is_ready;
  if (strcmp(fn_mlflow_text(info, "source_run_id"), k->run_id) != 0 ||
      strcmp(tag_of(info, FN_LOGGED_HASH), k->hash) != 0 || (*digest && !is_own) || (k->found.id && !is_own))
    return FN_OK;
  FN_TRY(take(&k->found, k->mlflow, model, err));
  k->found.is_version = *digest != '\0';
  return is_own ? FN_E_CANCELLED : FN_OK;
}

fn_status fn_mlflow_logged_find(fn_mlflow_logged *out, fn_mlflow *m, const fn_mlflow_run *run, const char *hash,
                                const char *digest, fn_err *err) {
  look k = {.mlflow = m, .run_id = run->id, .hash = hash, .digest = digest};
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 16 * 1024);
  fn_buf_append_str(&body, "{\"experiment_ids\":[");
  fn_buf_append_json(&body, fn_str_from(run->experiment_id));
  fn_buf_printf(&body, "],\"filter\":\"tags.`" FN_LOGGED_HASH "` = '%.64s'\",\"max_results\":50", hash);
  FN_TRY(fn_buf_check(&body, "a search", err));
  fn_status status =
      fn_mlflow_pages(m, false, "logged-models/search", NULL, 0, fn_buf_str(&body), "models", on_model, &k, err);
  if (status == FN_E_NOT_FOUND) status = FN_E_UNSUPPORTED; /* of the endpoint */
  if (status == FN_OK)
    *out = k.found;
  else
    fn_mlflow_logged_deinit(&k.found);
  return status;
}

/* ---- making one ---- */

static void write_pair(fn_json_writer *w, const char *key, const char *value, size_t max_value) {
  fn_json_object(w, NULL);
  fn_json_text(w, "key", key);
  fn_json_str(w, "value", fn_utf8_head(value, max_value));
  fn_json_end(w);
}

/* Parameters of the run from *at on that `there` has not, as many as one request takes. */
static size_t write_params(fn_json_writer *w, size_t *at, const fn_mlflow_run *run, const json_t *there) {
  const json_t *params = json_object_get(json_object_get(run->json, "data"), "params");
  size_t n = 0;
  fn_json_array(w, "params");
  for (; *at < json_array_size(params) && n < MAX_PARAMS; (*at)++) {
    const json_t *p = json_array_get(params, *at);
    const char *key = fn_mlflow_text(p, "key");
    if (!*key || json_object_get(there, key)) continue;
    write_pair(w, key, fn_mlflow_text(p, "value"), FN_TRACK_MAX_PARAM);
    n++;
  }
  fn_json_end(w);
  return n;
}

fn_status fn_mlflow_logged_create(fn_mlflow_logged *out, fn_mlflow *m, const fn_mlflow_run *run, const char *name,
                                  const fn_track_pair *tags, size_t n_tags, fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  FN_AUTO_JSON json_t *answer = NULL;
  size_t at = 0;
  fn_json_writer w;
  fn_buf_init(&body, 8 * 1024 * 1024);
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "experiment_id", run->experiment_id);
  fn_json_text(&w, "name", name);
  fn_json_text(&w, "source_run_id", run->id);
  write_params(&w, &at, run, NULL);
  fn_json_array(&w, "tags");
  for (size_t i = 0; i < n_tags; i++) write_pair(&w, tags[i].key, tags[i].value, FN_TRACK_MAX_TAG);
  fn_json_end(&w);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&body, "a logged model", err));
  FN_TRY(fn_mlflow_ask(&answer, m, "POST", "logged-models", NULL, 0, fn_buf_str(&body), err));
  return take(out, m, json_object_get(answer, "model"), err);
}

/* "logged-models/ID" with what stands behind it. */
static fn_status ask_of(fn_mlflow *m, const char *method, const char *id, const char *tail, const fn_buf *body,
                        fn_err *err) {
  char path[128];
  (void)snprintf(path, sizeof path, "logged-models/%.72s%s", id, tail);
  FN_TRY(fn_buf_check(body, "a request to MLflow", err));
  return fn_mlflow_ask(NULL, m, method, path, NULL, 0, fn_buf_str(body), err);
}

static fn_status set_status(fn_mlflow *m, const char *id, const char *state, fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 1024);
  fn_buf_printf(&body, "{\"model_id\":\"%.72s\",\"status\":\"%s\"}", id, state);
  return ask_of(m, "PATCH", id, "", &body, err);
}

fn_status fn_mlflow_logged_fail(fn_mlflow *m, const char *id, fn_err *err) {
  return set_status(m, id, "LOGGED_MODEL_UPLOAD_FAILED", err);
}

fn_status fn_mlflow_logged_tag(fn_mlflow *m, const char *id, const char *key, const char *value, fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_json_writer w;
  fn_buf_init(&body, 64 * 1024);
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "model_id", id);
  fn_json_array(&w, "tags");
  write_pair(&w, key, value, FN_TRACK_MAX_TAG);
  fn_json_end(&w);
  fn_json_end(&w);
  return ask_of(m, "PATCH", id, "/tags", &body, err);
}

/* ---- what belongs to it ---- */

static fn_status bring_params(fn_mlflow *m, const fn_mlflow_logged *l, const fn_mlflow_run *run, fn_err *err) {
  for (size_t at = 0;;) {
    FN_AUTO_BUF fn_buf body;
    fn_json_writer w;
    fn_buf_init(&body, 8 * 1024 * 1024);
    fn_json_begin(&w, &body, 0);
    fn_json_object(&w, NULL);
    fn_json_text(&w, "model_id", l->id);
    const size_t n = write_params(&w, &at, run, l->params);
    fn_json_end(&w);
    if (n == 0) return FN_OK;
    FN_TRY(ask_of(m, "POST", l->id, "/params", &body, err));
  }
}

/* Metrics from *at on, as many as one request takes: their latest points once more, and this time as the model's. */
static size_t write_metrics(fn_json_writer *w, size_t *at, const json_t *metrics, const char *model_id) {
  static const char *const members[] = {"value", "timestamp", "step"};
  size_t n = 0;
  for (; *at < json_array_size(metrics) && n < MAX_METRICS; (*at)++) {
    const json_t *p = json_array_get(metrics, *at);
    const char *key = fn_mlflow_text(p, "key");
    if (!*key || fn_str_starts_with(fn_str_from(key), "system/")) continue;
    fn_json_object(w, NULL);
    fn_json_text(w, "key", key);
    for (size_t k = 0; k < FN_COUNT_OF(members); k++)
      if (json_object_get(p, members[k])) fn_json_value(w, members[k], json_object_get(p, members[k]));
    fn_json_text(w, "model_id", model_id);
    fn_json_end(w);
    n++;
  }
  return n;
}

/* A database has the run's own points already. */
static fn_status bring_metrics(fn_mlflow *m, const fn_mlflow_logged *l, const fn_mlflow_run *run, fn_err *err) {
  const json_t *metrics = json_object_get(json_object_get(run->json, "data"), "metrics");
  for (size_t at = 0; at < json_array_size(metrics);) {
    FN_AUTO_BUF fn_buf body;
    fn_json_writer w;
    fn_buf_init(&body, 1024 * 1024);
    fn_json_begin(&w, &body, 0);
    fn_json_object(&w, NULL);
    fn_json_text(&w, "run_id", run->id);
    fn_json_array(&w, "metrics");
    const size_t n = write_metrics(&w, &at, metrics, l->id);
    fn_json_end(&w);
    fn_json_end(&w);
    FN_TRY(fn_buf_check(&body, "metrics of a model", err));
    if (n > 0) FN_TRY(fn_mlflow_ask(NULL, m, "POST", "runs/log-batch", NULL, 0, fn_buf_str(&body), err));
  }
  return FN_OK;
}

/* A server lists a link as often as it is told of. */
static bool is_linked(const fn_mlflow_run *run, const char *id) {
  const json_t *models = json_object_get(json_object_get(run->json, "outputs"), "model_outputs");
  for (size_t i = 0; i < json_array_size(models); i++)
    if (strcmp(fn_mlflow_text(json_array_get(models, i), "model_id"), id) == 0) return true;
  return false;
}

/* The step of the checkpoint that is kept, where a training said it. */
static int64_t step_of(const fn_mlflow_run *run) {
  int64_t step = 0;
  const json_t *data = json_object_get(run->json, "data");
  const char *text = tag_of(data, "fakenews.best_step");
  return *text && fn_str_to_int64(&step, fn_str_from(text)) && step > 0 ? step : 0;
}

static fn_status link_to_run(fn_mlflow *m, const fn_mlflow_logged *l, const fn_mlflow_run *run, fn_err *err) {
  if (is_linked(run, l->id)) return FN_OK;
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 1024);
  fn_buf_append_str(&body, "{\"run_id\":");
  fn_buf_append_json(&body, fn_str_from(run->id));
  fn_buf_printf(&body, ",\"models\":[{\"model_id\":\"%s\",\"step\":%lld}]}", l->id, (long long)step_of(run));
  FN_TRY(fn_buf_check(&body, "a request to MLflow", err));
  fn_err why = {0};
  const fn_status status = fn_mlflow_ask(NULL, m, "POST", "runs/outputs", NULL, 0, fn_buf_str(&body), &why);
  if (status == FN_OK) return FN_OK;
  const fn_mlflow_failure failure = m->failure;
  fn_mlflow_run now;
  bool there = false;
  /* A database refuses a link that it has: somebody else, or a proxy that sends twice, was faster. */
  if (status == FN_E_INVALID && fn_mlflow_run_get(&now, m, run->id, NULL) == FN_OK) {
    there = is_linked(&now, l->id);
    fn_mlflow_run_deinit(&now);
  }
  m->failure = failure;
  return there ? FN_OK : fn_err_set(err, status, "%s", why.message);
}

fn_status fn_mlflow_logged_finish(fn_mlflow *m, const fn_mlflow_logged *l, const fn_mlflow_run *run, fn_err *err) {
  FN_TRY(bring_params(m, l, run, err));
  FN_TRY(bring_metrics(m, l, run, err));
  FN_TRY(link_to_run(m, l, run, err));
  return l->ready ? FN_OK : set_status(m, l->id, "LOGGED_MODEL_READY", err);
}
