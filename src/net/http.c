#include "net/http.h"

#include "net/wire.h"

enum { MAX_IGNORED = 1 << 16 };

/* One answer while it comes in. */
typedef struct answer {
  fn_http *http;
  const fn_http_request *request;
  fn_http_head head;
  bool begun;       /* begin was called */
  bool cancelled;   /* tick said so */
  bool ignoring;    /* the body is of no interest, and it is long: the transfer was ended on purpose */
  size_t n_ignored; /* bytes of such a body */
  fn_status status; /* what begin or body returned */
  fn_err *err;      /* they fill it */
} answer;

fn_status fn_http_create(fn_http **http_out, const fn_net_options *options, const char *agent, fn_err *err) {
  const fn_curl *curl;
  FN_TRY(fn_curl_get(&curl, err));
  fn_http *http = fn_mem_calloc(1, sizeof *http);
  if (http) *http = (fn_http){curl, options, curl->easy_init(), fn_str_dup(fn_str_from(agent))};
  if (!http || !http->easy || !http->agent) {
    fn_http_destroy(http);
    return fn_err_no_memory(err, "a connection");
  }
  *http_out = http;
  return FN_OK;
}

void fn_http_destroy(fn_http *http) {
  if (!http) return;
  http->curl->easy_cleanup(http->easy);
  free(http->agent);
  free(http);
}

fn_status fn_http_renew(fn_http *http, fn_err *err) {
  CURL *fresh = http->curl->easy_init();
  if (!fresh) return fn_err_no_memory(err, "a connection");
  http->curl->easy_cleanup(http->easy);
  http->easy = fresh;
  return FN_OK;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg) {
  answer *a = arg;
  fn_http_head_line(&a->head, fn_str_make(data, size * n));
  return size * n;
}

static bool wanted(const answer *a) {
  return a->head.status == 200 || a->head.status == 206;
}

/* Hands the head on, once. */
static bool begin(answer *a) {
  if (a->begun || !wanted(a)) return true;
  a->begun = true;
  curl_off_t length = -1;
  a->http->curl->easy_getinfo(a->http->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  a->head.length = length;
  a->status = a->request->begin(a->request->arg, &a->head, a->err);
  return a->status == FN_OK;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  answer *a = arg;
  n *= size;
  if (!wanted(a)) {
    a->n_ignored += n;
    a->ignoring = a->n_ignored > MAX_IGNORED;
    return a->ignoring ? 0 : n;
  }
  if (!begin(a)) return 0;
  a->status = a->request->body(a->request->arg, data, n, a->err);
  return a->status == FN_OK ? n : 0;
}

static int on_tick(void *arg, curl_off_t a1, curl_off_t a2, curl_off_t a3, curl_off_t a4) {
  (void)a1, (void)a2, (void)a3, (void)a4;
  answer *a = arg;
  a->cancelled = a->cancelled || !a->request->tick(a->request->arg);
  return a->cancelled;
}

/* Headers of a request that goes on where an earlier one ended. NULL when there are none; *ok false: memory is short.
 */
static struct curl_slist *resume_headers(const fn_curl *curl, const fn_http_request *request, bool *ok) {
  if (request->offset == 0) return NULL;
  char range[64], condition[320];
  snprintf(range, sizeof range, "Range: bytes=%llu-", (unsigned long long)request->offset);
  struct curl_slist *list = curl->slist_append(NULL, range);
  if (list && request->validator) {
    snprintf(condition, sizeof condition, "If-Range: %s", request->validator);
    struct curl_slist *longer = curl->slist_append(list, condition);
    if (!longer) curl->slist_free_all(list);
    list = longer;
  }
  *ok = list != NULL;
  return list;
}

/* One request, no redirect followed. */
static fn_status get_once(fn_http_result *result, fn_http *http, const fn_http_request *request, const fn_url *url,
                          bool trusted, fn_err *err) {
  const fn_curl *curl = http->curl;
  answer a = {.http = http, .request = request, .err = err};
  fn_http_head_reset(&a.head);
  if (url->scheme == FN_URL_FILE) a.head.status = 200;
  char detail[CURL_ERROR_SIZE] = "";
  bool ok = true;
  curl->easy_reset(http->easy); /* keeps connections and addresses */
  struct curl_slist *headers = resume_headers(curl, request, &ok);
  CURLcode code = CURLE_OUT_OF_MEMORY;
  if (ok) code = fn_wire_set(http, url, trusted ? &request->credentials : NULL, false);
  if (code == CURLE_OK) code = fn_wire_listen(http, on_header, on_body, on_tick, &a);
  code = fn_wire_perform(http, code, headers, detail);
  if (code == CURLE_OK) (void)begin(&a); /* an empty body */
  result->head = a.head;
  result->retry_after_s = fn_wire_retry_after(http);
  result->retry = fn_wire_passing(a.head.status);
  if (a.status != FN_OK) return a.status;
  if (a.cancelled) return fn_err_set(err, FN_E_CANCELLED, "%.500s: stopped", url->text);
  if (code == CURLE_OK || a.ignoring) return FN_OK;
  const fn_wire_failure failure = {
      .code = code, .detail = detail, .url = url, .answered = a.head.status != 0, .limit = NULL};
  return fn_wire_failed(&result->retry, &result->unresolved, http, &failure, err);
}

fn_status fn_http_get(fn_http_result *result_out, fn_http *http, const fn_http_request *request, fn_err *err) {
  *result_out = (fn_http_result){0};
  const fn_url *url = request->url;
  fn_url target = {0};
  bool trusted = true;
  if (request->credentials.user || request->credentials.bearer) FN_TRY(fn_wire_check_plain(url, http->options, err));
  fn_status status;
  for (int64_t n = 0;; n++) {
    status = get_once(result_out, http, request, url, trusted, err);
    int code = result_out->head.status;
    if (status != FN_OK || !fn_wire_is_redirect(code)) break;
    if (n >= http->options->max_redirects) {
      status = fn_err_set(err, FN_E_IO, "%.500s: more than %lld redirects (net.max_redirects)", request->url->text,
                          (long long)http->options->max_redirects);
      break;
    }
    fn_url next = {0};
    status = fn_wire_redirect(&next, http, url, code, err);
    if (status != FN_OK) break;
    trusted = trusted && fn_url_same_origin(url, &next);
    fn_url_deinit(&target);
    target = next;
    url = &target;
  }
  fn_url_deinit(&target);
  return status;
}
