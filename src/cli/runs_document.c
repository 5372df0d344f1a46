#include "cli/runs_document.h"

#include <stdlib.h>

typedef struct gathering {
  const fn_run_view *run;
  fn_runs_curve *curves;
  uint32_t *slots; /* [n_slots] index of a metric by its key, plus 1 */
  size_t n_slots;
} gathering;

static size_t slot_of(const gathering *g, const char *key) {
  size_t at = fn_hash64(key, strlen(key), 0) & (g->n_slots - 1);
  while (g->slots[at] && strcmp(g->run->metrics[g->slots[at] - 1].key, key) != 0) at = (at + 1) & (g->n_slots - 1);
  return at;
}

static fn_status take_point(void *arg, const fn_metric_point *point, fn_err *err) {
  const gathering *g = arg;
  (void)err;
  const uint32_t number = g->slots[slot_of(g, point->key)];
  if (!number) return FN_OK;
  const fn_run_metric *m = &g->run->metrics[number - 1];
  fn_runs_curve *c = &g->curves[number - 1];
  if (c->seen == 0) c->first = point->value;
  const int64_t width = m->n < FN_CURVE_WIDTH ? m->n : FN_CURVE_WIDTH;
  int64_t cell = m->n > 0 ? c->seen * width / m->n : 0;
  if (cell >= FN_CURVE_WIDTH) cell = FN_CURVE_WIDTH - 1; /* more came while we read */
  c->seen++;
  if (!isfinite(point->value)) return FN_OK;
  c->sum[cell] += point->value;
  c->n[cell]++;
  return FN_OK;
}

fn_status fn_runs_curves(fn_runs_curve *curves_out, fn_tracking *tracking, const fn_run_view *run, fn_err *err) {
  gathering g = {.run = run, .curves = curves_out, .n_slots = 16};
  while (g.n_slots < 2 * run->n_metrics) g.n_slots *= 2;
  FN_AUTO_FREE uint32_t *slots = fn_mem_calloc(g.n_slots, sizeof *slots);
  if (!slots) return fn_err_no_memory(err, "curves");
  g.slots = slots;
  for (size_t i = 0; i < run->n_metrics; i++) slots[slot_of(&g, run->metrics[i].key)] = (uint32_t)i + 1;
  for (size_t i = 0; i < run->n_metrics; i++) curves_out[i] = (fn_runs_curve){.first = (double)NAN};
  return fn_tracking_history(tracking, run->info.id, NULL, take_point, &g, err);
}

void fn_runs_draw(fn_buf *out, const fn_runs_curve *c) {
  static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double low = (double)INFINITY, high = -(double)INFINITY;
  if (c->seen < 2) return;
  for (int i = 0; i < FN_CURVE_WIDTH; i++) {
    if (c->n[i] == 0) continue;
    const double mean = c->sum[i] / (double)c->n[i];
    if (mean < low) low = mean;
    if (mean > high) high = mean;
  }
  for (int i = 0; i < FN_CURVE_WIDTH; i++) {
    if (c->n[i] == 0) continue;
    const double mean = c->sum[i] / (double)c->n[i];
    const double height = high > low ? 7.999 * ((mean - low) / (high - low)) : 0;
    fn_buf_append_str(out, blocks[height > 0 && height < 8 ? (int)height : 0]);
  }
}

/* ---- JSON ---- */

static fn_status add_artifact(void *arg, const fn_artifact *a, fn_err *err) {
  fn_json_writer *w = arg;
  (void)err;
  fn_json_object(w, NULL);
  fn_json_text(w, "path", a->path);
  fn_json_int(w, "bytes", a->n_bytes);
  fn_json_text(w, "sha256", a->sha256);
  fn_json_end(w);
  return FN_OK;
}

static fn_status add_version(void *arg, const char *model, int64_t version, fn_err *err) {
  fn_json_writer *w = arg;
  (void)err;
  fn_json_object(w, NULL);
  fn_json_text(w, "model", model);
  fn_json_int(w, "version", version);
  fn_json_end(w);
  return FN_OK;
}

fn_status fn_runs_document(fn_buf *out, fn_tracking *tracking, const fn_run_view *run, const fn_runs_curve *curves,
                           fn_err *err) {
  char owner[64];
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_runs_json(&w, "run", run);
  fn_json_object(&w, "metrics");
  for (size_t i = 0; i < run->n_metrics; i++) {
    const fn_run_metric *m = &run->metrics[i];
    fn_json_object(&w, m->key);
    fn_json_double(&w, "first", curves[i].first);
    fn_json_double(&w, "last", m->last);
    fn_json_double(&w, "min", m->min);
    fn_json_double(&w, "max", m->max);
    fn_json_int(&w, "step", m->last_step);
    fn_json_int(&w, "points", m->n);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_array(&w, "artifacts");
  snprintf(owner, sizeof owner, "run:%s", run->info.id);
  FN_TRY(fn_tracking_list(tracking, owner, "", add_artifact, &w, err));
  fn_json_end(&w);
  fn_json_array(&w, "versions");
  FN_TRY(fn_tracking_versions(tracking, run->info.id, add_version, &w, err));
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
  return FN_OK;
}
