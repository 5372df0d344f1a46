/* A whole input file, its format recognised from its bytes: any bytes end with a verdict, columns and rows fit each
 * other, and texts are valid UTF-8.
 */
#include "data/input.h"
#include "fuzz.h"

enum { DEFLATE_MAX_RATIO = 1032 }; /* a gzip input can hold so many empty lines a byte */

typedef struct feed {
  const uint8_t *data;
  size_t size;
} feed;

static fn_status next(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  (void)err;
  feed *f = arg;
  const size_t n = f->size < capacity ? f->size : capacity;
  if (n > 0) memcpy(buffer, f->data, n);
  f->data += n;
  f->size -= n;
  *n_out = n;
  return FN_OK;
}

static void check_row(const fn_input *input, const fn_input_row *row) {
  size_t n_columns, at;
  const fn_str *columns = fn_input_columns(input, &n_columns);
  FUZZ_CHECK((row->status == FN_OK) == (row->message[0] == '\0'));
  if (row->status != FN_OK) return;
  FUZZ_CHECK(row->n_fields == n_columns);
  for (size_t i = 0; i < row->n_fields; i++) FUZZ_CHECK(fn_utf8_valid(row->fields[i], NULL));
  if (n_columns == 0) return;
  FN_AUTO_FREE char *name = fn_str_dup(columns[0]);
  FUZZ_CHECK(name);
  if (fn_input_find(&at, input, name)) FUZZ_CHECK(at < n_columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"input", "input.csv", "input.jsonl", "input.txt"};
  if (size < 1 || size > 1 << 14) return 0;
  feed f = {data + 1, size - 1};
  fn_input *input = NULL;
  fn_err err = {0};
  fn_status status = fn_input_open_stream(&input, next, &f, names[data[0] % 4], NULL, &err);
  FUZZ_CHECK(status == FN_OK ? input != NULL : !input && err.message[0]);
  if (!input) return 0;
  FUZZ_CHECK(fn_input_get_format(input) != FN_INPUT_AUTO);
  bool more = true;
  for (size_t n = 0; status == FN_OK && more; n++) {
    fn_input_row row;
    status = fn_input_next(&row, &more, input, &err);
    if (status == FN_OK && more) check_row(input, &row);
    FUZZ_CHECK(n <= size * DEFLATE_MAX_RATIO);
  }
  FUZZ_CHECK(status == FN_OK || err.message[0]);
  fn_input_close(input);
  return 0;
}
