/* Addresses and file names: what strangers write never leads out of a folder. */
#include "../test.h"
#include "net/url.h"

static void test_parse(void **state) {
  (void)state;
  fn_err err = {0};
  fn_url url;
  assert_ok(fn_url_parse(&url, "HTTPS://me:p%40ss@News.Example:8443/a%20b/c.csv?x=1#part", &err));
  assert_int_equal(url.scheme, FN_URL_HTTPS);
  assert_string_equal(url.host, "news.example");
  assert_string_equal(url.path, "/a%20b/c.csv");
  assert_string_equal(url.user, "me");
  assert_string_equal(url.password, "p@ss");
  assert_int_equal(url.port, 8443);
  assert_null(strstr(url.text, "ss"));
  assert_null(strchr(url.text, '#'));
  assert_contains(url.text, ":8443/a%20b/c.csv?x=1");
  fn_url_deinit(&url);
  assert_ok(fn_url_parse(&url, "file:///tmp/x.csv", &err));
  assert_int_equal(url.scheme, FN_URL_FILE);
  assert_string_equal(url.path, "/tmp/x.csv");
  fn_url_deinit(&url);
}

static void test_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "x",
                                    "/tmp/x",
                                    "ftp://h/x",
                                    "http://",
                                    "http://h:99999/",
                                    "http://h\n/x",
                                    "javascript:alert(1)",
                                    "http://a b/x",
                                    "http://me%00:x@h/",
                                    "data:,x"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    fn_err err = {0};
    fn_url url;
    assert_status(fn_url_parse(&url, bad[i], &err), FN_E_INVALID);
  }
  char *text = malloc(FN_URL_MAX + 2);
  memset(text, 'a', FN_URL_MAX + 1);
  memcpy(text, "http://h/", 9);
  text[FN_URL_MAX + 1] = 0;
  fn_err err = {0};
  fn_url url;
  assert_status(fn_url_parse(&url, text, &err), FN_E_INVALID);
  free(text);
}

static void test_shown(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"http://me:hush@host/x.fnm", "http://***@host/x.fnm"},
      {"http://me:h/u@sh@host/x", "http://***@host/x"},
      {"https://host/x?a=b", "https://host/x?a=b"},
      {"me:hush@host", "***@host"},
  };
  char shown[301];
  for (size_t i = 0; i < FN_COUNT_OF(pairs); i++) assert_string_equal(fn_url_show(shown, pairs[i][0]), pairs[i][1]);
}

static void test_same_origin(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    bool same;
  } cases[] = {
      {"http://h/a", "http://H:80/b?c", true},     {"https://h/a", "https://h:443/", true},
      {"http://h/a", "https://h/a", false},        {"http://h/a", "http://h:8080/a", false},
      {"http://h/a", "http://h.evil.com/", false}, {"http://h/a", "http://h@evil/", false},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_err err = {0};
    fn_url a, b;
    assert_ok(fn_url_parse(&a, cases[i].a, &err));
    assert_ok(fn_url_parse(&b, cases[i].b, &err));
    if (fn_url_same_origin(&a, &b) != cases[i].same) fail_msg("%s and %s", cases[i].a, cases[i].b);
    fn_url_deinit(&a);
    fn_url_deinit(&b);
  }
}

static void test_clean(void **state) {
  (void)state;
  static const struct {
    const char *raw, *name; /* NULL: nothing is left */
  } cases[] = {
      {"a.csv", "a.csv"},
      {"/etc/passwd", "passwd"},
      {"..\\..\\a.exe", "a.exe"},
      {"a/", NULL},
      {"", NULL},
      {".", NULL},
      {"..", NULL},
      {" .. ", NULL},
      {".ssh", "_ssh"},
      {"a\tb\x7f.csv", "a_b_.csv"},
      {"\xff\xfe", "__"},
      {"n\xc3\xa9.csv", "n\xc3\xa9.csv"},
      {"a\xc2\x85.csv", "a_.csv"},
      {"...", "_.."},
  };
  char name[FN_NAME_MAX + 1];
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    bool ok = fn_name_clean(name, fn_str_from(cases[i].raw));
    if (ok != (cases[i].name != NULL) || (ok && strcmp(name, cases[i].name) != 0)) fail_msg("\"%s\"", cases[i].raw);
  }
  assert_true(fn_name_clean(name, fn_str_make("a\0b", 3)));
  assert_string_equal(name, "a_b");
}

/* The cut keeps the extension and never halves a character. */
static void test_long_names(void **state) {
  (void)state;
  char raw[701], name[FN_NAME_MAX + 1];
  for (size_t shift = 0; shift < 3; shift++) {
    memset(raw, 'x', sizeof raw);
    for (size_t i = shift; i + 2 <= 600; i += 2) memcpy(raw + i, "\xc3\xa9", 2);
    memcpy(raw + 602, ".csv.gz", 8);
    assert_true(fn_name_clean(name, fn_str_make(raw, 609)));
    assert_true(strlen(name) <= FN_NAME_MAX && strlen(name) >= FN_NAME_MAX - 2);
    assert_true(fn_utf8_valid(fn_str_from(name), NULL));
    assert_string_equal(name + strlen(name) - 3, ".gz");
  }
}

static void test_disposition(void **state) {
  (void)state;
  static const struct {
    const char *value, *name;
  } cases[] = {
      {"attachment; filename=a.csv", "a.csv"},
      {"attachment; FileName = \"a b.csv\" ; size=3", "a b.csv"},
      {"attachment; filename=\"a\\\"b.csv\"", "a\"b.csv"},
      {"attachment; filename=\"semi;colon.csv\"", "semi;colon.csv"},
      {"attachment; filename*=UTF-8''%e2%82%ac.csv; filename=\"euro.csv\"", "\xe2\x82\xac.csv"},
      {"attachment; filename*=iso-8859-1''x.csv; filename=y.csv", "y.csv"},
      {"attachment; filename*=UTF-8'no-quote; filename=y.csv", "y.csv"},
      {"attachment; filename=\"never closed.csv", "never closed.csv"},
      {"inline", NULL},
      {"attachment; filename=", NULL},
      {"attachment; filename=\"\"", NULL},
      {";;;===;", NULL},
      {"attachment; filename=\"/a/..\"", NULL},
      {"filename", NULL},
  };
  char name[FN_NAME_MAX + 1];
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    bool ok = fn_name_from_disposition(name, fn_str_from(cases[i].value));
    if (ok != (cases[i].name != NULL) || (ok && strcmp(name, cases[i].name) != 0))
      fail_msg("%s gives %s", cases[i].value, ok ? name : "nothing");
  }
}

static void test_inside(void **state) {
  (void)state;
  static const char *const good[] = {"a", "a/b.csv", "a b/c", "..a", "a..", "a/...", "a:b.csv", "n\xc3\xa9"};
  static const char *const bad[] = {"",      "/a", "../a",  "a/../b", "a/..",  "a//b", "./a",
                                    "a/./b", "a/", "c:\\x", "a\\b",   "a\x1b", "\xff"};
  const char *why;
  for (size_t i = 0; i < FN_COUNT_OF(good); i++)
    if (!fn_name_is_inside(fn_str_from(good[i]), &why)) fail_msg("%s %s", good[i], why);
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    if (fn_name_is_inside(fn_str_from(bad[i]), &why)) fail_msg("\"%s\" is accepted", bad[i]);
    assert_non_null(why);
  }
  assert_false(fn_name_is_inside(fn_str_make("a\0b", 3), &why));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse),       cmocka_unit_test(test_refused), cmocka_unit_test(test_shown),
      cmocka_unit_test(test_same_origin), cmocka_unit_test(test_clean),   cmocka_unit_test(test_long_names),
      cmocka_unit_test(test_disposition), cmocka_unit_test(test_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
