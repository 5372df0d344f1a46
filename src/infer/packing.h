/* From model directories to one packed file, and what that costs. */
#ifndef FN_INFER_PACKING_H
#define FN_INFER_PACKING_H

#include "infer/compare.h"
#include "infer/packed.h"

typedef struct fn_packing_source {
  const char *encoder, *linear; /* directories; NULL: none */
  bool int8;
  const char *name;               /* of the model, in its answers */
  const char *calibration, *card; /* JSON; NULL: none */
} fn_packing_source;

/* Loads the halves and writes the file by rename. Errors as fn_model_load, fn_linear_load, fn_packed_write. */
FN_NODISCARD fn_status fn_packing_write(const char *path, const fn_packing_source *source, fn_err *err);

/* A directory against the same half of a packed file, on the rows of some splits. Errors as fn_comparison_run. */
typedef struct fn_packing_check {
  const char *directory, *packed;
  int part; /* fn_infer_part: which half of the packed file */
  const fn_infer_options *options;
  fn_device *device;
  const fn_dataset *dataset;
  unsigned splits; /* FN_COMPARE_ALL, or bits 1 << fn_split */
  fn_comparison_progress progress;
  void *arg;
} fn_packing_check;
FN_NODISCARD fn_status fn_packing_compare(fn_comparison *comparison_out, const fn_packing_check *check, fn_err *err);

#endif
