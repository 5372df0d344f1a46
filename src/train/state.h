/* What a training run has to remember besides weights and optimiser: one small JSON file per checkpoint. */
#ifndef FN_TRAIN_STATE_H
#define FN_TRAIN_STATE_H

#include "base/base.h"

/* Early stopping and choice of the best checkpoint: by validation loss, strictly smaller. */
typedef struct fn_best {
  double loss;     /* lowest validation loss so far; +inf before the first evaluation */
  int64_t step;    /* where it was, 0 before the first evaluation */
  int64_t n_since; /* evaluations since then */
} fn_best;
#define FN_BEST_INIT                                                                                                   \
  { __builtin_inf(), 0, 0 }

/* Takes an evaluation into account; true when it is the best so far. A loss that is not a number is never the best. */
bool fn_best_update(fn_best *best, double loss, int64_t step);
/* patience < 1: never. */
bool fn_best_exhausted(const fn_best *best, int64_t patience);

/* Sums over the steps since the last line of the log; kept so that a resumed run writes the same lines. */
typedef struct fn_log_sums {
  double loss, weight;
  int64_t n_steps;
} fn_log_sums;

/* Things that must be the same when a run goes on: other values of any of them would lead to other numbers. */
typedef struct fn_train_identity {
  char build[96];     /* version of the program */
  char device[96];    /* kernels and level of the CPU, threads left out */
  char data_hash[33]; /* fn_dataset_hash */
  char tokenizer_hash[33];
} fn_train_identity;

typedef struct fn_train_state {
  int64_t step; /* optimiser steps done */
  int64_t steps_per_epoch;
  int64_t n_steps; /* of the whole run; follows from the settings, which may ask for more later: not in the file */
  int64_t seed;
  fn_best best;
  fn_log_sums log;
  int64_t metrics_bytes; /* length of metrics.jsonl at this point */
  bool stopped;          /* early stopping has ended the run */
  bool evaluation_due;   /* after this step, and not done yet: the run was stopped in between */
  fn_train_identity identity;
} fn_train_state;

/* One JSON object, indented, newline at the end. Doubles survive exactly. */
void fn_train_state_format(fn_buf *out, const fn_train_state *state);
FN_NODISCARD fn_status fn_train_state_load(fn_train_state *state_out, const char *path, fn_err *err);

void fn_train_identity_format(fn_json_writer *w, const char *key, const fn_train_identity *identity);
/* name stands in errors. */
FN_NODISCARD fn_status fn_train_identity_parse(fn_train_identity *identity_out, const json_t *object, const char *name,
                                               fn_err *err);
/* Check before resuming. FN_E_INVALID names each thing that differs, then and now. */
FN_NODISCARD fn_status fn_train_identity_check(const fn_train_identity *then, const fn_train_identity *now,
                                               const char *run, fn_err *err);

#endif
