/* DIR/prepare.json: everything that was done to the rows of a prepared dataset. Its schema is
 * docs/schemas/prepare.schema.json. */
#ifndef FN_DATA_PREPARE_JSON_H
#define FN_DATA_PREPARE_JSON_H

#include "data/prepare.h"

enum { FN_PREPARE_FORMAT = 1 };

void fn_prepare_format_json(fn_buf *out, const char *version, const fn_data_options *options,
                            const fn_prepare_report *report);

#endif
