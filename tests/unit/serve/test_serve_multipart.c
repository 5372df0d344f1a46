/* Forms in pieces: whatever the pieces, the same parts come out; what is not well formed is refused. */
#include "serve/multipart.h"

#include "../test.h"

static fn_err err;

/* "name=file:data|" of each part. */
static fn_status on_part(void *arg, const fn_multipart_part *part, fn_err *e) {
  (void)e;
  fn_buf *out = arg;
  fn_buf_append(out, part->name.data, part->name.length);
  if (part->file_name.data != NULL) {
    fn_buf_append_char(out, '=');
    fn_buf_append(out, part->file_name.data, part->file_name.length);
  }
  fn_buf_append_char(out, ':');
  return FN_OK;
}
static fn_status on_data(void *arg, const char *data, size_t length, fn_err *e) {
  (void)e;
  assert_true(length > 0);
  fn_buf_append(arg, data, length);
  return FN_OK;
}
static fn_status on_end(void *arg, fn_err *e) {
  (void)e;
  fn_buf_append_char(arg, '|');
  return FN_OK;
}

static fn_status parse(fn_buf *out, const char *type, const char *body, size_t piece) {
  fn_multipart *p = NULL;
  const fn_multipart_events events = {on_part, on_data, on_end, out};
  fn_status status = fn_multipart_create(&p, fn_str_from(type), &events, &err);
  const size_t n = strlen(body);
  for (size_t at = 0; at < n && status == FN_OK; at += piece) {
    const size_t length = n - at < piece ? n - at : piece;
    char *copy = malloc(length); /* so that the sanitizer sees a byte too many */
    memcpy(copy, body + at, length);
    status = fn_multipart_feed(p, copy, length, &err);
    free(copy);
  }
  if (status == FN_OK) status = fn_multipart_finish(p, &err);
  fn_multipart_destroy(p);
  return status;
}

static void check(const char *type, const char *body, fn_status expected, const char *parts) {
  for (size_t piece = 1; piece <= strlen(body) + 1; piece++) {
    fn_buf out;
    fn_buf_init(&out, 0);
    const fn_status status = parse(&out, type, body, piece);
    if (status != expected) fail_msg("%s\n in pieces of %zu: status %d, %s", body, piece, (int)status, err.message);
    if (expected == FN_OK) assert_string_equal(out.data != NULL ? out.data : "", parts);
    fn_buf_deinit(&out);
  }
}

#define TYPE             "multipart/form-data; boundary=XX"
#define PART(name, data) "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" data "\r\n"

static void test_parts(void **state) {
  (void)state;
  check(TYPE, PART("a", "1") "--XX--", FN_OK, "a:1|");
  check(TYPE, PART("a", "1") PART("b", "2") "--XX--\r\n", FN_OK, "a:1|b:2|");
  check(TYPE, PART("a", "") "--XX--\r\nwhat follows --XX", FN_OK, "a:|");
  check(TYPE, "before\r\n" PART("a", "1") "--XX--", FN_OK, "a:1|");
  check(TYPE, PART("a", "\r\n--X\r\r\n--\n--XX\r\n-") "--XX--", FN_OK, "a:\r\n--X\r\r\n--\n--XX\r\n-|");
  check(TYPE, PART("a", "1\r\n") "--XX \t\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--XX--", FN_OK,
        "a:1\r\n|b:|");
  check(TYPE, "--XX--", FN_OK, "");
  check("Multipart/Form-Data;charset=utf-8; BOUNDARY=\"X Y\"",
        "--X Y\r\ncontent-disposition:Form-Data;name=a\r\n\r\n1\r\n--X Y--", FN_OK, "a:1|");
}

static void test_names(void **state) {
  (void)state;
#define HEAD(head) "--XX\r\n" head "\r\n\r\n1\r\n--XX--"
  check(TYPE, HEAD("Content-Disposition: form-data; name=\"f\"; filename=\"a.csv\"\r\nContent-Type: text/csv"), FN_OK,
        "f=a.csv:1|");
  check(TYPE, HEAD("Content-Type: text/csv\r\nContent-Disposition: form-data; filename=\"\"; name=\"f\""), FN_OK,
        "f=:1|");
  check(TYPE, HEAD("Content-Disposition: form-data; name=\"a\\\"b\"; filename=\"C:\\dir\\\\x\""), FN_OK,
        "a\"b=C:\\dir\\x:1|");
  check(TYPE, HEAD("Content-Disposition: form-data; name=\"\""), FN_OK, ":1|");
}

static void test_refused(void **state) {
  (void)state;
  check("text/plain; boundary=XX", "--XX--", FN_E_INVALID, "");
  check("multipart/form-data", "--XX--", FN_E_INVALID, "");
  check("multipart/form-data; boundary=", "--XX--", FN_E_INVALID, "");
  check("multipart/form-data; boundary=\"X", "--X--", FN_E_INVALID, "");
  check("multipart/form-data; boundary=\"X \"", "--X --", FN_E_INVALID, "");
  check("multipart/form-data; boundary=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghh", "",
        FN_E_INVALID, "");
  check(TYPE, "", FN_E_INVALID, "");
  check(TYPE, PART("a", "1"), FN_E_INVALID, "");
  check(TYPE, PART("a", "1") "--XX-", FN_E_INVALID, "");
  check(TYPE, PART("a", "1") "--XXX--", FN_E_INVALID, "");
  check(TYPE, PART("a", "1") "--XX-x", FN_E_INVALID, "");
  check(TYPE, "--XX\nContent-Disposition: form-data; name=a\n\n1\n--XX--", FN_E_INVALID, "");
  check(TYPE, "--XX\r\nContent-Disposition: form-data; name=a\n\r\n1\r\n--XX--", FN_E_INVALID, "");
  check(TYPE, HEAD("Content-Type: text/csv"), FN_E_INVALID, "");
  check(TYPE, HEAD("Content-Disposition: form-data"), FN_E_INVALID, "");
  check(TYPE, HEAD("Content-Disposition: attachment; name=a"), FN_E_INVALID, "");
  check(TYPE, HEAD("Content-Disposition: form-data; name=\"a"), FN_E_INVALID, "");
}

static void test_bounds(void **state) {
  (void)state;
  fn_buf body, out;
  fn_buf_init(&body, 0);
  fn_buf_init(&out, 0);
  for (int i = 0; i < FN_MULTIPART_MAX_PARTS; i++) fn_buf_append_str(&body, PART("a", "1"));
  const size_t whole = body.length;
  fn_buf_append_str(&body, "--XX--");
  assert_int_equal(parse(&out, TYPE, body.data, 1000), FN_OK);
  body.length = whole;
  fn_buf_append_str(&body, PART("a", "1") "--XX--");
  assert_int_equal(parse(&out, TYPE, body.data, 1000), FN_E_LIMIT);
  fn_buf_reset(&body);
  fn_buf_append_str(&body, "--XX\r\nX: ");
  for (int i = 0; i < FN_MULTIPART_MAX_HEAD; i++) fn_buf_append_char(&body, 'a');
  assert_int_equal(parse(&out, TYPE, body.data, 1000), FN_E_LIMIT);
  fn_buf_deinit(&body);
  fn_buf_deinit(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
