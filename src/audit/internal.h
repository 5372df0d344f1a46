/* Private to src/audit: working state of fn_audit_run, passed from stage to stage.
 *   sample.c      rows that are read closely
 *   overlap.c     what they share with train, over keys.c
 *   vocabulary.c, style.c   what stands in each of them
 *   judge.c       single features: chosen on train, judged on test, over probe.c
 *   removal.c     linear models over words and over style
 *   verdict.c     what follows from it */
#ifndef FN_AUDIT_INTERNAL_H
#define FN_AUDIT_INTERNAL_H

#include "audit/overlap.h"
#include "audit/style.h"
#include "audit/vocabulary.h"

struct fn_audit {
  const fn_audit_request *request;
  const fn_audit_options *options;
  fn_arena arena;
  fn_dataset *dataset;
  fn_audit_sample samples[FN_SPLIT_COUNT];
  const fn_audit_sample *train, *test; /* test: of the judging split */
  uint8_t *train_labels, *test_labels;
  fn_audit_words words;
  float *train_style, *test_style; /* fn_style_table */
  fn_audit_overlap *overlap;
  fn_audit_report report;
};

FN_NODISCARD fn_status fn_audit_judge(fn_audit *a, fn_err *err);
FN_NODISCARD fn_status fn_audit_models(fn_audit *a, fn_err *err);
FN_NODISCARD fn_status fn_audit_conclude(fn_audit *a, fn_err *err);

static inline fn_status fn_audit_check_stop(const fn_audit *a, fn_err *err) {
  if (a->request->stop && a->request->stop()) return fn_err_set(err, FN_E_CANCELLED, "stopped");
  return FN_OK;
}

#endif
