/* A folder of a web server: get, read and stat. */
#include "store/driver.h"

#include "store/when.h"

typedef struct web {
  char *base;        /* with user:password@ when the address had them; never shown */
  const char *query; /* "?…" of the address, added to every request; never shown; inside base */
} web;

static fn_status web_call(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err) {
  const web *w = store->state;
  FN_AUTO_BUF fn_buf url;
  fn_buf_init(&url, FN_URL_MAX);
  fn_buf_printf(&url, "%s/", w->base);
  fn_url_encode(&url, fn_str_from(call->key), "/");
  fn_buf_append_str(&url, w->query);
  FN_TRY(fn_buf_check(&url, "an address", err));
  fn_call_request request = {
      .url = url.data, .headers = call->headers, .n_headers = call->n_headers, .redirects = FN_CALL_FOLLOW};
  return fn_store_perform(answer, store, call, &request, err);
}

static fn_status web_explain(const fn_store *store, const fn_call_answer *answer, const char *key, fn_err *err) {
  const int http = answer->status;
  if (http == 404 || http == 410) return fn_err_set(err, FN_E_NOT_FOUND, "%.300s/%.400s: not there", store->uri, key);
  const fn_call_request request = {.url = store->uri};
  return fn_call_check(answer, &request, err);
}

static unsigned web_renew(fn_store *store, const fn_call_answer *answer) {
  (void)store, (void)answer;
  return 0;
}

static void web_sums(fn_sums *sums, const fn_call_answer *answer) {
  (void)sums, (void)answer; /* nothing but the length is said */
}

static fn_status web_get(fn_store *store, const char *key, const char *to_path, const char *sha256, fn_err *err) {
  const fn_store_call call = {.method = "GET", .key = key, .total = -1};
  return fn_store_receive(store, &call, to_path, sha256, err);
}

static fn_status web_read(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err) {
  const fn_store_call call = {.method = "GET", .key = key, .total = -1};
  return fn_store_receive_small(out, store, &call, max_bytes, err);
}

/* Nothing more than its head is wanted of an answer that is the whole file. */
static fn_status take_head(void *arg, const fn_call_answer *head, const void *data, size_t length, fn_err *err) {
  (void)data, (void)length;
  if (head->status == 206) return FN_OK;
  *(bool *)arg = true;
  return fn_err_set(err, FN_E_CANCELLED, "no more of it is wanted");
}

/* How long it is, from a question for its first byte: an address that is signed for GET answers no HEAD. */
static fn_status ask_first_byte(int64_t *size, fn_call_answer *answer, fn_store *store, const char *key, fn_err *err) {
  static const fn_call_pair range[] = {{"Range", "bytes=0-0"}};
  bool whole = false;
  fn_str value = {0};
  const fn_store_call call = {
      .method = "GET", .key = key, .total = -1, .headers = range, .n_headers = 1, .sink = take_head, .arg = &whole};
  const fn_status status = fn_store_expect(answer, store, &call, whole ? NULL : err);
  if (status != FN_OK && !whole) return status;
  if (err && whole) *err = (fn_err){0};
  *size = -1;
  if (whole) {
    if (fn_call_header(&value, answer, "content-length") && !fn_str_to_int64(size, value)) *size = -1;
  } else if (fn_call_header(&value, answer, "content-range")) {
    const char *slash = value.length ? memchr(value.data, '/', value.length) : NULL; /* "bytes 0-0/1234" */
    const fn_str total = slash ? fn_str_make(slash + 1, (size_t)(value.data + value.length - slash - 1)) : value;
    if (!fn_str_to_int64(size, total)) *size = -1;
  }
  return FN_OK;
}

static fn_status web_stat(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err) {
  const fn_store_call call = {.method = "HEAD", .key = key, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  fn_store_entry entry = {.key = key, .modified_ms = -1};
  fn_str value;
  int64_t size = -1;
  FN_TRY(fn_store_run(&answer, store, &call, err));
  if (answer.status == 403 || answer.status == 405 || answer.status == 501)
    FN_TRY(ask_first_byte(&size, &answer, store, key, err));
  else if (answer.status < 200 || answer.status > 299)
    return web_explain(store, &answer, key, err);
  else if (!fn_call_header(&value, &answer, "content-length") || !fn_str_to_int64(&size, value))
    size = -1;
  if (size < 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%.300s/%.400s: the server does not say how long it is", store->uri, key);
  entry.size_bytes = (uint64_t)size;
  if (fn_call_header(&value, &answer, "last-modified")) (void)fn_when_parse_http(&entry.modified_ms, value);
  *entry_out = entry;
  return FN_OK;
}

static void web_close(fn_store *store) {
  web *w = store->state;
  free(w->base);
  free(w);
}

fn_status fn_store_open_web(fn_store *store, const char *uri, fn_err *err) {
  static const fn_store_driver driver = {
      .lacks = "a web server is read-only here and has no list; a folder, s3:// and gs:// have",
      .get = web_get,
      .read = web_read,
      .stat = web_stat,
      .close = web_close,
      .call = web_call,
      .explain = web_explain,
      .renew = web_renew,
      .sums = web_sums};
  fn_url url;
  FN_TRY(fn_url_parse(&url, uri, err));
  size_t shown = strcspn(url.text, "?#"), n = strcspn(uri, "?#");
  const size_t query = uri[n] == '?' ? strcspn(uri + n, "#") : 0;
  const char *const question = uri + n;
  while (shown && url.text[shown - 1] == '/') shown--;
  while (n && uri[n - 1] == '/') n--;
  web *w = fn_mem_calloc(1, sizeof *w);
  char *text = fn_str_dup(fn_str_make(url.text, shown)), *base = fn_mem_calloc(1, n + query + 2);
  fn_url_deinit(&url);
  fn_status status = w && text && base ? FN_OK : fn_err_no_memory(err, "an address");
  if (status == FN_OK) status = fn_http_create(&store->http, store->options.net, store->options.agent, err);
  if (status != FN_OK) {
    free(w);
    free(text);
    free(base);
    return status;
  }
  memcpy(base, uri, n);
  memcpy(base + n + 1, question, query);
  free(store->uri); /* it may hold a password */
  store->uri = text;
  w->base = base;
  w->query = base + n + 1;
  store->state = w;
  store->driver = &driver;
  return FN_OK;
}
