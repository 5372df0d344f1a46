/* One file of a store behind HTTP, to a path. */
#include "store/driver.h"

#include "net/part.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HEADERS = 8 };
/* An attempt that brought so much starts the count of failures again. */
#define PROGRESS_BYTES ((uint64_t)1 << 20)

typedef struct receiving {
  fn_store *store;
  const fn_store_call *call;
  char *name; /* store and key: what the part belongs to, and what is shown */
  fn_part part;
  uint64_t offset; /* where this attempt began */
  bool begun, restart;
  fn_sums should; /* what the service says of the whole */
} receiving;

static fn_status tell(const receiving *r, fn_download_event_kind kind, uint64_t n_bytes, fn_err *err) {
  return fn_store_tell(
      r->store, (fn_download_event){.kind = kind, .text = r->name, .n_bytes = n_bytes, .total = r->part.total}, err);
}

/* The answer's headers as a download knows them. */
static void read_head(fn_http_head *head, const fn_call_answer *answer) {
  fn_http_head_reset(head);
  fn_str rest = fn_buf_str(&answer->headers), length;
  while (rest.length) {
    const char *end = memchr(rest.data, '\n', rest.length);
    const size_t n = end ? (size_t)(end - rest.data) : rest.length;
    fn_http_head_line(head, fn_str_make(rest.data, n));
    rest = fn_str_make(rest.data + n + (end != NULL), rest.length - n - (end != NULL));
  }
  head->status = answer->status;
  /* Google's entity tags have no quotes; the generation tells the same. */
  fn_str generation;
  if (!head->etag[0] && fn_call_header(&generation, answer, "x-goog-generation") && generation.length < 64)
    snprintf(head->etag, sizeof head->etag, "\"%.*s\"", (int)generation.length, generation.data);
  int64_t value;
  if (fn_call_header(&length, answer, "content-length") && fn_str_to_int64(&value, length) && value >= 0)
    head->length = value;
}

static fn_status begin(receiving *r, const fn_call_answer *answer, fn_err *err) {
  fn_http_head head;
  fn_part *part = &r->part;
  r->begun = true;
  read_head(&head, answer);
  const char *validator = fn_http_head_validator(&head);
  if (answer->status == 206) {
    const bool fits = head.has_range && r->offset > 0 && head.range_first == r->offset && validator &&
                      strcmp(validator, part->validator) == 0 &&
                      (!head.has_total || part->total < 0 || head.range_total == (uint64_t)part->total);
    r->restart = !fits;
    if (!fits) return fn_err_set(err, FN_E_IO, "%.500s: it changed since its first part was fetched", r->name);
  } else {
    r->offset = 0;
    FN_TRY(fn_part_begin(part, r->name, &head, err));
  }
  if (answer->status != 206) r->should.kinds = 0;
  r->store->driver->sums(&r->should, answer);
  return tell(r, FN_DOWNLOAD_BEGIN, part->size, err);
}

static fn_status on_data(void *arg, const fn_call_answer *answer, const void *data, size_t length, fn_err *err) {
  receiving *r = arg;
  if (!r->begun) FN_TRY(begin(r, answer, err));
  if (r->part.total >= 0 && r->part.size + length > (uint64_t)r->part.total) {
    r->restart = true;
    return fn_err_set(err, FN_E_IO, "%.500s: more than the %lld bytes that were said", r->name,
                      (long long)r->part.total);
  }
  const int64_t max = r->store->options.net->max_bytes;
  if (r->part.size + length > (uint64_t)max)
    return fn_err_set(err, FN_E_LIMIT, "%.500s: net.max_bytes allows %lld", r->name, (long long)max);
  FN_TRY(fn_part_write(&r->part, data, length, err));
  return tell(r, FN_DOWNLOAD_DATA, r->part.size, err);
}

/* One request for what is missing. */
static fn_status try_once(bool *whole_out, bool *again_out, receiving *r, fn_call_answer *answer, fn_err *err) {
  fn_part *part = &r->part;
  if (!part->validator[0]) FN_TRY(fn_part_empty(part, err));
  r->offset = part->size;
  r->begun = r->restart = false;
  char range[64];
  fn_call_pair headers[MAX_HEADERS];
  fn_store_call call = *r->call;
  size_t n = 0;
  for (; n < call.n_headers && n + 1 < MAX_HEADERS; n++) headers[n] = call.headers[n];
  snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)r->offset);
  if (r->offset) headers[n++] = (fn_call_pair){"Range", range};
  call.headers = headers;
  call.n_headers = n;
  call.sink = on_data;
  call.arg = r;
  call.total = -1;
  fn_status status = fn_store_run(answer, r->store, &call, err);
  *again_out = (answer->retry && r->begun) || r->restart;
  if (status == FN_OK && answer->status == 416 && r->offset) {
    *again_out = true; /* it is shorter now than what is here */
    FN_TRY(fn_part_empty(part, err));
    return fn_err_set(err, FN_E_IO, "%.500s: it changed since its first part was fetched", r->name);
  }
  if (r->restart) FN_TRY(fn_part_empty(part, err));
  if (status != FN_OK) return status;
  if (answer->status < 200 || answer->status > 299) return r->store->driver->explain(r->store, answer, call.key, err);
  if (!r->begun) FN_TRY(begin(r, answer, err)); /* an empty file */
  *whole_out = part->total < 0 || part->size == (uint64_t)part->total;
  *again_out = !*whole_out;
  return *whole_out ? FN_OK : fn_err_set(err, FN_E_IO, "%.500s: it ended early", r->name);
}

static bool on_wait(void *arg, uint64_t n_sent, uint64_t n_received) {
  (void)n_sent, (void)n_received;
  const receiving *r = arg;
  return tell(r, FN_DOWNLOAD_WAIT, r->part.size, NULL) == FN_OK;
}

static void on_retry(void *arg, const char *why, double wait_s) {
  const receiving *r = arg;
  const fn_download_event event = {.kind = FN_DOWNLOAD_RETRY, .text = why, .total = -1, .wait_s = wait_s};
  if (fn_store_tell(r->store, event, NULL) != FN_OK) return; /* the wait asks again, and stops */
}

/* Attempts until all of it is there. Those that bring nothing are repeated in fn_store_run already. */
static fn_status fetch(receiving *r, fn_err *err) {
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  const fn_call_request waiting = {.url = r->name, .tick = on_wait, .on_retry = on_retry, .arg = r};
  fn_err reason = {0};
  for (int64_t n_failures = 1;; n_failures++) {
    bool whole = false, again = false;
    const uint64_t before = r->part.size;
    fn_status status = try_once(&whole, &again, r, &answer, &reason);
    if (status == FN_OK && whole) return FN_OK;
    if (!again || status != FN_E_IO) return fn_err_set(err, status, "%s", reason.message);
    if (r->part.size > before && r->part.size - before >= PROGRESS_BYTES) n_failures = 1;
    const fn_status paused = fn_call_pause(r->store->http, &waiting, &answer, n_failures, reason.message, err);
    if (paused == FN_E_CANCELLED) return paused;
    if (paused != FN_OK)
      return fn_err_set(err, status, "%.900s (%lld attempts failed in a row)", reason.message, (long long)n_failures);
  }
}

static bool on_checked(void *arg, uint64_t n_bytes) {
  return tell(arg, FN_DOWNLOAD_CHECK, n_bytes, NULL) == FN_OK;
}

static fn_status check(receiving *r, const char *sha256, fn_err *err) {
  fn_sums is, should = r->should;
  if (sha256) {
    should.kinds |= FN_SUM_SHA256;
    memcpy(should.sha256, sha256, 65);
  }
  if (should.kinds == 0) return FN_OK;
  FN_TRY(fn_sums_file(&is, r->part.fd, 0, r->part.size, should.kinds, r->name, on_checked, r, err));
  const fn_status status = fn_sums_check(&is, &should, r->name, err);
  if (status != FN_OK) fn_part_remove(&r->part); /* going on with it would be in vain */
  return status;
}

/* Two processes that fetch the same file wait for each other; false when the part is no longer the one under its name.
 */
static bool lock(receiving *r) {
  struct stat mine, named;
  while (flock(r->part.fd, LOCK_EX | LOCK_NB) != 0) {
    if (tell(r, FN_DOWNLOAD_WAIT, 0, NULL) != FN_OK) return false;
    usleep(100000);
  }
  return fstat(r->part.fd, &mine) == 0 && stat(r->part.path, &named) == 0 && mine.st_ino == named.st_ino;
}

static fn_status open_part(receiving *r, const char *to_path, fn_err *err) {
  const char *base = fn_path_base(to_path);
  FN_AUTO_FREE char *folder =
      base == to_path ? fn_str_dup(fn_str_from(".")) : fn_str_dup(fn_str_make(to_path, (size_t)(base - to_path)));
  if (!folder) return fn_err_no_memory(err, to_path);
  for (;;) {
    FN_TRY(fn_part_open(&r->part, folder, base, r->name, err));
    if (lock(r)) break;
    fn_part_close(&r->part);
    FN_TRY(tell(r, FN_DOWNLOAD_WAIT, 0, err));
  }
  /* The other one may have written more since the part was opened. */
  struct stat st;
  if (fstat(r->part.fd, &st) == 0 && (uint64_t)st.st_size != r->part.size) FN_TRY(fn_part_empty(&r->part, err));
  return FN_OK;
}

static fn_status place(receiving *r, const char *to_path, fn_err *err) {
  const char *base = fn_path_base(to_path);
  FN_TRY(fn_part_sync(&r->part, err));
  FN_TRY(fn_path_rename(r->part.path, to_path, err));
  unlink(r->part.state_path);
  FN_AUTO_FREE char *folder =
      base == to_path ? fn_str_dup(fn_str_from(".")) : fn_str_dup(fn_str_make(to_path, (size_t)(base - to_path)));
  return folder ? fn_dir_sync(folder, err) : fn_err_no_memory(err, to_path);
}

static char *name_of(const fn_store *store, const char *key) {
  return fn_path_join(store->uri, key);
}

fn_status fn_store_receive(fn_store *store, const fn_store_call *call, const char *to_path, const char *sha256,
                           fn_err *err) {
  FN_AUTO_FREE char *name = name_of(store, call->key);
  if (!name) return fn_err_no_memory(err, call->key);
  if (fn_path_is_dir(to_path))
    return fn_err_set(err, FN_E_INVALID, "%s: a folder; the name of a file is accepted", to_path);
  receiving r = {.store = store, .call = call, .name = name, .part = {.fd = -1}};
  FN_TRY(open_part(&r, to_path, err));
  fn_status status = fetch(&r, err);
  if (status == FN_OK) status = check(&r, sha256, err);
  if (status == FN_OK) status = place(&r, to_path, err);
  if (status != FN_OK && (r.part.size == 0 || !r.part.validator[0])) fn_part_remove(&r.part);
  fn_part_close(&r.part);
  return status;
}

fn_status fn_store_receive_small(fn_buf *out, fn_store *store, const fn_store_call *call, size_t max_bytes,
                                 fn_err *err) {
  FN_AUTO_FREE char *name = name_of(store, call->key);
  if (!name) return fn_err_no_memory(err, call->key);
  fn_store_call small = *call;
  small.max_answer_bytes = max_bytes ? max_bytes : 1;
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_expect(&answer, store, &small, err));
  if (answer.body.length > max_bytes)
    return fn_err_set(err, FN_E_LIMIT, "%.500s: longer than %zu bytes", name, max_bytes);
  fn_sums should = {0}, is;
  store->driver->sums(&should, &answer);
  if (should.kinds) {
    FN_TRY(fn_sums_bytes(&is, fn_buf_str(&answer.body), should.kinds, err));
    FN_TRY(fn_sums_check(&is, &should, name, err));
  }
  fn_buf_append(out, answer.body.data, answer.body.length);
  return fn_buf_check(out, name, err);
}
