/* Drives src/eval/calibrate.h for tests/light/test_calibration.py: standard input holds lines "label weight fold
 * n_tokens logit …"; standard output gets JSON. calibrate_probe K RIDGE TARGET MIN_COVERAGE [EDGE …] */
#include "eval/calibrate.h"

#include <stdlib.h>

enum { MAX_ROWS = 1 << 20 };

typedef struct inputs {
  double *logits, *weights;
  int32_t *labels;
  int64_t *n_tokens;
  uint32_t *folds;
  size_t n, n_folds;
} inputs;

static bool read_inputs(inputs *in, size_t k) {
  int label;
  unsigned fold;
  long long n_tokens;
  double weight;
  *in = (inputs){.logits = malloc(MAX_ROWS * k * sizeof(double)),
                 .weights = malloc(MAX_ROWS * sizeof(double)),
                 .labels = malloc(MAX_ROWS * sizeof(int32_t)),
                 .n_tokens = malloc(MAX_ROWS * sizeof(int64_t)),
                 .folds = malloc(MAX_ROWS * sizeof(uint32_t))};
  if (!in->logits || !in->weights || !in->labels || !in->n_tokens || !in->folds) return false;
  while (in->n < MAX_ROWS && scanf("%d %lf %u %lld", &label, &weight, &fold, &n_tokens) == 4) {
    for (size_t j = 0; j < k; j++) {
      if (scanf("%lf", &in->logits[in->n * k + j]) != 1) return false;
    }
    in->labels[in->n] = label;
    in->weights[in->n] = weight;
    in->folds[in->n] = fold;
    in->n_tokens[in->n++] = n_tokens;
    if (fold >= in->n_folds) in->n_folds = fold + 1;
  }
  return true;
}

static void write_doubles(fn_json_writer *w, const char *key, const double *values, size_t n) {
  fn_json_array(w, key);
  for (size_t i = 0; i < n; i++) fn_json_double(w, NULL, values[i]);
  fn_json_end(w);
}

static void write_figures(fn_json_writer *w, const char *key, const fn_calibrate_figures *f) {
  fn_json_object(w, key);
  fn_json_double(w, "nll", f->nll);
  fn_json_double(w, "ece", f->ece);
  fn_json_double(w, "auc", f->auc);
  fn_json_double(w, "accuracy", f->accuracy);
  fn_json_end(w);
}

static void write_band(fn_json_writer *w, const char *key, const fn_band *b) {
  fn_json_object(w, key);
  fn_json_double(w, "threshold", b->threshold);
  fn_json_bool(w, "reached", b->reached);
  fn_json_double(w, "coverage", b->coverage);
  fn_json_double(w, "accuracy", b->accuracy);
  fn_json_end(w);
}

static const char *const kinds[] = {"nothing", "temperature", "weights", "affine"};

static fn_status run(int argc, char **argv, fn_err *err) {
  inputs in;
  size_t k = (size_t)strtol(argv[1], NULL, 10);
  if (!read_inputs(&in, k)) return fn_err_set(err, FN_E_INVALID, "bad input");
  fn_calibrate_plan plan;
  fn_calibrate_plan_init(&plan);
  plan.ridge = strtod(argv[2], NULL);
  plan.target = strtod(argv[3], NULL);
  plan.min_coverage = strtod(argv[4], NULL);
  plan.n_edges = argc - 5;
  for (int i = 5; i < argc; i++) plan.edges[i - 5] = strtoll(argv[i], NULL, 10);
  const fn_calibrate_rows rows = {in.n, k, in.logits, in.labels, in.weights, in.n_tokens, in.folds, in.n_folds};
  fn_calibrate_result r;
  double *z = malloc(MAX_ROWS * sizeof *z), temperature;
  FN_TRY(fn_calibrate(&r, z, &rows, &plan, err));
  FN_TRY(fn_temperature_fit(&temperature, z, in.labels, in.weights, in.n, err));
  FN_AUTO_BUF fn_buf out;
  fn_json_writer w;
  fn_buf_init(&out, 0);
  fn_json_begin(&w, &out, 1);
  fn_json_object(&w, NULL);
  write_doubles(&w, "weights", r.scaling.weights, k);
  fn_json_double(&w, "bias", r.scaling.bias);
  write_doubles(&w, "temperatures", r.scaling.temperatures, (size_t)r.scaling.n_buckets);
  fn_json_text(&w, "kind", kinds[r.form.kind]);
  fn_json_double(&w, "temperature_of_crossfit", temperature);
  write_doubles(&w, "z", z, in.n);
  write_figures(&w, "before", &r.before);
  write_figures(&w, "after", &r.after);
  write_band(&w, "band", &r.band);
  write_band(&w, "judged", &r.judged);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&out, "output", err));
  puts(out.data);
  free(in.logits), free(in.weights), free(in.labels), free(in.n_tokens), free(in.folds), free(z);
  return FN_OK;
}

int main(int argc, char **argv) {
  fn_err err = {0};
  fn_status status = FN_E_INVALID;
  if (argc >= 5 && argc - 5 < FN_SCALING_MAX_BUCKETS) {
    status = run(argc, argv, &err);
  } else {
    (void)fn_err_set(&err, status, "usage: calibrate_probe K RIDGE TARGET MIN_COVERAGE [EDGE …] < ROWS");
  }
  if (status != FN_OK) fprintf(stderr, "calibrate_probe: %s\n", err.message);
  return fn_status_exit_code(status);
}
