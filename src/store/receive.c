/* One file of a store behind HTTP, to a path. */
#include "store/crew.h"

#include "base/lock.h"
#include "net/part.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HEADERS = 8 };
/* An attempt that brought so much starts the count of failures again. */
#define PROGRESS_BYTES ((uint64_t)1 << 20)

typedef struct receiving {
  fn_store *store;
  const fn_store_call *call;
  char *name;         /* store and key: what the part belongs to, and what is shown */
  const char *sha256; /* that the caller wants; NULL: any */
  fn_part part;
  uint64_t offset; /* where this attempt began */
  bool begun, restart;
  fn_sums should; /* what the service says of the whole */
  /* A large file comes in ranges. The first request goes on from the front, as long as the next range is not taken; a
   * crew fetches the others from the back. */
  fn_crew *crew;         /* NULL: there is none */
  size_t range;          /* that the first request fills */
  bool met;              /* it came to a range that is the crew's */
  uint64_t there, start; /* bytes that were there before the crew; size at that time */
  atomic_bool changed;   /* the crew saw another file */
} receiving;

static uint64_t progress(const receiving *r) {
  if (!r->part.range_bytes) return r->part.size;
  return r->there + (r->part.size - r->start) + (r->crew ? fn_crew_bytes(r->crew) : 0);
}

static fn_status tell(const receiving *r, fn_download_event_kind kind, uint64_t n_bytes, fn_err *err) {
  if (r->crew) FN_TRY(fn_crew_tell(r->crew, err));
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

static fn_status it_changed(const receiving *r, fn_err *err) {
  return fn_err_set(err, FN_E_IO, "%.500s: it changed since its first part was fetched", r->name);
}

/* Whether an answer brings bytes of the file that the part is of, from offset on. */
static bool fits(const receiving *r, const fn_call_answer *answer, uint64_t offset) {
  fn_http_head head;
  read_head(&head, answer);
  const char *validator = fn_http_head_validator(&head);
  return answer->status == 206 && head.has_range && head.range_first == offset && validator &&
         strcmp(validator, r->part.validator) == 0 &&
         (!head.has_total || r->part.total < 0 || head.range_total == (uint64_t)r->part.total);
}

/* ---- attempts */

/* What is tried until it succeeds: once tells whether another attempt may help, and how many bytes this one brought. */
typedef struct attempts {
  const receiving *r;
  fn_store *store;
  fn_status (*once)(void *arg, bool *again_out, uint64_t *n_bytes_out, fn_call_answer *answer, fn_err *err);
  void *arg;
} attempts;

static bool on_wait(void *arg, uint64_t n_sent, uint64_t n_received) {
  (void)n_sent, (void)n_received;
  const attempts *a = arg;
  if (a->store == a->r->store) return tell(a->r, FN_DOWNLOAD_WAIT, progress(a->r), NULL) == FN_OK;
  return fn_store_tell(a->store, (fn_download_event){.kind = FN_DOWNLOAD_WAIT, .total = -1}, NULL) == FN_OK;
}

static void on_retry(void *arg, const char *why, double wait_s) {
  const attempts *a = arg;
  const fn_download_event event = {.kind = FN_DOWNLOAD_RETRY, .text = why, .total = -1, .wait_s = wait_s};
  if (fn_store_tell(a->store, event, NULL) != FN_OK) return; /* the wait asks again, and stops */
}

/* Those that bring nothing are repeated in fn_store_run already. */
static fn_status persist(attempts *a, fn_err *err) {
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  const fn_call_request waiting = {.url = a->r->name, .tick = on_wait, .on_retry = on_retry, .arg = a};
  fn_err reason = {0};
  for (int64_t n_failures = 1;; n_failures++) {
    bool again = false;
    uint64_t n_bytes = 0;
    const fn_status status = a->once(a->arg, &again, &n_bytes, &answer, &reason);
    if (status == FN_OK) return FN_OK;
    if (!again || status != FN_E_IO) return fn_err_set(err, status, "%s", reason.message);
    if (n_bytes >= PROGRESS_BYTES) n_failures = 1;
    const fn_status paused = fn_call_pause(a->store->http, &waiting, &answer, n_failures, reason.message, err);
    if (paused == FN_E_CANCELLED) return paused;
    if (paused != FN_OK)
      return fn_err_set(err, status, "%.900s (%lld attempts failed in a row)", reason.message, (long long)n_failures);
  }
}

static fn_status ask(fn_call_answer *answer, fn_store *store, const receiving *r, const char *range,
                     fn_status (*sink)(void *, const fn_call_answer *, const void *, size_t, fn_err *), void *arg,
                     fn_err *err) {
  fn_call_pair headers[MAX_HEADERS];
  fn_store_call call = *r->call;
  size_t n = 0;
  for (; n < call.n_headers && n + 1 < MAX_HEADERS; n++) headers[n] = call.headers[n];
  if (range[0]) headers[n++] = (fn_call_pair){"Range", range};
  call.headers = headers;
  call.n_headers = n;
  call.sink = sink;
  call.arg = arg;
  call.total = -1;
  return fn_store_run(answer, store, &call, err);
}

/* ---- the crew's ranges */

typedef struct ranging {
  receiving *r;
  fn_store *store; /* of the thread */
  uint64_t first, offset, end;
  bool begun;
} ranging;

static fn_status on_range(void *arg, const fn_call_answer *answer, const void *data, size_t length, fn_err *err) {
  ranging *g = arg;
  receiving *r = g->r;
  if (!g->begun && !fits(r, answer, g->offset)) {
    atomic_store(&r->changed, true);
    return it_changed(r, err);
  }
  g->begun = true;
  if (length > g->end - g->offset)
    return fn_err_set(err, FN_E_IO, "%.500s: more than the bytes that were asked for", r->name);
  FN_TRY(fn_part_write_at(&r->part, g->offset, data, length, err));
  g->offset += length;
  const fn_download_event event = {.kind = FN_DOWNLOAD_DATA, .n_bytes = g->offset - g->first, .total = -1};
  return fn_store_tell(g->store, event, err);
}

static fn_status try_range(void *arg, bool *again_out, uint64_t *n_bytes_out, fn_call_answer *answer, fn_err *err) {
  ranging *g = arg;
  const uint64_t before = g->offset;
  char range[64];
  snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)g->offset, (unsigned long long)g->end - 1);
  g->begun = false;
  const fn_status status = ask(answer, g->store, g->r, range, on_range, g, err);
  *n_bytes_out = g->offset - before;
  *again_out = answer->retry && g->begun;
  if (g->offset == g->end) return FN_OK;
  if (status != FN_OK) return status;
  if (answer->status == 416 || answer->status == 412) {
    atomic_store(&g->r->changed, true);
    return it_changed(g->r, err);
  }
  if (answer->status < 200 || answer->status > 299)
    return g->store->driver->explain(g->store, answer, g->r->call->key, err);
  *again_out = g->begun;
  return fn_err_set(err, FN_E_IO, "%.500s: it ended early", g->r->name);
}

static fn_status fetch_range(void *arg, fn_store *store, size_t i, fn_err *err) {
  receiving *r = arg;
  fn_part *part = &r->part;
  if (part->has[i]) return FN_OK;
  const uint64_t first = i * part->range_bytes, left = (uint64_t)part->total - first;
  ranging g = {.r = r, .store = store, .first = first, .offset = first};
  g.end = first + (left < part->range_bytes ? left : part->range_bytes);
  attempts a = {r, store, try_range, &g};
  FN_TRY(persist(&a, err));
  return fn_part_note(part, i, err);
}

static bool may_split(const fn_store *store) {
  return store->driver->has_ranges && store->buckets.connections > 1;
}

/* Whether the first request may write where it is: in its own range, or in the next one that nobody took. */
static bool has_place(receiving *r) {
  const fn_part *part = &r->part;
  if (!part->range_bytes) return true;
  const size_t i = (size_t)(part->size / part->range_bytes);
  if (i == r->range) return true;
  r->met = i >= part->n_ranges || part->has[i] || !r->crew || !fn_crew_take(r->crew, i);
  if (!r->met) r->range = i;
  return !r->met;
}

/* With the first answer of a large file: a crew for the rest of it. */
static fn_status split(receiving *r, fn_err *err) {
  fn_part *part = &r->part;
  const uint64_t range_bytes = (uint64_t)r->store->buckets.part_mb << 20;
  if (r->crew || !may_split(r->store) || !part->validator[0] || part->total < 0) return FN_OK;
  if (!part->range_bytes && ((uint64_t)part->total - part->size) / 2 < range_bytes) return FN_OK;
  if (part->total > r->store->options.net->max_bytes)
    return fn_err_set(err, FN_E_LIMIT, "%.500s: %lld bytes; net.max_bytes allows %lld", r->name, (long long)part->total,
                      (long long)r->store->options.net->max_bytes);
  if (!part->range_bytes) FN_TRY(fn_part_split(part, range_bytes, r->name, err));
  r->start = r->there = part->size;
  r->range = (size_t)(part->size / part->range_bytes);
  for (size_t i = r->range; i < part->n_ranges; i++)
    if (part->has[i]) r->there += part->range_bytes;
  if (r->there > (uint64_t)part->total) r->there = (uint64_t)part->total;
  const size_t most = (size_t)r->store->buckets.connections - 1, left = part->n_ranges - r->range - 1;
  const fn_crew_work work = {
      .task = fetch_range, .arg = r, .first = r->range + 1, .n = part->n_ranges, .from_back = true};
  return left ? fn_crew_start(&r->crew, r->store, &work, most < left ? most : left, err) : FN_OK;
}

/* ---- the first request */

static fn_status begin(receiving *r, const fn_call_answer *answer, fn_err *err) {
  fn_http_head head;
  fn_part *part = &r->part;
  r->begun = true;
  if (r->offset || r->crew) {
    r->restart = answer->status == 206 ? !fits(r, answer, r->offset) : r->crew != NULL;
    if (r->restart) return it_changed(r, err);
  } else if (answer->status == 206) {
    r->restart = true; /* nobody asked for a range */
    return it_changed(r, err);
  }
  if (answer->status != 206) {
    read_head(&head, answer);
    r->offset = 0;
    FN_TRY(fn_part_begin(part, r->name, &head, err));
    r->should.kinds = 0;
  }
  r->store->driver->sums(&r->should, answer);
  FN_TRY(split(r, err));
  return tell(r, FN_DOWNLOAD_BEGIN, progress(r), err);
}

/* Writes what came, piece by piece where it goes over the end of a range. */
static fn_status write_on(receiving *r, const char *data, size_t length, fn_err *err) {
  fn_part *part = &r->part;
  if (!part->range_bytes) return fn_part_write(part, data, length, err);
  while (length > 0) {
    if (!has_place(r)) return fn_err_set(err, FN_E_CANCELLED, "%.500s: the rest is fetched already", r->name);
    const uint64_t end = (r->range + 1) * part->range_bytes, left = end - part->size;
    const size_t n = length < left ? length : (size_t)left;
    FN_TRY(fn_part_write(part, data, n, err));
    if (part->size == end || part->size == (uint64_t)part->total) FN_TRY(fn_part_note(part, r->range, err));
    data += n;
    length -= n;
  }
  return FN_OK;
}

static fn_status on_data(void *arg, const fn_call_answer *answer, const void *data, size_t length, fn_err *err) {
  receiving *r = arg;
  if (!r->begun) FN_TRY(begin(r, answer, err));
  if (atomic_load(&r->changed)) {
    r->restart = true;
    return it_changed(r, err);
  }
  if (r->part.total >= 0 && r->part.size + length > (uint64_t)r->part.total) {
    r->restart = true;
    return fn_err_set(err, FN_E_IO, "%.500s: more than the %lld bytes that were said", r->name,
                      (long long)r->part.total);
  }
  const int64_t max = r->store->options.net->max_bytes;
  if (r->part.size + length > (uint64_t)max)
    return fn_err_set(err, FN_E_LIMIT, "%.500s: net.max_bytes allows %lld", r->name, (long long)max);
  FN_TRY(write_on(r, data, length, err));
  return tell(r, FN_DOWNLOAD_DATA, progress(r), err);
}

static fn_status start_anew(receiving *r, fn_err *err) {
  fn_crew_destroy(r->crew);
  r->crew = NULL;
  atomic_store(&r->changed, false);
  return fn_part_empty(&r->part, err);
}

/* Where neither a length nor chunks nor a checksum tell the end, a connection that broke looks like one: buckets always
 * say one of them. A web server of the old kind does not. */
static fn_status check_end(const fn_store *store, const fn_call_answer *answer, const char *name, bool has_sum,
                           fn_err *err) {
  fn_str value;
  int64_t length;
  const bool said = fn_call_header(&value, answer, "content-length") && fn_str_to_int64(&length, value);
  if (has_sum || said || !store->driver->has_ranges || fn_call_header(&value, answer, "transfer-encoding"))
    return FN_OK;
  return fn_err_set(err, FN_E_IO, "%.500s: an answer with neither a length nor a checksum: it may have been cut off",
                    name);
}

/* One request for what is missing; FN_OK: it brought all of it, or all that is not the crew's. */
static fn_status try_once(void *arg, bool *again_out, uint64_t *n_bytes_out, fn_call_answer *answer, fn_err *err) {
  receiving *r = arg;
  fn_part *part = &r->part;
  if (!part->validator[0]) FN_TRY(fn_part_empty(part, err));
  if (r->crew && !has_place(r)) return FN_OK;
  r->offset = part->size;
  r->begun = r->restart = r->met = false;
  char range[64] = "";
  if (r->offset) snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)r->offset);
  fn_status status = ask(answer, r->store, r, range, on_data, r, err);
  if (r->met) return FN_OK;
  *n_bytes_out = part->size > r->offset ? part->size - r->offset : 0;
  *again_out = (answer->retry && r->begun) || r->restart;
  if (status == FN_OK && answer->status == 416 && r->offset) {
    *again_out = true; /* it is shorter now than what is here */
    FN_TRY(start_anew(r, err));
    return it_changed(r, err);
  }
  if (r->restart) FN_TRY(start_anew(r, err));
  if (status != FN_OK) return status;
  if (answer->status < 200 || answer->status > 299)
    return r->store->driver->explain(r->store, answer, r->call->key, err);
  if (!r->begun) FN_TRY(begin(r, answer, err)); /* an empty file */
  if (part->total < 0) return check_end(r->store, answer, r->name, r->sha256 || r->should.kinds, err);
  if (part->size == (uint64_t)part->total) return FN_OK;
  *again_out = true;
  return fn_err_set(err, FN_E_IO, "%.500s: it ended early", r->name);
}

/* All of it; begun anew when the crew saw that the file is another one now. */
static fn_status fetch(receiving *r, fn_err *err) {
  attempts first = {r, r->store, try_once, r};
  for (int64_t n_rounds = 0;; n_rounds++) {
    fn_status status = persist(&first, err);
    const fn_download_event rest = {
        .text = r->name, .n_bytes = r->there + (r->part.size - r->start), .total = r->part.total};
    if (status == FN_OK && r->crew) status = fn_crew_wait(r->crew, rest, err);
    fn_crew_destroy(r->crew);
    r->crew = NULL;
    if (status != FN_E_IO || !atomic_load(&r->changed) || n_rounds == r->store->options.net->retries) return status;
    FN_TRY(start_anew(r, err));
  }
}

static bool on_checked(void *arg, uint64_t n_bytes) {
  return tell(arg, FN_DOWNLOAD_CHECK, n_bytes, NULL) == FN_OK;
}

static fn_status check(receiving *r, fn_err *err) {
  fn_sums is, should = r->should;
  if (r->sha256) { /* then a tag that may be no MD5, though it looks like one, has nothing to add */
    should.kinds = (should.kinds & ~(unsigned)FN_SUM_MD5) | FN_SUM_SHA256;
    memcpy(should.sha256, r->sha256, 65);
  }
  if (should.kinds == 0) return FN_OK;
  const uint64_t size = r->part.range_bytes ? (uint64_t)r->part.total : r->part.size;
  FN_TRY(fn_sums_file(&is, r->part.fd, 0, size, should.kinds, r->name, on_checked, r, err));
  const fn_status status = fn_sums_check(&is, &should, r->name, err);
  if (status != FN_OK) fn_part_remove(&r->part); /* going on with it would be in vain */
  return status;
}

/* Two processes that fetch the same file wait for each other; false when the part is no longer the one under its name.
 */
static bool lock(receiving *r) {
  while (flock(r->part.fd, LOCK_EX | LOCK_NB) != 0) {
    if (tell(r, FN_DOWNLOAD_WAIT, 0, NULL) != FN_OK) return false;
    usleep(100000);
  }
  return fn_lock_is_named(r->part.fd, r->part.path);
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
  if (r->part.range_bytes && !may_split(r->store)) return fn_part_empty(&r->part, err);
  /* The other one may have written more since the part was opened. */
  struct stat st;
  if (fstat(r->part.fd, &st) == 0 && (uint64_t)st.st_size != fn_part_length(&r->part))
    FN_TRY(fn_part_empty(&r->part, err));
  return FN_OK;
}

static fn_status place(receiving *r, const char *to_path, fn_err *err) {
  const char *base = fn_path_base(to_path);
  if (r->part.range_bytes) FN_TRY(fn_part_join(&r->part, r->name, err));
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
  receiving r = {.store = store, .call = call, .name = name, .sha256 = sha256, .part = {.fd = -1}};
  FN_TRY(open_part(&r, to_path, err));
  fn_status status = fetch(&r, err);
  if (status == FN_OK) status = check(&r, err);
  if (status == FN_OK) status = place(&r, to_path, err);
  if (status != FN_OK && (fn_part_length(&r.part) == 0 || !r.part.validator[0])) fn_part_remove(&r.part);
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
  FN_TRY(check_end(store, &answer, name, should.kinds, err));
  if (should.kinds) {
    FN_TRY(fn_sums_bytes(&is, fn_buf_str(&answer.body), should.kinds, err));
    FN_TRY(fn_sums_check(&is, &should, name, err));
  }
  fn_buf_append(out, answer.body.data, answer.body.length);
  return fn_buf_check(out, name, err);
}
