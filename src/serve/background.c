#include "serve/background.h"

#include <pthread.h>
#include <signal.h>

typedef struct entry {
  fn_exchange *exchange;
  void (*work)(fn_exchange *exchange);
} entry;

struct fn_background {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  entry *ring; /* [capacity] */
  size_t capacity, begin, n;
  bool stops;
  pthread_t *threads;
  size_t n_started;
};

static void *run(void *arg) {
  fn_background *b = arg;
  pthread_mutex_lock(&b->lock);
  for (;;) {
    while (b->n == 0 && !b->stops) pthread_cond_wait(&b->wake, &b->lock);
    if (b->n == 0) break;
    const entry e = b->ring[b->begin];
    b->begin = (b->begin + 1) % b->capacity;
    b->n--;
    pthread_mutex_unlock(&b->lock);
    e.work(e.exchange);
    e.exchange->complete(e.exchange);
    pthread_mutex_lock(&b->lock);
  }
  pthread_mutex_unlock(&b->lock);
  return NULL;
}

fn_status fn_background_create(fn_background **background_out, size_t n_threads, size_t max_waiting, fn_err *err) {
  fn_background *b = fn_mem_calloc(1, sizeof *b);
  if (b == NULL) return fn_err_no_memory(err, "threads");
  pthread_mutex_init(&b->lock, NULL);
  pthread_cond_init(&b->wake, NULL);
  b->capacity = max_waiting;
  b->ring = fn_mem_calloc(max_waiting, sizeof *b->ring);
  b->threads = fn_mem_calloc(n_threads, sizeof *b->threads);
  fn_status status = b->ring != NULL && b->threads != NULL ? FN_OK : fn_err_no_memory(err, "threads");
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  for (; status == FN_OK && b->n_started < n_threads; b->n_started++) {
    if (pthread_create(&b->threads[b->n_started], NULL, run, b) != 0) {
      status = fn_err_set(err, FN_E_NO_MEMORY, "a thread cannot be started");
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status != FN_OK) {
    fn_background_destroy(b);
    return status;
  }
  *background_out = b;
  return FN_OK;
}

void fn_background_destroy(fn_background *b) {
  if (b == NULL) return;
  pthread_mutex_lock(&b->lock);
  b->stops = true;
  pthread_cond_broadcast(&b->wake);
  pthread_mutex_unlock(&b->lock);
  for (size_t i = 0; i < b->n_started; i++) pthread_join(b->threads[i], NULL);
  pthread_cond_destroy(&b->wake);
  pthread_mutex_destroy(&b->lock);
  free(b->threads);
  free(b->ring);
  free(b);
}

fn_progress fn_exchange_work(fn_exchange *x, void (*work)(fn_exchange *exchange)) {
  fn_background *b = fn_server_background(x->server);
  pthread_mutex_lock(&b->lock);
  const bool fits = b->n < b->capacity && !b->stops;
  if (fits) {
    b->ring[(b->begin + b->n) % b->capacity] = (entry){x, work};
    b->n++;
    pthread_cond_signal(&b->wake);
  }
  pthread_mutex_unlock(&b->lock);
  if (fits) return FN_EXCHANGE_PENDING;
  fn_response_header(&x->response, "Retry-After", "1");
  return fn_exchange_fail(x, 503, "overloaded", "too many requests wait for the disk already; try again later");
}
