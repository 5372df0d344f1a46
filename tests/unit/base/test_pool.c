#include "../test.h"
#include "base/base.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct job {
  uint64_t out[1000];
  atomic_int counts[1000];
  int n_threads;
  atomic_bool bad_worker;
} job;

static void task(void *arg, size_t i, int worker) {
  job *j = arg;
  fn_rng rng = fn_rng_make(9, i);
  j->out[i] = fn_rng_u64(&rng);
  atomic_fetch_add(&j->counts[i], 1);
  if (worker < 0 || worker >= j->n_threads) atomic_store(&j->bad_worker, true);
}

static void test_pool(void **state) {
  (void)state;
  fn_err err = {0};
  static job reference, jobs;
  reference.n_threads = 1;
  fn_pool_run(NULL, 1000, task, &reference);
  for (int n = 1; n <= 5; n++) {
    fn_pool *pool;
    assert_ok(fn_pool_create(&pool, n, &err));
    assert_int_equal(fn_pool_n_threads(pool), n);
    for (int round = 0; round < 300; round++) {
      memset(&jobs, 0, sizeof jobs);
      jobs.n_threads = n;
      size_t n_tasks = (size_t)(round * 7) % 1001;
      fn_pool_run(pool, n_tasks, task, &jobs);
      for (size_t i = 0; i < 1000; i++) assert_int_equal(atomic_load(&jobs.counts[i]), i < n_tasks ? 1 : 0);
      assert_memory_equal(jobs.out, reference.out, n_tasks * sizeof jobs.out[0]);
      assert_false(atomic_load(&jobs.bad_worker));
    }
    fn_pool_destroy(pool);
  }
  fn_pool *pool;
  assert_status(fn_pool_create(&pool, 0, &err), FN_E_INVALID);
  assert_true(fn_cpu_available() >= 1);
}

/* A child has no workers: it is told so, and destroying the pool there neither hangs nor touches the parent's. */
static void test_fork(void **state) {
  (void)state;
  static job jobs;
  fn_err err = {0};
  fn_pool *pool, *alone;
  assert_ok(fn_pool_create(&pool, 3, &err));
  assert_ok(fn_pool_create(&alone, 1, &err));
  assert_true(fn_pool_is_alive(pool) && fn_pool_is_alive(alone) && fn_pool_is_alive(NULL));
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    bool right = !fn_pool_is_alive(pool) && fn_pool_is_alive(alone);
    fn_pool_destroy(pool);
    fn_pool_destroy(alone);
    _exit(right ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  jobs.n_threads = 3;
  fn_pool_run(pool, 1000, task, &jobs);
  for (size_t i = 0; i < 1000; i++) assert_int_equal(atomic_load(&jobs.counts[i]), 1);
  fn_pool_destroy(pool);
  fn_pool_destroy(alone);
}

static pthread_t main_thread;
static atomic_int n_signals, n_elsewhere;

static void on_signal(int n) {
  (void)n;
  atomic_fetch_add(pthread_equal(pthread_self(), main_thread) ? &n_signals : &n_elsewhere, 1);
}

static void send_signal(void *arg, size_t i, int worker) {
  (void)arg;
  (void)i;
  (void)worker;
  kill(getpid(), SIGUSR1);
}

/* Handlers never run on a worker, and the caller's own mask is as it was. */
static void test_signals(void **state) {
  (void)state;
  fn_err err = {0};
  struct sigaction action = {.sa_handler = on_signal}, before;
  sigset_t mask;
  main_thread = pthread_self();
  assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
  fn_pool *pool;
  assert_ok(fn_pool_create(&pool, 4, &err));
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  assert_false(sigismember(&mask, SIGUSR1));
  fn_pool_run(pool, 500, send_signal, NULL);
  fn_pool_destroy(pool);
  assert_true(atomic_load(&n_signals) > 0);
  assert_int_equal(atomic_load(&n_elsewhere), 0);
  sigaction(SIGUSR1, &before, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pool), cmocka_unit_test(test_fork),
                                     cmocka_unit_test(test_signals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
