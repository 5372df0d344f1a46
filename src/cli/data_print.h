/* What `data prepare` and `data stats` print. */
#ifndef FN_CLI_DATA_PRINT_H
#define FN_CLI_DATA_PRINT_H

#include "data/prepare.h"
#include "data/stats.h"

void fn_print_prepare(fn_buf *out, const fn_prepare_report *report, const fn_data_options *options);
/* prepare: the parsed prepare.json beside the dataset, or NULL. */
void fn_print_stats(fn_buf *out, const fn_stats_report *report, const json_t *prepare, size_t max_sources);

#endif
