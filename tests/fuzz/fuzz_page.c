/* Any JSON in the place of an answer, with any title and text, is drawn without reading outside of them, and what they
 * hold never becomes a tag: the templates have none that begins with x. */
#include "base/json.h"
#include "fuzz.h"
#include "serve/page.h"
#include "serve/page_view.h"

#include <math.h>

static fn_str text_of(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return fn_str_make(json_string_value(value), json_string_length(value));
}

static void draw(const json_t *input) {
  static const fn_page_frame frame = {.root = "./", .name = "check", .title = "t", .can_remark = true};
  FN_AUTO_BUF fn_buf text, out;
  FN_AUTO_JSON json_t *view = NULL;
  const json_t *answer = json_object_get(input, "answer"), *model = json_object_get(input, "model");
  fn_json_writer w;
  fn_err err = {0};
  fn_buf_init(&text, 16 << 20);
  fn_buf_init(&out, 16 << 20);
  fn_json_begin(&w, &text, 0);
  fn_json_object(&w, NULL);
  fn_page_view_frame(&w, &frame);
  fn_page_view_priors(&w, json_number_value(json_object_get(answer, "prior")));
  fn_json_bool(&w, "takes_prior", true);
  fn_page_view_card(&w, model);
  fn_page_view_answer(&w, answer, text_of(input, "title"), text_of(input, "text"), model);
  fn_json_end(&w);
  if (text.failed) return;
  FUZZ_CHECK(fn_json_parse(&view, fn_buf_str(&text), "view", &err) == FN_OK);
  FUZZ_CHECK(fn_page_render(&out, "result", view, &err) == FN_OK || out.failed);
  FUZZ_CHECK(fn_page_render(&out, "card", view, &err) == FN_OK || out.failed);
  if (!out.failed) FUZZ_CHECK(strstr(out.data, "<x") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FN_AUTO_JSON json_t *input = NULL;
  fn_json_error error;
  if (fn_json_read(&input, fn_str_make((const char *)data, size), FN_JSON_LARGE_AS_REAL, &error) == FN_OK) draw(input);
  return 0;
}
