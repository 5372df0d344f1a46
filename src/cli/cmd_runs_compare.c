/* fakenews runs compare: what differs between runs, and which one did best. */
#include "cli/runs_support.h"
#include "report/runs.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_COMPARED = 500, KEY_WIDTH = 38, VALUE_WIDTH = 14, MIN_VALUES = 1 };

/* Copies of the views, for all are needed at once. */
typedef struct comparison {
  const fn_cli *cli;
  fn_arena arena;
  fn_run_view runs[MAX_COMPARED];
  size_t n;
  const char **params, **metrics; /* names that any run has, in order */
  size_t n_params, n_metrics;
  bool all;
  fn_buf out;
} comparison;

static char *keep(comparison *c, const char *text, bool *failed) {
  char *copy = fn_arena_strndup(&c->arena, text, strlen(text));
  *failed = *failed || !copy;
  return copy;
}

static fn_status keep_run(void *arg, const fn_run_view *run, fn_err *err) {
  comparison *c = arg;
  bool failed = false;
  fn_run_view *copy = &c->runs[c->n];
  fn_track_pair *params = fn_arena_alloc(&c->arena, run->n_params, sizeof *params);
  fn_run_metric *metrics = fn_arena_alloc(&c->arena, run->n_metrics, sizeof *metrics);
  if (!params || !metrics) return fn_err_no_memory(err, "runs");
  *copy = (fn_run_view){.info = run->info, .params = params, .metrics = metrics};
  copy->info.name = keep(c, run->info.name, &failed);
  for (size_t i = 0; i < run->n_params; i++)
    params[i] = (fn_track_pair){keep(c, run->params[i].key, &failed), keep(c, run->params[i].value, &failed)};
  for (size_t i = 0; i < run->n_metrics; i++) {
    metrics[i] = run->metrics[i];
    metrics[i].key = keep(c, run->metrics[i].key, &failed);
  }
  copy->n_params = run->n_params;
  copy->n_metrics = run->n_metrics;
  c->n++;
  return failed ? fn_err_no_memory(err, "runs") : FN_OK;
}

/* ---- the names ---- */

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t sort_unique(const char **names, size_t n) {
  size_t kept = 0;
  if (n > 1) qsort(names, n, sizeof *names, by_text);
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0) names[kept++] = names[i];
  return kept;
}

static const char *param_of(const comparison *c, size_t run, const char *key) {
  return fn_runs_pair(c->runs[run].params, c->runs[run].n_params, key);
}

static bool same(const char *a, const char *b) {
  return strcmp(a ? a : "null", b ? b : "null") == 0;
}

/* What a run does not have is as good as null. Where it is of another family of models it is no difference: a linear
 * model has no hidden layers and no epochs. */
static bool differs(const comparison *c, const char *key) {
  size_t has = 0;
  while (has < c->n && !param_of(c, has, key)) has++;
  for (size_t r = 0; r < c->n; r++) {
    const char *value = param_of(c, r, key);
    if (!value && !same(param_of(c, r, "family"), param_of(c, has, "family"))) continue;
    if (!same(value, param_of(c, has, key))) return true;
  }
  return false;
}

static fn_status gather_names(comparison *c, fn_err *err) {
  size_t n_params = 0, n_metrics = 0;
  for (size_t r = 0; r < c->n; r++) n_params += c->runs[r].n_params, n_metrics += c->runs[r].n_metrics;
  c->params = fn_arena_alloc(&c->arena, n_params + 1, sizeof *c->params);
  c->metrics = fn_arena_alloc(&c->arena, n_metrics + 1, sizeof *c->metrics);
  if (!c->params || !c->metrics) return fn_err_no_memory(err, "runs");
  for (size_t r = 0; r < c->n; r++) {
    for (size_t i = 0; i < c->runs[r].n_params; i++) c->params[c->n_params++] = c->runs[r].params[i].key;
    for (size_t i = 0; i < c->runs[r].n_metrics; i++)
      if (c->all || strncmp(c->runs[r].metrics[i].key, "system/", 7) != 0)
        c->metrics[c->n_metrics++] = c->runs[r].metrics[i].key;
  }
  c->n_params = sort_unique(c->params, c->n_params);
  c->n_metrics = sort_unique(c->metrics, c->n_metrics);
  size_t kept = 0;
  for (size_t i = 0; i < c->n_params; i++)
    if (c->all || differs(c, c->params[i])) c->params[kept++] = c->params[i];
  c->n_params = kept;
  return FN_OK;
}

/* Of the last values; SIZE_MAX when fewer than two runs have one, all are equal, or none is better than another. */
static size_t best_of(const comparison *c, const char *key) {
  const int direction = fn_report_direction(key);
  if (direction == 0) return SIZE_MAX;
  const bool lower = direction < 0;
  size_t best = SIZE_MAX, n = 0;
  bool equal = true;
  double value = 0;
  for (size_t r = 0; r < c->n; r++) {
    const fn_run_metric *m = fn_runs_metric(&c->runs[r], key);
    if (!m || isnan(m->last)) continue;
    if (n++ && (m->last < value || m->last > value)) equal = false;
    if (best != SIZE_MAX && (lower ? m->last >= value : m->last <= value)) continue;
    best = r;
    value = m->last;
  }
  return n < 2 || equal ? SIZE_MAX : best;
}

/* ---- as text ---- */

static fn_status titles(const comparison *c, fn_table *t, const char *first, size_t from, size_t n, fn_err *err) {
  fn_table_init(t, t->arena);
  fn_table_column(t, first, false);
  for (size_t r = from; r < from + n; r++) {
    char id[9];
    snprintf(id, sizeof id, "%.8s", c->runs[r].info.id);
    const char *copy = fn_arena_strndup(t->arena, id, 8);
    if (!copy) return fn_err_no_memory(err, "a table");
    fn_table_column(t, copy, true);
  }
  return FN_OK;
}

static fn_status short_cell(fn_table *t, const char *text, size_t width, fn_err *err) {
  FN_AUTO_BUF fn_buf cut;
  fn_buf_init(&cut, 4096);
  fn_print_line(&cut, fn_str_from(text), width);
  FN_TRY(fn_buf_check(&cut, "a table", err));
  return fn_table_cell(t, cut.data ? cut.data : "", err);
}

static fn_status name_rows(const comparison *c, fn_table *t, size_t from, size_t n, fn_err *err) {
  FN_TRY(fn_table_cell(t, "run", err));
  for (size_t r = from; r < from + n; r++)
    FN_TRY(short_cell(t, fn_runs_given_name(c->runs[r].info.name), VALUE_WIDTH, err));
  FN_TRY(fn_table_cell(t, "status", err));
  for (size_t r = from; r < from + n; r++) FN_TRY(fn_table_cell(t, fn_run_status_names[c->runs[r].info.status], err));
  for (size_t i = 0; i < c->n_params; i++) {
    FN_TRY(short_cell(t, c->params[i], KEY_WIDTH, err));
    for (size_t r = from; r < from + n; r++) {
      const char *value = param_of(c, r, c->params[i]);
      FN_TRY(short_cell(t, value ? value : "-", VALUE_WIDTH, err));
    }
  }
  return FN_OK;
}

static fn_status metric_rows(const comparison *c, fn_table *t, size_t from, size_t n, fn_err *err) {
  for (size_t i = 0; i < c->n_metrics; i++) {
    const size_t best = best_of(c, c->metrics[i]);
    const fn_run_metric *top = best == SIZE_MAX ? NULL : fn_runs_metric(&c->runs[best], c->metrics[i]);
    FN_TRY(short_cell(t, c->metrics[i], KEY_WIDTH, err));
    for (size_t r = from; r < from + n; r++) {
      const fn_run_metric *m = fn_runs_metric(&c->runs[r], c->metrics[i]);
      char number[32] = "-", text[40];
      if (m) fn_runs_number(number, m->last);
      const bool as_good = m && top && !isnan(m->last) && !(m->last < top->last || m->last > top->last);
      snprintf(text, sizeof text, "%s%s", number, as_good ? " *" : "");
      FN_TRY(fn_table_cell(t, text, err));
    }
  }
  return FN_OK;
}

/* As many runs side by side as the terminal holds; the others follow below. */
static fn_status text_block(comparison *c, size_t from, size_t n, size_t width, fn_err *err) {
  const bool color = c->cli->color && c->cli->tty_out;
  fn_table table = {.arena = &c->arena};
  fn_status status = titles(c, &table, "parameter", from, n, err);
  if (status == FN_OK) status = name_rows(c, &table, from, n, err);
  if (status == FN_OK) fn_table_format(&c->out, &table, width, n + 1, 0, color);
  fn_table_deinit(&table);
  if (status != FN_OK || c->n_metrics == 0) return status;
  fn_buf_append_char(&c->out, '\n');
  table = (fn_table){.arena = &c->arena};
  status = titles(c, &table, "metric (* best)", from, n, err);
  if (status == FN_OK) status = metric_rows(c, &table, from, n, err);
  if (status == FN_OK) fn_table_format(&c->out, &table, width, n + 1, 0, color);
  fn_table_deinit(&table);
  return status;
}

static fn_status text_page(comparison *c, fn_err *err) {
  const size_t width = (size_t)fn_cli_width(STDOUT_FILENO), room = width > KEY_WIDTH ? width - KEY_WIDTH : 0;
  size_t at_once = room / (VALUE_WIDTH + 2);
  if (at_once < MIN_VALUES) at_once = MIN_VALUES;
  for (size_t from = 0; from < c->n; from += at_once) {
    if (from) fn_buf_append_char(&c->out, '\n');
    FN_TRY(text_block(c, from, c->n - from < at_once ? c->n - from : at_once, width, err));
  }
  return FN_OK;
}

/* ---- as JSON ---- */

static void json_page(comparison *c) {
  fn_json_writer w;
  fn_json_begin(&w, &c->out, 2);
  fn_json_object(&w, NULL);
  fn_json_array(&w, "runs");
  for (size_t r = 0; r < c->n; r++) {
    fn_json_object(&w, NULL);
    fn_json_text(&w, "run_id", c->runs[r].info.id);
    fn_json_text(&w, "name", c->runs[r].info.name);
    fn_json_text(&w, "status", fn_run_status_names[c->runs[r].info.status]);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_object(&w, "params");
  for (size_t i = 0; i < c->n_params; i++) {
    fn_json_array(&w, c->params[i]);
    for (size_t r = 0; r < c->n; r++) fn_json_text(&w, NULL, param_of(c, r, c->params[i]));
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_object(&w, "metrics");
  for (size_t i = 0; i < c->n_metrics; i++) {
    const size_t best = best_of(c, c->metrics[i]);
    fn_json_object(&w, c->metrics[i]);
    const int direction = fn_report_direction(c->metrics[i]);
    fn_json_text(&w, "better", direction < 0 ? "lower" : direction > 0 ? "higher" : NULL);
    fn_json_text(&w, "best", best == SIZE_MAX ? NULL : c->runs[best].info.id);
    fn_json_array(&w, "values");
    for (size_t r = 0; r < c->n; r++) {
      const fn_run_metric *m = fn_runs_metric(&c->runs[r], c->metrics[i]);
      fn_json_double(&w, NULL, m ? m->last : (double)NAN);
    }
    fn_json_end(&w);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(&c->out, '\n');
}

static fn_status gather_runs(comparison *c, const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_runs runs;
  FN_TRY(fn_cli_runs_open(&runs, cli, FN_CLI_OPEN_READ, err));
  fn_status status = FN_OK;
  for (size_t i = 0; i < args->n_rest && status == FN_OK; i++) {
    char id[FN_RUN_ID_LENGTH];
    status = fn_tracking_find(id, runs.tracking, args->rest[i], err);
    if (status == FN_OK) status = fn_tracking_get_run(runs.tracking, id, keep_run, c, err);
  }
  fn_cli_runs_close(&runs);
  return status;
}

static fn_status compare(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  if (args->n_rest < 2 || args->n_rest > MAX_COMPARED)
    return fn_err_set(err, FN_E_INVALID, "runs compare takes 2 to %d runs: ids or their first digits, names, folders",
                      (int)MAX_COMPARED);
  comparison *c = fn_mem_calloc(1, sizeof *c);
  if (!c) return fn_err_no_memory(err, "runs");
  c->cli = cli;
  c->all = fn_cli_get(args, "--all") != NULL;
  fn_arena_init(&c->arena);
  fn_buf_init(&c->out, 0);
  fn_status status = gather_runs(c, cli, args, err);
  if (status == FN_OK) status = gather_names(c, err);
  if (status == FN_OK) {
    if (fn_cli_get(args, "--json") || !cli->tty_out)
      json_page(c);
    else
      status = text_page(c, err);
  }
  if (status == FN_OK) status = fn_buf_check(&c->out, "a comparison", err);
  if (status == FN_OK) status = fn_cli_print(fn_buf_str(&c->out), err);
  fn_buf_deinit(&c->out);
  fn_arena_deinit(&c->arena);
  free(c);
  return status;
}

static const fn_cli_flag compare_flags[] = {
    {.name = "--all", .help = "parameters that are the same, and system metrics, too"},
    {.name = "--json", .help = "as JSON; the default where stdout is no terminal"},
    {0},
};

const fn_verb fn_verb_runs_compare = {
    .name = "runs",
    .sub = "compare",
    .summary = "up to 500 runs side by side; parameters that differ, metrics, the best of each marked",
    .usage = "RUN RUN … [--all] [--json] [key=value …]",
    .flags = compare_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews runs compare 3f2a91c4 latest\n",
    .run = compare,
};
