/* JSON lines: one object a line, lines ending with LF or CRLF; blank lines are skipped. Keys become columns in order of
 * first appearance, so the table of columns grows while reading: a record holds a field for every column known so far,
 * of kind FN_VALUE_MISSING where the object lacks the key or has null.
 *
 * A push parser with the same calls as data/csv.h. A refused line (no JSON, no object, a key twice, over the limits)
 * does not end the reading. */
#ifndef FN_DATA_JSONL_H
#define FN_DATA_JSONL_H

#include "data/record.h"

typedef struct fn_jsonl fn_jsonl; /* used by one thread */

FN_NODISCARD fn_status fn_jsonl_create(fn_jsonl **jsonl_out, const fn_record_limits *limits, fn_err *err);
void fn_jsonl_destroy(fn_jsonl *jsonl);

/* As fn_csv_set_complaint. */
void fn_jsonl_set_complaint(fn_jsonl *jsonl, const char *complaint);

/* As fn_csv_feed and fn_csv_finish; finish has no error but FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_jsonl_feed(fn_record_event *event_out, fn_record *record_out, size_t *used_out,
                                     fn_jsonl *jsonl, const char *data, size_t length, fn_err *err);
FN_NODISCARD fn_status fn_jsonl_finish(fn_record_event *event_out, fn_record *record_out, fn_jsonl *jsonl, fn_err *err);

/* The columns known so far; valid until the next feed or finish. */
const fn_str *fn_jsonl_columns(const fn_jsonl *jsonl, size_t *n_out);

#endif
