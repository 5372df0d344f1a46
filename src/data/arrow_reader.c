#include "data/arrow.h"
#include "data/flatbuf.h"

#include <assert.h>
#include <stdlib.h>

enum { MAX_METADATA = 16 << 20, MAX_BATCHES = 1 << 24 };
/* Numbers of the Arrow specification (format/Message.fbs, Schema.fbs). */
enum { VERSION_V4 = 3, VERSION_V5 = 4, HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_RECORD_BATCH = 3 };
enum { SLOT_VERSION, SLOT_HEADER_TYPE, SLOT_HEADER, SLOT_BODY_LENGTH };
enum { TYPE_INT = 2, TYPE_UTF8 = 5 };
static const int NOT_BOUND = -1;

/* Names and buffer counts of the types, by their number; 0 buffers are those that are not skipped. */
static const struct {
  const char *name;
  uint8_t n_buffers;
} types[] = {
    {"none", 0},
    {"null", 0},
    {"int", 2},
    {"float", 2},
    {"binary", 3},
    {"string", 3},
    {"bool", 2},
    {"decimal", 2},
    {"date", 2},
    {"time", 2},
    {"timestamp", 2},
    {"interval", 2},
    {"list", 0},
    {"struct", 0},
    {"union", 0},
    {"fixed-size binary", 2},
    {"fixed-size list", 0},
    {"map", 0},
    {"duration", 2},
    {"large_binary", 3},
    {"large_string", 3},
    {"large list", 0},
    {"run-end encoded", 0},
    {"binary view", 0},
    {"string view", 0},
};

/* One column of the file. */
typedef struct in_field {
  uint8_t n_buffers;
  int bound; /* index among the wanted columns, or NOT_BOUND */
} in_field;

/* Where the values of one wanted column of one batch lie. */
typedef struct values {
  const unsigned char *values;  /* int64 [n], or the bytes of the texts */
  const unsigned char *offsets; /* int32 [n+1] for utf8 */
} values;

typedef struct batch {
  size_t first_row, n_rows;
} batch;

struct fn_arrow_reader {
  fn_map map; /* empty when the bytes are the caller's */
  size_t n_rows, n_batches, batch_capacity, slice_capacity;
  batch *batches;
  values *slices; /* [n_batches][n_columns] */
  size_t n_columns;
  fn_arrow_type column_types[];
};

/* What is known while a stream is being checked. */
typedef struct parser {
  fn_arrow_reader *reader;
  const unsigned char *data;
  size_t length;
  const char *name;
  const fn_arrow_field *columns;
  in_field fields[FN_ARROW_MAX_FIELDS];
  size_t n_fields, n_buffers;
  bool has_schema;
} parser;

/* One message: its FlatBuffers metadata and where its body lies in the stream. */
typedef struct message {
  fn_fb fb;
  size_t at; /* of the frame, for errors */
  size_t header, body, body_length, next;
  uint64_t header_type;
} message;

static fn_status damaged(const parser *p, size_t at, const char *what, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID, "%s: damaged Arrow stream: %s (message at byte %zu)", p->name, what, at);
}

/* Frame and Message table at byte `at`; message->next = 0 marks the end of the stream. */
static fn_status read_message(message *m, const parser *p, size_t at, fn_err *err) {
  *m = (message){.at = at};
  if (p->length - at < 8) return damaged(p, at, "cut off before its end mark", err);
  if (fn_load_u32(p->data + at) != UINT32_MAX) {
    if (at == 0 && memcmp(p->data, "ARROW1", 6) == 0)
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: an Arrow file; an Arrow stream is expected", p->name);
    return damaged(p, at, "no message begins here", err);
  }
  size_t size = fn_load_u32(p->data + at + 4), left = p->length - at - 8;
  if (size == 0) return FN_OK;
  if (size > MAX_METADATA) return damaged(p, at, "metadata of more than 16 MiB", err);
  if (size > left) return damaged(p, at, "cut off inside its metadata", err);
  m->fb = (fn_fb){p->data + at + 8, size};
  size_t table;
  uint64_t version, body_length;
  if (!fn_fb_get_root(&table, &m->fb) || !fn_fb_get_scalar(&version, &m->fb, table, SLOT_VERSION, 2, 0) ||
      !fn_fb_get_scalar(&m->header_type, &m->fb, table, SLOT_HEADER_TYPE, 1, 0) ||
      !fn_fb_get_table(&m->header, &m->fb, table, SLOT_HEADER) ||
      !fn_fb_get_scalar(&body_length, &m->fb, table, SLOT_BODY_LENGTH, 8, 0) || !m->header)
    return damaged(p, at, "metadata that are not a message", err);
  if (version != VERSION_V4 && version != VERSION_V5)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: Arrow metadata version %llu; V4 and V5 are read", p->name,
                      (unsigned long long)version + 1);
  if (body_length > left - size) return damaged(p, at, "cut off inside its body", err);
  m->body = at + 8 + size;
  m->body_length = (size_t)body_length;
  m->next = m->body + m->body_length;
  return FN_OK;
}

/* Column `name` has the wanted type. */
static fn_status check_type(const parser *p, const message *m, size_t table, uint64_t type, size_t type_table,
                            const fn_arrow_field *wanted, fn_err *err) {
  uint64_t width = 0, is_signed = 0;
  size_t dictionary;
  if (!fn_fb_get_table(&dictionary, &m->fb, table, 4) ||
      (type == TYPE_INT && (!fn_fb_get_scalar(&width, &m->fb, type_table, 0, 4, 0) ||
                            !fn_fb_get_scalar(&is_signed, &m->fb, type_table, 1, 1, 0))))
    return damaged(p, m->at, "a field that is none", err);
  const char *accepted = wanted->type == FN_ARROW_INT64 ? "int64" : "string";
  if (dictionary)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: column %s is dictionary-encoded; %s is accepted", p->name,
                      wanted->name, accepted);
  if (wanted->type == FN_ARROW_INT64 && type == TYPE_INT && width == 64 && is_signed) return FN_OK;
  if (wanted->type == FN_ARROW_UTF8 && type == TYPE_UTF8) return FN_OK;
  if (type == TYPE_INT)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: column %s is %sint%u; %s is accepted", p->name, wanted->name,
                      is_signed ? "" : "u", (unsigned)width, accepted);
  return fn_err_set(err, FN_E_UNSUPPORTED, "%s: column %s is %s; %s is accepted", p->name, wanted->name,
                    types[type].name, accepted);
}

static fn_status read_field(parser *p, const message *m, size_t table, fn_err *err) {
  fn_str name;
  uint64_t type;
  size_t type_table, dictionary;
  fn_fb_vector children;
  if (!fn_fb_get_string(&name, &m->fb, table, 0) || !fn_fb_get_scalar(&type, &m->fb, table, 2, 1, 0) ||
      !fn_fb_get_table(&type_table, &m->fb, table, 3) || !fn_fb_get_table(&dictionary, &m->fb, table, 4) ||
      !fn_fb_get_vector(&children, &m->fb, table, 5, 4) || !type_table)
    return damaged(p, m->at, "a field that is none", err);
  in_field *field = &p->fields[p->n_fields];
  *field = (in_field){0, NOT_BOUND};
  for (size_t c = 0; c < p->reader->n_columns && field->bound == NOT_BOUND; c++)
    if (fn_str_is(name, p->columns[c].name)) field->bound = (int)c;
  int shown = (int)(name.length < 64 ? name.length : 64);
  bool known = type < FN_COUNT_OF(types) && (types[type].n_buffers > 0 || type == 1);
  if (!known || children.n > 0 || (dictionary && field->bound == NOT_BOUND))
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: column %.*s is %s; only flat columns are read, drop it", p->name,
                      shown, name.data,
                      dictionary                  ? "dictionary-encoded"
                      : type < FN_COUNT_OF(types) ? types[type].name
                                                  : "of an unknown type");
  field->n_buffers = types[type].n_buffers;
  if (field->bound != NOT_BOUND) {
    FN_TRY(check_type(p, m, table, type, type_table, &p->columns[field->bound], err));
    for (size_t f = 0; f < p->n_fields; f++)
      if (p->fields[f].bound == field->bound)
        return fn_err_set(err, FN_E_INVALID, "%s: two columns are called %s", p->name, p->columns[field->bound].name);
  }
  p->n_buffers += field->n_buffers;
  p->n_fields++;
  return FN_OK;
}

static fn_status read_schema(parser *p, const message *m, fn_err *err) {
  uint64_t endianness;
  fn_fb_vector fields;
  if (p->has_schema) return damaged(p, m->at, "a second schema", err);
  if (!fn_fb_get_scalar(&endianness, &m->fb, m->header, 0, 2, 0) || !fn_fb_get_vector(&fields, &m->fb, m->header, 1, 4))
    return damaged(p, m->at, "a schema that is none", err);
  if (endianness != 0) return fn_err_set(err, FN_E_UNSUPPORTED, "%s: big-endian Arrow; little-endian is read", p->name);
  if (fields.n > FN_ARROW_MAX_FIELDS)
    return fn_err_set(err, FN_E_LIMIT, "%s: %zu columns; at most %d are read", p->name, fields.n, FN_ARROW_MAX_FIELDS);
  for (size_t f = 0; f < fields.n; f++) {
    size_t table;
    if (!fn_fb_get_element(&table, &m->fb, &fields, f)) return damaged(p, m->at, "a field that is none", err);
    FN_TRY(read_field(p, m, table, err));
  }
  for (size_t c = 0; c < p->reader->n_columns; c++) {
    bool found = false;
    for (size_t f = 0; f < p->n_fields; f++) found = found || p->fields[f].bound == (int)c;
    if (!found) return fn_err_set(err, FN_E_INVALID, "%s: there is no column %s", p->name, p->columns[c].name);
  }
  p->has_schema = true;
  return FN_OK;
}

/* Buffer i of the batch, inside the body. */
static bool find_buffer(fn_fb *buffer_out, const parser *p, const message *m, const fn_fb_vector *buffers, size_t i) {
  const unsigned char *entry = m->fb.data + buffers->begin + 16 * i;
  uint64_t offset = fn_load_u64(entry), length = fn_load_u64(entry + 8);
  if (offset > m->body_length || length > m->body_length - offset) return false;
  *buffer_out = (fn_fb){p->data + m->body + offset, (size_t)length};
  return true;
}

/* The values of one wanted column: long enough, and offsets that never go back or past the bytes. */
static bool check_slice(values *slice_out, const parser *p, const message *m, const fn_fb_vector *buffers,
                        size_t first_buffer, fn_arrow_type type, size_t n_rows) {
  fn_fb first, bytes;
  if (!find_buffer(&first, p, m, buffers, first_buffer + 1)) return false;
  if (type == FN_ARROW_INT64) {
    *slice_out = (values){first.data, NULL};
    return first.length / 8 >= n_rows;
  }
  if (!find_buffer(&bytes, p, m, buffers, first_buffer + 2)) return false;
  if (first.length / 4 <= n_rows || bytes.length > INT32_MAX) return false;
  uint32_t before = 0;
  for (size_t i = 0; i <= n_rows; i++) {
    uint32_t offset = fn_load_u32(first.data + 4 * i);
    if (offset < before || offset > bytes.length) return false;
    before = offset;
  }
  *slice_out = (values){bytes.data, first.data};
  return true;
}

static fn_status add_batch(parser *p, size_t n_rows, fn_err *err) {
  fn_arrow_reader *reader = p->reader;
  size_t n = reader->n_batches + 1;
  FN_TRY(fn_mem_grow((void **)&reader->batches, &reader->batch_capacity, n, sizeof *reader->batches, MAX_BATCHES,
                     "record batches", err));
  FN_TRY(fn_mem_grow((void **)&reader->slices, &reader->slice_capacity, n * reader->n_columns, sizeof *reader->slices,
                     (size_t)MAX_BATCHES * FN_ARROW_MAX_FIELDS, "record batches", err));
  reader->batches[n - 1] = (batch){reader->n_rows, n_rows};
  return FN_OK;
}

static fn_status read_batch(parser *p, const message *m, fn_err *err) {
  uint64_t n_rows;
  size_t compression;
  fn_fb_vector nodes, buffers;
  if (!p->has_schema) return damaged(p, m->at, "a record batch before the schema", err);
  if (!fn_fb_get_scalar(&n_rows, &m->fb, m->header, 0, 8, 0) || !fn_fb_get_vector(&nodes, &m->fb, m->header, 1, 16) ||
      !fn_fb_get_vector(&buffers, &m->fb, m->header, 2, 16) || !fn_fb_get_table(&compression, &m->fb, m->header, 3))
    return damaged(p, m->at, "a record batch that is none", err);
  if (compression) return fn_err_set(err, FN_E_UNSUPPORTED, "%s: compressed record batches are not read", p->name);
  if (nodes.n != p->n_fields || buffers.n != p->n_buffers)
    return damaged(p, m->at, "a record batch that does not match the schema", err);
  if (n_rows > INT32_MAX || n_rows > INT32_MAX - p->reader->n_rows)
    return fn_err_set(err, FN_E_LIMIT, "%s: more than %d rows", p->name, INT32_MAX);
  if (n_rows == 0) return FN_OK;
  FN_TRY(add_batch(p, (size_t)n_rows, err));
  size_t n_columns = p->reader->n_columns, first_buffer = 0;
  values *slices = p->reader->slices + p->reader->n_batches * n_columns;
  for (size_t f = 0; f < p->n_fields; first_buffer += p->fields[f].n_buffers, f++) {
    int c = p->fields[f].bound;
    if (c == NOT_BOUND) continue;
    const unsigned char *node = m->fb.data + nodes.begin + 16 * f;
    if (fn_load_u64(node) != n_rows) return damaged(p, m->at, "columns of unequal length", err);
    if (fn_load_u64(node + 8) != 0)
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: column %s holds nulls; every row must have a value", p->name,
                        p->columns[c].name);
    if (!check_slice(&slices[c], p, m, &buffers, first_buffer, p->columns[c].type, (size_t)n_rows))
      return damaged(p, m->at, "a column whose values lie outside of it", err);
  }
  p->reader->n_rows += (size_t)n_rows;
  p->reader->n_batches++;
  return FN_OK;
}

static fn_status read_stream(parser *p, fn_err *err) {
  message m = {.next = 0};
  do {
    FN_TRY(read_message(&m, p, m.next, err));
    if (!m.next) break;
    if (m.header_type == HEADER_SCHEMA)
      FN_TRY(read_schema(p, &m, err));
    else if (m.header_type == HEADER_RECORD_BATCH)
      FN_TRY(read_batch(p, &m, err));
    else if (m.header_type == HEADER_DICTIONARY)
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: dictionary-encoded columns are not read", p->name);
    else
      return damaged(p, m.at, "a message of an unknown kind", err);
  } while (m.next);
  return p->has_schema ? FN_OK : damaged(p, 0, "no schema", err);
}

fn_status fn_arrow_reader_parse(fn_arrow_reader **reader_out, const void *data, size_t length, const char *name,
                                const fn_arrow_field *columns, size_t n_columns, fn_err *err) {
  assert(n_columns > 0 && n_columns <= FN_ARROW_MAX_FIELDS);
  fn_arrow_reader *reader = fn_mem_calloc(1, sizeof *reader + n_columns * sizeof reader->column_types[0]);
  parser *p = fn_mem_calloc(1, sizeof *p);
  fn_status status = FN_OK;
  if (!reader || !p) {
    status = fn_err_no_memory(err, "an Arrow reader");
  } else {
    reader->n_columns = n_columns;
    for (size_t c = 0; c < n_columns; c++) reader->column_types[c] = columns[c].type;
    p->reader = reader, p->data = data, p->length = length, p->name = name, p->columns = columns;
    status = read_stream(p, err);
  }
  free(p);
  if (status != FN_OK) {
    fn_arrow_reader_close(reader);
    return status;
  }
  *reader_out = reader;
  return FN_OK;
}

fn_status fn_arrow_reader_open(fn_arrow_reader **reader_out, const char *path, const fn_arrow_field *columns,
                               size_t n_columns, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, path, err));
  fn_arrow_reader *reader;
  fn_status status = fn_arrow_reader_parse(&reader, map.data, map.length, path, columns, n_columns, err);
  if (status != FN_OK) {
    fn_map_close(&map);
    return status;
  }
  reader->map = map;
  *reader_out = reader;
  return FN_OK;
}

void fn_arrow_reader_close(fn_arrow_reader *reader) {
  if (!reader) return;
  if (reader->map.data) fn_map_close(&reader->map);
  free(reader->batches);
  free(reader->slices);
  free(reader);
}

size_t fn_arrow_reader_n_rows(const fn_arrow_reader *reader) {
  return reader->n_rows;
}
size_t fn_arrow_reader_n_batches(const fn_arrow_reader *reader) {
  return reader->n_batches;
}

fn_arrow_place fn_arrow_reader_find(const fn_arrow_reader *reader, size_t row) {
  assert(row < reader->n_rows);
  size_t low = 0, high = reader->n_batches; /* the batch is in [low, high) */
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (reader->batches[middle].first_row <= row)
      low = middle;
    else
      high = middle;
  }
  return (fn_arrow_place){low, row - reader->batches[low].first_row};
}

fn_str fn_arrow_reader_text(const fn_arrow_reader *reader, size_t column, fn_arrow_place place) {
  assert(column < reader->n_columns && reader->column_types[column] == FN_ARROW_UTF8);
  const values *slice = &reader->slices[place.batch * reader->n_columns + column];
  uint32_t begin = fn_load_u32(slice->offsets + 4 * place.row), end = fn_load_u32(slice->offsets + 4 * place.row + 4);
  return fn_str_make((const char *)slice->values + begin, end - begin);
}

int64_t fn_arrow_reader_int64(const fn_arrow_reader *reader, size_t column, fn_arrow_place place) {
  assert(column < reader->n_columns && reader->column_types[column] == FN_ARROW_INT64);
  const values *slice = &reader->slices[place.batch * reader->n_columns + column];
  return (int64_t)fn_load_u64(slice->values + 8 * place.row);
}
