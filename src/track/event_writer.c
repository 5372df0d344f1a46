#include "track/event_writer.h"

#include <stdlib.h>

typedef struct writer {
  fn_tracking *tracking;
  const char *id; /* of the run */
} writer;

bool fn_event_may_pass(fn_status status) {
  return status == FN_E_IO || status == FN_E_NO_MEMORY;
}

fn_status fn_event_put_up_with(fn_status status, fn_status *first, fn_err *why, const fn_err *met) {
  if (status == FN_OK) return FN_OK;
  if (*first == FN_OK) *first = status, *why = *met;
  return fn_event_may_pass(status) ? status : FN_OK;
}

/* Events of one kind, gathered until they are written together. */
typedef struct gathering {
  fn_track_pair *params, *tags;
  fn_metric_point *points;
  size_t n_params, n_tags, n_points;
} gathering;

typedef fn_status (*pair_writer)(fn_tracking *tracking, const char *id, const fn_track_pair *pairs, size_t n,
                                 fn_err *err);

/* Together, or where one of them is refused one by one. Written twice they are the same. */
static fn_status write_pairs(const writer *s, pair_writer write, const fn_track_pair *pairs, size_t *n, fn_err *err) {
  fn_status status = *n ? write(s->tracking, s->id, pairs, *n, err) : FN_OK;
  if (status != FN_OK && !fn_event_may_pass(status) && *n > 1) {
    fn_status first = FN_OK;
    fn_err why = {0}, met = {0};
    for (size_t i = 0; i < *n; i++)
      if (fn_event_put_up_with(write(s->tracking, s->id, &pairs[i], 1, &met), &first, &why, &met) != FN_OK) break;
    status = first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
  }
  if (!fn_event_may_pass(status)) *n = 0;
  return status;
}

static fn_status write_points(const writer *s, const fn_metric_point *points, size_t *n, fn_err *err) {
  fn_status status = *n ? fn_tracking_log_metrics(s->tracking, s->id, points, *n, err) : FN_OK;
  if (status != FN_OK && !fn_event_may_pass(status) && *n > 1) {
    fn_status first = FN_OK;
    fn_err why = {0}, met = {0};
    for (size_t i = 0; i < *n; i++)
      if (fn_event_put_up_with(fn_tracking_log_metrics(s->tracking, s->id, &points[i], 1, &met), &first, &why, &met) !=
          FN_OK)
        break;
    status = first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
  }
  if (!fn_event_may_pass(status)) *n = 0;
  return status;
}

/* A failure that passes ends it: all of it comes again then. */
static fn_status write_gathered(const writer *s, gathering *g, fn_err *err) {
  fn_status first = FN_OK;
  fn_err why = {0}, met = {0};
  fn_status status =
      fn_event_put_up_with(write_pairs(s, fn_tracking_log_params, g->params, &g->n_params, &met), &first, &why, &met);
  if (status == FN_OK)
    status = fn_event_put_up_with(write_pairs(s, fn_tracking_set_tags, g->tags, &g->n_tags, &met), &first, &why, &met);
  if (status == FN_OK)
    status = fn_event_put_up_with(write_points(s, g->points, &g->n_points, &met), &first, &why, &met);
  if (status != FN_OK) return fn_err_set(err, status, "%s", met.message);
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}

static fn_status write_status(const writer *s, const fn_track_event *e, fn_err *err) {
  return e->status == FN_RUN_RUNNING ? FN_OK : fn_tracking_run_end(s->tracking, s->id, e->status, e->time_ms, err);
}

static void gather(gathering *g, const fn_track_event *e) {
  const fn_track_pair pair = {e->key, e->value};
  if (e->kind == FN_TRACK_PARAM) g->params[g->n_params++] = pair;
  if (e->kind == FN_TRACK_TAG) g->tags[g->n_tags++] = pair;
  if (e->kind == FN_TRACK_METRIC) g->points[g->n_points++] = (fn_metric_point){e->key, e->number, e->step, e->time_ms};
}

/* Writes events up to the first that cannot be written now; *n_done of them need not come again. */
static fn_status write_events(size_t *n_done, const writer *s, const fn_track_event *events, size_t n, gathering *g,
                              fn_err *err) {
  fn_status first = FN_OK;
  fn_err why = {0}, met = {0};
  *n_done = 0;
  for (size_t i = 0; i <= n; i++) {
    if (i < n && events[i].kind != FN_TRACK_STATUS) {
      gather(g, &events[i]);
      continue;
    }
    if (fn_event_put_up_with(write_gathered(s, g, &met), &first, &why, &met) != FN_OK) break;
    g->n_params = g->n_tags = g->n_points = 0;
    *n_done = i;
    if (i == n) break;
    if (fn_event_put_up_with(write_status(s, &events[i], &met), &first, &why, &met) != FN_OK) break;
    *n_done = i + 1;
  }
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}

fn_status fn_event_write(size_t *n_done, fn_tracking *tracking, const char *run_id, const fn_track_event *events,
                         size_t n, fn_err *err) {
  const writer s = {tracking, run_id};
  gathering g = {.params = fn_mem_alloc(n, sizeof *g.params),
                 .tags = fn_mem_alloc(n, sizeof *g.tags),
                 .points = fn_mem_alloc(n, sizeof *g.points)};
  *n_done = 0;
  const fn_status status = g.params && g.tags && g.points ? write_events(n_done, &s, events, n, &g, err)
                                                          : fn_err_no_memory(err, "events of the run");
  free(g.params);
  free(g.tags);
  free(g.points);
  return status;
}

/* ---- from a journal ---- */

enum { MAX_LINES = 4000 };

/* Lines of the journal as events. */
typedef struct batch {
  fn_buf lines;
  fn_track_event events[MAX_LINES];
  size_t ends[MAX_LINES]; /* bytes of lines up to each event's, with it */
  size_t n_lines[MAX_LINES];
  json_t *owners[MAX_LINES];
  size_t n, n_bytes, n_all; /* events; bytes and lines of all */
} batch;

static void clear(batch *b) {
  for (size_t i = 0; i < b->n; i++) json_decref(b->owners[i]);
  b->n = b->n_bytes = b->n_all = 0;
}

/* A line that is no event is left out. */
static fn_status load(batch *b, fn_journal *journal, fn_err *err) {
  FN_TRY(fn_journal_read(&b->lines, journal, MAX_LINES, err));
  while (b->n_bytes < b->lines.length) {
    const char *line = b->lines.data + b->n_bytes, *end = memchr(line, '\n', b->lines.length - b->n_bytes);
    const size_t length = end ? (size_t)(end - line) : b->lines.length - b->n_bytes;
    b->n_bytes += length + (end != NULL);
    b->n_all++;
    if (fn_journal_parse(&b->events[b->n], &b->owners[b->n], fn_str_make(line, length), NULL) != FN_OK) continue;
    b->ends[b->n] = b->n_bytes;
    b->n_lines[b->n] = b->n_all;
    b->n++;
  }
  return FN_OK;
}

static fn_status resume(fn_tracking *tracking, const fn_run_info *run, int64_t step, fn_err *err) {
  FN_TRY(fn_tracking_run_begin(tracking, run, err));
  return fn_tracking_cut_metrics(tracking, run->id, step, err);
}

/* Events between two resumes, then the resume. */
static fn_status write_stretches(size_t *n_done, const batch *b, fn_tracking *tracking, const fn_run_info *run,
                                 fn_err *err) {
  fn_status first = FN_OK;
  fn_err why = {0}, met = {0};
  for (size_t from = 0; from < b->n;) {
    size_t to = from, n = 0;
    while (to < b->n && b->events[to].kind != FN_TRACK_RESUME) to++;
    const fn_status wrote = fn_event_write(&n, tracking, run->id, b->events + from, to - from, &met);
    *n_done = from + n;
    if (fn_event_put_up_with(wrote, &first, &why, &met) != FN_OK || from + n < to) break;
    from = to;
    if (to == b->n) break;
    if (fn_event_put_up_with(resume(tracking, run, b->events[to].step, &met), &first, &why, &met) != FN_OK) break;
    *n_done = ++from;
  }
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}

static fn_status replay_batch(uint64_t *n_written, batch *b, fn_tracking *tracking, const fn_run_info *run,
                              fn_journal *journal, fn_err *err) {
  size_t n_done = 0;
  const fn_status status = write_stretches(&n_done, b, tracking, run, err);
  const bool all = n_done == b->n;
  *n_written += n_done;
  if (all) FN_TRY(fn_journal_advance(journal, b->n_bytes, b->n_all, err));
  if (!all && n_done > 0) FN_TRY(fn_journal_advance(journal, b->ends[n_done - 1], b->n_lines[n_done - 1], err));
  return status;
}

fn_status fn_event_replay(uint64_t *n_written, fn_tracking *tracking, const fn_run_info *run, fn_journal *journal,
                          fn_err *err) {
  fn_status first = FN_OK;
  fn_err why = {0}, met = {0};
  batch *b = fn_mem_calloc(1, sizeof *b);
  if (b == NULL) return fn_err_no_memory(err, "events of the run");
  fn_buf_init(&b->lines, 0);
  while (fn_journal_n_waiting(journal) > 0) {
    fn_status status = load(b, journal, &met);
    if (status == FN_OK && b->n_all == 0) break;
    if (status == FN_OK) status = replay_batch(n_written, b, tracking, run, journal, &met);
    clear(b);
    if (fn_event_put_up_with(status, &first, &why, &met) != FN_OK) break;
  }
  clear(b);
  fn_buf_deinit(&b->lines);
  free(b);
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}
