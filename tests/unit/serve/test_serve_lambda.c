/* Events of AWS Lambda as requests and responses as answers, and how long an answer of the Runtime API is. */
#include "base/base64.h"
#include "base/json.h"
#include "serve/lambda_client.h"
#include "serve/lambda_event.h"

#include <stdio.h>
#include <unistd.h>

#include "../test.h"

static void test_base64(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}}; /* RFC 4648, 10 */
  static const char *const wrong[] = {
      "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Z===", "Zm-_"};
  for (size_t i = 0; i < FN_COUNT_OF(pairs); i++) {
    FN_AUTO_BUF fn_buf a, b;
    fn_buf_init(&a, 0);
    fn_buf_init(&b, 0);
    fn_base64_encode(&a, fn_str_from(pairs[i][0]));
    assert_true(fn_str_is(fn_buf_str(&a), pairs[i][1]));
    assert_true(fn_base64_decode(&b, fn_str_from(pairs[i][1])));
    assert_true(fn_str_is(fn_buf_str(&b), pairs[i][0]));
  }
  for (size_t i = 0; i < FN_COUNT_OF(wrong); i++) {
    FN_AUTO_BUF fn_buf out;
    fn_buf_init(&out, 0);
    fn_buf_append_str(&out, "kept");
    assert_false(fn_base64_decode(&out, fn_str_from(wrong[i])));
    assert_true(fn_str_is(fn_buf_str(&out), "kept"));
  }
}

/* An event that was read; x is the caller's to deinit. */
static fn_lambda_event read_event(fn_exchange *x, const char *json) {
  fn_lambda_event event;
  fn_err err = {0};
  fn_exchange_init(x, NULL);
  assert_ok(fn_lambda_event_read(&event, x, fn_str_from(json), "Root=1", &err));
  return event;
}

static void test_paths(void **state) {
  (void)state;
#define HTTP "{\"version\":\"2.0\",\"requestContext\":{\"stage\":\"st\",\"http\":{\"method\":\"GET\"}},"
#define REST "{\"httpMethod\":\"GET\",\"requestContext\":{\"stage\":\"st\"},"
  static const char *const cases[][2] = {
      {HTTP "\"rawPath\":\"/st/a/b\"}", "/a/b"},
      {HTTP "\"rawPath\":\"/st\"}", "/"},
      {HTTP "\"rawPath\":\"/st/\"}", "/"},
      {HTTP "\"rawPath\":\"/stx/a\"}", "/stx/a"},
      {HTTP "\"rawPath\":\"/a%2fb%20c\"}", "/a/b c"},
      {HTTP "\"rawPath\":\"/a%\"}", "/a%"},
      {HTTP "\"rawPath\":\"/st/base/p/q/\",\"routeKey\":\"ANY /{proxy+}\",\"pathParameters\":{\"proxy\":\"p/q\"}}",
       "/p/q/"},
      {HTTP "\"rawPath\":\"/base/p\",\"routeKey\":\"ANY /base/{proxy+}\",\"pathParameters\":{\"proxy\":\"p\"}}",
       "/base/p"},
      {REST "\"path\":\"/st/a\"}", "/st/a"},
      {REST "\"path\":\"/base/p/q\",\"resource\":\"/{proxy+}\",\"pathParameters\":{\"proxy\":\"p/q\"}}", "/p/q"},
      {REST "\"path\":\"/base/p/\",\"resource\":\"/{proxy+}\",\"pathParameters\":{\"proxy\":\"p/\"}}", "/p/"},
      {REST "\"path\":\"/base/p\",\"resource\":\"/{proxy+}\",\"pathParameters\":{\"proxy\":\"elsewhere/p\"}}",
       "/base/p"},
      {REST "\"path\":\"/x\",\"resource\":\"/{proxy+}\",\"pathParameters\":null}", "/x"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_exchange x;
    read_event(&x, cases[i][0]);
    if (!fn_str_is(x.request.path, cases[i][1]))
      fail_msg("%s: %.*s", cases[i][0], (int)x.request.path.length, x.request.path.data);
    assert_int_equal(x.response.status, 0);
    fn_exchange_deinit(&x);
  }
}

static void check_header(const fn_exchange *x, const char *name, const char *value) {
  assert_true(fn_str_is(fn_request_header(&x->request, name), value));
}

static void test_fields(void **state) {
  (void)state;
  fn_exchange x;
  fn_lambda_event event = read_event(
      &x, "{\"rawPath\":\"/\",\"rawQueryString\":\"a=1&b=x%20+y\",\"cookies\":[\"a=b\",\"c=d\"],\"headers\":{\"x\":"
          "\"1,2\"},\"requestContext\":{\"http\":{\"method\":\"HEAD\",\"sourceIp\":\"203.0.113.7\"}}}");
  assert_int_equal(event.kind, FN_LAMBDA_HTTP);
  check_header(&x, "cookie", "a=b; c=d");
  check_header(&x, "X", "1,2");
  check_header(&x, "X-Amzn-Trace-Id", "Root=1");
  assert_true(fn_str_is(fn_request_parameter(&x.request, "b"), "x  y"));
  assert_true(x.request.is_head && x.request.is_secure && x.request.method == FN_METHOD_GET);
  assert_string_equal(x.request.client, "203.0.113.7");
  fn_exchange_deinit(&x);
  event = read_event(
      &x, "{\"httpMethod\":\"POST\",\"path\":\"/\",\"requestContext\":{\"elb\":{}},\"queryStringParameters\":"
          "{\"a\":\"x%20y\",\"b\":null},\"headers\":{\"X-Forwarded-For\":\"10.0.0.1, 203.0.113.8\","
          "\"X-Forwarded-Proto\":\"http\",\"x-amzn-trace-id\":\"Root=2\"},\"body\":\"\"}");
  assert_int_equal(event.kind, FN_LAMBDA_BALANCER);
  assert_false(event.multi_value);
  check_header(&x, "X-Amzn-Trace-Id", "Root=2");
  assert_true(fn_str_is(fn_request_parameter(&x.request, "a"), "x y"));
  assert_null(fn_request_parameter(&x.request, "b").data);
  assert_string_equal(x.request.client, "203.0.113.8");
  assert_false(x.request.is_secure);
  fn_exchange_deinit(&x);
  event =
      read_event(&x, "{\"httpMethod\":\"GET\",\"path\":\"/\",\"multiValueQueryStringParameters\":{\"a\":[\"x%20y\"]},"
                     "\"requestContext\":{\"identity\":{\"sourceIp\":\"203.0.113.9\"}}}");
  assert_true(event.multi_value);
  assert_true(fn_str_is(fn_request_parameter(&x.request, "a"), "x%20y")); /* decoded by the gateway already */
  assert_string_equal(x.request.client, "203.0.113.9");
  fn_exchange_deinit(&x);
}

/* What a handler would leave. */
static void respond(fn_exchange *x, const char *type, const char *bytes, size_t length) {
  x->response.status = 200;
  x->response.content_type = type;
  fn_buf_append(&x->response.body, bytes, length);
  fn_response_header(&x->response, "Set-Cookie", "a=1");
  fn_response_header(&x->response, "Set-Cookie", "b=2");
  fn_response_header(&x->response, "Vary", "Accept");
  fn_response_header(&x->response, "Vary", "Cookie");
}

static json_t *answer(const char *event_json, const char *type, const char *bytes, size_t length) {
  fn_exchange x;
  fn_json_error error;
  json_t *value = NULL;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  const fn_lambda_event event = read_event(&x, event_json);
  respond(&x, type, bytes, length);
  assert_true(fn_lambda_event_answer(&out, &event, &x));
  assert_int_equal(fn_json_read(&value, fn_buf_str(&out), 0, &error), FN_OK);
  fn_exchange_deinit(&x);
  return value;
}

static const char *header_of(const json_t *answer, const char *name) {
  return json_string_value(json_object_get(json_object_get(answer, "headers"), name));
}
static const char *entry(const json_t *list, size_t i) {
  const char *text = json_string_value(json_array_get(list, i));
  return text != NULL ? text : "";
}

static void test_answers(void **state) {
  (void)state;
  json_t *a = answer(HTTP "\"rawPath\":\"/\"}", "text/html; charset=utf-8", "\xc3\xa4", 2);
  assert_string_equal(header_of(a, "Vary"), "Accept, Cookie");
  assert_null(header_of(a, "Set-Cookie"));
  assert_string_equal(entry(json_object_get(a, "cookies"), 1), "b=2");
  assert_string_equal(json_string_value(json_object_get(a, "body")), "\xc3\xa4");
  assert_true(json_is_false(json_object_get(a, "isBase64Encoded")));
  json_decref(a);
  a = answer(REST "\"path\":\"/\"}", "image/png", "\x89P", 2);
  const json_t *lists = json_object_get(a, "multiValueHeaders");
  assert_string_equal(entry(json_object_get(lists, "Set-Cookie"), 0), "a=1");
  assert_string_equal(entry(json_object_get(lists, "Set-Cookie"), 1), "b=2");
  assert_string_equal(json_string_value(json_object_get(a, "body")), "iVA=");
  assert_true(json_is_true(json_object_get(a, "isBase64Encoded")));
  json_decref(a);
  a = answer("{\"httpMethod\":\"GET\",\"path\":\"/\",\"requestContext\":{\"elb\":{}},\"headers\":{}}", "text/csv",
             "\xff", 1);
  assert_string_equal(header_of(a, "Set-Cookie"), "b=2");
  assert_string_equal(json_string_value(json_object_get(a, "body")), "/w=="); /* no UTF-8, whatever its type says */
  json_decref(a);
  a = answer("{\"title\":\"a\"}", "text/plain", "words", 5);
  assert_string_equal(json_string_value(a), "words");
  json_decref(a);
}

static void test_answer_in_a_file(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("a,b\n1,2\n", file);
    fflush(file);
    fn_exchange x;
    FN_AUTO_BUF fn_buf out;
    fn_buf_init(&out, 0);
    const fn_lambda_event event = read_event(&x, HTTP "\"rawPath\":\"/\"}");
    x.response = (fn_response){.status = 200, .content_type = "text/csv", .fd = dup(fileno(file)), .fd_bytes = 8};
    if (i == 1) x.response.fd_bytes = (uint64_t)FN_LAMBDA_MAX_ANSWER + 1;
    fn_buf_init(&x.response.body, 0);
    assert_true(fn_lambda_event_answer(&out, &event, &x));
    assert_contains(out.data, i == 0 ? "\"body\": \"a,b\\n1,2\\n\"" : "\"statusCode\": 413");
    assert_int_equal(x.response.fd, -1);
    fclose(file);
    fn_exchange_deinit(&x);
  }
}

static void test_framing(void **state) {
  (void)state;
  fn_lambda_framing f;
  fn_err err = {0};
#define OK "HTTP/1.1 200 OK\r\n"
  assert_ok(fn_lambda_framing_parse(&f, fn_str_from(OK "content-length: 12\r\nConnection: close\r\n\r\n"), &err));
  assert_true(f.status == 200 && f.has_length && f.length == 12 && f.closes && !f.chunked && f.lines == strlen(OK));
  assert_ok(fn_lambda_framing_parse(&f, fn_str_from("HTTP/1.1 202 \r\nTransfer-Encoding: chunked\r\n\r\n"), &err));
  assert_true(f.status == 202 && f.chunked && !f.closes);
  static const char *const wrong[] = {"",
                                      "HTTP/2 200 OK\r\n\r\n",
                                      "HTTP/1.1 20 OK\r\n\r\n",
                                      "HTTP/1.1 999 OK\r\n\r\n",
                                      OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
                                      OK "Content-Length: -1\r\n\r\n",
                                      OK "Content-Length: 99999999999\r\n\r\n",
                                      OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                                      OK "Transfer-Encoding: gzip\r\n\r\n"};
  for (size_t i = 0; i < FN_COUNT_OF(wrong); i++)
    assert_status(fn_lambda_framing_parse(&f, fn_str_from(wrong[i]), &err), FN_E_INVALID);
}

static void test_addresses(void **state) {
  (void)state;
  fn_lambda_client c;
  fn_err err = {0};
  static const char *const right[] = {"127.0.0.1:9001", "localhost:1", "[::1]:65535"};
  static const char *const wrong[] = {"",      ":",      "127.0.0.1", "127.0.0.1:",   "127.0.0.1:0", "127.0.0.1:65536",
                                      "a.b:1", "::1:80", "[::1:80",   "127.0.0.1:80 "};
  for (size_t i = 0; i < FN_COUNT_OF(right); i++) assert_ok(fn_lambda_client_init(&c, right[i], -1, &err));
  for (size_t i = 0; i < FN_COUNT_OF(wrong); i++)
    assert_status(fn_lambda_client_init(&c, wrong[i], -1, &err), FN_E_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_base64),           cmocka_unit_test(test_paths),
                                     cmocka_unit_test(test_fields),           cmocka_unit_test(test_answers),
                                     cmocka_unit_test(test_answer_in_a_file), cmocka_unit_test(test_framing),
                                     cmocka_unit_test(test_addresses)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
