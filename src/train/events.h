/* What a training run reports while it works. The library prints nothing: whoever starts a run gives a sink. */
#ifndef FN_TRAIN_EVENTS_H
#define FN_TRAIN_EVENTS_H

#include "eval/eval.h"

typedef enum fn_train_event_kind {
  FN_TRAIN_NOTE,       /* text: something a person should know (a new head, rows left out); before or between steps */
  FN_TRAIN_BEGIN,      /* all is loaded and checked: path = run folder, step > 0 when it goes on, text = sizes */
  FN_TRAIN_STEP,       /* after each optimiser step: loss, learning_rate, gradient_norm, n_tokens */
  FN_TRAIN_EPOCH,      /* the last step of an epoch was done */
  FN_TRAIN_EVALUATION, /* split, n_rows done of n_rows_all; at the end metrics and best too */
  FN_TRAIN_SAVING,     /* a checkpoint is about to be written: what is to be known of the steps before it is kept now */
  FN_TRAIN_CHECKPOINT, /* path was saved */
  FN_TRAIN_DONE,       /* path = run folder; stopped_early */
} fn_train_event_kind;

/* Fields that an event does not name are 0 or NULL. Pointers are valid during the call only. */
typedef struct fn_train_event {
  fn_train_event_kind kind;
  int64_t step, n_steps;   /* steps done of all */
  int64_t epoch, n_epochs; /* epochs begun (from 1) of all */
  double loss;             /* of this step: weighted mean over its rows */
  double learning_rate, gradient_norm;
  int64_t n_tokens;           /* of this step */
  int64_t n_rows, n_rows_all; /* of this step, or evaluated of all */
  const char *split;          /* "val", "test" or "left_out" */
  const fn_metrics *metrics;
  int64_t best_step; /* FN_TRAIN_DONE: of the model that was kept */
  bool best, stopped_early;
  const char *path, *text;
} fn_train_event;

/* event is called on the thread that trains. It returns false to ask for an end: after the step under way the run saves
 * a checkpoint and ends with FN_E_CANCELLED. event may be NULL. */
typedef struct fn_train_sink {
  bool (*event)(void *arg, const fn_train_event *event);
  void *arg;
} fn_train_sink;

/* Hands an event over; true to go on. */
static inline bool fn_train_report(const fn_train_sink *sink, const fn_train_event *event) {
  return sink->event ? sink->event(sink->arg, event) : true;
}

#endif
