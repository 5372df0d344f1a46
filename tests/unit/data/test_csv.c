#include "../test.h"
#include "data/csv.h"

/* Writes what the parser hands out: fields in <>, records in lines, refused records as !LINE: message. */
static void read_pieces(fn_buf *out, const char *data, size_t length, size_t piece, size_t expect,
                        const fn_record_limits *limits) {
  fn_err err = {0};
  fn_csv *csv;
  fn_record record;
  fn_record_event event;
  assert_ok(fn_csv_create(&csv, limits, &err));
  fn_csv_expect_fields(csv, expect);
  size_t at = 0;
  bool finished = false;
  while (!finished) {
    size_t n = length - at < piece ? length - at : piece, used = 0;
    fn_status status = FN_OK;
    if (at < length) {
      char *copy = malloc(n); /* exact size: the sanitizer sees a read behind it */
      memcpy(copy, data + at, n);
      assert_ok(fn_csv_feed(&event, &record, &used, csv, copy, n, &err));
      free(copy);
      assert_true(used <= n && (event == FN_RECORD_READY || used == n));
      at += used;
    } else {
      status = fn_csv_finish(&event, &record, csv, &err);
      finished = event == FN_RECORD_NONE || status != FN_OK;
    }
    if (status != FN_OK) {
      fn_buf_printf(out, "E%s", err.message);
    } else if (event == FN_RECORD_READY && record.status != FN_OK) {
      fn_buf_printf(out, "!%d: %s\n", (int)record.error_line, record.message);
    } else if (event == FN_RECORD_READY) {
      fn_buf_printf(out, "%d:", (int)record.line);
      for (size_t i = 0; i < record.n_fields; i++)
        fn_buf_printf(out, "<%.*s>", (int)record.fields[i].length, record.fields[i].data);
      fn_buf_append_char(out, '\n');
    }
  }
  fn_csv_destroy(csv);
}

static void check_limited(const char *data, size_t length, size_t expect, const fn_record_limits *limits,
                          const char *expected) {
  for (size_t piece = 1; piece <= length + 1; piece++) {
    fn_buf FN_AUTO_BUF out = {0};
    read_pieces(&out, data, length, piece, expect, limits);
    const char *got = out.data ? out.data : "";
    if (strncmp(got, expected, strlen(expected)) != 0 || (strchr(expected, 0)[-1] == '\n' && strcmp(got, expected)))
      fail_msg("pieces of %zu: got\n%s\nexpected\n%s", piece, got, expected);
  }
}

static void check(const char *data, size_t expect, const char *expected) {
  fn_record_limits limits = FN_RECORD_LIMITS_DEFAULT;
  check_limited(data, strlen(data), expect, &limits, expected);
}

static void reads_what_the_rfc_says(void **state) {
  (void)state;
  check("a,b\nc,d\n", 0, "1:<a><b>\n2:<c><d>\n");
  check("a,b\r\nc,d\r\n", 0, "1:<a><b>\n2:<c><d>\n");
  check("a,b\rc,d", 0, "1:<a><b>\n2:<c><d>\n");
  check("a,b\nc,d", 0, "1:<a><b>\n2:<c><d>\n");
  check("\"a\",\"b\"\n", 0, "1:<a><b>\n");
  check("\"a,b\",c\n", 0, "1:<a,b><c>\n");
  check("\"a\"\"b\",c\n", 0, "1:<a\"b><c>\n");
  check("\"\"\"\"\n", 0, "1:<\">\n");
  check("\"\",\n", 0, "1:<><>\n");
  check(",\n", 0, "1:<><>\n");
  check(",", 0, "1:<><>\n");
  check("\"a\nb\",c\nd,e\n", 0, "1:<a\nb><c>\n3:<d><e>\n");
  check("\"a\r\nb\",c\nd,e\n", 0, "1:<a\r\nb><c>\n3:<d><e>\n");
  check("\"a\rb\",c\nd,e\n", 0, "1:<a\rb><c>\n3:<d><e>\n");
  check("\"a\n\n\r\n\r\rb\"\nc\n", 0, "1:<a\n\n\r\n\r\rb>\n7:<c>\n");
  check(" a , b \n", 0, "1:< a >< b >\n");
  check("\xC3\xA4,\xF0\x9F\x99\x82\n", 0, "1:<\xC3\xA4><\xF0\x9F\x99\x82>\n");
}

static void skips_empty_lines(void **state) {
  (void)state;
  check("\n\na\n\n\nb\n\n", 0, "3:<a>\n6:<b>\n");
  check("\r\n\r\na\r\n\r\nb", 0, "3:<a>\n5:<b>\n");
  check("\r\ra\r\rb", 0, "3:<a>\n5:<b>\n");
  check("\"\"\n\n\"\"\n", 0, "1:<>\n3:<>\n");
  fn_record_limits limits = FN_RECORD_LIMITS_DEFAULT;
  fn_buf FN_AUTO_BUF out = {0};
  read_pieces(&out, "", 0, 1, 0, &limits);
  assert_int_equal(out.length, 0);
}

static void refuses_and_goes_on(void **state) {
  (void)state;
  check("a,b\nc\nd,e,f\ng,h\n", 2,
        "1:<a><b>\n"
        "!2: 1 field, expected 2 as in the header; a field with a comma or a line break stands in double quotes\n"
        "!3: 3 fields, expected 2 as in the header; a field with a comma or a line break stands in double quotes\n"
        "4:<g><h>\n");
  check(
      "a,b\nc,d\"e,f\ng,h\n", 2,
      "1:<a><b>\n"
      "!2: a quote inside field 2, which does not begin with one; write the whole field in quotes and the quote twice\n"
      "3:<g><h>\n");
  check("x\n\"a\"b,c\ny\n", 1,
        "1:<x>\n"
        "!2: text after the closing quote of field 1; a comma or the end of the line is accepted, and a quote inside "
        "quotes is written twice\n"
        "3:<y>\n");
  check("x\n\"a\" \ny\n", 1, "1:<x>\n!2: text after the closing quote of field 1;");
  check("a,\"b\nc\"\"d,e\n", 0, "E1: the quote that opens field 2 is never closed (the record begins on line 1);");
  check("a\nb\n\"c\n\n", 0, "1:<a>\n2:<b>\nE3: the quote that opens field 1 is never closed");
  check("k\na\xFF\nb\n", 1, "1:<k>\n!2: field 1, byte 2 (0xff) is not valid UTF-8");
  check("k,l\n\"x\ny\",\"z\n\xC3(\"\nb,c\n", 2, "1:<k><l>\n!4: field 2, byte 3 (0xc3) is not valid UTF-8");
  check("k,l\n\xC3,\xA4\nb,c\n", 2, "1:<k><l>\n!2: field 2, byte 1 (0xa4) is not valid UTF-8");
}

static void refuses_nul(void **state) {
  (void)state;
  fn_record_limits limits = FN_RECORD_LIMITS_DEFAULT;
  static const char plain[] = "k\na\0b\nc\n", quoted[] = "k\n\"a\n\0b\"\nc\n";
  check_limited(plain, sizeof plain - 1, 1, &limits,
                "1:<k>\n!2: field 1 holds a NUL byte; text is accepted (a binary file?)\n3:<c>\n");
  check_limited(quoted, sizeof quoted - 1, 1, &limits,
                "1:<k>\n!3: field 1 holds a NUL byte; text is accepted (a binary file?)\n4:<c>\n");
}

static void keeps_its_limits(void **state) {
  (void)state;
  fn_record_limits limits = {4, 8, 3};
  static const char field[] = "abcd\nabcde\n\"ab\nde\"\nf\n";
  check_limited(field, sizeof field - 1, 0, &limits,
                "1:<abcd>\n!2: field 1 is longer than 4 bytes\n!3: field 1 is longer than 4 bytes\n5:<f>\n");
  static const char record[] = "aaaa,bbbb\naaaa,bbbb,c\nd\n";
  check_limited(record, sizeof record - 1, 0, &limits,
                "1:<aaaa><bbbb>\n!2: the record is longer than 8 bytes\n3:<d>\n");
  static const char many[] = "a,b,c\na,b,c,d\ne\n";
  check_limited(many, sizeof many - 1, 0, &limits, "1:<a><b><c>\n!2: more than 3 fields\n3:<e>\n");
}

/* Random fields written by us come back, whatever they hold. */
static void writing_and_reading_are_inverse(void **state) {
  (void)state;
  static const char alphabet[] = "ab \",\r\n\t;'";
  fn_record_limits limits = FN_RECORD_LIMITS_DEFAULT;
  for (uint64_t trial = 0; trial < 300; trial++) {
    fn_rng rng = fn_rng_make(7, trial);
    fn_buf FN_AUTO_BUF text = {0}, expected = {0}, got = {0};
    size_t n_records = 1 + fn_rng_below(&rng, 4), n_fields = 1 + fn_rng_below(&rng, 4), line = 1;
    for (size_t r = 0; r < n_records; r++) {
      char storage[4][16];
      fn_str fields[4];
      fn_buf_printf(&expected, "%zu:", line);
      for (size_t f = 0; f < n_fields; f++) {
        size_t length = fn_rng_below(&rng, sizeof storage[f]);
        for (size_t i = 0; i < length; i++) storage[f][i] = alphabet[fn_rng_below(&rng, sizeof alphabet - 1)];
        fields[f] = fn_str_make(storage[f], length);
        fn_buf_printf(&expected, "<%.*s>", (int)length, storage[f]);
        for (size_t i = 0; i < length; i++)
          line += storage[f][i] == '\r' || (storage[f][i] == '\n' && (i == 0 || storage[f][i - 1] != '\r'));
      }
      fn_buf_append_char(&expected, '\n');
      line++;
      fn_csv_append_record(&text, fields, n_fields);
    }
    read_pieces(&got, text.data, text.length, 1 + fn_rng_below(&rng, 9), n_fields, &limits);
    if (strcmp(got.data, expected.data) != 0)
      fail_msg("wrote\n%s\nread\n%s\nnot\n%s", text.data, got.data, expected.data);
  }
}

static void writes_quotes_only_where_needed(void **state) {
  (void)state;
  fn_buf FN_AUTO_BUF out = {0};
  fn_str fields[] = {fn_str_from("plain"), fn_str_from("a,b"),   fn_str_from("say \"x\""),
                     fn_str_from("l\nb"),  fn_str_from(" lead"), fn_str_from("")};
  fn_csv_append_record(&out, fields, 6);
  assert_string_equal(out.data, "plain,\"a,b\",\"say \"\"x\"\"\",\"l\nb\",\" lead\",\n");
  fn_buf_reset(&out);
  fn_csv_append_record(&out, fields + 5, 1);
  assert_string_equal(out.data, "\"\"\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_the_rfc_says),
      cmocka_unit_test(skips_empty_lines),
      cmocka_unit_test(refuses_and_goes_on),
      cmocka_unit_test(refuses_nul),
      cmocka_unit_test(keeps_its_limits),
      cmocka_unit_test(writing_and_reading_are_inverse),
      cmocka_unit_test(writes_quotes_only_where_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
