/* Parts of a version's description: where it comes from, what MLflow reads. */
#ifndef FN_REGISTRY_VERSION_FILES_H
#define FN_REGISTRY_VERSION_FILES_H

#include "registry/version_make.h"

/* The object "lineage" of the card: model ← run ← configuration ← data, and "left_out" beside it.
 * brief: the lineage alone, without files. *left_out: the run was measured on sources that it was not trained on. */
FN_NODISCARD fn_status fn_version_write_lineage(fn_json_writer *w, const fn_version_source *source,
                                                const fn_classifier_info *model, bool brief, bool *left_out,
                                                fn_err *err);
/* MLmodel, requirements.txt and python_env.yaml. */
FN_NODISCARD fn_status fn_version_write_mlmodel(const char *folder, const fn_version_source *source,
                                                const fn_classifier_info *model, int64_t n_bytes, fn_err *err);

#endif
