/* The sampler is a pure function of (seed, epoch, step). */
#include "../test.h"
#include "train/sampler.h"

enum { N = 103, BATCH = 10 };

static fn_sampler *make(fn_sampling sampling, uint64_t seed, const uint32_t *groups, size_t n_groups) {
  fn_err err = {0};
  fn_sampler *s = NULL;
  const fn_sampler_options o = {sampling, seed, N, BATCH, groups, n_groups};
  assert_ok(fn_sampler_create(&s, &o, &err));
  return s;
}

static void test_random_draws_every_row_once(void **state) {
  (void)state;
  fn_sampler *s = make(FN_SAMPLING_RANDOM, 1, NULL, 0);
  assert_int_equal(fn_sampler_steps_per_epoch(s), 11);
  for (uint64_t epoch = 0; epoch < 3; epoch++) {
    int seen[N] = {0};
    for (size_t step = 0; step < 11; step++) {
      uint32_t rows[BATCH];
      size_t n = 0;
      fn_sampler_draw(rows, &n, s, epoch, step);
      assert_int_equal(n, step < 10 ? 10 : 3);
      for (size_t i = 0; i < n; i++) seen[rows[i]]++;
    }
    for (size_t i = 0; i < N; i++) assert_int_equal(seen[i], 1);
  }
  fn_sampler_destroy(s);
}

/* Any step, asked for out of order by a fresh sampler, is what a sampler that walked through would have drawn. */
static void check_pure(fn_sampling sampling, const uint32_t *groups, size_t n_groups) {
  fn_sampler *walker = make(sampling, 7, groups, n_groups);
  for (uint64_t epoch = 0; epoch < 4; epoch++)
    for (size_t step = 0; step < 11; step++) {
      uint32_t a[BATCH], b[BATCH];
      size_t n_a = 0, n_b = 0;
      fn_sampler_draw(a, &n_a, walker, epoch, step);
      fn_sampler *fresh = make(sampling, 7, groups, n_groups);
      fn_sampler_draw(b, &n_b, fresh, epoch, step);
      fn_sampler_destroy(fresh);
      assert_int_equal(n_a, n_b);
      assert_memory_equal(a, b, n_a * sizeof *a);
    }
  fn_sampler_destroy(walker);
}

static void fill_groups(uint32_t groups[N]) {
  for (size_t i = 0; i < N; i++) groups[i] = i < 80 ? 0 : i < 100 ? 2 : 3; /* 80, none, 20, 3 rows */
}

static void test_pure(void **state) {
  (void)state;
  uint32_t groups[N];
  fill_groups(groups);
  check_pure(FN_SAMPLING_RANDOM, NULL, 0);
  check_pure(FN_SAMPLING_EVEN, groups, 4);
}

static void test_seed_and_epoch_matter(void **state) {
  (void)state;
  fn_sampler *one = make(FN_SAMPLING_RANDOM, 1, NULL, 0), *two = make(FN_SAMPLING_RANDOM, 2, NULL, 0);
  uint32_t a[BATCH], b[BATCH], c[BATCH];
  size_t n = 0;
  fn_sampler_draw(a, &n, one, 0, 0);
  fn_sampler_draw(b, &n, one, 1, 0);
  fn_sampler_draw(c, &n, two, 0, 0);
  assert_memory_not_equal(a, b, sizeof a);
  assert_memory_not_equal(a, c, sizeof a);
  fn_sampler_destroy(one);
  fn_sampler_destroy(two);
}

static void test_even_gives_groups_equal_turns(void **state) {
  (void)state;
  uint32_t groups[N];
  fill_groups(groups);
  fn_sampler *s = make(FN_SAMPLING_EVEN, 3, groups, 4);
  int by_group[4] = {0}, seen[N] = {0}, total = 0;
  for (uint64_t epoch = 0; epoch < 3; epoch++)
    for (size_t step = 0; step < 11; step++) {
      uint32_t rows[BATCH];
      size_t n = 0;
      fn_sampler_draw(rows, &n, s, epoch, step);
      for (size_t i = 0; i < n; i++, total++) {
        by_group[groups[rows[i]]]++;
        seen[rows[i]]++;
      }
    }
  assert_int_equal(total, 3 * N);
  assert_int_equal(by_group[0], 103); /* 309 draws over three groups that have rows */
  assert_int_equal(by_group[1], 0);
  assert_int_equal(by_group[2], 103);
  assert_int_equal(by_group[3], 103);
  /* Without replacement within a group: counts of its rows differ by one at most. */
  for (size_t i = 0; i < 80; i++) assert_in_range(seen[i], 1, 2);
  for (size_t i = 80; i < 100; i++) assert_in_range(seen[i], 5, 6);
  for (size_t i = 100; i < N; i++) assert_in_range(seen[i], 34, 35);
  fn_sampler_destroy(s);
}

static void test_refusals(void **state) {
  (void)state;
  fn_err err = {0};
  fn_sampler *s = NULL;
  const uint32_t groups[2] = {0, 2};
  assert_status(fn_sampler_create(&s, &(fn_sampler_options){FN_SAMPLING_RANDOM, 0, 0, 4, NULL, 0}, &err), FN_E_INVALID);
  assert_status(fn_sampler_create(&s, &(fn_sampler_options){FN_SAMPLING_EVEN, 0, 2, 4, groups, 2}, &err), FN_E_INVALID);
  assert_contains(err.message, "row 1 is in group 2 of 2");
  assert_null(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_draws_every_row_once),
      cmocka_unit_test(test_pure),
      cmocka_unit_test(test_seed_and_epoch_matter),
      cmocka_unit_test(test_even_gives_groups_equal_turns),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
