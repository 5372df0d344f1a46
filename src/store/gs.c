/* Google Cloud Storage over its JSON API (https://cloud.google.com/storage/docs/json_api/v1). */
#include "store/gs.h"

#include "store/when.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HEADERS = 12, MAX_SHOWN = 200, MAX_PAGE = 8 << 20, MAX_TOKEN = 4096 };

/* An emulator needs no credentials; it gets those of a key file that is named, for tests of them. */
static bool needs_token(const fn_store *store) {
  const fn_environment *e = store->options.environment;
  if (store->buckets.anonymous) return false;
  return !fn_environment_get(e, "STORAGE_EMULATOR_HOST") || fn_environment_get(e, "GOOGLE_APPLICATION_CREDENTIALS");
}

static fn_status make_url(fn_buf *url, const fn_store *store, const fn_store_call *call, fn_err *err) {
  const fn_gs *gs = store->state;
  const bool uploads = !call->key && strcmp(call->method, "POST") == 0;
  if (call->url) {
    fn_buf_append_str(url, call->url);
    return fn_buf_check(url, "an address", err);
  }
  fn_buf_printf(url, "%s%s/storage/v1/b/%s/o", gs->base, uploads ? "/upload" : "", gs->bucket);
  if (call->key) {
    fn_buf_append_char(url, '/');
    fn_url_encode(url, fn_str_from(gs->prefix), "");
    fn_url_encode(url, fn_str_from(call->key), "");
  }
  return fn_buf_check(url, "an address", err);
}

/* Copies: other threads may have the token renewed. */
static fn_status authorize(fn_buf *authorization, fn_buf *payer, fn_store *store, fn_err *err) {
  fn_gs *gs = store->state;
  fn_store_lock_keys(store);
  fn_status status = fn_google_token_get(&gs->google, store, FN_GOOGLE_STORAGE, err);
  if (status == FN_OK) fn_buf_printf(authorization, "Bearer %s", gs->google.token);
  if (status == FN_OK && gs->google.quota_project) fn_buf_append_str(payer, gs->google.quota_project);
  fn_store_unlock_keys(store);
  if (status == FN_OK) status = fn_buf_check(authorization, "a token", err);
  return status == FN_OK && payer->failed ? fn_buf_check(payer, "a project", err) : status;
}

static fn_status gs_call(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err) {
  fn_call_answer_deinit(answer);
  FN_AUTO_BUF fn_buf url, authorization, payer;
  fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&authorization, 1 << 16), fn_buf_init(&payer, 1 << 12);
  fn_call_pair headers[MAX_HEADERS];
  size_t n = 0;
  for (; n < call->n_headers && n + 2 < MAX_HEADERS; n++) headers[n] = call->headers[n];
  /* What is stored compressed comes as it is stored: that is what its checksum is of. */
  headers[n++] = (fn_call_pair){"Accept-Encoding", "gzip"};
  FN_TRY(make_url(&url, store, call, err));
  fn_call_pair secret = {"Authorization", ""};
  fn_call_request request = {
      .url = url.data, .query = call->query, .n_query = call->n_query, .headers = headers, .redirects = FN_CALL_TAKE};
  if (!call->url && needs_token(store)) { /* the address of an upload in progress is a key itself */
    FN_TRY(authorize(&authorization, &payer, store, err));
    secret.value = authorization.data;
    request.secret_headers = &secret;
    request.n_secret_headers = 1;
    if (payer.length) headers[n++] = (fn_call_pair){"x-goog-user-project", payer.data};
  }
  request.n_headers = n;
  return fn_store_perform(answer, store, call, &request, err);
}

/* ---- what an answer means */

static void error_message(char out[MAX_SHOWN + 1], const fn_call_answer *answer) {
  FN_AUTO_JSON json_t *value = NULL;
  out[0] = 0;
  if (fn_json_parse(&value, fn_buf_str(&answer->body), "", NULL) != FN_OK) return;
  const char *text = json_string_value(json_object_get(json_object_get(value, "error"), "message"));
  if (text) fn_str_clean(out, MAX_SHOWN + 1, fn_str_from(text));
}

static fn_status gs_explain(const fn_store *store, const fn_call_answer *answer, const char *key, fn_err *err) {
  const fn_gs *gs = store->state;
  const int http = answer->status;
  char where[900], said[MAX_SHOWN + 1], source[320] = "", detail[MAX_SHOWN + 4] = "";
  snprintf(where, sizeof where, "%.300s%s%.400s", store->uri, key ? "/" : "", key ? key : "");
  error_message(said, answer);
  if (said[0]) snprintf(detail, sizeof detail, ": %s", said);
  fn_store_lock_keys(store);
  if (gs->google.source) snprintf(source, sizeof source, "; credentials are from %.250s", gs->google.source);
  fn_store_unlock_keys(store);
  if (http == 404) return fn_err_set(err, FN_E_NOT_FOUND, "%.600s: not there%.250s", where, key ? "" : detail);
  if (http == 401 || http == 403)
    return fn_err_set(err, FN_E_INVALID, "%.400s: HTTP %d, access denied%.220s%.300s", where, http, detail, source);
  const fn_status status = answer->retry || http >= 500 || http < 400 ? FN_E_IO
                           : http == 413                              ? FN_E_LIMIT
                                                                      : FN_E_INVALID;
  return fn_err_set(err, status, "%.500s: HTTP %d%.220s", where, http, detail);
}

static unsigned gs_renew(fn_store *store, const fn_call_answer *answer) {
  fn_gs *gs = store->state;
  if (answer->status != 401) return 0;
  fn_store_lock_keys(store);
  const bool renews = fn_google_token_forget(&gs->google);
  fn_store_unlock_keys(store);
  return renews;
}

/* x-goog-hash: crc32c=…,md5=…, in one line or several. */
static void gs_sums(fn_sums *sums, const fn_call_answer *answer) {
  fn_str rest = fn_buf_str(&answer->headers);
  while (rest.length) {
    const char *end = memchr(rest.data, '\n', rest.length);
    fn_str line = fn_str_make(rest.data, end ? (size_t)(end - rest.data) : rest.length);
    rest = fn_str_make(rest.data + line.length + (end != NULL), rest.length - line.length - (end != NULL));
    if (line.length < 12 || !fn_str_equal_nocase(fn_str_make(line.data, 12), fn_str_from("x-goog-hash:"))) continue;
    line = fn_str_make(line.data + 12, line.length - 12);
    while (line.length) {
      const char *comma = memchr(line.data, ',', line.length);
      const fn_str item = fn_str_trim(fn_str_make(line.data, comma ? (size_t)(comma - line.data) : line.length));
      line = comma ? fn_str_make(comma + 1, (size_t)(line.data + line.length - comma - 1)) : fn_str_make(NULL, 0);
      if (fn_str_starts_with(item, "crc32c="))
        (void)fn_sums_take_base64(sums, FN_SUM_CRC32C, fn_str_make(item.data + 7, item.length - 7));
      if (fn_str_starts_with(item, "md5="))
        (void)fn_sums_take_base64(sums, FN_SUM_MD5, fn_str_make(item.data + 4, item.length - 4));
    }
  }
}

/* ---- single objects */

static const fn_call_pair as_media[] = {{"alt", "media"}};

static fn_status gs_get(fn_store *store, const char *key, const char *to_path, const char *sha256, fn_err *err) {
  const fn_store_call call = {.method = "GET", .key = key, .query = as_media, .n_query = 1, .total = -1};
  return fn_store_receive(store, &call, to_path, sha256, err);
}

static fn_status gs_read(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err) {
  const fn_store_call call = {.method = "GET", .key = key, .query = as_media, .n_query = 1, .total = -1};
  return fn_store_receive_small(out, store, &call, max_bytes, err);
}

/* An object resource: size (a text), updated, metadata.sha256. */
static bool read_entry(fn_store_entry *entry, const json_t *object) {
  int64_t size;
  const char *text = json_string_value(json_object_get(object, "size"));
  const char *updated = json_string_value(json_object_get(object, "updated"));
  const char *sha256 = json_string_value(json_object_get(json_object_get(object, "metadata"), "sha256"));
  *entry = (fn_store_entry){.modified_ms = -1};
  if (!text || !fn_str_to_int64(&size, fn_str_from(text)) || size < 0) return false;
  entry->size_bytes = (uint64_t)size;
  if (updated) (void)fn_when_parse(&entry->modified_ms, updated);
  if (sha256 && fn_digest_is_hex(sha256, 64)) memcpy(entry->sha256, sha256, 65);
  return true;
}

static fn_status gs_stat(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err) {
  static const fn_call_pair fields[] = {{"fields", "size,updated,metadata"}};
  const fn_store_call call = {.method = "GET", .key = key, .query = fields, .n_query = 1, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_AUTO_JSON json_t *object = NULL;
  fn_store_entry entry;
  FN_TRY(fn_store_expect(&answer, store, &call, err));
  if (fn_json_parse(&object, fn_buf_str(&answer.body), store->uri, NULL) != FN_OK || !read_entry(&entry, object))
    return fn_err_set(err, FN_E_IO, "%.300s/%.400s: an answer that describes no object", store->uri, key);
  entry.key = key;
  *entry_out = entry;
  return FN_OK;
}

static fn_status gs_remove(fn_store *store, const char *key, fn_err *err) {
  const fn_store_call call = {.method = "DELETE", .key = key, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  const fn_status status = fn_store_expect(&answer, store, &call, err);
  return status == FN_E_NOT_FOUND && answer.status == 404 ? FN_OK : status;
}

/* ---- list */

static fn_status see_items(const fn_gs *gs, const json_t *items, fn_store_each each, void *arg, fn_err *err) {
  const size_t n = strlen(gs->prefix);
  for (size_t i = 0; i < json_array_size(items); i++) {
    const json_t *item = json_array_get(items, i);
    const char *name = json_string_value(json_object_get(item, "name")), *why;
    fn_store_entry entry;
    /* Objects that are no keys of ours are passed over: "folders" that end with '/'. */
    if (!name || strncmp(name, gs->prefix, n) != 0 || !fn_name_is_inside(fn_str_from(name + n), &why)) continue;
    if (!read_entry(&entry, item)) continue;
    entry.key = name + n;
    FN_TRY(each(arg, &entry, err));
  }
  return FN_OK;
}

static fn_status gs_list(fn_store *store, const char *folder, fn_store_each each, void *arg, fn_err *err) {
  const fn_gs *gs = store->state;
  char token[MAX_TOKEN] = "";
  FN_AUTO_BUF fn_buf prefix;
  fn_buf_init(&prefix, FN_URL_MAX);
  fn_buf_printf(&prefix, "%s%s%s", gs->prefix, folder, *folder ? "/" : "");
  FN_TRY(fn_buf_check(&prefix, "a list", err));
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  for (;;) {
    const fn_call_pair query[] = {{"prefix", prefix.data},
                                  {"fields", "items(name,size,updated,metadata),nextPageToken"},
                                  {"maxResults", "1000"},
                                  {"pageToken", token[0] ? token : NULL}};
    const fn_store_call call = {
        .method = "GET", .query = query, .n_query = 4, .max_answer_bytes = MAX_PAGE, .total = -1};
    FN_TRY(fn_store_expect(&answer, store, &call, err));
    FN_AUTO_JSON json_t *page = NULL;
    if (fn_json_parse(&page, fn_buf_str(&answer.body), store->uri, NULL) != FN_OK || !json_is_object(page))
      return fn_err_set(err, FN_E_IO, "%.300s: a list that is no JSON", store->uri);
    FN_TRY(see_items(gs, json_object_get(page, "items"), each, arg, err));
    const char *next = json_string_value(json_object_get(page, "nextPageToken"));
    if (!next || !*next) return FN_OK;
    if (strlen(next) >= sizeof token || strcmp(next, token) == 0)
      return fn_err_set(err, FN_E_IO, "%.300s: a list that says it goes on, and not where", store->uri);
    memcpy(token, next, strlen(next) + 1);
  }
}

/* ---- put */

static fn_status gs_write(fn_store *store, const char *key, fn_str data, fn_err *err) {
  const fn_gs_source source = {.data = data, .length = data.length, .name = key};
  return fn_gs_upload(store, key, &source, NULL, err);
}

static fn_status put_open(fn_store *store, const char *key, const char *from_path, int fd, const char *sha256,
                          fn_err *err) {
  struct stat st;
  if (fstat(fd, &st) != 0) return fn_err_errno(err, errno, "%s", from_path);
  if (!S_ISREG(st.st_mode)) return fn_err_set(err, FN_E_INVALID, "%s: not a regular file", from_path);
  const fn_gs_source source = {.from_file = true, .fd = fd, .length = (uint64_t)st.st_size, .name = from_path};
  return fn_gs_upload(store, key, &source, sha256, err);
}

static fn_status gs_put(fn_store *store, const char *key, const char *from_path, const char *sha256, fn_err *err) {
  const int fd = open(from_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fn_err_errno(err, errno, "%s", from_path);
  const fn_status status = put_open(store, key, from_path, fd, sha256, err);
  close(fd);
  return status;
}

static void gs_close(fn_store *store) {
  fn_gs *gs = store->state;
  fn_google_deinit(&gs->google);
  free(gs->bucket);
  free(gs->prefix);
  free(gs->base);
  free(gs);
}

static fn_status set_base(fn_gs *gs, const fn_store *store, fn_err *err) {
  const char *given = fn_environment_get(store->options.environment, "STORAGE_EMULATOR_HOST");
  FN_AUTO_BUF fn_buf base;
  fn_buf_init(&base, FN_URL_MAX);
  if (given && !strstr(given, "://")) fn_buf_append_str(&base, "http://");
  fn_buf_append_str(&base, given ? given : "https://storage.googleapis.com");
  while (base.length && base.data[base.length - 1] == '/') base.data[--base.length] = 0;
  FN_TRY(fn_buf_check(&base, "an address", err));
  gs->base = fn_str_dup(fn_buf_str(&base));
  return gs->base ? FN_OK : fn_err_no_memory(err, "an address");
}

fn_status fn_store_open_gs(fn_store *store, const char *rest, fn_err *err) {
  static const fn_store_driver driver = {.lacks = "",
                                         .get = gs_get,
                                         .put = gs_put,
                                         .read = gs_read,
                                         .write = gs_write,
                                         .list = gs_list,
                                         .stat = gs_stat,
                                         .remove = gs_remove,
                                         .close = gs_close,
                                         .call = gs_call,
                                         .explain = gs_explain,
                                         .renew = gs_renew,
                                         .sums = gs_sums,
                                         .has_ranges = true};
  fn_gs *gs = fn_mem_calloc(1, sizeof *gs);
  if (!gs) return fn_err_no_memory(err, store->uri);
  store->state = gs;
  fn_status status = fn_store_split(&gs->bucket, &gs->prefix, store, rest, err);
  if (status == FN_OK) status = set_base(gs, store, err);
  if (status == FN_OK) status = fn_http_create(&store->http, store->options.net, store->options.agent, err);
  if (status != FN_OK) {
    gs_close(store);
    return status;
  }
  store->driver = &driver;
  return FN_OK;
}
