/* A training that is tracked: its events become parameters, tags, metrics and files of a run. */
#include "cli/track_check.h"
#include "cli/track_command.h"
#include "cli/track_identity.h"
#include "cli/track_support.h"
#include "track/source_revision.h"
#include "train/record.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_SINKS = 8, MAX_DEPTH = 8, FLUSH_MS = 200 };

struct fn_cli_tracked {
  const fn_cli *cli;
  bool resume;
  fn_track_options options;
  fn_cli_stores stores;
  fn_arena arena; /* texts of `options` that are not cli's, and of `run` */
  fn_run_info run;
  fn_cli_identity identity;
  bool lost_url; /* database of the run, which is not known any more */
  char user[128];
  const char *folder;   /* of the run, absolute */
  fn_config *saved;     /* settings of the run, with track.* as it was given now; NULL before it begins */
  fn_tracker *tracker;  /* NULL: not begun, or it could not be */
  uint64_t step_ns;     /* end of the latest step or pause */
  atomic_bool may_stop; /* whoever asks to stop now means the transfers at the end, for the training is over */
};

/* ---- what is told ---- */

static void tell_pair(const fn_cli_tracked *t, fn_track_event_kind kind, const char *key, const char *value) {
  if (!value || !*value) return;
  const fn_track_event event = {.kind = kind, .key = key, .value = value};
  fn_tracker_log(t->tracker, &event);
}

static void tell_tag(const fn_cli_tracked *t, const char *key, const char *value) {
  tell_pair(t, FN_TRACK_TAG, key, value);
}

static void tell_metric(const fn_cli_tracked *t, const char *split, const char *name, double value, int64_t step,
                        int64_t time_ms) {
  char key[128];
  snprintf(key, sizeof key, "%s/%s", split, name);
  const fn_track_event event = {.kind = FN_TRACK_METRIC, .key = key, .number = value, .step = step, .time_ms = time_ms};
  fn_tracker_log(t->tracker, &event);
}

static void tell_count(const fn_cli_tracked *t, const char *key, int64_t count) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)count);
  tell_pair(t, FN_TRACK_PARAM, key, text);
}

/* Of a run that goes on all the same. */
static void tell_left_out(const fn_cli_tracked *t, const char *what, const fn_err *why) {
  fn_cli_warn(t->cli, "tracking: %s of this run %s left out: %s", what, what[strlen(what) - 1] == 's' ? "are" : "is",
              why->message);
}

static void on_note(void *arg, const char *sink, const char *text) {
  const fn_cli_tracked *t = arg;
  fn_cli_warn(t->cli, "tracking (%s): %s", sink, text);
}

/* ---- the settings of the run ---- */

/* The settings that decide about a training of this family; src/train/job_linear.c reads two of train.…. */
static const char *asked_of(const char *family) {
  return family && strcmp(family, "linear") == 0
             ? "family name train.class_weights train.sampling data.leave_out data.text linear. device."
             : "family name train. data.leave_out data.text model. device.";
}

/* A setting as a person would write it: "none" in quotes is the text none. */
static void tell_setting(const fn_cli_tracked *t, const char *key, const char *value) {
  const size_t n = value ? strlen(value) : 0;
  const bool quoted = n >= 2 && value[0] == '"' && value[n - 1] == '"';
  FN_AUTO_FREE char *plain = quoted ? fn_str_dup(fn_str_make(value + 1, n - 2)) : NULL;
  size_t kept = 0;
  for (size_t i = 0; plain && plain[i]; i++) {
    if (plain[i] == '\\' && plain[i + 1]) i++;
    plain[kept++] = plain[i];
  }
  if (plain) plain[kept] = '\0';
  tell_pair(t, FN_TRACK_PARAM, key, plain ? plain : value);
}

static bool is_given(const fn_cli_tracked *t, const char *key) {
  const fn_config_layer layer = fn_config_layer_of(t->cli->config, key);
  return layer == FN_CONFIG_GROUP || layer == FN_CONFIG_FILE || layer == FN_CONFIG_OVERRIDE;
}

/* changed: but those that a resumed run was given anew. */
static void tell_settings(const fn_cli_tracked *t, const fn_config *config, bool changed) {
  const char *asked = asked_of(fn_config_value(config, "family"));
  for (size_t i = 0; i < fn_cli_n_tables; i++)
    for (size_t j = 0; j < fn_cli_tables[i]->n_options; j++) {
      const fn_option *o = &fn_cli_tables[i]->options[j];
      if (!o->secret && fn_config_is_asked(o->key, asked) && !(changed && is_given(t, o->key)))
        tell_setting(t, o->key, fn_config_value(config, o->key));
    }
}

/* A parameter is written once; what a resumed run was given anew becomes a tag. */
static void tell_changes(const fn_cli_tracked *t, const fn_config *saved) {
  const fn_config *now = t->cli->config;
  const char *asked = asked_of(fn_config_value(saved, "family"));
  for (size_t i = 0; i < fn_cli_n_tables; i++)
    for (size_t j = 0; j < fn_cli_tables[i]->n_options; j++) {
      const fn_option *o = &fn_cli_tables[i]->options[j];
      char key[200];
      snprintf(key, sizeof key, "fakenews.resumed.%s", o->key);
      if (is_given(t, o->key) && !o->secret && fn_config_is_asked(o->key, asked))
        tell_tag(t, key, fn_config_value(now, o->key));
    }
}

static fn_status load_settings(fn_config **out, const char *folder, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(folder, "config.yaml");
  fn_config *config = NULL;
  if (!path) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_config_create(&config, fn_cli_tables, fn_cli_n_tables, NULL, err));
  const fn_status status = fn_config_load_yaml(config, FN_CONFIG_OVERRIDE, path, err);
  if (status != FN_OK) {
    fn_config_destroy(config);
    return status;
  }
  *out = config;
  return FN_OK;
}

/* ---- who the run is ---- */

static fn_status find_folder(fn_cli_tracked *t, const char *folder, fn_err *err) {
  char *real = NULL;
  FN_TRY(fn_path_real(&real, folder, err));
  t->folder = fn_arena_strndup(&t->arena, real, strlen(real));
  free(real);
  return t->folder ? FN_OK : fn_err_no_memory(err, "a path");
}

/* *known: the run was begun before. */
static fn_status identify(bool *known, fn_cli_tracked *t, fn_err *err) {
  *known = t->identity.id[0] != '\0';
  if (!*known && t->identity.parent[0])
    fn_cli_note(t->cli,
                "this run folder is a copy of one that is still there: a run of its own begins, below run %.12s",
                t->identity.parent);
  fn_cli_place place;
  FN_TRY(fn_cli_identity_save(&t->identity, t->folder, fn_cli_track_url(&t->options),
                              fn_cli_track_artifacts(place, &t->options), t->options.experiment, err));
  memcpy(t->run.id, t->identity.id, sizeof t->run.id);
  t->run.start_ms = t->identity.start_ms;
  t->run.experiment_name = t->options.experiment;
  t->run.name = fn_path_base(t->folder);
  fn_cli_user_name(t->user, sizeof t->user);
  t->run.user = t->user;
  t->run.folder = t->folder;
  snprintf(t->run.parent, sizeof t->run.parent, "%s", t->options.parent ? t->options.parent : t->identity.parent);
  return FN_OK;
}

/* ---- begin ---- */

static void tell_source(const fn_cli_tracked *t) {
  fn_source_revision revision;
  char host[128] = "";
  FN_AUTO_BUF fn_buf command;
  fn_buf_init(&command, 1 << 16);
  fn_source_revision_find(&revision, ".");
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  fn_cli_command_line(&command);
  tell_tag(t, "mlflow.runName", t->run.name);
  tell_tag(t, "mlflow.user", t->run.user);
  tell_tag(t, "mlflow.source.name", "fakenews train");
  tell_tag(t, "mlflow.source.type", "LOCAL");
  tell_tag(t, "mlflow.source.git.commit", revision.commit);
  tell_tag(t, "mlflow.source.git.branch", revision.branch);
  tell_tag(t, "mlflow.parentRunId", t->run.parent);
  tell_tag(t, "fakenews.version", t->cli->version);
  tell_tag(t, "fakenews.cpu", t->cli->level);
  tell_tag(t, "fakenews.host", host);
  tell_tag(t, "fakenews.folder", t->folder);
  if (!command.failed) tell_tag(t, "fakenews.command", command.data);
}

/* What run.json says of data and model. The hash of the data comes last of what is told of them: see mlflow/send.c. */
static void tell_record(const fn_cli_tracked *t) {
  FN_AUTO_FREE char *path = fn_path_join(t->folder, "run.json");
  fn_run_record r = {.data = NULL};
  fn_err err = {0};
  if ((path ? fn_run_record_load(&r, path, &err) : fn_err_no_memory(&err, "a path")) != FN_OK) {
    tell_left_out(t, "run.json", &err);
    return;
  }
  tell_tag(t, "fakenews.data.name", fn_path_base(r.data));
  tell_tag(t, "fakenews.data.path", r.data);
  tell_tag(t, "fakenews.data.context", "training");
  tell_tag(t, "fakenews.data.hash", r.identity.data_hash);
  tell_tag(t, "fakenews.init.hash", r.init_hash);
  tell_tag(t, "fakenews.tokenizer.hash", r.identity.tokenizer_hash);
  tell_pair(t, FN_TRACK_PARAM, "init", r.init);
  fn_run_record_deinit(&r);
}

/* Counts of run.json, and those of what `data prepare` did to the rows. */
static void tell_counts(const fn_cli_tracked *t) {
  static const char *const names[] = {"train", "validation", "test", "left_out"};
  FN_AUTO_FREE char *path = fn_path_join(t->folder, "run.json");
  FN_AUTO_JSON json_t *root = NULL;
  fn_err err = {0};
  if ((path ? fn_json_load(&root, path, 1 << 20, &err) : fn_err_no_memory(&err, "a path")) != FN_OK) {
    tell_left_out(t, "numbers", &err);
    return;
  }
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    const json_t *count = json_object_get(json_object_get(root, "rows"), names[i]);
    char key[64];
    snprintf(key, sizeof key, "rows.%s", names[i]);
    if (json_is_integer(count)) tell_count(t, key, json_integer_value(count));
  }
  const json_t *parameters = json_object_get(root, "parameters");
  if (json_integer_value(parameters) > 0) tell_count(t, "parameters", json_integer_value(parameters));
}

/* A file of the run where there is one. */
static void tell_file(const fn_cli_tracked *t, const char *folder, const char *name, const char *key) {
  FN_AUTO_FREE char *path = fn_path_join(folder, name);
  fn_err err = {0};
  if (path && fn_path_exists(path)) tell_pair(t, FN_TRACK_ARTIFACT, key, path);
  if (path) return;
  (void)fn_err_no_memory(&err, "a path");
  tell_left_out(t, key, &err);
}

/* prepare.json of the dataset: every row that was read and what became of it. */
static void tell_preparation(const fn_cli_tracked *t) {
  FN_AUTO_FREE char *path = fn_path_join(t->folder, "run.json");
  fn_run_record r = {.data = NULL};
  fn_err err = {0};
  if ((path ? fn_run_record_load(&r, path, &err) : fn_err_no_memory(&err, "a path")) != FN_OK) {
    tell_left_out(t, "data/prepare.json", &err);
    return;
  }
  tell_file(t, r.data, "prepare.json", "data/prepare.json");
  fn_run_record_deinit(&r);
}

/* A sink that cannot be made is left out; the others are told. */
static size_t make_sinks(fn_sink sinks[MAX_SINKS], const fn_cli_tracked *t, int64_t resume_step) {
  const fn_cli_track_context context = {t->cli, &t->stores, &t->options, &t->run, t->folder, resume_step};
  size_t n = 0;
  for (const fn_cli_sink_kind *k = fn_cli_sink_kinds; k->name && n < MAX_SINKS; k++) {
    fn_err why = {0};
    if (!fn_track_has_sink(&t->options, k->name) || (t->lost_url && strcmp(k->name, "local") == 0)) continue;
    if (k->make(&sinks[n], &context, &why) == FN_OK)
      n++;
    else
      fn_cli_warn(t->cli, "tracking (%s): %s", k->name, why.message);
  }
  return n;
}

static fn_status start_tracker(fn_cli_tracked *t, int64_t resume_step, fn_err *err) {
  fn_sink sinks[MAX_SINKS];
  const size_t n = make_sinks(sinks, t, resume_step);
  if (n == 0) return fn_err_set(err, FN_E_NOT_FOUND, "there is nowhere to tell it");
  const fn_tracker_options options = {.run = &t->run,
                                      .sinks = sinks,
                                      .n_sinks = n,
                                      .flush_ms = t->options.flush_ms,
                                      .max_queued_bytes = (size_t)t->options.queue_mb << 20,
                                      .system_metrics = t->options.system_metrics,
                                      .system_interval_ms = t->options.system_interval_s * 1000,
                                      .note = on_note,
                                      .note_arg = t};
  return fn_tracker_create(&t->tracker, &options, err);
}

/* The setting in the settings of the run folder, where it stands as "***" when it was given. */
static bool is_hidden(const fn_cli_tracked *t, const fn_option *o) {
  const char *saved = fn_config_value(t->saved, o->key);
  return o->secret && saved && (strcmp(saved, "\"***\"") == 0 || strcmp(saved, "***") == 0);
}

/* A path, in quotes. */
static fn_status set_place(fn_cli_tracked *t, const char *key, const char *place, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 16);
  fn_buf_append_char(&text, '"');
  for (; *place; place++) {
    if (*place == '"' || *place == '\\') fn_buf_append_char(&text, '\\');
    fn_buf_append_char(&text, *place);
  }
  fn_buf_append_char(&text, '"');
  FN_TRY(fn_buf_check(&text, key, err));
  return fn_config_set(t->saved, FN_CONFIG_OVERRIDE, key, fn_buf_str(&text), "track/run.json", err);
}

/* Where the run was told to, whatever folder we are in now; NULL: not known, or an address in its settings. */
static const char *known_place(const fn_cli_tracked *t, const char *key) {
  const char *saved = fn_config_value(t->saved, key);
  if (strcmp(key, "track.url") == 0) return t->identity.url;
  if (strcmp(key, "track.artifacts") != 0 || (saved && strstr(saved, "://"))) return NULL;
  fn_sql_kind kind; /* a SQLite file that is given now has its files beside it */
  const char *url = fn_config_value(t->cli->config, "track.url");
  const bool given = fn_config_layer_of(t->cli->config, "track.url") != FN_CONFIG_DEFAULT;
  return given && url && fn_sql_kind_of(&kind, url) && kind == FN_SQL_SQLITE ? NULL : t->identity.artifacts;
}

/* The address of a server. The sink mlflow knows its own by its journal, and whether credentials may go there. */
static fn_status take_hidden(fn_cli_tracked *t, const char *key, fn_err *err) {
  if (strcmp(key, "track.url") == 0) {
    t->lost_url = true;
    fn_cli_warn(t->cli, "tracking (local): track.url of this run is not kept in its folder (a server's is not), or its "
                        "file is gone; what is trained now is not told to its store: give track.url again");
  }
  return fn_config_set(t->saved, FN_CONFIG_OVERRIDE, key, fn_str_from("null"), "track/run.json", err);
}

/* A run that goes on is told of where it was told of before, unless somebody says otherwise now. */
static fn_status take_over_settings(fn_cli_tracked *t, fn_err *err) {
  for (size_t i = 0; i < fn_track_option_table.n_options; i++) {
    const fn_option *o = &fn_track_option_table.options[i];
    const char *now = fn_config_value(t->cli->config, o->key);
    if (fn_config_layer_of(t->cli->config, o->key) != FN_CONFIG_DEFAULT)
      FN_TRY(fn_config_set(t->saved, FN_CONFIG_OVERRIDE, o->key, fn_str_from(now), "command line", err));
    else if (known_place(t, o->key))
      FN_TRY(set_place(t, o->key, known_place(t, o->key), err));
    else if (is_hidden(t, o))
      FN_TRY(take_hidden(t, o->key, err));
  }
  return fn_config_fill(&t->options, t->saved, &fn_track_option_table, err);
}

static fn_status begin(fn_cli_tracked *t, const fn_train_event *e, fn_err *err) {
  bool known = false;
  FN_TRY(find_folder(t, e->path, err));
  FN_TRY(load_settings(&t->saved, t->folder, err));
  FN_TRY(fn_cli_identity_load(&t->identity, t->folder, err));
  if (t->resume) FN_TRY(take_over_settings(t, err));
  FN_TRY(identify(&known, t, err));
  FN_TRY(start_tracker(t, known ? e->step : -1, err));
  tell_source(t);
  if (!known || e->step == 0) { /* one that was killed before its first checkpoint may not have said anything yet */
    tell_settings(t, t->saved, known);
    tell_counts(t);
  }
  tell_record(t);
  for (size_t i = 0; i < t->options.tags.n; i++) { /* an empty one too */
    const fn_track_event tag = {
        .kind = FN_TRACK_TAG, .key = t->options.tags.keys[i], .value = t->options.tags.values[i]};
    fn_tracker_log(t->tracker, &tag);
  }
  if (known) tell_changes(t, t->saved);
  tell_file(t, t->folder, "run.json", "run.json");
  tell_preparation(t);
  return FN_OK;
}

/* ---- events ---- */

static void on_step(fn_cli_tracked *t, const fn_train_event *e) {
  const uint64_t now = fn_clock_ns();
  const int64_t time_ms = fn_tracker_now_ms(t->tracker);
  const double seconds = (double)(now - t->step_ns) / 1e9;
  t->step_ns = now;
  tell_metric(t, "train", "loss", e->loss, e->step, time_ms);
  tell_metric(t, "train", "learning_rate", e->learning_rate, e->step, time_ms);
  tell_metric(t, "train", "gradient_norm", e->gradient_norm, e->step, time_ms);
  if (seconds > 0) tell_metric(t, "train", "tokens_per_second", (double)e->n_tokens / seconds, e->step, time_ms);
}

static void on_evaluation(fn_cli_tracked *t, const fn_train_event *e) {
  fn_metric_scalar scalars[FN_METRICS_N_SCALARS];
  const int64_t time_ms = fn_tracker_now_ms(t->tracker);
  fn_metrics_scalars(scalars, e->metrics, NULL);
  for (size_t i = 0; i < FN_METRICS_N_SCALARS; i++)
    if (!isnan(scalars[i].value)) tell_metric(t, e->split, scalars[i].name, scalars[i].value, e->step, time_ms);
}

static void on_done(fn_cli_tracked *t, const fn_train_event *e) {
  char step[24];
  snprintf(step, sizeof step, "%lld", (long long)e->best_step);
  tell_tag(t, "fakenews.best_step", step);
  tell_tag(t, "fakenews.stopped_early", e->stopped_early ? "true" : "false");
}

void fn_cli_tracked_event(fn_cli_tracked *t, const fn_train_event *e) {
  if (!t) return;
  if (e->kind == FN_TRAIN_BEGIN) {
    fn_err err = {0};
    if (begin(t, e, &err) != FN_OK) fn_cli_warn(t->cli, "this training is not tracked: %s", err.message);
    t->step_ns = fn_clock_ns();
  }
  if (!t->tracker) return;
  switch (e->kind) {
  case FN_TRAIN_STEP: on_step(t, e); break;
  case FN_TRAIN_EVALUATION:
    if (e->metrics) on_evaluation(t, e);
    t->step_ns = fn_clock_ns();
    break;
  /* Whoever is killed after this goes on behind it: what was measured before must not be lost with the memory. */
  case FN_TRAIN_SAVING: fn_tracker_flush(t->tracker, FLUSH_MS); break;
  case FN_TRAIN_CHECKPOINT: t->step_ns = fn_clock_ns(); break;
  case FN_TRAIN_DONE: on_done(t, e); break;
  default: break;
  }
}

/* ---- the end ---- */

/* A file, or every file of a folder. */
static void tell_tree(const fn_cli_tracked *t, const char *key, const char *path, int depth) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  fn_err err = {0};
  if (!fn_path_is_dir(path)) {
    if (fn_path_exists(path)) tell_pair(t, FN_TRACK_ARTIFACT, key, path);
    return;
  }
  if (depth == MAX_DEPTH) return;
  fn_status status = fn_dir_list(&names, &n, path, &err);
  for (size_t i = 0; status == FN_OK && i < n; i++) {
    FN_AUTO_FREE char *below = fn_path_join(key, names[i]);
    FN_AUTO_FREE char *file = fn_path_join(path, names[i]);
    if (below && file)
      tell_tree(t, below, file, depth + 1);
    else
      status = fn_err_no_memory(&err, "a path");
  }
  if (status != FN_OK) tell_left_out(t, key, &err);
}

static void tell_files_end(const fn_cli_tracked *t, bool whole) {
  const char *const names[] = {"config.yaml", "metrics.jsonl", "result.json",
                               whole && t->options.log_model ? "model" : NULL};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    FN_AUTO_FREE char *path = names[i] ? fn_path_join(t->folder, names[i]) : NULL;
    fn_err err = {0};
    if (path) tell_tree(t, names[i], path, 0);
    if (path || !names[i]) continue;
    (void)fn_err_no_memory(&err, "a path");
    tell_left_out(t, names[i], &err);
  }
}

/* What the model is that is kept: the figures of its checkpoint, beside the last ones of val/…. Told at the last step,
 * for W&B's steps do not go back. */
static void tell_kept(const fn_cli_tracked *t) {
  FN_AUTO_FREE char *path = fn_path_join(t->folder, "result.json");
  FN_AUTO_JSON json_t *root = NULL;
  if (!path || fn_json_load(&root, path, 1 << 20, NULL) != FN_OK) return;
  const json_t *step = json_object_get(root, "n_steps");
  const char *key;
  json_t *value;
  const int64_t time_ms = fn_tracker_now_ms(t->tracker);
  json_object_foreach(json_object_get(root, "val"), key, value) {
    if (json_is_number(value) && json_is_integer(step) && strcmp(key, "n") != 0)
      tell_metric(t, "kept", key, json_number_value(value), json_integer_value(step), time_ms);
  }
}

/* Asked by stores on the threads of sinks. */
static bool goes_on(void *arg, const fn_download_event *event) {
  const fn_cli_tracked *t = arg;
  (void)event;
  return !atomic_load(&t->may_stop) || !fn_cli_stop_requested();
}

void fn_cli_tracked_finish(fn_cli_tracked *t, fn_status status) {
  if (!t) return;
  if (t->tracker) {
    atomic_store(&t->may_stop, !fn_cli_stop_requested());
    if (status == FN_OK) tell_kept(t);
    tell_files_end(t, status == FN_OK);
    fn_tracker_finish(t->tracker,
                      status == FN_OK            ? FN_RUN_FINISHED
                      : status == FN_E_CANCELLED ? FN_RUN_KILLED
                                                 : FN_RUN_FAILED,
                      t->options.close_timeout_s * 1000);
  }
  fn_config_destroy(t->saved);
  fn_cli_identity_deinit(&t->identity);
  fn_arena_deinit(&t->arena);
  free(t);
}

/* ---- before the training ---- */

static fn_status set_up(bool *any, fn_cli_tracked *t, fn_err *err) {
  FN_TRY(fn_config_fill(&t->options, t->cli->config, &fn_track_option_table, err));
  FN_TRY(fn_cli_stores_init(&t->stores, t->cli, err));
  t->stores.options.sink = (fn_download_sink){.event = goes_on, .arg = t};
  return fn_cli_track_check(any, t->cli, &t->options, &t->stores, t->resume, err);
}

fn_status fn_cli_tracked_create(fn_cli_tracked **tracked_out, const fn_cli *cli, bool resume, fn_err *err) {
  fn_cli_tracked *t = fn_mem_calloc(1, sizeof *t);
  bool any = false;
  if (!t) return fn_err_no_memory(err, "tracking");
  t->cli = cli;
  t->resume = resume;
  fn_arena_init(&t->arena);
  const fn_status status = set_up(&any, t, err);
  if (status == FN_OK && any) {
    *tracked_out = t;
    return FN_OK;
  }
  fn_arena_deinit(&t->arena);
  free(t);
  if (status == FN_OK) *tracked_out = NULL;
  return status;
}
