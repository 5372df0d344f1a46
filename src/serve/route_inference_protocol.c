/* Open Inference Protocol, version 2 (KServe, Triton): /v2…. Titles and texts are tensors of BYTES of shape [n] or
 * [n,1]; answers are label (BYTES, [n]) and probabilities (FP64, [n, labels]). */
#include "serve/items.h"
#include "serve/route_handlers.h"
#include "serve/serve.h"

#include <stdio.h>

enum { BAD_REQUEST = 400 };

/* Segment i of a path, from 0: /v2/models/NAME is 0 v2, 1 models, 2 NAME. */
static fn_str segment(fn_str path, size_t i) {
  for (;;) {
    path = fn_str_make(path.data + 1, path.length - 1);
    const char *end = path.length > 0 ? memchr(path.data, '/', path.length) : NULL;
    const size_t n = end != NULL ? (size_t)(end - path.data) : path.length;
    if (i-- == 0) return fn_str_make(path.data, n);
    if (end == NULL) return (fn_str){NULL, 0};
    path = fn_str_make(end, path.length - n);
  }
}

/* "name@version" is the id. */
static void split_id(fn_str *name_out, fn_str *version_out, const fn_classifier_info *info) {
  const char *at = strrchr(info->id, '@');
  *name_out = at != NULL ? fn_str_make(info->id, (size_t)(at - info->id)) : fn_str_from(info->id);
  *version_out = fn_str_from(at != NULL ? at + 1 : "1");
}

/* The model in service under its own name, or as "fakenews", which stays when it is exchanged. */
static fn_progress check_model(fn_exchange *x, const fn_classifier_info *info) {
  fn_str name, version;
  split_id(&name, &version, info);
  const fn_str asked = segment(x->request.path, 2);
  const bool is_versioned = fn_str_is(segment(x->request.path, 3), "versions");
  if (!fn_str_equal(asked, name) && !fn_str_is(asked, "fakenews") && !fn_str_is(asked, info->id))
    return fn_exchange_fail(x, 404, "not_found", "there is no model %.*s; %.*s is in service", (int)asked.length,
                            asked.data, (int)name.length, name.data);
  if (is_versioned && !fn_str_equal(segment(x->request.path, 4), version))
    return fn_exchange_fail(x, 404, "not_found", "model %.*s has version %.*s only", (int)name.length, name.data,
                            (int)version.length, version.data);
  return FN_EXCHANGE_PENDING;
}

fn_progress fn_handle_v2(fn_exchange *x) {
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "name", "fakenews");
  fn_json_text(&w, "version", fn_server_get_options(x->server)->version);
  fn_json_array(&w, "extensions");
  fn_json_end(&w);
  fn_json_end(&w);
  return fn_exchange_json(x, 200);
}

static fn_progress tell(fn_exchange *x, const char *key, bool value) {
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_bool(&w, key, value);
  fn_json_end(&w);
  return fn_exchange_json(x, value ? 200 : 503);
}
fn_progress fn_handle_v2_live(fn_exchange *x) {
  return tell(x, "live", true);
}
fn_progress fn_handle_v2_ready(fn_exchange *x) {
  return tell(x, "ready", !fn_server_is_draining(x->server));
}

static void write_tensor(fn_json_writer *w, const char *name, const char *type, int64_t columns) {
  fn_json_object(w, NULL);
  fn_json_text(w, "name", name);
  fn_json_text(w, "datatype", type);
  fn_json_array(w, "shape");
  fn_json_int(w, NULL, -1);
  if (columns > 0) fn_json_int(w, NULL, columns);
  fn_json_end(w);
  fn_json_end(w);
}

static void write_metadata(fn_json_writer *w, const fn_classifier_info *info) {
  fn_str name, version;
  split_id(&name, &version, info);
  fn_json_object(w, NULL);
  fn_json_str(w, "name", name);
  fn_json_array(w, "versions");
  fn_json_str(w, NULL, version);
  fn_json_end(w);
  fn_json_text(w, "platform", "fakenews");
  fn_json_array(w, "inputs");
  write_tensor(w, "title", "BYTES", 0);
  write_tensor(w, "text", "BYTES", 0);
  fn_json_end(w);
  fn_json_array(w, "outputs");
  write_tensor(w, "label", "BYTES", 0);
  write_tensor(w, "probabilities", "FP64", info->n_labels);
  fn_json_end(w);
  fn_json_end(w);
}

fn_progress fn_handle_v2_model(fn_exchange *x) {
  fn_engine *engine = fn_server_engine(x->server);
  const fn_classifier_info *info = fn_engine_get_info(engine);
  fn_progress progress = check_model(x, info);
  if (progress == FN_EXCHANGE_PENDING) {
    fn_json_writer w;
    fn_json_begin(&w, &x->response.body, 0);
    write_metadata(&w, info);
    progress = fn_exchange_json(x, 200);
  }
  fn_engine_unref(engine);
  return progress;
}

fn_progress fn_handle_v2_model_ready(fn_exchange *x) {
  fn_engine *engine = fn_server_engine(x->server);
  const fn_classifier_info *info = fn_engine_get_info(engine);
  fn_progress progress = check_model(x, info);
  if (progress == FN_EXCHANGE_PENDING) {
    const bool ready = !fn_server_is_draining(x->server);
    fn_str name, version;
    fn_json_writer w;
    split_id(&name, &version, info);
    fn_json_begin(&w, &x->response.body, 0);
    fn_json_object(&w, NULL);
    fn_json_str(&w, "name", name);
    fn_json_bool(&w, "ready", ready);
    fn_json_end(&w);
    progress = fn_exchange_json(x, ready ? 200 : 503);
  }
  fn_engine_unref(engine);
  return progress;
}

/* ---- infer */

typedef struct infer_request {
  const char *id;   /* of the client; NULL */
  bool wants_label; /* outputs that were asked for; without a list all of them */
  bool wants_probabilities;
} infer_request;

/* The strings of a tensor, with row dimension n: flat, or each in a list of its own. */
static fn_progress check_tensor(size_t *n_out, fn_exchange *x, const json_t *tensor, const char *name) {
  const char *type = json_string_value(json_object_get(tensor, "datatype"));
  const json_t *shape = json_object_get(tensor, "shape"), *data = json_object_get(tensor, "data");
  const json_t *rows = json_array_get(shape, 0), *columns = json_array_get(shape, 1);
  if (type == NULL || strcmp(type, "BYTES") != 0)
    return fn_exchange_fail(x, BAD_REQUEST, "invalid", "input %s must have datatype BYTES", name);
  if (!json_is_integer(rows) || json_array_size(shape) > 2 ||
      (columns != NULL && (!json_is_integer(columns) || json_integer_value(columns) != 1)))
    return fn_exchange_fail(x, BAD_REQUEST, "invalid", "input %s must have shape [n] or [n,1]", name);
  if (!json_is_array(data) || json_integer_value(rows) < 0 || json_array_size(data) != (size_t)json_integer_value(rows))
    return fn_exchange_fail(x, BAD_REQUEST, "invalid", "input %s: data must be a list of as many strings as shape says",
                            name);
  *n_out = json_array_size(data);
  return FN_EXCHANGE_PENDING;
}

static fn_progress string_at(fn_str *out, fn_exchange *x, const json_t *tensor, size_t i, const char *name) {
  *out = fn_str_from("");
  if (tensor == NULL) return FN_EXCHANGE_PENDING;
  const json_t *value = json_array_get(json_object_get(tensor, "data"), i);
  if (json_is_array(value) && json_array_size(value) == 1) value = json_array_get(value, 0);
  if (!json_is_string(value))
    return fn_exchange_fail(x, BAD_REQUEST, "invalid", "input %s: data must hold strings", name);
  *out = fn_str_make(json_string_value(value), json_string_length(value));
  return FN_EXCHANGE_PENDING;
}

static fn_progress find_inputs(const json_t **title_out, const json_t **text_out, fn_exchange *x,
                               const json_t *inputs) {
  *title_out = *text_out = NULL;
  for (size_t i = 0; i < json_array_size(inputs); i++) {
    const json_t *tensor = json_array_get(inputs, i);
    const char *name = json_string_value(json_object_get(tensor, "name"));
    const json_t **out = NULL;
    if (name != NULL && strcmp(name, "title") == 0) out = title_out;
    if (name != NULL && strcmp(name, "text") == 0) out = text_out;
    if (out == NULL || *out != NULL)
      return fn_exchange_fail(x, BAD_REQUEST, "invalid", "inputs must be named title and text, each at most once");
    *out = tensor;
  }
  if (*title_out != NULL || *text_out != NULL) return FN_EXCHANGE_PENDING;
  return fn_exchange_fail(x, BAD_REQUEST, "invalid", "inputs must be a list with a tensor named title or text");
}

static fn_progress read_inputs(fn_items *items, fn_exchange *x, const json_t *inputs) {
  const json_t *title, *text;
  size_t n_title = 0, n_text = 0;
  if (find_inputs(&title, &text, x, inputs) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (title != NULL && check_tensor(&n_title, x, title, "title") == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (text != NULL && check_tensor(&n_text, x, text, "text") == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (title != NULL && text != NULL && n_title != n_text)
    return fn_exchange_fail(x, BAD_REQUEST, "invalid", "title and text must have the same shape");
  for (size_t i = 0; i < (title != NULL ? n_title : n_text); i++) {
    fn_str a, b;
    if (string_at(&a, x, title, i, "title") == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
    if (string_at(&b, x, text, i, "text") == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
    if (fn_items_add(items, x, a, b, "inputs", BAD_REQUEST) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  }
  return FN_EXCHANGE_PENDING;
}

static fn_progress read_outputs(infer_request *r, fn_exchange *x, const json_t *outputs) {
  r->wants_label = r->wants_probabilities = json_array_size(outputs) == 0;
  for (size_t i = 0; i < json_array_size(outputs); i++) {
    const char *name = json_string_value(json_object_get(json_array_get(outputs, i), "name"));
    if (name != NULL && strcmp(name, "label") == 0)
      r->wants_label = true;
    else if (name != NULL && strcmp(name, "probabilities") == 0)
      r->wants_probabilities = true;
    else
      return fn_exchange_fail(x, BAD_REQUEST, "invalid", "outputs must be named label and probabilities");
  }
  return FN_EXCHANGE_PENDING;
}

fn_progress fn_handle_v2_infer(fn_exchange *x) {
  json_t *body = NULL;
  fn_json_error error;
  fn_items items = {0};
  fn_engine *engine = fn_server_engine(x->server);
  const fn_progress known = check_model(x, fn_engine_get_info(engine));
  fn_engine_unref(engine);
  if (known == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  infer_request *r = fn_arena_alloc(&x->arena, 1, sizeof *r);
  const fn_status status = r != NULL ? fn_items_parse(&body, x, &error) : FN_E_NO_MEMORY;
  if (status == FN_E_NO_MEMORY) return fn_exchange_no_memory(x);
  if (status != FN_OK)
    return fn_exchange_fail(x, BAD_REQUEST, "no_json", "the body is no JSON: line %d, column %d: %s", error.line,
                            error.column, error.what);
  const json_t *id = json_object_get(body, "id");
  if (id != NULL && !json_is_string(id)) return fn_exchange_fail(x, BAD_REQUEST, "invalid", "id must be a string");
  r->id = json_string_value(id);
  x->state = r;
  if (read_outputs(r, x, json_object_get(body, "outputs")) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (read_inputs(&items, x, json_object_get(body, "inputs")) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_items_classify(&items, x, "inputs", BAD_REQUEST);
}

static void begin_output(fn_json_writer *w, const char *name, const char *type, size_t n, int64_t columns) {
  fn_json_object(w, NULL);
  fn_json_text(w, "name", name);
  fn_json_text(w, "datatype", type);
  fn_json_array(w, "shape");
  fn_json_int(w, NULL, (int64_t)n);
  if (columns > 0) fn_json_int(w, NULL, columns);
  fn_json_end(w);
  fn_json_array(w, "data");
}

static void write_outputs(fn_json_writer *w, const fn_job *job, const infer_request *r,
                          const fn_classifier_info *info) {
  fn_json_array(w, "outputs");
  if (r->wants_label) {
    begin_output(w, "label", "BYTES", job->n, 0);
    for (size_t i = 0; i < job->n; i++) fn_json_text(w, NULL, info->labels[job->predictions[i].label]);
    fn_json_end(w);
    fn_json_end(w);
  }
  if (r->wants_probabilities) {
    begin_output(w, "probabilities", "FP64", job->n, info->n_labels);
    for (size_t i = 0; i < job->n; i++) {
      for (int32_t k = 0; k < info->n_labels; k++) fn_json_double(w, NULL, job->predictions[i].probabilities[k]);
    }
    fn_json_end(w);
    fn_json_end(w);
  }
  fn_json_end(w);
}

void fn_finish_v2_infer(fn_exchange *x) {
  const fn_job *job = x->job;
  const infer_request *r = x->state;
  const fn_classifier_info *info = fn_engine_get_info(job->engine);
  fn_str name, version;
  fn_json_writer w;
  if (!fn_items_all_answered(x, BAD_REQUEST)) return;
  split_id(&name, &version, info);
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_str(&w, "model_name", name);
  fn_json_str(&w, "model_version", version);
  if (r->id != NULL) fn_json_text(&w, "id", r->id);
  write_outputs(&w, job, r, info);
  fn_json_end(&w);
  (void)fn_exchange_json(x, 200);
}
