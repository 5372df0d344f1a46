/* Arrow IPC streams of flat tables with int64 and utf8 columns (https://arrow.apache.org/docs/format/Columnar.html,
 * "Serialization and Interprocess Communication"): the form in which `datasets` keeps its tables.
 *
 * A stream is a row of messages: 0xFFFFFFFF, int32 length of the metadata, the metadata (a FlatBuffers `Message` of
 * version V5, padded to 8), the body. First the schema, then record batches, then 0xFFFFFFFF 0x00000000. In a record
 * batch each column has a node {length, null count} and its buffers {offset, length} in the body: validity (empty, for
 * there are no nulls), int32 offsets and bytes for utf8, values for int64. What is written here starts every body and
 * every buffer at a multiple of 64 bytes of the file. */
#ifndef FN_DATA_ARROW_H
#define FN_DATA_ARROW_H

#include "base/base.h"

typedef enum fn_arrow_type { FN_ARROW_INT64, FN_ARROW_UTF8 } fn_arrow_type;

typedef struct fn_arrow_field {
  const char *name;
  fn_arrow_type type;
} fn_arrow_field;

/* One value of a row: the member that the column's type asks for. */
typedef struct fn_arrow_value {
  fn_str text;
  int64_t number;
} fn_arrow_value;

enum {
  FN_ARROW_MAX_FIELDS = 256,
  FN_ARROW_BATCH_ROWS = 1000,      /* as `datasets` cuts them */
  FN_ARROW_BATCH_BYTES = 64 << 20, /* a batch is closed before it grows over this (unless one row alone does) */
  FN_ARROW_MAX_TEXT = 64 << 20,    /* bytes of one utf8 value written */
};

/* Writing one stream; used by one thread. */
typedef struct fn_arrow_writer fn_arrow_writer;

/* fields[n_fields] are copied but for the names, which live as long as the writer. metadata_key/value stand in the
 * schema's custom metadata (key NULL: none). The file appears under `path` at finish. */
FN_NODISCARD fn_status fn_arrow_writer_create(fn_arrow_writer **writer_out, const char *path,
                                              const fn_arrow_field *fields, size_t n_fields, const char *metadata_key,
                                              fn_str metadata_value, fn_err *err);
/* values[n_fields]; copied. FN_E_LIMIT: a text over FN_ARROW_MAX_TEXT. UTF-8 is not checked here. */
FN_NODISCARD fn_status fn_arrow_writer_append(fn_arrow_writer *writer, const fn_arrow_value *values, fn_err *err);
/* Ends the stream and publishes the file. Afterwards only destroy may be called. */
FN_NODISCARD fn_status fn_arrow_writer_finish(fn_arrow_writer *writer, fn_err *err);
/* Before finish: removes what was written. */
void fn_arrow_writer_destroy(fn_arrow_writer *writer);

/* Reading; immutable after open, may be shared by threads; values are views into the mapping. */
typedef struct fn_arrow_reader fn_arrow_reader;

/* Binds columns[n_columns] by name, whatever their order in the file; other flat columns are skipped. All offsets and
 * lengths are checked here, so the getters cannot leave the mapping. FN_E_INVALID: damaged, cut off (no end mark), a
 * column is missing or twice there. FN_E_UNSUPPORTED: large_string, dictionary, nested or other types, nulls,
 * compressed bodies, big-endian. FN_E_LIMIT: more than 2^31 - 1 rows. */
FN_NODISCARD fn_status fn_arrow_reader_open(fn_arrow_reader **reader_out, const char *path,
                                            const fn_arrow_field *columns, size_t n_columns, fn_err *err);
/* The same over bytes that the caller keeps alive; name stands in errors. */
FN_NODISCARD fn_status fn_arrow_reader_parse(fn_arrow_reader **reader_out, const void *data, size_t length,
                                             const char *name, const fn_arrow_field *columns, size_t n_columns,
                                             fn_err *err);
void fn_arrow_reader_close(fn_arrow_reader *reader);
size_t fn_arrow_reader_n_rows(const fn_arrow_reader *reader);
size_t fn_arrow_reader_n_batches(const fn_arrow_reader *reader); /* that hold rows */

/* Place of a row: found once (binary search over the batches), then used for every column. row < n_rows. */
typedef struct fn_arrow_place {
  size_t batch, row; /* row within the batch */
} fn_arrow_place;
fn_arrow_place fn_arrow_reader_find(const fn_arrow_reader *reader, size_t row);
/* column counts in the `columns` given to open and has that type. Text is not checked to be UTF-8. */
fn_str fn_arrow_reader_text(const fn_arrow_reader *reader, size_t column, fn_arrow_place place);
int64_t fn_arrow_reader_int64(const fn_arrow_reader *reader, size_t column, fn_arrow_place place);

#endif
