/* The sink that writes a run folder for Weights & Biases, as its Python package does in offline mode: `wandb sync
 * FOLDER` brings it to a server. Nothing is sent from here.
 *
 *   DIR/wandb/offline-run-YYYYMMDD_HHMMSS-<id>/   the time is UTC
 *     run-<id>.wandb    everything, record by record (wandb_log.h)
 *     files/            config.yaml, wandb-summary.json, wandb-metadata.json, output.log, requirements.txt, and links
 * to the run's small files logs/
 *
 * Parameters become config, nested at their dots; tags stand in config under run_tags; metrics of one step are one row
 * of history, and system/… are system metrics. A metric that comes for a step before the latest counts as of the
 * latest: W&B's steps only grow. The model's files are an artifact of references with their checksums. */
#ifndef FN_WANDB_WANDB_H
#define FN_WANDB_WANDB_H

#include "track/tracker.h"

typedef struct fn_wandb_sink_options {
  const fn_run_info *run;
  const char *dir;     /* where the folder wandb/ stands */
  const char *id;      /* W&B's id of the run; NULL: 8 characters made of the run's id */
  const char *project; /* NULL: the run's experiment, or "fakenews" where that is Default */
  const char *entity, *name, *group, *job_type, *notes; /* NULL: not given; job_type: "train" */
  const char *const *tags;                              /* [n_tags] */
  size_t n_tags;
  const char *version; /* of this program */
  int64_t resume_step; /* the training goes on after this step, in a folder of its own; -1: a new run */
} fn_wandb_sink_options;

/* Whether W&B takes id, project and tags; run may be NULL as long as nobody knows it. FN_E_INVALID says which it does
 * not. */
FN_NODISCARD fn_status fn_wandb_check(const fn_wandb_sink_options *options, fn_err *err);
/* fn_wandb_check, too. Copies what it needs. The folder is made with the first metric. */
FN_NODISCARD fn_status fn_wandb_sink_create(fn_sink *sink_out, const fn_wandb_sink_options *options, fn_err *err);

#endif
