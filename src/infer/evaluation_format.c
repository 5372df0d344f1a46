#include "infer/evaluation.h"

#include <stdlib.h>

static const char *const mode_names[] = {"title", "text", "title+text"}; /* by fn_text_mode */

static fn_metrics_entry entry_of(const fn_evaluation_system *system, const fn_evaluation_part *part) {
  return (fn_metrics_entry){system->name, &part->metrics, part->has_intervals ? &part->intervals : NULL};
}

static void write_subject(fn_json_writer *w, const fn_evaluation *e, const fn_evaluation_subject *s) {
  fn_json_object(w, "model");
  fn_json_text(w, "id", s->model->id);
  fn_json_text(w, "path", s->model->dir);
  fn_json_text(w, "family", s->model->family);
  fn_json_text(w, "text", mode_names[s->mode]);
  if (s->max_tokens > 0) {
    fn_json_int(w, "max_tokens", s->max_tokens);
  } else {
    fn_json_null(w, "max_tokens");
  }
  fn_json_text(w, "long", s->long_texts);
  fn_json_end(w);
  fn_json_object(w, "data");
  fn_json_text(w, "path", s->data);
  fn_json_text(w, "split", s->split);
  fn_json_text(w, "hash", s->data_hash);
  fn_json_int(w, "n", (int64_t)e->rows->n);
  fn_json_int(w, "n_refused", (int64_t)e->rows->n_refused);
  fn_json_int(w, "n_groups", (int64_t)e->rows->n_groups);
  fn_json_text(w, "groups", e->rows->sources_known ? "source" : "cluster");
  fn_json_end(w);
}

static double share(size_t part, size_t all) {
  return all > 0 ? (double)part / (double)all : FN_UNDEFINED;
}

static void write_verdicts(fn_json_writer *w, const fn_evaluation *e) {
  const fn_verdict_counts *v = &e->verdicts;
  if (!e->has_verdicts) {
    fn_json_null(w, "verdicts");
    return;
  }
  fn_json_object(w, "verdicts");
  fn_json_int(w, "n_calibrated", (int64_t)v->n_calibrated);
  fn_json_int(w, "n_unsure", (int64_t)(v->n - v->n_verdicts));
  fn_json_double(w, "coverage", share(v->n_verdicts, v->n));
  fn_json_double(w, "accuracy", share(v->n_right, v->n_verdicts));
  fn_json_end(w);
}

void fn_evaluation_format_json(fn_buf *out, const fn_evaluation *e, const fn_evaluation_subject *s) {
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "schema", "fakenews.evaluation/1");
  fn_json_text(&w, "version", s->version);
  write_subject(&w, e, s);
  fn_json_object(&w, "bootstrap");
  fn_json_int(&w, "resamples", e->options.resamples);
  fn_json_int(&w, "seed", e->options.seed);
  fn_json_end(&w);
  fn_json_text(&w, "baselines", s->baselines);
  write_verdicts(&w, e);
  fn_json_array(&w, "systems");
  for (size_t i = 0; i < e->n_systems; i++) {
    const fn_evaluation_system *system = &e->systems[i];
    fn_metrics_entry all = entry_of(system, &system->all);
    fn_json_object(&w, NULL);
    fn_json_text(&w, "name", system->name);
    fn_json_text(&w, "description", system->description);
    fn_metrics_format_json(&w, "metrics", &all);
    fn_json_array(&w, "by_dataset");
    for (size_t d = 0; d < e->rows->n_datasets; d++) {
      if (system->by_dataset[d].metrics.n == 0) continue;
      fn_metrics_entry part = entry_of(system, &system->by_dataset[d]);
      fn_json_object(&w, NULL);
      fn_json_text(&w, "dataset", e->rows->dataset_names[d]);
      fn_metrics_format_json(&w, "metrics", &part);
      fn_json_end(&w);
    }
    fn_json_end(&w);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

/* Accuracy and AUC of every system, one line a dataset; nothing when there is one dataset only. */
static void append_datasets(fn_buf *out, const fn_evaluation *e) {
  size_t n = 0;
  FN_AUTO_FREE const char **names = fn_mem_calloc(e->rows->n_datasets, sizeof *names);
  FN_AUTO_FREE fn_metrics *metrics = fn_mem_calloc(e->rows->n_datasets, FN_EVALUATION_MAX_SYSTEMS * sizeof *metrics);
  const char *systems[FN_EVALUATION_MAX_SYSTEMS];
  if (names == NULL || metrics == NULL) {
    out->failed = true;
    return;
  }
  size_t n_shown = 0, shown[FN_EVALUATION_MAX_SYSTEMS]; /* calibration hardly changes these figures */
  for (size_t s = 0; s < e->n_systems; s++) {
    if (strcmp(e->systems[s].name, "calibrated") == 0) continue;
    shown[n_shown] = s;
    systems[n_shown++] = e->systems[s].name;
  }
  for (size_t d = 0; d < e->rows->n_datasets; d++) {
    if (e->systems[0].by_dataset[d].metrics.n == 0) continue;
    for (size_t s = 0; s < n_shown; s++) metrics[n * n_shown + s] = e->systems[shown[s]].by_dataset[d].metrics;
    names[n++] = e->rows->dataset_names[d];
  }
  if (n < 2) return;
  fn_buf_append_char(out, '\n');
  fn_metrics_format_groups(out, "dataset", names, n, systems, n_shown, metrics);
}

static void append_verdicts(fn_buf *out, const fn_evaluation *e) {
  const fn_verdict_counts *v = &e->verdicts;
  fn_buf_printf(out, "\nverdicts   real or fake for %.1f %% of the rows", 100.0 * share(v->n_verdicts, v->n));
  if (v->n_verdicts > 0) fn_buf_printf(out, ", %.1f %% of them right", 100.0 * share(v->n_right, v->n_verdicts));
  fn_buf_append_str(out, "; unsure for the rest\n");
  if (v->n_calibrated < v->n)
    fn_buf_printf(out, "           %zu rows are of a kind that was not calibrated\n", v->n - v->n_calibrated);
}

void fn_evaluation_format_table(fn_buf *out, const fn_evaluation *e, const fn_evaluation_subject *s) {
  fn_metrics_entry entries[FN_EVALUATION_MAX_SYSTEMS];
  if (e->n_systems == 0) return;
  for (size_t i = 0; i < e->n_systems; i++) {
    entries[i] = entry_of(&e->systems[i], &e->systems[i].all);
    fn_buf_printf(out, "%-10s %s\n", e->systems[i].name, e->systems[i].description);
  }
  fn_buf_append_char(out, '\n');
  fn_metrics_format_table(out, s->split ? s->split : s->data, entries, e->n_systems);
  if (e->has_verdicts) append_verdicts(out, e);
  append_datasets(out, e);
}
