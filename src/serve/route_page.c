/* The page: GET and POST /, /table, /disputed, /history, /card, /static/{name}. */
#include "serve/route_page.h"

#include "serve/guard.h"
#include "serve/http_request.h"
#include "serve/page.h"
#include "serve/page_view.h"
#include "serve/recording.h"
#include "serve/route_handlers.h"
#include "serve/serve.h"

#include <math.h>
#include <stdio.h>
#include <sys/random.h>

/* What was sent in the form, and how it wants to be answered. In the exchange's arena. */
typedef struct check_form {
  fn_article article;
  double prior; /* that was chosen; NaN: none */
  bool explain;
  bool part; /* page.js asks for the result alone */
} check_form;

void fn_page_headers(fn_response *response) {
  const char *written = response->headers.data;
  if (written != NULL && strstr(written, "Content-Security-Policy:") != NULL) return; /* of a page that this replaces */
  response->content_type = "text/html; charset=utf-8";
  fn_response_header(response, "Content-Security-Policy", FN_PAGE_POLICY);
  fn_response_header(response, "Referrer-Policy", "same-origin"); /* without one a form says Origin: null */
  fn_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
  fn_response_header(response, "Cache-Control", "no-store");
  fn_response_header(response, "Vary", "Accept, Cookie");
}

/* The way from a page's address to "/", so that the pages work below any prefix that a proxy takes off. */
static const char *root_of(const fn_exchange *x) {
  static const char *const roots[] = {"./", "../", "../../"};
  size_t n = 0;
  for (size_t i = 1; i < x->request.path.length; i++) n += x->request.path.data[i] == '/';
  return n < 3 ? roots[n] : "/"; /* no page of ours lies so deep */
}

static json_t *read_model(fn_exchange *x) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_json_writer w;
  json_t *model = NULL;
  fn_engine *engine = fn_server_engine(x->server);
  fn_json_begin(&w, &text, 0);
  fn_json_object(&w, NULL);
  fn_model_json(&w, x->server, engine);
  fn_json_end(&w);
  fn_engine_unref(engine);
  if (fn_json_parse(&model, fn_buf_str(&text), "model", NULL) != FN_OK) return NULL;
  return model;
}

/* What the page must know of keys. csrf: storage of the frame's. */
static void fill_sign_in(fn_page_frame *frame, char csrf[33], fn_exchange *x) {
  fn_auth *auth = fn_guard_auth(fn_server_guard(x->server));
  frame->keys_used = fn_auth_is_on(auth);
  frame->is_signed_in = x->by_cookie;
  frame->can_remark = x->role >= FN_ROLE_FEEDBACK || (frame->keys_used && x->role == FN_ROLE_NONE);
  if (!frame->keys_used) return;
  fn_auth_csrf(csrf, auth, x);
  frame->csrf = csrf;
}

void fn_page_begin(fn_page_building *page, fn_exchange *x, const char *name, const char *title) {
  *page = (fn_page_building){.exchange = x, .model = read_model(x)};
  fn_buf_init(&page->view, 0);
  fn_json_begin(&page->writer, &page->view, 0);
  fn_json_object(&page->writer, NULL);
  const fn_serve_options *serve = fn_server_get_options(x->server)->serve;
  char csrf[33];
  fn_page_frame frame = {.root = root_of(x),
                         .name = name,
                         .title = title,
                         .model = page->model,
                         .max_items = serve->max_items,
                         .max_body = serve->max_body_bytes};
  fill_sign_in(&frame, csrf, x);
  fn_page_view_frame(&page->writer, &frame);
}

void fn_page_drop(fn_page_building *page) {
  json_decref(page->model);
  fn_buf_deinit(&page->view);
}

fn_progress fn_page_end(fn_page_building *page, int http_status, const char *name) {
  fn_exchange *x = page->exchange;
  fn_err err = {0};
  json_t *view = NULL;
  fn_json_end(&page->writer);
  fn_status status = fn_buf_check(&page->view, "page", &err);
  if (status == FN_OK) status = fn_json_parse(&view, fn_buf_str(&page->view), "page", &err);
  fn_buf_reset(&x->response.body);
  if (status == FN_OK) status = fn_page_render(&x->response.body, name, view, &err);
  json_decref(view);
  fn_page_drop(page);
  if (status != FN_OK) return fn_exchange_fail_err(x, &err);
  x->response.status = http_status;
  fn_page_headers(&x->response);
  return FN_EXCHANGE_DONE;
}

/* Where to go on after signing in; "" where the address would have to be encoded. */
static const char *next_of(fn_exchange *x) {
  const fn_str path = x->request.path;
  for (size_t i = 0; i < path.length; i++) {
    const char c = path.data[i];
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/';
    if (!plain) return "";
  }
  const char *copy = fn_arena_strndup(&x->arena, path.data, path.length);
  return copy != NULL ? copy : "";
}

void fn_page_fail(fn_exchange *x, int http_status, const char *title, const char *detail) {
  FN_AUTO_BUF fn_buf text;
  FN_AUTO_JSON json_t *view = NULL;
  char csrf[33];
  fn_page_frame frame = {.root = root_of(x), .name = "", .title = title};
  fill_sign_in(&frame, csrf, x);
  fn_json_writer w;
  fn_buf_init(&text, 0);
  fn_json_begin(&w, &text, 0);
  fn_json_object(&w, NULL);
  fn_page_view_frame(&w, &frame);
  const bool wants_key = http_status == 401 && frame.keys_used;
  fn_json_text(&w, "heading", wants_key ? "Sign in first" : title);
  fn_json_text(&w, "problem", wants_key ? "This server answers only those who have a key." : detail);
  fn_json_text(&w, "next", next_of(x));
  fn_json_int(&w, "status", http_status);
  fn_json_text(&w, "code", x->code);
  fn_json_text(&w, "request_id", x->request.id);
  fn_json_end(&w);
  fn_page_headers(&x->response);
  if (fn_json_parse(&view, fn_buf_str(&text), "page", NULL) == FN_OK &&
      fn_page_render(&x->response.body, "message", view, NULL) == FN_OK)
    return;
  fn_buf_reset(&x->response.body);
  fn_buf_append_str(&x->response.body, title);
  x->response.content_type = "text/plain; charset=utf-8";
}

/* 32 digits that a form is sent with once: a page that is loaded again makes no second row in the log. */
static void write_token(fn_json_writer *w) {
  unsigned char bytes[16] = {0};
  char digits[33];
  (void)!getrandom(bytes, sizeof bytes, 0);
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
  fn_json_text(w, "token", digits);
}

/* Whether probabilities may be shifted to another share of false texts: the calibration is for what is read here. */
static bool takes_prior(const json_t *model) {
  const json_t *calibration = json_object_get(model, "calibration");
  const json_t *tokens = json_object_get(calibration, "max_tokens"), *read = json_object_get(model, "max_tokens");
  const char *long_texts = json_string_value(json_object_get(calibration, "long"));
  if (!json_is_object(calibration)) return false;
  if (json_is_true(json_object_get(model, "windows")) && (long_texts == NULL || strcmp(long_texts, "windows") != 0))
    return false;
  return !json_is_integer(tokens) || json_integer_value(tokens) == json_integer_value(read);
}

/* What an editor should know before the first text. */
static void write_worth(fn_json_writer *w, const json_t *model) {
  const char *family = json_string_value(json_object_get(model, "family"));
  const json_t *never = json_object_get(json_object_get(model, "card"), "not_to_be_used_for");
  const bool linear = family != NULL && strstr(family, "linear") != NULL;
  const bool both = linear && strchr(family, '+') != NULL;
  fn_page_view_record(w, model, both ? "both" : linear ? "linear" : "encoder", "article");
  fn_json_text(w, "never", json_string_value(never));
}

/* The page of one text, empty or as it was sent. */
static void begin_check(fn_page_building *page, fn_exchange *x, const check_form *form, const char *problem) {
  fn_page_begin(page, x, "check", "fakenews: how does it read?");
  fn_json_writer *w = &page->writer;
  const double prior = form != NULL ? form->prior : (double)NAN;
  fn_json_str(w, "form_title", form != NULL ? form->article.title : fn_str_from(""));
  fn_json_str(w, "form_text", form != NULL ? form->article.text : fn_str_from(""));
  fn_json_bool(w, "form_explain", form == NULL || form->explain);
  fn_json_bool(w, "takes_prior", takes_prior(page->model));
  fn_json_text(w, "problem", problem);
  fn_page_view_priors(w, prior);
  write_worth(w, page->model);
  write_token(w);
}

static fn_progress show_check(fn_exchange *x, const check_form *form, int http_status, const char *problem) {
  fn_page_building page;
  begin_check(&page, x, form, problem);
  fn_json_bool(&page.writer, "has_result", false);
  return fn_page_end(&page, http_status, "check");
}

/* Clients of the predecessor's API ask for JSON, or for nothing in particular. */
static fn_progress greet(fn_exchange *x) {
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "message", "Welcome to the Fake News Inference API. Check /docs for API documentation.");
  fn_json_end(&w);
  fn_response_header(&x->response, "Vary", "Accept");
  return fn_exchange_json(x, 200);
}

fn_progress fn_handle_page(fn_exchange *x) {
  return fn_request_accepts(&x->request, "text/html") ? show_check(x, NULL, 200, NULL) : greet(x);
}

static bool read_prior(double *prior_out, fn_str text) {
  *prior_out = (double)NAN;
  double value = 0;
  if (text.length == 0) return true;
  if (!fn_str_to_double(&value, text) || !(value > 0 && value < 1)) return false;
  *prior_out = value;
  return true;
}

static const char *find_problem(const check_form *form) {
  fn_str title = fn_str_trim(form->article.title), text = fn_str_trim(form->article.text);
  if (title.length + text.length == 0) return "There is nothing to read yet. Paste a headline, an article, or both.";
  if (fn_page_is_link(text) || (text.length == 0 && fn_page_is_link(title)))
    return "That is a link. This page opens no links: please paste the text of the article.";
  return NULL;
}

fn_str fn_page_field(fn_field *fields, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++) {
    if (!fn_str_is(fields[i].name, name)) continue;
    fn_str value = fields[i].value;
    char *data = (char *)(uintptr_t)value.data; /* of the arena, ours alone */
    size_t kept = 0;
    for (size_t at = 0; at < value.length; at++)
      if (data[at] != '\r' || at + 1 == value.length || data[at + 1] != '\n') data[kept++] = data[at];
    fields[i].value.length = kept;
    return fields[i].value;
  }
  return fn_str_from("");
}

/* The same form sent twice with the same question is one answer: the log tells by the ids that follow from both. */
static void use_token(fn_exchange *x, const check_form *form, fn_str token) {
  FN_AUTO_BUF fn_buf key;
  fn_buf_init(&key, 0);
  if (token.length == 0 || token.length > 64) return;
  fn_buf_append(&key, token.data, token.length);
  fn_buf_printf(&key, " %zu %d %.9g ", form->article.title.length, form->explain, form->prior);
  fn_buf_append(&key, form->article.title.data, form->article.title.length);
  fn_buf_append(&key, form->article.text.data, form->article.text.length);
  if (!key.failed) fn_exchange_set_retry(x, fn_buf_str(&key));
}

fn_progress fn_handle_page_form(fn_exchange *x) {
  size_t n = 0;
  check_form *form = fn_arena_alloc(&x->arena, 1, sizeof *form);
  fn_field *fields = fn_form_parse(&n, &x->arena, x->request.body);
  if (form == NULL) return fn_exchange_no_memory(x);
  if (fields == NULL) return fn_exchange_fail(x, 413, "too_many", "the form has more than 100 fields");
  *form = (check_form){
      .article = {.title = fn_str_trim(fn_page_field(fields, n, "title")), .text = fn_page_field(fields, n, "text")},
      .explain = fn_page_field(fields, n, "explain").length > 0,
      .part = fn_str_is(fn_page_field(fields, n, "part"), "result")};
  if (!fn_utf8_valid(form->article.title, NULL) || !fn_utf8_valid(form->article.text, NULL))
    return fn_exchange_fail(x, 422, "invalid", "title and text must be UTF-8");
  if (!read_prior(&form->prior, fn_page_field(fields, n, "prior")))
    return fn_exchange_fail(x, 422, "invalid", "prior must be a number above 0 and below 1");
  const char *problem = find_problem(form);
  if (problem != NULL) return show_check(x, form, 422, problem);
  use_token(x, form, fn_page_field(fields, n, "token"));
  json_t *model = read_model(x);
  /* where it is the model's own share nothing is shifted, and an answer that is not calibrated is no mistake */
  const double own = fn_page_prior(model);
  if (takes_prior(model) && fabs(form->prior - own) > 1e-6) form->article.prior = form->prior;
  json_decref(model);
  x->state = form;
  return fn_exchange_classify(x, &form->article, 1, form->explain);
}

/* The recorded object with two members more. */
static void write_answer(fn_page_building *page, const check_form *form) {
  const fn_exchange *x = page->exchange;
  FN_AUTO_BUF fn_buf text;
  FN_AUTO_JSON json_t *answer = NULL;
  fn_buf_init(&text, 0);
  fn_buf_append(&text, x->answers[0].data, x->answers[0].length - 1);
  fn_buf_append_str(&text, ", \"request_id\": ");
  fn_buf_append_json(&text, fn_str_from(x->request.id));
  fn_buf_append_str(&text, ", \"took_ms\": ");
  fn_buf_append_double(&text, fn_exchange_ms(x));
  fn_buf_append_str(&text, "}");
  if (fn_json_parse(&answer, fn_buf_str(&text), "answer", NULL) != FN_OK)
    page->view.failed = true;
  else
    fn_page_view_answer(&page->writer, answer, form->article.title, form->article.text, page->model);
}

void fn_finish_page_form(fn_exchange *x) {
  const check_form *form = x->state;
  const fn_prediction *p = &x->job->predictions[0];
  fn_page_building page;
  if (p->status != FN_OK) {
    (void)show_check(x, form, p->status == FN_E_LIMIT ? 413 : 422, p->message);
    return;
  }
  begin_check(&page, x, form, NULL);
  fn_json_bool(&page.writer, "has_result", true);
  write_answer(&page, form);
  (void)fn_page_end(&page, 200, form->part ? "result" : "check");
}

static fn_progress show_plain(fn_exchange *x, const char *name, const char *title) {
  fn_page_building page;
  fn_page_begin(&page, x, name, title);
  fn_page_view_priors(&page.writer, (double)NAN);
  fn_json_bool(&page.writer, "takes_prior", takes_prior(page.model));
  if (strcmp(name, "card") == 0) fn_page_view_card(&page.writer, page.model);
  return fn_page_end(&page, 200, name);
}

fn_progress fn_handle_page_table(fn_exchange *x) {
  return show_plain(x, "table", "fakenews: check a table");
}

fn_progress fn_handle_page_history(fn_exchange *x) {
  return show_plain(x, "history", "fakenews: history");
}

fn_progress fn_handle_page_card(fn_exchange *x) {
  return show_plain(x, "card", "fakenews: the model");
}

static const char *content_type_of(const char *name) {
  fn_str s = fn_str_from(name);
  if (fn_str_ends_with(s, ".css")) return "text/css; charset=utf-8";
  if (fn_str_ends_with(s, ".js")) return "text/javascript; charset=utf-8";
  if (fn_str_ends_with(s, ".svg")) return "image/svg+xml";
  return NULL; /* templates are nobody's business */
}

fn_progress fn_handle_page_static(fn_exchange *x) {
  const char *name = x->request.parameter, *type = content_type_of(name);
  fn_str file = type != NULL ? fn_page_file(name) : fn_str_make(NULL, 0);
  if (file.data == NULL) return fn_exchange_fail(x, 404, "not_found", "there is no such file");
  char version[17], tag[24];
  fn_page_file_version(version, file);
  snprintf(tag, sizeof tag, "\"%s\"", version);
  fn_response *r = &x->response;
  bool is_versioned = fn_str_is(fn_request_parameter(&x->request, "v"), version);
  fn_response_header(r, "ETag", tag);
  fn_response_header(r, "Cache-Control", is_versioned ? "public, max-age=31536000, immutable" : "no-cache");
  r->content_type = type;
  r->status = 200;
  if (fn_str_is(fn_request_header(&x->request, "If-None-Match"), tag))
    r->status = 304;
  else
    fn_buf_append(&r->body, file.data, file.length);
  if (r->body.failed) return fn_exchange_no_memory(x);
  return FN_EXCHANGE_DONE;
}
