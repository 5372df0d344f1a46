/* The records of a W&B file as protobuf messages: wandb_internal.proto of the wandb package, by field numbers. Each
 * function appends one whole Record (without framing) to a buffer that the caller empties; `num` counts from 1. */
#ifndef FN_WANDB_RECORDS_H
#define FN_WANDB_RECORDS_H

#include "base/base.h"

/* A value under a path of keys; json is its text as JSON, also NaN, Infinity and -Infinity. */
typedef struct fn_wandb_item {
  const char *const *path;
  size_t n_path;
  const char *json;
} fn_wandb_item;

typedef struct fn_wandb_run {
  const char *id, *entity, *project, *group, *job_type, *name, *notes, *host, *commit, *remote; /* NULL: not given */
  const char *const *tags;
  size_t n_tags;
  int64_t start_ms;
  int64_t starting_step;
  bool resumed;
} fn_wandb_run;

typedef struct fn_wandb_file {
  const char *path;       /* in the artifact, or in files/ */
  const char *md5_base64; /* of artifacts */
  const char *ref;        /* where the bytes stand: file:///… */
  uint64_t n_bytes;
} fn_wandb_file;

typedef struct fn_wandb_artifact {
  const char *run_id, *project, *entity, *type, *name, *digest, *metadata_json; /* entity NULL: the default one */
  const char *const *aliases;
  size_t n_aliases;
  const fn_wandb_file *files;
  size_t n_files;
} fn_wandb_artifact;

void fn_wandb_put_header(fn_buf *out, int64_t num);
void fn_wandb_put_run(fn_buf *out, int64_t num, const fn_wandb_run *run);
void fn_wandb_put_config(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n);
void fn_wandb_put_history(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n, int64_t step);
void fn_wandb_put_summary(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n);
/* The first key of each item's path is its name. */
void fn_wandb_put_stats(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n, int64_t time_ms);
void fn_wandb_put_output(fn_buf *out, int64_t num, const char *line, int64_t time_ms);
/* Files below files/, to be uploaded at the end. */
void fn_wandb_put_files(fn_buf *out, int64_t num, const char *const *paths, size_t n);
void fn_wandb_put_artifact(fn_buf *out, int64_t num, const fn_wandb_artifact *artifact);
void fn_wandb_put_exit(fn_buf *out, int64_t num, int exit_code, int64_t runtime_s);
void fn_wandb_put_final(fn_buf *out, int64_t num);
void fn_wandb_put_footer(fn_buf *out, int64_t num);

#endif
