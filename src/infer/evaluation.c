#include "infer/evaluation.h"

#include <stdlib.h>

enum { ROWS_PER_CALL = 256 };

void fn_evaluation_init(fn_evaluation *e, const fn_labelled *rows, const fn_eval_options *options) {
  *e = (fn_evaluation){.rows = rows, .options = *options};
}

void fn_evaluation_deinit(fn_evaluation *e) {
  for (size_t s = 0; s < e->n_systems; s++) free(e->systems[s].by_dataset);
  *e = (fn_evaluation){0};
}

/* Scratch for the rows of one part. */
typedef struct part_rows {
  double *p;
  int32_t *labels;
  uint32_t *groups;
  size_t n, n_groups;
} part_rows;

static fn_status measure(fn_evaluation_part *out, const part_rows *rows, const fn_eval_options *o, fn_pool *pool,
                         fn_err *err) {
  fn_evaluation_part part = {.has_intervals = o->resamples > 0};
  FN_TRY(fn_metrics_compute(&part.metrics, rows->p, rows->labels, rows->n, err));
  if (part.has_intervals) {
    FN_TRY(fn_metrics_bootstrap(&part.intervals, rows->p, rows->labels, rows->groups, rows->n, rows->n_groups,
                                (int32_t)o->resamples, (uint64_t)o->seed, pool, err));
  }
  *out = part;
  return FN_OK;
}

/* The rows of one dataset; groups numbered anew, because the bootstrap draws from those that are there. number: scratch
 * [n_groups]. */
static void select_dataset(part_rows *out, uint32_t *number, const fn_labelled *rows, uint32_t dataset,
                           const double *p_fake) {
  out->n = out->n_groups = 0;
  for (size_t g = 0; g < rows->n_groups; g++) number[g] = UINT32_MAX;
  for (size_t i = 0; i < rows->n; i++) {
    if (rows->datasets[i] != dataset) continue;
    uint32_t *group = &number[rows->groups[i]];
    if (*group == UINT32_MAX) *group = (uint32_t)out->n_groups++;
    out->p[out->n] = p_fake[i];
    out->labels[out->n] = rows->labels[i];
    out->groups[out->n++] = *group;
  }
}

fn_status fn_evaluation_add(fn_evaluation *e, const char *name, const char *description, const double *p_fake,
                            fn_pool *pool, fn_err *err) {
  const fn_labelled *rows = e->rows;
  if (e->n_systems == FN_EVALUATION_MAX_SYSTEMS) return fn_err_set(err, FN_E_LIMIT, "too many systems to compare");
  FN_AUTO_FREE double *p = fn_mem_calloc(rows->n, sizeof *p);
  FN_AUTO_FREE int32_t *labels = fn_mem_calloc(rows->n, sizeof *labels);
  FN_AUTO_FREE uint32_t *groups = fn_mem_calloc(rows->n, sizeof *groups), *number = NULL;
  FN_AUTO_FREE fn_evaluation_part *parts = fn_mem_calloc(rows->n_datasets, sizeof *parts);
  number = fn_mem_calloc(rows->n_groups, sizeof *number);
  if (!p || !labels || !groups || !number || !parts) return fn_err_no_memory(err, "figures of an evaluation");
  fn_evaluation_system system = {.name = name};
  snprintf(system.description, sizeof system.description, "%s", description);
  memcpy(p, p_fake, rows->n * sizeof *p);
  memcpy(labels, rows->labels, rows->n * sizeof *labels);
  memcpy(groups, rows->groups, rows->n * sizeof *groups);
  part_rows part = {p, labels, groups, rows->n, rows->n_groups};
  FN_TRY(measure(&system.all, &part, &e->options, pool, err));
  for (uint32_t d = 0; d < rows->n_datasets; d++) {
    select_dataset(&part, number, rows, d, p_fake);
    if (part.n > 0) FN_TRY(measure(&parts[d], &part, &e->options, pool, err));
  }
  system.by_dataset = FN_STEAL(parts);
  e->systems[e->n_systems++] = system;
  return FN_OK;
}

fn_status fn_evaluation_check_labels(const fn_classifier_info *c, fn_err *err) {
  if (c->n_labels == 2 && c->fake >= 0) return FN_OK;
  FN_AUTO_BUF fn_buf names;
  fn_buf_init(&names, 4096);
  for (int32_t k = 0; k < c->n_labels; k++) fn_buf_printf(&names, "%s%s", k ? ", " : "", c->labels[k]);
  return fn_err_set(
      err, FN_E_INVALID,
      "%s: evaluation needs a model with two labels, one of them \"fake\" (id2label in config.json), not %s", c->dir,
      names.data ? names.data : "");
}

static void take_answer(fn_evaluation_answers *a, const fn_prediction *p, int32_t fake, int32_t label, size_t i) {
  fn_verdict_counts *v = &a->verdicts;
  a->raw[i] = fn_sigmoid(p->logits[fake] - p->logits[1 - fake]);
  if (a->calibrated != NULL) a->calibrated[i] = p->probabilities[fake];
  v->n++;
  v->n_calibrated += p->calibrated;
  v->n_verdicts += p->verdict == FN_VERDICT_REAL || p->verdict == FN_VERDICT_FAKE;
  v->n_right += p->verdict == (label ? FN_VERDICT_FAKE : FN_VERDICT_REAL);
}

fn_status fn_evaluation_predict(fn_evaluation_answers *answers, fn_session *session, const fn_classifier_info *c,
                                const fn_labelled *rows, fn_evaluation_progress keep_going, void *arg, fn_err *err) {
  FN_TRY(fn_evaluation_check_labels(c, err));
  fn_prediction *predictions = fn_mem_calloc(ROWS_PER_CALL, sizeof *predictions);
  if (predictions == NULL) return fn_err_no_memory(err, "predictions");
  fn_status status = FN_OK;
  answers->verdicts = (fn_verdict_counts){0};
  for (size_t begin = 0; begin < rows->n && status == FN_OK; begin += ROWS_PER_CALL) {
    size_t n = rows->n - begin < ROWS_PER_CALL ? rows->n - begin : ROWS_PER_CALL;
    status = fn_session_classify(predictions, session, rows->articles + begin, n, err);
    for (size_t i = 0; i < n && status == FN_OK; i++) {
      if (predictions[i].status == FN_OK) {
        take_answer(answers, &predictions[i], c->fake, rows->labels[begin + i], begin + i);
      } else {
        status = fn_err_set(err, predictions[i].status, "row %zu: %s", begin + i, predictions[i].message);
      }
    }
    if (status == FN_OK && keep_going != NULL && !keep_going(arg, begin + n, rows->n)) {
      status = fn_err_set(err, FN_E_CANCELLED, "evaluation was stopped");
    }
  }
  free(predictions);
  return status;
}
