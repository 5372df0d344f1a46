#include "cli/runs_report_fill.h"

#include "registry/registry.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_RESULT_BYTES = 4 << 20, MAX_FILES = 2000 };

typedef fn_cli_report filler;

void fn_cli_report_init(fn_cli_report *report, const fn_cli *cli, fn_tracking *tracking) {
  *report = (fn_cli_report){.cli = cli, .tracking = tracking};
  fn_arena_init(&report->arena);
}

void fn_cli_report_deinit(fn_cli_report *report) {
  for (size_t r = 0; r < report->n_runs; r++)
    for (size_t i = 0; i < report->runs[r].n_curves; i++) {
      fn_series series = report->runs[r].curves[i].series;
      fn_series_deinit(&series);
    }
  fn_arena_deinit(&report->arena);
}

static char *keep(filler *f, const char *text) {
  return fn_arena_strndup(&f->arena, text ? text : "", text ? strlen(text) : 0);
}

/* ---- a run's row: parameters, tags, metrics ---- */

static fn_status keep_pairs(const fn_report_pair **out, filler *f, const fn_track_pair *pairs, size_t n, fn_err *err) {
  fn_report_pair *kept = fn_arena_alloc(&f->arena, n, sizeof *kept);
  if (!kept) return fn_err_no_memory(err, "runs");
  for (size_t i = 0; i < n; i++) {
    kept[i] = (fn_report_pair){keep(f, pairs[i].key), keep(f, pairs[i].value)};
    if (!kept[i].key || !kept[i].value) return fn_err_no_memory(err, "runs");
  }
  *out = kept;
  return FN_OK;
}

static const char *find(const fn_report_pair *pairs, size_t n, const char *key) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(pairs[i].key, key) == 0) return pairs[i].value;
  return NULL;
}

static void read_tags(fn_report_run *run) {
  run->data = find(run->tags, run->n_tags, "fakenews.data.path");
  run->data_hash = find(run->tags, run->n_tags, "fakenews.data.hash");
  run->init_hash = find(run->tags, run->n_tags, "fakenews.init.hash");
  run->revision = find(run->tags, run->n_tags, "mlflow.source.git.commit");
  run->build = find(run->tags, run->n_tags, "fakenews.version");
  run->device = find(run->tags, run->n_tags, "fakenews.cpu");
  run->command = find(run->tags, run->n_tags, "fakenews.command");
  run->family = find(run->params, run->n_params, "family");
  run->init = find(run->params, run->n_params, "init");
}

typedef struct taking {
  filler *f;
  fn_report_run *run;
} taking;

static fn_status take_run(void *arg, const fn_run_view *view, fn_err *err) {
  const taking *t = arg;
  filler *f = t->f;
  fn_report_run *run = t->run;
  const fn_run_info *info = &view->info;
  run->id = keep(f, info->id);
  run->name = keep(f, info->name);
  run->experiment = keep(f, info->experiment_name);
  run->user = keep(f, info->user);
  run->parent = keep(f, info->parent);
  run->folder = keep(f, info->folder);
  run->status = fn_run_status_names[info->status];
  run->start_ms = info->start_ms;
  run->end_ms = info->end_ms;
  run->best_step = -1;
  FN_TRY(keep_pairs(&run->params, f, view->params, view->n_params, err));
  FN_TRY(keep_pairs(&run->tags, f, view->tags, view->n_tags, err));
  run->n_params = view->n_params;
  run->n_tags = view->n_tags;
  fn_report_metric *metrics = fn_arena_alloc(&f->arena, view->n_metrics, sizeof *metrics);
  if (!metrics || !run->id || !run->name || !run->experiment || !run->user || !run->parent || !run->folder)
    return fn_err_no_memory(err, "runs");
  for (size_t i = 0; i < view->n_metrics; i++) {
    const fn_run_metric *m = &view->metrics[i];
    const double none = (double)NAN;
    metrics[i] =
        (fn_report_metric){keep(f, m->key), m->last, m->min, m->max, none, none, none, m->n, m->last_step, NULL};
    if (!metrics[i].key) return fn_err_no_memory(err, "runs");
  }
  run->metrics = metrics;
  run->n_metrics = view->n_metrics;
  read_tags(run);
  return FN_OK;
}

/* ---- files ---- */

/* `to` as it is reached from the folder `from`, both absolute. */
static char *relative(filler *f, const char *from, const char *to) {
  size_t common = 0, i = 0;
  for (; from[i] && from[i] == to[i]; i++)
    if (from[i] == '/') common = i + 1;
  if (!from[i] && to[i] == '/') common = i + 1;
  FN_AUTO_BUF fn_buf path;
  fn_buf_init(&path, 1 << 16);
  if (common <= strlen(from)) {
    fn_buf_append_str(&path, from[common] ? "../" : "");
    for (const char *c = from + common; *c; c++)
      if (*c == '/' && c[1]) fn_buf_append_str(&path, "../");
  }
  fn_buf_append_str(&path, to + common);
  return path.failed ? NULL : fn_arena_strndup(&f->arena, path.data, path.length);
}

static bool has_size(const char *path, int64_t n_bytes) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == n_bytes;
}

/* The file in the run's folder, which has a name that says what it is; else the one in the store. */
static const char *place_of(filler *f, const fn_report_run *run, const fn_artifact *file) {
  FN_AUTO_FREE char *own = run->folder && *run->folder ? fn_path_join(run->folder, file->path) : NULL;
  FN_AUTO_FREE char *stored = NULL;
  char key[80];
  const char *found = NULL;
  if (own && !strstr(file->path, "..") && has_size(own, file->n_bytes)) {
    found = own;
  } else if (f->artifacts && strlen(file->sha256) == 64) {
    snprintf(key, sizeof key, "sha256/%.2s/%s", file->sha256, file->sha256);
    stored = fn_path_join(f->artifacts, key);
    if (stored && has_size(stored, file->n_bytes)) found = stored;
  }
  if (!found) return NULL;
  return f->page_folder ? relative(f, f->page_folder, found) : keep(f, found);
}

typedef struct listing {
  filler *f;
  fn_report_run *run;
  fn_report_artifact *files;
  size_t n, capacity;
} listing;

static fn_status take_file(void *arg, const fn_artifact *file, fn_err *err) {
  listing *l = arg;
  void *grown = l->files;
  if (l->n == MAX_FILES) return FN_OK;
  FN_TRY(fn_mem_grow(&grown, &l->capacity, l->n + 1, sizeof *l->files, MAX_FILES, "files of a run", err));
  l->files = grown;
  l->files[l->n++] = (fn_report_artifact){keep(l->f, file->path), keep(l->f, file->sha256),
                                          place_of(l->f, l->run, file), file->n_bytes};
  return FN_OK;
}

static fn_status take_files(filler *f, fn_report_run *run, fn_err *err) {
  listing l = {.f = f, .run = run};
  char owner[64];
  snprintf(owner, sizeof owner, "run:%.40s", run->id);
  fn_status status = fn_tracking_list(f->tracking, owner, "", take_file, &l, err);
  if (status == FN_E_NOT_FOUND) status = FN_OK;
  fn_report_artifact *kept = fn_arena_alloc(&f->arena, l.n, sizeof *kept);
  if (status == FN_OK && !kept) status = fn_err_no_memory(err, "files of a run");
  if (kept && l.n > 0) memcpy(kept, l.files, l.n * sizeof *kept);
  free(l.files);
  run->artifacts = kept;
  run->n_artifacts = kept ? l.n : 0;
  return status;
}

/* ---- result.json: confusion matrices and the best step ---- */

static bool read_confusion(int64_t out[2][2], const json_t *split) {
  const json_t *rows = json_object_get(split, "confusion");
  for (size_t k = 0; k < 4; k++) {
    const json_t *cell = json_array_get(json_array_get(rows, k / 2), k % 2);
    if (!json_is_integer(cell) || json_integer_value(cell) < 0) return false;
    out[k / 2][k % 2] = json_integer_value(cell);
  }
  return true;
}

static void read_intervals(fn_report_run *run, const char *split, const json_t *figures) {
  const char *key;
  json_t *pair;
  fn_report_metric *metrics = NULL;
  memcpy(&metrics, &run->metrics, sizeof metrics); /* ours: take_run made them */
  json_object_foreach(json_object_get(figures, "intervals"), key, pair) {
    char name[128];
    const json_t *low = json_array_get(pair, 0), *high = json_array_get(pair, 1);
    snprintf(name, sizeof name, "%s/%.90s", split, key);
    for (size_t i = 0; i < run->n_metrics; i++)
      if (strcmp(metrics[i].key, name) == 0 && json_is_number(low) && json_is_number(high)) {
        metrics[i].low = json_number_value(low);
        metrics[i].high = json_number_value(high);
      }
  }
}

static fn_status read_result(filler *f, fn_report_run *run, const json_t *root, fn_err *err) {
  static const char *const names[] = {"test", "left_out", "val"};
  const json_t *best = json_object_get(root, "best_step");
  fn_report_split *splits = fn_arena_alloc(&f->arena, FN_COUNT_OF(names), sizeof *splits);
  if (!splits) return fn_err_no_memory(err, "runs");
  run->splits = splits;
  if (json_is_integer(best) && json_integer_value(best) >= 0) run->best_step = json_integer_value(best);
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    const json_t *figures = json_object_get(root, names[i]);
    read_intervals(run, names[i], figures);
    if (!read_confusion(splits[run->n_splits].confusion, figures)) continue;
    splits[run->n_splits++].name = names[i];
  }
  return FN_OK;
}

/* Fetches and reads the artifact; what is missing or damaged is a warning, for the figures do not need it. */
static fn_status take_result(filler *f, fn_report_run *run, const char *scratch, fn_err *err) {
  char owner[64];
  fn_err why = {0};
  FN_AUTO_JSON json_t *root = NULL;
  bool there = false;
  for (size_t i = 0; i < run->n_artifacts; i++) there = there || strcmp(run->artifacts[i].path, "result.json") == 0;
  if (!there) return FN_OK;
  FN_AUTO_FREE char *target = fn_path_join(scratch, run->id);
  if (!target) return fn_err_no_memory(err, "a path");
  snprintf(owner, sizeof owner, "run:%.40s", run->id);
  fn_status status = fn_tracking_get(f->tracking, owner, "result.json", target, &why);
  if (status == FN_OK) status = fn_json_load(&root, target, MAX_RESULT_BYTES, &why);
  if (status == FN_OK) return read_result(f, run, root, err);
  if (status == FN_E_NO_MEMORY || status == FN_E_CANCELLED) return fn_err_set(err, status, "%s", why.message);
  fn_cli_warn(f->cli, "run %s: result.json cannot be read, so its confusion matrices are missing: %s", run->name,
              why.message);
  return FN_OK;
}

static fn_status take_results(filler *f, fn_err *err) {
  const char *root = getenv("TMPDIR");
  FN_AUTO_FREE char *scratch = fn_path_join(root && *root ? root : "/tmp", "fakenews-report-XXXXXX");
  if (!scratch) return fn_err_no_memory(err, "a path");
  if (!mkdtemp(scratch)) return fn_err_errno(err, errno, "%s", scratch);
  fn_status status = FN_OK;
  for (size_t r = 0; r < f->n_runs && status == FN_OK; r++) status = take_result(f, &f->runs[r], scratch, err);
  (void)!fn_dir_remove(scratch, NULL);
  return status;
}

/* ---- curves ---- */

typedef struct key_rank {
  const char *key;
  size_t rank;
} key_rank;

static int by_key(const void *a, const void *b) {
  return strcmp(((const key_rank *)a)->key, ((const key_rank *)b)->key);
}
static int by_rank(const void *a, const void *b) {
  const key_rank *x = a, *y = b;
  return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : strcmp(x->key, y->key);
}

/* Keys with more than one value in some run, those that say most first, FN_REPORT_MAX_CURVES at most. */
static fn_status choose_keys(key_rank **keys_out, size_t *n_out, filler *f, fn_err *err) {
  size_t n = 0, kept = 0;
  for (size_t r = 0; r < f->n_runs; r++) n += f->runs[r].n_metrics;
  key_rank *keys = fn_mem_calloc(n, sizeof *keys);
  if (!keys) return fn_err_no_memory(err, "metrics");
  n = 0;
  for (size_t r = 0; r < f->n_runs; r++)
    for (size_t i = 0; i < f->runs[r].n_metrics; i++) {
      const char *key = f->runs[r].metrics[i].key;
      const bool is_summary = strncmp(key, "kept/", 5) == 0; /* one point of each training, and of each that goes on */
      if (f->runs[r].metrics[i].n > 1 && !is_summary) keys[n++] = (key_rank){key, fn_report_curve_rank(key)};
    }
  qsort(keys, n, sizeof *keys, by_key);
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || strcmp(keys[kept - 1].key, keys[i].key) != 0) keys[kept++] = keys[i];
  qsort(keys, kept, sizeof *keys, by_rank);
  f->n_hidden_keys = kept > FN_REPORT_MAX_CURVES ? kept - FN_REPORT_MAX_CURVES : 0;
  *n_out = kept - f->n_hidden_keys;
  qsort(keys, *n_out, sizeof *keys, by_key);
  *keys_out = keys;
  return FN_OK;
}

typedef struct drawing {
  fn_report_run *run;
  fn_report_curve *curves;   /* in order of key */
  fn_report_metric *metrics; /* in order of key, as the store gave them */
  size_t last;               /* where the key before was found: points of a step come in the order of the keys */
  double best;               /* lowest val/loss yet, where the run does not say its best step */
  bool finds_best, draws;
} drawing;

static int compare_curve(const void *key, const void *curve) {
  return strcmp(key, ((const fn_report_curve *)curve)->key);
}
static int compare_metric(const void *key, const void *metric) {
  return strcmp(key, ((const fn_report_metric *)metric)->key);
}

static fn_status draw_point(drawing *d, const fn_metric_point *point, fn_err *err) {
  const size_t n = d->run->n_curves;
  fn_report_curve *curve = NULL;
  if (d->last + 1 < n && strcmp(d->curves[d->last + 1].key, point->key) == 0)
    curve = &d->curves[d->last + 1];
  else if (n > 0)
    curve = bsearch(point->key, d->curves, n, sizeof *d->curves, compare_curve);
  if (!curve) return FN_OK;
  d->last = (size_t)(curve - d->curves);
  const int64_t second = d->run->start_ms < point->time_ms ? (point->time_ms - d->run->start_ms) / 1000 : 0;
  return fn_series_add(&curve->series, fn_report_by_time(curve->key) ? second : point->step, point->value, err);
}

static fn_status take_point(void *arg, const fn_metric_point *point, fn_err *err) {
  drawing *d = arg;
  const bool validation = strncmp(point->key, "val/", 4) == 0;
  if (validation && d->finds_best && strcmp(point->key, "val/loss") == 0 && point->value < d->best) {
    d->best = point->value;
    d->run->best_step = point->step;
  }
  /* A metric of validation at the step whose model was kept. */
  if (validation && !d->finds_best && point->step == d->run->best_step) {
    fn_report_metric *m = bsearch(point->key, d->metrics, d->run->n_metrics, sizeof *d->metrics, compare_metric);
    if (m) m->kept = point->value;
  }
  return d->draws ? draw_point(d, point, err) : FN_OK;
}

static int64_t points_of(const fn_report_run *run, const char *key) {
  for (size_t i = 0; i < run->n_metrics; i++)
    if (strcmp(run->metrics[i].key, key) == 0) return run->metrics[i].n;
  return 0;
}

static fn_status take_curves(filler *f, fn_report_run *run, const key_rank *keys, size_t n, fn_err *err) {
  drawing d = {.run = run, .best = (double)INFINITY, .finds_best = run->best_step < 0, .draws = true};
  d.curves = fn_arena_alloc(&f->arena, n, sizeof *d.curves);
  if (!d.curves) return fn_err_no_memory(err, "curves");
  memcpy(&d.metrics, &run->metrics, sizeof d.metrics); /* ours: take_run made them */
  for (size_t i = 0; i < n; i++) {
    d.curves[i].key = keys[i].key;
    fn_series_init(&d.curves[i].series, fn_report_buckets(f->n_runs, n),
                   fn_report_window(keys[i].key, points_of(run, keys[i].key)));
  }
  run->curves = d.curves;
  run->n_curves = n;
  FN_TRY(fn_tracking_history(f->tracking, run->id, NULL, take_point, &d, err));
  if (!d.finds_best || run->best_step < 0) return FN_OK;
  d.finds_best = d.draws = false; /* now that the step is known */
  return fn_tracking_history(f->tracking, run->id, NULL, take_point, &d, err);
}

/* ---- versions in the registry ---- */

/* Intervals of the card: the version was measured on the rows that the run was tested on, whole publishers drawn. They
 * are of the packed model; the page says of which version. */
static void take_intervals(filler *f, fn_report_run *run, const fn_version_info *version) {
  FN_AUTO_JSON json_t *card = NULL;
  json_t *system = NULL, *pair = NULL;
  const char *key;
  size_t i;
  char text[300];
  fn_report_metric *metrics = NULL;
  if (!version->card || fn_json_parse(&card, fn_str_from(version->card), "card", NULL) != FN_OK) return;
  const json_t *figures = json_object_get(card, "figures"), *data = json_object_get(figures, "data");
  const char *hash = json_string_value(json_object_get(data, "hash")),
             *split = json_string_value(json_object_get(data, "split"));
  if (!hash || !split || !run->data_hash || strcmp(hash, run->data_hash) != 0 || strcmp(split, "test") != 0) return;
  snprintf(text, sizeof text, "of models:/%.200s/%lld, by publishers", version->name, (long long)version->version);
  memcpy(&metrics, &run->metrics, sizeof metrics); /* ours: take_run made them */
  json_array_foreach(json_object_get(figures, "systems"), i, system) {
    const char *name = json_string_value(json_object_get(system, "name"));
    if (!name || strcmp(name, "model") != 0) continue;
    json_object_foreach(json_object_get(json_object_get(system, "metrics"), "intervals"), key, pair) {
      const json_t *low = json_array_get(pair, 0), *high = json_array_get(pair, 1);
      for (size_t k = 0; k < run->n_metrics; k++) {
        fn_report_metric *m = &metrics[k];
        if (strncmp(m->key, "test/", 5) != 0 || strcmp(m->key + 5, key) != 0) continue;
        if (!isnan(m->low) || !json_is_number(low) || !json_is_number(high)) continue;
        m->low = json_number_value(low);
        m->high = json_number_value(high);
        m->interval_of = keep(f, text);
      }
    }
  }
}

static fn_status take_version(void *arg, const fn_version_info *version, fn_err *err) {
  filler *f = arg;
  for (size_t r = 0; r < f->n_runs; r++) {
    fn_report_run *run = &f->runs[r];
    if (!version->run_id || strcmp(run->id, version->run_id) != 0) continue;
    const char **models = fn_arena_alloc(&f->arena, run->n_models + 1, sizeof *models);
    char text[600];
    snprintf(text, sizeof text, "models:/%.255s/%lld%s%.200s%s", version->name, (long long)version->version,
             version->aliases && *version->aliases ? " (" : "", version->aliases ? version->aliases : "",
             version->aliases && *version->aliases ? ")" : "");
    if (!models) return fn_err_no_memory(err, "models");
    take_intervals(f, run, version);
    for (size_t i = 0; i < run->n_models; i++) models[i] = run->models[i];
    models[run->n_models] = keep(f, text);
    run->models = models;
    run->n_models += models[run->n_models] != NULL;
  }
  return FN_OK;
}

static fn_status take_versions(filler *f, fn_err *err) {
  const fn_registry_actor nobody = {NULL, NULL};
  fn_registry *registry = NULL;
  fn_status status = fn_registry_open(&registry, fn_tracking_sql(f->tracking), &nobody, true, err);
  if (status == FN_E_NOT_FOUND) return FN_OK; /* there is none yet */
  FN_TRY(status);
  status = fn_registry_list(registry, NULL, false, take_version, f, err);
  fn_registry_close(registry);
  if (status == FN_E_PARTIAL && err) *err = (fn_err){0}; /* a damaged row of no run */
  return status == FN_E_PARTIAL ? FN_OK : status;
}

fn_status fn_cli_report_fill(fn_cli_report *f, const char (*ids)[FN_RUN_ID_LENGTH], size_t n, fn_err *err) {
  key_rank *keys = NULL;
  size_t n_keys = 0;
  f->runs = fn_arena_alloc(&f->arena, n, sizeof *f->runs);
  if (!f->runs) return fn_err_no_memory(err, "runs");
  for (size_t r = 0; r < n; r++) {
    taking t = {f, &f->runs[r]};
    FN_TRY(fn_tracking_get_run(f->tracking, ids[r], take_run, &t, err));
    f->n_runs = r + 1;
    FN_TRY(take_files(f, &f->runs[r], err));
  }
  FN_TRY(take_results(f, err));
  FN_TRY(choose_keys(&keys, &n_keys, f, err));
  fn_status status = FN_OK;
  for (size_t r = 0; r < n && status == FN_OK; r++) {
    fn_cli_progress(f->cli, "reading run %zu of %zu", r + 1, n);
    if (fn_cli_stop_requested()) status = fn_err_set(err, FN_E_CANCELLED, "stopped");
    if (status == FN_OK) status = take_curves(f, &f->runs[r], keys, n_keys, err);
  }
  fn_cli_progress_end(f->cli);
  if (status == FN_OK) status = take_versions(f, err);
  free(keys);
  return status;
}
