/* The folder of one training run:
 *   run.json        what the run was started from (data, init, hashes, build, device)
 *   config.yaml     every setting with its origin
 *   metrics.jsonl   one JSON object per line, appended while training
 *   times.jsonl     wall-clock times, alone in their file so that the others repeat byte for byte
 *   checkpoints/    step-N/, links best and last (train/checkpoint.h)
 *   model           the model to use: a link to checkpoints/best/model, or a folder for the linear family
 *   result.json     figures at the end
 * After a crash metrics.jsonl may be longer than the last checkpoint knows; a resumed run cuts it back. */
#ifndef FN_TRAIN_RUN_DIR_H
#define FN_TRAIN_RUN_DIR_H

#include "base/base.h"

typedef struct fn_run_dir {
  char *path, *checkpoints; /* malloc'd */
  int metrics, times;       /* descriptors, opened for appending; -1 when closed */
  int64_t metrics_bytes;
  int lock; /* descriptor that holds the run's lock; -1 */
} fn_run_dir;
#define FN_RUN_DIR_INIT                                                                                                \
  { NULL, NULL, -1, -1, 0, -1 }

/* A file that a new run begins with. */
typedef struct fn_run_file {
  const char *name;
  fn_str text;
} fn_run_file;

/* Before anything is computed: would fn_run_dir_create refuse this path (may be NULL) or name? */
FN_NODISCARD fn_status fn_run_dir_check(const char *path, const char *name, fn_err *err);
/* Creates the folder `path`; when it is NULL, <root>/<UTC time>-<name> (in the time '-' stands for ':'; a second run in
 * the same second gets the suffix -2). The folder appears by rename with all its files: it is a run or it is not there.
 * FN_E_INVALID when path exists and is not an empty folder. */
FN_NODISCARD fn_status fn_run_dir_create(fn_run_dir *run_out, const char *path, const char *root, const char *name,
                                         int64_t unix_ms, const fn_run_file *files, size_t n_files, fn_err *err);
/* Points <root>/latest at a run that was created under root. */
FN_NODISCARD fn_status fn_run_dir_set_latest(const fn_run_dir *run, const char *root, fn_err *err);
/* Opens an existing run to go on with it. FN_E_INVALID when it is no run folder, or another process trains in it. */
FN_NODISCARD fn_status fn_run_dir_open(fn_run_dir *run_out, const char *path, fn_err *err);
void fn_run_dir_close(fn_run_dir *run);
#define FN_AUTO_RUN_DIR FN_CLEANUP(fn_run_dir_close)

/* path/<name>; malloc'd, NULL when memory is short. */
char *fn_run_dir_file(const fn_run_dir *run, const char *name);
/* Appends one line (a newline is added) to metrics.jsonl. */
FN_NODISCARD fn_status fn_run_dir_metric(fn_run_dir *run, fn_str line, fn_err *err);
/* Appends {"event":what,"step":step,"time":now} to times.jsonl. */
FN_NODISCARD fn_status fn_run_dir_stamp(fn_run_dir *run, const char *what, int64_t step, fn_err *err);
/* fsync of metrics.jsonl: before a checkpoint that remembers its length. */
FN_NODISCARD fn_status fn_run_dir_sync(fn_run_dir *run, fn_err *err);
/* Cuts metrics.jsonl back to n bytes. FN_E_INVALID when it is shorter. */
FN_NODISCARD fn_status fn_run_dir_cut(fn_run_dir *run, int64_t n_bytes, fn_err *err);

#endif
