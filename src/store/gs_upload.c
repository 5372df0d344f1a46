/* Resumable uploads (https://cloud.google.com/storage/docs/performing-resumable-uploads): a session is opened with the
 * checksums, bytes go to its address in pieces, and after a failure it is asked how many it has. */
#include "store/gs.h"
#include "store/remember.h"

enum { MAX_SESSION = 4096 };

typedef struct upload {
  fn_store *store;
  const char *key;
  const fn_gs_source *source;
  uint64_t piece; /* a multiple of 256 KiB */
  fn_sums sums;
  char session[MAX_SESSION];
  uint64_t offset; /* what the server has */
  fn_upload memory;
  bool is_done;
} upload;

static bool on_check(void *arg, uint64_t n_bytes) {
  const upload *u = arg;
  const fn_download_event event = {
      .kind = FN_DOWNLOAD_CHECK, .text = u->source->name, .n_bytes = n_bytes, .total = (int64_t)u->source->length};
  return fn_store_tell(u->store, event, NULL) == FN_OK;
}

static fn_status sum_source(upload *u, const char *sha256, fn_err *err) {
  const unsigned kinds = FN_SUM_SHA256 | FN_SUM_MD5 | FN_SUM_CRC32C;
  const fn_gs_source *s = u->source;
  fn_sums should = {.kinds = sha256 ? FN_SUM_SHA256 : 0};
  if (sha256) memcpy(should.sha256, sha256, sizeof should.sha256);
  FN_TRY(s->from_file ? fn_sums_file(&u->sums, s->fd, 0, s->length, kinds, s->name, on_check, u, err)
                      : fn_sums_bytes(&u->sums, s->data, kinds, err));
  return fn_sums_check(&u->sums, &should, s->name, err);
}

/* The description of the object that is to be; Google refuses other bytes than those of the checksums. */
static fn_status describe(fn_buf *body, const upload *u, fn_err *err) {
  const fn_gs *gs = u->store->state;
  FN_AUTO_BUF fn_buf name, md5, crc;
  fn_buf_init(&name, FN_URL_MAX), fn_buf_init(&md5, 64), fn_buf_init(&crc, 64);
  fn_buf_printf(&name, "%s%s", gs->prefix, u->key);
  fn_sums_base64(&md5, &u->sums, FN_SUM_MD5);
  fn_sums_base64(&crc, &u->sums, FN_SUM_CRC32C);
  FN_TRY(fn_buf_check(&name, "a name", err));
  fn_json_writer w;
  fn_json_begin(&w, body, 0);
  fn_json_object(&w, NULL);
  fn_json_str(&w, "name", fn_buf_str(&name));
  fn_json_text(&w, "contentType", "application/octet-stream");
  fn_json_str(&w, "md5Hash", fn_buf_str(&md5));
  fn_json_str(&w, "crc32c", fn_buf_str(&crc));
  fn_json_object(&w, "metadata");
  fn_json_text(&w, "sha256", u->sums.sha256);
  fn_json_end(&w);
  fn_json_end(&w);
  return fn_buf_check(body, "a description", err);
}

/* An address that comes with an answer may not lead bytes to where anyone can read them. */
static fn_status check_session(const upload *u, fn_err *err) {
  const fn_gs *gs = u->store->state;
  fn_url base, session;
  FN_TRY(fn_url_parse(&base, gs->base, err));
  fn_status status = fn_url_parse(&session, u->session, err);
  if (status == FN_OK) {
    if (session.scheme != FN_URL_HTTPS && !fn_url_same_origin(&base, &session))
      status = fn_err_set(err, FN_E_INVALID,
                          "%.300s/%.300s: the upload is sent to another server without encryption: refused",
                          u->store->uri, u->key);
    fn_url_deinit(&session);
  }
  fn_url_deinit(&base);
  return status;
}

static fn_status open_session(upload *u, fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 1 << 16);
  FN_TRY(describe(&body, u, err));
  char length[24];
  snprintf(length, sizeof length, "%llu", (unsigned long long)u->source->length);
  static const fn_call_pair query[] = {{"uploadType", "resumable"}};
  const fn_call_pair headers[] = {{"Content-Type", "application/json; charset=UTF-8"},
                                  {"X-Upload-Content-Type", "application/octet-stream"},
                                  {"X-Upload-Content-Length", length}};
  const fn_store_call call = {.method = "POST",
                              .query = query,
                              .n_query = 1,
                              .headers = headers,
                              .n_headers = 3,
                              .body = fn_buf_str(&body),
                              .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  fn_str location;
  FN_TRY(fn_store_expect(&answer, u->store, &call, err));
  if (!fn_call_header(&location, &answer, "location") || location.length == 0 || location.length >= sizeof u->session)
    return fn_err_set(err, FN_E_IO, "%.300s/%.300s: an answer without the upload's address", u->store->uri, u->key);
  snprintf(u->session, sizeof u->session, "%.*s", (int)location.length, location.data);
  u->offset = 0;
  FN_TRY(check_session(u, err));
  fn_upload_keep(&u->memory, u->session);
  return FN_OK;
}

/* What is stored now, as the last answer describes it. */
static fn_status check_stored(const upload *u, const fn_call_answer *answer, fn_err *err) {
  FN_AUTO_JSON json_t *object = NULL;
  fn_sums should = {0};
  if (fn_json_parse(&object, fn_buf_str(&answer->body), u->store->uri, NULL) == FN_OK) {
    const char *md5 = json_string_value(json_object_get(object, "md5Hash"));
    const char *crc = json_string_value(json_object_get(object, "crc32c"));
    if (md5) (void)fn_sums_take_base64(&should, FN_SUM_MD5, fn_str_from(md5));
    if (crc) (void)fn_sums_take_base64(&should, FN_SUM_CRC32C, fn_str_from(crc));
  }
  if (should.kinds == 0)
    return fn_err_set(err, FN_E_IO, "%.300s/%.300s: an answer without checksums of what is stored", u->store->uri,
                      u->key);
  const fn_status status = fn_sums_check(&u->sums, &should, u->key, err);
  if (status != FN_OK) (void)!u->store->driver->remove(u->store, u->key, NULL); /* nobody shall fetch it */
  return status;
}

/* "bytes=0-N" of a 308: N + 1 bytes are there; without it none. */
static bool read_offset(uint64_t *out, const fn_call_answer *answer, const upload *u) {
  fn_str range;
  int64_t last;
  *out = 0;
  if (!fn_call_header(&range, answer, "range")) return true;
  if (!fn_str_starts_with(range, "bytes=0-")) return false;
  if (!fn_str_to_int64(&last, fn_str_make(range.data + 8, range.length - 8)) || last < 0) return false;
  *out = (uint64_t)last + 1;
  return *out <= u->source->length;
}

/* What came back for bytes or for the question how many there are. *again_out: another attempt may help. */
static fn_status take(bool *again_out, upload *u, const fn_call_answer *answer, fn_err *err) {
  const int http = answer->status;
  *again_out = false;
  if (http == 200 || http == 201) {
    u->is_done = true;
    return check_stored(u, answer, err);
  }
  if (http == 308) {
    if (read_offset(&u->offset, answer, u)) return FN_OK;
    return fn_err_set(err, FN_E_IO, "%.300s/%.300s: an answer with a range that cannot be", u->store->uri, u->key);
  }
  *again_out = answer->retry || http == 404 || http == 410;
  if (http == 404 || http == 410) u->session[0] = 0; /* after a week, or when the server says so: from the start */
  return u->store->driver->explain(u->store, answer, u->key, err);
}

/* One request: the next piece, or, with ask, how many bytes are there. */
static fn_status send(bool *again_out, fn_call_answer *answer, upload *u, bool ask, fn_err *err) {
  const fn_gs_source *s = u->source;
  const uint64_t left = s->length - u->offset, n = ask ? 0 : left < u->piece ? left : u->piece;
  char range[96];
  if (n == 0)
    snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)s->length);
  else
    snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)u->offset,
             (unsigned long long)(u->offset + n - 1), (unsigned long long)s->length);
  const fn_call_pair headers[] = {{"Content-Range", range}};
  const fn_store_call call = {.method = "PUT",
                              .url = u->session,
                              .headers = headers,
                              .n_headers = 1,
                              .from_file = s->from_file && n > 0,
                              .body_file = s->fd,
                              .body_offset = u->offset,
                              .body_length = n,
                              .body = s->from_file || n == 0 ? fn_str_make(NULL, 0)
                                                             : fn_str_make(s->data.data + u->offset, (size_t)n),
                              .done = u->offset,
                              .total = s->from_file && n > 0 ? (int64_t)s->length : -1};
  const fn_status status = u->store->driver->call(answer, u->store, &call, err);
  *again_out = status == FN_E_IO && answer->retry;
  return status == FN_OK ? take(again_out, u, answer, err) : status;
}

static bool on_wait(void *arg, uint64_t n_sent, uint64_t n_received) {
  (void)n_sent, (void)n_received;
  const upload *u = arg;
  return fn_store_tell(u->store, (fn_download_event){.kind = FN_DOWNLOAD_WAIT, .text = u->key, .total = -1}, NULL) ==
         FN_OK;
}

static void on_retry(void *arg, const char *why, double wait_s) {
  const upload *u = arg;
  const fn_download_event event = {.kind = FN_DOWNLOAD_RETRY, .text = why, .total = -1, .wait_s = wait_s};
  if (fn_store_tell(u->store, event, NULL) != FN_OK) return; /* the wait asks again, and stops */
}

static fn_status run(upload *u, bool ask, fn_err *err) {
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  const fn_call_request waiting = {.url = u->store->uri, .tick = on_wait, .on_retry = on_retry, .arg = u};
  fn_err reason = {0};
  for (int64_t n_failures = 0; !u->is_done;) {
    if (!u->session[0]) {
      FN_TRY(open_session(u, err));
      ask = false;
    }
    bool again = false;
    const uint64_t before = u->offset;
    const fn_status status = send(&again, &answer, u, ask, &reason);
    const bool asked = ask;
    ask = false;
    if (status == FN_OK) {
      if (u->offset > before || u->is_done) n_failures = 0;
      if (u->offset > before || u->is_done || asked) continue;
      (void)fn_err_set(&reason, FN_E_IO, "%.300s/%.300s: the server takes no more bytes", u->store->uri, u->key);
    } else if (!again) {
      return fn_err_set(err, status, "%s", reason.message);
    }
    const fn_status paused = fn_call_pause(u->store->http, &waiting, &answer, ++n_failures, reason.message, err);
    if (paused == FN_E_CANCELLED) return paused;
    if (paused != FN_OK)
      return fn_err_set(err, FN_E_IO, "%.850s (%lld attempts failed in a row)", reason.message, (long long)n_failures);
    ask = u->session[0] != 0;
  }
  return FN_OK;
}

static void cancel_session(const upload *u, const char *session) {
  const fn_store_call call = {.method = "DELETE", .url = session, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  if (*session) (void)!u->store->driver->call(&answer, u->store, &call, NULL);
}

fn_status fn_gs_upload(fn_store *store, const char *key, const fn_gs_source *source, const char *sha256, fn_err *err) {
  upload u = {.store = store, .key = key, .source = source, .piece = (uint64_t)store->buckets.part_mb << 20};
  FN_TRY(sum_source(&u, sha256, err));
  u.memory = (fn_upload){
      .uri = store->uri, .key = key, .sha256 = u.sums.sha256, .length = source->length, .part_bytes = u.piece};
  const fn_download_event begin = {.kind = FN_DOWNLOAD_BEGIN, .text = key, .total = (int64_t)source->length};
  if (source->from_file) FN_TRY(fn_store_tell(store, begin, err));
  u.memory.fd = -1;
  if (source->length > u.piece) fn_upload_claim(&u.memory, store);
  FN_AUTO_FREE char *other = NULL;
  FN_AUTO_FREE char *kept = source->length > u.piece ? fn_upload_recall(&other, store, &u.memory) : NULL;
  if (other) cancel_session(&u, other); /* of the file that was here before; a short one leaves it to Google's week */
  const bool goes_on = kept && strlen(kept) < sizeof u.session;
  if (goes_on) memcpy(u.session, kept, strlen(kept) + 1);
  fn_status status = run(&u, goes_on, err);
  const bool keep = u.memory.fd >= 0 && (status == FN_E_IO || status == FN_E_CANCELLED) && !u.is_done;
  if (status != FN_OK && !keep && !u.is_done) cancel_session(&u, u.session);
  if (!keep) fn_upload_forget(store, &u.memory);
  fn_upload_release(&u.memory, store);
  if (!keep || !err) return status;
  char text[sizeof err->message];
  memcpy(text, err->message, sizeof text);
  return fn_err_set(err, status, "%.850s; what arrived is kept there, the same call goes on with it", text);
}
