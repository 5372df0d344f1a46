/* From a trained model to a version of the registry: packed, calibrated, measured, described.
 *
 * A version's files:
 *   MLmodel, requirements.txt, python_env.yaml   what MLflow reads; a transformers flavour where there is an encoder
 *   model/                                       the Hugging Face directory that the training wrote
 *   components/tokenizer/                        the tokenizer's files once more, where MLflow looks for them
 *   fakenews/model.fnm                           the packed file, with its calibration and its card
 *   fakenews/calibration.json, card.json, gates.json
 * Of a packed file there is no model/ and no components/: it cannot be trained on, nor loaded by Transformers. */
#ifndef FN_REGISTRY_VERSION_MAKE_H
#define FN_REGISTRY_VERSION_MAKE_H

#include "data/dataset.h"
#include "eval/options.h"
#include "infer/infer.h"
#include "linear/linear.h"
#include "registry/options.h"

#define FN_VERSION_PACKED "fakenews/model.fnm"
#define FN_VERSION_MODEL  "model"

/* All borrowed. */
typedef struct fn_version_source {
  const char *name;              /* of the registered model */
  const char *model;             /* its directory, or a packed file, which stays as it is: only what it lacks is made */
  const char *run_folder;        /* that it stands in; NULL: none */
  const char *run_id, *run_name; /* "": none */
  const char *revision;          /* of the sources that trained it; "": not known */
  const fn_dataset *dataset;     /* to calibrate and measure with; NULL: neither is done, and the card says so */
  const char *program, *machine; /* version; "2 cores, AVX-512 VNNI" */
  const fn_infer_options *infer;
  const fn_pack_options *pack;
  const fn_calibrate_options *calibrate;
  const fn_eval_options *eval;
  const fn_linear_options *linear; /* of the baseline */
  const fn_registry_options *registry;
  fn_device *device;
  double speed_s;                                              /* seconds of measuring how fast it answers */
  bool (*progress)(void *arg, const char *what, double share); /* false ends with FN_E_CANCELLED */
  void (*note)(void *arg, const char *text);
  void *arg;
} fn_version_source;

/* 64 digits over all that decides a version: the model's files, the data, the settings above. Two calls that give the
 * same would make the same version (times apart). */
FN_NODISCARD fn_status fn_version_origin(char out[65], const fn_version_source *source, fn_err *err);
/* Writes everything but model/ and components/ into `folder`, which exists. *card_out: text of fakenews/card.json. */
FN_NODISCARD fn_status fn_version_make(fn_buf *card_out, const char *folder, const fn_version_source *source,
                                       fn_err *err);

#endif
