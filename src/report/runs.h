/* The report of runs: what they were, how they went, what differs, what came of them. Plain values come in, a page goes
 * out; nothing here knows a database. */
#ifndef FN_REPORT_RUNS_H
#define FN_REPORT_RUNS_H

#include "report/series.h"

typedef struct fn_report_pair {
  const char *key, *value;
} fn_report_pair;

typedef struct fn_report_metric {
  const char *key;       /* "val/loss" */
  double last, min, max; /* may be NaN or infinite */
  double kept;           /* at the best step, which is the model that was kept; NaN: no value there */
  double low, high;      /* 95 % interval of `kept` or `last`; NaN: none was recorded */
  int64_t n, last_step;
  const char *interval_of; /* what the interval is of, where that is not the run: a version, by publishers; else NULL */
} fn_report_metric;

typedef struct fn_report_curve {
  const char *key;
  fn_series series;
} fn_report_curve;

typedef struct fn_report_artifact {
  const char *path, *sha256;
  const char *place; /* relative path or file:// address to link to; NULL: none */
  int64_t n_bytes;
} fn_report_artifact;

/* The confusion matrix of a split: [true][given], real before fake. */
typedef struct fn_report_split {
  const char *name; /* "test", "val", "left_out" */
  int64_t confusion[2][2];
} fn_report_split;

/* NULL or "": not known. Pairs and metrics in any order; a key once. */
typedef struct fn_report_run {
  const char *id, *name, *experiment, *user, *parent, *folder;
  const char *status; /* "FINISHED", "RUNNING", "FAILED", "KILLED", "INTERRUPTED", "SCHEDULED" */
  const char *family, *data, *data_hash, *init, *init_hash, *revision, *build, *device, *command;
  int64_t start_ms, end_ms; /* Unix; end 0: not ended */
  int64_t best_step;        /* of the model that was kept; -1: not known */
  const fn_report_pair *params, *tags;
  const fn_report_metric *metrics;
  const fn_report_curve *curves;
  const fn_report_artifact *artifacts;
  const fn_report_split *splits;
  const char *const *models; /* "news/3 (best)": versions in the registry that came of it */
  size_t n_params, n_tags, n_metrics, n_curves, n_artifacts, n_splits, n_models;
} fn_report_run;

typedef struct fn_runs_report {
  const char *title;   /* NULL: made of the runs' experiment */
  const char *command; /* what made the page, for its foot */
  const char *version; /* of the program */
  int64_t made_ms, now_ms;
  const char *metric;          /* that ranks the runs: "val/loss" */
  int direction;               /* -1: lower is better, 1: higher, 0: not known, no run is called best */
  size_t n_keys_without_curve; /* metrics that were left to the tables because there are so many */
  const fn_report_run *runs;
  size_t n_runs; /* 1 … FN_REPORT_MAX_RUNS */
} fn_runs_report;

enum { FN_REPORT_MAX_RUNS = 500, FN_REPORT_MAX_CURVES = 40 };

/* -1, 1, or 0 for a metric whose name says neither. */
int fn_report_direction(const char *metric);
/* Intervals that a curve may have (fn_series_init) so that a page of so many curves stays in bounds. */
size_t fn_report_buckets(size_t n_runs, size_t n_keys);
/* Window for fn_series_init: what is noisy (training, machine) is smoothed where it has many points, validation never.
 */
size_t fn_report_window(const char *key, int64_t n_points);
/* Whether a curve goes over seconds since the run began instead of steps: what the machine did. */
bool fn_report_by_time(const char *key);
/* Where a key stands in the report; keys with a low rank are drawn first, SIZE_MAX: not drawn. */
size_t fn_report_curve_rank(const char *key);

/* Appends the page. FN_E_INVALID: no run, too many. FN_E_LIMIT: out->max is not enough. */
FN_NODISCARD fn_status fn_runs_report_write(fn_buf *out, const fn_runs_report *report, fn_err *err);

#endif
