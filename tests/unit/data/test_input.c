#include "data/input.h"
#include "data/jsonl.h"
#include "pieces.h"
#include "rows.h"

#include <zlib.h>

/* name=value for every field, ? for a missing one, * for a JSON value that is no string; one row a line. */
static fn_status dump(fn_buf *out, const char *name, fn_input_format format, const char *data, size_t length,
                      size_t piece, fn_err *err) {
  memory m = {data, length, 0, piece};
  fn_input *input;
  FN_TRY(fn_input_open_stream(&input, read_memory, &m, name, &(fn_input_options){.format = format}, err));
  fn_status status;
  for (;;) {
    fn_input_row row;
    bool more;
    status = fn_input_next(&row, &more, input, err);
    if (status != FN_OK || !more) break;
    if (row.status != FN_OK) fn_buf_printf(out, "!%s", row.message);
    size_t n;
    const fn_str *columns = fn_input_columns(input, &n);
    if (row.status == FN_OK && n != row.n_fields) fail_msg("%zu columns, %zu fields", n, row.n_fields);
    for (size_t i = 0; i < row.n_fields; i++) {
      const char *mark = row.kinds[i] == FN_VALUE_MISSING ? "?" : row.kinds[i] == FN_VALUE_OTHER ? "*" : "";
      fn_buf_printf(out, "%s%.*s=%s%.*s", i ? " " : "", (int)columns[i].length, columns[i].data, mark,
                    (int)row.fields[i].length, row.fields[i].data);
    }
    fn_buf_append_char(out, '\n');
  }
  fn_input_close(input);
  return status;
}

static void check_bytes(const char *name, fn_input_format format, const char *data, size_t length,
                        const char *expected) {
  static const size_t pieces[] = {1, 2, 3, 7, 4096};
  for (size_t p = 0; p < FN_COUNT_OF(pieces); p++) {
    fn_err err = {0};
    fn_buf FN_AUTO_BUF out = {0};
    fn_status status = dump(&out, name, format, data, length, pieces[p], &err);
    if (status != FN_OK) fn_buf_printf(&out, "E %s", err.message);
    const char *got = out.data ? out.data : "";
    if (strncmp(got, expected, strlen(expected)) != 0) fail_msg("got\n%s\nexpected\n%s", got, expected);
  }
}

static void check(const char *name, const char *data, const char *expected) {
  check_bytes(name, FN_INPUT_AUTO, data, strlen(data), expected);
}

static void csv_with_header(void **state) {
  (void)state;
  check("x.csv", "a,b\n1,2\n3,4\n", "a=1 b=2\na=3 b=4\n");
  check("x.csv",
        "\xEF\xBB\xBF"
        "a,b\n1,2\n",
        "a=1 b=2\n");
  check("x.csv", "a , b\n1,2\n", "a=1 b=2\n");
  check("x.csv", "\n\na\n1\n", "a=1\n");
  check("standard input", "a,b\n1,2\n", "a=1 b=2\n");
  check("x.csv", "a,b\n1\n3,4\n", "!x.csv:2: 1 field, expected 2");
}

static void json_lines(void **state) {
  (void)state;
  check("x.jsonl", "{\"a\": \"x\", \"b\": 1}\n", "a=x b=*1\n");
  check("x.jsonl", "{\"a\":\"x\"}\n\n  \n{\"b\":\"y\"}\r\n{\"a\":null,\"b\":true}", "a=x\na=? b=y\na=? b=*true\n");
  check("standard input", " {\"a\":\"x\"}", "a=x\n");
  check("x.jsonl", "{\"a\":0.1,\"b\":1.0,\"c\":-12345678901234,\"d\":[1,{\"e\":2}],\"f\":1e300}",
        "a=*0.1 b=*1.0 c=*-12345678901234 d=*[1,{\"e\":2}] f=*1e+300\n");
  check("x.jsonl", "{\"a\":\"\\u00e4\\n\\ud83d\\ude42\"}", "a=\xC3\xA4\n\xF0\x9F\x99\x82\n");
}

static void json_lines_refused(void **state) {
  (void)state;
  check("x.jsonl", "{\"a\":1}\n{\"a\":}\n{\"a\":2}\n", "a=*1\n!x.jsonl:2: not JSON at byte 6: ");
  check("x.jsonl", "[1]\n", "!x.jsonl:1: a JSON array; one object a line is accepted (jq -c '.[]' makes that");
  check("x.jsonl", "{\"a\":1,\"a\":2}\n{\"a\":3}", "!x.jsonl:1: not JSON at byte 8: duplicate object key");
  check("x.jsonl", "{\"a\":\"\xFF\xC3\xA9\"}\n", "!x.jsonl:1: byte 7 (0xff) is not valid UTF-8;");
  check("x.jsonl", "{\"a\":\"\\ud800\"}\n{\"a\":3}", "!x.jsonl:1: not JSON at byte");
  check("x.jsonl", "{\"a\":\"\\u0000\"}\n", "!x.jsonl:1: not JSON at byte");
  check("x.jsonl", "{\"a\":1} x\n", "!x.jsonl:1: not JSON at byte");
}

static void json_limits(void **state) {
  (void)state;
  fn_err err = {0};
  fn_jsonl *jsonl;
  fn_record_limits limits = {5, 24, 2};
  static const char data[] =
      "{\"a\":\"12345678901234567890\"}\n{\"a\":\"123456\"}\n{\"a\":1,\"b\":2,\"c\":3}\n{\"b\":5}\n";
  const char *expected[] = {"the line is longer than 24 bytes", "field 1 is longer than 5 bytes",
                            "more than 2 different keys in the file", ""};
  assert_ok(fn_jsonl_create(&jsonl, &limits, &err));
  size_t at = 0, n = 0;
  while (at < sizeof data - 1) {
    fn_record record;
    fn_record_event event;
    size_t used, piece = sizeof data - 1 - at < 5 ? sizeof data - 1 - at : 5;
    assert_ok(fn_jsonl_feed(&event, &record, &used, jsonl, data + at, piece, &err));
    at += used;
    if (event == FN_RECORD_READY) assert_string_equal(record.message, expected[n++]);
  }
  assert_int_equal(n, 4);
  fn_jsonl_destroy(jsonl);
}

static void whole_texts(void **state) {
  (void)state;
  check("x.txt", "One article,\n\"with\" lines.\n", "text=One article,\n\"with\" lines.\n\n");
  check("x.txt", "", "text=\n");
  check("x.txt", "a\xFF\xC3\xA9", "!x.txt: byte 2 (0xff) is not valid UTF-8");
  check_bytes("x.txt", FN_INPUT_AUTO, "a\0b", 3, "!x.txt: holds NUL bytes");
  check_bytes("any", FN_INPUT_TEXT, "a,b\n", 4, "text=a,b\n\n");
}

static void empty_and_foreign_files(void **state) {
  (void)state;
  check("x.csv", "", "E x.csv: the file is empty; a header line and rows is accepted");
  check("x.csv", "\xEF\xBB\xBF", "E x.csv: the file is empty");
  check("x.csv", "\r\n\n", "E x.csv: the file holds only empty lines");
  check("x.jsonl", "", "E x.jsonl: the file is empty; one JSON object a line is accepted");
  check_bytes("x.csv", FN_INPUT_AUTO, "a,b\0\n", 5, "E x.csv:1: header: field 2 holds a NUL byte");
  check("x.csv", "a,\"b\n1,2\n", "E x.csv:1: the quote that opens field 2 is never closed");
}

static size_t pack(unsigned char *out, size_t capacity, const char *data, size_t length) {
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  char copy[4096];
  assert_true(length <= sizeof copy);
  memcpy(copy, data, length);
  z.next_in = (unsigned char *)copy;
  z.avail_in = (uInt)length;
  z.next_out = out;
  z.avail_out = (uInt)capacity;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  size_t n = capacity - z.avail_out;
  deflateEnd(&z);
  return n;
}

static void gzip(void **state) {
  (void)state;
  unsigned char bytes[4096];
  const char *text = "a,b\n1,2\n";
  size_t n = pack(bytes, sizeof bytes, text, strlen(text));
  check_bytes("x.csv.gz", FN_INPUT_AUTO, (char *)bytes, n, "a=1 b=2\n");
  check_bytes("x.csv", FN_INPUT_AUTO, (char *)bytes, n, "a=1 b=2\n"); /* by its first bytes */
  size_t second = pack(bytes + n, sizeof bytes - n, "3,4\n", 4);
  check_bytes("x.csv.gz", FN_INPUT_AUTO, (char *)bytes, n + second, "a=1 b=2\na=3 b=4\n");
  memset(bytes + n + second, 0, 512); /* padding of tapes */
  check_bytes("x.csv.gz", FN_INPUT_AUTO, (char *)bytes, n + second + 512, "a=1 b=2\na=3 b=4\n");
  bytes[n + second + 100] = 'x';
  check_bytes("x.csv.gz", FN_INPUT_AUTO, (char *)bytes, n + second + 512,
              "a=1 b=2\na=3 b=4\nE x.csv.gz: bytes that are not gzip follow");
}

static void damaged_gzip(void **state) {
  (void)state;
  unsigned char bytes[4096];
  char text[2048];
  for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + (int)fn_hash64(&i, sizeof i, 0) % 20);
  memcpy(text, "a\n", 2);
  size_t n = pack(bytes, sizeof bytes, text, sizeof text);
  for (size_t cut = 2; cut < n; cut += 7) {
    fn_err err = {0};
    fn_buf FN_AUTO_BUF out = {0};
    assert_status(dump(&out, "x.csv.gz", FN_INPUT_AUTO, (char *)bytes, cut, 64, &err), FN_E_INVALID);
    assert_contains(err.message, "x.csv.gz: the gzip data end too early");
  }
  bytes[n - 6] ^= 1; /* check sum */
  check_bytes("x.csv.gz", FN_INPUT_AUTO, (char *)bytes, n, "E x.csv.gz: damaged gzip data (incorrect data check)");
  check("x.csv.gz", "a,b\n1,2\n", "E x.csv.gz: named .gz, but it is not gzip (it begins with 0x61,");
  check("x.csv.gz", "", "E x.csv.gz: the file is empty");
}

/* A frame that stores its bytes (RFC 8878): a single segment, one raw block, no checksum. */
static size_t zstd_frame(unsigned char *out, const char *text) {
  size_t n = strlen(text);
  const unsigned char head[] = {
      0x28, 0xB5, 0x2F, 0xFD, 0x20, (unsigned char)n, (unsigned char)(n << 3 | 1), (unsigned char)(n >> 5), 0};
  memcpy(out, head, sizeof head);
  memcpy(out + sizeof head, text, n);
  return sizeof head + n;
}

static void zstd(void **state) {
  (void)state;
  fn_err err = {0};
  unsigned char bytes[512] = {0};
  size_t n = zstd_frame(bytes, "a,b\n1,2\n");
  check_bytes("x.csv.zst", FN_INPUT_AUTO, (char *)bytes, n, "a=1 b=2\n");
  check_bytes("x", FN_INPUT_AUTO, (char *)bytes, n, "a=1 b=2\n"); /* by its bytes */
  size_t second = zstd_frame(bytes + n, "3,4\n");
  check_bytes("x.csv.zst", FN_INPUT_AUTO, (char *)bytes, n + second, "a=1 b=2\na=3 b=4\n");
  for (size_t cut = 5; cut < n; cut++) {
    fn_buf FN_AUTO_BUF out = {0};
    assert_status(dump(&out, "x.csv.zst", FN_INPUT_AUTO, (char *)bytes, cut, 64, &err), FN_E_INVALID);
    assert_contains(err.message, "x.csv.zst: the zstd data end too early");
  }
  bytes[4] = 0x20, bytes[5] = 5, bytes[6] = 1,
  bytes[7] = bytes[8] = 0; /* five bytes are promised, an empty block follows */
  check_bytes("x.csv.zst", FN_INPUT_AUTO, (char *)bytes, 9, "E x.csv.zst: damaged zstd data (");
  n = zstd_frame(bytes, "a,b\n1,2\n");
  bytes[n] ^= 1; /* the second frame's magic number */
  check_bytes("x.csv.zst", FN_INPUT_AUTO, (char *)bytes, n + second,
              "a=1 b=2\nE x.csv.zst: damaged zstd data (Unknown frame descriptor)");
  check_bytes(
      "x.csv.zst", FN_INPUT_AUTO, "a,b\n1,2\n", 8,
      "E x.csv.zst: named .zst, but it is not zstd (it begins with 0x61, zstd with 0x28 0xb5 0x2f 0xfd); unpacked "
      "files are accepted under a name without .zst");
}

static void files(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  make_folder(dir);
  fn_input *input;
  assert_status(fn_input_open(&input, in_folder(path, dir, "none.csv"), NULL, &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "none.csv");
  assert_status(fn_input_open(&input, dir, NULL, &err), FN_E_INVALID);
  assert_contains(err.message, "a folder; a CSV, JSON lines or text file is accepted");
  write_text(dir, "x.csv", "a\n1\n");
  assert_ok(fn_input_open(&input, in_folder(path, dir, "x.csv"), NULL, &err));
  assert_string_equal(fn_input_name(input), path);
  assert_int_equal(fn_input_get_format(input), FN_INPUT_CSV);
  fn_input_close(input);
  remove_folder(dir);
}

static void columns_by_name(void **state) {
  (void)state;
  fn_err err = {0};
  memory m = {"title,Body,label,Label,x,x\n", 27, 0, 100};
  fn_input *input;
  size_t index;
  assert_ok(fn_input_open_stream(&input, read_memory, &m, "f.csv", NULL, &err));
  assert_true(fn_input_find(&index, input, "label") && index == 2);
  assert_true(fn_input_find(&index, input, "Label") && index == 3);
  assert_true(fn_input_find(&index, input, "body") && index == 1);
  assert_false(fn_input_find(&index, input, "LABEL")); /* two differ only in case */
  assert_status(fn_input_require(&index, input, "x", "data.columns.text", &err), FN_E_INVALID);
  assert_contains(err.message, "f.csv:1: column \"x\" stands 2 times");
  assert_status(fn_input_require(&index, input, "tittle", "data.columns.title", &err), FN_E_NOT_FOUND);
  assert_string_equal(err.message, "f.csv:1: no column \"tittle\", did you mean \"title\"? The columns are \"title\", "
                                   "\"Body\", \"label\", \"Label\", \"x\", \"x\"; choose one with "
                                   "data.columns.title=NAME");
  assert_int_equal(index, 1);
  fn_input_close(input);
}

/* Reads a header; *columns_out and *delimiter_out say what became of it. */
static fn_status open_header(fn_input **input_out, const char *header, char delimiter, fn_err *err) {
  memory m = {header, strlen(header), 0, 3};
  const fn_input_options options = {.format = FN_INPUT_CSV, .delimiter = delimiter};
  return fn_input_open_stream(input_out, read_memory, &m, "f.csv", &options, err);
}

static void delimiters_are_found(void **state) {
  (void)state;
  static const struct {
    const char *header;
    char delimiter;
    size_t n_columns;
  } cases[] = {
      {"title,text\n", ',', 2},
      {"title;text;label\n", ';', 3},
      {"title\ttext\n", '\t', 2},
      {"title|text", '|', 2},
      {"\r\n\na;b\n1,2;3\n", ';', 2},
      {"one\n", ',', 1},
      {"a,b;c\n", ',', 2},
      {"a;b|c\n", ',', 1},
      {"\"a;b\"\n", ',', 1},
      {"\"a\"\"b;\";\"c,\"\n", ';', 2},
      {"\"a\nb\";c\n", ';', 2},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_err err = {0};
    fn_input *input;
    size_t n;
    assert_ok(open_header(&input, cases[i].header, 0, &err));
    fn_input_columns(input, &n);
    if (n != cases[i].n_columns || fn_input_get_delimiter(input) != cases[i].delimiter)
      fail_msg("\"%s\": %zu columns by '%c'", cases[i].header, n, fn_input_get_delimiter(input));
    fn_input_close(input);
  }
  check("x.tsv", "a\tb\n1,5\t\"2\t3\"\n", "a=1,5 b=2\t3\n");
  check("x.csv", "a;b\n1;2;3\n\"x\"y;2\n",
        "!x.csv:2: 3 fields, expected 2 as in the header; a field with a semicolon or a line break stands in double "
        "quotes\n!x.csv:3: text after the closing quote of field 1; a semicolon or");
}

static void another_delimiter_is_named(void **state) {
  (void)state;
  fn_err err = {0};
  fn_input *input;
  size_t index;
  assert_ok(open_header(&input, "title;text;label\n", ',', &err));
  assert_status(fn_input_require(&index, input, "title", "data.columns.title", &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "The columns are \"title;text;label\"; with data.delimiter=\";\" there are 3; choose");
  fn_input_close(input);
  assert_ok(open_header(&input, "the title, in short\ttext\tlabel\n", 0, &err));
  assert_status(fn_input_require(&index, input, "title", NULL, &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "with data.delimiter=\"tab\" there are 4");
  fn_input_close(input);
  assert_ok(open_header(&input, "title,text;body,label\n", 0, &err));
  assert_status(fn_input_require(&index, input, "body", NULL, &err), FN_E_NOT_FOUND);
  assert_null(strstr(err.message, "data.delimiter"));
  fn_input_close(input);
}

static void settings_of_the_reading(void **state) {
  (void)state;
  static const char *const accepted[] = {"auto", ",", ";", "|", "tab", "\t"};
  static const char expected[] = {0, ',', ';', '|', '\t', '\t'};
  fn_err err = {0};
  fn_input_options options = {0};
  for (size_t i = 0; i < FN_COUNT_OF(accepted); i++) {
    const fn_data_options data = {.format = FN_INPUT_CSV, .encoding = FN_ENCODING_UTF16, .delimiter = accepted[i]};
    assert_ok(fn_input_options_from(&options, &data, &err));
    assert_int_equal(options.delimiter, expected[i]);
    assert_int_equal(options.format, FN_INPUT_CSV);
    assert_int_equal(options.encoding, FN_ENCODING_UTF16);
  }
  static const char *const refused[] = {"", ":", ",,", "comma", "Tab"};
  for (size_t i = 0; i < FN_COUNT_OF(refused); i++) {
    const fn_data_options data = {.delimiter = refused[i]};
    assert_status(fn_input_options_from(&options, &data, &err), FN_E_INVALID);
    assert_contains(err.message, "is none of auto, \",\", \";\", \"|\", tab");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(csv_with_header),
      cmocka_unit_test(json_lines),
      cmocka_unit_test(json_lines_refused),
      cmocka_unit_test(json_limits),
      cmocka_unit_test(whole_texts),
      cmocka_unit_test(empty_and_foreign_files),
      cmocka_unit_test(gzip),
      cmocka_unit_test(damaged_gzip),
      cmocka_unit_test(zstd),
      cmocka_unit_test(files),
      cmocka_unit_test(columns_by_name),
      cmocka_unit_test(delimiters_are_found),
      cmocka_unit_test(another_delimiter_is_named),
      cmocka_unit_test(settings_of_the_reading),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
