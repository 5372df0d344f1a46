#include "data/record.h"

#include <stdio.h>
#include <stdlib.h>

void fn_record_builder_init(fn_record_builder *b, const fn_record_limits *limits) {
  *b = (fn_record_builder){.limits = *limits, .complaint = "is not valid UTF-8"};
  fn_buf_init(&b->bytes, limits->max_record_bytes);
}

void fn_record_builder_deinit(fn_record_builder *b) {
  fn_buf_deinit(&b->bytes);
  free(b->ends);
  free(b->kinds);
  free(b->fields);
  *b = (fn_record_builder){0};
}

void fn_record_builder_reset(fn_record_builder *b, uint64_t line) {
  fn_buf_reset(&b->bytes);
  b->n = 0;
  b->begin = 0;
  b->line = line;
  b->error_line = line;
  b->status = FN_OK;
  b->message[0] = 0;
}

void fn_record_builder_refuse(fn_record_builder *b, fn_status status, uint64_t line, const char *format, ...) {
  if (b->status != FN_OK) return;
  b->status = status;
  b->error_line = line;
  va_list args;
  va_start(args, format);
  vsnprintf(b->message, sizeof b->message, format, args);
  va_end(args);
}

/* Which limit is named, and on which line, must not depend on the pieces in which the bytes come: the one that the
 * first byte too many passes, and the line where the record begins. */
fn_status fn_record_builder_add(fn_record_builder *b, const char *data, size_t length, fn_err *err) {
  if (b->status != FN_OK || length == 0) return FN_OK;
  size_t field_room = b->limits.max_field_bytes - (b->bytes.length - b->begin);
  size_t record_room = b->limits.max_record_bytes - b->bytes.length;
  if (length > field_room && field_room <= record_room) {
    fn_record_builder_refuse(b, FN_E_LIMIT, b->line, "field %zu is longer than %zu bytes", b->n + 1,
                             b->limits.max_field_bytes);
    return FN_OK;
  }
  if (length > record_room) {
    fn_record_builder_refuse(b, FN_E_LIMIT, b->line, "the record is longer than %zu bytes", b->limits.max_record_bytes);
    return FN_OK;
  }
  fn_buf_append(&b->bytes, data, length);
  return fn_buf_check(&b->bytes, "a record", err);
}

static fn_status grow(fn_record_builder *b, fn_err *err) {
  size_t next = b->capacity ? 2 * b->capacity : 16;
  size_t *ends = realloc(b->ends, next * sizeof *ends);
  if (ends) b->ends = ends;
  fn_value_kind *kinds = realloc(b->kinds, next * sizeof *kinds);
  if (kinds) b->kinds = kinds;
  fn_str *fields = realloc(b->fields, next * sizeof *fields);
  if (fields) b->fields = fields;
  if (!ends || !kinds || !fields) return fn_err_no_memory(err, "the fields of a record");
  b->capacity = next;
  return FN_OK;
}

fn_status fn_record_builder_close(fn_record_builder *b, fn_value_kind kind, fn_err *err) {
  if (b->n >= b->limits.max_fields) {
    fn_record_builder_refuse(b, FN_E_LIMIT, b->line, "more than %zu fields", b->limits.max_fields);
    return FN_OK;
  }
  if (b->n == b->capacity) FN_TRY(grow(b, err));
  b->ends[b->n] = b->bytes.length;
  b->kinds[b->n++] = kind;
  b->begin = b->bytes.length;
  return FN_OK;
}

static void check_utf8(fn_record_builder *b) {
  size_t at;
  if (fn_utf8_valid(fn_buf_str(&b->bytes), &at)) {
    /* Valid as a whole, but a field may end inside a sequence only if its neighbour begins with the rest: then that
     * neighbour is refused here. */
    for (size_t i = 0; i < b->n; i++)
      if (b->fields[i].length && ((unsigned char)b->fields[i].data[0] & 0xC0) == 0x80)
        fn_record_builder_refuse(b, FN_E_INVALID, b->line, "field %zu, byte 1 (0x%02x) %s", i + 1,
                                 (unsigned char)b->fields[i].data[0], b->complaint);
    return;
  }
  size_t field = 0;
  while (field + 1 < b->n && at >= b->ends[field]) field++;
  size_t begin = field ? b->ends[field - 1] : 0;
  uint64_t line = b->line;
  for (size_t i = 0; i < at; i++) line += b->bytes.data[i] == '\n';
  fn_record_builder_refuse(b, FN_E_INVALID, line, "field %zu, byte %zu (0x%02x) %s", field + 1, at - begin + 1,
                           (unsigned char)b->bytes.data[at], b->complaint);
}

fn_record fn_record_builder_finish(fn_record_builder *b) {
  size_t begin = 0;
  for (size_t i = 0; i < b->n; i++) {
    b->fields[i] = fn_str_make(b->bytes.data ? b->bytes.data + begin : "", b->ends[i] - begin);
    begin = b->ends[i];
  }
  if (b->status == FN_OK) check_utf8(b);
  return (fn_record){
      .line = b->line,
      .n_fields = b->n,
      .fields = b->fields,
      .kinds = b->kinds,
      .status = b->status,
      .error_line = b->error_line,
      .message = b->message,
  };
}
