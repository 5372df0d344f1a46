#include "infer/calibration.h"

#include <math.h>

const char *const fn_half_names[FN_N_HALVES] = {"encoder", "linear"};
const char *const fn_part_names[3] = {"encoder", "linear", "both"};
const char *const fn_verdict_names[4] = {NULL, "real", "fake", "unsure"};

const fn_calibration_set *fn_calibration_find(const fn_calibration *c, fn_part part, bool headline_only) {
  bool headline = headline_only && c->mode != FN_TEXT_TITLE;
  for (size_t i = 0; i < c->n_sets; i++) {
    if (c->sets[i].part == part && c->sets[i].headline == headline) return &c->sets[i];
  }
  return NULL;
}

double fn_calibration_apply(const fn_calibration_set *set, const double *logits, int64_t n_tokens) {
  if (set->part == FN_PART_BOTH) return fn_scaling_apply(&set->scaling, logits, n_tokens);
  return fn_scaling_apply(&set->scaling, &logits[set->part == FN_PART_LINEAR ? FN_HALF_LINEAR : FN_HALF_ENCODER],
                          n_tokens);
}

fn_verdict fn_verdict_make(double p_fake, double threshold, unsigned reasons) {
  if (reasons & FN_REASONS_UNSURE) return FN_VERDICT_UNSURE;
  if (fmax(p_fake, 1.0 - p_fake) < threshold) return FN_VERDICT_UNSURE;
  return p_fake > 0.5 ? FN_VERDICT_FAKE : FN_VERDICT_REAL;
}
