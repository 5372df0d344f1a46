/* What the parts of the runs report share. */
#ifndef FN_REPORT_RUNS_INTERNAL_H
#define FN_REPORT_RUNS_INTERNAL_H

#include "report/report.h"

enum { FN_REPORT_N_FIRST = 6 };

typedef struct fn_report_row {
  char letter[8]; /* "A" … "Z", "AA" …: what a run is called in drawings */
  char label[80]; /* letter and the part of the name that tells it apart */
  char name[160]; /* letter and name, without the time that it begins with */
  int style;
  size_t place; /* by the ranking metric, from 0; SIZE_MAX: no value */
  double score; /* NaN: none */
} fn_report_row;

typedef struct fn_report_view {
  const fn_runs_report *report;
  fn_report_row *rows; /* [n_runs] */
  size_t n_runs;
  size_t *order;       /* [n_runs] rows of tables: the best first */
  size_t best;         /* SIZE_MAX: none */
  const char **params; /* sorted keys of all runs */
  const char **values; /* [n_params][n_runs]; NULL: not set */
  size_t n_params;
  size_t *differing; /* indices into params, the most telling first */
  size_t n_differing;
} fn_report_view;

FN_NODISCARD fn_status fn_report_view_make(fn_report_view *view_out, const fn_runs_report *report, fn_err *err);
void fn_report_view_release(fn_report_view *view);
static inline const char *fn_report_param(const fn_report_view *view, size_t param, size_t run) {
  return view->values[param * view->n_runs + run];
}
/* Of a parameter that does not differ: the value that is set, NULL where none is. */
static inline const char *fn_report_shared_param(const fn_report_view *view, size_t param) {
  const char *value = NULL;
  for (size_t r = 0; r < view->n_runs && !value; r++) value = fn_report_param(view, param, r);
  return value;
}
/* NULL: the run has none. */
const fn_report_metric *fn_report_find_metric(const fn_report_run *run, const char *key);
/* The figure that stands for a run: of the model that was kept where there is a value, else the last. NaN: none. */
double fn_report_figure(const fn_report_run *run, const char *key);
/* The metric's value of the whole split, or NULL. */
const fn_report_split *fn_report_find_split(const fn_report_run *run, const char *name);
/* Sorted, distinct; malloc'd array of borrowed keys. */
FN_NODISCARD fn_status fn_report_metric_keys(const char ***keys_out, size_t *n_out, const fn_report_view *view,
                                             fn_err *err);
/* The swatch, the letter and the name of a run as the cell that names its row; with_switch: its box, and its whole
 * name. */
void fn_report_head(fn_buf *out, const fn_report_view *view, size_t run, bool with_switch);

void fn_report_write_summary(fn_buf *out, const fn_report_view *view);
void fn_report_write_notes(fn_buf *out, const fn_report_view *view);
FN_NODISCARD fn_status fn_report_write_params(fn_buf *out, const fn_report_view *view, fn_err *err);
bool fn_report_has_parallel(const fn_report_view *view);
FN_NODISCARD fn_status fn_report_write_parallel(fn_buf *out, const fn_report_view *view, fn_err *err);
FN_NODISCARD fn_status fn_report_write_curves(fn_buf *out, const fn_report_view *view, fn_err *err);
bool fn_report_has_system(const fn_report_view *view);
FN_NODISCARD fn_status fn_report_write_system(fn_buf *out, const fn_report_view *view, fn_err *err);
FN_NODISCARD fn_status fn_report_write_quality(fn_buf *out, const fn_report_view *view, fn_err *err);
FN_NODISCARD fn_status fn_report_write_metrics(fn_buf *out, const fn_report_view *view, fn_err *err);
void fn_report_write_artifacts(fn_buf *out, const fn_report_view *view);
void fn_report_write_lineage(fn_buf *out, const fn_report_view *view);
FN_NODISCARD fn_status fn_report_write_json(fn_buf *out, const fn_report_view *view, fn_err *err);

/* 95 % interval of a share k of n by Wilson (1927), "Probable inference"; rows count as independent. */
void fn_report_wilson(double *low_out, double *high_out, double k, double n);

#endif
