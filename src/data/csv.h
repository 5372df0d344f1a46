/* CSV as in RFC 4180: fields separated by commas (or another delimiter), a field may stand in double quotes and then
 * hold commas, line breaks and quotes (written twice). Records end with CRLF, LF or CR. Empty lines outside of quotes
 * are skipped, as Python's csv.DictReader and pandas do.
 *
 * A push parser: bytes come in pieces of any size, records come out one at a time. Stricter than most readers: what
 * is no CSV is refused with its line instead of being guessed at. A refused record does not end the reading:
 *   a quote inside an unquoted field, or text after a closing quote: skipped to the end of the line
 *   wrong number of fields, NUL bytes, invalid UTF-8, over the limits: skipped to the end of the record
 * Only a quote that is still open when the input ends is an error of the whole input. */
#ifndef FN_DATA_CSV_H
#define FN_DATA_CSV_H

#include "data/record.h"

typedef struct fn_csv fn_csv; /* used by one thread */

FN_NODISCARD fn_status fn_csv_create(fn_csv **csv_out, const fn_record_limits *limits, fn_err *err);
void fn_csv_destroy(fn_csv *csv);

/* What stands between fields: a comma (at the start), semicolon, tab or bar. Before the first byte. */
void fn_csv_set_delimiter(fn_csv *csv, char delimiter);
/* What messages say about a byte that is not UTF-8: a static text, at the start "is not valid UTF-8". */
void fn_csv_set_complaint(fn_csv *csv, const char *complaint);
/* Every later record must have this many fields; 0 (at the start): any number. */
void fn_csv_expect_fields(fn_csv *csv, size_t n_fields);

/* Reads bytes until a record is complete or all are used. *used_out says how many were taken; the rest is to be fed
 * again. On FN_RECORD_READY *record_out is filled, valid until the next call. Errors: FN_E_NO_MEMORY. A byte-order
 * mark is not expected here (data/input.h takes it off). */
FN_NODISCARD fn_status fn_csv_feed(fn_record_event *event_out, fn_record *record_out, size_t *used_out, fn_csv *csv,
                                   const char *data, size_t length, fn_err *err);
/* The input has ended: hands out a last record that no line break ended. FN_E_INVALID "LINE: …" when a quote is open.
 */
FN_NODISCARD fn_status fn_csv_finish(fn_record_event *event_out, fn_record *record_out, fn_csv *csv, fn_err *err);

/* Writing: one field, quoted where it must be (comma, quote, line break, or leading or trailing space). */
void fn_csv_append_field(fn_buf *out, fn_str field);
/* n fields and a line feed. A record of one empty field is written as "" so that it is no empty line. */
void fn_csv_append_record(fn_buf *out, const fn_str *fields, size_t n);

#endif
