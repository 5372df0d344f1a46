#include "eval/calibrate.h"

#include <stdlib.h>

enum { MAX_STEPS = 100, MIN_BUCKET_ROWS = 50 };

double fn_sigmoid(double z) {
  if (z >= 0.0) return 1.0 / (1.0 + exp(-z));
  double e = exp(z);
  return e / (1.0 + e);
}

double fn_prior_shift(double z, double from, double to) {
  return z + log(to / (1.0 - to)) - log(from / (1.0 - from));
}

static int32_t bucket_of(int32_t n_buckets, const int64_t *edges, int64_t n_tokens) {
  int32_t b = 0;
  while (b + 1 < n_buckets && n_tokens >= edges[b]) b++;
  return b;
}

static double stacked(const fn_scaling *s, const double *logits) {
  double z = s->bias;
  for (int32_t j = 0; j < s->k; j++) z += s->weights[j] * logits[j];
  return z;
}

double fn_scaling_apply(const fn_scaling *s, const double *logits, int64_t n_tokens) {
  return stacked(s, logits) / s->temperatures[bucket_of(s->n_buckets, s->edges, n_tokens)];
}

/* ln(1 + e^x), without overflow. */
static double softplus(double x) {
  return (x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x)));
}

static double weight_of(const double *weights, size_t i) {
  return weights ? weights[i] : 1.0;
}

/* ---- temperature ---- */

typedef struct slope {
  double first, second; /* derivatives of the mean loss by a = 1/T */
} slope;

static slope slope_at(double a, const double *z, const int32_t *labels, const double *weights, size_t n) {
  slope s = {0.0, 0.0};
  double total = 0.0;
  for (size_t i = 0; i < n; i++) {
    double w = weight_of(weights, i), p = fn_sigmoid(a * z[i]);
    s.first += w * (p - (double)labels[i]) * z[i];
    s.second += w * p * (1.0 - p) * z[i] * z[i];
    total += w;
  }
  s.first /= total;
  s.second /= total;
  return s;
}

static fn_status check_rows(const double *logits, size_t k, const int32_t *labels, const double *weights, size_t n,
                            fn_err *err) {
  double total = 0.0;
  for (size_t i = 0; i < n; i++) {
    double w = weight_of(weights, i);
    for (size_t j = 0; j < k; j++) {
      if (!isfinite(logits[i * k + j])) return fn_err_set(err, FN_E_INVALID, "row %zu: a logit is not finite", i);
    }
    if (labels[i] != 0 && labels[i] != 1) {
      return fn_err_set(err, FN_E_INVALID, "row %zu: label %d is not 0 (real) or 1 (fake)", i, (int)labels[i]);
    }
    if (!(w >= 0.0) || !isfinite(w)) return fn_err_set(err, FN_E_INVALID, "row %zu: weight %g is not ≥ 0", i, w);
    total += w;
  }
  return total > 0.0 ? FN_OK : fn_err_set(err, FN_E_INVALID, "no row to calibrate on");
}

fn_status fn_temperature_fit(double *temperature_out, const double *logits, const int32_t *labels,
                             const double *weights, size_t n, fn_err *err) {
  FN_TRY(check_rows(logits, 1, labels, weights, n, err));
  double low = 1.0 / FN_TEMPERATURE_MAX, high = 1.0 / FN_TEMPERATURE_MIN, a = 1.0;
  if (slope_at(low, logits, labels, weights, n).first >= 0.0) {
    *temperature_out = FN_TEMPERATURE_MAX; /* the flattest answer is the best */
    return FN_OK;
  }
  if (slope_at(high, logits, labels, weights, n).first <= 0.0) {
    *temperature_out = FN_TEMPERATURE_MIN; /* separable, as far as can be seen */
    return FN_OK;
  }
  for (int step = 0; step < MAX_STEPS; step++) {
    slope s = slope_at(a, logits, labels, weights, n);
    if (s.first == 0.0) break;
    if (s.first < 0.0) {
      low = a;
    } else {
      high = a;
    }
    double next = a - s.first / s.second;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    double moved = fabs(next - a);
    a = next;
    if (moved <= 1e-14 * a) break;
  }
  *temperature_out = 1.0 / a;
  return FN_OK;
}

/* ---- stack ---- */

enum { MAX_D = FN_SCALING_MAX_INPUTS + 1 };

/* The problem over the inputs in use, scaled to size 1; parameters are their weights, then the bias. */
typedef struct stack {
  const fn_calibrate_rows *rows;
  double scale[FN_SCALING_MAX_INPUTS]; /* 1/s_j; 0: the input is left out */
  size_t inputs[FN_SCALING_MAX_INPUTS];
  size_t n_inputs, d; /* inputs in use; parameters: these, and the bias where there is one */
  double ridge, total;
} stack;

static double objective(double gradient[MAX_D], double hessian[MAX_D][MAX_D], const stack *s, const double *v) {
  size_t d = s->d, n = s->n_inputs;
  double loss = 0.0, x[MAX_D];
  memset(gradient, 0, MAX_D * sizeof *gradient);
  memset(hessian, 0, MAX_D * sizeof *hessian);
  x[n] = 1.0; /* of the bias */
  for (size_t i = 0; i < s->rows->n; i++) {
    double w = weight_of(s->rows->weights, i) / s->total, z = v[n];
    if (w == 0.0) continue;
    for (size_t j = 0; j < n; j++) {
      x[j] = s->rows->logits[i * s->rows->k + s->inputs[j]] * s->scale[s->inputs[j]];
      z += v[j] * x[j];
    }
    double p = fn_sigmoid(z), pull = w * (p - (double)s->rows->labels[i]), bend = w * p * (1.0 - p);
    loss += w * softplus(s->rows->labels[i] ? -z : z);
    for (size_t a = 0; a < d; a++) {
      gradient[a] += pull * x[a];
      for (size_t b = 0; b <= a; b++) hessian[a][b] += bend * x[a] * x[b];
    }
  }
  for (size_t j = 0; j < n; j++) {
    loss += 0.5 * s->ridge * v[j] * v[j];
    gradient[j] += s->ridge * v[j];
    hessian[j][j] += s->ridge;
  }
  return loss;
}

/* step = hessian⁻¹ · gradient by Cholesky; false when rounding leaves it without one. */
static bool solve(double step[MAX_D], double h[MAX_D][MAX_D], const double *gradient, size_t d) {
  for (size_t a = 0; a < d; a++) {
    for (size_t b = 0; b <= a; b++) {
      double sum = h[a][b];
      for (size_t c = 0; c < b; c++) sum -= h[a][c] * h[b][c];
      if (a == b) {
        if (!(sum > 0.0)) return false;
        h[a][a] = sqrt(sum);
      } else {
        h[a][b] = sum / h[b][b];
      }
    }
  }
  for (size_t a = 0; a < d; a++) {
    step[a] = gradient[a];
    for (size_t c = 0; c < a; c++) step[a] -= h[a][c] * step[c];
    step[a] /= h[a][a];
  }
  for (size_t a = d; a-- > 0;) {
    for (size_t c = a + 1; c < d; c++) step[a] -= h[c][a] * step[c];
    step[a] /= h[a][a];
  }
  return true;
}

static void minimise(double v[MAX_D], const stack *s) {
  double gradient[MAX_D], hessian[MAX_D][MAX_D], step[MAX_D], next[MAX_D] = {0.0};
  double loss = objective(gradient, hessian, s, v);
  for (int n = 0; n < MAX_STEPS; n++) {
    double decrease = 0.0, length = 1.0;
    if (!solve(step, hessian, gradient, s->d)) return;
    for (size_t j = 0; j < s->d; j++) decrease += gradient[j] * step[j];
    if (decrease <= 1e-26) return;
    for (int halving = 0;; halving++, length *= 0.5) {
      for (size_t j = 0; j < s->d; j++) next[j] = v[j] - length * step[j];
      double there = objective(gradient, hessian, s, next);
      if (there <= loss - 1e-4 * length * decrease || halving == 40 || decrease < 1e-16) {
        loss = there;
        break;
      }
    }
    memcpy(v, next, sizeof next);
  }
}

static fn_status check_classes(const fn_calibrate_rows *rows, fn_err *err) {
  bool seen[2] = {false, false};
  FN_TRY(check_rows(rows->logits, rows->k, rows->labels, rows->weights, rows->n, err));
  for (size_t i = 0; i < rows->n; i++) seen[rows->labels[i]] |= weight_of(rows->weights, i) > 0.0;
  if (seen[0] && seen[1]) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "all rows to calibrate on are %s; both classes are needed",
                    seen[0] ? "real" : "fake");
}

fn_status fn_stack_fit(double *weights_out, double *bias_out, const fn_calibrate_rows *rows, double ridge,
                       bool with_bias, fn_err *err) {
  stack s = {.rows = rows, .ridge = ridge};
  double v[MAX_D] = {0.0};
  if (rows->k == 0 || rows->k > FN_SCALING_MAX_INPUTS) {
    return fn_err_set(err, FN_E_LIMIT, "a stack has 1 to %d inputs, not %zu", FN_SCALING_MAX_INPUTS, rows->k);
  }
  FN_TRY(check_classes(rows, err));
  for (size_t i = 0; i < rows->n; i++) s.total += weight_of(rows->weights, i);
  for (size_t j = 0; j < rows->k; j++) {
    double square = 0.0;
    for (size_t i = 0; i < rows->n; i++) {
      double z = rows->logits[i * rows->k + j];
      square += weight_of(rows->weights, i) / s.total * z * z;
    }
    s.scale[j] = square > 0.0 ? 1.0 / sqrt(square) : 0.0;
  }
  for (;;) { /* leaves out the input with the most negative weight, until there is none */
    size_t n = 0, worst = SIZE_MAX;
    for (size_t j = 0; j < rows->k; j++) {
      if (s.scale[j] > 0.0) s.inputs[n++] = j;
    }
    s.n_inputs = n;
    s.d = with_bias ? n + 1 : n;
    memset(v, 0, sizeof v);
    minimise(v, &s);
    for (size_t j = 0; j < n; j++) {
      if (v[j] < 0.0 && (worst == SIZE_MAX || v[j] < v[worst])) worst = j;
    }
    if (worst == SIZE_MAX) break;
    s.scale[s.inputs[worst]] = 0.0;
  }
  for (size_t j = 0; j < rows->k; j++) weights_out[j] = 0.0;
  for (size_t j = 0; j < s.n_inputs; j++) weights_out[s.inputs[j]] = v[j] * s.scale[s.inputs[j]];
  *bias_out = with_bias ? v[s.n_inputs] : 0.0;
  return FN_OK;
}

/* ---- both ---- */

/* z[n] scaled by buckets; a bucket that holds too little takes the temperature of all. */
static fn_status fit_buckets(fn_scaling *s, const fn_calibrate_rows *rows, const double *z, double *scratch,
                             fn_err *err) {
  double all;
  FN_TRY(fn_temperature_fit(&all, z, rows->labels, rows->weights, rows->n, err));
  for (int32_t b = 0; b < s->n_buckets; b++) {
    size_t n[2] = {0, 0};
    for (size_t i = 0; i < rows->n; i++) {
      bool inside = s->n_buckets == 1 || bucket_of(s->n_buckets, s->edges, rows->n_tokens[i]) == b;
      scratch[i] = inside ? weight_of(rows->weights, i) : 0.0;
      n[rows->labels[i]] += scratch[i] > 0.0;
    }
    s->temperatures[b] = all;
    if (s->n_buckets == 1 || n[0] + n[1] < MIN_BUCKET_ROWS || n[0] == 0 || n[1] == 0) continue;
    FN_TRY(fn_temperature_fit(&s->temperatures[b], z, rows->labels, scratch, rows->n, err));
  }
  return FN_OK;
}

fn_status fn_scaling_fit(fn_scaling *scaling_out, const fn_calibrate_rows *rows, const fn_scaling_form *form,
                         fn_err *err) {
  fn_scaling s = {.k = (int32_t)rows->k, .n_buckets = rows->n_tokens ? form->n_buckets : 1};
  const bool weighted = form->kind == FN_SCALE_WEIGHTS || form->kind == FN_SCALE_AFFINE;
  memcpy(s.edges, form->edges, sizeof s.edges);
  FN_TRY(check_classes(rows, err));
  for (size_t j = 0; j < rows->k; j++) s.weights[j] = 1.0 / (double)rows->k;
  if (form->kind == FN_SCALE_NOTHING) {
    s.n_buckets = 1;
    s.temperatures[0] = 1.0;
    *scaling_out = s;
    return FN_OK;
  }
  if (weighted) FN_TRY(fn_stack_fit(s.weights, &s.bias, rows, form->ridge, form->kind == FN_SCALE_AFFINE, err));
  FN_AUTO_FREE double *z = fn_mem_calloc(rows->n, sizeof *z), *scratch = fn_mem_calloc(rows->n, sizeof *scratch);
  if (z == NULL || scratch == NULL) return fn_err_no_memory(err, "logits to calibrate on");
  for (size_t i = 0; i < rows->n; i++) z[i] = stacked(&s, rows->logits + i * rows->k);
  FN_TRY(fit_buckets(&s, rows, z, scratch, err));
  if (weighted && s.n_buckets == 1) {
    for (int32_t j = 0; j < s.k; j++) s.weights[j] /= s.temperatures[0];
    s.bias /= s.temperatures[0];
    s.temperatures[0] = 1.0;
  }
  *scaling_out = s;
  return FN_OK;
}

/* Fits without fold `left`; scratch[n]. */
static fn_status fit_without(fn_scaling *out, const fn_calibrate_rows *rows, const fn_scaling_form *form, size_t left,
                             double *scratch, fn_err *err) {
  fn_calibrate_rows others = *rows;
  for (size_t i = 0; i < rows->n; i++) scratch[i] = rows->folds[i] == left ? 0.0 : weight_of(rows->weights, i);
  others.weights = scratch;
  fn_status status = fn_scaling_fit(out, &others, form, err);
  return status == FN_E_INVALID ? fn_err_prefix(err, status, "without group %zu", left) : status;
}

fn_status fn_scaling_crossfit(double *z_out, const fn_calibrate_rows *rows, const fn_scaling_form *form, fn_err *err) {
  FN_AUTO_FREE double *scratch = fn_mem_calloc(rows->n, sizeof *scratch), *z = fn_mem_calloc(rows->n, sizeof *z);
  if (scratch == NULL || z == NULL) return fn_err_no_memory(err, "logits to calibrate on");
  for (size_t g = 0; g < rows->n_folds; g++) {
    fn_scaling s;
    bool judged = false; /* a fold that is left out by its weights has nothing to be judged on */
    for (size_t i = 0; i < rows->n && !judged; i++) judged = rows->folds[i] == g && weight_of(rows->weights, i) > 0.0;
    if (!judged) continue;
    FN_TRY(fit_without(&s, rows, form, g, scratch, err));
    for (size_t i = 0; i < rows->n; i++) {
      if (rows->folds[i] == g)
        z[i] = fn_scaling_apply(&s, rows->logits + i * rows->k, rows->n_tokens ? rows->n_tokens[i] : 0);
    }
  }
  memcpy(z_out, z, rows->n * sizeof *z);
  return FN_OK;
}
