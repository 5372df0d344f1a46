/* Amazon S3 and what speaks its protocol: addresses, signatures, single objects. */
#include "store/s3.h"

#include "store/when.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char EMPTY_SHA256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/* ---- where the bucket is */

/* "host" or "host:port", as libcurl will write it. */
static char *host_of(const fn_url *url) {
  const bool usual = url->port == (url->scheme == FN_URL_HTTPS ? 443 : 80);
  char text[512];
  snprintf(text, sizeof text, usual ? "%.400s" : "%.400s:%d", url->host, url->port);
  return fn_str_dup(fn_str_from(text));
}

/* All or nothing: `base` says that the bucket was found. */
static fn_status keep_base(fn_s3 *s3, const fn_url *url, fn_str base, fn_err *err) {
  char *host = host_of(url), *path = fn_str_dup(fn_str_from(strcmp(url->path, "/") == 0 ? "" : url->path));
  char *copy = fn_str_dup(base);
  if (!host || !path || !copy) {
    free(host), free(path), free(copy);
    return fn_err_no_memory(err, "an address");
  }
  free(s3->host), free(s3->path), free(s3->base);
  s3->host = host, s3->path = path, s3->base = copy;
  return FN_OK;
}

static fn_status set_base(fn_s3 *s3, const char *base, bool in_path, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_url url;
  fn_buf_init(&text, FN_URL_MAX);
  fn_buf_append_str(&text, base);
  while (text.length && text.data[text.length - 1] == '/') text.data[--text.length] = 0;
  if (in_path) fn_buf_printf(&text, "/%s", s3->bucket);
  FN_TRY(fn_buf_check(&text, "an address", err));
  FN_TRY(fn_url_parse(&url, text.data, err));
  const bool plain = url.scheme != FN_URL_FILE && !url.user && !strpbrk(text.data, "?#");
  fn_status status = FN_OK;
  if (!plain) /* without the bucket, and without a password */
    status = fn_err_set(err, FN_E_INVALID, "%.*s is no endpoint of S3; https://host[:port] is (store.s3_endpoint)",
                        (int)(strcspn(url.text, "?#") < 300 ? strcspn(url.text, "?#") : 300), url.text);
  else
    status = keep_base(s3, &url, fn_str_from(url.text), err);
  fn_url_deinit(&url);
  return status;
}

/* Names with dots do not fit the certificate of *.s3.REGION.amazonaws.com. */
static fn_status find_bucket(fn_store *store, fn_err *err) {
  fn_s3 *s3 = store->state;
  if (s3->base) return FN_OK;
  FN_AUTO_BUF fn_buf region, profiled, text;
  fn_buf_init(&region, 256), fn_buf_init(&profiled, FN_URL_MAX), fn_buf_init(&text, FN_URL_MAX);
  fn_aws_region(&region, &s3->aws, store);
  FN_TRY(fn_buf_check(&region, "a region", err));
  if (strspn(region.data, "abcdefghijklmnopqrstuvwxyz0123456789-") != region.length)
    return fn_err_set(err, FN_E_INVALID, "\"%.100s\" is no region; eu-central-1 is (store.s3_region, AWS_REGION)",
                      region.data);
  free(s3->region);
  s3->region = fn_str_dup(fn_buf_str(&region));
  if (!s3->region) return fn_err_no_memory(err, "a region");
  const char *endpoint = store->buckets.s3_endpoint;
  if (!endpoint) endpoint = fn_store_variable(store, "AWS_ENDPOINT_URL_S3");
  if (!endpoint) endpoint = fn_store_variable(store, "AWS_ENDPOINT_URL");
  if (!endpoint && fn_aws_profile_find(&profiled, &s3->aws, store, "endpoint_url")) endpoint = profiled.data;
  if (endpoint) return set_base(s3, endpoint, true, err);
  const bool dotted = strchr(s3->bucket, '.') != NULL;
  fn_buf_printf(&text, "https://%s%ss3.%s.amazonaws.com%s", dotted ? "" : s3->bucket, dotted ? "" : ".", region.data,
                strncmp(region.data, "cn-", 3) == 0 ? ".cn" : "");
  FN_TRY(fn_buf_check(&text, "an address", err));
  return set_base(s3, text.data, dotted, err);
}

/* ---- one attempt */

typedef struct signing {
  fn_call_pair all[FN_SIGV4_PAIRS]; /* what is signed; the first is host, which libcurl writes itself */
  size_t n;
  fn_call_pair secret[2];
  size_t n_secret;
} signing;

static bool add(signing *s, const char *name, const char *value) {
  if (s->n == FN_SIGV4_PAIRS) return false;
  s->all[s->n++] = (fn_call_pair){name, value};
  return true;
}

static fn_status sign(signing *s, fn_buf *authorization, const fn_sigv4 *request, const fn_aws_keys *keys,
                      fn_err *err) {
  fn_sigv4 r = *request;
  r.headers = s->all;
  r.n_headers = s->n;
  FN_TRY(fn_sigv4_authorization(authorization, &r, keys, err));
  s->secret[s->n_secret++] = (fn_call_pair){"Authorization", authorization->data};
  return FN_OK;
}

/* Signs with keys that may be fetched first; token: a copy of theirs, as other threads may have the keys renewed. */
static fn_status authorize(signing *s, fn_buf *authorization, fn_buf *token, const fn_sigv4 *request, fn_store *store,
                           fn_err *err) {
  fn_s3 *s3 = store->state;
  fn_aws_keys keys = {0};
  fn_store_lock_keys(store);
  fn_status status = fn_aws_keys_get(&keys, &s3->aws, store, err);
  if (status == FN_OK && keys.token) {
    fn_buf_append_str(token, keys.token);
    status = fn_buf_check(token, "a token", err);
    if (status == FN_OK && !add(s, "x-amz-security-token", token->data))
      status = fn_err_set(err, FN_E_LIMIT, "a signed request has at most %d headers", FN_SIGV4_PAIRS);
    if (status == FN_OK) s->secret[s->n_secret++] = s->all[s->n - 1];
  }
  if (status == FN_OK) status = sign(s, authorization, request, &keys, err);
  fn_store_unlock_keys(store);
  return status;
}

static fn_status s3_call(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err) {
  fn_call_answer_deinit(answer);
  FN_TRY(find_bucket(store, err));
  fn_s3 *s3 = store->state;
  FN_AUTO_BUF fn_buf path, url, query, authorization, token;
  fn_buf_init(&path, FN_URL_MAX), fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&query, FN_URL_MAX);
  fn_buf_init(&authorization, 1 << 14), fn_buf_init(&token, 1 << 16);
  fn_buf_printf(&path, "%s/", s3->path);
  if (call->key) fn_url_encode(&path, fn_str_from(s3->prefix), "/");
  if (call->key) fn_url_encode(&path, fn_str_from(call->key), "/");
  FN_TRY(fn_buf_check(&path, "an address", err));
  char time[17], computed[65];
  fn_sums body_sums;
  const fn_s3_learnt learnt = fn_s3_learnt_of(store);
  fn_sigv4_time(time, fn_clock_unix_ms() + learnt.skew_ms);
  const char *digest = call->body_sha256;
  if (!digest && call->body.length) {
    FN_TRY(fn_sums_bytes(&body_sums, call->body, FN_SUM_SHA256, err));
    memcpy(computed, body_sums.sha256, sizeof computed);
    digest = computed;
  }
  if (!digest) digest = EMPTY_SHA256;
  signing s = {0};
  bool fits = add(&s, "host", s3->host) && add(&s, "x-amz-content-sha256", digest) && add(&s, "x-amz-date", time);
  for (size_t i = 0; i < call->n_headers; i++)
    if (!learnt.no_checksums || !strstr(call->headers[i].name, "checksum"))
      fits = fits && add(&s, call->headers[i].name, call->headers[i].value);
  if (!fits) return fn_err_set(err, FN_E_LIMIT, "a signed request has at most %d headers", FN_SIGV4_PAIRS);
  const size_t n_plain = s.n;
  const fn_sigv4 unsigned_request = {.method = call->method,
                                     .path = path.data,
                                     .query = call->query,
                                     .n_query = call->n_query,
                                     .payload_sha256 = digest,
                                     .region = s3->region,
                                     .service = "s3",
                                     .time = time};
  if (!store->buckets.anonymous) FN_TRY(authorize(&s, &authorization, &token, &unsigned_request, store, err));
  fn_sigv4_query(&query, &unsigned_request);
  fn_buf_printf(&url, "%s%s%s%s", s3->base, path.data + strlen(s3->path), query.length ? "?" : "",
                query.length ? query.data : "");
  FN_TRY(fn_buf_check(&url, "an address", err));
  fn_call_request request = {.url = url.data,
                             .headers = s.all + 1,
                             .n_headers = n_plain - 1,
                             .secret_headers = s.secret,
                             .n_secret_headers = s.n_secret};
  FN_TRY(fn_store_perform(answer, store, call, &request, err));
  fn_s3_mark_passing(answer, call);
  return fn_s3_check_speaker(answer, store, call, err);
}

/* ---- single objects */

static const fn_call_pair with_checksum[] = {{"x-amz-checksum-mode", "ENABLED"}};

static fn_status s3_get(fn_store *store, const char *key, const char *to_path, const char *sha256, fn_err *err) {
  const fn_store_call call = {.method = "GET", .key = key, .headers = with_checksum, .n_headers = 1, .total = -1};
  return fn_store_receive(store, &call, to_path, sha256, err);
}

static fn_status s3_read(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err) {
  const fn_store_call call = {.method = "GET", .key = key, .headers = with_checksum, .n_headers = 1, .total = -1};
  return fn_store_receive_small(out, store, &call, max_bytes, err);
}

static fn_status s3_stat(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err) {
  const fn_store_call call = {.method = "HEAD", .key = key, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_expect(&answer, store, &call, err));
  fn_store_entry entry = {.key = key, .modified_ms = -1};
  fn_str value;
  int64_t size = 0;
  if (!fn_call_header(&value, &answer, "content-length") || !fn_str_to_int64(&size, value) || size < 0)
    return fn_err_set(err, FN_E_IO, "%.300s/%.400s: an answer without a length", store->uri, key);
  entry.size_bytes = (uint64_t)size;
  if (fn_call_header(&value, &answer, "last-modified")) (void)fn_when_parse_http(&entry.modified_ms, value);
  fn_sums sums = {0};
  fn_s3_sums(&sums, &answer);
  if (sums.kinds & FN_SUM_SHA256) memcpy(entry.sha256, sums.sha256, sizeof entry.sha256);
  *entry_out = entry;
  return FN_OK;
}

static fn_status s3_remove(fn_store *store, const char *key, fn_err *err) {
  const fn_store_call call = {.method = "DELETE", .key = key, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  fn_s3_drop_upload(store, key);
  const fn_status status = fn_store_expect(&answer, store, &call, err);
  char code[FN_S3_SHOWN + 1];
  fn_s3_error_part(code, &answer, "Error/Code");
  const bool gone = status == FN_E_NOT_FOUND && answer.status == 404 && strcmp(code, "NoSuchBucket") != 0;
  return gone ? FN_OK : status;
}

/* One PUT; the server compares what came with the checksum. */
static fn_status put_whole(fn_store *store, fn_store_call *call, const fn_sums *sums, fn_err *err) {
  FN_AUTO_BUF fn_buf encoded;
  fn_buf_init(&encoded, 256);
  fn_sums_base64(&encoded, sums, FN_SUM_SHA256);
  FN_TRY(fn_buf_check(&encoded, "a checksum", err));
  const fn_call_pair headers[] = {{"x-amz-checksum-sha256", encoded.data},
                                  {"x-amz-sdk-checksum-algorithm", "SHA256"},
                                  {"x-amz-meta-sha256", sums->sha256}};
  call->method = "PUT";
  call->headers = headers;
  call->n_headers = FN_COUNT_OF(headers);
  call->body_sha256 = sums->sha256;
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  return fn_store_expect(&answer, store, call, err);
}

static fn_status s3_write(fn_store *store, const char *key, fn_str data, fn_err *err) {
  fn_sums sums;
  FN_TRY(fn_sums_bytes(&sums, data, FN_SUM_SHA256, err));
  fn_store_call call = {.key = key, .body = data, .total = -1};
  return put_whole(store, &call, &sums, err);
}

typedef struct checking {
  const fn_store *store;
  const char *path;
  uint64_t length;
} checking;

static bool on_check(void *arg, uint64_t n_bytes) {
  const checking *c = arg;
  const fn_download_event event = {
      .kind = FN_DOWNLOAD_CHECK, .text = c->path, .n_bytes = n_bytes, .total = (int64_t)c->length};
  return fn_store_tell(c->store, event, NULL) == FN_OK;
}

static fn_status put_open(fn_store *store, const char *key, const char *from_path, int fd, const char *sha256,
                          fn_err *err) {
  struct stat st;
  if (fstat(fd, &st) != 0) return fn_err_errno(err, errno, "%s", from_path);
  if (!S_ISREG(st.st_mode)) return fn_err_set(err, FN_E_INVALID, "%s: not a regular file", from_path);
  const uint64_t length = (uint64_t)st.st_size;
  checking c = {store, from_path, length};
  fn_sums sums, should = {.kinds = sha256 ? FN_SUM_SHA256 : 0};
  FN_TRY(fn_sums_file(&sums, fd, 0, length, FN_SUM_SHA256, from_path, on_check, &c, err));
  if (sha256) memcpy(should.sha256, sha256, sizeof should.sha256);
  FN_TRY(fn_sums_check(&sums, &should, from_path, err));
  const fn_download_event begin = {.kind = FN_DOWNLOAD_BEGIN, .text = key, .total = (int64_t)length};
  FN_TRY(fn_store_tell(store, begin, err));
  const uint64_t part_mb = (uint64_t)(store->buckets.part_mb < 5 ? 5 : store->buckets.part_mb); /* S3's least */
  if (length > part_mb << 20) return fn_s3_upload(store, key, from_path, fd, length, &sums, err);
  fn_s3_drop_upload(store, key);
  fn_store_call call = {
      .key = key, .from_file = true, .body_file = fd, .body_length = length, .total = (int64_t)length};
  return put_whole(store, &call, &sums, err);
}

static fn_status s3_put(fn_store *store, const char *key, const char *from_path, const char *sha256, fn_err *err) {
  const int fd = open(from_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fn_err_errno(err, errno, "%s", from_path);
  const fn_status status = put_open(store, key, from_path, fd, sha256, err);
  close(fd);
  return status;
}

static void s3_close(fn_store *store) {
  fn_s3 *s3 = store->state;
  fn_aws_deinit(&s3->aws);
  free(s3->bucket);
  free(s3->prefix);
  free(s3->base);
  free(s3->host);
  free(s3->path);
  free(s3->region);
  free(s3);
}

fn_status fn_store_open_s3(fn_store *store, const char *rest, fn_err *err) {
  static const fn_store_driver driver = {.lacks = "",
                                         .get = s3_get,
                                         .put = s3_put,
                                         .read = s3_read,
                                         .write = s3_write,
                                         .list = fn_s3_list,
                                         .stat = s3_stat,
                                         .remove = s3_remove,
                                         .close = s3_close,
                                         .call = s3_call,
                                         .explain = fn_s3_explain,
                                         .renew = fn_s3_renew,
                                         .sums = fn_s3_sums,
                                         .has_ranges = true};
  fn_s3 *s3 = fn_mem_calloc(1, sizeof *s3);
  if (!s3) return fn_err_no_memory(err, store->uri);
  store->state = s3;
  fn_status status = fn_store_split(&s3->bucket, &s3->prefix, store, rest, err);
  if (status == FN_OK) status = fn_http_create(&store->http, store->options.net, store->options.agent, err);
  if (status != FN_OK) {
    s3_close(store);
    return status;
  }
  store->driver = &driver;
  return FN_OK;
}
