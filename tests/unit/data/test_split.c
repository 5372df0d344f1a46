#include "../test.h"
#include "data/labels.h"
#include "data/split.h"

#include <math.h>

static void fractions(void **state) {
  (void)state;
  fn_err err = {0};
  double f[3];
  const char *good[] = {"0.7", "0.15", "0.15"};
  assert_ok(fn_split_fractions(f, &(fn_config_list){good, 3}, &err));
  assert_true(f[0] == 0.7 && f[2] == 0.15);
  static const char *const bad[][3] = {
      {"0.7", "0.2", "0.2"}, {"1", "0", "0"}, {"0.5", "0.5", "x"}, {"1.2", "-0.1", "-0.1"}};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++)
    assert_status(fn_split_fractions(f, &(fn_config_list){bad[i], 3}, &err), FN_E_INVALID);
  assert_status(fn_split_fractions(f, &(fn_config_list){good, 2}, &err), FN_E_INVALID);
  assert_contains(err.message, "data.fractions: three shares");
}

static void names(void **state) {
  (void)state;
  fn_split s;
  assert_true(fn_split_parse(&s, fn_str_from(" Train ")) && s == FN_SPLIT_TRAIN);
  assert_true(fn_split_parse(&s, fn_str_from("VAL")) && s == FN_SPLIT_VALIDATION);
  assert_true(fn_split_parse(&s, fn_str_from("dev")) && s == FN_SPLIT_VALIDATION);
  assert_true(fn_split_parse(&s, fn_str_from("valid")) && s == FN_SPLIT_VALIDATION);
  assert_true(fn_split_parse(&s, fn_str_from("test")) && s == FN_SPLIT_TEST);
  assert_false(fn_split_parse(&s, fn_str_from("")));
  assert_false(fn_split_parse(&s, fn_str_from("holdout")));
}

static void labels(void **state) {
  (void)state;
  fn_err err = {0};
  const fn_config_map none = {0};
  static const struct {
    const char *value;
    int label;
  } plain[] = {{"0", 0},    {"1", 1}, {" REAL ", 0}, {"Fake", 1},  {"true", -2},
               {"1.0", -2}, {"", -2}, {"2", -2},     {"drop", -2}, {"fake news", -2}};
  for (size_t i = 0; i < FN_COUNT_OF(plain); i++)
    assert_int_equal(fn_label_parse(&none, fn_str_from(plain[i].value)), plain[i].label);
  const char *keys[] = {"true", "pants-fire", "half", "1"}, *values[] = {"real", "1", "drop", "0"};
  fn_config_map map = {keys, values, 4};
  assert_ok(fn_label_map_check(&map, &err));
  assert_int_equal(fn_label_parse(&map, fn_str_from("TRUE ")), 0);
  assert_int_equal(fn_label_parse(&map, fn_str_from("pants-fire")), 1);
  assert_int_equal(fn_label_parse(&map, fn_str_from("half")), FN_LABEL_DROP);
  assert_int_equal(fn_label_parse(&map, fn_str_from("1")), 0);  /* the map turns it round */
  assert_int_equal(fn_label_parse(&map, fn_str_from("0")), -2); /* a map knows its keys only */
  assert_int_equal(fn_label_parse(&map, fn_str_from("real")), -2);
  const char *wrong[] = {"real", "maybe", "drop", "0"};
  assert_status(fn_label_map_check(&(fn_config_map){keys, wrong, 4}, &err), FN_E_INVALID);
  assert_contains(err.message, "data.label_map: pants-fire: \"maybe\" is none of real, fake, 0, 1, drop");
  const char *twice[] = {"true", "True"};
  assert_status(fn_label_map_check(&(fn_config_map){twice, values, 2}, &err), FN_E_INVALID);
}

enum { N = 4000 };

static void random_is_stratified_and_whole(void **state) {
  (void)state;
  fn_err err = {0};
  static uint32_t units[N], strata[N];
  static uint8_t split[N], again[N], other[N]; /* 0: all take part */
  const double f[3] = {0.7, 0.15, 0.15};
  fn_rng rng = fn_rng_make(1, 0);
  for (uint32_t i = 0; i < N; i++) {
    bool joins = i > 0 && fn_rng_below(&rng, 5) == 0;
    units[i] = joins ? units[i - 1] : i; /* clusters of one to a few rows */
    strata[i] = joins ? strata[i - 1] : (uint32_t)fn_rng_below(&rng, 10) < 3 ? 0 : 1 + (i % 4);
  }
  assert_ok(fn_split_random(split, units, strata, N, 6, f, 2018, &err));
  size_t total[3] = {0}, count[6][3] = {{0}}, size[6] = {0};
  for (size_t i = 0; i < N; i++) {
    if (i && units[i] == units[i - 1]) assert_int_equal(split[i], split[i - 1]);
    total[split[i]]++;
    count[strata[i]][split[i]]++;
    size[strata[i]]++;
  }
  for (int s = 0; s < 3; s++) {
    assert_true(fabs((double)total[s] - f[s] * N) <= 2);
    for (size_t k = 0; k < 6; k++) assert_true(fabs((double)count[k][s] - f[s] * (double)size[k]) <= 3);
  }
  assert_ok(fn_split_random(again, units, strata, N, 6, f, 2018, &err));
  assert_memory_equal(split, again, N);
  assert_ok(fn_split_random(other, units, strata, N, 6, f, 2019, &err));
  size_t differ = 0;
  for (size_t i = 0; i < N; i++) differ += split[i] != other[i];
  assert_true(differ > N / 4);
}

/* Rows that take no part keep their mark and count nowhere: the others are divided as they would be alone. */
static void rows_that_take_no_part(void **state) {
  (void)state;
  fn_err err = {0};
  static uint32_t units[N], strata[N], dense_units[N], dense_strata[N];
  static uint8_t split[N], dense[N];
  const double f[3] = {0.7, 0.15, 0.15};
  uint32_t n = 0;
  for (uint32_t i = 0; i < N; i++) {
    units[i] = i % 7 == 3 ? i - 1 : i;
    strata[i] = i % 2;
    split[i] = i % 5 == 0 || units[i] % 5 == 0 ? FN_SPLIT_COUNT : 0;
    if (split[i] == FN_SPLIT_COUNT) continue;
    dense_units[n] = units[i] == i ? n : n - 1;
    dense_strata[n++] = strata[i];
  }
  assert_ok(fn_split_random(split, units, strata, N, 2, f, 7, &err));
  assert_ok(fn_split_random(dense, dense_units, dense_strata, n, 2, f, 7, &err));
  n = 0;
  for (uint32_t i = 0; i < N; i++) {
    bool out = i % 5 == 0 || units[i] % 5 == 0;
    assert_int_equal(split[i], out ? FN_SPLIT_COUNT : dense[n]);
    n += !out;
  }
}

/* One row more or less must not shift the others' fractions: many tiny strata still add up. */
static void tiny_strata_add_up(void **state) {
  (void)state;
  fn_err err = {0};
  enum { M = 900 };
  uint32_t units[M], strata[M];
  uint8_t split[M] = {0};
  size_t total[3] = {0};
  const double f[3] = {0.7, 0.15, 0.15};
  for (uint32_t i = 0; i < M; i++) units[i] = i, strata[i] = i / 3;
  assert_ok(fn_split_random(split, units, strata, M, M / 3, f, 1, &err));
  for (size_t i = 0; i < M; i++) total[split[i]]++;
  assert_int_equal(total[0], 630);
  assert_int_equal(total[1], 135);
  assert_int_equal(total[2], 135);
}

static void one_large_cluster(void **state) {
  (void)state;
  fn_err err = {0};
  uint32_t units[100], strata[100] = {0};
  uint8_t split[100] = {0};
  const double f[3] = {0.7, 0.15, 0.15};
  for (uint32_t i = 0; i < 100; i++) units[i] = i < 90 ? 0 : i;
  assert_ok(fn_split_random(split, units, strata, 100, 1, f, 1, &err));
  size_t total[3] = {0};
  for (size_t i = 0; i < 100; i++) {
    total[split[i]]++;
    if (i < 90) assert_int_equal(split[i], split[0]);
  }
  assert_int_equal(split[0], FN_SPLIT_TRAIN);
  assert_true(total[1] >= 4 && total[2] >= 4);
}

static void groups_stay_whole_and_balanced(void **state) {
  (void)state;
  fn_err err = {0};
  static uint32_t groups[N];
  static int8_t labels_[N];
  static uint8_t split[N], again[N];
  const double f[3] = {0.7, 0.15, 0.15};
  enum { G = 60 };
  fn_rng rng = fn_rng_make(5, 0);
  for (size_t i = 0; i < N; i++) {
    /* sizes fall off as in a list of outlets; most groups have mostly one label */
    double u = fn_rng_uniform(&rng);
    groups[i] = (uint32_t)(u * u * G);
    labels_[i] = (int8_t)(fn_rng_below(&rng, 10) < (groups[i] % 3 ? 1u : 9u));
  }
  assert_ok(fn_split_groups(split, groups, labels_, N, G, f, 2018, &err));
  double total[3][2] = {{0}}, all[2] = {0};
  uint8_t of[G];
  memset(of, 9, sizeof of);
  for (size_t i = 0; i < N; i++) {
    if (of[groups[i]] != 9) assert_int_equal(of[groups[i]], split[i]);
    of[groups[i]] = split[i];
    total[split[i]][labels_[i]]++;
    all[labels_[i]]++;
  }
  for (int s = 0; s < 3; s++)
    for (int k = 0; k < 2; k++)
      if (fabs(total[s][k] / all[k] - f[s]) > 0.03) fail_msg("split %d, class %d: %g of %g", s, k, total[s][k], all[k]);
  assert_ok(fn_split_groups(again, groups, labels_, N, G, f, 2018, &err));
  assert_memory_equal(split, again, N);
}

/* Three groups hold the fakes: each split must get one of them. */
static void every_split_gets_both_classes(void **state) {
  (void)state;
  fn_err err = {0};
  uint32_t groups[300];
  int8_t labels_[300];
  uint8_t split[300];
  const double f[3] = {0.7, 0.15, 0.15};
  for (uint32_t i = 0; i < 300; i++) {
    groups[i] = i / 10;
    labels_[i] = (int8_t)(groups[i] < 3);
  }
  for (uint64_t seed = 0; seed < 20; seed++) {
    assert_ok(fn_split_groups(split, groups, labels_, 300, 30, f, seed, &err));
    size_t fakes[3] = {0};
    for (size_t i = 0; i < 300; i++) fakes[split[i]] += labels_[i] == 1;
    assert_true(fakes[0] && fakes[1] && fakes[2]);
  }
  assert_status(fn_split_groups(split, groups, labels_, 20, 2, f, 1, &err), FN_E_INVALID);
  assert_contains(err.message, "2 groups cannot be divided");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fractions),
      cmocka_unit_test(names),
      cmocka_unit_test(labels),
      cmocka_unit_test(random_is_stratified_and_whole),
      cmocka_unit_test(rows_that_take_no_part),
      cmocka_unit_test(tiny_strata_add_up),
      cmocka_unit_test(one_large_cluster),
      cmocka_unit_test(groups_stay_whole_and_balanced),
      cmocka_unit_test(every_split_gets_both_classes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
