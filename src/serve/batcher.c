#include "serve/batcher.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Articles of one batch; more gain nothing. */
enum { MAX_BATCH = 64 };

typedef struct worker {
  fn_batcher *batcher;
  size_t index;
  pthread_t thread;
} worker;

struct fn_batcher {
  fn_batcher_options options;
  worker *workers;
  size_t n_started;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  bool refuses, stops;
  fn_job *head, **tail;
  size_t n_idle;
  fn_batcher_stats stats;
};

/* One article of a batch. */
typedef struct item {
  fn_job *job;
  size_t index;
} item;

typedef struct batch {
  item items[MAX_BATCH];
  fn_article articles[MAX_BATCH];
  fn_prediction predictions[MAX_BATCH];
  size_t n;
} batch;

/* What an article costs, before anybody has looked at its words: English has about four bytes a token, and an encoder
 * stops at its limit. */
static size_t estimate(const fn_job *job, size_t i) {
  const fn_article *a = &job->articles[i];
  size_t tokens = (a->title.length + a->text.length) / 4 + 3;
  const int32_t limit = fn_session_max_tokens(fn_engine_session(job->engine, 0));
  if (limit > 0 && tokens > (size_t)limit) tokens = (size_t)limit;
  if (job->explanations != NULL) tokens *= (size_t)job->explain.max_forwards;
  return tokens;
}

static size_t estimate_all(const fn_job *job) {
  size_t sum = 0;
  for (size_t i = 0; i < job->n; i++) sum += estimate(job, i);
  return sum;
}

void fn_job_deinit(fn_job *job) {
  for (size_t i = 0; job->kept != NULL && i < job->n; i++) free(job->kept[i]);
  free(job->kept);
  for (size_t i = 0; job->explanations != NULL && i < job->n; i++) fn_explanation_deinit(&job->explanations[i]);
  fn_engine_unref(job->engine);
  *job = (fn_job){0};
}

/* ---- queue; all with the lock held */

static void pop(fn_batcher *b) {
  b->head = b->head->next;
  if (b->head == NULL) b->tail = &b->head;
}

/* Takes a worker's share of what waits. A job that is explained goes alone: it is a batch in itself. */
static void take(batch *out, fn_batcher *b) {
  const size_t n_sharing = b->n_idle + 1;
  size_t budget = (b->stats.waiting_tokens + n_sharing - 1) / n_sharing;
  if (budget > b->options.batch_tokens) budget = b->options.batch_tokens;
  const fn_engine *engine = b->head->engine;
  size_t used = 0;
  out->n = 0;
  while (b->head != NULL && b->head->engine == engine && out->n < MAX_BATCH) {
    fn_job *job = b->head;
    const size_t tokens = estimate(job, job->n_taken);
    const bool alone = job->explanations != NULL;
    if (out->n > 0 && (alone || used + tokens > budget)) break;
    used += tokens;
    out->items[out->n++] = (item){job, job->n_taken++};
    if (job->n_taken == job->n) pop(b);
    if (alone) break;
  }
  b->stats.waiting_tokens -= used < b->stats.waiting_tokens ? used : b->stats.waiting_tokens;
  b->stats.waiting_articles -= out->n;
}

/* ---- work; without the lock */

/* What belongs to the session until its next call, copied into one block of the job's. */
static bool keep(fn_job *job, size_t i, fn_prediction *p, size_t n_embedding) {
  const size_t n = p->window_logits != NULL ? (size_t)p->n_windows : 0, c = p->embedding != NULL ? n_embedding : 0;
  if (n == 0 && c == 0) return true;
  char *block = malloc(n * (sizeof(double) + sizeof(fn_span)) + c * sizeof(float));
  if (block == NULL) return false;
  job->kept[i] = block;
  double *logits = (double *)(void *)block;
  fn_span *spans = (fn_span *)(void *)(logits + n);
  float *embedding = (float *)(void *)(spans + n);
  if (n > 0) {
    memcpy(logits, p->window_logits, n * sizeof *logits);
    memcpy(spans, p->window_spans, n * sizeof *spans);
    p->window_logits = logits;
    p->window_spans = spans;
  }
  if (c > 0) {
    memcpy(embedding, p->embedding, c * sizeof *embedding);
    p->embedding = embedding;
  }
  return true;
}

/* Leaves out what nobody waits for; the others move up. A job is asked about once a batch. */
static void drop(fn_batcher *b, batch *x) {
  const uint64_t now = fn_clock_ns();
  size_t n = 0;
  for (size_t i = 0; i < x->n; i++) {
    fn_job *job = x->items[i].job;
    fn_status status = FN_OK;
    if (x->items[i].index == 0) job->started_ns = now;
    if (i == 0 || x->items[i - 1].job != job) {
      if (job->deadline_ns != 0 && now > job->deadline_ns)
        status = FN_E_LIMIT;
      else if (job->is_gone != NULL && job->is_gone(job->arg))
        status = FN_E_CANCELLED;
    }
    pthread_mutex_lock(&b->lock);
    if (status != FN_OK) job->status = status;
    const bool lives = job->status == FN_OK;
    pthread_mutex_unlock(&b->lock);
    if (!lives) continue;
    x->items[n] = x->items[i];
    x->articles[n++] = job->articles[x->items[i].index];
  }
  x->n = n;
}

static fn_status explain(batch *x, fn_session *session, fn_err *err) {
  fn_job *job = x->items[0].job;
  fn_explanation *e = &job->explanations[x->items[0].index];
  FN_TRY(fn_explain(e, session, &x->articles[0], &job->explain, err));
  return fn_session_classify(x->predictions, session, x->articles, 1, err);
}

static fn_status classify(batch *x, size_t index, fn_err *err) {
  if (x->n == 0) return FN_OK;
  fn_session *session = fn_engine_session(x->items[0].job->engine, index);
  if (x->items[0].job->explanations != NULL) {
    FN_TRY(explain(x, session, err));
  } else {
    FN_TRY(fn_session_classify(x->predictions, session, x->articles, x->n, err));
  }
  for (size_t i = 0; i < x->n; i++) {
    fn_job *job = x->items[i].job;
    if (!keep(job, x->items[i].index, &x->predictions[i], fn_session_embedding_size(session)))
      return fn_err_no_memory(err, "an answer");
    job->predictions[x->items[i].index] = x->predictions[i];
  }
  return FN_OK;
}

static void count(fn_batcher *b, const batch *x, uint64_t took_ns) {
  fn_batcher_stats *s = &b->stats;
  int64_t tokens = 0;
  for (size_t i = 0; i < x->n; i++) tokens += x->predictions[i].n_tokens;
  s->n_batches++;
  s->n_articles += x->n;
  s->n_tokens += (uint64_t)tokens;
  s->busy_ns += took_ns;
  const double rate = (double)tokens / ((double)took_ns * 1e-9 + 1e-9) * (double)b->options.n_workers;
  s->tokens_per_second = s->tokens_per_second > 0.0 ? 0.9 * s->tokens_per_second + 0.1 * rate : rate;
}

/* Counts articles off their jobs and tells those that are whole. taken: what the batch was before drop. */
static void finish(fn_batcher *b, const item *taken, size_t n_taken, const batch *x, uint64_t begin_ns,
                   fn_status status, const fn_err *err) {
  fn_job *ready[MAX_BATCH];
  size_t n_ready = 0;
  const uint64_t now = fn_clock_ns();
  pthread_mutex_lock(&b->lock);
  if (x->n > 0 && status == FN_OK) count(b, x, now - begin_ns);
  for (size_t i = 0; i < x->n && status != FN_OK; i++) {
    x->items[i].job->status = status;
    x->items[i].job->err = *err;
  }
  for (size_t i = 0; i < n_taken; i++) {
    fn_job *job = taken[i].job;
    if (--job->n_left > 0) continue;
    b->stats.n_gone += job->status == FN_E_CANCELLED;
    b->stats.n_late += job->status == FN_E_LIMIT;
    job->finished_ns = now;
    ready[n_ready++] = job;
  }
  pthread_mutex_unlock(&b->lock);
  for (size_t i = 0; i < n_ready; i++) ready[i]->done(ready[i]->arg);
}

static void *work(void *arg) {
  worker *w = arg;
  fn_batcher *b = w->batcher;
  batch *x = fn_mem_calloc(1, sizeof *x);
  item taken[MAX_BATCH];
  pthread_mutex_lock(&b->lock);
  while (x != NULL) {
    while (b->head == NULL && !b->stops) {
      b->n_idle++;
      pthread_cond_wait(&b->wake, &b->lock);
      b->n_idle--;
    }
    if (b->stops) break;
    take(x, b);
    if (b->head != NULL && b->n_idle > 0) pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
    const size_t n_taken = x->n;
    memcpy(taken, x->items, n_taken * sizeof *taken);
    const uint64_t begin = fn_clock_ns();
    fn_err err = {0};
    drop(b, x);
    const fn_status status = classify(x, w->index, &err);
    finish(b, taken, n_taken, x, begin, status, &err);
    pthread_mutex_lock(&b->lock);
  }
  pthread_mutex_unlock(&b->lock);
  free(x);
  return NULL;
}

fn_status fn_batcher_create(fn_batcher **batcher_out, const fn_batcher_options *options, fn_err *err) {
  fn_batcher *b = fn_mem_calloc(1, sizeof *b);
  if (b == NULL) return fn_err_no_memory(err, "a queue");
  b->options = *options;
  b->tail = &b->head;
  b->workers = fn_mem_calloc(options->n_workers, sizeof *b->workers);
  pthread_mutex_init(&b->lock, NULL);
  pthread_cond_init(&b->wake, NULL);
  fn_status status = b->workers != NULL ? FN_OK : fn_err_no_memory(err, "workers");
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  while (status == FN_OK && b->n_started < options->n_workers) {
    worker *w = &b->workers[b->n_started];
    *w = (worker){.batcher = b, .index = b->n_started};
    if (pthread_create(&w->thread, NULL, work, w) != 0)
      status = fn_err_set(err, FN_E_NO_MEMORY, "a worker thread cannot be started");
    else
      b->n_started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status != FN_OK) {
    fn_batcher_destroy(b);
    return status;
  }
  *batcher_out = b;
  return FN_OK;
}

/* A job that a worker has begun is marked, so that its articles that are not computed yet are left out; the worker
 * tells it. The others are told here. */
void fn_batcher_cancel(fn_batcher *b) {
  fn_job *untouched = NULL, **tail = &untouched;
  pthread_mutex_lock(&b->lock);
  b->refuses = true;
  while (b->head != NULL) {
    fn_job *job = b->head;
    pop(b);
    job->status = FN_E_CANCELLED;
    job->n_left -= job->n - job->n_taken;
    job->n_taken = job->n;
    if (job->n_left > 0) continue;
    job->next = NULL;
    *tail = job;
    tail = &job->next;
  }
  b->stats.waiting_tokens = b->stats.waiting_articles = 0;
  pthread_mutex_unlock(&b->lock);
  while (untouched != NULL) {
    fn_job *job = untouched;
    untouched = job->next;
    job->done(job->arg);
  }
}

void fn_batcher_destroy(fn_batcher *b) {
  if (b == NULL) return;
  pthread_mutex_lock(&b->lock);
  b->stops = true;
  pthread_cond_broadcast(&b->wake);
  pthread_mutex_unlock(&b->lock);
  for (size_t i = 0; i < b->n_started; i++) pthread_join(b->workers[i].thread, NULL);
  while (b->head != NULL) {
    fn_job *job = b->head;
    pop(b);
    job->status = FN_E_CANCELLED;
    job->done(job->arg);
  }
  pthread_cond_destroy(&b->wake);
  pthread_mutex_destroy(&b->lock);
  free(b->workers);
  free(b);
}

fn_status fn_batcher_submit(fn_batcher *b, fn_job *job, unsigned *retry_after_s_out, fn_err *err) {
  const size_t tokens = estimate_all(job);
  job->kept = fn_mem_calloc(job->n, sizeof(void *));
  if (job->kept == NULL) return fn_err_no_memory(err, "answers");
  job->queued_ns = fn_clock_ns();
  job->n_left = job->n;
  job->n_taken = 0;
  job->next = NULL;
  pthread_mutex_lock(&b->lock);
  fn_batcher_stats *s = &b->stats;
  /* An empty queue takes whatever comes, or a large request could never be answered. */
  const bool refuses = b->refuses || b->stops;
  const bool full = !refuses && b->head != NULL && s->waiting_tokens + tokens > b->options.queue_tokens;
  if (full) {
    s->n_full++;
    const double seconds = s->tokens_per_second > 0.0 ? (double)s->waiting_tokens / s->tokens_per_second : 1.0;
    *retry_after_s_out = seconds < 1.0 ? 1 : seconds > 60.0 ? 60 : (unsigned)ceil(seconds);
  } else if (!refuses) {
    *b->tail = job;
    b->tail = &job->next;
    s->waiting_tokens += tokens;
    s->waiting_articles += job->n;
    pthread_cond_signal(&b->wake);
  }
  pthread_mutex_unlock(&b->lock);
  if (refuses) return fn_err_set(err, FN_E_CANCELLED, "the server is ending");
  if (full) return fn_err_set(err, FN_E_LIMIT, "too many articles wait already; try again later");
  return FN_OK;
}

void fn_batcher_get_stats(fn_batcher_stats *stats_out, fn_batcher *b) {
  pthread_mutex_lock(&b->lock);
  *stats_out = b->stats;
  pthread_mutex_unlock(&b->lock);
}
