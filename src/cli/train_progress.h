/* What `fakenews train` says on stderr while it works: a bar on a terminal, plain lines elsewhere. */
#ifndef FN_CLI_TRAIN_PROGRESS_H
#define FN_CLI_TRAIN_PROGRESS_H

#include "cli/cli.h"
#include "train/train.h"

typedef struct fn_train_progress {
  const fn_cli *cli;
  int64_t log_every;                    /* steps between two lines where there is no terminal */
  uint64_t start_ns;                    /* of the verb */
  uint64_t begin_ns, step_ns, drawn_ns; /* of the steps; end of the latest step or pause; latest drawing */
  int64_t first_step;                   /* steps that were done before this process */
  bool has_steps;                       /* the linear family has none */
  double loss;                          /* smoothed */
  double tokens_per_second;             /* smoothed, steps alone */
} fn_train_progress;

/* A sink for fn_train: arg is a fn_train_progress. False once a signal asks to stop. */
bool fn_train_progress_event(void *arg, const fn_train_event *event);
/* The closing line, after success. */
void fn_train_progress_done(const fn_train_progress *p, const fn_train_result *result);

#endif
