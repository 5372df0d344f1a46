/* GET /v1/predictions/{id}, POST and GET /v1/feedback. All of it waits for the log's database, in the background. */
#include "serve/background.h"
#include "serve/body.h"
#include "serve/recording.h"
#include "serve/route_handlers.h"

#include <stdio.h>

static fn_progress no_log(fn_exchange *x) {
  return fn_exchange_fail(x, 404, "no_log", "this server records nothing (predictions.url=none)");
}

/* Errors of the log: what is not there is 404; whatever is wrong with the database is 503, and its cause is not the
 * client's business. */
static void fail(fn_exchange *x, const fn_err *err) {
  switch (err->status) {
  case FN_E_NOT_FOUND:
    (void)fn_exchange_fail(x, 404, "no_prediction", "there is no prediction with this id (any more)");
    break;
  case FN_E_LIMIT:
    (void)fn_exchange_fail(x, 422, "too_many_remarks", "this prediction has %d remarks, and takes no more",
                           (int)FN_FEEDBACK_MAX_REMARKS);
    break;
  default:
    fn_server_note_log(x->server, x->request.id, err);
    fn_response_header(&x->response, "Retry-After", "5");
    (void)fn_exchange_fail(x, 503, "log_unavailable", "the prediction log cannot be asked; try again later");
  }
}

static void write_time(fn_json_writer *w, const char *key, int64_t unix_ms) {
  char text[21];
  fn_clock_format(text, unix_ms);
  fn_json_text(w, key, text);
}

static void write_optional(fn_json_writer *w, const char *key, fn_str text) {
  if (text.length > 0)
    fn_json_str(w, key, text);
  else
    fn_json_null(w, key);
}

static void write_feedback(fn_json_writer *w, const fn_feedback *f, const fn_feedback_entry *entry) {
  fn_json_text(w, "id", entry->id);
  fn_json_str(w, "prediction_id", f->prediction_id);
  fn_json_text(w, "label", fn_feedback_label_names[f->label]);
  write_optional(w, "name", f->name);
  write_optional(w, "reason", f->reason);
  write_time(w, "time", entry->time_ms);
  write_optional(w, "corrects", fn_str_from(entry->corrects));
}

/* ---- one prediction */

static fn_status on_feedback(void *arg, const fn_feedback *f, const fn_feedback_entry *entry, bool latest,
                             fn_err *err) {
  (void)err;
  fn_json_writer *w = arg;
  fn_json_object(w, NULL);
  write_feedback(w, f, entry);
  fn_json_bool(w, "latest", latest);
  fn_json_end(w);
  return FN_OK;
}

static fn_status write_prediction(fn_exchange *x, const fn_stored_prediction *p, fn_err *err) {
  fn_buf *out = &x->response.body; /* the stored object with members more */
  const size_t length = strlen(p->answer);
  FN_AUTO_BUF fn_buf rest;
  fn_json_writer w;
  fn_buf_init(&rest, 0);
  fn_json_begin(&w, &rest, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "request_id", p->request_id);
  fn_json_text(&w, "route", p->route);
  write_time(&w, "time", p->time_ms);
  fn_json_text(&w, "text_kept", fn_predictions_text_names[p->text_kept]);
  int64_t n = 0;
  fn_json_array(&w, "feedback");
  FN_TRY(fn_prediction_log_list_feedback(&n, fn_server_log(x->server), fn_str_from(p->id), on_feedback, &w, err));
  fn_json_end(&w);
  fn_json_int(&w, "n_feedback", n);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&rest, "feedback", err));
  fn_buf_append(out, p->answer, length > 0 ? length - 1 : 0);
  fn_buf_append_str(out, ", ");
  fn_buf_append(out, rest.data + 1, rest.length - 1);
  return FN_OK;
}

static void find(fn_exchange *x) {
  fn_err err = {0};
  fn_stored_prediction *stored = NULL;
  fn_status status = fn_prediction_log_find(&stored, fn_server_log(x->server), fn_str_from(x->request.parameter), &err);
  if (status == FN_OK) {
    status = write_prediction(x, stored, &err);
    fn_stored_prediction_destroy(stored);
  }
  if (status == FN_OK)
    (void)fn_exchange_json(x, 200);
  else
    fail(x, &err);
}

fn_progress fn_handle_prediction(fn_exchange *x) {
  return fn_server_log(x->server) != NULL ? fn_exchange_work(x, find) : no_log(x);
}

/* ---- a word on it */

static void add(fn_exchange *x) {
  fn_feedback *f = x->state;
  fn_feedback_entry entry;
  fn_err err = {0};
  fn_json_writer w;
  if (fn_feedback_check(f, &err) != FN_OK) {
    (void)fn_exchange_fail(x, 422, "invalid", "%s", err.message);
    return;
  }
  if (fn_prediction_log_add_feedback(&entry, fn_server_log(x->server), f, &err) != FN_OK) {
    fail(x, &err);
    return;
  }
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  write_feedback(&w, f, &entry);
  fn_json_end(&w);
  (void)fn_exchange_json(x, 201);
}

/* "": missing or null; false: no string. */
static bool read_string(fn_str *out, const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  *out = fn_str_from("");
  if (value == NULL || json_is_null(value)) return true;
  if (!json_is_string(value)) return false;
  *out = fn_str_make(json_string_value(value), json_string_length(value));
  return true;
}

fn_progress fn_handle_feedback(fn_exchange *x) {
  static const char *const known[] = {"prediction_id", "label", "name", "reason", NULL};
  json_t *body = NULL;
  fn_str label;
  if (fn_body_json(&body, x, known) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (fn_server_log(x->server) == NULL) return no_log(x);
  fn_feedback *f = fn_arena_alloc(&x->arena, 1, sizeof *f);
  if (f == NULL) return fn_exchange_no_memory(x);
  if (!read_string(&f->prediction_id, body, "prediction_id") || f->prediction_id.length == 0)
    return fn_exchange_fail(x, 422, "invalid", "prediction_id must be the id of an answer, \"p_…\"");
  if (!read_string(&label, body, "label") || !fn_feedback_label_parse(&f->label, label))
    return fn_exchange_fail(x, 422, "invalid", "label must be real, fake, satire, opinion or mixed");
  if (!read_string(&f->name, body, "name") || f->name.length > FN_FEEDBACK_MAX_NAME)
    return fn_exchange_fail(x, 422, "invalid", "name must be a string of at most %d bytes", (int)FN_FEEDBACK_MAX_NAME);
  if (!read_string(&f->reason, body, "reason") || f->reason.length > FN_FEEDBACK_MAX_REASON)
    return fn_exchange_fail(x, 422, "invalid", "reason must be a string of at most %d bytes",
                            (int)FN_FEEDBACK_MAX_REASON);
  f->client = fn_str_from(x->key_id);
  x->state = f;
  return fn_exchange_work(x, add);
}

/* ---- disputed answers */

static fn_status on_disputed(void *arg, const fn_disputed *d, fn_err *err) {
  (void)err;
  fn_json_writer *w = arg;
  fn_json_object(w, NULL);
  fn_json_str(w, "prediction_id", d->prediction_id);
  fn_json_str(w, "label", d->label);
  write_optional(w, "verdict", d->verdict);
  fn_json_double(w, "p_fake", d->p_fake);
  fn_json_str(w, "model", d->model);
  write_time(w, "time", d->time_ms);
  write_optional(w, "title", d->title);
  fn_json_object(w, "feedback");
  write_feedback(w, &d->feedback, &d->entry);
  fn_json_end(w);
  fn_json_end(w);
  return FN_OK;
}

static void list(fn_exchange *x) {
  const int64_t *limit = x->state;
  fn_err err = {0};
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_array(&w, "items");
  if (fn_prediction_log_list_disputed(fn_server_log(x->server), *limit, on_disputed, &w, &err) != FN_OK) {
    fail(x, &err);
    return;
  }
  fn_json_end(&w);
  fn_json_end(&w);
  (void)fn_exchange_json(x, 200);
}

fn_progress fn_handle_disputed(fn_exchange *x) {
  const fn_str given = fn_request_parameter(&x->request, "limit");
  int64_t *limit = fn_arena_alloc(&x->arena, 1, sizeof *limit);
  if (limit == NULL) return fn_exchange_no_memory(x);
  *limit = 100;
  if (given.data != NULL && (!fn_str_to_int64(limit, given) || *limit < 1 || *limit > 1000))
    return fn_exchange_fail(x, 422, "invalid", "limit must be a whole number from 1 to 1000");
  if (fn_server_log(x->server) == NULL) return no_log(x);
  x->state = limit;
  return fn_exchange_work(x, list);
}
