/* Lines of what happens, and that a reader who stalls holds nobody up. */
#include "serve/access_log.h"

#include "base/json.h"
#include "serve/route.h"

#include "../test.h"

#include <fcntl.h>
#include <unistd.h>

static void check_trace(const char *name, const char *value, const char *expected) {
  const fn_field field = {fn_str_from(name), fn_str_from(value)};
  const fn_request r = {.headers = &field, .n_headers = 1};
  char trace[33];
  fn_access_log_trace(trace, &r);
  if (strcmp(trace, expected) != 0) fail_msg("%s: %s gives %s", name, value, trace);
}

static void test_traces(void **state) {
  (void)state;
  static const char id[] = "0af7651916cd43dd8448eb211c80319c";
  check_trace("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", id);
  check_trace("X-Cloud-Trace-Context", "0AF7651916CD43DD8448EB211C80319C/123;o=1", id);
  check_trace("X-Amzn-Trace-Id", "Self=1-1-1;Root=1-0af76519-16cd43dd8448eb211c80319c;Sampled=1", id);
  check_trace("traceparent", "00-0af7651916cd43dd8448eb211c80319c", "");
  check_trace("traceparent", "0af7651916cd43dd8448eb211c80319c", "");
  check_trace("X-Cloud-Trace-Context", "\"},\"severity\":\"x", "");
  check_trace("X-Amzn-Trace-Id", "Root=1-0af76519-16cd", "");
  check_trace("Other", id, "");
}

static void make_exchange(fn_exchange *x, const fn_field *field) {
  static const fn_route route = {.path = "/v1/predictions/{id}"};
  fn_exchange_init(x, NULL);
  x->route = &route;
  x->request =
      (fn_request){.method = FN_METHOD_POST, .headers = field, .n_headers = 1, .id = "r1", .client = "192.0.2.1"};
  x->request.path = fn_str_from("/v1/predictions/secret");
  x->request.body = fn_str_from("the text of an article");
  x->response.status = 404;
  memcpy(x->key_id, "k_1", 4);
}

static void test_json_line(void **state) {
  (void)state;
  const fn_field field = {fn_str_from("traceparent"),
                          fn_str_from("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")};
  fn_exchange x;
  fn_buf line;
  json_t *object;
  make_exchange(&x, &field);
  fn_buf_init(&line, 0);
  fn_access_log_format(&line, FN_LOG_JSON, "project-1", 1795718215747, FN_SEVERITY_WARNING, "not_found", "404", &x);
  assert_null(strstr(line.data, "secret"));
  assert_null(strstr(line.data, "article"));
  assert_ptr_equal(strchr(line.data, '\n'), line.data + line.length - 1);
  assert_int_equal(fn_json_parse(&object, fn_buf_str(&line), "line", NULL), FN_OK);
  static const char *const expected[][2] = {
      {"severity", "WARNING"},
      {"time", "2026-11-26T18:36:55.747Z"},
      {"code", "not_found"},
      {"message", "POST /v1/predictions/{id} 404"},
      {"trace", "0af7651916cd43dd8448eb211c80319c"},
      {"logging.googleapis.com/trace", "projects/project-1/traces/0af7651916cd43dd8448eb211c80319c"},
      {"request_id", "r1"},
      {"route", "/v1/predictions/{id}"},
      {"client", "192.0.2.1"},
      {"key", "k_1"}};
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    assert_string_equal(json_string_value(json_object_get(object, expected[i][0])), expected[i][1]);
  assert_int_equal(json_integer_value(json_object_get(object, "status")), 404);
  assert_true(json_is_real(json_object_get(object, "ms")));
  json_decref(object);
  fn_buf_reset(&line);
  fn_access_log_format(&line, FN_LOG_JSON, NULL, 0, FN_SEVERITY_INFO, "started", "two\nlines \"quoted\" \x01", NULL);
  assert_int_equal(fn_json_parse(&object, fn_buf_str(&line), "line", NULL), FN_OK);
  assert_string_equal(json_string_value(json_object_get(object, "message")), "two\nlines \"quoted\" \x01");
  json_decref(object);
  fn_buf_deinit(&line);
  fn_exchange_deinit(&x);
}

static void test_text_line(void **state) {
  (void)state;
  const fn_field field = {fn_str_from("a"), fn_str_from("b")};
  fn_exchange x;
  fn_buf line;
  make_exchange(&x, &field);
  fn_buf_init(&line, 0);
  fn_access_log_format(&line, FN_LOG_TEXT, NULL, 0, FN_SEVERITY_INFO, "started", "two\nlines \x1b[31m", NULL);
  assert_string_equal(line.data, "1970-01-01T00:00:00.000Z info started: two lines  [31m\n");
  fn_buf_reset(&line);
  fn_access_log_format(&line, FN_LOG_TEXT, NULL, 0, FN_SEVERITY_INFO, "not_found", "404", &x);
  assert_non_null(strstr(line.data, "info not_found: POST /v1/predictions/{id} 404 "));
  assert_non_null(strstr(line.data, " ms, client 192.0.2.1, key k_1, request r1\n"));
  fn_buf_deinit(&line);
  fn_exchange_deinit(&x);
}

static void test_levels(void **state) {
  (void)state;
  const fn_field field = {fn_str_from("a"), fn_str_from("b")};
  int ends[2];
  fn_exchange x;
  fn_access_log *log;
  char got[4096];
  assert_int_equal(pipe(ends), 0);
  const fn_access_log_options options = {
      .fd = ends[1], .format = FN_LOG_TEXT, .level = FN_SEVERITY_INFO, .requests = FN_LOG_ERRORS};
  assert_int_equal(fn_access_log_open(&log, &options, NULL), FN_OK);
  make_exchange(&x, &field);
  fn_access_log_event(log, FN_SEVERITY_DEBUG, "one", "", NULL);
  fn_access_log_event(log, FN_SEVERITY_INFO, "two", "", NULL);
  fn_access_log_event(log, FN_SEVERITY_INFO, "three", "", &x);
  x.response.status = 200;
  fn_access_log_event(log, FN_SEVERITY_INFO, "four", "", &x);
  fn_access_log_close(log);
  close(ends[1]);
  const ssize_t n = read(ends[0], got, sizeof got - 1);
  assert_true(n > 0);
  got[n] = '\0';
  assert_true(!strstr(got, "one") && strstr(got, "two") && strstr(got, "three") && !strstr(got, "four"));
  close(ends[0]);
  fn_exchange_deinit(&x);
}

/* Megabytes into a pipe that nobody reads: at once, then the oldest lines and word of what was lost. */
static void test_stalled_reader(void **state) {
  (void)state;
  int ends[2];
  fn_access_log *log;
  static char got[1 << 20];
  char message[201];
  size_t n = 0;
  memset(message, 'x', 200);
  message[200] = '\0';
  assert_int_equal(pipe(ends), 0);
  const fn_access_log_options options = {.fd = ends[1], .format = FN_LOG_TEXT};
  assert_int_equal(fn_access_log_open(&log, &options, NULL), FN_OK);
  const uint64_t begin = fn_clock_ns();
  for (int i = 0; i < 10000; i++) fn_access_log_event(log, FN_SEVERITY_INFO, "line", message, NULL);
  assert_true(fn_clock_ns() - begin < UINT64_C(60000000000)); /* a pipe that nobody reads is waited for for ever */
  assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  for (int i = 0; i < 6000 && strstr(got, "log_lost") == NULL; i++) {
    const ssize_t r = read(ends[0], got + n, sizeof got - 1 - n);
    if (r > 0)
      n += (size_t)r;
    else
      usleep(10000);
    got[n] = '\0';
  }
  assert_non_null(strstr(got, "warning log_lost: "));
  assert_true(n > (200 << 10) && n < (400 << 10));
  for (char *line = got; *line; line = strchr(line, '\n') + 1) assert_memory_equal(line, "20", 2); /* none is cut */
  fn_access_log_close(log);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_traces), cmocka_unit_test(test_json_line),
                                     cmocka_unit_test(test_text_line), cmocka_unit_test(test_levels),
                                     cmocka_unit_test(test_stalled_reader)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
