/* Amazon S3 and what speaks its protocol: signatures, single objects. */
#include "store/s3.h"
#include "store/aws_remote.h"

#include "store/when.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char EMPTY_SHA256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

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

/* A copy, as other threads may have the keys renewed. Before the time is taken: who gives keys may correct the clock.
 */
static fn_status copy_keys(fn_aws_found *out, int64_t *skew_ms_out, fn_store *store, fn_err *err) {
  fn_s3 *s3 = store->state;
  fn_aws_keys keys;
  fn_store_lock_keys(store);
  fn_status status = fn_aws_keys_get(&keys, &s3->aws, store, err);
  if (status == FN_OK) status = fn_aws_found_set(out, keys.id, keys.secret, keys.token ? keys.token : "", 0, err);
  *skew_ms_out = s3->aws.skew_ms;
  fn_store_unlock_keys(store);
  return status;
}

static fn_status authorize(signing *s, fn_buf *authorization, const fn_sigv4 *request, const fn_aws_found *held,
                           fn_err *err) {
  const fn_aws_keys keys = {held->id, held->secret, *held->token ? held->token : NULL};
  if (keys.token && !add(s, "x-amz-security-token", keys.token))
    return fn_err_set(err, FN_E_LIMIT, "a signed request has at most %d headers", FN_SIGV4_PAIRS);
  if (keys.token) s->secret[s->n_secret++] = s->all[s->n - 1];
  return sign(s, authorization, request, &keys, err);
}

/* keys->id NULL: unsigned. */
static fn_status call_with(fn_call_answer *answer, fn_store *store, const fn_store_call *call, const fn_aws_found *keys,
                           int64_t skew_ms, fn_err *err) {
  fn_s3 *s3 = store->state;
  FN_AUTO_BUF fn_buf path, url, query, authorization;
  fn_buf_init(&path, FN_URL_MAX), fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&query, FN_URL_MAX);
  fn_buf_init(&authorization, 1 << 14);
  fn_buf_printf(&path, "%s/", s3->path);
  if (call->key) fn_url_encode(&path, fn_str_from(s3->prefix), "/");
  if (call->key) fn_url_encode(&path, fn_str_from(call->key), "/");
  FN_TRY(fn_buf_check(&path, "an address", err));
  char time[17], computed[65];
  fn_sums body_sums;
  const fn_s3_learnt learnt = fn_s3_learnt_of(store);
  fn_sigv4_time(time, fn_clock_unix_ms() + skew_ms);
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
  if (keys->id) FN_TRY(authorize(&s, &authorization, &unsigned_request, keys, err));
  fn_sigv4_query(&query, &unsigned_request);
  fn_buf_printf(&url, "%s%s%s%s", s3->base, path.data + strlen(s3->path), query.length ? "?" : "",
                query.length ? query.data : "");
  FN_TRY(fn_buf_check(&url, "an address", err));
  fn_call_request request = {.url = url.data,
                             .headers = s.all + 1,
                             .n_headers = n_plain - 1,
                             .secret_headers = s.secret,
                             .n_secret_headers = s.n_secret,
                             .redirects = FN_CALL_TAKE};
  FN_TRY(fn_store_perform(answer, store, call, &request, err));
  fn_s3_mark_passing(answer, call);
  return fn_s3_check_speaker(answer, store, call, err);
}

static fn_status s3_call(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err) {
  fn_aws_found keys = {0};
  int64_t skew_ms = 0;
  fn_call_answer_deinit(answer);
  FN_TRY(fn_s3_find(store, err));
  if (!store->buckets.anonymous) FN_TRY(copy_keys(&keys, &skew_ms, store, err));
  const fn_status status = call_with(answer, store, call, &keys, skew_ms, err);
  fn_aws_found_deinit(&keys);
  return status;
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
  free(s3->told_region);
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
