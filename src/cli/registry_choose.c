#include "cli/registry_choose.h"

#include "cli/registry_make.h"
#include "report/runs.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_CANDIDATES = 1000000, MAX_RESULT = 4 << 20 };

static const struct split_name {
  const char *prefix, *card, *result,
      *rows; /* in a version's card, in result.json, parameter with the number of rows */
} split_names[] = {
    {"val/", "validation", "val", "rows.validation"},
    {"left_out/", "left_out", "left_out", "rows.left_out"},
    {"test/", NULL, NULL, NULL},
};

typedef struct candidate {
  bool is_run;
  int64_t version; /* 0: of a run */
  int64_t start_ms;
  double value;  /* of a run: no checkpoint of it was better than this */
  double order;  /* smaller: better */
  char rows[64]; /* hash of the data and number of rows that the metric is of */
  char run_id[FN_RUN_ID_LENGTH], run_name[FN_CLI_RUN_NAME];
  char *folder; /* NULL: a version's */
} candidate;

typedef struct chooser {
  fn_cli_registry *r;
  const char *name, *metric, *filter;
  const struct split_name *split; /* of the metric */
  json_t *taken, *fitting;        /* ids of runs: that have a version; that fit the filter */
  candidate *items;
  size_t n, capacity;
  size_t n_gone;         /* runs whose model is not here any more, though they may be better */
  size_t n_unread;       /* runs whose result cannot be read */
  const candidate *gone; /* the first of them */
  fn_cli_choice best;
  bool any;
} chooser;

/* ---- metrics ---- */

static const struct split_name *split_of(const char *metric) {
  for (size_t i = 0; i < FN_COUNT_OF(split_names); i++)
    if (strncmp(metric, split_names[i].prefix, strlen(split_names[i].prefix)) == 0) return &split_names[i];
  return NULL;
}

fn_status fn_cli_check_metric(const char *metric, fn_err *err) {
  static const char *const counts[] = {"n", "support", "confusion", "intervals"}; /* they stand beside the metrics */
  const struct split_name *split = split_of(metric);
  for (size_t i = 0; split && i < FN_COUNT_OF(counts); i++)
    if (strcmp(metric + strlen(split->prefix), counts[i]) == 0)
      return fn_err_set(err, FN_E_INVALID, "--metric %s: a number of rows, which makes no version better", metric);
  if (split) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "--metric %.60s: val/, test/ or left_out/ and a metric are expected, val/f1_weighted", metric);
}

static bool is_better(const chooser *c, double value, double than) {
  return c->best.smallest ? value < than : value > than;
}

/* ---- who is there ---- */

static fn_status add(chooser *c, const candidate *x, fn_err *err) {
  void *items = c->items;
  FN_TRY(fn_mem_grow(&items, &c->capacity, c->n + 1, sizeof *c->items, MAX_CANDIDATES, "candidates", err));
  c->items = items;
  c->items[c->n] = *x;
  c->items[c->n++].order = c->best.smallest ? x->value : -x->value;
  return FN_OK;
}

static fn_status remember(json_t *set, const char *id, fn_err *err) {
  return json_object_set_new(set, id, json_true()) == 0 ? FN_OK : fn_err_no_memory(err, "runs");
}

static const char *pair(const fn_track_pair *pairs, size_t n, const char *key) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(pairs[i].key, key) == 0) return pairs[i].value;
  return "";
}

static fn_status take_run(void *arg, const fn_run_view *run, fn_err *err) {
  chooser *c = arg;
  candidate x = {.is_run = true, .start_ms = run->info.start_ms, .value = (double)NAN};
  if (c->filter) FN_TRY(remember(c->fitting, run->info.id, err));
  if (!c->split->result || run->info.status != FN_RUN_FINISHED || json_object_get(c->taken, run->info.id)) return FN_OK;
  for (size_t i = 0; i < run->n_metrics; i++)
    if (strcmp(run->metrics[i].key, c->metric) == 0)
      x.value = c->best.smallest ? run->metrics[i].min : run->metrics[i].max;
  if (isnan(x.value)) return FN_OK;
  snprintf(x.rows, sizeof x.rows, "%.32s/%.20s", pair(run->tags, run->n_tags, "fakenews.data.hash"),
           pair(run->params, run->n_params, c->split->rows));
  memcpy(x.run_id, run->info.id, sizeof x.run_id);
  snprintf(x.run_name, sizeof x.run_name, "%s", run->info.name ? run->info.name : "");
  x.folder = fn_str_dup(fn_str_from(run->info.folder ? run->info.folder : ""));
  if (!x.folder) return fn_err_no_memory(err, "a path");
  return add(c, &x, err);
}

static fn_status find_runs(chooser *c, fn_err *err) {
  char metric[120], rows[64];
  const char *const columns[] = {metric, rows, "tags.`fakenews.data.hash`"};
  snprintf(metric, sizeof metric, "metrics.`%.100s`", c->metric);
  snprintf(rows, sizeof rows, "params.`%s`", c->split->rows ? c->split->rows : "rows.test");
  if (!c->split->result && !c->filter) return FN_OK;
  const fn_run_query query = {.filter = c->filter, .columns = columns, .n_columns = FN_COUNT_OF(columns)};
  return fn_tracking_search(c->r->tracking, &query, take_run, c, err);
}

/* One that was retired keeps its run from being made a version anew by itself. */
static fn_status note_run(void *arg, const fn_version_info *v, fn_err *err) {
  chooser *c = arg;
  return v->run_id[0] ? remember(c->taken, v->run_id, err) : FN_OK;
}

static fn_status take_version(void *arg, const fn_version_info *v, fn_err *err) {
  chooser *c = arg;
  const char *key = c->metric + strlen(c->split->prefix), *hash = NULL;
  candidate x = {.version = v->version, .start_ms = v->created_ms};
  FN_AUTO_JSON json_t *card = NULL;
  if (c->filter && !json_object_get(c->fitting, v->run_id)) return FN_OK;
  fn_err why = {0};
  if (fn_cli_parse_card(&card, v, &why) != FN_OK) { /* one bad row does not keep the others from being compared */
    fn_cli_warn(c->r->cli, "%s: it is left out", why.message);
    return FN_OK;
  }
  if (c->split->card) {
    const json_t *figures = json_object_get(card, c->split->card);
    hash = json_string_value(json_object_get(json_object_get(json_object_get(card, "lineage"), "data"), "trained_on"));
    x.value = fn_json_number(figures, key);
    snprintf(x.rows, sizeof x.rows, "%.32s/%lld", hash ? hash : "",
             (long long)json_integer_value(json_object_get(figures, "n")));
  } else {
    hash = json_string_value(json_object_get(json_object_get(json_object_get(card, "figures"), "data"), "hash"));
    x.value = fn_card_metric(card, key, NULL, NULL);
    snprintf(x.rows, sizeof x.rows, "%.32s/test", hash ? hash : "");
  }
  if (isnan(x.value)) return FN_OK;
  snprintf(x.run_id, sizeof x.run_id, "%s", v->run_id);
  snprintf(x.run_name, sizeof x.run_name, "%s", v->run_name);
  return add(c, &x, err);
}

static fn_status count_models(void *arg, const fn_version_info *v, fn_err *err) {
  (void)v;
  (void)err;
  ++*(size_t *)arg;
  return FN_OK;
}

fn_status fn_cli_list_versions(fn_cli_registry *r, const char *name, bool retired, fn_version_emit emit, void *arg,
                               fn_err *err) {
  fn_err why = {0};
  size_t n = 0;
  const fn_status status = fn_registry_list(r->registry, name, retired, emit, arg, &why);
  if (status == FN_E_PARTIAL) {
    if (!r->told_damage) fn_cli_warn(r->cli, "%s", why.message);
    r->told_damage = true;
    return FN_OK;
  }
  if (status == FN_E_NOT_FOUND) {
    const fn_status counted = fn_registry_list(r->registry, NULL, true, count_models, &n, err);
    if (counted != FN_E_PARTIAL) FN_TRY(counted);
  }
  if (status == FN_OK || (status == FN_E_NOT_FOUND && n == 0)) return FN_OK;
  return fn_err_set(err, status, "%s%s", why.message,
                    status == FN_E_NOT_FOUND ? "; `fakenews registry add RUN --name NAME` begins another" : "");
}

static fn_status find_all(chooser *c, fn_err *err) {
  FN_TRY(fn_cli_list_versions(c->r, c->name, true, note_run, c, err));
  FN_TRY(find_runs(c, err));
  return fn_cli_list_versions(c->r, c->name, false, take_version, c, err);
}

/* ---- the same rows ---- */

/* Leaves those of the newest version's rows, or of the newest run's. */
static void keep_comparable(chooser *c) {
  const candidate *newest = NULL;
  char rows[sizeof newest->rows] = "";
  for (size_t i = 0; i < c->n; i++) {
    const candidate *x = &c->items[i];
    const bool newer =
        newest == NULL || x->is_run < newest->is_run ||
        (x->is_run == newest->is_run && (x->is_run ? x->start_ms > newest->start_ms : x->version > newest->version));
    if (newer) newest = x;
  }
  if (newest) memcpy(rows, newest->rows, sizeof rows);
  size_t n = 0;
  for (size_t i = 0; i < c->n; i++) {
    candidate x = c->items[i];
    if (strcmp(x.rows, rows) == 0) {
      c->items[n++] = x;
    } else {
      c->best.n_other++;
      free(x.folder);
    }
  }
  c->n = n;
}

/* ---- the best ---- */

static void take(chooser *c, const candidate *x, double value) {
  c->any = true;
  c->best.value = value;
  c->best.version = x->version;
  memcpy(c->best.run_id, x->run_id, sizeof x->run_id);
  memcpy(c->best.run_name, x->run_name, sizeof x->run_name);
}

static fn_status count_file(void *arg, const fn_artifact *artifact, fn_err *err) {
  (void)artifact;
  (void)err;
  ++*(size_t *)arg;
  return FN_OK;
}

/* result.json of a run that still has its model; NULL: it has not. */
static fn_status load_result(json_t **out, const chooser *c, const candidate *x, fn_err *err) {
  char owner[64];
  size_t n = 0;
  FN_AUTO_FREE char *here = fn_path_join(x->folder, "result.json");
  FN_AUTO_FREE char *model = fn_path_join(x->folder, "model");
  if (!here || !model) return fn_err_no_memory(err, "a path");
  if (fn_cli_is_folder_of(x->folder, x->run_id) && fn_path_is_dir(model) && fn_path_exists(here))
    return fn_json_load(out, here, MAX_RESULT, err);
  snprintf(owner, sizeof owner, "run:%s", x->run_id);
  FN_TRY(fn_tracking_list(c->r->tracking, owner, "model", count_file, &n, err));
  if (n == 0) return FN_OK;
  FN_AUTO_FREE char *scratch = NULL;
  FN_TRY(fn_cli_make_scratch(&scratch, err));
  FN_AUTO_FREE char *copy = fn_path_join(scratch, "result.json");
  fn_status status =
      copy ? fn_tracking_get(c->r->tracking, owner, "result.json", copy, err) : fn_err_no_memory(err, "a path");
  if (status == FN_OK) status = fn_json_load(out, copy, MAX_RESULT, err);
  (void)!fn_dir_remove(scratch, NULL);
  return status == FN_E_NOT_FOUND ? FN_OK : status;
}

/* One run whose files are damaged does not keep the others from being compared. */
static fn_status try_result(json_t **out, chooser *c, const candidate *x, fn_err *err) {
  fn_err why = {0};
  const fn_status status = load_result(out, c, x, &why);
  if (status == FN_E_NO_MEMORY || status == FN_E_CANCELLED) return fn_err_set(err, status, "%s", why.message);
  if (status == FN_OK && *out) return FN_OK;
  if (status == FN_OK && c->n_gone++ == 0) c->gone = x;
  if (status == FN_OK) return FN_OK;
  c->n_unread++;
  fn_cli_warn(c->r->cli, "run %s, %s up to %.4f, is left out: %s", x->run_name[0] ? x->run_name : x->run_id, c->metric,
              x->value, why.message);
  return FN_OK;
}

/* What a run was at its best bounds what it kept: most need not be read. */
static fn_status weigh_run(chooser *c, const candidate *x, fn_err *err) {
  FN_AUTO_JSON json_t *result = NULL;
  if (c->any && !is_better(c, x->value, c->best.value)) return FN_OK;
  FN_TRY(try_result(&result, c, x, err));
  if (!result) return FN_OK;
  const double value = fn_json_number(json_object_get(result, c->split->result), c->metric + strlen(c->split->prefix));
  if (!isnan(value) && (!c->any || is_better(c, value, c->best.value))) take(c, x, value);
  return FN_OK;
}

static int by_order(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  if (x->order != y->order) return (x->order > y->order) - (x->order < y->order);
  return (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

static fn_status find_best(chooser *c, fn_err *err) {
  for (size_t i = 0; i < c->n; i++) {
    const candidate *x = &c->items[i];
    if (x->is_run) continue;
    c->best.n_versions++;
    if (!c->any || is_better(c, x->value, c->best.value)) take(c, x, x->value);
  }
  if (c->n > 0) qsort(c->items, c->n, sizeof *c->items, by_order);
  for (size_t i = 0; i < c->n; i++) {
    if (!c->items[i].is_run) continue;
    c->best.n_runs++;
    FN_TRY(weigh_run(c, &c->items[i], err));
  }
  c->best.n_runs -= c->n_gone + c->n_unread; /* these were not compared */
  if (c->n_gone > 0)
    fn_cli_note(c->r->cli,
                "%zu run%s that may be better cannot be taken, as folder and stored model are gone: %s, %s up "
                "to %.4f",
                c->n_gone, c->n_gone == 1 ? "" : "s", c->gone->run_name, c->metric, c->gone->value);
  return FN_OK;
}

/* ---- what is said ---- */

static void explain(chooser *c) {
  fn_cli_choice *b = &c->best;
  char versions[40] = "", runs[40] = "", other[80] = "";
  if (b->n_versions) snprintf(versions, sizeof versions, "%zu version%s", b->n_versions, b->n_versions == 1 ? "" : "s");
  if (b->n_runs) snprintf(runs, sizeof runs, "%zu other run%s", b->n_runs, b->n_runs == 1 ? "" : "s");
  if (b->n_runs && !b->n_versions) snprintf(runs, sizeof runs, "%zu run%s", b->n_runs, b->n_runs == 1 ? "" : "s");
  if (b->n_other) snprintf(other, sizeof other, " (%zu of other rows were not compared)", b->n_other);
  snprintf(b->why, sizeof b->why, "%.100s %.4f, the %s of %s%s%s%s", c->metric, b->value,
           b->smallest ? "smallest" : "greatest", versions, versions[0] && runs[0] ? " and " : "", runs, other);
}

static fn_status choose(chooser *c, fn_err *err) {
  if (!c->taken || !c->fitting) return fn_err_no_memory(err, "runs");
  FN_TRY(find_all(c, err));
  keep_comparable(c);
  FN_TRY(find_best(c, err));
  if (!c->any)
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "neither a version of %s nor a finished run%s has a %s; name one, or another --metric", c->name,
                      c->filter ? " that fits the filter" : "", c->metric);
  explain(c);
  return FN_OK;
}

fn_status fn_cli_choose(fn_cli_choice *choice_out, fn_cli_registry *r, const char *name, const char *metric,
                        const char *filter, fn_err *err) {
  FN_TRY(fn_cli_check_metric(metric, err));
  chooser c = {.r = r, .name = name, .metric = metric, .filter = filter, .split = split_of(metric)};
  if (!c.split) return fn_err_set(err, FN_E_INTERNAL, "a metric of no split");
  c.taken = json_object();
  c.fitting = json_object();
  c.best.smallest = fn_report_direction(metric) < 0;
  const fn_status status = choose(&c, err);
  for (size_t i = 0; i < c.n; i++) free(c.items[i].folder);
  free(c.items);
  json_decref(c.taken);
  json_decref(c.fitting);
  FN_TRY(status);
  *choice_out = c.best;
  return FN_OK;
}
