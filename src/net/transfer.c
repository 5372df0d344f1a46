#include "net/transfer.h"

#include "base/backoff.h"
#include "net/wire.h"

/* An attempt that brought so much starts the count of failures again. */
#define PROGRESS_BYTES ((uint64_t)1 << 20)

typedef struct attempt {
  fn_transfer *t;
  uint64_t offset; /* where it began */
  bool restart;    /* the part does not fit to what the server has: empty it */
} attempt;

fn_status fn_download_tell(const fn_download_sink *sink, const fn_download_event *event, fn_err *err) {
  if (!sink->event || sink->event(sink->arg, event)) return FN_OK;
  return fn_err_set(err, FN_E_CANCELLED, "stopped");
}

static fn_status tell(const fn_transfer *t, fn_download_event event, fn_err *err) {
  return fn_download_tell(&t->request->sink, &event, err);
}

bool fn_transfer_can_go_on(const fn_transfer *t) {
  return t->part->size > 0 && (t->part->validator[0] || t->checked);
}

const char *fn_transfer_name(const fn_transfer *t, const char *from_server) {
  const char *name = t->request->name ? t->request->name : from_server[0] ? from_server : t->fallback;
  return strcmp(name, FN_RECEIPT_NAME) == 0 ? "_" FN_RECEIPT_NAME : name;
}

static fn_status too_large(const fn_transfer *t, uint64_t size, fn_err *err) {
  return fn_err_set(err, FN_E_LIMIT, "%.500s: at least %llu bytes; net.max_bytes allows %lld", t->url->text,
                    (unsigned long long)size, (long long)t->options->max_bytes);
}

/* A file that stands where the new one is to go is found out before its bytes travel. */
static fn_status check_target(const fn_transfer *t, const char *from_server, fn_err *err) {
  if (t->request->unpack || t->request->replace) return FN_OK;
  const char *name = fn_transfer_name(t, from_server);
  FN_AUTO_FREE char *path = fn_path_join(t->request->folder, name);
  if (!path) return fn_err_no_memory(err, name);
  if (!fn_path_exists(path)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%s is there already, and nothing says that it is what %.400s gives; --replace overwrites it", path,
                    t->url->text);
}

static fn_status begin_whole(attempt *a, const fn_http_head *head, fn_err *err) {
  fn_transfer *t = a->t;
  if (head->length >= 0 && (uint64_t)head->length > (uint64_t)t->options->max_bytes)
    return too_large(t, (uint64_t)head->length, err);
  FN_TRY(check_target(t, head->name, err));
  if (a->offset > 0)
    FN_TRY(tell(t,
                (fn_download_event){.kind = FN_DOWNLOAD_NOTE,
                                    .text = "the server sends the whole file again: it changed, or the server cannot "
                                            "send the rest of a file"},
                err));
  t->went_on = false;
  a->offset = 0;
  return fn_part_begin(t->part, t->url->text, head, err);
}

static fn_status begin_rest(attempt *a, const fn_http_head *head, fn_err *err) {
  fn_transfer *t = a->t;
  fn_part *part = t->part;
  bool fits = head->has_range && a->offset > 0 && head->range_first == a->offset &&
              (!head->has_total || part->total < 0 || head->range_total == (uint64_t)part->total) &&
              !(head->etag[0] && part->validator[0] == '"' && strcmp(head->etag, part->validator) != 0);
  if (!fits) {
    a->restart = true;
    return fn_err_set(err, FN_E_IO, "%.500s: the server sends another part than was asked for", t->url->text);
  }
  if (part->total < 0 && head->has_total && head->range_total <= INT64_MAX) part->total = (int64_t)head->range_total;
  if (part->total > t->options->max_bytes) return too_large(t, (uint64_t)part->total, err);
  FN_TRY(check_target(t, part->name, err));
  t->went_on = true;
  return FN_OK;
}

static fn_status on_begin(void *arg, const fn_http_head *head, fn_err *err) {
  attempt *a = arg;
  FN_TRY(head->status == 206 ? begin_rest(a, head, err) : begin_whole(a, head, err));
  const fn_part *part = a->t->part;
  return tell(a->t,
              (fn_download_event){
                  .kind = FN_DOWNLOAD_BEGIN, .text = a->t->url->text, .n_bytes = part->size, .total = part->total},
              err);
}

static fn_status on_body(void *arg, const void *data, size_t length, fn_err *err) {
  attempt *a = arg;
  fn_part *part = a->t->part;
  uint64_t size = part->size + length;
  if (size > (uint64_t)a->t->options->max_bytes) return too_large(a->t, size, err);
  if (part->total >= 0 && size > (uint64_t)part->total) {
    a->restart = true;
    return fn_err_set(err, FN_E_IO, "%.500s: the server sends more than the %lld bytes that it said", a->t->url->text,
                      (long long)part->total);
  }
  FN_TRY(fn_part_write(part, data, length, err));
  return tell(a->t, (fn_download_event){.kind = FN_DOWNLOAD_DATA, .n_bytes = part->size, .total = part->total}, err);
}

static bool on_tick(void *arg) {
  const attempt *a = arg;
  const fn_part *part = a->t->part;
  return tell(a->t, (fn_download_event){.kind = FN_DOWNLOAD_WAIT, .n_bytes = part->size, .total = part->total}, NULL) ==
         FN_OK;
}

static bool go_on(const void *arg) {
  const fn_transfer *t = arg;
  return tell(t, (fn_download_event){.kind = FN_DOWNLOAD_WAIT, .n_bytes = t->part->size, .total = t->part->total},
              NULL) == FN_OK;
}

/* Before attempt n_failures + 1: backoff with jitter, or what the server asked for. */
static fn_status back_off(const fn_transfer *t, int64_t n_failures, double retry_after_s, fn_err *err) {
  const fn_net_options *o = t->options;
  if (retry_after_s > o->max_wait_s)
    return fn_err_set(err, FN_E_IO, "%.500s: the server asks to wait %.0f s; net.max_wait_s allows %g", t->url->text,
                      retry_after_s, o->max_wait_s);
  const double wait = fn_backoff_s(o->backoff_s, o->max_wait_s, n_failures, retry_after_s);
  FN_TRY(tell(t, (fn_download_event){.kind = FN_DOWNLOAD_RETRY, .text = err ? err->message : "", .wait_s = wait}, err));
  return fn_backoff_sleep(wait, go_on, t) ? FN_OK : fn_err_set(err, FN_E_CANCELLED, "stopped");
}

/* What an answer without a body for us means: an error, always. */
static fn_status refuse(const fn_transfer *t, int code, fn_err *err) {
  const char *url = t->url->text, *hint = NULL;
  if (code == 401 || code == 403) {
    hint = t->request->hint_denied;
    return fn_err_set(err, FN_E_INVALID, "%.400s: HTTP %d: the server refuses access%s%s", url, code, hint ? "; " : "",
                      hint ? hint : "");
  }
  if (code == 404 || code == 410) {
    hint = t->request->hint_missing;
    return fn_err_set(err, FN_E_NOT_FOUND, "%.400s: HTTP %d: not there%s%s", url, code, hint ? "; " : "",
                      hint ? hint : "");
  }
  if (code == 429) return fn_err_set(err, FN_E_IO, "%.500s: HTTP 429: too many requests", url);
  return fn_err_set(err, FN_E_IO, "%.500s: HTTP %d", url, code);
}

/* One request. *whole_out: the part is the file now. *retry_out: another attempt may bring it. */
static fn_status try_once(bool *whole_out, bool *retry_out, double *retry_after_out, fn_transfer *t, fn_err *err) {
  fn_part *part = t->part;
  attempt a = {.t = t, .offset = fn_transfer_can_go_on(t) ? part->size : 0};
  if (a.offset == 0) FN_TRY(fn_part_empty(part, err));
  char validator[sizeof part->validator]; /* begin overwrites the part's */
  memcpy(validator, part->validator, sizeof validator);
  const fn_http_request request = {.url = t->url,
                                   .credentials = t->request->credentials,
                                   .offset = t->url->scheme == FN_URL_FILE ? 0 : a.offset,
                                   .validator = validator[0] ? validator : NULL,
                                   .begin = on_begin,
                                   .body = on_body,
                                   .tick = on_tick,
                                   .arg = &a};
  fn_http_result result;
  fn_status status = fn_http_get(&result, t->http, &request, err);
  const int code = result.head.status;
  *retry_out = result.retry || a.restart;
  *retry_after_out = result.retry_after_s;
  if (result.unresolved && part->size == 0) *retry_out = false; /* a name that was mistyped */
  if (a.restart) FN_TRY(fn_part_empty(part, err));
  if (status != FN_OK) return status;
  if (code == 200 || code == 206) {
    *whole_out = part->total < 0 || part->size == (uint64_t)part->total;
    if (*whole_out) return FN_OK;
    *retry_out = true;
    return fn_err_set(err, FN_E_IO, "%.500s: %llu bytes came of %lld", t->url->text, (unsigned long long)part->size,
                      (long long)part->total);
  }
  if (code == 416 && a.offset > 0) {
    *whole_out = result.head.has_total && result.head.range_total == part->size;
    if (*whole_out) return FN_OK;
    *retry_out = true;
    FN_TRY(fn_part_empty(part, err));
    return fn_err_set(err, FN_E_IO, "%.500s: HTTP 416: the file is shorter than what is here", t->url->text);
  }
  return refuse(t, code, err);
}

fn_status fn_transfer_run(fn_transfer *t, fn_err *err) {
  fn_err local = {0};
  fn_err *reason = err ? err : &local;
  fn_part *part = t->part;
  if (part->size > 0 && part->total >= 0 && part->size == (uint64_t)part->total && fn_transfer_can_go_on(t)) {
    t->went_on = true; /* it was whole before the process ended */
    return check_target(t, part->name, err);
  }
  for (int64_t n_failures = 0;;) {
    bool whole = false, retry = false;
    double retry_after = 0;
    const uint64_t before = part->size;
    fn_status status = try_once(&whole, &retry, &retry_after, t, reason);
    if (status == FN_OK && whole) return fn_part_sync(part, err);
    const bool temporary = retry && (status == FN_E_IO);
    if (!temporary) return status;
    if (part->size > before && part->size - before >= PROGRESS_BYTES) n_failures = 0;
    if (++n_failures > t->options->retries) {
      char text[sizeof reason->message];
      memcpy(text, reason->message, sizeof text);
      return fn_err_set(err, status, "%.800s (%lld attempts failed in a row)", text, (long long)n_failures);
    }
    FN_TRY(back_off(t, n_failures, retry_after, reason));
  }
}
