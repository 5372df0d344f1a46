#include "net/call.h"

#include "base/backoff.h"
#include "base/base64.h"
#include "net/wire.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_HEADERS = 1 << 16, MAX_ANSWER = 1 << 20, SHOWN = 240 };
static const double DEFAULT_TIMEOUT_S = 120;

/* An address as it is shown: what follows '?' may be a signature or the key of an upload. */
#define SHOWN_URL(text) (int)(strcspn(text, "?") < 500 ? strcspn(text, "?") : 500), text

/* One attempt while it runs. */
typedef struct attempt {
  fn_http *http;
  const fn_call_request *request;
  fn_call_answer *answer;
  const fn_url *url; /* of this attempt */
  bool cancelled, read_failed, too_long, too_many_headers, drained;
  bool sunk;        /* the sink has been called */
  uint64_t sent;    /* where the body is read next */
  fn_status status; /* what sink returned, or a read failed with */
  fn_err *err;
} attempt;

void fn_call_answer_deinit(fn_call_answer *answer) {
  fn_buf_deinit(&answer->headers);
  fn_buf_deinit(&answer->body);
  free(answer->url);
  *answer = (fn_call_answer){0};
}

bool fn_call_header(fn_str *value_out, const fn_call_answer *answer, const char *name) {
  fn_str rest = fn_buf_str(&answer->headers);
  *value_out = fn_str_make("", 0);
  while (rest.length) {
    const char *end = memchr(rest.data, '\n', rest.length);
    fn_str line = fn_str_make(rest.data, end ? (size_t)(end - rest.data) : rest.length);
    rest = end ? fn_str_make(end + 1, rest.length - line.length - 1) : fn_str_make(NULL, 0);
    const char *colon = line.length ? memchr(line.data, ':', line.length) : NULL;
    if (!colon || !fn_str_equal_nocase(fn_str_make(line.data, (size_t)(colon - line.data)), fn_str_from(name)))
      continue;
    *value_out = fn_str_trim(fn_str_make(colon + 1, line.length - (size_t)(colon + 1 - line.data)));
    return true;
  }
  return false;
}

/* ---- what libcurl calls */

static size_t on_header(char *data, size_t size, size_t n, void *arg) {
  attempt *a = arg;
  fn_str line = fn_str_trim(fn_str_make(data, size * n));
  if (fn_str_starts_with(line, "HTTP/")) { /* 100 Continue, a proxy's answer: the last head counts */
    fn_buf_reset(&a->answer->headers);
    long status = 0;
    a->http->curl->easy_getinfo(a->http->easy, CURLINFO_RESPONSE_CODE, &status);
    a->answer->status = (int)status;
    return size * n;
  }
  if (line.length) {
    fn_buf_append(&a->answer->headers, line.data, line.length);
    fn_buf_append_char(&a->answer->headers, '\n');
  }
  a->too_many_headers = a->answer->headers.failed;
  return a->too_many_headers ? 0 : size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  attempt *a = arg;
  n *= size;
  fn_call_answer *answer = a->answer;
  const bool good = answer->status >= 200 && answer->status < 300;
  answer->n_received += n;
  if (good && a->request->sink) {
    a->sunk = true;
    a->status = a->request->sink(a->request->arg, answer, data, n, a->err);
    return a->status == FN_OK ? n : 0;
  }
  const size_t room = answer->body.max - 1 - answer->body.length;
  fn_buf_append(&answer->body, data, n < room ? n : room);
  if (n <= room && !answer->body.failed) return n;
  a->too_long = good && n > room; /* of an error's text the front is enough */
  a->drained = !good && n > room;
  return 0;
}

static size_t on_read(char *out, size_t size, size_t n, void *arg) {
  attempt *a = arg;
  const fn_call_request *r = a->request;
  const uint64_t length = r->from_file ? r->body_length : r->body.length;
  uint64_t left = length - a->sent;
  n *= size;
  if (n > left) n = (size_t)left;
  if (n == 0) return 0;
  if (!r->from_file) {
    memcpy(out, r->body.data + a->sent, n);
    a->sent += n;
    return n;
  }
  ssize_t got;
  do {
    got = pread(r->body_file, out, n, (off_t)(r->body_offset + a->sent));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    a->read_failed = true;
    a->status = got < 0 ? fn_err_errno(a->err, errno == ENOENT ? EIO : errno, "%.*s: reading what is to be sent",
                                       SHOWN_URL(a->url->text))
                        : fn_err_set(a->err, FN_E_IO, "%.*s: the file became shorter while it was sent",
                                     SHOWN_URL(a->url->text));
    return CURL_READFUNC_ABORT;
  }
  a->sent += (uint64_t)got;
  return (size_t)got;
}

/* libcurl sends again what a closed connection lost. */
static int on_seek(void *arg, curl_off_t offset, int origin) {
  attempt *a = arg;
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  a->sent = (uint64_t)offset;
  return CURL_SEEKFUNC_OK;
}

static int on_tick(void *arg, curl_off_t n_download, curl_off_t received, curl_off_t n_upload, curl_off_t sent) {
  (void)n_download, (void)n_upload;
  attempt *a = arg;
  if (a->request->tick)
    a->cancelled = a->cancelled || !a->request->tick(a->request->arg, (uint64_t)sent, (uint64_t)received);
  return a->cancelled;
}

/* ---- what is sent */

static bool is_token(const char *text) {
  static const char marks[] = "!#$%&'*+-.^_`|~";
  if (!text || !*text) return false;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && !strchr(marks, *text)) return false;
  return true;
}

/* Nothing that could end the line. */
static bool is_value(const char *text) {
  for (; *text; text++)
    if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7F) return false;
  return true;
}

static fn_status check_request(const fn_call_request *r, fn_err *err) {
  if (r->method && !is_token(r->method)) return fn_err_set(err, FN_E_INVALID, "\"%.40s\" is no HTTP method", r->method);
  for (size_t i = 0; i < r->n_headers + r->n_secret_headers; i++) {
    const fn_call_pair *h = i < r->n_headers ? &r->headers[i] : &r->secret_headers[i - r->n_headers];
    if (!is_token(h->name) || !is_value(h->value))
      return fn_err_set(err, FN_E_INVALID, "the header %.60s holds what no header may (a line break?)",
                        h->name && *h->name ? h->name : "without a name");
  }
  const fn_http_credentials *c = &r->credentials;
  if ((c->bearer && !is_value(c->bearer)) || (c->user && !is_value(c->user)) || (c->password && !is_value(c->password)))
    return fn_err_set(err, FN_E_INVALID, "the credentials hold a line break or another control character");
  return FN_OK;
}

static bool add_header(const fn_curl *curl, struct curl_slist **list, const char *name, const char *value) {
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, MAX_HEADERS);
  fn_buf_append_str(&line, name);
  fn_buf_append_str(&line, value[0] ? ": " : ";"); /* so libcurl writes an empty one */
  fn_buf_append_str(&line, value);
  struct curl_slist *longer = line.failed ? NULL : curl->slist_append(*list, line.data);
  if (longer) *list = longer;
  return longer != NULL;
}

static bool make_headers(struct curl_slist **list, const fn_curl *curl, const fn_call_request *r, bool trusted) {
  bool ok = true;
  for (size_t i = 0; i < r->n_headers; i++) ok = ok && add_header(curl, list, r->headers[i].name, r->headers[i].value);
  for (size_t i = 0; trusted && i < r->n_secret_headers; i++)
    ok = ok && add_header(curl, list, r->secret_headers[i].name, r->secret_headers[i].value);
  struct curl_slist *longer = ok ? curl->slist_append(*list, "Expect:") : NULL; /* else a second is lost per body */
  if (longer) *list = longer;
  return longer != NULL;
}

static CURLcode set_method(attempt *a, const char *method) {
  const fn_curl *curl = a->http->curl;
  CURL *easy = a->http->easy;
  CURLcode code = CURLE_OK;
  const fn_call_request *r = a->request;
  const uint64_t length = r->from_file ? r->body_length : r->body.length;
  const bool sends =
      length > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
  if (strcmp(method, "HEAD") == 0) {
    FN_WIRE_SET(CURLOPT_NOBODY, 1L);
  } else if (sends) {
    FN_WIRE_SET(CURLOPT_UPLOAD, 1L);
    FN_WIRE_SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)length);
    FN_WIRE_SET(CURLOPT_READFUNCTION, on_read);
    FN_WIRE_SET(CURLOPT_READDATA, a);
    FN_WIRE_SET(CURLOPT_SEEKFUNCTION, on_seek);
    FN_WIRE_SET(CURLOPT_SEEKDATA, a);
    FN_WIRE_SET(CURLOPT_CUSTOMREQUEST, method);
  } else {
    FN_WIRE_SET(CURLOPT_HTTPGET, 1L);
    if (strcmp(method, "GET") != 0) FN_WIRE_SET(CURLOPT_CUSTOMREQUEST, method);
  }
  return code;
}

static double timeout_of(const fn_call_request *r) {
  return r->timeout_s > 0 ? r->timeout_s : r->sink || r->from_file ? 0 : DEFAULT_TIMEOUT_S;
}

static CURLcode set_all(attempt *a, const fn_url *url, const char *method, const fn_http_credentials *credentials) {
  const fn_curl *curl = a->http->curl;
  CURL *easy = a->http->easy;
  CURLcode code = fn_wire_set(a->http, url, credentials, a->request->machine_service);
  FN_WIRE_SET(CURLOPT_FRESH_CONNECT, a->request->fresh ? 1L : 0L);
  if (code == CURLE_OK) code = fn_wire_listen(a->http, on_header, on_body, on_tick, a);
  const double timeout_s = timeout_of(a->request);
  if (timeout_s > 0) FN_WIRE_SET(CURLOPT_TIMEOUT_MS, (long)ceil(timeout_s * 1000));
  if (code == CURLE_OK) code = set_method(a, method);
  return code;
}

/* ---- what may be shown */

/* Letter case matters but in the digits of %2f. */
static char *find_secret(char *text, const char *secret, bool any_case) {
  const size_t n = strlen(secret);
  if (!any_case) return strstr(text, secret);
  for (; *text; text++)
    if (strncasecmp(text, secret, n) == 0) return text;
  return NULL;
}

static void wipe_form(char *text, const char *secret, bool any_case) {
  const size_t n = strlen(secret);
  for (char *at = find_secret(text, secret, any_case); at; at = find_secret(at, secret, any_case)) {
    memset(at, '*', 3);
    memmove(at + 3, at + n, strlen(at + n) + 1);
    at += 3;
  }
}

/* As it is, and as it may come back in an address or in JSON. */
static void wipe_one(char *text, const char *secret) {
  if (!secret || strlen(secret) < 4) return;
  wipe_form(text, secret, false);
  FN_AUTO_BUF fn_buf encoded;
  fn_buf_init(&encoded, 4 * FN_URL_MAX);
  for (int slashes = 0; slashes < 2; slashes++) {
    fn_buf_reset(&encoded);
    fn_url_encode(&encoded, fn_str_from(secret), slashes ? "/" : "");
    if (!encoded.failed && strcmp(encoded.data, secret) != 0) wipe_form(text, encoded.data, true);
  }
  fn_buf_reset(&encoded);
  for (const char *p = secret; *p; p++) {
    if (strchr("/\"\\", *p)) fn_buf_append_char(&encoded, '\\');
    fn_buf_append_char(&encoded, *p);
  }
  if (!encoded.failed && strcmp(encoded.data, secret) != 0) wipe_form(text, encoded.data, false);
}

static void wipe_basic(char *text, const char *user, const char *password) {
  FN_AUTO_BUF fn_buf pair, encoded;
  fn_buf_init(&pair, FN_URL_MAX);
  fn_buf_init(&encoded, 2 * FN_URL_MAX);
  fn_buf_printf(&pair, "%s:%s", user, password ? password : "");
  fn_base64_encode(&encoded, fn_buf_str(&pair));
  if (!pair.failed && !encoded.failed) wipe_one(text, encoded.data);
  wipe_one(text, password);
}

/* Values of an address's query: a signature, a token, the key of an upload. Short ones say nothing. */
static void wipe_query(char *text, const char *url) {
  enum { SAYS_NOTHING = 16 };
  const char *at = strchr(url, '?');
  FN_AUTO_BUF fn_buf value;
  fn_buf_init(&value, FN_URL_MAX + 1);
  while (at) {
    const char *equals = at + 1 + strcspn(at + 1, "=&"), *end = at + 1 + strcspn(at + 1, "&");
    const fn_str given = *equals == '=' ? fn_str_make(equals + 1, (size_t)(end - equals - 1)) : fn_str_make("", 0);
    for (int decoded = 0; decoded < 2 && given.length >= SAYS_NOTHING; decoded++) {
      fn_buf_reset(&value);
      if (decoded) fn_url_decode(&value, given);
      if (!decoded) fn_buf_append(&value, given.data, given.length);
      if (!value.failed) wipe_one(text, value.data);
    }
    at = *end ? end : NULL;
  }
}

void fn_call_wipe(char *text, const fn_call_request *request) {
  fn_url url = {0};
  wipe_query(text, request->url);
  wipe_one(text, request->credentials.bearer);
  for (size_t i = 0; i < FN_COUNT_OF(request->secret_body); i++) wipe_one(text, request->secret_body[i]);
  if (request->credentials.user) wipe_basic(text, request->credentials.user, request->credentials.password);
  if (strchr(request->url, '@') && fn_url_parse(&url, request->url, NULL) == FN_OK && url.user)
    wipe_basic(text, url.user, url.password);
  fn_url_deinit(&url);
  for (size_t i = 0; i < request->n_secret_headers; i++) {
    const char *value = request->secret_headers[i].value;
    wipe_one(text, value);
    const char *space = strchr(value, ' '); /* "Bearer TOKEN" */
    if (space) wipe_one(text, space + 1);
  }
}

/* ---- one request */

static void empty(fn_call_answer *answer, size_t max) {
  fn_call_answer_deinit(answer);
  fn_buf_init(&answer->headers, MAX_HEADERS);
  fn_buf_init(&answer->body, (max ? max : MAX_ANSWER) + 1);
}

static fn_status judge(attempt *a, const fn_url *url, CURLcode code, const char *detail) {
  fn_call_answer *answer = a->answer;
  if (a->status != FN_OK) return a->status;
  if (a->cancelled) return fn_err_set(a->err, FN_E_CANCELLED, "%.*s: stopped", SHOWN_URL(url->text));
  if (a->too_many_headers)
    return fn_err_set(a->err, FN_E_LIMIT, "%.*s: answers with more than %d bytes of headers", SHOWN_URL(url->text),
                      MAX_HEADERS);
  if (a->too_long)
    return fn_err_set(a->err, FN_E_LIMIT, "%.*s: answers with more than the %zu bytes that are taken",
                      SHOWN_URL(url->text), answer->body.max - 1);
  if (answer->body.failed) return fn_err_no_memory(a->err, url->text);
  if (code == CURLE_OK || a->drained) return FN_OK;
  if (code == CURLE_OUT_OF_MEMORY && answer->status && !answer->n_received) /* how libcurl says it of one line */
    return fn_err_set(a->err, FN_E_LIMIT, "%.*s: answers with a header of more than 100 kB", SHOWN_URL(url->text));
  const fn_wire_failure failure = {.code = code,
                                   .detail = detail,
                                   .url = url,
                                   .hide_query = true,
                                   .answered = answer->status != 0,
                                   .limit = timeout_of(a->request) > 0 ? "or the whole request took too long" : NULL};
  return fn_wire_failed(&answer->retry, &answer->unresolved, a->http, &failure, a->err);
}

/* No redirect is followed. */
static fn_status call_once(attempt *a, const fn_url *url, const char *method, const fn_http_credentials *credentials,
                           bool trusted) {
  const fn_curl *curl = a->http->curl;
  fn_call_answer *answer = a->answer;
  empty(answer, a->request->max_answer_bytes);
  answer->url = fn_str_dup(fn_str_make(url->text, strcspn(url->text, "?")));
  if (!answer->url) return fn_err_no_memory(a->err, url->text);
  a->sent = 0;
  a->url = url;
  char detail[CURL_ERROR_SIZE] = "";
  curl->easy_reset(a->http->easy); /* keeps connections and addresses */
  struct curl_slist *headers = NULL;
  CURLcode code = make_headers(&headers, curl, a->request, trusted) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK) code = set_all(a, url, method, trusted ? credentials : NULL);
  code = fn_wire_perform(a->http, code, headers, detail);
  answer->retry_after_s = fn_wire_retry_after(a->http);
  answer->retry = fn_wire_passing(answer->status);
  return judge(a, url, code, detail);
}

/* The address with its query parameters. */
static fn_status make_url(fn_url *url_out, const fn_call_request *r, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FN_URL_MAX + 2);
  fn_buf_append_str(&text, r->url);
  char separator = strchr(r->url, '?') ? '&' : '?';
  for (size_t i = 0; i < r->n_query; i++) {
    if (!r->query[i].value) continue;
    fn_buf_append_char(&text, separator);
    fn_url_encode(&text, fn_str_from(r->query[i].name), "");
    fn_buf_append_char(&text, '=');
    fn_url_encode(&text, fn_str_from(r->query[i].value), "");
    separator = '&';
  }
  if (text.failed && strlen(r->url) <= FN_URL_MAX && r->n_query == 0) return fn_err_no_memory(err, "an address");
  if (text.failed) return fn_err_set(err, FN_E_INVALID, "an address of more than %d bytes", FN_URL_MAX);
  FN_TRY(fn_url_parse(url_out, text.data, err));
  if (url_out->scheme != FN_URL_FILE) return FN_OK;
  (void)fn_err_set(err, FN_E_INVALID, "%.500s: requests go to http:// and https:// only", url_out->text);
  fn_url_deinit(url_out);
  return FN_E_INVALID;
}

/* Whether the answer leads elsewhere; *next_out is then where. */
static fn_status redirected(bool *follow_out, fn_url *next_out, const attempt *a, const fn_url *url, const char *method,
                            fn_err *err) {
  fn_str location;
  const int code = a->answer->status;
  *follow_out = false;
  if (!fn_wire_is_redirect(code) || a->request->redirects == FN_CALL_TAKE) return FN_OK;
  if (!fn_call_header(&location, a->answer, "location")) return FN_OK; /* 308 of a resumable upload, 301 of S3 */
  const bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
  FN_TRY(fn_wire_redirect(next_out, a->http, url, code, err));
  if (a->request->redirects == FN_CALL_FOLLOW && (reads || code == 307 || code == 308)) {
    *follow_out = true;
    return FN_OK;
  }
  (void)fn_err_set(err, FN_E_INVALID, "%.*s: HTTP %d redirects to %.*s: not followed; give the final address",
                   SHOWN_URL(url->text), code, SHOWN_URL(next_out->text));
  fn_url_deinit(next_out);
  return FN_E_INVALID;
}

static fn_status run(attempt *a, const fn_url *first, const fn_http_credentials *credentials) {
  const fn_url *url = first;
  fn_url target = {0};
  bool trusted = true;
  const char *method = a->request->method ? a->request->method : "GET";
  fn_status status;
  for (int64_t n = 0;; n++) {
    status = call_once(a, url, method, credentials, trusted);
    bool follow = false;
    fn_url next = {0};
    if (status == FN_OK) status = redirected(&follow, &next, a, url, method, a->err);
    if (status != FN_OK || !follow) break;
    trusted = trusted && fn_url_same_origin(url, &next);
    fn_url_deinit(&target);
    target = next;
    url = &target;
    if (n < a->http->options->max_redirects) continue;
    status = fn_err_set(a->err, FN_E_IO, "%.*s: more than %lld redirects (net.max_redirects)", SHOWN_URL(first->text),
                        (long long)a->http->options->max_redirects);
    break;
  }
  a->url = NULL; /* it may be of the target */
  fn_url_deinit(&target);
  return status;
}

static fn_status run_once(fn_call_answer *answer, bool *sunk_out, fn_http *http, const fn_call_request *request,
                          fn_err *err) {
  empty(answer, request->max_answer_bytes);
  FN_TRY(check_request(request, err));
  fn_url url;
  FN_TRY(make_url(&url, request, err));
  fn_http_credentials credentials = request->credentials;
  if (!credentials.user && !credentials.bearer && request->n_secret_headers == 0 && url.user)
    credentials = (fn_http_credentials){.user = url.user, .password = url.password};
  const bool has_credentials = credentials.user || credentials.bearer || request->secret_body[0] ||
                               request->secret_body[1] || request->n_secret_headers > 0;
  attempt a = {.http = http, .request = request, .answer = answer, .err = err};
  fn_status status = FN_OK;
  if (has_credentials && !request->machine_service) status = fn_wire_check_plain(&url, http->options, err);
  if (status == FN_OK) status = run(&a, &url, &credentials);
  *sunk_out = a.sunk;
  fn_url_deinit(&url);
  /* An address that a redirect named, or the TLS library's words, may hold what was sent. */
  if (status != FN_OK && err) fn_call_wipe(err->message, request);
  return status;
}

fn_status fn_call_run(fn_call_answer *answer, fn_http *http, const fn_call_request *request, fn_err *err) {
  bool sunk;
  return run_once(answer, &sunk, http, request, err);
}

static bool go_on(const void *arg) {
  const fn_call_request *r = arg;
  return !r->tick || r->tick(r->arg, 0, 0);
}

fn_status fn_call_pause(fn_http *http, const fn_call_request *request, const fn_call_answer *answer, int64_t n_failures,
                        const char *why, fn_err *err) {
  const fn_net_options *o = http->options;
  /* A resolver may be away for a moment; a name that is none fails as surely a second later. */
  if ((answer->unresolved && n_failures > 1) || n_failures > o->retries || answer->retry_after_s > o->max_wait_s)
    return FN_E_IO;
  const double wait_s = fn_backoff_s(o->backoff_s, o->max_wait_s, n_failures, answer->retry_after_s);
  if (request->on_retry) request->on_retry(request->arg, why, wait_s);
  if (answer->unresolved) FN_TRY(fn_http_renew(http, err)); /* libcurl 7.88 does not look a name up again */
  if (fn_backoff_sleep(wait_s, go_on, request)) return FN_OK;
  return fn_err_set(err, FN_E_CANCELLED, "%.*s: stopped", SHOWN_URL(answer->url ? answer->url : "a request"));
}

fn_status fn_call_retry(fn_call_answer *answer, fn_http *http, const fn_call_request *request, fn_err *err) {
  fn_err reason = {0};
  for (int64_t n_failures = 1;; n_failures++) {
    bool sunk = false;
    reason.message[0] = 0;
    fn_status status = run_once(answer, &sunk, http, request, &reason);
    const bool again = answer->retry && !sunk && (status == FN_OK || status == FN_E_IO);
    if (again && status == FN_OK && fn_call_check(answer, request, &reason) == FN_OK) return FN_OK;
    const fn_status paused = again ? fn_call_pause(http, request, answer, n_failures, reason.message, err) : FN_E_IO;
    if (paused == FN_OK) continue;
    if (paused == FN_E_CANCELLED) return paused;
    if (status == FN_OK) return FN_OK;
    if (n_failures == 1) return fn_err_set(err, status, "%s", reason.message);
    return fn_err_set(err, status, "%.900s (%lld attempts failed in a row)", reason.message, (long long)n_failures);
  }
}

/* ---- what an answer means */

/* The front of a body on one line. */
static void excerpt(char *out, const fn_call_answer *answer, const fn_call_request *request) {
  FN_AUTO_FREE char *text = fn_str_dup(fn_buf_str(&answer->body));
  out[0] = 0;
  if (!text) return;
  fn_call_wipe(text, request);
  size_t n = 0;
  bool space = true;
  for (const char *p = text; *p && n < SHOWN;) {
    const size_t length = fn_utf8_decode(NULL, p, strlen(p) < 4 ? strlen(p) : 4);
    const bool blank = length == 0 || (length == 1 && ((unsigned char)*p <= ' ' || *p == 0x7F)) ||
                       (length == 2 && (unsigned char)*p == 0xC2 && (unsigned char)p[1] < 0xA0);
    if (n + length >= SHOWN) break;
    if (!blank) memcpy(out + n, p, length), n += length;
    if (blank && !space) out[n++] = ' ';
    space = blank;
    p += length ? length : 1;
  }
  while (n && out[n - 1] == ' ') n--;
  out[n] = 0;
}

fn_status fn_call_check(const fn_call_answer *answer, const fn_call_request *request, fn_err *err) {
  const int code = answer->status;
  if (code >= 200 && code < 300) return FN_OK;
  char said[SHOWN + 1];
  excerpt(said, answer, request);
  fn_status status = code == 404 || code == 410                   ? FN_E_NOT_FOUND
                     : code == 413                                ? FN_E_LIMIT
                     : answer->retry || code < 400 || code >= 500 ? FN_E_IO
                                                                  : FN_E_INVALID;
  const char *meaning = code == 401                  ? " (who asks is not known: credentials missing or wrong)"
                        : code == 403                ? " (access denied)"
                        : code == 404 || code == 410 ? " (not there)"
                        : code == 429                ? " (too many requests)"
                        : code >= 500 || code < 100  ? " (the server failed)"
                                                     : "";
  return fn_err_set(err, status, "%.500s: HTTP %d%s%s%s", answer->url, code, meaning, said[0] ? ": " : "", said);
}
