/* The training loop: model + optimiser + schedule + sampler, reporting to an event sink and writing into a run folder.
 */
#ifndef FN_TRAIN_TRAINER_H
#define FN_TRAIN_TRAINER_H

#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/events.h"
#include "train/optimiser.h"
#include "train/run_dir.h"

typedef struct fn_trainer fn_trainer;

/* Everything is borrowed and outlives the trainer. */
typedef struct fn_trainer_setup {
  fn_model *model; /* K = 2; create plans it */
  fn_device *device;
  const fn_tokenizer *tokenizer;
  const fn_examples *train, *validation; /* neither empty; rows with ids */
  fn_sequence_options sequence;
  const fn_train_options *options;
  const fn_train_identity *identity;
  fn_run_dir *run; /* NULL: no metrics, no checkpoints */
  fn_train_sink sink;
} fn_trainer_setup;

/* A trainer before its first step. Not thread-safe. FN_E_INVALID: settings that do not fit the model or the rows. */
FN_NODISCARD fn_status fn_trainer_create(fn_trainer **trainer_out, const fn_trainer_setup *setup, fn_err *err);
void fn_trainer_destroy(fn_trainer *trainer);
const fn_train_state *fn_trainer_state(const fn_trainer *trainer);
const fn_batching *fn_trainer_batching(const fn_trainer *trainer);
/* Validation metrics of the best checkpoint; NULL when it was evaluated before the run was resumed. */
const fn_metrics *fn_trainer_best(const fn_trainer *trainer);

/* Takes up a checkpoint whose weights the model already has: moments, state; cuts the run's metrics back to it. */
FN_NODISCARD fn_status fn_trainer_restore(fn_trainer *trainer, const char *checkpoint, fn_err *err);

/* What one optimiser step did. */
typedef struct fn_step_report {
  double loss; /* Σ wℓ / Σ w over the step */
  double loss_sum, weight_sum;
  double learning_rate, gradient_norm;
  int64_t n_tokens, n_rows;
  size_t n_micro;
} fn_step_report;
/* One optimiser step. FN_E_DIVERGED names the step; weights, moments and state are then as before it. */
FN_NODISCARD fn_status fn_trainer_step(fn_step_report *report_out, fn_trainer *trainer, fn_err *err);

/* Steps, evaluations and checkpoints until the end: all epochs, max_steps, early stopping, or FN_E_CANCELLED after a
 * checkpoint when the sink asks to stop. At FN_E_DIVERGED the checkpoints written before stay. */
FN_NODISCARD fn_status fn_trainer_run(fn_trainer *trainer, fn_err *err);

#endif
