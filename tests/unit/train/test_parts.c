/* Schedule, micro-batches, early stopping, class weights, freezing. */
#include "../test.h"
#include "train/micro.h"
#include "train/options.h"
#include "train/schedule.h"
#include "train/state.h"

#include <math.h>

static void close_to(double a, double b) {
  if (!(fabs(a - b) <= 1e-12)) fail_msg("%.17g is not %.17g", a, b);
}

/* The values of transformers.get_{linear,cosine,constant}_schedule_with_warmup with 10 steps, 3 of them warm-up. */
static void test_schedule(void **state) {
  (void)state;
  const fn_schedule linear = fn_schedule_make(FN_SCHEDULE_LINEAR, 0.25, 10); /* ceil(2.5) = 3 */
  const double expected[10] = {0, 1.0 / 3, 2.0 / 3, 1, 6.0 / 7, 5.0 / 7, 4.0 / 7, 3.0 / 7, 2.0 / 7, 1.0 / 7};
  for (int64_t i = 0; i < 10; i++) close_to(fn_schedule_factor(&linear, i), expected[i]);
  const fn_schedule cosine = fn_schedule_make(FN_SCHEDULE_COSINE, 3, 10);
  for (int64_t i = 0; i < 3; i++) close_to(fn_schedule_factor(&cosine, i), (double)i / 3);
  for (int64_t i = 3; i < 10; i++)
    close_to(fn_schedule_factor(&cosine, i), 0.5 * (1 + cos(3.14159265358979323846 * (double)(i - 3) / 7)));
  const fn_schedule constant = fn_schedule_make(FN_SCHEDULE_CONSTANT, 0, 10);
  for (int64_t i = 0; i < 10; i++) close_to(fn_schedule_factor(&constant, i), 1);
  const fn_schedule all_warmup = fn_schedule_make(FN_SCHEDULE_LINEAR, 50, 10);
  close_to(fn_schedule_factor(&all_warmup, 9), 0.9);
}

/* Every row once, no micro-batch over budget unless it is a single row. */
static void check_plan(const fn_micro_plan *plan, const uint32_t *lengths, size_t n, size_t budget) {
  size_t seen = 0, begin = 0;
  for (size_t k = 0; k < plan->n_micro; k++) {
    size_t sum = 0;
    assert_true(plan->ends[k] > begin);
    for (size_t i = begin; i < plan->ends[k]; i++) {
      sum += lengths[plan->order[i]];
      assert_true(i == begin || plan->order[i] > plan->order[i - 1]);
    }
    assert_true(sum <= budget || plan->ends[k] - begin == 1);
    begin = plan->ends[k];
  }
  assert_int_equal(begin, n);
  for (size_t row = 0; row < n; row++)
    for (size_t i = 0; i < n; i++) seen += plan->order[i] == row;
  assert_int_equal(seen, n);
}

static void test_micro_batches(void **state) {
  (void)state;
  fn_err err = {0};
  fn_micro_plan plan = {0};
  fn_rng rng = fn_rng_make(5, 0);
  for (int round = 0; round < 50; round++) {
    uint32_t lengths[64];
    const size_t n = 1 + fn_rng_below(&rng, 64), budget = 1 + fn_rng_below(&rng, 2000);
    for (size_t i = 0; i < n; i++) lengths[i] = (uint32_t)(1 + fn_rng_below(&rng, 300));
    assert_ok(fn_micro_plan_cut(&plan, lengths, n, budget, &err));
    check_plan(&plan, lengths, n, budget);
  }
  const uint32_t lengths[5] = {3, 7, 5, 5, 10};
  assert_ok(fn_micro_plan_cut(&plan, lengths, 5, 10, &err)); /* {10} {7,3} {5,5} */
  assert_int_equal(plan.n_micro, 3);
  assert_int_equal(plan.order[0], 4);
  assert_int_equal(plan.order[1], 0);
  assert_int_equal(plan.order[2], 1);
  assert_ok(fn_micro_plan_cut(&plan, lengths, 5, 1000, &err));
  assert_int_equal(plan.n_micro, 1);
  fn_micro_plan_deinit(&plan);
}

static void test_best_is_strictly_smaller(void **state) {
  (void)state;
  fn_best best = FN_BEST_INIT;
  assert_true(fn_best_update(&best, 0.5, 10));
  assert_false(fn_best_update(&best, 0.5, 20)); /* equal is not better */
  assert_int_equal(best.step, 10);
  assert_int_equal(best.n_since, 1);
  assert_false(fn_best_exhausted(&best, 2));
  assert_false(fn_best_update(&best, (double)NAN, 30));
  assert_true(fn_best_exhausted(&best, 2));
  assert_false(fn_best_exhausted(&best, INT64_MIN)); /* null: off */
  assert_true(fn_best_update(&best, 0.4, 40));
  assert_int_equal(best.n_since, 0);
}

static void test_class_weights(void **state) {
  (void)state;
  fn_err err = {0};
  const size_t counts[2] = {30, 10};
  double w[2];
  assert_ok(fn_class_weights_parse(w, NULL, counts, &err));
  assert_true(w[0] == 1 && w[1] == 1);
  assert_ok(fn_class_weights_parse(w, "balanced", counts, &err));
  close_to(w[0], 40.0 / 60);
  close_to(w[1], 2);
  assert_ok(fn_class_weights_parse(w, "[1, 2.5]", counts, &err));
  assert_true(w[0] == 1 && w[1] == 2.5);
  const char *const bad[] = {"even", "[1]",  "[1,2,3]", "[1,0]", "[1,-2]", "[1,nan]",
                             "[1,2", "1,2]", "[,]",     "",      "[1,inf]"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    assert_status(fn_class_weights_parse(w, bad[i], counts, &err), FN_E_INVALID);
    assert_contains(err.message, "train.class_weights");
  }
  assert_true(w[1] == 2.5);
}

static void test_freeze(void **state) {
  (void)state;
  fn_err err = {0};
  fn_freeze f;
  assert_ok(fn_freeze_parse(&f, "none", 6, &err));
  assert_false(f.embeddings || f.all || f.n_layers);
  assert_ok(fn_freeze_parse(&f, "embeddings", 6, &err));
  assert_true(f.embeddings && !f.all && f.n_layers == 0);
  assert_ok(fn_freeze_parse(&f, "encoder", 6, &err));
  assert_true(f.all);
  assert_ok(fn_freeze_parse(&f, "3", 6, &err));
  assert_true(f.embeddings && !f.all && f.n_layers == 3);
  assert_status(fn_freeze_parse(&f, "7", 6, &err), FN_E_INVALID);
  assert_contains(err.message, "0 to 6");
  assert_status(fn_freeze_parse(&f, "head", 6, &err), FN_E_INVALID);
}

static void test_options_have_defaults(void **state) {
  (void)state;
  fn_err err = {0};
  fn_arena arena;
  fn_arena_init(&arena);
  fn_train_options o;
  assert_ok(fn_options_default(&o, &arena, &fn_train_option_table, &err));
  assert_int_equal(o.family, FN_FAMILY_BERT);
  assert_int_equal(o.epochs, 3);
  assert_int_equal(o.batch_size, 32);
  assert_int_equal(o.max_tokens, 256);
  assert_int_equal(o.patience, INT64_MIN);
  assert_true(o.learning_rate == 5e-5 && o.warmup == 0.06 && o.max_grad_norm == 1);
  assert_null(o.class_weights);
  assert_string_equal(o.freeze, "none");
  fn_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schedule),      cmocka_unit_test(test_micro_batches),
      cmocka_unit_test(test_class_weights), cmocka_unit_test(test_best_is_strictly_smaller),
      cmocka_unit_test(test_freeze),        cmocka_unit_test(test_options_have_defaults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
