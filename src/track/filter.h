/* MLflow's search syntax, parsed. No SQL here: search.c makes it of the clauses, with parameters only.
 *
 *   metrics.val/loss < 0.3 and params.`train.seed` = '1' and tags."mlflow.user" ILIKE '%ann%'
 *   and status = 'FINISHED' and attributes.run_id IN ('…', '…') */
#ifndef FN_TRACK_FILTER_H
#define FN_TRACK_FILTER_H

#include "base/base.h"

typedef enum fn_field_kind {
  FN_FIELD_METRIC,
  FN_FIELD_PARAM,
  FN_FIELD_TAG,
  FN_FIELD_DATASET,   /* name, digest, context */
  FN_FIELD_ATTRIBUTE, /* of the run itself: fn_attribute */
} fn_field_kind;

typedef enum fn_attribute {
  FN_ATTRIBUTE_RUN_ID,
  FN_ATTRIBUTE_RUN_NAME,
  FN_ATTRIBUTE_STATUS,
  FN_ATTRIBUTE_USER_ID,
  FN_ATTRIBUTE_ARTIFACT_URI,
  FN_ATTRIBUTE_START_TIME, /* from here on numbers: Unix milliseconds */
  FN_ATTRIBUTE_END_TIME,
  FN_N_ATTRIBUTES
} fn_attribute;

typedef struct fn_field {
  fn_field_kind kind;
  fn_attribute attribute;
  fn_str key; /* of the kinds that have one */
} fn_field;

typedef enum fn_comparator {
  FN_COMPARE_EQ,
  FN_COMPARE_NE,
  FN_COMPARE_GT,
  FN_COMPARE_GE,
  FN_COMPARE_LT,
  FN_COMPARE_LE,
  FN_COMPARE_LIKE,
  FN_COMPARE_ILIKE,
  FN_COMPARE_IN,
  FN_COMPARE_NOT_IN,
  FN_COMPARE_IS_NULL, /* the run has no such parameter or tag */
  FN_COMPARE_IS_NOT_NULL,
  FN_N_COMPARATORS
} fn_comparator;

typedef struct fn_clause {
  fn_field field;
  fn_comparator comparator;
  double number;         /* of metrics and times */
  const fn_str *strings; /* [n_strings] of the others */
  size_t n_strings;
} fn_clause;

enum { FN_FILTER_MAX_CLAUSES = 32, FN_FILTER_MAX_BYTES = 1 << 20 };

typedef struct fn_filter {
  fn_clause clauses[FN_FILTER_MAX_CLAUSES];
  size_t n;
} fn_filter;

/* Strings of the outcome live in *arena or in text. FN_E_INVALID says at which byte and what is accepted there;
 * FN_E_LIMIT. */
FN_NODISCARD fn_status fn_filter_parse(fn_filter *filter_out, fn_arena *arena, fn_str text, fn_err *err);
/* "metrics.val/loss DESC"; ascending when nothing is said. */
FN_NODISCARD fn_status fn_filter_parse_order(fn_field *field_out, bool *descending_out, fn_arena *arena, fn_str text,
                                             fn_err *err);
/* "metrics.val/loss". */
FN_NODISCARD fn_status fn_filter_parse_column(fn_field *field_out, fn_arena *arena, fn_str text, fn_err *err);
bool fn_field_is_number(const fn_field *field);

#endif
