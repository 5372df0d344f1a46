/* Drives src/eval for tests/light/test_metrics.py: standard input holds lines "probability label group"; standard
 * output gets the metrics as JSON, with intervals when N_RESAMPLES > 0. eval_probe N_RESAMPLES SEED THREADS [table] */
#include "eval/eval.h"

#include <stdlib.h>

typedef struct inputs {
  double *p;
  int32_t *labels;
  uint32_t *groups;
  size_t n, n_groups;
} inputs;

static fn_status read_inputs(inputs *in, fn_err *err) {
  size_t capacity_p = 0, capacity_l = 0, capacity_g = 0;
  void *p = NULL, *labels = NULL, *groups = NULL;
  double probability;
  int label;
  unsigned group;
  while (scanf("%lf %d %u", &probability, &label, &group) == 3) {
    FN_TRY(fn_mem_grow(&p, &capacity_p, in->n + 1, sizeof(double), 1 << 26, "rows", err));
    FN_TRY(fn_mem_grow(&labels, &capacity_l, in->n + 1, sizeof(int32_t), 1 << 26, "rows", err));
    FN_TRY(fn_mem_grow(&groups, &capacity_g, in->n + 1, sizeof(uint32_t), 1 << 26, "rows", err));
    in->p = p;
    in->labels = labels;
    in->groups = groups;
    in->p[in->n] = probability;
    in->labels[in->n] = label;
    in->groups[in->n++] = group;
    if (group >= in->n_groups) in->n_groups = group + 1;
  }
  return FN_OK;
}

static fn_status run(char **argv, bool table, fn_err *err) {
  inputs in = {0};
  fn_metrics metrics;
  fn_metrics_intervals intervals;
  fn_pool *pool;
  int32_t n_resamples = (int32_t)strtol(argv[1], NULL, 10);
  FN_TRY(read_inputs(&in, err));
  FN_TRY(fn_pool_create(&pool, (int)strtol(argv[3], NULL, 10), err));
  FN_TRY(fn_metrics_compute(&metrics, in.p, in.labels, in.n, err));
  if (n_resamples > 0) {
    FN_TRY(fn_metrics_bootstrap(&intervals, in.p, in.labels, in.groups, in.n, in.n_groups, n_resamples,
                                strtoull(argv[2], NULL, 10), pool, err));
  }
  const fn_metrics_entry entry = {"model", &metrics, n_resamples > 0 ? &intervals : NULL};
  FN_AUTO_BUF fn_buf out;
  fn_json_writer w;
  fn_buf_init(&out, 0);
  if (table) {
    fn_metrics_format_table(&out, "test", &entry, 1);
  } else {
    fn_json_begin(&w, &out, 2);
    fn_metrics_format_json(&w, NULL, &entry);
    fn_buf_append_char(&out, '\n');
  }
  FN_TRY(fn_buf_check(&out, "output", err));
  fwrite(out.data, 1, out.length, stdout);
  fn_pool_destroy(pool);
  free(in.p);
  free(in.labels);
  free(in.groups);
  return FN_OK;
}

int main(int argc, char **argv) {
  fn_err err = {0};
  fn_status status = FN_E_INVALID;
  if (argc >= 4) {
    status = run(argv, argc > 4 && strcmp(argv[4], "table") == 0, &err);
  } else {
    (void)fn_err_set(&err, status, "usage: eval_probe N_RESAMPLES SEED THREADS [table] < ROWS");
  }
  if (status != FN_OK) fprintf(stderr, "eval_probe: %s\n", err.message);
  return fn_status_exit_code(status);
}
