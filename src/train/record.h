/* run.json: what a run was started from. Written once, before training; says nothing about time or threads. */
#ifndef FN_TRAIN_RECORD_H
#define FN_TRAIN_RECORD_H

#include "train/state.h"

typedef struct fn_run_record {
  char family[32];
  char *data;         /* absolute path of the dataset; malloc'd */
  char *init;         /* as given, a folder as absolute path; NULL for the linear family; malloc'd */
  char init_hash[33]; /* of the folder's weights; "" for scratch and linear */
  fn_train_identity identity;
  int64_t n_train, n_validation, n_test, n_left_out, n_parameters;
} fn_run_record;

void fn_run_record_deinit(fn_run_record *record);
/* The file's text, appended. */
void fn_run_record_format(fn_buf *out, const fn_run_record *record);
FN_NODISCARD fn_status fn_run_record_load(fn_run_record *record_out, const char *path, fn_err *err);

#endif
