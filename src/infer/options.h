/* Settings of src/infer: infer.*. */
#ifndef FN_INFER_OPTIONS_H
#define FN_INFER_OPTIONS_H

#include "config/config.h"

#include <math.h>

typedef enum fn_infer_long { FN_INFER_CUT, FN_INFER_WINDOWS } fn_infer_long;
typedef enum fn_infer_text {
  FN_INFER_TEXT_MODEL, /* as the model says; title and text where it does not */
  FN_INFER_TEXT_TITLE, /* the rest in the order of fn_text_mode */
  FN_INFER_TEXT_TEXT,
  FN_INFER_TEXT_TITLE_TEXT
} fn_infer_text;

typedef enum fn_infer_part { FN_INFER_BOTH, FN_INFER_ENCODER, FN_INFER_LINEAR } fn_infer_part;

typedef struct fn_infer_options {
  int part;           /* fn_infer_part */
  int long_texts;     /* fn_infer_long */
  int text;           /* fn_infer_text */
  int64_t max_tokens; /* INT64_MIN: the model's own, or 256 */
  int64_t max_windows;
  int64_t batch_tokens;
  double prior;       /* share of fakes where the model is used, (0,1); NaN: as the calibration has it */
  const char *unsure; /* "auto", a number, or NULL: never */
} fn_infer_options;

extern const fn_option_table fn_infer_option_table;
/* The table's defaults, for those who have no settings. */
#define FN_INFER_OPTIONS_INIT                                                                                          \
  { .max_tokens = INT64_MIN, .max_windows = 64, .batch_tokens = 4096, .prior = (double)NAN, .unsure = "auto" }

typedef enum fn_pack_dtype { FN_PACK_INT8, FN_PACK_F32 } fn_pack_dtype;
/* Settings of packing a model. */
typedef struct fn_pack_options {
  int dtype; /* fn_pack_dtype */
} fn_pack_options;
extern const fn_option_table fn_pack_option_table;

typedef enum fn_calibrate_groups { FN_CALIBRATE_AUTO, FN_CALIBRATE_DATASET, FN_CALIBRATE_SOURCE } fn_calibrate_groups;
/* Settings of fitting a calibration. */
typedef struct fn_calibrate_options {
  int groups;           /* fn_calibrate_groups: what is left out as a whole */
  bool even;            /* every (dataset, label) counts the same in sum */
  double target;        /* accuracy of verdicts, [0.5,1] */
  double min_coverage;  /* share of rows with a verdict at least, [0,1] */
  fn_config_list edges; /* of lengths with a temperature of their own, in tokens */
  double ridge;
  double quantile; /* of articles that unlike_training is said of, [0,0.5] */
} fn_calibrate_options;
extern const fn_option_table fn_calibrate_option_table;

/* Settings of explaining an answer. */
typedef struct fn_explain_options {
  int64_t max_forwards; /* articles that are classified for one explanation at most */
  int64_t ngrams;       /* of the linear half, listed at most */
} fn_explain_options;
extern const fn_option_table fn_explain_option_table;
#define FN_EXPLAIN_OPTIONS_INIT                                                                                        \
  { .max_forwards = 64, .ngrams = 8 }

#endif
