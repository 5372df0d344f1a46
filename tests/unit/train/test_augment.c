/* Random windows and hidden tokens: their distribution, what they leave alone, and that they are a pure function of
 * (seed, step, draw, position). */
#include "../test.h"
#include "train/augment.h"

#include <math.h>

enum { N_IDS = 512 };

static const fn_tokenizer_info info = {
    .vocab_size = 5000, .cls_id = 1, .sep_id = 2, .pad_id = 0, .unk_id = 3, .mask_id = 4};
static int32_t title_ids[N_IDS], text_ids[N_IDS];

static fn_article_ids make_article(size_t n_title, size_t n_text) {
  for (int32_t i = 0; i < N_IDS; i++) title_ids[i] = 10 + i, text_ids[i] = 1000 + i;
  return (fn_article_ids){title_ids, text_ids, n_title, n_text};
}

static fn_augment make(uint64_t seed, uint64_t step, double mask_tokens) {
  return (fn_augment){seed, step, FN_TRAIN_CROP_RANDOM, mask_tokens};
}

/* Pearson's statistic of counts that should be equal stays below mean + 5 standard deviations. */
static void assert_uniform(const size_t *counts, size_t n, size_t total) {
  const double expected = (double)total / (double)n;
  double chi2 = 0;
  for (size_t i = 0; i < n; i++) chi2 += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
  const double freedom = (double)n - 1;
  if (!(chi2 < freedom + 5 * sqrt(2 * freedom))) fail_msg("chi-square %g with %g degrees of freedom", chi2, freedom);
}

/* 12 tokens: [CLS] 2 [SEP] 7 of 30 [SEP]: 24 windows; without a title [CLS] 10 of 30 [SEP]: 21. */
static void test_windows_are_uniform(void **state) {
  (void)state;
  const fn_article_ids pair = make_article(2, 30), single = make_article(0, 30);
  const fn_sequence_options both = {FN_TEXT_TITLE_TEXT, 12}, text = {FN_TEXT_TEXT, 12};
  size_t of_pair[24] = {0}, of_single[21] = {0}, of_text[21] = {0};
  for (uint64_t step = 0; step < 500; step++) {
    const fn_augment a = make(7, step, 0);
    for (uint32_t draw = 0; draw < 32; draw++) {
      size_t begin = fn_augment_text_begin(&a, draw, &pair, &both);
      assert_in_range(begin, 0, 23);
      of_pair[begin]++;
      begin = fn_augment_text_begin(&a, draw, &single, &both);
      assert_in_range(begin, 0, 20);
      of_single[begin]++;
      begin = fn_augment_text_begin(&a, draw, &pair, &text);
      assert_in_range(begin, 0, 20);
      of_text[begin]++;
    }
  }
  assert_uniform(of_pair, 24, 16000);
  assert_uniform(of_single, 21, 16000);
  assert_uniform(of_text, 21, 16000);
}

static void test_nothing_to_crop(void **state) {
  (void)state;
  const fn_sequence_options both = {FN_TEXT_TITLE_TEXT, 12}, title = {FN_TEXT_TITLE, 12};
  const fn_article_ids fits = make_article(2, 7), empty = make_article(20, 0), longer = make_article(2, 300),
                       short_text = make_article(100, 4); /* the title is what is cut */
  fn_augment a = make(7, 1, 0.5);
  for (uint32_t draw = 0; draw < 64; draw++) {
    assert_int_equal(fn_augment_text_begin(&a, draw, &fits, &both), 0);
    assert_int_equal(fn_augment_text_begin(&a, draw, &empty, &both), 0);
    assert_int_equal(fn_augment_text_begin(&a, draw, &short_text, &both), 0);
    assert_int_equal(fn_augment_text_begin(&a, draw, &longer, &title), 0);
  }
  a.crop = FN_TRAIN_CROP_NONE;
  for (uint32_t draw = 0; draw < 64; draw++) assert_int_equal(fn_augment_text_begin(&a, draw, &longer, &both), 0);
}

/* Steps are cut by the length of uncropped articles, so a window must never change it. */
static void test_length_stays(void **state) {
  (void)state;
  fn_rng rng = fn_rng_make(3, 0);
  size_t n_cropped = 0;
  for (uint32_t round = 0; round < 4000; round++) {
    const fn_article_ids article = make_article(fn_rng_below(&rng, 60), fn_rng_below(&rng, 200));
    const fn_sequence_options o = {(fn_text_mode)fn_rng_below(&rng, 3), (int32_t)(8 + fn_rng_below(&rng, 80))};
    const fn_augment a = make(5, round, 0);
    const size_t begin = fn_augment_text_begin(&a, round % 32, &article, &o);
    n_cropped += begin > 0;
    assert_true(begin <= article.n_text);
    assert_int_equal(fn_sequence_length(&article, begin, &o), fn_sequence_length(&article, 0, &o));
  }
  assert_true(n_cropped > 1000);
}

static void append(fn_batch *batch, const fn_augment *a, const fn_article_ids *article, uint32_t draw) {
  static const fn_sequence_options both = {FN_TEXT_TITLE_TEXT, 64};
  fn_err err = {0};
  const size_t begin = fn_augment_text_begin(a, draw, article, &both);
  assert_ok(fn_batch_append(batch, &info, article, begin, &both, 1, 1, draw, 9, &err));
  fn_augment_mask_last(a, batch, &info);
}

static void test_share_of_hidden_tokens(void **state) {
  (void)state;
  const fn_article_ids article = make_article(5, 300);
  static const double shares[] = {0.15, 0.3, 0.9};
  fn_batch batch;
  fn_batch_init(&batch);
  for (size_t s = 0; s < 3; s++) {
    size_t hidden = 0, by_position[64] = {0};
    for (uint64_t step = 0; step < 300; step++) {
      const fn_augment a = make(11, step, shares[s]);
      fn_batch_reset(&batch);
      append(&batch, &a, &article, (uint32_t)(step % 8));
      assert_int_equal(batch.T, 64);
      assert_int_equal(batch.ids[0], info.cls_id);
      assert_int_equal(batch.ids[6], info.sep_id);
      assert_int_equal(batch.ids[63], info.sep_id);
      for (int32_t i = 0; i < 64; i++) {
        const bool is = batch.ids[i] == info.mask_id;
        hidden += is;
        by_position[i] += is;
      }
    }
    const double n = 300 * 61, sd = sqrt(n * shares[s] * (1 - shares[s]));
    if (!(fabs((double)hidden - n * shares[s]) < 5 * sd)) fail_msg("%zu of %g hidden at %g", hidden, n, shares[s]);
    for (int32_t i = 0; i < 64; i++) {
      const bool special = i == 0 || i == 6 || i == 63;
      const double mean = 300 * shares[s];
      if (special)
        assert_int_equal(by_position[i], 0);
      else
        assert_true(fabs((double)by_position[i] - mean) < 5 * sqrt(mean * (1 - shares[s])));
    }
  }
  fn_batch_deinit(&batch);
}

/* [SEP] and [PAD] within a text (an article may hold those letters) stay; [UNK] is hidden like any word. */
static void test_special_tokens_in_the_text_stay(void **state) {
  (void)state;
  fn_article_ids article = make_article(0, 40);
  text_ids[10] = info.sep_id;
  text_ids[20] = info.pad_id;
  text_ids[25] = info.cls_id;
  text_ids[30] = info.unk_id;
  fn_batch batch;
  fn_batch_init(&batch);
  bool unknown_hidden = false;
  for (uint64_t step = 0; step < 50; step++) {
    const fn_augment a = make(1, step, 0.8);
    fn_batch_reset(&batch);
    append(&batch, &a, &article, 0);
    assert_int_equal(batch.ids[11], info.sep_id);
    assert_int_equal(batch.ids[21], info.pad_id);
    assert_int_equal(batch.ids[26], info.cls_id);
    unknown_hidden |= batch.ids[31] == info.mask_id;
  }
  assert_true(unknown_hidden);
  fn_batch_deinit(&batch);
}

/* A row reads the same wherever it stands in a batch; other seeds, steps and draws read other tokens. */
static void test_pure(void **state) {
  (void)state;
  const fn_article_ids article = make_article(5, 300);
  const fn_augment a = make(11, 4, 0.3), later = make(11, 5, 0.3), other = make(12, 4, 0.3);
  const struct {
    const fn_augment *augment;
    uint32_t draw;
    bool same;
  } cases[] = {{&a, 3, true}, {&a, 2, false}, {&later, 3, false}, {&other, 3, false}, {&a, 3, true}};
  fn_batch one, many;
  fn_batch_init(&one);
  fn_batch_init(&many);
  append(&one, &a, &article, 3);
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    append(&many, cases[i].augment, &article, cases[i].draw);
    const bool same = memcmp(many.ids + many.offsets[i], one.ids, 64 * sizeof *one.ids) == 0;
    assert_int_equal(same, cases[i].same);
  }
  fn_batch_deinit(&one);
  fn_batch_deinit(&many);
}

static void test_off(void **state) {
  (void)state;
  const fn_article_ids article = make_article(5, 300);
  const fn_augment off = {1, 2, FN_TRAIN_CROP_NONE, 0};
  fn_batch batch;
  fn_batch_init(&batch);
  append(&batch, &off, &article, 0);
  for (int32_t i = 1; i < 6; i++) assert_int_equal(batch.ids[i], 9 + i);
  for (int32_t i = 7; i < 63; i++) assert_int_equal(batch.ids[i], 1000 + i - 7);
  fn_batch_deinit(&batch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_windows_are_uniform),
      cmocka_unit_test(test_nothing_to_crop),
      cmocka_unit_test(test_length_stays),
      cmocka_unit_test(test_share_of_hidden_tokens),
      cmocka_unit_test(test_special_tokens_in_the_text_stay),
      cmocka_unit_test(test_pure),
      cmocka_unit_test(test_off),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
