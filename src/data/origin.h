/* Where an input file was fetched from, and under which licence: by the receipt that `data download` left beside it. */
#ifndef FN_DATA_ORIGIN_H
#define FN_DATA_ORIGIN_H

#include "base/base.h"

/* Text is malloc'd; NULL where it is not known. Release with fn_origin_deinit. */
typedef struct fn_origin {
  char *url, *license;
} fn_origin;
void fn_origin_deinit(fn_origin *origin);

/* Looks into download.json of the file's folder and of the two above it (an archive holds folders). A file that is of
 * another size than the receipt says was changed since: nothing is known of it. A receipt that cannot be read counts as
 * none. FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_origin_find(fn_origin *origin_out, const char *path, fn_err *err);

#endif
