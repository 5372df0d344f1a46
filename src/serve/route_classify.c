/* POST /v1/classify, /v1/classify/batch, /v1/tokens. */
#include "serve/answer_json.h"
#include "serve/background.h"
#include "serve/body.h"
#include "serve/route_handlers.h"
#include "serve/serve.h"

fn_progress fn_handle_classify(fn_exchange *x) {
  static const char *const known[] = {"title", "text", "explain", "prior", NULL};
  json_t *body = NULL;
  const char *key, *wrong;
  if (fn_body_json(&body, x, known) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  fn_article *article = fn_arena_alloc(&x->arena, 1, sizeof *article);
  if (article == NULL) return fn_exchange_no_memory(x);
  if ((wrong = fn_body_article(article, &key, body)) != NULL)
    return fn_exchange_fail(x, 422, "invalid", "%s %s", key, wrong);
  const json_t *explain = json_object_get(body, "explain");
  if (explain != NULL && !json_is_boolean(explain))
    return fn_exchange_fail(x, 422, "invalid", "explain must be true or false");
  return fn_exchange_classify(x, article, 1, json_is_true(explain));
}

void fn_finish_classify(fn_exchange *x) {
  const fn_job *job = x->job;
  const fn_prediction *p = &job->predictions[0];
  if (p->status != FN_OK) {
    (void)fn_exchange_fail(x, p->status == FN_E_LIMIT ? 413 : 422, "unreadable", "%s", p->message);
    return;
  }
  fn_buf *out = &x->response.body; /* the stored object with two members more */
  fn_buf_append(out, x->answers[0].data, x->answers[0].length - 1);
  fn_buf_append_str(out, ", \"request_id\": ");
  fn_buf_append_json(out, fn_str_from(x->request.id));
  fn_buf_append_str(out, ", \"took_ms\": ");
  fn_buf_append_double(out, fn_exchange_ms(x));
  fn_buf_append_str(out, "}");
  (void)fn_exchange_json(x, 200);
}

/* ---- batch */

/* What was wrong with items, before any was classified. */
typedef struct refusal {
  const char *key, *wrong;
} refusal;

static fn_progress read_items(fn_article **articles_out, size_t *n_out, fn_exchange *x, const json_t *body) {
  static const char *const known[] = {"title", "text", NULL};
  const json_t *items = json_object_get(body, "items");
  const size_t max = (size_t)fn_server_get_options(x->server)->serve->max_items, n = json_array_size(items);
  if (!json_is_array(items) || n == 0)
    return fn_exchange_fail(x, 422, "invalid", "items must be a list of at least one {\"title\", \"text\"}");
  if (n > max)
    return fn_exchange_fail(x, 413, "too_many", "%zu items; at most %zu are taken (serve.max_items)", n, max);
  fn_article prior = {.prior = 0.0};
  const json_t *given = json_object_get(body, "prior");
  if (given != NULL && !json_is_null(given)) {
    prior.prior = json_is_number(given) ? json_number_value(given) : 0.0;
    if (!(prior.prior > 0.0 && prior.prior < 1.0))
      return fn_exchange_fail(x, 422, "invalid", "prior must be a number above 0 and below 1");
  }
  fn_article *articles = fn_arena_alloc(&x->arena, n, sizeof *articles);
  refusal *refusals = fn_arena_alloc(&x->arena, n, sizeof *refusals);
  bool *refused = fn_arena_alloc(&x->arena, n, sizeof *refused);
  if (articles == NULL || refusals == NULL || refused == NULL) return fn_exchange_no_memory(x);
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(items, i);
    const char *key = "";
    json_t *value;
    articles[i] = prior;
    if (!json_is_object(item)) {
      refusals[i] = (refusal){"an item", "must be an object with title or text"};
      continue;
    }
    refusals[i].wrong = fn_body_article(&articles[i], &refusals[i].key, item);
    articles[i].prior = prior.prior;
    json_object_foreach((json_t *)(uintptr_t)item, key, value) {
      if (strcmp(key, known[0]) != 0 && strcmp(key, known[1]) != 0)
        refusals[i] = (refusal){"an item", "has title and text, nothing else"};
    }
    refused[i] = refusals[i].wrong != NULL;
    if (refused[i]) articles[i] = (fn_article){.prior = 0.0};
  }
  x->state = refusals;
  x->refused = refused;
  *articles_out = articles;
  *n_out = n;
  return FN_EXCHANGE_PENDING;
}

fn_progress fn_handle_batch(fn_exchange *x) {
  static const char *const known[] = {"items", "prior", NULL};
  json_t *body = NULL;
  fn_article *articles = NULL;
  size_t n = 0;
  if (fn_body_json(&body, x, known) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (read_items(&articles, &n, x, body) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_exchange_classify(x, articles, n, false);
}

static void write_item_error(fn_buf *out, const fn_prediction *p, const refusal *r) {
  fn_json_writer w;
  FN_AUTO_BUF fn_buf detail;
  fn_buf_init(&detail, 512);
  if (r->wrong != NULL)
    fn_buf_printf(&detail, "%s %s", r->key, r->wrong);
  else
    fn_buf_append_str(&detail, p->message);
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_object(&w, "error");
  fn_json_int(&w, "status", p->status == FN_E_LIMIT ? 413 : 422);
  fn_json_text(&w, "code", r->wrong != NULL ? "invalid" : "unreadable");
  fn_json_str(&w, "detail", fn_buf_str(&detail));
  fn_json_end(&w);
  fn_json_end(&w);
}

void fn_finish_batch(fn_exchange *x) {
  const fn_job *job = x->job;
  const refusal *refusals = x->state;
  fn_buf *out = &x->response.body;
  fn_buf_append_str(out, "{\"request_id\": ");
  fn_buf_append_json(out, fn_str_from(x->request.id));
  fn_buf_append_str(out, ", \"model\": ");
  fn_buf_append_json(out, fn_str_from(fn_engine_get_info(job->engine)->id));
  fn_buf_append_str(out, ", \"items\": [");
  for (size_t i = 0; i < job->n; i++) {
    if (i > 0) fn_buf_append_str(out, ", ");
    if (x->answers[i].length > 0)
      fn_buf_append(out, x->answers[i].data, x->answers[i].length);
    else
      write_item_error(out, &job->predictions[i], &refusals[i]);
  }
  fn_buf_append_str(out, "], \"took_ms\": ");
  fn_buf_append_double(out, fn_exchange_ms(x));
  fn_buf_append_str(out, "}");
  (void)fn_exchange_json(x, 200);
}

/* ---- tokens */

/* Bodies up to this size are counted within a millisecond, on the thread that reads the sockets. */
enum { MAX_AT_ONCE = 32 << 10 };

static void count_tokens(fn_exchange *x) {
  fn_token_counts counts;
  fn_err err = {0};
  fn_engine *engine = fn_server_engine(x->server);
  const fn_session *session = fn_engine_session(engine, 0);
  const int32_t max_tokens = fn_session_max_tokens(session);
  const fn_status status = fn_session_count_tokens(&counts, session, x->state, &err);
  fn_engine_unref(engine);
  if (status != FN_OK) {
    (void)fn_exchange_fail_err(x, &err);
    return;
  }
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "n_tokens", counts.n_tokens);
  fn_json_int(&w, "max_tokens", max_tokens);
  fn_json_int(&w, "n_read", counts.n_read);
  fn_json_int(&w, "read_bytes", (int64_t)counts.read_bytes);
  fn_json_int(&w, "n_windows", counts.n_windows);
  fn_json_bool(&w, "truncated", counts.truncated);
  fn_json_end(&w);
  (void)fn_exchange_json(x, 200);
}

fn_progress fn_handle_tokens(fn_exchange *x) {
  static const char *const known[] = {"title", "text", NULL};
  json_t *body = NULL;
  const char *key;
  fn_article *article = fn_arena_alloc(&x->arena, 1, sizeof *article);
  if (article == NULL) return fn_exchange_no_memory(x);
  if (fn_body_json(&body, x, known) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  const char *wrong = fn_body_article(article, &key, body);
  const json_t *title = json_object_get(body, "title");
  const bool is_empty = wrong != NULL && strcmp(key, "title") == 0 &&
                        (title == NULL || json_is_string(title) || json_is_null(title)); /* which is no error here */
  if (wrong != NULL && !is_empty) return fn_exchange_fail(x, 422, "invalid", "%s %s", key, wrong);
  x->state = article;
  if (x->request.body.length > MAX_AT_ONCE) return fn_exchange_work(x, count_tokens);
  count_tokens(x);
  return FN_EXCHANGE_DONE;
}
