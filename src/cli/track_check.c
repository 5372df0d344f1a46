#include "cli/track_check.h"

/* any: of the sinks that are named. */
static fn_status check_sinks(bool *any, const fn_cli *cli, const fn_track_options *o, const fn_cli_stores *stores,
                             bool resume, fn_err *err) {
  *any = false;
  for (size_t i = 0; i < o->sinks.n; i++) {
    const fn_cli_sink_kind *k = fn_cli_sink_kinds;
    while (k->name && strcmp(k->name, o->sinks.items[i]) != 0) k++;
    if (k->name) {
      *any = true;
      if (k->check) FN_TRY(k->check(cli, o, &stores->environment, resume, err));
      continue;
    }
    FN_AUTO_BUF fn_buf names;
    fn_buf_init(&names, 4096);
    for (k = fn_cli_sink_kinds; k->name; k++) fn_buf_printf(&names, "%s%s", k > fn_cli_sink_kinds ? ", " : "", k->name);
    return fn_err_set(err, FN_E_INVALID, "track.sinks: there is no \"%.60s\"; accepted are: %s; [] for none",
                      o->sinks.items[i], names.data ? names.data : "");
  }
  return FN_OK;
}

static fn_status check_parent(const fn_track_options *o, fn_err *err) {
  if (!o->parent || fn_run_id_is_valid(o->parent)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "track.parent: \"%.60s\" is not the id of a run (32 hexadecimal digits)",
                    o->parent);
}

/* Before the training, for afterwards they would be lost. */
static fn_status check_tags(const fn_track_options *o, fn_err *err) {
  for (size_t i = 0; i < o->tags.n; i++) {
    const fn_status status = fn_track_check_key(o->tags.keys[i], "tag", err);
    if (status != FN_OK) return fn_err_prefix(err, status, "track.tags");
  }
  return FN_OK;
}

static bool any_password(const fn_config *config, const fn_option *o) {
  const char *value = o->secret ? NULL : fn_config_value(config, o->key);
  return value && fn_str_has_password(value);
}

/* Settings are written into the run's folder, its store and to servers. */
static fn_status check_passwords(const fn_config *config, fn_err *err) {
  for (size_t i = 0; i < fn_cli_n_tables; i++)
    for (size_t j = 0; j < fn_cli_tables[i]->n_options; j++) {
      const fn_option *o = &fn_cli_tables[i]->options[j];
      if (any_password(config, o))
        return fn_err_set(err, FN_E_INVALID,
                          "%s: an address with a password would be kept with the run; credentials come from the "
                          "environment or their files (docs/stores.md), not from addresses",
                          o->key);
    }
  return FN_OK;
}

/* What the address alone says is said before the training. */
static fn_status check_artifacts(const fn_track_options *o, const fn_cli_stores *stores, fn_err *err) {
  fn_cli_place place;
  const char *artifacts = fn_cli_track_artifacts(place, o);
  fn_store *store = NULL;
  fn_err why = {0};
  if (!fn_track_has_sink(o, "local") || !fn_store_is_uri(artifacts)) return FN_OK;
  if (fn_str_starts_with(fn_str_from(artifacts), "http"))
    return fn_err_set(err, FN_E_INVALID,
                      "track.artifacts: nothing can be put on a web server (http, https); a folder, s3://… or gs://… "
                      "is accepted");
  const fn_status status = fn_store_open(&store, artifacts, &stores->options, &why);
  if (status == FN_OK) fn_store_close(store);
  if (status != FN_E_INVALID && status != FN_E_UNSUPPORTED) return FN_OK;
  return fn_err_set(err, status, "track.artifacts: %s", why.message);
}

static void note_files_of_postgresql(const fn_cli *cli, const fn_track_options *o) {
  fn_sql_kind kind;
  if (!fn_track_has_sink(o, "local") || o->artifacts || !fn_sql_kind_of(&kind, fn_cli_track_url(o)) ||
      kind != FN_SQL_POSTGRESQL)
    return;
  fn_cli_note(cli, "the files of this run go to runs/artifacts of this folder, where others that share the database "
                   "do not find them; track.artifacts=s3://… or a shared folder is for all");
}

/* track.required: the store must be there, and take what is written. */
static fn_status check_store(const fn_cli *cli, const fn_cli_stores *stores, fn_err *err) {
  fn_tracking *tracking = NULL;
  fn_status status = fn_cli_open_tracking(&tracking, cli, stores, FN_CLI_OPEN_MAKE, err);
  if (status == FN_OK) {
    status = fn_tracking_check_writable(tracking, err);
    fn_tracking_close(tracking);
  }
  return status == FN_OK ? FN_OK : fn_err_prefix(err, status, "track.required");
}

fn_status fn_cli_track_check(bool *any_out, const fn_cli *cli, const fn_track_options *o, const fn_cli_stores *stores,
                             bool resume, fn_err *err) {
  FN_TRY(check_sinks(any_out, cli, o, stores, resume, err));
  FN_TRY(check_parent(o, err));
  FN_TRY(check_tags(o, err));
  const fn_status status_of_name = fn_track_check_experiment(o->experiment, err);
  if (status_of_name != FN_OK) return fn_err_prefix(err, status_of_name, "track.experiment");
  if (*any_out) FN_TRY(check_passwords(cli->config, err));
  FN_TRY(check_artifacts(o, stores, err));
  note_files_of_postgresql(cli, o);
  return *any_out && o->required && fn_track_has_sink(o, "local") ? check_store(cli, stores, err) : FN_OK;
}
