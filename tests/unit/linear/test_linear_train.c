/* Training, prediction, saving: on an invented corpus. tests/light/test_linear.py compares with scikit-learn. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "corpus.h"

static corpus train, validation, test;
static fn_arena arena;
static fn_linear_options options;

static int set_up(void **state) {
  (void)state;
  corpus_init(&train, 400, 1);
  corpus_init(&validation, 150, 2);
  corpus_init(&test, 300, 3);
  fn_arena_init(&arena);
  assert_int_equal(fn_options_default(&options, &arena, &fn_linear_option_table, NULL), FN_OK);
  options.hash_bits = 12;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  corpus_deinit(&train);
  corpus_deinit(&validation);
  corpus_deinit(&test);
  fn_arena_deinit(&arena);
  return 0;
}

static fn_linear *fit(const fn_linear_options *o, fn_text_mode mode, int n_threads) {
  fn_linear *linear = NULL;
  fn_pool *pool = NULL;
  fn_err err = {0};
  assert_int_equal(fn_pool_create(&pool, n_threads, NULL), FN_OK);
  if (fn_linear_train(&linear, train.rows, train.n, validation.rows, validation.n, mode, o, NULL, NULL, pool, &err) !=
      FN_OK) {
    fail_msg("%s", err.message);
  }
  fn_pool_destroy(pool);
  return linear;
}

static void predict(double *logits, const fn_linear *linear, const corpus *c) {
  fn_linear_scratch *scratch;
  assert_int_equal(fn_linear_scratch_create(&scratch, linear, NULL), FN_OK);
  for (size_t i = 0; i < c->n; i++) {
    assert_int_equal(fn_linear_predict(&logits[i], linear, scratch, c->rows[i].title, c->rows[i].text, NULL), FN_OK);
  }
  fn_linear_scratch_destroy(scratch);
}

static double auc(const double *logits, const corpus *c) {
  double better = 0.0, pairs = 0.0;
  for (size_t i = 0; i < c->n; i++) {
    for (size_t k = 0; k < c->n; k++) {
      if (c->rows[i].label != 1 || c->rows[k].label != 0) continue;
      pairs += 1.0;
      better += logits[i] > logits[k] ? 1.0 : logits[i] == logits[k] ? 0.5 : 0.0;
    }
  }
  return better / pairs;
}

static void test_learns(void **state) {
  (void)state;
  static const fn_linear_features all[] = {FN_LINEAR_WORD, FN_LINEAR_CHAR, FN_LINEAR_WORD_CHAR};
  double logits[3][300];
  for (size_t k = 0; k < 3; k++) {
    fn_linear_options o = options;
    o.features = (int32_t)all[k];
    fn_linear *linear = fit(&o, FN_TEXT_TITLE_TEXT, 1);
    predict(logits[k], linear, &test);
    assert_true(auc(logits[k], &test) > 0.85);
    fn_linear_info info;
    fn_linear_get_info(&info, linear);
    assert_int_equal(info.word_max, all[k] == FN_LINEAR_CHAR ? 0 : 2);
    assert_int_equal(info.char_min, all[k] == FN_LINEAR_WORD ? 0 : 3);
    assert_true((info.word_c > 0.0) == (all[k] != FN_LINEAR_CHAR));
    assert_string_equal(info.labels[1], "fake");
    fn_linear_destroy(linear);
  }
  /* Both families: the mean of the two logits. */
  for (size_t i = 0; i < test.n; i++) {
    double mean = 0.5 * (logits[0][i] + logits[1][i]), gap = logits[2][i] - mean;
    assert_true(gap < 1e-5 && gap > -1e-5);
  }
}

static void test_threads(void **state) {
  (void)state;
  double one[300], three[300];
  fn_linear *a = fit(&options, FN_TEXT_TITLE_TEXT, 1), *b = fit(&options, FN_TEXT_TITLE_TEXT, 3);
  predict(one, a, &test);
  predict(three, b, &test);
  assert_memory_equal(one, three, sizeof one);
  fn_linear_destroy(a);
  fn_linear_destroy(b);
}

static void test_text_modes(void **state) {
  (void)state;
  for (int mode = 0; mode < 3; mode++) {
    fn_linear *linear = fit(&options, (fn_text_mode)mode, 1);
    fn_linear_scratch *scratch;
    double both, no_title, no_text, neither, bias = 0.0;
    assert_int_equal(fn_linear_scratch_create(&scratch, linear, NULL), FN_OK);
    const fn_str title = fn_str_from("SHOCKING truth"), text = fn_str_from("officials reported"), none = {NULL, 0};
    assert_int_equal(fn_linear_predict(&both, linear, scratch, title, text, NULL), FN_OK);
    assert_int_equal(fn_linear_predict(&no_title, linear, scratch, none, text, NULL), FN_OK);
    assert_int_equal(fn_linear_predict(&no_text, linear, scratch, title, none, NULL), FN_OK);
    assert_int_equal(fn_linear_predict(&neither, linear, scratch, none, none, NULL), FN_OK);
    assert_int_equal(fn_linear_predict(&bias, linear, scratch, none, fn_str_from(" \n"), NULL), FN_OK);
    assert_true(bias == neither); /* nothing to read: the bias */
    assert_true((both == no_title) == (mode == FN_TEXT_TEXT));
    assert_true((both == no_text) == (mode == FN_TEXT_TITLE));
    fn_linear_scratch_destroy(scratch);
    fn_linear_destroy(linear);
  }
}

/* All contributions and the constant make the logit; the greatest come first, and an n-gram that stands twice once. */
static void test_explain(void **state) {
  (void)state;
  fn_linear_options o = options;
  o.features = FN_LINEAR_WORD;
  fn_linear *linear = fit(&o, FN_TEXT_TITLE_TEXT, 1);
  fn_linear_scratch *scratch;
  assert_int_equal(fn_linear_scratch_create(&scratch, linear, NULL), FN_OK);
  const fn_str none = {NULL, 0};
  double bias;
  assert_int_equal(fn_linear_predict(&bias, linear, scratch, none, none, NULL), FN_OK);
  for (size_t i = 0; i < 20; i++) {
    static fn_linear_ngram ngrams[4096];
    const fn_linear_row *row = &test.rows[i];
    double logit, sum = bias;
    size_t n = fn_linear_explain(ngrams, 4096, linear, scratch, row->title, row->text);
    assert_int_equal(fn_linear_predict(&logit, linear, scratch, row->title, row->text, NULL), FN_OK);
    assert_true(n > 5 && n < 4096);
    for (size_t k = 0; k < n; k++) {
      const fn_linear_ngram *g = &ngrams[k];
      sum += g->contribution;
      assert_true(k == 0 || fabs(g->contribution) <= fabs(ngrams[k - 1].contribution));
      assert_true(g->begin < g->end && g->end <= (g->in_title ? row->title.length : row->text.length));
    }
    assert_true(fabs(sum - logit) < 1e-9);
    fn_linear_ngram few[3];
    assert_int_equal(fn_linear_explain(few, 3, linear, scratch, row->title, row->text), 3);
    assert_true(few[2].contribution == ngrams[2].contribution && few[0].begin == ngrams[0].begin);
  }
  fn_linear_ngram twice[8];
  const fn_str text = fn_str_from("SHOCKING  SHOCKING");
  size_t n = fn_linear_explain(twice, 8, linear, scratch, none, text);
  for (size_t k = 0; k < n; k++) assert_true(twice[k].begin == 0 && (twice[k].end == 8 || twice[k].end == 18));
  assert_true(n >= 1 && n <= 2);
  assert_int_equal(fn_linear_explain(twice, 0, linear, scratch, none, text), 0);
  fn_linear_scratch_destroy(scratch);
  fn_linear_destroy(linear);
}

static void test_novelty(void **state) {
  (void)state;
  static const fn_linear_features all[] = {FN_LINEAR_WORD, FN_LINEAR_CHAR};
  for (size_t k = 0; k < 2; k++) {
    fn_linear_options o = options;
    o.features = (int32_t)all[k];
    o.hash_bits = 20; /* few n-grams share a place */
    fn_linear *linear = fit(&o, FN_TEXT_TEXT, 1);
    fn_linear_scratch *scratch;
    fn_linear_facts seen, unseen, nothing;
    double logit;
    const fn_str none = {NULL, 0}, strange = fn_str_from("zyxq wvut kjhg qqrs xxyy ppoo lkjq mnbv zzyx wwvq ttrp qsdf");
    assert_int_equal(fn_linear_scratch_create(&scratch, linear, NULL), FN_OK);
    assert_int_equal(fn_linear_predict_facts(&logit, &seen, linear, scratch, none, train.rows[0].text, NULL), FN_OK);
    assert_int_equal(fn_linear_predict_facts(&logit, &unseen, linear, scratch, none, strange, NULL), FN_OK);
    assert_int_equal(fn_linear_predict_facts(&logit, &nothing, linear, scratch, none, none, NULL), FN_OK);
    assert_true(seen.n_ngrams > 10 && seen.novelty > 0.0 && seen.novelty < 0.9);
    assert_true(unseen.novelty > 0.95 && unseen.novelty <= 1.0);
    assert_true(nothing.n_ngrams == 0 && nothing.novelty == 0.0);
    fn_linear_scratch_destroy(scratch);
    fn_linear_destroy(linear);
  }
}

static void test_weights(void **state) {
  (void)state;
  double before[300], after[300];
  fn_linear *linear = fit(&options, FN_TEXT_TITLE_TEXT, 1);
  predict(before, linear, &test);
  fn_linear_destroy(linear);
  for (size_t i = 0; i < train.n; i++) train.rows[i].weight = 4.0; /* only ratios count; a power of two is exact */
  linear = fit(&options, FN_TEXT_TITLE_TEXT, 1);
  predict(after, linear, &test);
  fn_linear_destroy(linear);
  assert_memory_equal(before, after, sizeof before);
  for (size_t i = 0; i < train.n; i++) train.rows[i].weight = train.rows[i].label ? 9.0 : 1.0;
  linear = fit(&options, FN_TEXT_TITLE_TEXT, 1);
  predict(after, linear, &test);
  fn_linear_destroy(linear);
  for (size_t i = 0; i < train.n; i++) train.rows[i].weight = 1.0;
  double shift = 0.0;
  for (size_t i = 0; i < test.n; i++) shift += after[i] - before[i];
  assert_true(shift / (double)test.n > 0.5); /* fakes count nine times: everything looks more fake */
}

static void test_even_weights(void **state) {
  (void)state;
  fn_linear_row rows[6] = {{.label = 0}, {.label = 0}, {.label = 1}, {.label = 0}, {.label = 1}, {.label = 0}};
  const fn_str groups[6] = {fn_str_from("a"),  fn_str_from("a"),  fn_str_from("a"),
                            fn_str_from("ab"), fn_str_from("ab"), fn_str_from("a")};
  assert_int_equal(fn_linear_weights_even(rows, groups, 6, NULL), FN_OK);
  const double expected[6] = {0.5, 0.5, 1.5, 1.5, 1.5, 0.5}; /* four cells, each 6/4 in sum */
  for (size_t i = 0; i < 6; i++) assert_true(rows[i].weight == expected[i]);
  assert_int_equal(fn_linear_weights_even(rows, groups, 0, NULL), FN_OK);
}

typedef struct trials {
  fn_linear_trial seen[32];
  size_t n, stop_after;
} trials;

static bool on_trial(void *arg, const fn_linear_trial *trial) {
  trials *t = arg;
  t->seen[t->n++] = *trial;
  return t->n != t->stop_after;
}

static void test_search(void **state) {
  (void)state;
  fn_linear *linear = NULL;
  fn_err err = {0};
  trials t = {.n = 0};
  assert_int_equal(fn_linear_train(&linear, train.rows, train.n, validation.rows, validation.n, FN_TEXT_TITLE_TEXT,
                                   &options, on_trial, &t, NULL, &err),
                   FN_OK);
  fn_linear_info info;
  fn_linear_get_info(&info, linear);
  fn_linear_destroy(linear);
  size_t word = 0;
  const fn_linear_trial *best = &t.seen[0];
  while (word < t.n && strcmp(t.seen[word].family, "word") == 0) {
    if (t.seen[word].validation_loss < best->validation_loss) best = &t.seen[word];
    word++;
  }
  assert_true(word >= 3 && t.n > word && strcmp(t.seen[word].family, "char") == 0);
  assert_true(info.word_c == best->c);
  for (size_t i = 1; i < word; i++) {
    assert_true(t.seen[i].c > t.seen[i - 1].c);
    assert_true(t.seen[i].train_loss < t.seen[i - 1].train_loss); /* a weaker penalty fits closer */
  }
  for (size_t i = 0; i < t.n; i++) assert_true(t.seen[i].converged);
  /* The caller can stop it. */
  t = (trials){.stop_after = 2};
  linear = NULL;
  assert_int_equal(fn_linear_train(&linear, train.rows, train.n, validation.rows, validation.n, FN_TEXT_TITLE_TEXT,
                                   &options, on_trial, &t, NULL, &err),
                   FN_E_CANCELLED);
  assert_int_equal(t.n, 2);
  assert_null(linear);
  /* One value needs no validation rows. */
  static const char *const one[] = {"2"};
  fn_linear_options o = options;
  o.c_grid = (fn_config_list){one, 1};
  assert_int_equal(fn_linear_train(&linear, train.rows, train.n, NULL, 0, FN_TEXT_TITLE, &o, NULL, NULL, NULL, &err),
                   FN_OK);
  fn_linear_get_info(&info, linear);
  assert_true(info.word_c == 2.0 && info.char_c == 2.0);
  fn_linear_destroy(linear);
}

static void refused(const fn_linear_row *rows, size_t n, size_t n_validation, const fn_linear_options *o,
                    const char *message) {
  fn_linear *linear = NULL;
  fn_err err = {0};
  assert_int_equal(
      fn_linear_train(&linear, rows, n, validation.rows, n_validation, FN_TEXT_TITLE_TEXT, o, NULL, NULL, NULL, &err),
      FN_E_INVALID);
  assert_null(linear);
  if (strstr(err.message, message) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.message, message);
}

static void test_refused(void **state) {
  (void)state;
  fn_linear_row rows[2] = {{fn_str_from("a"), fn_str_from("b"), 0, 1.0}, {fn_str_from("c"), fn_str_from("d"), 0, 1.0}};
  refused(rows, 2, 10, &options, "no row of class fake with a weight above 0");
  refused(rows, 0, 10, &options, "no row of class real");
  rows[1].label = 2;
  refused(rows, 2, 10, &options, "training row 1: label 2 is not 0 (real) or 1 (fake)");
  rows[1].label = 1;
  refused(rows, 2, 0, &options, "no validation rows to choose among linear.c_grid");
  rows[1].weight = -1.0;
  refused(rows, 2, 10, &options, "weight -1 is not a finite number from 0");
  rows[1].weight = 0.0;
  refused(rows, 2, 10, &options, "no row of class fake with a weight above 0");
  rows[1].weight = 1.0;
  static const char *const wrong[][2] = {{"1", "x"}, {"1", "-1"}, {"2", "1"}, {"1", "inf"}};
  static const char *const says[] = {"\"x\" is not a number above 0", "\"-1\" is not", "must ascend: 1 does not",
                                     "\"inf\" is not"};
  for (size_t i = 0; i < FN_COUNT_OF(wrong); i++) {
    fn_linear_options o = options;
    o.c_grid = (fn_config_list){wrong[i], 2};
    refused(rows, 2, 10, &o, says[i]);
  }
  fn_linear_options o = options;
  o.c_grid.n = 0;
  refused(rows, 2, 10, &o, "must hold 1 to 64 numbers");
}

/* Articles without any feature, and one whose features training never saw. */
static void test_empty_rows(void **state) {
  (void)state;
  fn_linear_row rows[4] = {{fn_str_from(""), fn_str_from(""), 0, 1.0},
                           {fn_str_from("alpha"), fn_str_from(""), 1, 1.0},
                           {fn_str_from(""), fn_str_from("beta"), 0, 1.0},
                           {fn_str_from(" "), fn_str_from("\n"), 0, 1.0}};
  fn_linear *linear = NULL;
  fn_err err = {0};
  assert_int_equal(fn_linear_train(&linear, rows, 4, rows, 4, FN_TEXT_TITLE_TEXT, &options, NULL, NULL, NULL, &err),
                   FN_OK);
  corpus c = {rows, 4, {0}};
  double logits[4];
  predict(logits, linear, &c);
  assert_true(logits[0] == logits[3] && logits[1] > logits[0] && logits[2] < logits[0]);
  rows[1].title = fn_str_from("0123456789");
  predict(logits, linear, &c);
  assert_true(logits[1] == logits[0]);
  fn_linear_destroy(linear);
}

static void test_save_load(void **state) {
  (void)state;
  char dir[] = "/tmp/fn-linear-XXXXXX";
  assert_non_null(mkdtemp(dir));
  double before[300], after[300];
  for (int features = 0; features < 3; features++) {
    fn_linear_options o = options;
    o.features = features;
    fn_linear *linear = fit(&o, FN_TEXT_TEXT, 1), *loaded = NULL;
    predict(before, linear, &test);
    assert_int_equal(fn_linear_save(linear, dir, NULL), FN_OK);
    fn_err err = {0};
    if (fn_linear_load(&loaded, dir, &err) != FN_OK) fail_msg("%s", err.message);
    predict(after, loaded, &test);
    assert_memory_equal(before, after, sizeof before);
    fn_linear_info a, b;
    fn_linear_get_info(&a, linear);
    fn_linear_get_info(&b, loaded);
    assert_true(a.mode == b.mode && a.word_c == b.word_c && a.char_c == b.char_c && a.char_max == b.char_max);
    fn_linear_destroy(linear);
    fn_linear_destroy(loaded);
  }
  assert_int_equal(fn_dir_remove(dir, NULL), FN_OK);
}

typedef struct shared_job {
  const fn_linear *linear;
  fn_linear_scratch *scratch[3];
  double logits[300];
} shared_job;

static void predict_one(void *arg, size_t i, int worker) {
  shared_job *j = arg;
  (void)!fn_linear_predict(&j->logits[i], j->linear, j->scratch[worker], test.rows[i].title, test.rows[i].text, NULL);
}

/* One model, several threads, each with its own scratch, rows in any order. */
static void test_shared(void **state) {
  (void)state;
  fn_pool *pool;
  shared_job j = {.linear = fit(&options, FN_TEXT_TITLE_TEXT, 1)};
  double alone[300];
  predict(alone, j.linear, &test);
  assert_int_equal(fn_pool_create(&pool, 3, NULL), FN_OK);
  for (int k = 0; k < 3; k++) assert_int_equal(fn_linear_scratch_create(&j.scratch[k], j.linear, NULL), FN_OK);
  fn_pool_run(pool, test.n, predict_one, &j);
  assert_memory_equal(alone, j.logits, sizeof alone);
  for (int k = 0; k < 3; k++) fn_linear_scratch_destroy(j.scratch[k]);
  fn_pool_destroy(pool);
  fn_linear *linear = NULL;
  memcpy(&linear, &j.linear, sizeof linear);
  fn_linear_destroy(linear);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_learns),       cmocka_unit_test(test_threads),   cmocka_unit_test(test_text_modes),
      cmocka_unit_test(test_explain),      cmocka_unit_test(test_novelty),   cmocka_unit_test(test_weights),
      cmocka_unit_test(test_even_weights), cmocka_unit_test(test_search),    cmocka_unit_test(test_refused),
      cmocka_unit_test(test_empty_rows),   cmocka_unit_test(test_save_load), cmocka_unit_test(test_shared),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
