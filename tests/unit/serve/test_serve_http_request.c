/* What is read and refused of a request's head. */
#include "serve/http_request.h"

#include "../test.h"

static fn_exchange x;

static void begin(void) {
  fn_exchange_init(&x, NULL);
}
static void end(void) {
  fn_exchange_deinit(&x);
}

static void check_path(const char *target, const char *path) {
  begin();
  fn_http_read_target(&x, target);
  if (path == NULL) {
    assert_int_equal(x.response.status, 400);
  } else {
    assert_int_equal(x.response.status, 0);
    if (!fn_str_is(x.request.path, path))
      fail_msg("%s gives %.*s", target, (int)x.request.path.length, x.request.path.data);
  }
  end();
}

static void test_targets(void **state) {
  (void)state;
  check_path("/", "/");
  check_path("/v1/classify?x=1", "/v1/classify");
  check_path("/a%20b%2fc", "/a b/c");
  check_path("/caf%C3%A9", "/caf\xc3\xa9");
  check_path("http://host:80/x?y", "/x");
  check_path("http://host", "/");
  check_path("*", "*");
  check_path("/a%00b", NULL);
  check_path("/a%zz", NULL);
  check_path("/a%2", NULL);
  check_path("/%ff", NULL);
  check_path("x", NULL);
  check_path(" /", NULL);
  check_path("/ ", NULL);
  check_path("/#a", NULL);
  check_path("/\x7f", NULL);
  check_path("", NULL);
  begin();
  char *large = malloc(9002);
  memset(large, 'a', 9001);
  large[0] = '/';
  large[9001] = '\0';
  fn_http_read_target(&x, large);
  assert_int_equal(x.response.status, 414);
  free(large);
  end();
}

static void test_parameters(void **state) {
  (void)state;
  begin();
  fn_http_read_target(&x, "/p?a=1&b=two+words&c=%26%3d&&d&a=2&=e");
  assert_int_equal(x.request.n_parameters, 6);
  assert_true(fn_str_is(fn_request_parameter(&x.request, "a"), "1"));
  assert_true(fn_str_is(fn_request_parameter(&x.request, "b"), "two words"));
  assert_true(fn_str_is(fn_request_parameter(&x.request, "c"), "&="));
  assert_true(fn_str_is(fn_request_parameter(&x.request, "d"), ""));
  assert_null(fn_request_parameter(&x.request, "z").data);
  end();
}

/* headers: "Name: value" lines; the status that they are refused with, 0: taken. */
static void check_head(const char *version, int status, const char *const *headers, size_t n) {
  fn_field fields[8];
  uint64_t length = 99;
  begin();
  for (size_t i = 0; i < n; i++) {
    const char *colon = strstr(headers[i], ": ");
    fields[i] = (fn_field){fn_str_make(headers[i], (size_t)(colon - headers[i])), fn_str_from(colon + 2)};
  }
  x.request.headers = fields;
  x.request.n_headers = n;
  const fn_progress progress = fn_http_check(&length, &x, version);
  if (x.response.status != status)
    fail_msg("%s … %s: %d, expected %d", n ? headers[0] : "", n ? headers[n - 1] : "", x.response.status, status);
  assert_int_equal(progress, status ? FN_EXCHANGE_DONE : FN_EXCHANGE_PENDING);
  end();
}
#define HEAD(version, status, ...)                                                                                     \
  check_head(version, status, (const char *const[]){__VA_ARGS__},                                                      \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void test_framing(void **state) {
  (void)state;
  HEAD("HTTP/1.1", 0, "Host: a");
  HEAD("HTTP/1.0", 0, "Accept: a");
  HEAD("HTTP/1.1", 0, "Host: a", "Content-Length: 12");
  HEAD("HTTP/1.1", 0, "Host: a", "Transfer-Encoding: chunked");
  HEAD("HTTP/1.1", 400, "Accept: a");
  HEAD("HTTP/1.1", 400, "Host: a", "Host: b");
  HEAD("HTTP/2.0", 505, "Host: a");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: 1", "content-length: 1");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked");
  HEAD("HTTP/1.1", 400, "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked");
  HEAD("HTTP/1.1", 501, "Host: a", "Transfer-Encoding: gzip, chunked");
  HEAD("HTTP/1.1", 501, "Host: a", "Transfer-Encoding: identity");
  HEAD("HTTP/1.0", 501, "Transfer-Encoding: chunked");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: ");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: -1");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: +1");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: 1,1");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: 0x1");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length: 9999999999999999999");
  HEAD("HTTP/1.1", 400, "Host: a", "Content-Length : 1");
  HEAD("HTTP/1.1", 400, "Host: a", "X: a\x01");
  HEAD("HTTP/1.1", 400, "Host: a", "X y: a");
  HEAD("HTTP/1.1", 0, "Host: [::1]:8080");
  HEAD("HTTP/1.1", 400, "Host: a/b");
  HEAD("HTTP/1.1", 400, "Host: a b");
  HEAD("HTTP/1.1", 0, "Host: a", "Expect: 100-Continue");
  HEAD("HTTP/1.1", 417, "Host: a", "Expect: 200");
}

/* As the library leaves a head: '|' stands for 0. */
static void check_exact_after(size_t n_target, const char *picture, bool expected) {
  char head[200];
  const size_t n = strlen(picture);
  for (size_t i = 0; i <= n; i++) head[i] = (char)(picture[i] == '|' ? '\0' : picture[i]);
  char *exact = malloc(n > 0 ? n : 1); /* so that the sanitizer sees a byte too many */
  memcpy(exact, head, n);
  if (fn_http_head_is_exact(fn_str_make(exact, n), n_target) != expected) fail_msg("%s", picture);
  free(exact);
}

/* With a target that the library had nothing to decode in. */
static void check_exact(const char *picture, bool expected) {
  const char *target = strchr(picture, '|');
  check_exact_after(target != NULL ? strcspn(target + 1, "|") : 0, picture, expected);
}

static void test_heads(void **state) {
  (void)state;
  check_exact("GET|/|HTTP/1.1||Host| a||||", true);
  check_exact("GET|/a?b=c|HTTP/1.1||Host| a||X|||||", true);
  check_exact("GET|/|HTTP/1.0||||", true);
  check_exact("GET|/|HTTP/1.1||Host| a|||", false);         /* LF as the empty line */
  check_exact("GET|/|HTTP/1.1||Host| a|X| b||||", false);   /* LF after a header */
  check_exact("GET|/|HTTP/1.1|Host| a||||", false);         /* LF after the first line */
  check_exact("GET|/|HTTP/1.1||Host| a||||| b||||", false); /* folded */
  check_exact("GET|/|HTTP/1.1|| Host| a||||", false);
  check_exact("GET|/|HTTP/1.1||Host| a|b||||", false); /* NUL in a value */
  check_exact("GET|/|HTTP/1.1||Host | a||||", false);
  check_exact("GET|/||HTTP/1.1||Host| a||||", false); /* NUL after the target */
  check_exact_after(1, "GET|/ |HTTP/1.1||Host| a||||", false);
  /* queries and %XX are decoded where they lie */
  check_exact_after(6, "GET|/a|b|c|HTTP/1.1||Host| a||||", true);
  check_exact_after(5, "GET|/ b|b|HTTP/1.1||Host| a||||", true);
  check_exact_after(5, "GET|/a|b|c|HTTP/1.1||Host| a||||", false);
  check_exact_after(7, "GET|/a|b|c|HTTP/1.1||Host| a||||", false);
  check_exact_after(99, "GET|/a|b|c|HTTP/1.1||Host| a||||", false);
  check_exact("G(T|/|HTTP/1.1||Host| a||||", false);
  check_exact("GET|/|HTTP/1.1||Host| a|||||", false); /* ":" CR LF as the empty line */
  check_exact("GET|/|HTTP/1.1||Host| a||", false);
  check_exact("GET|/|HTTP/1.1||Host", false);
  check_exact("GET|/", false);
  check_exact("", false);
}

static void test_ids(void **state) {
  (void)state;
  fn_field field = {fn_str_from("x-request-id"), fn_str_from("abc-1.2_X")};
  begin();
  x.request.headers = &field;
  x.request.n_headers = 1;
  fn_http_choose_id(&x);
  assert_string_equal(x.request.id, "abc-1.2_X");
  static const char *const refused[] = {"", "a b", "a\nb", "<x>",
                                        "00000000000000000000000000000000000000000000000000000000000000000"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    field.value = fn_str_from(refused[i]);
    fn_http_choose_id(&x);
    assert_int_equal(strlen(x.request.id), 32);
    assert_int_equal(strspn(x.request.id, "0123456789abcdef"), 32);
  }
  end();
}

static void test_media(void **state) {
  (void)state;
  fn_field fields[] = {{fn_str_from("CONTENT-TYPE"), fn_str_from("Application/JSON ; charset=utf-8")},
                       {fn_str_from("Accept"), fn_str_from("application/xhtml+xml, text/HTML;q=0.9 ,*/*")}};
  begin();
  x.request.headers = fields;
  x.request.n_headers = 2;
  assert_true(fn_str_equal_nocase(fn_request_media_type(&x.request), fn_str_from("application/json")));
  assert_true(fn_request_accepts(&x.request, "text/html"));
  assert_false(fn_request_accepts(&x.request, "application/json"));
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_targets), cmocka_unit_test(test_parameters),
                                     cmocka_unit_test(test_framing), cmocka_unit_test(test_heads),
                                     cmocka_unit_test(test_ids),     cmocka_unit_test(test_media)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
