#include "data/csv.h"

#include <inttypes.h>
#include <stdlib.h>

typedef enum state {
  RECORD_BEGIN,
  FIELD_BEGIN,
  UNQUOTED,
  QUOTED,
  QUOTE_SEEN, /* a quote inside quotes: the end of the field, or the first of two */
  SKIP_LINE,  /* after a quote where none may be: what follows is read by no rule until the line ends */
} state;

struct fn_csv {
  fn_record_builder builder;
  state state;
  char delimiter;
  size_t expected;     /* fields per record; 0: any */
  uint64_t line;       /* of the next byte, from 1 */
  uint64_t quote_line; /* where the open quote stands */
  bool after_cr;       /* the last byte was CR: a LF that follows belongs to it */
};

fn_status fn_csv_create(fn_csv **csv_out, const fn_record_limits *limits, fn_err *err) {
  fn_csv *csv = fn_mem_calloc(1, sizeof *csv);
  if (!csv) return fn_err_no_memory(err, "a CSV parser");
  fn_record_builder_init(&csv->builder, limits);
  csv->line = 1;
  csv->delimiter = ',';
  fn_record_builder_reset(&csv->builder, 1);
  *csv_out = csv;
  return FN_OK;
}

void fn_csv_destroy(fn_csv *csv) {
  if (!csv) return;
  fn_record_builder_deinit(&csv->builder);
  free(csv);
}

void fn_csv_expect_fields(fn_csv *csv, size_t n_fields) {
  csv->expected = n_fields;
}

void fn_csv_set_delimiter(fn_csv *csv, char delimiter) {
  csv->delimiter = delimiter;
}

void fn_csv_set_complaint(fn_csv *csv, const char *complaint) {
  csv->builder.complaint = complaint;
}

static const char *name_of(char delimiter) {
  return delimiter == ';' ? "semicolon" : delimiter == '\t' ? "tab" : delimiter == '|' ? "bar" : "comma";
}

/* The bytes that end a run outside of quotes. */
static bool stops_unquoted(char c, char delimiter) {
  return c == delimiter || c == '\n' || c == '\r' || c == '"' || c == 0;
}

static fn_record take(fn_csv *csv) {
  fn_record_builder *b = &csv->builder;
  csv->state = RECORD_BEGIN;
  if (csv->expected && b->n != csv->expected)
    fn_record_builder_refuse(b, FN_E_INVALID, b->line,
                             "%zu field%s, expected %zu as in the header; a field with a %s or a line break stands in "
                             "double quotes",
                             b->n, b->n == 1 ? "" : "s", csv->expected, name_of(csv->delimiter));
  return fn_record_builder_finish(b);
}

static void refuse_nul(fn_csv *csv) {
  fn_record_builder_refuse(&csv->builder, FN_E_INVALID, csv->line,
                           "field %zu holds a NUL byte; text is accepted (a binary file?)", csv->builder.n + 1);
}

/* Unquoted run from p; returns where it stopped. */
static fn_status unquoted(const char **p_io, fn_csv *csv, const char *end, fn_err *err) {
  const char *p = *p_io, *begin = p;
  const char delimiter = csv->delimiter;
  while (p < end && !stops_unquoted(*p, delimiter)) p++;
  *p_io = p;
  FN_TRY(fn_record_builder_add(&csv->builder, begin, (size_t)(p - begin), err));
  if (p == end || *p == delimiter || *p == '\n' || *p == '\r') return FN_OK;
  if (*p == 0) {
    refuse_nul(csv);
    *p_io = p + 1;
    return FN_OK;
  }
  fn_record_builder_refuse(&csv->builder, FN_E_INVALID, csv->line,
                           "a quote inside field %zu, which does not begin with one; write the whole field in quotes "
                           "and the quote twice",
                           csv->builder.n + 1);
  csv->state = SKIP_LINE;
  return FN_OK;
}

/* Inside quotes, from p to the next quote or NUL or the end. Lines are counted here: CR, LF and CRLF count once. */
static fn_status quoted(const char **p_io, fn_csv *csv, const char *end, fn_err *err) {
  const char *p = *p_io, *begin = p;
  bool after_cr = csv->after_cr;
  for (; p < end && *p != '"' && *p != 0; p++) {
    if (*p == '\n' && !after_cr) csv->line++;
    if (*p == '\r') csv->line++;
    after_cr = *p == '\r';
  }
  csv->after_cr = after_cr;
  *p_io = p;
  FN_TRY(fn_record_builder_add(&csv->builder, begin, (size_t)(p - begin), err));
  if (p == end) return FN_OK;
  *p_io = p + 1;
  csv->after_cr = false;
  if (*p == 0)
    refuse_nul(csv);
  else
    csv->state = QUOTE_SEEN;
  return FN_OK;
}

/* A delimiter or a line break at p, outside of quotes: closes the field. True when the record is complete. */
static fn_status separator(bool *complete, const char **p_io, fn_csv *csv, fn_err *err) {
  char c = *(*p_io)++;
  FN_TRY(fn_record_builder_close(&csv->builder, FN_VALUE_STRING, err));
  if (c == csv->delimiter) {
    csv->state = FIELD_BEGIN;
    return FN_OK;
  }
  csv->line++;
  csv->after_cr = c == '\r';
  *complete = true;
  return FN_OK;
}

/* The byte after a quote that was found inside quotes. */
static fn_status after_quote(bool *complete, const char **p_io, fn_csv *csv, fn_err *err) {
  char c = **p_io;
  if (c == '"') {
    csv->state = QUOTED;
    ++*p_io;
    return fn_record_builder_add(&csv->builder, "\"", 1, err);
  }
  if (c == csv->delimiter || c == '\n' || c == '\r') return separator(complete, p_io, csv, err);
  fn_record_builder_refuse(&csv->builder, FN_E_INVALID, csv->line,
                           "text after the closing quote of field %zu; a %s or the end of the line is accepted, and a "
                           "quote inside quotes is written twice",
                           csv->builder.n + 1, name_of(csv->delimiter));
  csv->state = SKIP_LINE;
  return FN_OK;
}

/* One step of the machine: takes at least one byte, or changes the state. */
static fn_status step(bool *complete, const char **p_io, fn_csv *csv, const char *end, fn_err *err) {
  char c = **p_io;
  switch (csv->state) {
  case RECORD_BEGIN:
    if (c == '\n' || c == '\r') { /* an empty line, or the LF of a CRLF */
      if (!(c == '\n' && csv->after_cr)) csv->line++;
      csv->after_cr = c == '\r';
      ++*p_io;
      return FN_OK;
    }
    csv->after_cr = false;
    fn_record_builder_reset(&csv->builder, csv->line);
    csv->state = FIELD_BEGIN;
    return FN_OK;
  case FIELD_BEGIN:
    if (c == '"') {
      csv->state = QUOTED;
      csv->quote_line = csv->line;
      ++*p_io;
    } else {
      csv->state = UNQUOTED;
    }
    return FN_OK;
  case UNQUOTED:
    if (c == csv->delimiter || c == '\n' || c == '\r') return separator(complete, p_io, csv, err);
    return unquoted(p_io, csv, end, err);
  case QUOTED: return quoted(p_io, csv, end, err);
  case QUOTE_SEEN: return after_quote(complete, p_io, csv, err);
  case SKIP_LINE:
    while (*p_io < end && **p_io != '\n' && **p_io != '\r') ++*p_io;
    if (*p_io < end) return separator(complete, p_io, csv, err);
    return FN_OK;
  }
  return FN_OK;
}

fn_status fn_csv_feed(fn_record_event *event_out, fn_record *record_out, size_t *used_out, fn_csv *csv,
                      const char *data, size_t length, fn_err *err) {
  const char *p = data, *end = data + length;
  bool complete = false;
  while (p < end && !complete) FN_TRY(step(&complete, &p, csv, end, err));
  *used_out = (size_t)(p - data);
  *event_out = FN_RECORD_NONE;
  if (complete) {
    *event_out = FN_RECORD_READY;
    *record_out = take(csv);
  }
  return FN_OK;
}

fn_status fn_csv_finish(fn_record_event *event_out, fn_record *record_out, fn_csv *csv, fn_err *err) {
  *event_out = FN_RECORD_NONE;
  if (csv->state == RECORD_BEGIN) return FN_OK;
  if (csv->state == QUOTED)
    return fn_err_set(err, FN_E_INVALID,
                      "%" PRIu64 ": the quote that opens field %zu is never closed (the record begins on line %" PRIu64
                      "); a quote inside a quoted field is written twice",
                      csv->quote_line, csv->builder.n + 1, csv->builder.line);
  FN_TRY(fn_record_builder_close(&csv->builder, FN_VALUE_STRING, err));
  *event_out = FN_RECORD_READY;
  *record_out = take(csv);
  return FN_OK;
}

static bool needs_quotes(fn_str field) {
  for (size_t i = 0; i < field.length; i++)
    if (stops_unquoted(field.data[i], ',')) return true;
  return field.length && (field.data[0] == ' ' || field.data[field.length - 1] == ' ');
}

void fn_csv_append_field(fn_buf *out, fn_str field) {
  if (!needs_quotes(field)) {
    fn_buf_append(out, field.data, field.length);
    return;
  }
  fn_buf_append_char(out, '"');
  size_t begin = 0;
  for (size_t i = 0; i < field.length; i++) {
    if (field.data[i] != '"') continue;
    fn_buf_append(out, field.data + begin, i + 1 - begin);
    begin = i; /* the quote again, with what follows */
  }
  fn_buf_append(out, field.data + begin, field.length - begin);
  fn_buf_append_char(out, '"');
}

void fn_csv_append_record(fn_buf *out, const fn_str *fields, size_t n) {
  if (n == 1 && fields[0].length == 0) fn_buf_append_str(out, "\"\"");
  for (size_t i = 0; i < n; i++) {
    if (i) fn_buf_append_char(out, ',');
    fn_csv_append_field(out, fields[i]);
  }
  fn_buf_append_char(out, '\n');
}
