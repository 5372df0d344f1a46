/* Finding the directory that `--init` or `--model` names. Never touches the network. */
#ifndef FN_MODEL_HUB_H
#define FN_MODEL_HUB_H

#include "base/base.h"

/* *dir_out (malloc'd, release with free()) is the directory of Hugging Face files that `name` stands for:
 *   - an existing directory, taken as it is; or
 *   - `owner/name` or `owner/name@revision` (branch, tag or commit; without it: main) in the local Hub cache, a folder
 *     with models--owner--name/{refs,snapshots} as huggingface_hub keeps it. A name without owner ("bert-base-uncased")
 *     is looked up there too.
 * hub_cache: that folder ($HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub; the caller reads the environment).
 * FN_E_NOT_FOUND: not there, or not complete; the message holds the line that downloads it. */
FN_NODISCARD fn_status fn_hub_resolve(char **dir_out, const char *name, const char *hub_cache, fn_err *err);

#endif
