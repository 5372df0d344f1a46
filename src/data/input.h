/* Rows of articles from outside: CSV, JSON lines or a text file, plain, gzip or zstd, in UTF-8, UTF-16 or Windows-1252,
 * from a file or a stream. Used by `data prepare`, `evaluate` and `predict`; a row that is refused is handed out as
 * such and does not end the reading.
 *
 *   fn_input *in; fn_input_open(&in, path, NULL, err);
 *   for (;;) { fn_input_row row; bool more; fn_input_next(&row, &more, in, err); if (!more) break; … }
 */
#ifndef FN_DATA_INPUT_H
#define FN_DATA_INPUT_H

#include "data/encoding.h"
#include "data/options.h"
#include "data/record.h"

typedef enum fn_input_format {
  FN_INPUT_AUTO, /* by the name (.csv .tsv .jsonl .ndjson .txt, each also with .gz or .zst), else by the first byte: {
                    is JSON lines */
  FN_INPUT_CSV,  /* with a header line */
  FN_INPUT_JSONL,
  FN_INPUT_TEXT, /* the whole input is one row with the single column "text" */
} fn_input_format;

typedef struct fn_input fn_input; /* used by one thread */

/* How to read an input; all zero: find it out. */
typedef struct fn_input_options {
  fn_input_format format;
  fn_encoding encoding;
  char delimiter; /* of CSV: , ; | or tab. 0: what the header line holds outside of quotes, if it is only one of them; a
                     comma where it holds several kinds of them, or none */
  fn_source_watch *watch; /* as fn_source_set_watch; may be NULL */
} fn_input_options;
/* data.format, data.encoding and data.delimiter. FN_E_INVALID when the last is no delimiter. */
FN_NODISCARD fn_status fn_input_options_from(fn_input_options *options_out, const fn_data_options *data, fn_err *err);

/* options NULL: all zero. FN_E_INVALID "NAME: …" when the input is empty or its CSV header is refused; errors of
 * fn_source_open and fn_decoder_create. */
FN_NODISCARD fn_status fn_input_open(fn_input **input_out, const char *path, const fn_input_options *options,
                                     fn_err *err);
/* name stands in errors, e.g. "standard input". */
FN_NODISCARD fn_status fn_input_open_stream(fn_input **input_out, fn_read read, void *arg, const char *name,
                                            const fn_input_options *options, fn_err *err);
void fn_input_close(fn_input *input);

const char *fn_input_name(const fn_input *input);
fn_input_format fn_input_get_format(const fn_input *input); /* never AUTO */
/* As fn_decoder_encoding: what has been read so far; final when all rows have been read. */
fn_encoding fn_input_get_encoding(const fn_input *input);
/* Of CSV, found out or given; 0 for other formats. */
char fn_input_get_delimiter(const fn_input *input);
/* As data.delimiter takes them: "," ";" "|" "tab", or NULL for 0. */
const char *fn_delimiter_name(char delimiter);

typedef struct fn_input_row {
  uint64_t index;             /* of the row in this input, from 0, refused rows counted */
  uint64_t line;              /* where it begins, from 1 */
  size_t n_fields;            /* columns known so far */
  const fn_str *fields;       /* [n_fields] in the order of the columns; valid UTF-8 without NUL; "" when missing */
  const fn_value_kind *kinds; /* [n_fields] all FN_VALUE_STRING for CSV and text */
  fn_status status;           /* FN_OK, or why the row is refused: then there are no fields */
  const char *message;        /* "NAME:LINE: what is wrong and what would be accepted", or "" */
} fn_input_row;

/* Next row, or *more_out = false at the end. Views are valid until the next call. Errors are those that end the
 * reading: a quote that is never closed, damaged gzip, encodings that are mixed (data/encoding.h), FN_E_IO,
 * FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_input_next(fn_input_row *row_out, bool *more_out, fn_input *input, fn_err *err);

/* Names of the columns: the CSV header; for JSON lines the keys seen so far, in order of first appearance. Valid until
 * the next fn_input_next. */
const fn_str *fn_input_columns(const fn_input *input, size_t *n_out);
/* Index of the column called name (exactly; else the only one that differs just in letter case), or false. */
bool fn_input_find(size_t *index_out, const fn_input *input, const char *name);
/* As fn_input_find, but the column must be there: FN_E_NOT_FOUND names the file, the nearest column, all columns and
 * the setting to change (option, e.g. "data.columns.text"; NULL: none is named). FN_E_INVALID when it stands twice. */
FN_NODISCARD fn_status fn_input_require(size_t *index_out, const fn_input *input, const char *name, const char *option,
                                        fn_err *err);

#endif
