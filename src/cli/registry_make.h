/* A version of the registry made of a run: what `registry add` and `registry promote` share. */
#ifndef FN_CLI_REGISTRY_MAKE_H
#define FN_CLI_REGISTRY_MAKE_H

#include "cli/registry_support.h"

/* run: id, name, run folder, "latest", or the Hugging Face directory of a model. data: prepared dataset to calibrate
 * and measure with; NULL: the run's own. *found_out: the same model with the same data and settings was a version
 * already. The registry is open for making. */
FN_NODISCARD fn_status fn_cli_add_version(int64_t *version_out, bool *found_out, fn_cli_registry *registry,
                                          const char *run, const char *name, const char *data, fn_err *err);
/* Whether a version can be made of a run: its model is in its folder, or stored. FN_E_NOT_FOUND: it has none. */
FN_NODISCARD fn_status fn_cli_check_run(const fn_cli_registry *registry, const char *id, fn_err *err);
/* Whether the run folder that the store remembers is still there and still this run's: a later training may have taken
 * its place. */
bool fn_cli_is_folder_of(const char *folder, const char *id);

#endif
