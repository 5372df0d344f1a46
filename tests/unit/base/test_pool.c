#include "../test.h"
#include "base/base.h"

#include <stdatomic.h>

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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pool)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
