/* Routes of the two predecessors, for their clients: /predict_single/, /predict/ (JSON here, CSV in route_csv.c) and
 * /info. Their answers are forced choices, so `prediction` and `label` are the most probable label and
 * not a verdict, which may be "unsure". */
#include "serve/answer_json.h"
#include "serve/items.h"
#include "serve/route_handlers.h"
#include "serve/serve.h"
#include "serve/validation.h"

#include <ctype.h>
#include <stdio.h>

enum { REFUSED = 422 };

static fn_progress read_body(json_t **value_out, fn_exchange *x) {
  fn_json_error error;
  if (x->request.body.length == 0)
    return fn_validation_fail(
        x, &(fn_validation_error){.kind = FN_VALIDATION_MISSING, .loc = {"body", NULL}, .index = -1});
  const fn_status status = fn_items_parse(value_out, x, &error);
  if (status == FN_E_NO_MEMORY) return fn_exchange_no_memory(x);
  if (status == FN_OK) return FN_EXCHANGE_PENDING;
  return fn_validation_fail(
      x, &(fn_validation_error){
             .kind = FN_VALIDATION_NO_JSON, .loc = {"body", NULL}, .index = (int64_t)error.at, .text = error.what});
}

static fn_str string_of(const json_t *value) {
  return fn_str_make(json_string_value(value), json_string_length(value));
}

static fn_progress refuse(fn_exchange *x, fn_validation kind, const char *key, int64_t index, const json_t *input) {
  return fn_validation_fail(x,
                            &(fn_validation_error){.kind = kind, .loc = {"body", key}, .index = index, .input = input});
}

/* ---- POST /predict_single/ */

fn_progress fn_handle_predict_single(fn_exchange *x) {
  json_t *body = NULL;
  if (read_body(&body, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (!json_is_object(body)) return refuse(x, FN_VALIDATION_OBJECT, NULL, -1, body);
  const json_t *title = json_object_get(body, "title");
  if (title == NULL) return refuse(x, FN_VALIDATION_MISSING, "title", -1, body);
  if (!json_is_string(title)) return refuse(x, FN_VALIDATION_STRING, "title", -1, title);
  if (fn_str_trim(string_of(title)).length == 0) return refuse(x, FN_VALIDATION_EMPTY, "title", -1, title);
  fn_items items = {0};
  if (fn_items_add(&items, x, string_of(title), fn_str_from(""), "title", REFUSED) == FN_EXCHANGE_DONE)
    return FN_EXCHANGE_DONE;
  return fn_items_classify(&items, x, "title", REFUSED);
}

void fn_finish_predict_single(fn_exchange *x) {
  const fn_job *job = x->job;
  fn_json_writer w;
  if (!fn_items_all_answered(x, REFUSED)) return;
  fn_json_begin(&w, &x->response.body, 0);
  fn_title_answer_json(&w, job->articles[0].title, &job->predictions[0], fn_engine_get_info(job->engine));
  (void)fn_exchange_json(x, 200);
}

/* ---- POST /predict with JSON */

/* {"Text": …} or, as an older client sent it, {"text": …}; a string, a list of strings, or such a list alone. */
fn_progress fn_handle_predict_text(fn_exchange *x) {
  json_t *body = NULL;
  const char *key = NULL;
  if (read_body(&body, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  const json_t *texts = body;
  if (json_is_object(body)) {
    key = json_object_get(body, "Text") == NULL && json_object_get(body, "text") != NULL ? "text" : "Text";
    texts = json_object_get(body, key);
    if (texts == NULL) return refuse(x, FN_VALIDATION_MISSING, key, -1, body);
  } else if (!json_is_array(body)) {
    return refuse(x, FN_VALIDATION_OBJECT, NULL, -1, body);
  }
  const bool is_list = json_is_array(texts);
  const size_t n = is_list ? json_array_size(texts) : 1;
  fn_items items = {0};
  for (size_t i = 0; i < n; i++) {
    const json_t *text = is_list ? json_array_get(texts, i) : texts;
    const int64_t index = is_list ? (int64_t)i : -1;
    if (!json_is_string(text)) return refuse(x, FN_VALIDATION_STRING, key, index, text);
    if (fn_str_trim(string_of(text)).length == 0) return refuse(x, FN_VALIDATION_EMPTY, key, index, text);
    if (fn_items_add(&items, x, fn_str_from(""), string_of(text), "Text", REFUSED) == FN_EXCHANGE_DONE)
      return FN_EXCHANGE_DONE;
  }
  return fn_items_classify(&items, x, "Text", REFUSED);
}

/* "Fake", "Real", as the first predecessor's model called them. */
static void write_label(fn_json_writer *w, const fn_classifier_info *info, int32_t label) {
  char name[128];
  if (info->n_labels == 2 && info->fake >= 0) {
    fn_json_text(w, "label", label == info->fake ? "Fake" : "Real");
    return;
  }
  snprintf(name, sizeof name, "%s", info->labels[label]);
  name[0] = (char)toupper((unsigned char)name[0]);
  fn_json_text(w, "label", name);
}

void fn_finish_predict_text(fn_exchange *x) {
  const fn_job *job = x->job;
  const fn_classifier_info *info = fn_engine_get_info(job->engine);
  fn_json_writer w;
  if (!fn_items_all_answered(x, REFUSED)) return;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_array(&w, NULL);
  for (size_t i = 0; i < job->n; i++) {
    const fn_prediction *p = &job->predictions[i];
    fn_json_object(&w, NULL);
    write_label(&w, info, p->label);
    fn_json_double(&w, "score", p->probabilities[p->label]);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  (void)fn_exchange_json(x, 200);
}

/* ---- GET /info */

static void append_card(fn_buf *out, const fn_classifier_info *info) {
  static const char *const keys[] = {"summary", "limits", "not_to_be_used_for"};
  static const char *const before[] = {" ", " It ", " Not to be used for: "};
  json_t *card = NULL;
  fn_json_error error;
  if (info->card == NULL || fn_json_read(&card, fn_str_from(info->card), FN_JSON_LARGE_AS_REAL, &error) != FN_OK)
    return;
  for (size_t i = 0; i < FN_COUNT_OF(keys); i++) {
    const char *value = json_string_value(json_object_get(card, keys[i]));
    if (value == NULL || value[0] == '\0') continue;
    fn_buf_append_str(out, before[i]);
    fn_buf_append_str(out, value);
    if (value[strlen(value) - 1] != '.') fn_buf_append_char(out, '.');
  }
  json_decref(card);
}

fn_progress fn_handle_info(fn_exchange *x) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_engine *engine = fn_server_engine(x->server);
  const fn_classifier_info *info = fn_engine_get_info(engine);
  const int32_t max_tokens = fn_session_max_tokens(fn_engine_session(engine, 0));
  fn_buf_printf(&text, "fakenews %s answers with model %s (%s).", fn_server_get_options(x->server)->version, info->id,
                info->family);
  append_card(&text, info);
  if (max_tokens > 0)
    fn_buf_printf(&text, " It reads up to %d tokens of an article; longer ones are cut there, and the answer says so.",
                  (int)max_tokens);
  fn_buf_append_str(&text, " /docs lists the routes.");
  fn_engine_unref(engine);
  if (text.failed) return fn_exchange_no_memory(x);
  fn_buf_append_json(&x->response.body, fn_buf_str(&text));
  return fn_exchange_json(x, 200);
}
