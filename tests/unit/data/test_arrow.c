#include "rows.h"

#include "data/arrow.h"

static const fn_arrow_field fields[] = {
    {"title", FN_ARROW_UTF8}, {"n", FN_ARROW_INT64}, {"empty", FN_ARROW_UTF8}, {"m", FN_ARROW_INT64}};

/* Value of column c in row i. */
static fn_arrow_value make_value(char text[64], size_t c, size_t i) {
  if (c == 0) snprintf(text, 64, "%.*s-%zu", (int)(i % 40), "0123456789012345678901234567890123456789", i);
  if (c == 2) text[0] = 0;
  return (fn_arrow_value){fn_str_from(c == 1 || c == 3 ? "" : text),
                          c == 1 ? (int64_t)i - 100 : INT64_MIN + (int64_t)i};
}

static void write_stream(const char *path, size_t n_rows) {
  fn_err err = {0};
  fn_arrow_writer *writer;
  assert_ok(fn_arrow_writer_create(&writer, path, fields, 4, "key", fn_str_from("value"), &err));
  for (size_t i = 0; i < n_rows; i++) {
    char texts[4][64];
    fn_arrow_value values[4];
    for (size_t c = 0; c < 4; c++) values[c] = make_value(texts[c], c, i);
    assert_ok(fn_arrow_writer_append(writer, values, &err));
  }
  assert_ok(fn_arrow_writer_finish(writer, &err));
  fn_arrow_writer_destroy(writer);
}

static void assert_row(const fn_arrow_reader *reader, size_t i) {
  char text[64];
  fn_arrow_place place = fn_arrow_reader_find(reader, i);
  assert_same_text(fn_arrow_reader_text(reader, 0, place), make_value(text, 0, i).text);
  assert_int_equal(fn_arrow_reader_int64(reader, 1, place), make_value(text, 1, i).number);
  assert_int_equal(fn_arrow_reader_text(reader, 2, place).length, 0);
  assert_true(fn_arrow_reader_int64(reader, 3, place) == make_value(text, 3, i).number);
}

static void test_round_trip(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  in_folder(path, make_folder(dir), "a.arrow");
  const size_t counts[] = {0, 1, 999, 1000, 1001, 3500};
  for (size_t k = 0; k < FN_COUNT_OF(counts); k++) {
    fn_arrow_reader *reader;
    write_stream(path, counts[k]);
    assert_ok(fn_arrow_reader_open(&reader, path, fields, 4, &err));
    assert_int_equal(fn_arrow_reader_n_rows(reader), counts[k]);
    assert_int_equal(fn_arrow_reader_n_batches(reader), (counts[k] + 999) / 1000);
    fn_rng rng = fn_rng_make(1, k);
    for (size_t i = 0; i < counts[k]; i++) assert_row(reader, i);
    for (size_t i = 0; i < counts[k]; i++) assert_row(reader, (size_t)fn_rng_below(&rng, counts[k]));
    fn_arrow_reader_close(reader);
  }
  remove_folder(dir);
}

/* Texts that fill a batch: it is cut by bytes, so that int32 offsets never overflow. */
static void test_batch_bytes(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  in_folder(path, make_folder(dir), "a.arrow");
  const fn_arrow_field column = {"text", FN_ARROW_UTF8};
  fn_arrow_writer *writer;
  fn_arrow_reader *reader;
  size_t size = (size_t)25 << 20;
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, 'x', size);
  assert_ok(fn_arrow_writer_create(&writer, path, &column, 1, NULL, fn_str_make(NULL, 0), &err));
  for (int i = 0; i < 3; i++)
    assert_ok(fn_arrow_writer_append(writer, &(fn_arrow_value){fn_str_make(text, size), 0}, &err));
  fn_arrow_value huge = {fn_str_make(text, (size_t)FN_ARROW_MAX_TEXT + 1), 0};
  assert_status(fn_arrow_writer_append(writer, &huge, &err), FN_E_LIMIT);
  assert_contains(err.message, "column text");
  assert_ok(fn_arrow_writer_finish(writer, &err));
  fn_arrow_writer_destroy(writer);
  assert_ok(fn_arrow_reader_open(&reader, path, &column, 1, &err));
  assert_int_equal(fn_arrow_reader_n_rows(reader), 3);
  assert_int_equal(fn_arrow_reader_n_batches(reader), 2);
  for (size_t i = 0; i < 3; i++)
    assert_true(
        fn_str_equal(fn_arrow_reader_text(reader, 0, fn_arrow_reader_find(reader, i)), fn_str_make(text, size)));
  fn_arrow_reader_close(reader);
  free(text);
  remove_folder(dir);
}

static void test_columns(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256], text[64];
  in_folder(path, make_folder(dir), "a.arrow");
  write_stream(path, 20);
  const fn_arrow_field some[] = {{"m", FN_ARROW_INT64}, {"title", FN_ARROW_UTF8}}; /* another order, fewer */
  fn_arrow_reader *reader = NULL;
  assert_ok(fn_arrow_reader_open(&reader, path, some, 2, &err));
  fn_arrow_place place = fn_arrow_reader_find(reader, 7);
  assert_true(fn_arrow_reader_int64(reader, 0, place) == INT64_MIN + 7);
  assert_same_text(fn_arrow_reader_text(reader, 1, place), make_value(text, 0, 7).text);
  fn_arrow_reader_close(reader);
  reader = NULL;
  const fn_arrow_field missing[] = {{"m", FN_ARROW_INT64}, {"nothing", FN_ARROW_UTF8}};
  assert_status(fn_arrow_reader_open(&reader, path, missing, 2, &err), FN_E_INVALID);
  assert_contains(err.message, "a.arrow: there is no column nothing");
  const fn_arrow_field wrong[] = {{"m", FN_ARROW_UTF8}};
  assert_status(fn_arrow_reader_open(&reader, path, wrong, 1, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "column m is int64; string is accepted");
  const fn_arrow_field wrong_too[] = {{"title", FN_ARROW_INT64}};
  assert_status(fn_arrow_reader_open(&reader, path, wrong_too, 1, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "column title is string; int64 is accepted");
  assert_status(fn_arrow_reader_open(&reader, "/nonexistent/a", some, 2, &err), FN_E_NOT_FOUND);
  assert_null(reader);
  remove_folder(dir);
}

/* Reads every value, so that a sanitizer sees a view that leaves the bytes. */
static uint64_t touch(const fn_arrow_reader *reader) {
  uint64_t sum = 0;
  for (size_t i = 0; i < fn_arrow_reader_n_rows(reader) && i < 5000; i++) {
    fn_arrow_place place = fn_arrow_reader_find(reader, i);
    for (size_t c = 0; c < 4; c++) {
      if (c % 2) {
        sum += (uint64_t)fn_arrow_reader_int64(reader, c, place);
        continue;
      }
      fn_str text = fn_arrow_reader_text(reader, c, place);
      for (size_t k = 0; k < text.length; k++) sum += (unsigned char)text.data[k];
    }
  }
  return sum;
}

static void load_stream(fn_buf *bytes, size_t n_rows) {
  fn_err err = {0};
  char dir[64], path[256];
  in_folder(path, make_folder(dir), "a.arrow");
  write_stream(path, n_rows);
  fn_buf_init(bytes, 0);
  assert_ok(fn_file_read(bytes, path, 1 << 20, &err));
  remove_folder(dir);
}

/* A stream that was cut off anywhere is refused: rows never vanish silently. */
static void test_cut_off(void **state) {
  (void)state;
  fn_err err = {0};
  FN_AUTO_BUF fn_buf bytes;
  load_stream(&bytes, 3);
  for (size_t length = 0; length < bytes.length; length++) {
    fn_arrow_reader *reader = NULL;
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes.data, length);
    assert_status(fn_arrow_reader_parse(&reader, copy, length, "cut", fields, 4, &err), FN_E_INVALID);
    assert_contains(err.message, "cut: damaged Arrow stream: ");
    assert_null(reader);
    free(copy);
  }
}

/* Any byte changed in any of several ways: a verdict, and no read outside. */
static void test_damage(void **state) {
  (void)state;
  fn_err err = {0};
  FN_AUTO_BUF fn_buf bytes;
  load_stream(&bytes, 3);
  static const unsigned char masks[] = {0x01, 0x80, 0xff, 0x7f};
  size_t refused = 0, read = 0;
  uint64_t sum = 0;
  char *copy = malloc(bytes.length + 1); /* at an odd address: nothing may rely on alignment */
  assert_non_null(copy);
  for (size_t at = 0; at < bytes.length; at++)
    for (size_t k = 0; k < sizeof masks; k++) {
      fn_arrow_reader *reader = NULL;
      memcpy(copy + 1, bytes.data, bytes.length);
      copy[1 + at] = (char)(copy[1 + at] ^ masks[k]);
      if (fn_arrow_reader_parse(&reader, copy + 1, bytes.length, "damaged", fields, 4, &err) == FN_OK) {
        sum += touch(reader);
        read++;
      } else {
        assert_null(reader);
        refused++;
      }
      fn_arrow_reader_close(reader);
    }
  free(copy);
  assert_true(refused > 100 && read > 100 && sum != 0); /* both happen: padding and values may change */
}

/* Streams of PyArrow's (tests/fuzz/make_arrow_corpus.py), also those of forms that are not read. */
static void test_corpus(void **state) {
  (void)state;
  static const struct {
    const char *name;
    fn_status status;
    const char *message;
  } files[] = {
      {"pyarrow.arrow", FN_OK, ""},
      {"extra-columns.arrow", FN_OK, ""},
      {"empty-batches.arrow", FN_OK, ""},
      {"no-rows.arrow", FN_OK, ""},
      {"sliced.arrow", FN_OK, ""},
      {"large-string.arrow", FN_E_UNSUPPORTED, "column title is large_string; string is accepted"},
      {"string-view.arrow", FN_E_UNSUPPORTED, "column title is string view"},
      {"dictionary.arrow", FN_E_UNSUPPORTED, "column title is dictionary-encoded; string is accepted"},
      {"int32.arrow", FN_E_UNSUPPORTED, "column n is int32; int64 is accepted"},
      {"uint64.arrow", FN_E_UNSUPPORTED, "column n is uint64; int64 is accepted"},
      {"float.arrow", FN_E_UNSUPPORTED, "column n is float; int64 is accepted"},
      {"list.arrow", FN_E_UNSUPPORTED, "column more is list; only flat columns are read"},
      {"nulls.arrow", FN_E_UNSUPPORTED, "column title holds nulls"},
      {"zstd.arrow", FN_E_UNSUPPORTED, "compressed record batches are not read"},
      {"file-format.arrow", FN_E_UNSUPPORTED, "an Arrow file; an Arrow stream is expected"},
      {"twice.arrow", FN_E_INVALID, "two columns are called title"},
      {"missing.arrow", FN_E_INVALID, "there is no column n"},
  };
  static const fn_arrow_field two[] = {{"title", FN_ARROW_UTF8}, {"n", FN_ARROW_INT64}};
  for (size_t i = 0; i < FN_COUNT_OF(files); i++) {
    fn_err err = {0};
    char path[256];
    fn_arrow_reader *reader = NULL;
    in_folder(path, FN_TEST_DIR "/fuzz/corpus/arrow", files[i].name);
    fn_status status = fn_arrow_reader_open(&reader, path, two, 2, &err);
    if (status != files[i].status || !strstr(err.message, files[i].message))
      fail_msg("%s: %s: %s", files[i].name, fn_status_name(status), err.message);
    size_t n = reader ? fn_arrow_reader_n_rows(reader) : 0;
    for (size_t r = 0; r < n; r++) {
      fn_arrow_place place = fn_arrow_reader_find(reader, r);
      char text[32];
      snprintf(text, sizeof text, "title %zu ü", r);
      assert_same_text(fn_arrow_reader_text(reader, 0, place), fn_str_from(text));
      assert_int_equal(fn_arrow_reader_int64(reader, 1, place), (int64_t)r * 1000003 - 5);
    }
    if (reader) assert_int_equal(n, strcmp(files[i].name, "no-rows.arrow") == 0 ? 0 : 5);
    fn_arrow_reader_close(reader);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_batch_bytes), cmocka_unit_test(test_columns),
      cmocka_unit_test(test_cut_off),    cmocka_unit_test(test_damage),      cmocka_unit_test(test_corpus),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
