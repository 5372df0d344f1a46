#include "base/hash.h"
#include "mlflow/internal.h"
#include "net/net.h"

#include <stdarg.h>

static char *copy(const char *text) {
  return text ? fn_str_dup(fn_str_from(text)) : NULL;
}

/* Fills what the options and the address say. */
static fn_status take_options(fn_mlflow *m, const fn_mlflow_options *options, fn_url *url, fn_err *err) {
  m->options = *options;
  m->options.uri = m->options.user = m->options.password = m->options.token = m->options.workspace = NULL;
  m->is_here = fn_url_is_here(url);
  m->uri = FN_STEAL(url->text);
  for (size_t n = strlen(m->uri); n > 0 && m->uri[n - 1] == '/'; n--) m->uri[n - 1] = '\0';
  const char *user = options->user ? options->user : url->user,
             *password = options->password ? options->password : url->password;
  if (!user && !options->token) FN_TRY(fn_mlflow_credentials_load(&m->user, &m->password, options->environment, err));
  FN_TRY(fn_mlflow_use_workspace(m, options->workspace, err));
  m->token = copy(options->token);
  if (options->token) user = password = NULL;
  if (!m->user) m->user = copy(user);
  if (!m->password) m->password = copy(password);
  if ((options->token && !m->token) || (user && !m->user) || (password && !m->password))
    return fn_err_no_memory(err, "credentials");
  m->net = *options->net;
  if (!m->net.ca_file) m->net.ca_file = options->ca_file;
  return fn_http_create(&m->http, &m->net, "fakenews", err);
}

fn_status fn_mlflow_uri_parse(fn_url *url_out, const char *uri, fn_err *err) {
  FN_TRY(fn_url_parse(url_out, uri, err));
  if (url_out->scheme != FN_URL_FILE && !strpbrk(url_out->text, "?#")) return FN_OK;
  const fn_status status = fn_err_set(
      err, FN_E_INVALID, "%s: the address of an MLflow server must be http:// or https://, with no '?' and no '#'",
      url_out->text);
  fn_url_deinit(url_out);
  return status;
}

fn_status fn_mlflow_open(fn_mlflow **mlflow_out, const fn_mlflow_options *options, fn_err *err) {
  fn_url url;
  FN_TRY(fn_mlflow_uri_parse(&url, options->uri ? options->uri : "", err));
  fn_mlflow *m = fn_mem_calloc(1, sizeof *m);
  const fn_status status = m ? take_options(m, options, &url, err) : fn_err_no_memory(err, "a client of MLflow");
  fn_url_deinit(&url);
  if (status != FN_OK) {
    fn_mlflow_close(m);
    return status;
  }
  *mlflow_out = m;
  return FN_OK;
}

void fn_mlflow_close(fn_mlflow *m) {
  if (!m) return;
  if (m->http) fn_http_destroy(m->http);
  char *secrets[] = {m->user, m->password, m->token};
  for (size_t i = 0; i < FN_COUNT_OF(secrets); i++)
    if (secrets[i]) explicit_bzero(secrets[i], strlen(secrets[i]));
  free(m->user);
  free(m->password);
  free(m->token);
  free(m->workspace);
  free(m->uri);
  free(m);
}

const fn_mlflow_failure *fn_mlflow_last_failure(const fn_mlflow *mlflow) {
  return &mlflow->failure;
}

const char *fn_mlflow_uri(const fn_mlflow *mlflow) {
  return mlflow->uri;
}

bool fn_mlflow_tick(fn_mlflow *m, uint64_t n_bytes) {
  if (n_bytes != m->moved_bytes) {
    m->moved_bytes = n_bytes;
    m->moved_ns = fn_clock_ns();
  }
  return !m->options.tick || m->options.tick(m->options.tick_arg);
}

double fn_mlflow_still_s(const fn_mlflow *m) {
  return (double)(fn_clock_ns() - m->moved_ns) / 1e9;
}

static bool on_tick(void *arg, uint64_t n_sent, uint64_t n_received) {
  return fn_mlflow_tick(arg, n_sent + n_received);
}

fn_status fn_mlflow_use_workspace(fn_mlflow *m, const char *workspace, fn_err *err) {
  char *kept = workspace && *workspace ? fn_str_dup(fn_str_from(workspace)) : NULL;
  if (workspace && *workspace && !kept) return fn_err_no_memory(err, "a workspace");
  free(m->workspace);
  m->workspace = kept;
  return FN_OK;
}

const char *fn_mlflow_workspace(const fn_mlflow *m) {
  return m->workspace ? m->workspace : "";
}

void fn_mlflow_prepare(fn_call_request *request, fn_mlflow *m) {
  if (m->workspace && request->n_headers < FN_MLFLOW_MAX_HEADERS) {
    for (size_t i = 0; i < request->n_headers; i++) m->headers[i] = request->headers[i];
    m->headers[request->n_headers++] = (fn_call_pair){"X-MLFLOW-WORKSPACE", m->workspace};
    request->headers = m->headers;
  }
  request->credentials = (fn_http_credentials){m->user, m->password, m->token};
  request->timeout_s = m->options.timeout_s > 0 ? m->options.timeout_s : 120;
  request->max_answer_bytes = FN_MLFLOW_MAX_ANSWER;
  request->redirects = FN_CALL_REFUSE;
  request->tick = on_tick;
  request->arg = m;
}

fn_status fn_mlflow_run_call(fn_call_answer *answer, fn_mlflow *m, const fn_call_request *request, const char *what,
                             fn_err *err) {
  m->failure = (fn_mlflow_failure){0};
  fn_status status =
      m->options.once ? fn_call_run(answer, m->http, request, err) : fn_call_retry(answer, m->http, request, err);
  if (status != FN_OK) {
    m->failure.http = answer->status;
    m->failure.moved = answer->status == 301 || answer->status == 308;
    /* a redirect, or an answer that is too long: something else stands there for now */
    m->failure.temporary = status == FN_E_IO || status == FN_E_LIMIT || (answer->status >= 300 && answer->status < 400);
    return fn_err_prefix(err, status, "MLflow, %s", what);
  }
  fn_err told = {0};
  status = fn_mlflow_judge(&m->failure, answer->status, fn_buf_str(&answer->body), what, m->user || m->token, &told);
  if (status == FN_OK) return FN_OK;
  m->failure.retry_after_s = answer->retry_after_s;
  fn_call_wipe(told.message, request);
  return fn_err_set(err, status, "%s: %s", m->uri, told.message);
}

/* What would be there twice, or be refused, when it is sent twice: whoever asks looks for it before another attempt. */
static bool is_made_anew(const char *path) {
  static const char *const paths[] = {"runs/create", "runs/outputs", "model-versions/create", "logged-models"};
  for (size_t i = 0; i < FN_COUNT_OF(paths); i++)
    if (strcmp(path, paths[i]) == 0) return true;
  return strncmp(path, "logged-models/", 14) == 0 && strcmp(path + strcspn(path + 14, "/") + 14, "/params") == 0;
}

fn_status fn_mlflow_ask(json_t **answer_out, fn_mlflow *m, const char *method, const char *path,
                        const fn_call_pair *query, size_t n_query, fn_str body, fn_err *err) {
  FN_AUTO_BUF fn_buf url;
  fn_buf_init(&url, FN_URL_MAX);
  fn_buf_printf(&url, "%s/api/2.0/mlflow/%s", m->uri, path);
  FN_TRY(fn_buf_check(&url, "an address", err));
  static const fn_call_pair type[] = {{"Content-Type", "application/json"}};
  fn_call_request request = {.method = method,
                             .url = url.data,
                             .query = query,
                             .n_query = n_query,
                             .headers = type,
                             .n_headers = body.data ? 1 : 0,
                             .body = body};
  fn_mlflow_prepare(&request, m);
  request.fresh = is_made_anew(path);
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_mlflow_run_call(&answer, m, &request, path, err));
  FN_AUTO_JSON json_t *object = NULL;
  fn_status status = fn_mlflow_parse(&object, fn_buf_str(&answer.body), path, err);
  if (status != FN_OK) {
    m->failure = (fn_mlflow_failure){.http = answer.status, .temporary = status == FN_E_IO};
    return fn_err_prefix(err, status, "%s", m->uri);
  }
  if (answer_out) *answer_out = FN_STEAL(object);
  return FN_OK;
}

fn_status fn_mlflow_post(json_t **answer_out, fn_mlflow *m, const char *method, const char *path, fn_err *err,
                         const char *format, ...) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 4 * 1024 * 1024);
  fn_json_writer w;
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  va_list args;
  va_start(args, format);
  for (const char *f = format; *f; f++) {
    const char *key = va_arg(args, const char *);
    if (*f == 'i') {
      fn_json_int(&w, key, va_arg(args, int64_t));
    } else {
      const char *text = va_arg(args, const char *);
      if (text) fn_json_text(&w, key, text);
    }
  }
  va_end(args);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&body, "a request to MLflow", err));
  return fn_mlflow_ask(answer_out, m, method, path, NULL, 0, fn_buf_str(&body), err);
}

fn_status fn_mlflow_strange(fn_mlflow *m, const char *what, const char *why, fn_err *err) {
  m->failure = (fn_mlflow_failure){.http = 200, .temporary = true};
  return fn_err_set(err, FN_E_IO, "%s: MLflow, %s: the answer is none of MLflow's: %s", m->uri, what, why);
}

fn_status fn_mlflow_version(const char **version_out, fn_mlflow *m, fn_err *err) {
  if (!m->asked_version) {
    FN_AUTO_BUF fn_buf url;
    fn_buf_init(&url, FN_URL_MAX);
    fn_buf_printf(&url, "%s/version", m->uri);
    FN_TRY(fn_buf_check(&url, "an address", err));
    fn_call_request request = {.url = url.data};
    fn_mlflow_prepare(&request, m);
    FN_AUTO_ANSWER fn_call_answer answer = {0};
    fn_status status = fn_mlflow_run_call(&answer, m, &request, "version", err);
    if (status != FN_OK && status != FN_E_UNSUPPORTED && status != FN_E_NOT_FOUND) return status;
    if (status == FN_OK) {
      fn_str text = fn_str_trim(fn_buf_str(&answer.body));
      bool fits = text.length > 0 && text.length < sizeof m->version;
      for (size_t i = 0; fits && i < text.length; i++)
        fits = (text.data[i] >= '0' && text.data[i] <= '9') || text.data[i] == '.' ||
               (text.data[i] >= 'a' && text.data[i] <= 'z');
      if (fits) memcpy(m->version, text.data, text.length);
    }
    m->asked_version = true;
  }
  *version_out = m->version;
  return FN_OK;
}

/* A page: each member of the list goes out, *next becomes the token of the next page ("" when this was the last). */
static fn_status take_page(fn_buf *next, bool *ended, fn_mlflow *m, const char *path, json_t *answer, const char *list,
                           fn_status (*each)(void *arg, json_t *object, fn_err *err), void *arg, fn_err *err) {
  json_t *array = json_object_get(answer, list);
  if (array && !json_is_array(array)) return fn_mlflow_strange(m, path, "its list is no list", err);
  for (size_t i = 0; i < json_array_size(array); i++) {
    json_t *object = json_array_get(array, i);
    if (!json_is_object(object)) return fn_mlflow_strange(m, path, "its list holds something else", err);
    fn_status status = each(arg, object, err);
    if (status == FN_E_CANCELLED) {
      *ended = true;
      return FN_OK;
    }
    if (status != FN_OK) return status;
  }
  const char *token = fn_mlflow_text(answer, "next_page_token");
  fn_buf_reset(next);
  fn_buf_append_str(next, token);
  *ended = *token == '\0';
  return fn_buf_check(next, "a page token", err);
}

fn_status fn_mlflow_pages(fn_mlflow *m, bool get, const char *path, const fn_call_pair *query, size_t n_query,
                          fn_str body, const char *list, fn_status (*each)(void *arg, json_t *object, fn_err *err),
                          void *arg, fn_err *err) {
  FN_AUTO_BUF fn_buf next, text;
  fn_buf_init(&next, 64 * 1024);
  fn_buf_init(&text, 1024 * 1024);
  fn_call_pair pairs[8];
  if (n_query + 1 > FN_COUNT_OF(pairs)) return fn_err_set(err, FN_E_INTERNAL, "MLflow: too many query parameters");
  if (n_query > 0) memcpy(pairs, query, n_query * sizeof *query);
  bool ended = false;
  uint64_t mark = 0; /* of the token of a page, by Brent: a round of tokens comes back to it */
  for (unsigned page = 0; !ended; page++) {
    if (page == FN_MLFLOW_MAX_PAGES) return fn_mlflow_strange(m, path, "its pages do not end", err);
    FN_AUTO_JSON json_t *answer = NULL;
    pairs[n_query] = (fn_call_pair){"page_token", next.length > 0 ? next.data : NULL};
    fn_buf_reset(&text);
    fn_buf_append(&text, body.data, body.length);
    if (next.length > 0) {
      fn_buf_append_str(&text, ",\"page_token\":");
      fn_buf_append_json(&text, fn_buf_str(&next));
    }
    fn_buf_append_char(&text, '}');
    FN_TRY(fn_buf_check(&text, "a search", err));
    FN_TRY(fn_mlflow_ask(&answer, m, get ? "GET" : "POST", path, get ? pairs : NULL, get ? n_query + 1 : 0,
                         get ? (fn_str){0} : fn_buf_str(&text), err));
    FN_TRY(take_page(&next, &ended, m, path, answer, list, each, arg, err));
    const uint64_t now = fn_hash64(next.data, next.length, 0);
    if (!ended && page > 0 && now == mark) return fn_mlflow_strange(m, path, "the same pages again and again", err);
    if ((page & (page + 1)) == 0) mark = now;
  }
  return FN_OK;
}
