/* The server's registry: models, versions, aliases. */
#include "mlflow/logged.h"
#include "mlflow/mlmodel.h"

static fn_status version_of(fn_mlflow_model_version *out, fn_mlflow *m, json_t *answer, fn_err *err) {
  fn_status status = fn_mlflow_read_version(out, json_incref(json_object_get(answer, "model_version")), err);
  if (status == FN_E_IO) m->failure = (fn_mlflow_failure){.http = 200, .temporary = true};
  return status;
}

/* Versions are text to MLflow. */
typedef struct number {
  char text[24];
} number;

static number as_text(int64_t version) {
  number n;
  (void)snprintf(n.text, sizeof n.text, "%lld", (long long)version);
  return n;
}

fn_status fn_mlflow_model_create(fn_mlflow *m, const char *name, const char *description, fn_err *err) {
  fn_err refused = {0};
  fn_status status = fn_mlflow_post(NULL, m, "POST", "registered-models/create", &refused, "ss", "name", name,
                                    "description", description);
  if (status == FN_OK || strcmp(m->failure.code, "RESOURCE_ALREADY_EXISTS") == 0) return FN_OK;
  return fn_err_set(err, status, "%s", refused.message);
}

fn_status fn_mlflow_model_delete(fn_mlflow *m, const char *name, fn_err *err) {
  return fn_mlflow_post(NULL, m, "DELETE", "registered-models/delete", err, "s", "name", name);
}

fn_status fn_mlflow_model_tag(fn_mlflow *m, const char *name, const char *key, const char *value, fn_err *err) {
  return fn_mlflow_post(NULL, m, "POST", "registered-models/set-tag", err, "sss", "name", name, "key", key, "value",
                        value);
}

/* ---- a model of a run ---- */

/* Servers 3.x. What the training logged becomes the version's, the first time. */
static fn_status put_logged(fn_mlflow_logged *l, fn_mlflow *m, const fn_mlflow_run *run, const char *path,
                            const char *folder, const char *digest, fn_err *err) {
  FN_AUTO_FREE char *model = fn_path_join(folder, FN_MLMODEL_FOLDER);
  char hash[65] = "";
  if (!model) return fn_err_no_memory(err, "a path");
  if (fn_path_is_dir(model)) FN_TRY(fn_mlmodel_hash(hash, model, err));
  if (!*hash && digest) (void)snprintf(hash, sizeof hash, "%.64s", digest); /* a packed file */
  if (digest) FN_TRY(fn_mlflow_logged_find(l, m, run, hash, digest, err));
  const fn_track_pair tags[] = {{FN_LOGGED_DIGEST, digest}, {FN_LOGGED_HASH, hash}};
  const bool is_new = !l->id;
  if (is_new)
    FN_TRY(fn_mlflow_logged_create(l, m, run, path, tags, digest ? 2 : 0, err));
  else
    FN_TRY(fn_mlflow_logged_tag(m, l->id, FN_LOGGED_DIGEST, digest, err));
  fn_status status = fn_mlflow_put(m, l->root, "", folder, err);
  if (status == FN_OK) status = fn_mlflow_logged_finish(m, l, run, err);
  if (status == FN_OK || !is_new) return status;
  const fn_mlflow_failure failure = m->failure;
  (void)!fn_mlflow_logged_fail(m, l->id, NULL);
  m->failure = failure;
  return status;
}

/* Servers 2.x: files of the run, and a note of what they are. */
static fn_status put_files(char **source, fn_mlflow *m, const fn_mlflow_run *run, const char *path, const char *folder,
                           const char *mlmodel_json, fn_err *err) {
  FN_TRY(fn_mlflow_put(m, run->artifact_uri, path, folder, err));
  FN_TRY(fn_mlflow_post(NULL, m, "POST", "runs/log-model", err, "ss", "run_id", run->id, "model_json", mlmodel_json));
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 16 * 1024);
  fn_buf_printf(&text, "%s/%s", run->artifact_uri, path);
  FN_TRY(fn_buf_check(&text, "an address", err));
  *source = fn_str_dup(fn_buf_str(&text));
  return *source ? FN_OK : fn_err_no_memory(err, "an address");
}

fn_status fn_mlflow_model_put(char **source_out, char **model_id_out, fn_mlflow *m, const char *run_id,
                              const char *path, const char *folder, const char *digest, const char *mlmodel_json,
                              fn_err *err) {
  fn_mlflow_logged l = {0};
  fn_mlflow_run run;
  FN_TRY(fn_mlflow_run_get(&run, m, run_id, err));
  fn_err refused = {0};
  fn_status status = put_logged(&l, m, &run, path, folder, digest, &refused);
  if (status == FN_E_UNSUPPORTED && !l.id)
    status = put_files(&l.root, m, &run, path, folder, mlmodel_json, err);
  else if (status != FN_OK)
    (void)fn_err_set(err, status, "%s", refused.message);
  fn_mlflow_run_deinit(&run);
  if (status == FN_OK) *source_out = FN_STEAL(l.root);
  if (status == FN_OK) *model_id_out = FN_STEAL(l.id);
  fn_mlflow_logged_deinit(&l);
  return status;
}

/* ---- versions ---- */

fn_status fn_mlflow_version_create(fn_mlflow_model_version *version_out, fn_mlflow *m, const char *name,
                                   const char *source, const char *run_id, const char *model_id,
                                   const char *description, const fn_track_pair *tags, size_t n_tags, fn_err *err) {
  FN_AUTO_BUF fn_buf body, model;
  fn_buf_init(&body, 4 * 1024 * 1024);
  fn_buf_init(&model, 1024);
  /* where the files of a logged model stand is the server's to say */
  fn_buf_printf(&model, "models:/%s", model_id ? model_id : "");
  FN_TRY(fn_buf_check(&model, "an address", err));
  fn_json_writer w;
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "name", name);
  fn_json_text(&w, "source", model_id ? model.data : source);
  if (run_id) fn_json_text(&w, "run_id", run_id);
  if (model_id) fn_json_text(&w, "model_id", model_id);
  if (description) fn_json_text(&w, "description", description);
  fn_json_array(&w, "tags");
  for (size_t i = 0; i < n_tags; i++) {
    fn_json_object(&w, NULL);
    fn_json_text(&w, "key", tags[i].key);
    fn_json_text(&w, "value", tags[i].value);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&body, "a model version", err));
  FN_AUTO_JSON json_t *answer = NULL;
  FN_TRY(fn_mlflow_ask(&answer, m, "POST", "model-versions/create", NULL, 0, fn_buf_str(&body), err));
  return version_of(version_out, m, answer, err);
}

fn_status fn_mlflow_version_get(fn_mlflow_model_version *version_out, fn_mlflow *m, const char *name, int64_t version,
                                fn_err *err) {
  const number n = as_text(version);
  const fn_call_pair query[] = {{"name", name}, {"version", n.text}};
  FN_AUTO_JSON json_t *answer = NULL;
  FN_TRY(fn_mlflow_ask(&answer, m, "GET", "model-versions/get", query, 2, (fn_str){0}, err));
  return version_of(version_out, m, answer, err);
}

typedef struct version_search {
  fn_mlflow_version_emit emit;
  void *arg;
} version_search;

static fn_status on_version(void *arg, json_t *object, fn_err *err) {
  const version_search *s = arg;
  fn_mlflow_model_version version;
  FN_TRY(fn_mlflow_read_version(&version, json_incref(object), err));
  fn_status status = s->emit(s->arg, &version, err);
  fn_mlflow_model_version_deinit(&version);
  return status;
}

fn_status fn_mlflow_version_list(fn_mlflow *m, const char *name, fn_mlflow_version_emit emit, void *arg, fn_err *err) {
  /* names with both kinds of quotes cannot be written in the filter */
  char quote = strchr(name, '\'') ? '"' : '\'';
  if (strchr(name, quote)) return fn_err_set(err, FN_E_INVALID, "%s: a model's name with both kinds of quotes", name);
  FN_AUTO_BUF fn_buf filter;
  fn_buf_init(&filter, 64 * 1024);
  fn_buf_printf(&filter, "name=%c%s%c", quote, name, quote);
  FN_TRY(fn_buf_check(&filter, "a filter", err));
  const fn_call_pair query[] = {{"filter", filter.data}, {"max_results", "1000"}, {"order_by", "version_number DESC"}};
  version_search search = {emit, arg};
  return fn_mlflow_pages(m, true, "model-versions/search", query, 3, (fn_str){0}, "model_versions", on_version, &search,
                         err);
}

fn_status fn_mlflow_version_files(char **root_out, fn_mlflow *m, const char *name, int64_t version, fn_err *err) {
  const number n = as_text(version);
  const fn_call_pair query[] = {{"name", name}, {"version", n.text}};
  FN_AUTO_JSON json_t *answer = NULL;
  FN_TRY(fn_mlflow_ask(&answer, m, "GET", "model-versions/get-download-uri", query, 2, (fn_str){0}, err));
  const char *root = fn_mlflow_text(answer, "artifact_uri");
  if (!*root) return fn_mlflow_strange(m, "model-versions/get-download-uri", "no artifact_uri", err);
  char *copy = fn_str_dup(fn_str_from(root));
  if (!copy) return fn_err_no_memory(err, "an address");
  *root_out = copy;
  return FN_OK;
}

fn_status fn_mlflow_version_describe(fn_mlflow *m, const char *name, int64_t version, const char *description,
                                     fn_err *err) {
  const number n = as_text(version);
  return fn_mlflow_post(NULL, m, "PATCH", "model-versions/update", err, "sss", "name", name, "version", n.text,
                        "description", description);
}

fn_status fn_mlflow_version_tag(fn_mlflow *m, const char *name, int64_t version, const char *key, const char *value,
                                fn_err *err) {
  const number n = as_text(version);
  return fn_mlflow_post(NULL, m, "POST", "model-versions/set-tag", err, "ssss", "name", name, "version", n.text, "key",
                        key, "value", value);
}

fn_status fn_mlflow_version_tag_delete(fn_mlflow *m, const char *name, int64_t version, const char *key, fn_err *err) {
  const number n = as_text(version);
  return fn_mlflow_post(NULL, m, "DELETE", "model-versions/delete-tag", err, "sss", "name", name, "version", n.text,
                        "key", key);
}

fn_status fn_mlflow_version_delete(fn_mlflow *m, const char *name, int64_t version, fn_err *err) {
  const number n = as_text(version);
  return fn_mlflow_post(NULL, m, "DELETE", "model-versions/delete", err, "ss", "name", name, "version", n.text);
}

/* ---- aliases ---- */

fn_status fn_mlflow_alias_get(fn_mlflow_model_version *version_out, fn_mlflow *m, const char *name, const char *alias,
                              fn_err *err) {
  const fn_call_pair query[] = {{"name", name}, {"alias", alias}};
  FN_AUTO_JSON json_t *answer = NULL;
  FN_TRY(fn_mlflow_ask(&answer, m, "GET", "registered-models/alias", query, 2, (fn_str){0}, err));
  return version_of(version_out, m, answer, err);
}

fn_status fn_mlflow_alias_set(fn_mlflow *m, const char *name, const char *alias, int64_t version, fn_err *err) {
  const number n = as_text(version);
  return fn_mlflow_post(NULL, m, "POST", "registered-models/alias", err, "sss", "name", name, "alias", alias, "version",
                        n.text);
}

fn_status fn_mlflow_alias_delete(fn_mlflow *m, const char *name, const char *alias, fn_err *err) {
  return fn_mlflow_post(NULL, m, "DELETE", "registered-models/alias", err, "ss", "name", name, "alias", alias);
}

fn_status fn_mlflow_model_aliases(json_t **aliases_out, fn_mlflow *m, const char *name, fn_err *err) {
  const fn_call_pair query[] = {{"name", name}};
  FN_AUTO_JSON json_t *answer = NULL, *aliases = json_object();
  if (aliases == NULL) return fn_err_no_memory(err, "aliases");
  fn_err why = {0};
  const fn_status status = fn_mlflow_ask(&answer, m, "GET", "registered-models/get", query, 1, (fn_str){0}, &why);
  if (status != FN_OK && status != FN_E_NOT_FOUND) return fn_err_set(err, status, "%s", why.message);
  const json_t *list = json_object_get(json_object_get(answer, "registered_model"), "aliases");
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i), *said = json_object_get(item, "version");
    const char *alias = json_string_value(json_object_get(item, "alias"));
    int64_t version = json_integer_value(said);
    if (json_is_string(said) && !fn_str_to_int64(&version, fn_str_from(json_string_value(said)))) version = 0;
    if (alias == NULL || version < 1)
      return fn_mlflow_strange(m, "registered-models/get", "an alias of no version", err);
    if (json_object_set_new(aliases, alias, json_integer(version)) != 0) return fn_err_no_memory(err, "aliases");
  }
  *aliases_out = FN_STEAL(aliases);
  return FN_OK;
}
