/* What the readers of src/data make of a file, as JSON lines, for judges in Python:
 *   input_probe FILE PIECE [ENCODING]   reads FILE in pieces of PIECE bytes; ENCODING as data.encoding, by its number;
 *   fields of CSV are separated by commas
 * Per row {"line": n, "fields": [[column, value or null, no string?], …]} or {"error": message}; at the end
 * {"encoding": what it was read as}, or {"fatal": message} when the reading ended with an error. */
#include "data/data.h"
#include "data/input.h"

#include <stdlib.h>

typedef struct pieces {
  FILE *file;
  size_t size;
} pieces;

static fn_status read_piece(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  const pieces *p = arg;
  (void)err;
  *n_out = fread(buffer, 1, p->size < capacity ? p->size : capacity, p->file);
  return FN_OK;
}

static void write_row(fn_buf *out, const fn_input *input, const fn_input_row *row) {
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  if (row->status != FN_OK) {
    fn_json_text(&w, "error", row->message);
  } else {
    size_t n;
    const fn_str *columns = fn_input_columns(input, &n);
    fn_json_int(&w, "line", (int64_t)row->line);
    fn_json_array(&w, "fields");
    for (size_t i = 0; i < row->n_fields; i++) {
      fn_json_array(&w, NULL);
      fn_json_str(&w, NULL, columns[i]);
      if (row->kinds[i] == FN_VALUE_MISSING)
        fn_json_null(&w, NULL);
      else
        fn_json_str(&w, NULL, row->fields[i]);
      fn_json_bool(&w, NULL, row->kinds[i] == FN_VALUE_OTHER);
      fn_json_end(&w);
    }
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

static fn_status read_rows(fn_buf *out, fn_input *input, fn_err *err) {
  for (;;) {
    fn_input_row row;
    bool more;
    FN_TRY(fn_input_next(&row, &more, input, err));
    if (!more) return FN_OK;
    write_row(out, input, &row);
    FN_TRY(fn_buf_check(out, "output", err));
  }
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) return 2;
  int64_t size = 0, encoding = 0;
  pieces p = {fopen(argv[1], "rb"), 0};
  if (!p.file || !fn_str_to_int64(&size, fn_str_from(argv[2])) || size < 1) return 2;
  p.size = (size_t)size;
  if (argc == 4 && !fn_str_to_int64(&encoding, fn_str_from(argv[3]))) return 2;
  const fn_input_options options = {.encoding = (fn_encoding)encoding, .delimiter = ','};
  fn_err err = {0};
  fn_input *input;
  fn_buf out = {0};
  fn_status status = fn_input_open_stream(&input, read_piece, &p, argv[1], &options, &err);
  if (status == FN_OK) {
    status = read_rows(&out, input, &err);
    encoding = fn_input_get_encoding(input);
    fn_input_close(input);
  }
  fn_json_writer w;
  fn_json_begin(&w, &out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, status == FN_OK ? "encoding" : "fatal",
               status == FN_OK ? fn_encoding_name((fn_encoding)encoding) : err.message);
  fn_json_end(&w);
  fn_buf_append_char(&out, '\n');
  fclose(p.file);
  if (out.length) fwrite(out.data, 1, out.length, stdout);
  fn_buf_deinit(&out);
  return 0;
}
