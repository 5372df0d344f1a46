#include "audit/probe.h"

#include <math.h>

typedef struct pair {
  double value;
  uint8_t label;
} pair;

static int by_value(const void *a, const void *b) {
  double x = ((const pair *)a)->value, y = ((const pair *)b)->value;
  return (x > y) - (x < y);
}

fn_status fn_audit_fit(fn_audit_rule *rule_out, const float *values, const uint8_t *labels, size_t n, fn_err *err) {
  FN_AUTO_FREE pair *pairs = fn_mem_alloc(n, sizeof *pairs);
  if (!pairs) return fn_err_no_memory(err, "values of a feature");
  double total[2] = {0, 0}, below[2] = {0, 0}, best = 0;
  for (size_t i = 0; i < n; i++) {
    pairs[i] = (pair){(double)values[i], labels[i]};
    total[labels[i]]++;
  }
  qsort(pairs, n, sizeof *pairs, by_value);
  fn_audit_rule rule = {0, n ? pairs[n - 1].value : 0, 0.5};
  for (size_t i = 0; i + 1 < n; i++) {
    below[pairs[i].label]++;
    if (!(pairs[i].value < pairs[i + 1].value)) continue;
    double gap = below[0] * total[1] - below[1] * total[0]; /* a whole number; > 0: fakes lie above */
    if (fabs(gap) > best) {
      best = fabs(gap);
      rule = (fn_audit_rule){gap > 0, pairs[i].value, 0.5 + best / (2 * total[0] * total[1])};
    }
  }
  *rule_out = rule;
  return FN_OK;
}

fn_status fn_audit_auc(double *auc_out, const double *scores, const uint8_t *labels, size_t n, fn_err *err) {
  FN_AUTO_FREE pair *pairs = fn_mem_alloc(n, sizeof *pairs);
  if (!pairs) return fn_err_no_memory(err, "scores");
  for (size_t i = 0; i < n; i++) pairs[i] = (pair){scores[i], labels[i]};
  qsort(pairs, n, sizeof *pairs, by_value);
  double below = 0, sum = 0, total[2] = {0, 0};
  for (size_t begin = 0, end; begin < n; begin = end) {
    double here[2] = {0, 0};
    for (end = begin; end < n && !(pairs[begin].value < pairs[end].value); end++) here[pairs[end].label]++;
    sum += here[1] * (below + here[0] / 2);
    below += here[0];
    total[0] += here[0], total[1] += here[1];
  }
  *auc_out = sum / (total[0] * total[1]);
  return FN_OK;
}

void fn_audit_wilson(double *low_out, double *high_out, double k, double n, double z) {
  double p = k / n, z2 = z * z, middle = p + z2 / (2 * n), wide = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  *low_out = fmax(0, (middle - wide) / (1 + z2 / n));
  *high_out = fmin(1, (middle + wide) / (1 + z2 / n));
}

double fn_audit_balanced(double *low_out, double *high_out, uint64_t n[2][2], double z) {
  double share[2], low[2], high[2];
  for (int k = 0; k < 2; k++) {
    double all = (double)(n[k][0] + n[k][1]);
    share[k] = (double)n[k][k] / all;
    fn_audit_wilson(&low[k], &high[k], (double)n[k][k], all, z);
  }
  double middle = (share[0] + share[1]) / 2;
  *low_out = fmax(0, middle - hypot(share[0] - low[0], share[1] - low[1]) / 2);
  *high_out = fmin(1, middle + hypot(high[0] - share[0], high[1] - share[1]) / 2);
  return middle;
}

double fn_audit_quantile(double alpha) {
  double low = 0, high = 40;
  for (int i = 0; i < 80; i++) {
    double middle = (low + high) / 2;
    if (erfc(middle / sqrt(2.0)) > alpha)
      low = middle;
    else
      high = middle;
  }
  return (low + high) / 2;
}
