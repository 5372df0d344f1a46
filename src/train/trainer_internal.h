/* Inside of fn_trainer, shared by step.c (one optimiser step) and trainer.c (the loop). */
#ifndef FN_TRAIN_TRAINER_INTERNAL_H
#define FN_TRAIN_TRAINER_INTERNAL_H

#include "train/micro.h"
#include "train/sampler.h"
#include "train/schedule.h"
#include "train/trainer.h"

struct fn_trainer {
  fn_trainer_setup setup;
  fn_batching batching;
  fn_model_config config; /* as saved */
  fn_optimiser optimiser;
  fn_schedule schedule;
  fn_sampler *sampler;
  double class_weights[2];
  fn_train_state state;
  fn_metrics best_metrics; /* of the best evaluation; n = 0 when that was before a resume */
  bool saved;              /* the newest checkpoint holds all of the state */
  bool cancelled;          /* the sink asked to stop */
  /* Work space of a step. */
  fn_batch batch;
  fn_micro_plan plan;
  uint32_t *rows, *lengths; /* [batch_size] by draw */
};

#endif
