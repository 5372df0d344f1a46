#include "report/runs_internal.h"

#include <math.h>

enum { MAX_LABEL = 10, N_FIRST = FN_REPORT_N_FIRST };

int fn_report_direction(const char *metric) {
  static const char *const lower[] = {"loss", "brier", "ece", "log_loss", "error", "perplexity"};
  static const char *const higher[] = {"accuracy", "f1", "roc_auc", "auc", "precision", "recall"};
  const char *slash = metric ? strrchr(metric, '/') : NULL;
  const char *name = slash ? slash + 1 : metric ? metric : "";
  for (size_t i = 0; i < FN_COUNT_OF(lower); i++)
    if (strcmp(name, lower[i]) == 0) return -1;
  for (size_t i = 0; i < FN_COUNT_OF(higher); i++) {
    const size_t n = strlen(higher[i]);
    if (strncmp(name, higher[i], n) == 0 && (name[n] == 0 || name[n] == '_')) return 1;
  }
  return 0;
}

const fn_report_metric *fn_report_find_metric(const fn_report_run *run, const char *key) {
  for (size_t i = 0; i < run->n_metrics; i++)
    if (strcmp(run->metrics[i].key, key) == 0) return &run->metrics[i];
  return NULL;
}

double fn_report_figure(const fn_report_run *run, const char *key) {
  const fn_report_metric *m = key ? fn_report_find_metric(run, key) : NULL;
  return m ? isnan(m->kept) ? m->last : m->kept : (double)NAN;
}

const fn_report_split *fn_report_find_split(const fn_report_run *run, const char *name) {
  for (size_t i = 0; i < run->n_splits; i++)
    if (strcmp(run->splits[i].name, name) == 0) return &run->splits[i];
  return NULL;
}

void fn_report_wilson(double *low_out, double *high_out, double k, double n) {
  const double z = 1.959963984540054, p = n > 0 ? k / n : 0;
  if (!(n > 0)) {
    *low_out = *high_out = (double)NAN;
    return;
  }
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  *low_out = fmax(0, middle - half);
  *high_out = fmin(1, middle + half);
}

static int compare_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts and drops what is there twice; returns how many stay. */
static size_t distinct(const char **keys, size_t n) {
  size_t kept = 0;
  if (n > 0) qsort(keys, n, sizeof *keys, compare_text);
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || strcmp(keys[kept - 1], keys[i]) != 0) keys[kept++] = keys[i];
  return kept;
}

fn_status fn_report_metric_keys(const char ***keys_out, size_t *n_out, const fn_report_view *view, fn_err *err) {
  const fn_report_run *runs = view->report->runs;
  size_t n = 0;
  for (size_t r = 0; r < view->n_runs; r++) n += runs[r].n_metrics;
  const char **keys = fn_mem_calloc(n, sizeof *keys);
  if (!keys) return fn_err_no_memory(err, "metrics");
  n = 0;
  for (size_t r = 0; r < view->n_runs; r++)
    for (size_t i = 0; i < runs[r].n_metrics; i++) keys[n++] = runs[r].metrics[i].key;
  *n_out = distinct(keys, n);
  *keys_out = keys;
  return FN_OK;
}

static void make_letter(char out[8], size_t index) {
  char reversed[8];
  size_t n = 0;
  for (size_t i = index + 1; i > 0 && n < 6; i = (i - 1) / 26) reversed[n++] = (char)('A' + (i - 1) % 26);
  for (size_t i = 0; i < n; i++) out[i] = reversed[n - 1 - i];
  out[n] = 0;
}

static const char *name_of(const fn_report_run *run) {
  return run->name && *run->name ? run->name : run->id ? run->id : "";
}

/* The name without the time that `fakenews train` begins it with: the table has that in a column of its own. */
static const char *short_name(const fn_report_run *run) {
  static const char shape[] = "dddd-dd-ddTdd-dd-ddZ-";
  const char *name = name_of(run);
  for (size_t i = 0; shape[i]; i++)
    if (shape[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != shape[i]) return name;
  return name[sizeof shape - 1] ? name + sizeof shape - 1 : name;
}

/* Bytes that all names begin with, back to the last separator: "2026-11-26-" says nothing. */
static size_t common_prefix(const fn_runs_report *report) {
  const char *first = short_name(&report->runs[0]);
  size_t n = strlen(first), cut = 0;
  if (report->n_runs < 2) return 0;
  for (size_t r = 1; r < report->n_runs; r++) {
    const char *name = short_name(&report->runs[r]);
    size_t i = 0;
    while (i < n && name[i] == first[i]) i++;
    n = i;
  }
  for (size_t i = 0; i < n; i++)
    if (strchr("-_ ./:", first[i])) cut = i + 1;
  return cut >= 4 ? cut : 0;
}

/* At most max code points of `text`, after what stands in out already; bad bytes are made good by who writes it out. */
static void append_cut(char *out, size_t size, const char *text, size_t max) {
  size_t at = strlen(out), n = 0;
  const size_t length = strlen(text);
  for (size_t i = 0; i < length; n++) {
    size_t step = fn_utf8_decode(NULL, text + i, length - i);
    if (step == 0) step = 1;
    if (n == max || at + step + 4 >= size) {
      memcpy(out + at, "…", 4);
      return;
    }
    memcpy(out + at, text + i, step);
    at += step;
    i += step;
  }
  out[at] = 0;
}

static int by_score(const fn_report_view *view, size_t a, size_t b) {
  const double x = view->rows[a].score, y = view->rows[b].score;
  if (isfinite(x) != isfinite(y)) return isfinite(y) ? 1 : -1;
  if (!isfinite(x) || x == y) return a < b ? -1 : 1;
  return (view->report->direction > 0 ? x > y : x < y) ? -1 : 1;
}

/* Places by the metric; up to twelve runs have styles of their own, of more the first six. */
static void rank_runs(fn_report_view *view) {
  size_t n_styles = 0;
  view->best = SIZE_MAX;
  for (size_t r = 0; r < view->n_runs; r++) {
    fn_report_row *row = &view->rows[r];
    size_t before = 0;
    for (size_t other = 0; other < view->n_runs; other++) before += other != r && by_score(view, other, r) < 0;
    row->place = isfinite(row->score) ? before : SIZE_MAX;
    view->order[before] = r;
    row->style = FN_STYLE_CONTEXT;
    if (before < N_FIRST || view->n_runs <= FN_N_STYLES) row->style = (int)n_styles++ % FN_N_STYLES;
    if (before == 0 && isfinite(row->score) && view->report->direction != 0 && view->n_runs > 1) view->best = r;
  }
}

static fn_status gather_params(fn_report_view *view, fn_err *err) {
  const fn_report_run *runs = view->report->runs;
  size_t n = 0, cells;
  for (size_t r = 0; r < view->n_runs; r++) n += runs[r].n_params;
  view->params = fn_mem_calloc(n, sizeof *view->params);
  if (!view->params) return fn_err_no_memory(err, "parameters");
  n = 0;
  for (size_t r = 0; r < view->n_runs; r++)
    for (size_t i = 0; i < runs[r].n_params; i++) view->params[n++] = runs[r].params[i].key;
  view->n_params = distinct(view->params, n);
  view->values = fn_size_mul(&cells, view->n_params, view->n_runs) ? fn_mem_calloc(cells, sizeof *view->values) : NULL;
  view->differing = fn_mem_calloc(view->n_params, sizeof *view->differing);
  if (!view->values || !view->differing) return fn_err_no_memory(err, "parameters");
  for (size_t r = 0; r < view->n_runs; r++)
    for (size_t i = 0; i < runs[r].n_params; i++) {
      const char **found =
          bsearch(&runs[r].params[i].key, view->params, view->n_params, sizeof *view->params, compare_text);
      if (found) view->values[(size_t)(found - view->params) * view->n_runs + r] = runs[r].params[i].value;
    }
  return FN_OK;
}

/* A setting that is null, or that a run does not have: nothing was set. */
static bool same(const char *a, const char *b) {
  const bool is_set = a && strcmp(a, "null") != 0, other_is_set = b && strcmp(b, "null") != 0;
  return is_set == other_is_set && (!is_set || strcmp(a, b) == 0);
}

/* Numbers that are set everywhere first: they are what was searched over; then words; then what some runs lack. */
static int tells(const fn_report_view *view, size_t param) {
  int kind = 0;
  double v;
  for (size_t r = 0; r < view->n_runs; r++) {
    const char *value = fn_report_param(view, param, r);
    if (!value) return 2;
    if (!fn_str_to_double(&v, fn_str_from(value))) kind = 1;
  }
  return kind;
}

/* What a run does not have because its family of models does not (train.epochs of a linear model) is no difference: it
 * would be every setting of a family beside another. */
static bool differs(const fn_report_view *view, size_t param) {
  const fn_report_run *runs = view->report->runs;
  size_t has = 0;
  while (has < view->n_runs && !fn_report_param(view, param, has)) has++;
  for (size_t r = 0; r < view->n_runs; r++) {
    const char *value = fn_report_param(view, param, r);
    if (!value && !same(runs[r].family, runs[has].family)) continue;
    if (!same(value, fn_report_param(view, param, has))) return true;
  }
  return false;
}

static void find_differing(fn_report_view *view) {
  for (int kind = 0; kind < 3; kind++)
    for (size_t p = 0; p < view->n_params; p++)
      if (tells(view, p) == kind && differs(view, p)) view->differing[view->n_differing++] = p;
}

fn_status fn_report_view_make(fn_report_view *view_out, const fn_runs_report *report, fn_err *err) {
  fn_report_view view = {.report = report, .n_runs = report->n_runs};
  view.rows = fn_mem_calloc(view.n_runs, sizeof *view.rows);
  view.order = fn_mem_calloc(view.n_runs, sizeof *view.order);
  if (!view.rows || !view.order) {
    fn_report_view_release(&view);
    return fn_err_no_memory(err, "runs");
  }
  const size_t skip = common_prefix(report);
  for (size_t r = 0; r < view.n_runs; r++) {
    fn_report_row *row = &view.rows[r];
    make_letter(row->letter, r);
    snprintf(row->label, sizeof row->label, "%s ", row->letter);
    append_cut(row->label, sizeof row->label, short_name(&report->runs[r]) + skip, MAX_LABEL);
    snprintf(row->name, sizeof row->name, "%s ", row->letter);
    append_cut(row->name, sizeof row->name, short_name(&report->runs[r]), 100);
    row->score = fn_report_figure(&report->runs[r], report->metric);
  }
  rank_runs(&view);
  const fn_status status = gather_params(&view, err);
  if (status != FN_OK) {
    fn_report_view_release(&view);
    return status;
  }
  find_differing(&view);
  *view_out = view;
  return FN_OK;
}

void fn_report_view_release(fn_report_view *view) {
  free(view->rows);
  free(view->order);
  free(view->params);
  free(view->values);
  free(view->differing);
  *view = (fn_report_view){0};
}

void fn_report_head(fn_buf *out, const fn_report_view *view, size_t run, bool with_switch) {
  const fn_report_row *row = &view->rows[run];
  fn_buf_append_str(out, "<th scope=\"row\">");
  if (with_switch)
    fn_html_add(out, "<input type=\"checkbox\" class=\"script\" checked data-shows=\"%zu\" aria-label=\"Draw run %s\">",
                run, row->letter);
  fn_svg_swatch(out, row->style);
  fn_html_add(out, "<bdi>%s</bdi>", row->name);
  const char *whole = name_of(&view->report->runs[run]), *given = strchr(row->name, ' ');
  if (with_switch && !(given && strcmp(given + 1, whole) == 0)) { /* nothing was left out of it */
    fn_buf_append_str(out, "<small><bdi>");
    fn_html_cut(out, whole, 100);
    fn_buf_append_str(out, "</bdi></small>");
  }
  fn_buf_append_str(out, "</th>");
}
