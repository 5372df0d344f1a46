#include "train/evaluate.h"

#include <stdlib.h>

/* Probability of class 1 from two logits. */
static double probability(const float logits[2]) {
  return 1 / (1 + exp((double)logits[0] - (double)logits[1]));
}

/* Fills batch with rows from *next on, up to the budget. */
static fn_status fill(fn_batch *batch, size_t *next, const fn_examples *e, const fn_batching *b, fn_err *err) {
  fn_batch_reset(batch);
  while (*next < e->n && (size_t)batch->B < b->max_rows) {
    const size_t length = fn_example_length(e, *next, &b->sequence);
    if (batch->B > 0 && (size_t)batch->T + length > b->max_tokens) break;
    FN_TRY(fn_batch_append(batch, b->tokenizer, &e->ids[*next], 0, &b->sequence, e->rows[*next].label, 1, 0,
                           (uint32_t)*next, err));
    (*next)++;
  }
  return FN_OK;
}

fn_status fn_examples_predict(double *p_fake_out, fn_model *model, const fn_examples *e, const fn_batching *b,
                              fn_keep_going keep_going, void *arg, fn_err *err) {
  FN_CLEANUP(fn_batch_deinit) fn_batch batch;
  fn_batch_init(&batch);
  FN_AUTO_FREE float *logits = fn_mem_calloc(b->max_rows, 2 * sizeof *logits);
  if (!logits) return fn_err_no_memory(err, "logits");
  for (size_t next = 0; next < e->n;) {
    const size_t first = next;
    FN_TRY(fill(&batch, &next, e, b, err));
    FN_TRY(fn_model_forward(logits, model, &batch, err));
    for (size_t i = first; i < next; i++) p_fake_out[i] = probability(logits + 2 * (i - first));
    if (keep_going && !keep_going(arg, next)) return fn_err_set(err, FN_E_CANCELLED, "stopped while evaluating");
  }
  return FN_OK;
}

fn_status fn_examples_evaluate(fn_metrics *metrics_out, fn_model *model, const fn_examples *e, const fn_batching *b,
                               fn_keep_going keep_going, void *arg, fn_err *err) {
  FN_AUTO_FREE double *p = fn_mem_calloc(e->n, sizeof *p);
  FN_AUTO_FREE int32_t *labels = fn_mem_calloc(e->n, sizeof *labels);
  if (!p || !labels) return fn_err_no_memory(err, "probabilities");
  FN_TRY(fn_examples_predict(p, model, e, b, keep_going, arg, err));
  for (size_t i = 0; i < e->n; i++) labels[i] = e->rows[i].label;
  return fn_metrics_compute(metrics_out, p, labels, e->n, err);
}

void fn_metrics_write(fn_json_writer *w, const char *split, const fn_metrics *m) {
  fn_metric_scalar scalars[FN_METRICS_N_SCALARS];
  fn_metrics_scalars(scalars, m, NULL);
  char key[96];
  for (size_t i = 0; i < FN_METRICS_N_SCALARS; i++) {
    snprintf(key, sizeof key, "%s/%s", split, scalars[i].name);
    fn_json_double(w, key, scalars[i].value);
  }
  snprintf(key, sizeof key, "%s/confusion", split);
  fn_json_array(w, key);
  for (int k = 0; k < 2; k++) {
    fn_json_array(w, NULL);
    fn_json_int(w, NULL, m->confusion[k][0]);
    fn_json_int(w, NULL, m->confusion[k][1]);
    fn_json_end(w);
  }
  fn_json_end(w);
}
