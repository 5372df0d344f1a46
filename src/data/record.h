/* One record of an input, as the CSV and JSONL parsers hand it out, and the storage in which they build it. */
#ifndef FN_DATA_RECORD_H
#define FN_DATA_RECORD_H

#include "base/base.h"

/* Bounds of what one record may hold; beyond them the record is refused, never cut. */
typedef struct fn_record_limits {
  size_t max_field_bytes;
  size_t max_record_bytes;
  size_t max_fields;
} fn_record_limits;
#define FN_RECORD_LIMITS_DEFAULT ((fn_record_limits){(size_t)16 << 20, (size_t)32 << 20, 4096})

typedef enum fn_value_kind {
  FN_VALUE_MISSING, /* JSON: null, or no such key */
  FN_VALUE_STRING,
  FN_VALUE_OTHER, /* JSON number, boolean, array or object: its JSON text */
} fn_value_kind;

typedef struct fn_record {
  uint64_t line; /* of the first byte, from 1 */
  size_t n_fields;
  const fn_str *fields;       /* [n_fields] valid UTF-8 without NUL; by column */
  const fn_value_kind *kinds; /* [n_fields] */
  fn_status status;           /* FN_OK, or why the record is refused; its fields are then not to be used */
  uint64_t error_line;        /* where it went wrong, from 1 */
  const char *message;        /* what and what would be accepted, without the file's name; "" when status is FN_OK */
} fn_record;

typedef enum fn_record_event {
  FN_RECORD_NONE, /* feed: all bytes are used up, no record complete. finish: no further record */
  FN_RECORD_READY,
} fn_record_event;

/* Storage: bytes of the fields one after the other, closed field by field. One record at a time. */
typedef struct fn_record_builder {
  fn_record_limits limits;
  fn_buf bytes;
  size_t *ends;         /* [n] end of field i in bytes */
  fn_value_kind *kinds; /* [n] */
  fn_str *fields;       /* [n] made by finish */
  size_t n, capacity;
  size_t begin; /* of the open field */
  uint64_t line, error_line;
  fn_status status;
  const char *complaint; /* about a byte that is not UTF-8, as messages say it; static text */
  char message[512];
} fn_record_builder;

void fn_record_builder_init(fn_record_builder *builder, const fn_record_limits *limits);
void fn_record_builder_deinit(fn_record_builder *builder);
/* Empty; the record begins on `line`. */
void fn_record_builder_reset(fn_record_builder *builder, uint64_t line);
/* Adds bytes to the open field. Over the limits the record is refused (not an error of the call). Nothing is kept
 * once the record is refused. FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_record_builder_add(fn_record_builder *builder, const char *data, size_t length, fn_err *err);
/* Closes the open field. */
FN_NODISCARD fn_status fn_record_builder_close(fn_record_builder *builder, fn_value_kind kind, fn_err *err);
/* Refuses the record; the first reason stays. */
void fn_record_builder_refuse(fn_record_builder *builder, fn_status status, uint64_t line, const char *format, ...)
    FN_PRINTF(4, 5);
/* View of the record, valid until the next reset. Checks that every field is UTF-8. */
fn_record fn_record_builder_finish(fn_record_builder *builder);

#endif
