#define _GNU_SOURCE /* sched_getaffinity */
#include "base/pool.h"

#include "base/thread.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Spins before sleeping: a training step has hundreds of short jobs back to back, and a futex wake costs tens of
 * microseconds. About 50 us of pauses. */
#define SPIN_ROUNDS 4000

struct fn_pool {
  int n_threads, n_started;
  pid_t pid; /* of the process that has the threads */
  pthread_t *threads;
  pthread_mutex_t mutex;
  pthread_cond_t wake, finished;
  atomic_uint generation; /* counts jobs; a worker runs each once */
  atomic_int n_busy;      /* workers that have not finished the job */
  atomic_bool stop;
  atomic_int next_worker;
  /* The job: written before `generation` moves, read after. */
  fn_task task;
  void *arg;
  size_t n_tasks;
  atomic_size_t next_task;
};

static inline void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void run_tasks(fn_pool *pool, int worker) {
  for (;;) {
    size_t i = atomic_fetch_add_explicit(&pool->next_task, 1, memory_order_relaxed);
    if (i >= pool->n_tasks) return;
    pool->task(pool->arg, i, worker);
  }
}

static unsigned wait_for_job(fn_pool *pool, unsigned seen) {
  for (int i = 0; i < SPIN_ROUNDS; i++) {
    unsigned now = atomic_load_explicit(&pool->generation, memory_order_acquire);
    if (now != seen) return now;
    pause_cpu();
  }
  pthread_mutex_lock(&pool->mutex);
  unsigned now;
  while ((now = atomic_load_explicit(&pool->generation, memory_order_acquire)) == seen)
    pthread_cond_wait(&pool->wake, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
  return now;
}

static void *worker_main(void *arg) {
  fn_pool *pool = arg;
  int worker = atomic_fetch_add(&pool->next_worker, 1);
  unsigned seen = 0;
  for (;;) {
    seen = wait_for_job(pool, seen);
    if (atomic_load(&pool->stop)) return NULL;
    run_tasks(pool, worker);
    if (atomic_fetch_sub_explicit(&pool->n_busy, 1, memory_order_acq_rel) == 1) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->finished);
      pthread_mutex_unlock(&pool->mutex);
    }
  }
}

fn_status fn_pool_create(fn_pool **pool_out, int n_threads, fn_err *err) {
  if (n_threads < 1 || n_threads > 1024)
    return fn_err_set(err, FN_E_INVALID, "number of threads must be 1 to 1024, not %d", n_threads);
  fn_pool *pool = fn_mem_calloc(1, sizeof *pool);
  if (!pool) return fn_err_no_memory(err, "worker threads");
  pool->n_threads = n_threads;
  pool->pid = getpid();
  atomic_store(&pool->next_worker, 1);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->finished, NULL);
  pool->threads = fn_mem_calloc((size_t)n_threads, sizeof *pool->threads);
  if (!pool->threads) {
    fn_pool_destroy(pool);
    return fn_err_no_memory(err, "worker threads");
  }
  sigset_t before;
  int r = 0;
  fn_thread_block_signals(&before);
  for (int i = 0; i < n_threads - 1 && r == 0; i++) {
    r = pthread_create(&pool->threads[i], NULL, worker_main, pool);
    if (r == 0) pool->n_started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (r != 0) {
    int which = pool->n_started + 1;
    fn_pool_destroy(pool);
    return fn_err_errno(err, r, "cannot start worker thread %d of %d", which, n_threads - 1);
  }
  *pool_out = pool;
  return FN_OK;
}

static void publish(fn_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
}

void fn_pool_destroy(fn_pool *pool) {
  if (!pool) return;
  if (fn_pool_is_alive(pool)) {
    atomic_store(&pool->stop, true);
    publish(pool);
    for (int i = 0; i < pool->n_started; i++) pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
  }
  free(pool->threads);
  free(pool);
}

bool fn_pool_is_alive(const fn_pool *pool) {
  return !pool || pool->n_started == 0 || pool->pid == getpid();
}

int fn_pool_n_threads(const fn_pool *pool) {
  return pool ? pool->n_threads : 1;
}

void fn_pool_run(fn_pool *pool, size_t n_tasks, fn_task task, void *arg) {
  if (!pool || pool->n_threads == 1 || n_tasks <= 1) {
    for (size_t i = 0; i < n_tasks; i++) task(arg, i, 0);
    return;
  }
  pool->task = task;
  pool->arg = arg;
  pool->n_tasks = n_tasks;
  atomic_store_explicit(&pool->next_task, 0, memory_order_relaxed);
  atomic_store_explicit(&pool->n_busy, pool->n_threads - 1, memory_order_relaxed);
  publish(pool);
  run_tasks(pool, 0);
  for (int i = 0; i < SPIN_ROUNDS; i++) {
    if (atomic_load_explicit(&pool->n_busy, memory_order_acquire) == 0) return;
    pause_cpu();
  }
  pthread_mutex_lock(&pool->mutex);
  while (atomic_load_explicit(&pool->n_busy, memory_order_acquire) != 0)
    pthread_cond_wait(&pool->finished, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

/* CPU quota of this process's cgroup in processors; INFINITY when there is none. */
static double cgroup_quota(void) {
  double quota = -1, period = 100000;
  FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (f) {
    if (fscanf(f, "%lf %lf", &quota, &period) < 1) quota = -1; /* "max 100000" */
    fclose(f);
  } else {
    f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re");
    if (f) {
      if (fscanf(f, "%lf", &quota) != 1) quota = -1;
      fclose(f);
      f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");
      if (f) {
        if (fscanf(f, "%lf", &period) != 1) period = 100000;
        fclose(f);
      }
    }
  }
  return quota > 0 && period > 0 ? quota / period : (double)INFINITY;
}

int fn_cpu_available(void) {
  cpu_set_t set;
  int n = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
  double quota = ceil(cgroup_quota());
  if (quota < n) n = (int)quota;
  return n < 1 ? 1 : n;
}
