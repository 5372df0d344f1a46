#include "wandb/internal.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>

enum { SUMMARY_EVERY_MS = 15000, BIG_FILE = 16 * 1024 * 1024, MAX_OUTPUT = 64 * 1024 * 1024, MAX_TRIES = 100 };

int64_t fn_wandb_next(fn_wandb_sink *s) {
  return ++s->num;
}

void fn_wandb_write(fn_wandb_sink *s) {
  if (!s->record.failed) fn_wandb_log_add(s->log, fn_buf_str(&s->record));
  fn_buf_reset(&s->record);
}

/* ---- names ---- */

/* Eight characters [a-z0-9] of a run's id. */
static void short_id(char out[9], const char *id) {
  static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  uint64_t h = fn_hash64(id, strlen(id), 0);
  for (int i = 0; i < 8; i++, h /= 36) out[i] = letters[h % 36];
  out[8] = '\0';
}

static char *keep(fn_wandb_sink *s, const char *text) {
  return text && *text ? fn_arena_strndup(&s->arena, text, strlen(text)) : NULL;
}

/* An artifact's name: [A-Za-z0-9_.-], 128 bytes at most. */
static char *artifact_name(fn_wandb_sink *s, const char *run_name) {
  char text[129];
  size_t n = 0;
  for (const char *p = "model-"; *p; p++) text[n++] = *p;
  for (const char *p = run_name ? run_name : ""; *p && n < sizeof text - 1; p++) {
    const bool plain =
        (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || *p == '.' || *p == '-' || *p == '_';
    text[n++] = plain ? *p : '_';
  }
  return fn_arena_strndup(&s->arena, text, n);
}

/* ---- the folder ---- */

/* offline-run-<time>-<id>, of the next second that is free. */
static fn_status make_folder(fn_wandb_sink *s, fn_err *err) {
  FN_AUTO_FREE char *parent = fn_path_join(s->dir, "wandb");
  if (!parent) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(parent, err));
  const int64_t now = fn_clock_unix_ms() / 1000;
  for (int i = 0; i < MAX_TRIES; i++) {
    const time_t at = (time_t)(now + i);
    struct tm tm;
    char stamp[32];
    if (!gmtime_r(&at, &tm) || strftime(stamp, sizeof stamp, "%Y%m%d_%H%M%S", &tm) == 0) break;
    FN_AUTO_BUF fn_buf path;
    fn_buf_init(&path, 64 * 1024);
    fn_buf_printf(&path, "%s/offline-run-%s-%s", parent, stamp, s->run.id);
    FN_TRY(fn_buf_check(&path, "a path", err));
    if (mkdir(path.data, 0777) != 0) {
      if (errno == EEXIST) continue;
      return fn_err_errno(err, errno, "%s", path.data);
    }
    s->folder = fn_arena_strndup(&s->arena, path.data, path.length);
    if (!s->folder) return fn_err_no_memory(err, "a path");
    FN_AUTO_FREE char *files = fn_path_join(s->folder, "files");
    FN_AUTO_FREE char *logs = fn_path_join(s->folder, "logs");
    FN_AUTO_FREE char *latest = fn_path_join(parent, "latest-run");
    if (!files || !logs || !latest) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_dir_create(files, err));
    FN_TRY(fn_dir_create(logs, err));
    return fn_link_replace(latest, fn_path_base(s->folder), err);
  }
  return fn_err_set(err, FN_E_IO, "%s: no name is free for a run's folder", parent);
}

static fn_status write_settings(fn_wandb_sink *s, fn_err *err) {
  fn_arena arena;
  fn_arena_init(&arena);
  fn_wandb_item *items = NULL;
  size_t n = 0;
  fn_status status = fn_wandb_settings(&items, &n, s, &arena, true, err);
  if (status == FN_OK && n > 0) {
    fn_wandb_put_config(&s->record, fn_wandb_next(s), items, n);
    fn_wandb_write(s);
  }
  fn_arena_deinit(&arena);
  return status;
}

static fn_status begin(fn_wandb_sink *s, fn_err *err) {
  if (!s->folder) FN_TRY(make_folder(s, err));
  if (s->log) return FN_OK;
  FN_AUTO_BUF fn_buf path;
  fn_buf_init(&path, 64 * 1024);
  fn_buf_printf(&path, "%s/run-%s.wandb", s->folder, s->run.id);
  FN_TRY(fn_buf_check(&path, "a path", err));
  FN_TRY(fn_wandb_log_create(&s->log, path.data, err));
  fn_wandb_put_header(&s->record, fn_wandb_next(s));
  fn_wandb_write(s);
  fn_wandb_put_run(&s->record, fn_wandb_next(s), &s->run);
  fn_wandb_write(s);
  FN_TRY(write_settings(s, err));
  return fn_wandb_write_files(s, false, err);
}

/* ---- rows of history ---- */

static fn_status write_row(fn_wandb_sink *s, fn_err *err) {
  if (s->n_row == 0) return FN_OK;
  fn_arena arena;
  fn_arena_init(&arena);
  fn_wandb_item *items = fn_arena_alloc(&arena, s->n_row + 3, sizeof *items);
  const char **keys = fn_arena_alloc(&arena, s->n_row + 3, sizeof *keys);
  if (!items || !keys) {
    fn_arena_deinit(&arena);
    return fn_err_no_memory(err, "a row for W&B");
  }
  size_t n = 0;
  for (; n < s->n_row; n++) {
    fn_wandb_entry *e = &s->metrics.entries[s->row[n]];
    keys[n] = e->key;
    items[n] = (fn_wandb_item){&keys[n], 1, fn_wandb_number(&arena, e->value)};
    e->in_row = false;
  }
  const double runtime = (double)(s->row_ms - s->run.start_ms) / 1000;
  const double numbers[3] = {(double)s->row_step, runtime > 0 ? runtime : 0, (double)s->row_ms / 1000};
  static const char *const names[3] = {"_step", "_runtime", "_timestamp"};
  for (size_t i = 0; i < 3; i++, n++) {
    keys[n] = names[i];
    items[n] = (fn_wandb_item){&keys[n], 1, fn_wandb_number(&arena, numbers[i])};
  }
  fn_wandb_put_history(&s->record, fn_wandb_next(s), items, n, s->row_step);
  fn_wandb_write(s);
  s->n_row = 0;
  fn_arena_deinit(&arena);
  return FN_OK;
}

/* What people would have seen: a line for each validation or test metric. */
static void add_output(fn_wandb_sink *s, const fn_track_event *e) {
  if (strncmp(e->key, "train/", 6) == 0) return;
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 1024);
  fn_buf_printf(&line, "step %lld: %s ", (long long)e->step, e->key);
  fn_buf_append_str(&line, isfinite(e->number) ? "" : "not finite");
  if (isfinite(e->number)) fn_buf_append_double(&line, e->number);
  fn_buf_append_char(&line, '\n');
  if (line.failed) return;
  fn_wandb_put_output(&s->record, fn_wandb_next(s), line.data, e->time_ms);
  fn_wandb_write(s);
  fn_buf_append(&s->output, line.data, line.length);
}

fn_status fn_wandb_row_add(fn_wandb_sink *s, const char *key, double value, fn_err *err) {
  fn_wandb_entry *entry = fn_wandb_find(&s->metrics, &s->arena, key);
  if (!entry) return fn_err_no_memory(err, "metrics for W&B");
  const size_t index = (size_t)(entry - s->metrics.entries);
  if (!entry->in_row) {
    FN_TRY(
        fn_mem_grow((void **)&s->row, &s->row_capacity, s->n_row + 1, sizeof *s->row, FN_WANDB_MAX_KEYS, "a row", err));
    s->row[s->n_row++] = index;
    entry->in_row = true;
  }
  entry->value = value;
  return FN_OK;
}

static fn_status take_metric(fn_wandb_sink *s, const fn_track_event *e, fn_err *err) {
  if (e->step > s->row_step) {
    FN_TRY(write_row(s, err));
    s->row_step = e->step;
    s->row_ms = 0;
  }
  FN_TRY(fn_wandb_row_add(s, e->key, e->number, err));
  if (e->time_ms > s->row_ms) s->row_ms = e->time_ms;
  if (e->time_ms > s->last_ms) s->last_ms = e->time_ms;
  add_output(s, e);
  return FN_OK;
}

/* ---- system metrics ---- */

static void write_stats(fn_wandb_sink *s) {
  if (s->n_stats == 0) return;
  fn_wandb_put_stats(&s->record, fn_wandb_next(s), s->stats, s->n_stats, s->stats_ms);
  fn_wandb_write(s);
  s->n_stats = 0;
  fn_arena_deinit(&s->stats_arena);
  fn_arena_init(&s->stats_arena);
}

/* W&B's page shows what has its names: "cpu", "memory_percent", "gpu.0.gpu"; the rest keeps ours. */
static const char *stats_name(fn_arena *arena, const char *key) {
  static const char *const names[][2] = {{"cpu_utilization_percentage", "cpu"},
                                         {"system_memory_usage_percentage", "memory_percent"},
                                         {"process_memory_usage_megabytes", "proc.memory.rssMB"},
                                         {"disk_usage_percentage", "disk./.usagePercent"}};
  static const char *const gpu[][2] = {{"utilization_percentage", "gpu"},
                                       {"memory_usage_percentage", "memoryAllocated"},
                                       {"power_usage_watts", "powerWatts"}};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++)
    if (strcmp(key, names[i][0]) == 0) return names[i][1];
  if (strncmp(key, "gpu_", 4) == 0) {
    const size_t n = strspn(key + 4, "0123456789");
    for (size_t i = 0; n > 0 && n < 6 && key[4 + n] == '_' && i < FN_COUNT_OF(gpu); i++) {
      if (strcmp(key + 5 + n, gpu[i][0]) != 0) continue;
      char text[64];
      const int length = snprintf(text, sizeof text, "gpu.%.*s.%s", (int)n, key + 4, gpu[i][1]);
      return fn_arena_strndup(arena, text, (size_t)length);
    }
  }
  return fn_arena_strndup(arena, key, strlen(key));
}

static fn_status take_stats(fn_wandb_sink *s, const fn_track_event *e, fn_err *err) {
  if (e->time_ms != s->stats_ms && s->log) write_stats(s);
  s->stats_ms = e->time_ms;
  FN_TRY(fn_mem_grow((void **)&s->stats, &s->stats_capacity, s->n_stats + 1, sizeof *s->stats, FN_WANDB_MAX_KEYS,
                     "system metrics", err));
  const char **path = fn_arena_alloc(&s->stats_arena, 1, sizeof *path);
  if (path) *path = stats_name(&s->stats_arena, e->key + strlen("system/"));
  if (!path || !*path) return fn_err_no_memory(err, "system metrics for W&B");
  s->stats[s->n_stats++] = (fn_wandb_item){path, 1, fn_wandb_number(&s->stats_arena, e->number)};
  return FN_OK;
}

/* ---- settings, files ---- */

/* A parameter's text as JSON: numbers, true, false and null as such, else a string. */
static const char *as_json(fn_wandb_sink *s, const char *text, bool typed) {
  FN_AUTO_JSON json_t *value = NULL;
  fn_json_error where;
  if (typed && fn_json_read(&value, fn_str_from(text), 0, &where) == FN_OK && !json_is_string(value) &&
      !json_is_object(value))
    return fn_arena_strndup(&s->arena, text, strlen(text));
  FN_AUTO_BUF fn_buf json;
  fn_buf_init(&json, 0);
  fn_buf_append_json(&json, fn_str_from(text));
  return json.failed ? NULL : fn_arena_strndup(&s->arena, json.data, json.length);
}

static fn_status take_setting(fn_wandb_sink *s, const fn_track_event *e, fn_err *err) {
  const bool param = e->kind == FN_TRACK_PARAM;
  fn_wandb_entry *entry = fn_wandb_find(param ? &s->config : &s->tags, &s->arena, e->key);
  const char *json = entry ? as_json(s, e->value, param) : NULL;
  if (!json) return fn_err_no_memory(err, "settings for W&B");
  entry->json = json;
  entry->changed = true;
  if (strcmp(e->key, "mlflow.source.git.commit") == 0 && !s->run.commit) s->run.commit = keep(s, e->value);
  if (strcmp(e->key, "fakenews.host") == 0 && !s->run.host) s->run.host = keep(s, e->value);
  if (strcmp(e->key, "mlflow.note.content") == 0 && !s->run.notes) s->run.notes = keep(s, e->value);
  return FN_OK;
}

static fn_status take_file(fn_wandb_sink *s, const fn_track_event *e, fn_err *err) {
  struct stat st;
  if (stat(e->value, &st) != 0) return fn_err_errno(err, errno, "%s", e->value);
  if (strncmp(e->key, "model/", 6) != 0 && st.st_size < BIG_FILE) return fn_wandb_link_file(s, e->key, e->value, err);
  FN_TRY(fn_mem_grow((void **)&s->model, &s->model_capacity, s->n_model + 1, sizeof *s->model, FN_WANDB_MAX_FILES,
                     "files for W&B", err));
  fn_wandb_artifact_file *f = &s->model[s->n_model];
  f->path = keep(s, strncmp(e->key, "model/", 6) == 0 ? e->key + 6 : e->key);
  f->source = keep(s, e->value);
  if (!f->path || !f->source) return fn_err_no_memory(err, "a path");
  s->n_model++;
  return FN_OK;
}

/* ---- the sink ---- */

static fn_status write_summary(fn_wandb_sink *s, fn_err *err) {
  fn_arena arena;
  fn_arena_init(&arena);
  fn_wandb_item *items = NULL;
  size_t n = 0;
  const fn_status status = fn_wandb_summary(&items, &n, s, &arena, err);
  if (status == FN_OK) {
    fn_wandb_put_summary(&s->record, fn_wandb_next(s), items, n);
    fn_wandb_write(s);
  }
  fn_arena_deinit(&arena);
  return status;
}

static fn_status take(fn_wandb_sink *s, const fn_track_event *e, fn_err *err) {
  switch (e->kind) {
  case FN_TRACK_METRIC: return strncmp(e->key, "system/", 7) == 0 ? take_stats(s, e, err) : take_metric(s, e, err);
  case FN_TRACK_ARTIFACT: return take_file(s, e, err);
  case FN_TRACK_STATUS:
    s->ended = e->status != FN_RUN_RUNNING && e->status != FN_RUN_SCHEDULED;
    s->status = e->status;
    if (s->ended && e->time_ms > s->last_ms) s->last_ms = e->time_ms;
    return FN_OK;
  default: return FN_OK; /* taken before */
  }
}

static fn_status sink_log(void *self, const fn_track_event *events, size_t n, fn_err *err) {
  fn_wandb_sink *s = self;
  if (n > 0) s->n_calls++;
  bool needed = s->n_calls > 2 || s->n_stats > 0;
  int64_t look_ms = 0;
  fn_status status = FN_OK;
  fn_err first = {0};
  for (size_t i = 0; i < n && status == FN_OK; i++) {
    if (events[i].kind == FN_TRACK_PARAM || events[i].kind == FN_TRACK_TAG)
      status = take_setting(s, &events[i], err);
    else
      needed = needed ||
               events[i].kind == FN_TRACK_ARTIFACT || /* the machine's first look may come before parameters */
               (events[i].kind == FN_TRACK_METRIC &&
                (strncmp(events[i].key, "system/", 7) != 0 || (look_ms && events[i].time_ms != look_ms)));
    if (events[i].kind == FN_TRACK_METRIC) look_ms = events[i].time_ms;
  }
  if (status != FN_OK) return status;
  if (!needed && !s->log) { /* what the machine's first look saw waits, too */
    for (size_t i = 0; i < n; i++)
      if (events[i].kind == FN_TRACK_METRIC) FN_TRY(take_stats(s, &events[i], err));
    return FN_OK;
  }
  FN_TRY(begin(s, err));
  FN_TRY(write_settings(s, err));
  /* one event that cannot be told must not hide those after it */
  for (size_t i = 0; i < n; i++)
    if (take(s, &events[i], status == FN_OK ? &first : NULL) != FN_OK) status = first.status;
  write_stats(s);
  const int64_t now = (int64_t)(fn_clock_ns() / 1000000);
  if (s->metrics.n > 0 && now - s->summary_at_ms > SUMMARY_EVERY_MS) {
    s->summary_at_ms = now;
    FN_TRY(write_summary(s, err));
  }
  FN_TRY(fn_wandb_log_flush(s->log, err));
  fn_wandb_keep_row(s);
  return status == FN_OK ? FN_OK : fn_err_set(err, status, "%s", first.message);
}

static int exit_code(const fn_wandb_sink *s) {
  if (!s->ended) return 1;
  return s->status == FN_RUN_FINISHED ? 0 : s->status == FN_RUN_FAILED ? 1 : 255;
}

static fn_status sink_close(void *self, uint64_t deadline_ns, fn_err *err) {
  (void)deadline_ns;
  fn_wandb_sink *s = self;
  if (s->n_calls == 0) return FN_OK;
  FN_TRY(begin(s, err));
  FN_TRY(write_settings(s, err));
  FN_TRY(write_row(s, err));
  write_stats(s);
  FN_TRY(write_summary(s, err));
  fn_err model = {0};
  const fn_status status = fn_wandb_write_model(s, &model);
  FN_TRY(fn_wandb_write_files(s, true, err));
  fn_wandb_put_files(&s->record, fn_wandb_next(s), s->files, s->n_files);
  fn_wandb_write(s);
  const int64_t runtime = (s->last_ms - s->run.start_ms) / 1000;
  fn_wandb_put_exit(&s->record, fn_wandb_next(s), exit_code(s), runtime > 0 ? runtime : 0);
  fn_wandb_write(s);
  fn_wandb_put_final(&s->record, fn_wandb_next(s));
  fn_wandb_write(s);
  fn_wandb_put_footer(&s->record, fn_wandb_next(s));
  fn_wandb_write(s);
  fn_wandb_log *log = s->log;
  s->log = NULL;
  FN_TRY(fn_wandb_log_close(log, err));
  fn_wandb_drop_row(s);
  return status == FN_OK ? FN_OK : fn_err_set(err, status, "the model is not told to W&B: %s", model.message);
}

static void sink_destroy(void *self) {
  fn_wandb_sink *s = self;
  if (!s) return;
  if (s->log && fn_wandb_log_close(s->log, NULL) != FN_OK) s->log = NULL; /* told by log and close */
  fn_wandb_table_deinit(&s->config);
  fn_wandb_table_deinit(&s->tags);
  fn_wandb_table_deinit(&s->metrics);
  fn_buf_deinit(&s->record);
  fn_buf_deinit(&s->output);
  free(s->row);
  free(s->stats);
  free(s->files);
  free(s->model);
  fn_arena_deinit(&s->stats_arena);
  fn_arena_deinit(&s->arena);
  free(s);
}

static fn_status fill(fn_wandb_sink *s, const fn_wandb_sink_options *o, fn_err *err) {
  char id[9];
  short_id(id, o->run->id);
  const char **tags = fn_arena_alloc(&s->arena, o->n_tags + 1, sizeof *tags);
  s->dir = keep(s, o->dir);
  s->version = keep(s, o->version ? o->version : "0");
  s->model_name = artifact_name(s, o->run->name);
  s->run_id = keep(s, o->run->id);
  s->run_folder = keep(s, o->run->folder);
  s->run = (fn_wandb_run){.id = keep(s, o->id ? o->id : id),
                          .entity = keep(s, o->entity),
                          .project = keep(s, fn_wandb_project(o)),
                          .group = keep(s, o->group),
                          .job_type = keep(s, o->job_type ? o->job_type : "train"),
                          .name = keep(s, o->name ? o->name : o->run->name),
                          .notes = keep(s, o->notes),
                          .tags = tags,
                          .start_ms = o->run->start_ms,
                          .starting_step = o->resume_step >= 0 ? o->resume_step + 1 : 0,
                          .resumed = o->resume_step >= 0};
  if (!tags || !s->dir || !s->version || !s->model_name || !s->run.id || !s->run.project)
    return fn_err_no_memory(err, "a run for W&B");
  for (size_t i = 0; i < o->n_tags; i++)
    if ((tags[s->run.n_tags] = keep(s, o->tags[i]))) s->run.n_tags++;
  s->row_step = -1;
  s->last_ms = o->run->start_ms;
  s->summary_at_ms = (int64_t)(fn_clock_ns() / 1000000);
  return o->resume_step >= 0 && s->run_id ? fn_wandb_take_up_row(s, o->resume_step, err) : FN_OK;
}

fn_status fn_wandb_sink_create(fn_sink *sink_out, const fn_wandb_sink_options *options, fn_err *err) {
  FN_TRY(fn_wandb_check(options, err));
  fn_wandb_sink *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "a sink");
  fn_arena_init(&s->arena);
  fn_arena_init(&s->stats_arena);
  fn_buf_init(&s->record, 0);
  fn_buf_init(&s->output, MAX_OUTPUT);
  const fn_status status = fill(s, options, err);
  if (status != FN_OK) {
    sink_destroy(s);
    return status;
  }
  *sink_out = (fn_sink){.name = "wandb", .self = s, .log = sink_log, .close = sink_close, .destroy = sink_destroy};
  return FN_OK;
}
