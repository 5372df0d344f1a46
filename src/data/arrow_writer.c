#include "data/arrow.h"
#include "data/flatbuf.h"

#include <assert.h>
#include <stdlib.h>

enum { ALIGN = 64, MAX_COLUMN_BYTES = FN_ARROW_BATCH_BYTES + FN_ARROW_MAX_TEXT + 1024, MAX_METADATA = 1 << 20 };
/* Numbers of the Arrow specification (format/Message.fbs, Schema.fbs). */
enum { VERSION_V5 = 4, HEADER_SCHEMA = 1, HEADER_RECORD_BATCH = 3, TYPE_INT = 2, TYPE_UTF8 = 5 };

typedef struct out_column {
  fn_arrow_field field;
  fn_buf values;  /* int64 values, or the bytes of the texts */
  fn_buf offsets; /* int32 [rows + 1] for utf8 */
} out_column;

struct fn_arrow_writer {
  fn_writer file;
  fn_buf metadata;                   /* of the message being written */
  size_t n_columns, n_rows, n_bytes; /* rows and bytes of the open batch */
  out_column columns[];
};

static void reset_batch(fn_arrow_writer *writer) {
  static const int32_t zero = 0;
  for (size_t c = 0; c < writer->n_columns; c++) {
    out_column *column = &writer->columns[c];
    fn_buf_reset(&column->values);
    fn_buf_reset(&column->offsets);
    if (column->field.type == FN_ARROW_UTF8) fn_buf_append(&column->offsets, &zero, sizeof zero);
  }
  writer->n_rows = writer->n_bytes = 0;
}

/* Zero bytes that follow `length` bytes up to the next multiple of 64. */
static size_t padding(uint64_t length) {
  return (size_t)((ALIGN - length % ALIGN) % ALIGN);
}

static const char zeros[ALIGN];

/* Starts the FlatBuffers Message in writer->metadata; returns where the offset to its header is to be patched. */
static size_t begin_message(fn_buf *metadata, uint64_t header_type, uint64_t body_length) {
  fn_buf_reset(metadata);
  size_t root = fn_fb_begin(metadata);
  fn_fb_slot message[4] = {{2, VERSION_V5, 0}, {1, header_type, 0}, {4, 0, 0}, {8, body_length, 0}};
  fn_fb_patch(metadata, root, fn_fb_put_table(metadata, message, 4));
  return message[2].at;
}

/* Frame and metadata, padded so that the body begins at a multiple of 64 bytes of the file. */
static fn_status write_metadata(fn_arrow_writer *writer, fn_err *err) {
  fn_buf *metadata = &writer->metadata;
  fn_buf_append(metadata, zeros, padding(writer->file.n_bytes + 8 + metadata->length));
  FN_TRY(fn_buf_check(metadata, "the metadata of an Arrow message", err));
  uint32_t frame[2] = {UINT32_MAX, (uint32_t)metadata->length};
  FN_TRY(fn_writer_write(&writer->file, frame, sizeof frame, err));
  return fn_writer_write(&writer->file, metadata->data, metadata->length, err);
}

static size_t put_field(fn_buf *buf, const fn_arrow_field *field) {
  bool number = field->type == FN_ARROW_INT64;
  /* name, nullable, type of the type, type, dictionary (none), children. Nullable, as `datasets` declares columns. */
  fn_fb_slot slots[6] = {{4, 0, 0}, {1, 1, 0}, {1, number ? TYPE_INT : TYPE_UTF8, 0}, {4, 0, 0}, {0, 0, 0}, {4, 0, 0}};
  size_t table = fn_fb_put_table(buf, slots, 6);
  fn_fb_put_string(buf, slots[0].at, fn_str_from(field->name));
  fn_fb_slot type[2] = {{4, 64, 0}, {1, 1, 0}}; /* Int: bit width, signed. Utf8 has no fields. */
  fn_fb_patch(buf, slots[3].at, fn_fb_put_table(buf, type, number ? 2 : 0));
  (void)fn_fb_put_vector(buf, slots[5].at, 0, 4);
  return table;
}

static fn_status write_schema(fn_arrow_writer *writer, const char *key, fn_str value, fn_err *err) {
  fn_buf *buf = &writer->metadata;
  size_t header = begin_message(buf, HEADER_SCHEMA, 0);
  fn_fb_slot schema[3] = {{2, 0, 0}, {4, 0, 0}, {key ? 4U : 0U, 0, 0}}; /* little-endian, fields, custom metadata */
  fn_fb_patch(buf, header, fn_fb_put_table(buf, schema, 3));
  size_t fields = fn_fb_put_vector(buf, schema[1].at, writer->n_columns, 4);
  for (size_t c = 0; c < writer->n_columns; c++) fn_buf_append(buf, zeros, 4);
  for (size_t c = 0; c < writer->n_columns; c++)
    fn_fb_patch(buf, fields + 4 * c, put_field(buf, &writer->columns[c].field));
  if (key) {
    size_t pairs = fn_fb_put_vector(buf, schema[2].at, 1, 4);
    fn_buf_append(buf, zeros, 4);
    fn_fb_slot pair[2] = {{4, 0, 0}, {4, 0, 0}};
    fn_fb_patch(buf, pairs, fn_fb_put_table(buf, pair, 2));
    fn_fb_put_string(buf, pair[0].at, fn_str_from(key));
    fn_fb_put_string(buf, pair[1].at, value);
  }
  return write_metadata(writer, err);
}

/* The buffers of a column in the order of the format; n_out of them (the empty validity buffer first). */
static size_t list_buffers(fn_str out[3], const out_column *column) {
  size_t n = 0;
  out[n++] = fn_str_make(NULL, 0);
  if (column->field.type == FN_ARROW_UTF8) out[n++] = fn_buf_str(&column->offsets);
  out[n++] = fn_buf_str(&column->values);
  return n;
}

static fn_status write_batch(fn_arrow_writer *writer, fn_err *err) {
  if (writer->n_rows == 0) return FN_OK;
  fn_str list[3];
  uint64_t body = 0;
  size_t n_buffers = 0;
  for (size_t c = 0; c < writer->n_columns; c++) {
    FN_TRY(fn_buf_check(&writer->columns[c].values, "a column of an Arrow record batch", err));
    FN_TRY(fn_buf_check(&writer->columns[c].offsets, "a column of an Arrow record batch", err));
    size_t n = list_buffers(list, &writer->columns[c]);
    n_buffers += n;
    for (size_t i = 0; i < n; i++) body += list[i].length + padding(list[i].length);
  }
  fn_buf *buf = &writer->metadata;
  size_t header = begin_message(buf, HEADER_RECORD_BATCH, body);
  fn_fb_slot batch[3] = {{8, writer->n_rows, 0}, {4, 0, 0}, {4, 0, 0}}; /* rows, nodes, buffers */
  fn_fb_patch(buf, header, fn_fb_put_table(buf, batch, 3));
  (void)fn_fb_put_vector(buf, batch[1].at, writer->n_columns, 8);
  for (size_t c = 0; c < writer->n_columns; c++) {
    uint64_t node[2] = {writer->n_rows, 0}; /* rows, nulls */
    fn_buf_append(buf, node, sizeof node);
  }
  (void)fn_fb_put_vector(buf, batch[2].at, n_buffers, 8);
  uint64_t position = 0;
  for (size_t c = 0; c < writer->n_columns; c++) {
    size_t n = list_buffers(list, &writer->columns[c]);
    for (size_t i = 0; i < n; i++) {
      uint64_t place[2] = {position, list[i].length};
      fn_buf_append(buf, place, sizeof place);
      position += list[i].length + padding(list[i].length);
    }
  }
  FN_TRY(write_metadata(writer, err));
  for (size_t c = 0; c < writer->n_columns; c++) {
    size_t n = list_buffers(list, &writer->columns[c]);
    for (size_t i = 0; i < n; i++) {
      FN_TRY(fn_writer_write(&writer->file, list[i].data, list[i].length, err));
      FN_TRY(fn_writer_write(&writer->file, zeros, padding(list[i].length), err));
    }
  }
  reset_batch(writer);
  return FN_OK;
}

fn_status fn_arrow_writer_create(fn_arrow_writer **writer_out, const char *path, const fn_arrow_field *fields,
                                 size_t n_fields, const char *metadata_key, fn_str metadata_value, fn_err *err) {
  assert(n_fields > 0 && n_fields <= FN_ARROW_MAX_FIELDS);
  fn_arrow_writer *writer = fn_mem_calloc(1, sizeof *writer + n_fields * sizeof writer->columns[0]);
  if (!writer) return fn_err_no_memory(err, "an Arrow writer");
  writer->n_columns = n_fields;
  fn_buf_init(&writer->metadata, MAX_METADATA);
  for (size_t c = 0; c < n_fields; c++) {
    writer->columns[c].field = fields[c];
    fn_buf_init(&writer->columns[c].values, MAX_COLUMN_BYTES);
    fn_buf_init(&writer->columns[c].offsets, MAX_COLUMN_BYTES);
  }
  fn_status status = fn_writer_open(&writer->file, path, err);
  if (status == FN_OK) status = write_schema(writer, metadata_key, metadata_value, err);
  if (status != FN_OK) {
    fn_arrow_writer_destroy(writer);
    return status;
  }
  reset_batch(writer);
  *writer_out = writer;
  return FN_OK;
}

fn_status fn_arrow_writer_append(fn_arrow_writer *writer, const fn_arrow_value *values, fn_err *err) {
  size_t row_bytes = 0;
  for (size_t c = 0; c < writer->n_columns; c++) {
    if (writer->columns[c].field.type == FN_ARROW_INT64) {
      row_bytes += 8;
      continue;
    }
    if (values[c].text.length > FN_ARROW_MAX_TEXT)
      return fn_err_set(err, FN_E_LIMIT, "%s: column %s: a text of %zu bytes; at most %d are accepted",
                        writer->file.path, writer->columns[c].field.name, values[c].text.length, FN_ARROW_MAX_TEXT);
    row_bytes += 4 + values[c].text.length;
  }
  if (writer->n_rows == FN_ARROW_BATCH_ROWS || writer->n_bytes + row_bytes > FN_ARROW_BATCH_BYTES)
    FN_TRY(write_batch(writer, err));
  for (size_t c = 0; c < writer->n_columns; c++) {
    out_column *column = &writer->columns[c];
    if (column->field.type == FN_ARROW_INT64) {
      fn_buf_append(&column->values, &values[c].number, sizeof values[c].number);
    } else {
      fn_buf_append(&column->values, values[c].text.data, values[c].text.length);
      int32_t end = (int32_t)column->values.length; /* below MAX_COLUMN_BYTES */
      fn_buf_append(&column->offsets, &end, sizeof end);
    }
  }
  writer->n_rows++;
  writer->n_bytes += row_bytes;
  return FN_OK;
}

fn_status fn_arrow_writer_finish(fn_arrow_writer *writer, fn_err *err) {
  FN_TRY(write_batch(writer, err));
  static const uint32_t end_of_stream[2] = {UINT32_MAX, 0};
  FN_TRY(fn_writer_write(&writer->file, end_of_stream, sizeof end_of_stream, err));
  return fn_writer_commit(&writer->file, err);
}

void fn_arrow_writer_destroy(fn_arrow_writer *writer) {
  if (!writer) return;
  fn_writer_abort(&writer->file);
  fn_buf_deinit(&writer->metadata);
  for (size_t c = 0; c < writer->n_columns; c++) {
    fn_buf_deinit(&writer->columns[c].values);
    fn_buf_deinit(&writer->columns[c].offsets);
  }
  free(writer);
}
