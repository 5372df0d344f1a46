#include "net/http.h"

#include "net/curl_library.h"

#include <math.h>

enum { MAX_IGNORED = 1 << 16, BUFFER = 1 << 17 };

struct fn_http {
  const fn_curl *curl;
  const fn_net_options *options;
  CURL *easy;
  char *agent;
};

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

/* Whether another attempt may find the way free. */
static bool passing(CURLcode code) {
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_PARTIAL_FILE:
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM: return true;
  default: return false;
  }
}

static bool passing_status(int status) {
  return status == 408 || status == 425 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

static const char *proxy_of(const fn_net_options *o, const fn_url *url) {
  const char *proxy = url->scheme == FN_URL_HTTPS ? o->https_proxy : url->scheme == FN_URL_HTTP ? o->http_proxy : NULL;
  return proxy ? proxy : ""; /* libcurl reads the environment for NULL */
}

/* Sets one option; the first failure stays in *code. */
#define SET(option, value)                                                                                             \
  do {                                                                                                                 \
    if (code == CURLE_OK) code = curl->easy_setopt(easy, option, value);                                               \
  } while (0)

static CURLcode set_limits(const fn_curl *curl, CURL *easy, const fn_net_options *o) {
  CURLcode code = CURLE_OK;
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_CONNECTTIMEOUT_MS, (long)ceil(o->connect_timeout_s * 1000));
  SET(CURLOPT_LOW_SPEED_TIME, (long)o->stall_timeout_s);
  SET(CURLOPT_LOW_SPEED_LIMIT, (long)o->stall_bytes_per_s);
  SET(CURLOPT_BUFFERSIZE, (long)BUFFER);
  SET(CURLOPT_NOPROXY, o->no_proxy ? o->no_proxy : "");
  if (o->ca_file) SET(CURLOPT_CAINFO, o->ca_file);
  return code;
}

static CURLcode set_request(answer *a, const fn_url *url, bool trusted) {
  const fn_curl *curl = a->http->curl;
  CURL *easy = a->http->easy;
  const fn_http_credentials *c = &a->request->credentials;
  CURLcode code = set_limits(curl, easy, a->http->options);
  SET(CURLOPT_URL, url->text);
  SET(CURLOPT_PROTOCOLS_STR, url->scheme == FN_URL_FILE ? "file" : "http,https");
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_PROXY, proxy_of(a->http->options, url));
  SET(CURLOPT_USERAGENT, a->http->agent);
  SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, a);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, a);
  SET(CURLOPT_XFERINFOFUNCTION, on_tick);
  SET(CURLOPT_XFERINFODATA, a);
  SET(CURLOPT_NOPROGRESS, 0L);
  if (trusted && c->bearer) {
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    SET(CURLOPT_XOAUTH2_BEARER, c->bearer);
  } else if (trusted && c->user) {
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_USERNAME, c->user);
    SET(CURLOPT_PASSWORD, c->password ? c->password : "");
  }
  return code;
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

static fn_status failed(fn_http_result *result, const answer *a, const fn_url *url, CURLcode code, const char *detail,
                        fn_err *err) {
  if (code == CURLE_OUT_OF_MEMORY) return fn_err_no_memory(err, url->text);
  if (code == CURLE_FILE_COULDNT_READ_FILE)
    return fn_err_set(err, FN_E_NOT_FOUND, "%.500s: no such file can be read", url->text);
  result->retry = passing(code);
  result->unresolved = code == CURLE_COULDNT_RESOLVE_HOST;
  const char *hint = "";
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
    hint = "; certificates to trust come with the Debian package ca-certificates, others by net.ca_file";
  if (code == CURLE_OPERATION_TIMEDOUT)
    hint = a->head.status ? " (net.stall_timeout_s)" : " (net.connect_timeout_s, net.stall_timeout_s)";
  return fn_err_set(err, FN_E_IO, "%.500s: %.250s%s", url->text,
                    detail[0] ? detail : a->http->curl->easy_strerror(code), hint);
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
  CURLcode code = ok ? set_request(&a, url, trusted) : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK) code = curl->easy_setopt(http->easy, CURLOPT_HTTPHEADER, headers);
  if (code == CURLE_OK) code = curl->easy_setopt(http->easy, CURLOPT_ERRORBUFFER, detail);
  if (code == CURLE_OK) code = curl->easy_perform(http->easy);
  curl->slist_free_all(headers);
  if (code == CURLE_OK) (void)begin(&a); /* an empty body */
  result->head = a.head;
  curl_off_t wait = 0;
  curl->easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &wait);
  result->retry_after_s = (double)wait;
  result->retry = passing_status(a.head.status);
  if (a.status != FN_OK) return a.status;
  if (a.cancelled) return fn_err_set(err, FN_E_CANCELLED, "%.500s: stopped", url->text);
  if (code == CURLE_OK || a.ignoring) return FN_OK;
  return failed(result, &a, url, code, detail, err);
}

/* Where a redirect leads; refused when it leaves http(s), or https. */
static fn_status next_url(fn_url *next_out, fn_http *http, const fn_url *from, int status, fn_err *err) {
  const char *target = NULL;
  http->curl->easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &target);
  if (!target) return fn_err_set(err, FN_E_IO, "%.500s: answers %d without saying where to go", from->text, status);
  fn_status parsed = fn_url_parse(next_out, target, err);
  if (parsed != FN_OK) return fn_err_prefix(err, parsed, "%.400s redirects", from->text);
  const char *why = next_out->scheme == FN_URL_FILE ? "only http and https are followed"
                    : from->scheme == FN_URL_HTTPS && next_out->scheme == FN_URL_HTTP
                        ? "from https to http, which anyone on the way could read and change"
                        : NULL;
  if (!why) return FN_OK;
  (void)fn_err_set(err, FN_E_INVALID, "%.350s redirects to %.350s: refused, %s", from->text, next_out->text, why);
  fn_url_deinit(next_out);
  return FN_E_INVALID;
}

fn_status fn_http_get(fn_http_result *result_out, fn_http *http, const fn_http_request *request, fn_err *err) {
  *result_out = (fn_http_result){0};
  const fn_url *url = request->url;
  fn_url target = {0};
  bool trusted = true;
  fn_status status;
  for (int64_t n = 0;; n++) {
    status = get_once(result_out, http, request, url, trusted, err);
    int code = result_out->head.status;
    if (status != FN_OK || !(code == 301 || code == 302 || code == 303 || code == 307 || code == 308)) break;
    if (n >= http->options->max_redirects) {
      status = fn_err_set(err, FN_E_IO, "%.500s: more than %lld redirects (net.max_redirects)", request->url->text,
                          (long long)http->options->max_redirects);
      break;
    }
    fn_url next = {0};
    status = next_url(&next, http, url, code, err);
    if (status != FN_OK) break;
    trusted = trusted && fn_url_same_origin(url, &next);
    fn_url_deinit(&target);
    target = next;
    url = &target;
  }
  fn_url_deinit(&target);
  return status;
}
