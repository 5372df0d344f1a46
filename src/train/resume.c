#include "train/resume.h"

/* Where a run is told of does not change it. */
static bool is_resumable(const char *key) {
  if (strncmp(key, "track.", 6) == 0) return true;
  for (const char *const *k = fn_train_resumable_keys; *k; k++)
    if (strcmp(*k, key) == 0) return true;
  return false;
}

static bool asked_for(const fn_config *config, const char *key) {
  const fn_config_layer layer = fn_config_layer_of(config, key);
  return layer == FN_CONFIG_GROUP || layer == FN_CONFIG_FILE || layer == FN_CONFIG_OVERRIDE;
}

/* Same value: spaces and quotes are matters of notation ([a,b] on the command line is saved as [a, b]). */
static bool same_value(const char *a, const char *b) {
  for (;; a++, b++) {
    while (*a == ' ' || *a == '"') a++;
    while (*b == ' ' || *b == '"') b++;
    if (*a != *b) return false;
    if (*a == '\0') return true;
  }
}

/* One setting; what must not change is added to *refused. */
static fn_status merge(fn_config *saved, bool *changed, fn_buf *refused, const fn_config *given, const char *key,
                       fn_err *err) {
  if (!asked_for(given, key)) return FN_OK;
  const char *then = fn_config_value(saved, key), *now = fn_config_value(given, key);
  if (same_value(then, now)) return FN_OK;
  if (!is_resumable(key)) {
    fn_buf_printf(refused, "%s%s was %s and is %s", refused->length ? "; " : "", key, then, now);
    return FN_OK;
  }
  *changed = true;
  return fn_config_set(saved, FN_CONFIG_OVERRIDE, key, fn_str_from(now), fn_config_origin(given, key), err);
}

static fn_status merge_all(fn_config *saved, bool *changed, const fn_train_job *job, const char *run, fn_err *err) {
  FN_AUTO_BUF fn_buf refused;
  fn_buf_init(&refused, 1 << 16);
  for (size_t t = 0; t < job->n_tables; t++)
    for (size_t i = 0; i < job->tables[t]->n_options; i++)
      FN_TRY(merge(saved, changed, &refused, job->config, job->tables[t]->options[i].key, err));
  if (refused.length == 0) return FN_OK;
  FN_AUTO_BUF fn_buf allowed;
  fn_buf_init(&allowed, 4096);
  for (const char *const *k = fn_train_resumable_keys; *k; k++)
    fn_buf_printf(&allowed, "%s%s", allowed.length ? ", " : "", *k);
  return fn_err_set(err, FN_E_INVALID, "%s: these settings cannot change when a run goes on: %s (these can: %s)", run,
                    refused.data, allowed.data ? allowed.data : "");
}

fn_status fn_train_resume_config(fn_config **config_out, bool *changed_out, const fn_train_job *job, const char *run,
                                 fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(run, "config.yaml");
  if (!path) return fn_err_no_memory(err, "a path");
  fn_config *saved = NULL;
  bool changed = false;
  FN_TRY(fn_config_create(&saved, job->tables, job->n_tables, NULL, err));
  fn_status status = fn_config_load_yaml(saved, FN_CONFIG_OVERRIDE, path, err);
  if (status == FN_OK) status = merge_all(saved, &changed, job, run, err);
  if (status != FN_OK) {
    fn_config_destroy(saved);
    return status;
  }
  *config_out = saved;
  *changed_out = changed;
  return FN_OK;
}
