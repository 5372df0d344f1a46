/* Names of models that are not paths, and the local copy that they lead to.
 *
 *   models:/NAME@ALIAS, models:/NAME/3, models:/NAME/latest   a version of the registry
 *   runs:/RUN, runs:/RUN/PATH                                 a file or folder of a run; PATH: model
 *   s3://…, gs://…                                            a packed file (its name ends in .fnm) or a model
 * directory http://…, https://…                                       a packed file
 *
 * Copies stand in a cache folder, one folder each, which appears by rename when it is whole and checked:
 *   registry/<digits of the registry's address>/<name>/<version>-<digits of its digest>/{fakenews,model}
 *   stores/<digits of the address>/<digits of size, time and checksum>/<name>
 * Beside each stands its seal (registry/model_copy.h), beside them a link that says where an alias led last ("@best"),
 * or an address ("current"): that copy is taken when the registry or the store does not answer. */
#ifndef FN_REGISTRY_MODEL_URI_H
#define FN_REGISTRY_MODEL_URI_H

#include "mlflow/mlflow.h"
#include "track/tracking.h"

typedef enum fn_model_form { FN_MODEL_PATH, FN_MODEL_REGISTRY, FN_MODEL_RUN, FN_MODEL_STORE } fn_model_form;

typedef struct fn_model_uri {
  fn_model_form form;
  const char *text; /* as it was given; borrowed */
  char name[256];   /* of the model, or of the run */
  char alias[256];  /* "" with a version; "latest" too */
  int64_t version;  /* 0 with an alias */
  const char *path; /* runs: inside the run; borrowed */
} fn_model_uri;
/* Any other text is FN_MODEL_PATH. FN_E_INVALID for one that begins as one of these and is none: says the forms. */
FN_NODISCARD fn_status fn_model_uri_parse(fn_model_uri *uri_out, const char *text, fn_err *err);

typedef enum fn_model_want {
  FN_WANT_ANSWERS,   /* the packed file where there is one */
  FN_WANT_DIRECTORY, /* the Hugging Face directory: to train on, to pack */
} fn_model_want;

typedef struct fn_model_source {
  const fn_tracking_options *tracking; /* the store of runs, with the registry */
  const fn_mlflow_options *mlflow;     /* the registry of a server instead; NULL: none */
  const struct fn_store_options *store;
  const char *cache; /* folder of the copies; made when needed */
  bool unproven;     /* what is fetched becomes an alias' last copy only by fn_model_remember, and never stands for what
                      * cannot be fetched */
  /* Why a copy of before is used; NULL: not told. */
  void (*note)(void *arg, const char *text);
  void *arg;
} fn_model_source;

typedef struct fn_model_place {
  char *path; /* of the copy; malloc'd */
  char name[256];
  int64_t version; /* 0: not of a registry */
  bool stale;      /* the registry or store cannot be used now: this is the last copy */
  bool away;       /* on failure: nothing was said of the model itself, so that a copy of before may stand in for it */
} fn_model_place;
void fn_model_place_deinit(fn_model_place *place);

/* uri: not FN_MODEL_PATH. FN_E_NOT_FOUND: no such model, version, alias, run, file (names what there is). FN_E_IO: no
 * answer and no copy; a copy whose checksum is not the one that was recorded. On failure *place_out has no path, and
 * its `away` tells a service that cannot be used from one that says no. */
FN_NODISCARD fn_status fn_model_fetch(fn_model_place *place_out, const fn_model_uri *uri, fn_model_want want,
                                      const fn_model_source *source, fn_err *err);

/* Which version an alias stands at now, without fetching anything; with its digest (from a server: when it was made).
 */
FN_NODISCARD fn_status fn_model_current(int64_t *version_out, char digest_out[65], const fn_model_uri *uri,
                                        const fn_model_source *source, fn_err *err);
/* The copy of where an alias led last. FN_E_NOT_FOUND: there is none. */
FN_NODISCARD fn_status fn_model_last(fn_model_place *place_out, const fn_model_uri *uri, fn_model_want want,
                                     const fn_model_source *source, fn_err *err);
/* The alias leads here: the version at this place was found good. */
FN_NODISCARD fn_status fn_model_remember(const fn_model_uri *uri, const fn_model_place *place,
                                         const fn_model_source *source, fn_err *err);

#endif
