/* What the files that fetch models share: fetch_version.c (models:/), fetch_run.c (runs:/), fetch_store.c (addresses).
 * Internal to src/registry. */
#ifndef FN_REGISTRY_MODEL_FETCH_H
#define FN_REGISTRY_MODEL_FETCH_H

#include "registry/model_uri.h"
#include "store/store.h"

/* a/b/c; malloc'd. */
FN_NODISCARD fn_status fn_model_fetch_join(char **path_out, const char *a, const char *b, const char *c, fn_err *err);
/* 16 digits that stand for a text in the name of a folder. */
void fn_model_fetch_digits(char out[17], const char *text);
/* FN_E_INVALID: there is no folder for copies. */
FN_NODISCARD fn_status fn_model_fetch_check_cache(const fn_model_source *source, const char *text, fn_err *err);
/* The store of runs, to be read. */
FN_NODISCARD fn_status fn_model_fetch_open_tracking(fn_tracking **tracking_out, const fn_model_source *source,
                                                    fn_err *err);
/* Says that a copy of before is used. */
FN_PRINTF(2, 3) void fn_model_fetch_tell(const fn_model_source *source, const char *format, ...);

/* What fn_copy_make asks for: artifacts of an owner in the store of runs. */
typedef struct fn_model_fetch_artifacts {
  fn_tracking *tracking;
  const char *owner, *part;
} fn_model_fetch_artifacts;
fn_status fn_model_fetch_get_artifacts(void *artifacts, const char *target, fn_err *err);

/* Each fills *place; on failure place->away alone counts (model_uri.h). */
FN_NODISCARD fn_status fn_model_fetch_version(fn_model_place *place, const fn_model_uri *uri, fn_model_want want,
                                              const fn_model_source *source, fn_err *err);
FN_NODISCARD fn_status fn_model_fetch_run(fn_model_place *place, const fn_model_uri *uri, const fn_model_source *source,
                                          fn_err *err);
FN_NODISCARD fn_status fn_model_fetch_store(fn_model_place *place, const fn_model_uri *uri,
                                            const fn_model_source *source, fn_err *err);

/* A source that does not wait long: where a copy stands ready, a service that does not answer is not asked for half a
 * minute. `out` is filled, refers to itself, and is used in place. */
typedef struct fn_model_fetch_hurry {
  fn_model_source source;
  fn_mlflow_options mlflow;
  fn_store_options store;
  fn_net_options net;
} fn_model_fetch_hurry;
const fn_model_source *fn_model_fetch_hurried(fn_model_fetch_hurry *out, const fn_model_source *source);

#endif
