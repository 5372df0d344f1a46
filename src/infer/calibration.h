/* What a model's logits are worth: scaling, band without verdict and thresholds, found by `calibrate` and kept as JSON,
 * docs/schemas/calibration.schema.json, beside a model's files (calibration.json) or in a packed file's metadata. */
#ifndef FN_INFER_CALIBRATION_H
#define FN_INFER_CALIBRATION_H

#include "data/batch.h"
#include "eval/calibrate.h"
#include "infer/reasons.h"

#define FN_CALIBRATION_FILE      "calibration.json"
#define FN_CALIBRATION_MAX_BYTES ((size_t)1 << 20)

/* Logits of an article; each is log-odds of fake, NaN where its half did not read. */
enum { FN_HALF_ENCODER, FN_HALF_LINEAR, FN_N_HALVES };
extern const char *const fn_half_names[FN_N_HALVES]; /* "encoder", "linear" */
typedef enum fn_part { FN_PART_ENCODER, FN_PART_LINEAR, FN_PART_BOTH } fn_part;
extern const char *const fn_part_names[3]; /* "encoder", "linear", "both" */

/* One fit, for one part of a model and one kind of input. */
typedef struct fn_calibration_set {
  fn_part part;
  bool headline;       /* for titles without text, where a model that reads texts gets nothing else */
  fn_scaling scaling;  /* k = 1, or 2 for `both`: encoder, linear */
  double unsure;       /* verdict only where max(p, 1-p) ≥ it, [0.5,1] */
  double target;       /* accuracy of verdicts that was asked for; NaN: not known */
  bool target_reached; /* by the cross-fitted rows */
  fn_unlike_limits unlike;
  int64_t n_rows, n_groups;
  /* cross-fitted, weighted as the fit was */
  fn_calibrate_figures before, after;
  double coverage, accuracy; /* of verdicts, twice cross-fitted; NaN: not known */
} fn_calibration_set;

typedef struct fn_calibration {
  fn_text_mode mode;   /* what was read */
  bool windows;        /* infer.long=windows; else cut */
  int32_t max_tokens;  /* of the encoder; 0: none */
  double prior;        /* share of fakes that probabilities stand for, (0,1) */
  double quantile;     /* of articles that unlike_training would be said of, when they were calibrated on */
  char model[288];     /* id of the model: "<name>@<12 digits>"; "" unknown */
  char data[33];       /* hash of the rows; "" unknown */
  char grouped_by[16]; /* "dataset" or "source": what was left out as a whole */
  size_t n_sets;
  fn_calibration_set sets[6]; /* each (part, headline) once */
} fn_calibration;

/* text: JSON; name stands in errors ("model.fnp: calibration"). Every key is checked: FN_E_INVALID says
 * "name: sets[0].temperatures must be …"; an unknown key or version is refused (FN_E_UNSUPPORTED for the version). */
FN_NODISCARD fn_status fn_calibration_parse(fn_calibration *calibration_out, fn_str text, const char *name,
                                            fn_err *err);
/* What parse reads, indented; doubles in full. */
void fn_calibration_format(fn_buf *out, const fn_calibration *calibration);

/* NULL: there is none for this part and input, and nothing may be said in its place. A model that reads titles alone
 * has no headline set: what it reads is its normal input. */
const fn_calibration_set *fn_calibration_find(const fn_calibration *calibration, fn_part part, bool headline_only);
/* Calibrated logit of fake at calibration's prior. logits[FN_N_HALVES]; n_tokens as the part's fn_prediction says. */
double fn_calibration_apply(const fn_calibration_set *set, const double *logits, int64_t n_tokens);

typedef enum fn_verdict { FN_VERDICT_NONE, FN_VERDICT_REAL, FN_VERDICT_FAKE, FN_VERDICT_UNSURE } fn_verdict;
extern const char *const fn_verdict_names[4]; /* NULL, "real", "fake", "unsure" */
/* threshold NaN: a verdict whatever p. A tie at 0.5 is real. */
fn_verdict fn_verdict_make(double p_fake, double threshold, unsigned reasons);

#endif
