/* A curve of any length in bounded memory: steps fall into at most `max_buckets` equal intervals, of each of which the
 * first, lowest, highest and last point stay. So what is drawn on as many pixel columns has every peak, whatever its
 * length; a shorter curve is kept whole. The smoothed curve is made of all points before they are thinned. */
#ifndef FN_REPORT_SERIES_H
#define FN_REPORT_SERIES_H

#include "base/base.h"

typedef struct fn_point {
  double x, y; /* y NaN: a gap */
} fn_point;

typedef struct fn_series_bucket {
  uint64_t index;
  fn_point first, low, high, last;
  double smooth;
  bool gap; /* a value after the last point was no number */
} fn_series_bucket;

typedef struct fn_series {
  fn_series_bucket *buckets;
  size_t n, capacity, max_buckets;
  int64_t origin; /* step of the first point */
  uint64_t width; /* steps of an interval: a power of two */
  double alpha;   /* of the moving mean */
  double sum, weight;
  int64_t n_points;         /* finite ones */
  int64_t n_bad, first_bad; /* values that are NaN or infinite, and the step of the first */
  int64_t last_step;
} fn_series;

/* window: points that the smoothed curve leans on (an exponential mean with weight 1/window, unbiased at the start); 0
 * or 1: not smoothed. */
void fn_series_init(fn_series *series, size_t max_buckets, size_t window);
void fn_series_deinit(fn_series *series);
/* Steps in any order that does not go down; one that does counts as the step before it. */
FN_NODISCARD fn_status fn_series_add(fn_series *series, int64_t step, double value, fn_err *err);
/* What is to be drawn, in order of x; malloc'd. smooth: one point an interval, no gaps; n 0 without smoothing. */
FN_NODISCARD fn_status fn_series_points(fn_point **points_out, size_t *n_out, const fn_series *series, bool smooth,
                                        fn_err *err);

#endif
