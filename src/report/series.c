#include "report/series.h"

#include <math.h>

void fn_series_init(fn_series *s, size_t max_buckets, size_t window) {
  *s = (fn_series){.max_buckets = max_buckets < 2 ? 2 : max_buckets, .width = 1};
  s->alpha = window > 1 ? 1 / (double)window : 0;
}

void fn_series_deinit(fn_series *s) {
  free(s->buckets);
  *s = (fn_series){0};
}

static void merge(fn_series_bucket *into, const fn_series_bucket *next) {
  if (next->low.y < into->low.y) into->low = next->low;
  if (next->high.y > into->high.y) into->high = next->high;
  into->last = next->last;
  into->smooth = next->smooth;
  into->gap = into->gap || next->gap;
}

/* Intervals of twice the width. */
static void widen(fn_series *s) {
  size_t n = 0;
  s->width *= 2;
  for (size_t i = 0; i < s->n; i++) {
    fn_series_bucket b = s->buckets[i];
    b.index /= 2;
    if (n > 0 && s->buckets[n - 1].index == b.index)
      merge(&s->buckets[n - 1], &b);
    else
      s->buckets[n++] = b;
  }
  s->n = n;
}

fn_status fn_series_add(fn_series *s, int64_t step, double value, fn_err *err) {
  if (s->n_points > 0 && step < s->last_step) step = s->last_step;
  if (!isfinite(value)) {
    if (s->n_bad++ == 0) s->first_bad = step;
    if (s->n > 0) s->buckets[s->n - 1].gap = true;
    return FN_OK;
  }
  if (s->n_points == 0) s->origin = step;
  uint64_t index = ((uint64_t)step - (uint64_t)s->origin) / s->width;
  while (index >= s->max_buckets) {
    widen(s);
    index /= 2;
  }
  const bool fresh = s->n == 0 || s->buckets[s->n - 1].index != index;
  if (fresh) {
    void *grown = s->buckets;
    FN_TRY(
        fn_mem_grow(&grown, &s->capacity, s->n + 1, sizeof *s->buckets, s->max_buckets + 1, "points of a curve", err));
    s->buckets = grown;
  }
  s->sum = (1 - s->alpha) * s->sum + s->alpha * value;
  s->weight = (1 - s->alpha) * s->weight + s->alpha;
  const fn_point p = {(double)step, value};
  const fn_series_bucket b = {index, p, p, p, p, s->alpha > 0 ? s->sum / s->weight : value, false};
  if (fresh)
    s->buckets[s->n++] = b;
  else
    merge(&s->buckets[s->n - 1], &b);
  s->n_points++;
  s->last_step = step;
  return FN_OK;
}

static void push(fn_point *points, size_t *n, fn_point p) {
  /* The first, lowest and highest point of an interval are often one. */
  if (*n > 0 && points[*n - 1].x >= p.x && points[*n - 1].y == p.y) return;
  points[(*n)++] = p;
}

fn_status fn_series_points(fn_point **points_out, size_t *n_out, const fn_series *s, bool smooth, fn_err *err) {
  fn_point *points = fn_mem_alloc(s->n * 5 + 1, sizeof *points);
  size_t n = 0;
  if (!points) return fn_err_no_memory(err, "points of a curve");
  for (size_t i = 0; i < s->n; i++) {
    const fn_series_bucket *b = &s->buckets[i];
    if (smooth) {
      if (s->alpha > 0) points[n++] = (fn_point){b->last.x, b->smooth};
      continue;
    }
    const bool low_first = b->low.x <= b->high.x;
    push(points, &n, b->first);
    push(points, &n, low_first ? b->low : b->high);
    push(points, &n, low_first ? b->high : b->low);
    push(points, &n, b->last);
    if (b->gap && i + 1 < s->n) points[n++] = (fn_point){b->last.x, (double)NAN};
  }
  *points_out = points;
  *n_out = n;
  return FN_OK;
}
