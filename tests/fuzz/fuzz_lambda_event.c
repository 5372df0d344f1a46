/* Events of AWS Lambda: whatever comes, a request that is let through has the form that routes rely on, and what is
 * answered is JSON that gives the body back, byte by byte, within the bound. */
#include "base/base64.h"
#include "base/json.h"
#include "fuzz.h"
#include "serve/lambda_event.h"

#include <string.h>

static void check_request(const fn_request *r) {
  FUZZ_CHECK(r->path.length > 0 && r->path.data[0] == '/' && fn_utf8_valid(r->path, NULL));
  FUZZ_CHECK(memchr(r->path.data, '\0', r->path.length) == NULL);
  FUZZ_CHECK(r->method != 0 && r->body.data != NULL);
  FUZZ_CHECK(memchr(r->client, '\0', sizeof r->client) != NULL);
  for (size_t i = 0; i < r->n_headers; i++) {
    FUZZ_CHECK(r->headers[i].name.length > 0);
    FUZZ_CHECK(memchr(r->headers[i].value.data, '\n', r->headers[i].value.length) == NULL);
  }
}

static json_t *parse(const fn_buf *text) {
  json_t *value = NULL;
  fn_json_error error;
  FUZZ_CHECK(!text->failed && fn_json_read(&value, fn_buf_str(text), 0, &error) == FN_OK);
  return value;
}

/* The answer's body is that of the response. */
static void check_body(const json_t *answer, fn_str wanted) {
  const json_t *body = json_object_get(answer, "body");
  FUZZ_CHECK(json_is_string(body));
  const fn_str text = fn_str_make(json_string_value(body), json_string_length(body));
  if (json_is_false(json_object_get(answer, "isBase64Encoded"))) {
    FUZZ_CHECK(fn_str_equal(text, wanted));
    return;
  }
  FN_AUTO_BUF fn_buf decoded;
  fn_buf_init(&decoded, 0);
  FUZZ_CHECK(fn_base64_decode(&decoded, text));
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&decoded), wanted));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 14) return 0;
  /* A copy of exactly this size, so that a read beyond it is found. */
  char *copy = malloc(size + 1);
  FUZZ_CHECK(copy != NULL);
  memcpy(copy, data, size);
  fn_exchange x;
  fn_lambda_event event = {.kind = FN_LAMBDA_DIRECT};
  fn_exchange_init(&x, NULL);
  const fn_status status = fn_lambda_event_read(&event, &x, fn_str_make(copy, size), "Root=1", NULL);
  FUZZ_CHECK(status == FN_OK || status == FN_E_INVALID);
  if (status == FN_OK && x.response.status == 0) {
    check_request(&x.request);
    static const char *const types[] = {"text/html", "application/json", "image/png", NULL};
    x.response.status = 200;
    x.response.content_type = types[x.request.path.length % 4];
    if (event.kind == FN_LAMBDA_DIRECT) x.response.content_type = "text/plain";
    fn_response_header(&x.response, "Set-Cookie", "a");
    fn_response_header(&x.response, "Set-Cookie", "b");
    fn_buf_append(&x.response.body, x.request.body.data, x.request.body.length);
  } else if (status != FN_OK) {
    (void)fn_exchange_fail(&x, 400, "bad_event", "no");
  }
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  const bool answered = fn_lambda_event_answer(&out, &event, &x);
  json_t *answer = parse(&out);
  FUZZ_CHECK(answered || (event.kind == FN_LAMBDA_DIRECT && x.response.status >= 400));
  if (event.kind != FN_LAMBDA_DIRECT)
    check_body(answer, x.request.is_head ? fn_str_from("") : fn_buf_str(&x.response.body));
  json_decref(answer);
  fn_exchange_deinit(&x);
  free(copy);
  return 0;
}
