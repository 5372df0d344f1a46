/* A run in progress and where it is told: the tracker takes events from the thread that trains, never makes it wait,
 * and hands them in batches to its sinks on a thread of its own. What a sink does not take at once is its own affair:
 * it keeps (a spool on disk) or refuses (an event of the tracker says so once); training goes on. */
#ifndef FN_TRACK_TRACKER_H
#define FN_TRACK_TRACKER_H

#include "track/tracking.h"

typedef enum fn_track_event_kind {
  FN_TRACK_PARAM,    /* key, value */
  FN_TRACK_TAG,      /* key, value */
  FN_TRACK_METRIC,   /* key, number, step, time_ms */
  FN_TRACK_ARTIFACT, /* key = path inside the run ("config.yaml", "model/config.json"), value = file on disk, whole and
                      * unchanged from now on */
  FN_TRACK_STATUS,   /* status, time_ms: the run goes on (RUNNING) or has ended; the last event */
  FN_TRACK_MODEL,    /* key = name, value = file on disk: the files beside it are a model; in journals alone */
  FN_TRACK_RESUME,   /* step, time_ms: the run goes on from here, later steps are of the past; in journals alone */
} fn_track_event_kind;

typedef struct fn_track_event {
  fn_track_event_kind kind;
  const char *key, *value;
  double number;
  int64_t step, time_ms;
  fn_run_status status;
} fn_track_event;

/* One place that a run is told to. Its functions but hurry are called on the tracker's thread alone, in order. */
typedef struct fn_sink {
  const char *name; /* "local", "mlflow", "wandb" */
  void *self;
  /* Takes n events; n = 0 comes every 20 s when there is nothing to tell. Must not wait for a network. A failure is
   * told once and the sink goes on being asked. */
  fn_status (*log)(void *self, const fn_track_event *events, size_t n, fn_err *err);
  /* After the last event: may wait until the deadline (fn_clock_ns) for what is on its way. The message of a failure
   * says what is missing and how it is brought there later. */
  fn_status (*close)(void *self, uint64_t deadline_ns, fn_err *err);
  void (*destroy)(void *self);
  /* May be NULL. The run has ended, and the deadline of `close` is known: what is in progress goes on no longer than
   * it. On the thread that ends the run, while `log` may run. */
  void (*hurry)(void *self, uint64_t deadline_ns);
} fn_sink;

typedef struct fn_tracker fn_tracker;

typedef struct fn_tracker_options {
  const fn_run_info *run; /* id, name, start_ms … as all sinks name it */
  const fn_sink *sinks;   /* [n_sinks], at most 8; owned by the tracker once it is made */
  size_t n_sinks;
  int64_t flush_ms;        /* events wait this long at most until the sinks get them */
  size_t max_queued_bytes; /* beyond it metrics are dropped and counted; everything else is kept */
  bool system_metrics;     /* CPU, memory (and GPU where there is one) every system_interval_ms */
  int64_t system_interval_ms;
  /* A remark for people: a sink that failed, metrics that were dropped. On the tracker's thread. */
  void (*note)(void *arg, const char *sink, const char *text);
  void *note_arg;
} fn_tracker_options;

/* Takes over the sinks, also on failure. */
FN_NODISCARD fn_status fn_tracker_create(fn_tracker **tracker_out, const fn_tracker_options *options, fn_err *err);
/* Copies the event and returns at once. Any thread. Memory short: counted as dropped. */
void fn_tracker_log(fn_tracker *tracker, const fn_track_event *event);
/* The time for an event of now, Unix milliseconds: of a clock set at the start of the run, or of this part of it, so
 * that setting the machine's clock turns no events around and makes no run end before it began. Any thread. */
int64_t fn_tracker_now_ms(const fn_tracker *tracker);
/* Hands what was logged so far to the sinks now, and waits for that, timeout_ms at most. Any thread. */
void fn_tracker_flush(fn_tracker *tracker, int64_t timeout_ms);
/* Logs the status as the last event, closes every sink within timeout_ms, and releases the tracker. Failures come as
 * notes. */
void fn_tracker_finish(fn_tracker *tracker, fn_run_status status, int64_t timeout_ms);

#endif
