/* Private to src/audit: rules made of one number, and what they give. */
#ifndef FN_AUDIT_PROBE_H
#define FN_AUDIT_PROBE_H

#include "audit/audit.h"

/* The threshold and side with the largest balanced accuracy on these rows: class side where value > threshold. Ties:
 * the smallest threshold. All values alike: 0.5 of accuracy, threshold = that value. */
typedef struct fn_audit_rule {
  int side;
  double threshold, balanced_accuracy;
} fn_audit_rule;
FN_NODISCARD fn_status fn_audit_fit(fn_audit_rule *rule_out, const float *values, const uint8_t *labels, size_t n,
                                    fn_err *err);

/* AUC of the values for class side, ties count half. Both classes must occur. */
FN_NODISCARD fn_status fn_audit_auc(double *auc_out, const double *scores, const uint8_t *labels, size_t n,
                                    fn_err *err);

/* Balanced accuracy from rows by [label][said], with the interval of half the sum of two independent shares (Wilson
 * intervals of both, put together as in Zou & Donner 2008, "Construction of confidence limits about effect measures").
 * z: normal quantile. */
double fn_audit_balanced(double *low_out, double *high_out, uint64_t n[2][2], double z);
/* Wilson interval of k out of n, n ≥ 1. */
void fn_audit_wilson(double *low_out, double *high_out, double k, double n, double z);
/* z such that a standard normal lies outside ±z with probability alpha. */
double fn_audit_quantile(double alpha);

#endif
