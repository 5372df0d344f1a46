/* Windows over long texts: every token of the text is read, every window is full and holds the same title. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "infer/internal.h"

static const int32_t ids[4096];

/* Length of window i as the batch makes it. */
static size_t window_length(const fn_windows *w, size_t i, size_t n_title, size_t n_text, fn_sequence_options *s) {
  const fn_article_ids article = {ids, ids, n_title, n_text};
  return fn_sequence_length(&article, fn_windows_begin(w, i), s);
}

static void test_by_hand(void **state) {
  (void)state;
  fn_sequence_options s = {FN_TEXT_TITLE_TEXT, 16}; /* [CLS] title [SEP] text [SEP]: 13 tokens */
  fn_windows w = fn_windows_plan(3, 10, &s, 64);
  assert_int_equal(w.n, 1); /* just fits */
  w = fn_windows_plan(3, 11, &s, 64);
  assert_int_equal(w.n, 2);
  assert_int_equal(fn_windows_begin(&w, 0), 0);
  assert_int_equal(fn_windows_begin(&w, 1), 1); /* the last window ends with the text */
  w = fn_windows_plan(3, 30, &s, 64);
  assert_int_equal(w.n, 3);
  assert_int_equal(fn_windows_begin(&w, 1), 10);
  assert_int_equal(fn_windows_begin(&w, 2), 20);
  w = fn_windows_plan(3, 1000, &s, 4); /* no more than asked for: 40 tokens are read */
  assert_int_equal(w.n, 4);
  assert_int_equal(fn_windows_begin(&w, 3), 30);
  w = fn_windows_plan(3, 1000, &s, 1); /* cut */
  assert_int_equal(w.n, 1);
  assert_int_equal(fn_windows_begin(&w, 0), 0);
  s.mode = FN_TEXT_TITLE; /* a title is cut, never read in windows */
  w = fn_windows_plan(100, 1000, &s, 64);
  assert_int_equal(w.n, 1);
  s.mode = FN_TEXT_TEXT; /* the title takes no room */
  w = fn_windows_plan(100, 28, &s, 64);
  assert_int_equal(w.n, 2);
  assert_int_equal(w.capacity, 14);
  assert_int_equal(fn_windows_plan(0, 0, &s, 64).n, 1);
}

static void test_all_sizes(void **state) {
  (void)state;
  for (int mode = 0; mode < 3; mode++) {
    for (int32_t max_tokens = 8; max_tokens <= 21; max_tokens += 13) {
      fn_sequence_options s = {(fn_text_mode)mode, max_tokens};
      for (size_t n_title = 0; n_title < 50; n_title += 1 + n_title / 7) {
        for (size_t n_text = 0; n_text < 120; n_text++) {
          fn_windows w = fn_windows_plan(n_title, n_text, &s, 1000);
          assert_true(w.n >= 1);
          size_t read = 0; /* tokens of the text read so far, without a gap */
          for (size_t i = 0; i < w.n; i++) {
            size_t begin = fn_windows_begin(&w, i), length = window_length(&w, i, n_title, n_text, &s);
            assert_true(begin <= read);
            assert_true(length <= (size_t)max_tokens);
            if (w.n > 1) assert_int_equal(length, max_tokens);
            if (w.n > 1 && i + 1 < w.n) assert_true(fn_windows_begin(&w, i + 1) > begin);
            read = begin + w.capacity;
          }
          if (mode != FN_TEXT_TITLE) assert_true(read >= n_text);
        }
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_all_sizes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
