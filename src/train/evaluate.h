/* A model's figures on a list of rows: forward passes without dropout, then src/eval. */
#ifndef FN_TRAIN_EVALUATE_H
#define FN_TRAIN_EVALUATE_H

#include "eval/eval.h"
#include "model/model.h"
#include "train/examples.h"

/* How sequences and batches are made. */
typedef struct fn_batching {
  const fn_tokenizer_info *tokenizer;
  fn_sequence_options sequence;
  size_t max_tokens; /* budget of one forward pass; a sequence over it goes alone */
  size_t max_rows;   /* at most so many sequences per pass */
} fn_batching;

/* p_fake_out[n]: probability of class 1 for every row, in order. The model must have K = 2 and be planned for the
 * batching. keep_going (may be NULL) is asked after each pass; false ends with FN_E_CANCELLED. */
typedef bool (*fn_keep_going)(void *arg, size_t n_done);
FN_NODISCARD fn_status fn_examples_predict(double *p_fake_out, fn_model *model, const fn_examples *examples,
                                           const fn_batching *batching, fn_keep_going keep_going, void *arg,
                                           fn_err *err);
/* The same with metrics: their log_loss is the plain cross-entropy by which the best checkpoint is chosen. */
FN_NODISCARD fn_status fn_examples_evaluate(fn_metrics *metrics_out, fn_model *model, const fn_examples *examples,
                                            const fn_batching *batching, fn_keep_going keep_going, void *arg,
                                            fn_err *err);

/* "val/loss":…, "val/f1_weighted":…, … "val/confusion":[[a,b],[c,d]] into an open JSON object. */
void fn_metrics_write(fn_json_writer *w, const char *split, const fn_metrics *metrics);

#endif
