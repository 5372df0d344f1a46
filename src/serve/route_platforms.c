/* Shapes that serving platforms speak: MLflow and SageMaker (/invocations, /ping), Vertex AI (the same under the names
 * that it gives), Hugging Face (POST /). The labels are forced choices: the most probable one. */
#include "serve/items.h"
#include "serve/route_handlers.h"
#include "serve/serve.h"

#include <stdio.h>

enum { BAD_REQUEST = 400 };

/* ---- MLflow, SageMaker, Vertex AI */

static fn_progress read_split(fn_items *items, fn_exchange *x, const json_t *value, const char *key) {
  (void)key;
  return fn_items_read_split(items, x, value, BAD_REQUEST);
}
static fn_progress read_list(fn_items *items, fn_exchange *x, const json_t *value, const char *key) {
  return fn_items_read(items, x, value, key, BAD_REQUEST);
}

/* The key says the shape. A body has exactly one of them; params and parameters may stand beside it. */
static const struct {
  const char *key;
  fn_progress (*read)(fn_items *items, fn_exchange *x, const json_t *value, const char *key);
} shapes[] = {
    {"dataframe_split", read_split},
    {"dataframe_records", read_list},
    {"instances", read_list},
    {"inputs", read_list},
};

static fn_progress read_invocation(fn_items *items, fn_exchange *x) {
  json_t *body = NULL;
  fn_json_error error;
  const fn_status status = fn_items_parse(&body, x, &error);
  if (status == FN_E_NO_MEMORY) return fn_exchange_no_memory(x);
  if (status != FN_OK)
    return fn_exchange_fail(x, BAD_REQUEST, "no_json", "the body is no JSON: line %d, column %d: %s", error.line,
                            error.column, error.what);
  size_t found = FN_COUNT_OF(shapes), n_found = 0;
  for (size_t i = 0; i < FN_COUNT_OF(shapes); i++) {
    if (json_object_get(body, shapes[i].key) == NULL) continue;
    found = i;
    n_found++;
  }
  if (n_found != 1) {
    return fn_exchange_fail(x, BAD_REQUEST, "invalid",
                            "the body must be an object with exactly one of dataframe_split, dataframe_records, "
                            "instances and inputs");
  }
  return shapes[found].read(items, x, json_object_get(body, shapes[found].key), shapes[found].key);
}

fn_progress fn_handle_invocations(fn_exchange *x) {
  fn_items items = {0};
  if (read_invocation(&items, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_items_classify(&items, x, "the body", BAD_REQUEST);
}
fn_progress fn_handle_invocations_csv(fn_exchange *x) {
  fn_items items = {0};
  if (fn_items_read_csv(&items, x, x->request.body, BAD_REQUEST) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_items_classify(&items, x, "the body", BAD_REQUEST);
}
fn_progress fn_handle_invocations_lines(fn_exchange *x) {
  fn_items items = {0};
  if (fn_items_read_lines(&items, x, x->request.body, BAD_REQUEST) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_items_classify(&items, x, "the body", BAD_REQUEST);
}

static void write_prediction(fn_json_writer *w, const fn_prediction *p, const fn_classifier_info *info) {
  fn_json_object(w, NULL);
  fn_json_text(w, "label", info->labels[p->label]);
  fn_json_double(w, "score", p->probabilities[p->label]);
  fn_json_text(w, "verdict", fn_verdict_names[p->verdict]);
  fn_json_bool(w, "truncated", p->truncated);
  fn_json_end(w);
}

void fn_finish_invocations(fn_exchange *x) {
  const fn_job *job = x->job;
  const fn_classifier_info *info = fn_engine_get_info(job->engine);
  fn_json_writer w;
  if (!fn_items_all_answered(x, BAD_REQUEST)) return;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_array(&w, "predictions");
  for (size_t i = 0; i < job->n; i++) write_prediction(&w, &job->predictions[i], info);
  fn_json_end(&w);
  fn_json_end(&w);
  (void)fn_exchange_json(x, 200);
}

/* SageMaker's batch transform puts answers together by line. */
void fn_finish_invocations_lines(fn_exchange *x) {
  const fn_job *job = x->job;
  const fn_classifier_info *info = fn_engine_get_info(job->engine);
  if (!fn_request_accepts(&x->request, "application/jsonlines")) {
    fn_finish_invocations(x);
    return;
  }
  if (!fn_items_all_answered(x, BAD_REQUEST)) return;
  for (size_t i = 0; i < job->n; i++) {
    fn_json_writer w;
    fn_json_begin(&w, &x->response.body, 0);
    write_prediction(&w, &job->predictions[i], info);
    fn_buf_append_char(&x->response.body, '\n');
  }
  (void)fn_exchange_json(x, 200);
  if (x->response.status == 200) x->response.content_type = "application/jsonlines";
}

fn_progress fn_handle_ping(fn_exchange *x) {
  if (fn_server_is_draining(x->server)) return fn_exchange_fail(x, 503, "draining", "the server is about to end");
  fn_buf_append_char(&x->response.body, '\n');
  x->response.status = 200;
  x->response.content_type = "text/plain; charset=utf-8";
  return FN_EXCHANGE_DONE;
}

fn_progress fn_handle_version(fn_exchange *x) {
  fn_buf_append_str(&x->response.body, fn_server_get_options(x->server)->version);
  x->response.status = 200;
  x->response.content_type = "text/plain; charset=utf-8";
  return FN_EXCHANGE_DONE;
}

/* ---- Hugging Face */

fn_progress fn_handle_huggingface(fn_exchange *x) {
  json_t *body = NULL;
  fn_json_error error;
  fn_items items = {0};
  const fn_status status = fn_items_parse(&body, x, &error);
  if (status == FN_E_NO_MEMORY) return fn_exchange_no_memory(x);
  if (status != FN_OK)
    return fn_exchange_fail(x, BAD_REQUEST, "no_json", "the body is no JSON: line %d, column %d: %s", error.line,
                            error.column, error.what);
  const json_t *inputs = json_object_get(body, "inputs"), *parameters = json_object_get(body, "parameters");
  if (inputs == NULL) return fn_exchange_fail(x, BAD_REQUEST, "invalid", "the body must be an object with \"inputs\"");
  const json_t *top = json_object_get(parameters, "top_k");
  if (top != NULL && !json_is_null(top) && (!json_is_integer(top) || json_integer_value(top) < 1))
    return fn_exchange_fail(x, BAD_REQUEST, "invalid", "parameters.top_k must be a whole number from 1 up");
  int64_t *top_k = fn_arena_alloc(&x->arena, 1, sizeof *top_k);
  if (top_k == NULL) return fn_exchange_no_memory(x);
  *top_k = json_is_integer(top) ? json_integer_value(top) : INT64_MAX;
  x->state = top_k;
  if (fn_items_read(&items, x, inputs, "inputs", BAD_REQUEST) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_items_classify(&items, x, "inputs", BAD_REQUEST);
}

/* All labels, the most probable one first. */
static void write_scores(fn_json_writer *w, const fn_prediction *p, const fn_classifier_info *info, int64_t top_k) {
  bool written[FN_INFER_MAX_LABELS] = {false};
  fn_json_array(w, NULL);
  for (int32_t n = 0; n < info->n_labels && n < top_k; n++) {
    int32_t best = -1;
    for (int32_t k = 0; k < info->n_labels; k++) {
      if (!written[k] && (best < 0 || p->probabilities[k] > p->probabilities[best])) best = k;
    }
    written[best] = true;
    fn_json_object(w, NULL);
    fn_json_text(w, "label", info->labels[best]);
    fn_json_double(w, "score", p->probabilities[best]);
    fn_json_end(w);
  }
  fn_json_end(w);
}

void fn_finish_huggingface(fn_exchange *x) {
  const fn_job *job = x->job;
  const fn_classifier_info *info = fn_engine_get_info(job->engine);
  fn_json_writer w;
  if (!fn_items_all_answered(x, BAD_REQUEST)) return;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_array(&w, NULL);
  for (size_t i = 0; i < job->n; i++) write_scores(&w, &job->predictions[i], info, *(const int64_t *)x->state);
  fn_json_end(&w);
  (void)fn_exchange_json(x, 200);
}
