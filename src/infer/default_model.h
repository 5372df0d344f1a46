/* Where the bundled default model lies. */
#ifndef FN_INFER_DEFAULT_MODEL_H
#define FN_INFER_DEFAULT_MODEL_H

#include "base/base.h"

#define FN_DEFAULT_MODEL_FILE "default.fnm"

/* path_out (malloc'd): the first of these that is there,
 *   1. FOLDER/../share/fakenews/default.fnm      FOLDER holds `base`: of an installed program (bin), of a library (lib)
 *      FOLDER/../../share/fakenews/default.fnm   of a library in lib/<architecture>
 *   2. FOLDER/../../models/default/default.fnm   of a program or library in a build tree: FOLDER is …/build/<preset>
 *   3. <data folder of the configured prefix>/fakenews/default.fnm
 * base: path of the program (the caller resolves /proc/self/exe) or of the library (dladdr), links followed; NULL: only
 * 3 is looked at. Reads no environment. FN_E_NOT_FOUND names the places. */
FN_NODISCARD fn_status fn_default_model_find(char **path_out, const char *base, fn_err *err);

#endif
