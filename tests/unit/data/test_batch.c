#include "rows.h"

#include <limits.h>

static const fn_tokenizer_info info = {.vocab_size = 100, .cls_id = 1, .sep_id = 2};
static const fn_sequence_options both = {FN_TEXT_TITLE_TEXT, 12};

/* Ids 10 … and 50 …, so that a sequence shows where each came from. */
static fn_article_ids make_article(size_t n_title, size_t n_text) {
  static int32_t title[64], text[64];
  for (int32_t i = 0; i < 64; i++) title[i] = 10 + i, text[i] = 500 + i;
  return (fn_article_ids){title, text, n_title, n_text};
}

static void append(fn_batch *batch, fn_article_ids article, size_t text_begin, fn_sequence_options options) {
  fn_err err = {0};
  int32_t T = batch->T;
  assert_ok(fn_batch_append(batch, &info, &article, text_begin, &options, 1, 0.5f, 7, 9, &err));
  assert_int_equal(batch->T - T, fn_sequence_length(&article, text_begin, &options));
}

static void assert_sequence(const fn_batch *batch, int32_t b, const int32_t *ids, const int32_t *types, int32_t n,
                            bool truncated) {
  int32_t begin = batch->offsets[b];
  assert_int_equal(batch->offsets[b + 1] - begin, n);
  for (int32_t i = 0; i < n; i++) {
    assert_int_equal(batch->ids[begin + i], ids[i]);
    assert_int_equal(batch->type_ids[begin + i], types[i]);
    assert_int_equal(batch->positions[begin + i], i);
  }
  assert_int_equal(batch->truncated[b], truncated);
}
#define ASSERT_SEQUENCE(batch, b, truncated, types, ...)                                                               \
  assert_sequence(batch, b, (const int32_t[]){__VA_ARGS__}, types,                                                     \
                  (int32_t)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), truncated)

static void test_forms(void **state) {
  (void)state;
  static const int32_t single[12] = {0};
  fn_batch batch;
  fn_batch_init(&batch);
  append(&batch, make_article(2, 3), 0, both);
  append(&batch, make_article(2, 0), 0, both); /* one half empty: a single sequence, of type 0 */
  append(&batch, make_article(0, 2), 0, both);
  append(&batch, make_article(0, 0), 0, both);
  append(&batch, make_article(2, 3), 0, (fn_sequence_options){FN_TEXT_TITLE, 12});
  append(&batch, make_article(2, 3), 0, (fn_sequence_options){FN_TEXT_TEXT, 12});
  append(&batch, make_article(2, 3), 1, both); /* a window into the text */
  append(&batch, make_article(2, 3), 3, both); /* behind its end: the title alone */
  assert_int_equal(batch.B, 8);
  ASSERT_SEQUENCE(&batch, 0, false, ((const int32_t[]){0, 0, 0, 0, 1, 1, 1, 1}), 1, 10, 11, 2, 500, 501, 502, 2);
  ASSERT_SEQUENCE(&batch, 1, false, single, 1, 10, 11, 2);
  ASSERT_SEQUENCE(&batch, 2, false, single, 1, 500, 501, 2);
  ASSERT_SEQUENCE(&batch, 3, false, single, 1, 2);
  ASSERT_SEQUENCE(&batch, 4, false, single, 1, 10, 11, 2);
  ASSERT_SEQUENCE(&batch, 5, false, single, 1, 500, 501, 502, 2);
  ASSERT_SEQUENCE(&batch, 6, false, ((const int32_t[]){0, 0, 0, 0, 1, 1, 1}), 1, 10, 11, 2, 501, 502, 2);
  ASSERT_SEQUENCE(&batch, 7, false, single, 1, 10, 11, 2);
  assert_int_equal(batch.longest, 8);
  fn_batch_deinit(&batch);
  assert_null(batch.ids);
}

static void test_cut(void **state) {
  (void)state;
  fn_batch batch;
  fn_batch_init(&batch);
  fn_sequence_options eight = {FN_TEXT_TITLE_TEXT, 8};
  append(&batch, make_article(2, 3), 0, eight); /* just fits */
  append(&batch, make_article(2, 4), 0, eight); /* the longer half is cut */
  append(&batch, make_article(4, 2), 0, eight);
  append(&batch, make_article(20, 20), 0, eight); /* both: of an odd number the second keeps one more */
  append(&batch, make_article(6, 0), 0, eight);
  append(&batch, make_article(7, 0), 0, eight);
  static const int32_t types[] = {0, 0, 0, 0, 1, 1, 1, 1}, other[] = {0, 0, 0, 0, 0, 1, 1, 1}, single[8] = {0};
  ASSERT_SEQUENCE(&batch, 0, false, types, 1, 10, 11, 2, 500, 501, 502, 2);
  ASSERT_SEQUENCE(&batch, 1, true, types, 1, 10, 11, 2, 500, 501, 502, 2);
  ASSERT_SEQUENCE(&batch, 2, true, other, 1, 10, 11, 12, 2, 500, 501, 2);
  ASSERT_SEQUENCE(&batch, 3, true, types, 1, 10, 11, 2, 500, 501, 502, 2);
  ASSERT_SEQUENCE(&batch, 4, false, single, 1, 10, 11, 12, 13, 14, 15, 2);
  ASSERT_SEQUENCE(&batch, 5, true, single, 1, 10, 11, 12, 13, 14, 15, 2);
  fn_batch_deinit(&batch);
}

/* Longest-first cutting restated: no half is cut below the other's kept length, and nothing more is cut than must be.
 */
static void test_random_lengths(void **state) {
  (void)state;
  fn_rng rng = fn_rng_make(5, 0);
  for (int k = 0; k < 20000; k++) {
    size_t a = (size_t)fn_rng_below(&rng, 700), b = (size_t)fn_rng_below(&rng, k % 2 ? 700 : 20);
    size_t limit = 8 + (size_t)fn_rng_below(&rng, 505);
    fn_article_ids article = {NULL, NULL, a, b};
    size_t x = a, y = b;
    while (x > 0 && y > 0 && x + y + 3 > limit) { /* drop from the longer; of equals from the title */
      if (x >= y)
        x--;
      else
        y--;
    }
    size_t expected = x + y + 3;
    if (a == 0 || b == 0) expected = a + b + 2 < limit ? a + b + 2 : limit;
    size_t length = fn_sequence_length(&article, 0, &(fn_sequence_options){FN_TEXT_TITLE_TEXT, (int32_t)limit});
    assert_int_equal(length, expected);
  }
}

/* Growing keeps what is there; reset keeps the memory. */
static void test_growth(void **state) {
  (void)state;
  fn_err err = {0};
  fn_batch batch;
  fn_batch_init(&batch);
  fn_sequence_options wide = {FN_TEXT_TITLE_TEXT, 512};
  for (int round = 0; round < 2; round++) {
    for (uint32_t i = 0; i < 1000; i++) {
      fn_article_ids article = make_article(i % 40, i % 63);
      assert_ok(fn_batch_append(&batch, &info, &article, 0, &wide, (int32_t)(i % 3) - 1, (float)i, i + 1, i + 2, &err));
    }
    int32_t at = 0;
    for (uint32_t i = 0; i < 1000; i++) {
      fn_article_ids article = make_article(i % 40, i % 63);
      assert_int_equal(batch.offsets[i], at);
      assert_int_equal(batch.ids[at], 1);
      if (i % 40) assert_int_equal(batch.ids[at + 1], 10);
      at += (int32_t)fn_sequence_length(&article, 0, &wide);
      assert_int_equal(batch.ids[at - 1], 2);
      assert_int_equal(batch.labels[i], (int32_t)(i % 3) - 1);
      assert_true(batch.weights[i] == (float)i);
      assert_int_equal(batch.draws[i], i + 1);
      assert_int_equal(batch.rows[i], i + 2);
    }
    assert_int_equal(batch.offsets[1000], at);
    assert_int_equal(batch.T, at);
    const int32_t *before = batch.ids;
    fn_batch_reset(&batch);
    assert_true(batch.B == 0 && batch.T == 0 && batch.longest == 0 && batch.ids == before);
  }
  fn_batch_deinit(&batch);
}

/* More tokens than a batch can number: refused, and the batch is as it was. */
static void test_limit(void **state) {
  (void)state;
  fn_err err = {0};
  fn_batch batch;
  fn_batch_init(&batch);
  append(&batch, make_article(2, 3), 0, both);
  int32_t T = batch.T;
  batch.T = INT_MAX - 7; /* one short of the room that 8 more tokens need */
  fn_article_ids article = make_article(2, 3);
  assert_status(fn_batch_append(&batch, &info, &article, 0, &both, 0, 1, 0, 0, &err), FN_E_LIMIT);
  assert_int_equal(batch.B, 1);
  assert_int_equal(batch.T, INT_MAX - 7);
  batch.T = T;
  fn_batch_deinit(&batch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forms),  cmocka_unit_test(test_cut),   cmocka_unit_test(test_random_lengths),
      cmocka_unit_test(test_growth), cmocka_unit_test(test_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
