/* Articles of all requests through the model: a queue in order of arrival, cut into batches by tokens, without any
 * delay. A worker that is free takes its share of what waits, so that a burst is spread over all of them and a single
 * request never waits for company. */
#ifndef FN_SERVE_BATCHER_H
#define FN_SERVE_BATCHER_H

#include "infer/explain.h"
#include "serve/engine.h"

/* Articles of one request. Filled in by the submitter, whose memory it stays; from submit until `done` it belongs to
 * the batcher. Zero-initialise. */
typedef struct fn_job {
  fn_engine *engine; /* a reference of the job's, released by fn_job_deinit */
  const fn_article *articles;
  fn_prediction *predictions;   /* [n] */
  size_t n;                     /* ≥ 1 */
  fn_explanation *explanations; /* [n], zeroed: each article is explained too; or NULL */
  fn_explain_options explain;
  uint64_t deadline_ns;       /* fn_clock_ns at which it is given up; 0: never */
  bool (*is_gone)(void *arg); /* nobody waits for the answer any more; asked before the work begins. May be NULL */
  void (*done)(void *arg);    /* on a worker's thread, exactly once */
  void *arg;
  /* Result: FN_OK; FN_E_CANCELLED: nobody waited; FN_E_LIMIT: the deadline passed; else why it failed. */
  fn_status status;
  fn_err err;
  uint64_t queued_ns, started_ns, finished_ns;
  size_t n_tokens; /* sum over its predictions */
  /* the batcher's */
  struct fn_job *next;
  size_t n_taken, n_left;
  void **kept; /* [n] copies of windows and embeddings that predictions point to */
} fn_job;
/* What the batcher made of it: copies of windows and embeddings, explanations, the engine's reference. */
void fn_job_deinit(fn_job *job);

typedef struct fn_batcher fn_batcher;

typedef struct fn_batcher_options {
  size_t n_workers;    /* [1,256] */
  size_t batch_tokens; /* of one batch, as infer.batch_tokens */
  size_t queue_tokens; /* that may wait */
} fn_batcher_options;

typedef struct fn_batcher_stats {
  size_t waiting_articles, waiting_tokens; /* now; tokens are estimated from bytes */
  uint64_t n_batches, n_articles, n_tokens, n_full, n_gone, n_late;
  uint64_t busy_ns;         /* workers' time, in sum */
  double tokens_per_second; /* of late, all workers; 0: not known yet */
} fn_batcher_stats;

FN_NODISCARD fn_status fn_batcher_create(fn_batcher **batcher_out, const fn_batcher_options *options, fn_err *err);
/* From now on no job is taken, and what no worker has begun is done with FN_E_CANCELLED. */
void fn_batcher_cancel(fn_batcher *batcher);
/* Ends the workers; jobs that wait are done with FN_E_CANCELLED. */
void fn_batcher_destroy(fn_batcher *batcher);
/* FN_E_LIMIT: too much waits already; *retry_after_s_out says when to try again. FN_E_CANCELLED: it
 * ends. Nothing happened to the job then. */
FN_NODISCARD fn_status fn_batcher_submit(fn_batcher *batcher, fn_job *job, unsigned *retry_after_s_out, fn_err *err);
void fn_batcher_get_stats(fn_batcher_stats *stats_out, fn_batcher *batcher);

#endif
