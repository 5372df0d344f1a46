/* Pages that ask the prediction log: /predictions/{id}, with a form for readers' remarks, and /disputed. They wait for
 * its database in the background. */
#include "serve/background.h"
#include "serve/http_request.h"
#include "serve/page_view.h"
#include "serve/recording.h"
#include "serve/route_handlers.h"
#include "serve/route_page.h"

#include <math.h>
#include <stdio.h>

enum { MAX_DISPUTED = 100 };

static fn_progress no_log(fn_exchange *x) {
  return fn_exchange_fail(x, 404, "no_log", "This server keeps no answers.");
}

static void fail(fn_exchange *x, const fn_err *err) {
  switch (err->status) {
  case FN_E_NOT_FOUND:
    (void)fn_exchange_fail(x, 404, "no_prediction", "There is no answer with this address, or not any more.");
    break;
  case FN_E_LIMIT:
    (void)fn_exchange_fail(x, 422, "too_many_remarks", "This answer has %d remarks, and takes no more.",
                           (int)FN_FEEDBACK_MAX_REMARKS);
    break;
  default:
    fn_server_note_log(x->server, x->request.id, err);
    fn_response_header(&x->response, "Retry-After", "5");
    (void)fn_exchange_fail(x, 503, "log_unavailable", "The log of answers cannot be asked right now. Try again soon.");
  }
}

static void write_time(fn_json_writer *w, int64_t unix_ms) {
  char text[21], words[48] = "";
  fn_clock_format(text, unix_ms);
  snprintf(words, sizeof words, "%.10s %.5s UTC", text, text + 11);
  fn_json_text(w, "time", text);
  fn_json_text(w, "time_words", words);
}

static void write_remark(fn_json_writer *w, const fn_feedback *f, const fn_feedback_entry *entry, bool latest) {
  fn_json_text(w, "remark", fn_feedback_label_names[f->label]);
  fn_json_str(w, "name", f->name);
  fn_json_str(w, "reason", f->reason);
  fn_json_bool(w, "is_replaced", !latest);
  write_time(w, entry->time_ms);
}

/* ---- one answer */

typedef struct remarks {
  fn_json_writer *w;
  size_t n;
} remarks;

static fn_status on_remark(void *arg, const fn_feedback *f, const fn_feedback_entry *entry, bool latest, fn_err *err) {
  (void)err;
  remarks *r = arg;
  fn_json_object(r->w, NULL);
  write_remark(r->w, f, entry, latest);
  fn_json_end(r->w);
  r->n++;
  return FN_OK;
}

static fn_status write_prediction(fn_page_building *page, const fn_stored_prediction *p, fn_err *err) {
  fn_json_writer *w = &page->writer;
  FN_AUTO_JSON json_t *answer = NULL;
  remarks r = {.w = w};
  int64_t n = 0;
  FN_TRY(fn_json_parse(&answer, fn_str_from(p->answer), "answer", err));
  fn_page_view_answer(w, answer, p->title, p->text, page->model);
  fn_page_view_priors(w, (double)NAN);
  write_time(w, p->time_ms);
  fn_json_bool(w, "takes_prior", false);
  fn_json_bool(w, "known_by_hash", p->text_kept == FN_TEXT_KEEP_HASH);
  fn_json_array(w, "remarks");
  FN_TRY(fn_prediction_log_list_feedback(&n, fn_server_log(page->exchange->server), fn_str_from(p->id), on_remark, &r,
                                         err));
  fn_json_end(w);
  fn_json_bool(w, "has_older", n > (int64_t)r.n);
  fn_json_int(w, "n_shown", (int64_t)r.n);
  fn_json_int(w, "n_remarks", n);
  fn_json_bool(w, "has_remarks", r.n > 0);
  return FN_OK;
}

static void show_prediction(fn_exchange *x) {
  fn_err err = {0};
  fn_stored_prediction *stored = NULL;
  fn_page_building page;
  if (fn_prediction_log_find(&stored, fn_server_log(x->server), fn_str_from(x->request.parameter), &err) != FN_OK) {
    fail(x, &err);
    return;
  }
  fn_page_begin(&page, x, "prediction", "fakenews: an earlier answer");
  if (write_prediction(&page, stored, &err) == FN_OK) {
    (void)fn_page_end(&page, 200, "prediction");
  } else {
    fn_page_drop(&page);
    fail(x, &err);
  }
  fn_stored_prediction_destroy(stored);
}

fn_progress fn_handle_page_prediction(fn_exchange *x) {
  return fn_server_log(x->server) != NULL ? fn_exchange_work(x, show_prediction) : no_log(x);
}

/* ---- a remark on it, without scripts */

static void add_remark(fn_exchange *x) {
  fn_feedback_entry entry;
  fn_err err = {0};
  if (fn_feedback_check(x->state, &err) != FN_OK) {
    (void)fn_exchange_fail(x, 422, "invalid", "%s", err.message);
    return;
  }
  if (fn_prediction_log_add_feedback(&entry, fn_server_log(x->server), x->state, &err) != FN_OK) {
    fail(x, &err);
    return;
  }
  fn_response_header(&x->response, "Location", x->request.parameter); /* beside itself: loading it again adds nothing */
  x->response.status = 303;
}

fn_progress fn_handle_page_remark(fn_exchange *x) {
  size_t n = 0;
  fn_feedback *f = fn_arena_alloc(&x->arena, 1, sizeof *f);
  fn_field *fields = fn_form_parse(&n, &x->arena, x->request.body);
  if (f == NULL) return fn_exchange_fail(x, 503, "no_memory", "Memory is short; try again later.");
  if (fields == NULL) return fn_exchange_fail(x, 413, "too_many", "The form has more than 100 fields.");
  if (fn_server_log(x->server) == NULL) return no_log(x);
  if (!fn_feedback_label_parse(&f->label, fn_page_field(fields, n, "label")))
    return fn_exchange_fail(x, 422, "invalid", "Choose what it is: real, fake, satire, opinion or mixed.");
  f->prediction_id = fn_str_from(x->request.parameter);
  f->name = fn_str_trim(fn_page_field(fields, n, "name"));
  f->reason = fn_str_trim(fn_page_field(fields, n, "reason"));
  f->client = fn_str_from(x->key_id);
  x->state = f;
  return fn_exchange_work(x, add_remark);
}

/* ---- answers that readers contradict */

static fn_status on_disputed(void *arg, const fn_disputed *d, fn_err *err) {
  (void)err;
  remarks *list = arg;
  fn_json_writer *w = list->w;
  char id[FN_PREDICTION_ID_BYTES];
  int count = 0, of = 0;
  snprintf(id, sizeof id, "%.*s", (int)d->prediction_id.length, d->prediction_id.data);
  fn_str said = d->verdict.length > 0 ? d->verdict : d->label;
  fn_json_object(w, NULL);
  fn_json_text(w, "id", id);
  fn_json_str(w, "title", d->title.data != NULL ? d->title : fn_str_from(""));
  fn_json_bool(w, "says_fake", fn_str_is(said, "fake"));
  fn_json_bool(w, "says_real", fn_str_is(said, "real"));
  fn_json_bool(w, "says_unsure", fn_str_is(said, "unsure"));
  if (!isnan(d->p_fake)) fn_page_frequency(&count, &of, d->p_fake);
  fn_json_bool(w, "has_number", of > 0);
  fn_json_int(w, "count", count);
  fn_json_int(w, "of", of);
  write_remark(w, &d->feedback, &d->entry, true);
  fn_json_end(w);
  list->n++;
  return FN_OK;
}

static void show_disputed(fn_exchange *x) {
  fn_err err = {0};
  fn_page_building page;
  remarks list = {.w = &page.writer};
  fn_page_begin(&page, x, "disputed", "fakenews: disputed answers");
  fn_json_array(&page.writer, "disputed");
  if (fn_prediction_log_list_disputed(fn_server_log(x->server), MAX_DISPUTED, on_disputed, &list, &err) != FN_OK) {
    fn_page_drop(&page);
    fail(x, &err);
    return;
  }
  fn_json_end(&page.writer);
  fn_json_bool(&page.writer, "has_disputed", list.n > 0);
  fn_json_bool(&page.writer, "no_log", false);
  (void)fn_page_end(&page, 200, "disputed");
}

fn_progress fn_handle_page_disputed(fn_exchange *x) {
  fn_page_building page;
  if (fn_server_log(x->server) != NULL) return fn_exchange_work(x, show_disputed);
  fn_page_begin(&page, x, "disputed", "fakenews: disputed answers");
  fn_json_array(&page.writer, "disputed");
  fn_json_end(&page.writer);
  fn_json_bool(&page.writer, "has_disputed", false);
  fn_json_bool(&page.writer, "no_log", true);
  return fn_page_end(&page, 200, "disputed");
}
