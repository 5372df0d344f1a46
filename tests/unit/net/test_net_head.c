/* Header lines of HTTP answers. */
#include "../test.h"
#include "net/head.h"

static fn_http_head read_lines(const char *const *lines) {
  fn_http_head head;
  fn_http_head_reset(&head);
  for (; *lines; lines++) fn_http_head_line(&head, fn_str_from(*lines));
  return head;
}
#define HEAD(...) read_lines((const char *const[]){__VA_ARGS__, NULL})

static void test_whole_head(void **state) {
  (void)state;
  fn_http_head h = HEAD("HTTP/1.1 206 Partial Content\r\n", "ETAG: \"x\"\r\n",
                        "last-modified:  Mon, 01 Jan 2024 00:00:00 GMT \r\n", "Content-Range: bytes 10-19/100\r\n",
                        "Content-Disposition: attachment; filename=\"../n.csv\"\r\n", "X-Other: y\r\n", "\r\n");
  assert_int_equal(h.status, 206);
  assert_string_equal(h.etag, "\"x\"");
  assert_string_equal(h.last_modified, "Mon, 01 Jan 2024 00:00:00 GMT");
  assert_string_equal(h.name, "n.csv");
  assert_true(h.has_range && h.has_total && h.range_first == 10 && h.range_total == 100);
  assert_string_equal(fn_http_head_validator(&h), "\"x\"");
}

static void test_last_head_counts(void **state) {
  (void)state;
  fn_http_head h =
      HEAD("HTTP/1.1 200 Connection established", "ETag: \"proxy\"", "", "HTTP/1.1 100 Continue", "", "HTTP/2 404 ");
  assert_int_equal(h.status, 404);
  assert_null(fn_http_head_validator(&h));
}

static void test_validators(void **state) {
  (void)state;
  fn_http_head h = HEAD("HTTP/1.1 200 OK", "ETag: W/\"weak\"", "Last-Modified: yesterday");
  assert_string_equal(fn_http_head_validator(&h), "yesterday");
  h = HEAD("HTTP/1.1 200 OK", "ETag: bare");
  assert_null(fn_http_head_validator(&h));
  h = HEAD("HTTP/1.1 200 OK", "ETag: \"a\"", "ETag: \"b\rX: y\"");
  assert_null(fn_http_head_validator(&h)); /* nothing that could add a line to the next request */
  char line[400] = "ETag: \"";
  memset(line + 7, 'x', 300);
  memcpy(line + 307, "\"", 2);
  h = HEAD("HTTP/1.1 200 OK", line);
  assert_null(fn_http_head_validator(&h));
}

static void test_ranges(void **state) {
  (void)state;
  static const struct {
    const char *value;
    bool range, total;
  } cases[] = {
      {"bytes 0-0/1", true, true},
      {"bytes 5-9/*", true, false},
      {"bytes */100", false, true},
      {"BYTES 1-2/3", true, true},
      {"bytes 5-4/10", false, false},
      {"bytes 5-10/10", false, false},
      {"bytes 5-9", false, false},
      {"bytes -5/10", false, false},
      {"bytes 5-9/10x", false, false},
      {"bytes 5-9/", false, false},
      {"items 5-9/10", false, false},
      {"", false, false},
      {"bytes 5-9/99999999999999999999", false, false},
      {"bytes */*", false, false},
      {"bytes +5-9/10", false, false},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    char line[128];
    snprintf(line, sizeof line, "Content-Range: %s", cases[i].value);
    fn_http_head h = HEAD("HTTP/1.1 206 x", line);
    if (h.has_range != cases[i].range || h.has_total != cases[i].total) fail_msg("%s", cases[i].value);
  }
}

static void test_nonsense(void **state) {
  (void)state;
  fn_http_head h = HEAD("HTTP/1.1", "HTTP/1.1 abc", "HTTP/1.1 99 x", "HTTP/1.1 1000 x", "no colon", ":", ": x", "",
                        "etag", "content-disposition: inline");
  assert_int_equal(h.status, 0);
  assert_int_equal(h.length, -1);
  assert_string_equal(h.name, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_head), cmocka_unit_test(test_last_head_counts), cmocka_unit_test(test_validators),
      cmocka_unit_test(test_ranges),     cmocka_unit_test(test_nonsense),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
