/* The fast path of encoding: masks of 64 bytes at every processor level against plain C, a cache of words against none,
 * cutting, and time that is linear in the text. */
#include "text/word_cache.h"
#include "vocab.h"

#include <time.h>

static const char *const level_names[FN_BLOCK_LEVELS] = {"plain", "avx2", "avx512"};

static void levels_agree(void **state) {
  (void)state;
  fn_byte_classes classes;
  fn_rng rng = fn_rng_make(7, 0);
  for (int round = 0; round < 200; round++) {
    for (int c = 0; c < 256; c++) classes.of[c] = (uint8_t)fn_rng_below(&rng, 4);
    fn_byte_classes_finish(&classes);
    unsigned char bytes[1 + FN_BLOCK_BYTES]; /* at an odd address */
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)fn_rng_below(&rng, round % 2 ? 128 : 256);
    fn_block expected;
    fn_block_classify_at(FN_BLOCK_PLAIN)(&expected, &classes, bytes + 1);
    for (unsigned i = 0; i < FN_BLOCK_BYTES; i++) {
      uint8_t class = bytes[1 + i] < 128 ? classes.of[bytes[1 + i]] : FN_BYTE_OTHER;
      assert_int_equal(expected.word >> i & 1, class == FN_BYTE_WORD);
      assert_int_equal(expected.punctuation >> i & 1, class == FN_BYTE_PUNCTUATION);
      assert_int_equal(expected.other >> i & 1, class == FN_BYTE_OTHER);
    }
    for (int level = FN_BLOCK_PLAIN + 1; level < FN_BLOCK_LEVELS; level++) {
      fn_block_classify classify = fn_block_classify_at((fn_block_level)level);
      if (!classify) {
        if (round == 0) print_message("skipped: this machine has no %s\n", level_names[level]);
        continue;
      }
      fn_block got;
      classify(&got, &classes, bytes + 1);
      assert_memory_equal(&got, &expected, sizeof got);
    }
  }
}

/* Words of the vocabulary's letters: one piece, several, none; of up to 80 bytes; with symbols and marks between. */
static void make_text(fn_buf *text, uint64_t seed, size_t n_words) {
  static const char *const parts[] = {"the", "news", "PAPER", "un", "a",  "aff", "able", "e", "c", "s",
                                      "o",   "l",    "x",     "k",  "zz", "7",   "1",    "q", "i", "unaff"};
  static const char *const between[] = {" ",   ", ",      ".",      "  \n", " - ",  "’",  "’ ",    " \u2003",
                                        " é ", "e\u0301", "\u00a0", "中",   "\x01", "$_", "\u1baa"};
  fn_rng rng = fn_rng_make(seed, 0);
  fn_buf_reset(text);
  for (size_t i = 0; i < n_words; i++) {
    for (uint64_t k = fn_rng_below(&rng, 4) ? 1 + fn_rng_below(&rng, 5) : 1 + fn_rng_below(&rng, 40); k; k--)
      fn_buf_append_str(text, parts[fn_rng_below(&rng, FN_COUNT_OF(parts))]);
    bool plain = fn_rng_below(&rng, 3) != 0;
    fn_buf_append_str(text, plain ? " " : between[fn_rng_below(&rng, FN_COUNT_OF(between))]);
  }
}

static void assert_same_tokens(const fn_tokens *a, const fn_tokens *b, size_t n) {
  assert_int_equal(a->n, n);
  if (n == 0) return;
  assert_memory_equal(a->ids, b->ids, n * sizeof *a->ids);
  assert_memory_equal(a->begin, b->begin, n * sizeof *a->begin);
  assert_memory_equal(a->end, b->end, n * sizeof *a->end);
}

/* A tokenizer whose masks come from another level. */
static fn_tokenizer *at_level(const char *config, fn_block_level level) {
  fn_tokenizer *t = make_vocab(vocab_text, config);
  t->classify = fn_block_classify_at(level);
  return t;
}

static void levels_caches_and_cuts_change_nothing(void **state) {
  (void)state;
  static const char *const configs[] = {"", "{\"do_lower_case\": false}"};
  fn_err err = {0};
  fn_buf FN_AUTO_BUF text = {0};
  fn_word_cache *cache;
  assert_ok(fn_word_cache_create(&cache, &err));
  for (size_t c = 0; c < FN_COUNT_OF(configs); c++) {
    fn_tokenizer *plain = at_level(configs[c], FN_BLOCK_PLAIN), *fast = make_vocab(vocab_text, configs[c]);
    fn_tokens expected = {0}, got = {0};
    for (uint64_t seed = 0; seed < 300; seed++) {
      make_text(&text, seed, 1 + (size_t)(seed % 40));
      /* A copy that ends where its memory ends, so that a sanitizer sees a byte too many. */
      FN_AUTO_FREE char *exact = malloc(text.length);
      memcpy(exact, text.data, text.length);
      fn_str s = fn_str_make(exact, text.length);
      assert_ok(fn_tokenizer_encode(&expected, plain, s, 0, &err));
      assert_ok(fn_tokenizer_encode_cached(&got, fast, cache, s, 0, &err));
      assert_same_tokens(&got, &expected, expected.n);
      assert_ok(fn_tokenizer_encode_cached(&got, plain, cache, s, 0, &err)); /* the same words again */
      assert_same_tokens(&got, &expected, expected.n);
      for (size_t max = 1; max < expected.n; max += 7) {
        assert_ok(fn_tokenizer_encode_cached(&got, fast, cache, s, max, &err));
        assert_same_tokens(&got, &expected, max);
      }
    }
    fn_tokens_deinit(&expected);
    fn_tokens_deinit(&got);
    fn_tokenizer_destroy(plain);
    fn_tokenizer_destroy(fast);
  }
  fn_word_cache_destroy(cache);
}

/* More different words than the cache has room for: what is thrown out comes back right. */
static void a_full_cache_forgets(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = make_vocab(vocab_text, "");
  fn_word_cache *cache;
  assert_ok(fn_word_cache_create(&cache, &err));
  fn_tokens expected = {0}, got = {0};
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t i = 0; i < 5U << FN_WORD_CACHE_BITS; i++) {
      char word[20] = "x";
      for (uint32_t k = 0; k < 17; k++) word[1 + k] = i >> k & 1 ? 'a' : 'e';
      fn_str s = fn_str_make(word, 4 + i % 13);
      assert_ok(fn_tokenizer_encode_cached(&got, t, cache, s, 0, &err));
      if (i % 16) continue;
      assert_ok(fn_tokenizer_encode(&expected, t, s, 0, &err));
      assert_same_tokens(&got, &expected, expected.n);
    }
  fn_tokens_deinit(&expected);
  fn_tokens_deinit(&got);
  fn_word_cache_destroy(cache);
  fn_tokenizer_destroy(t);
}

/* Processor time of the fastest of some calls, in seconds. */
static double time_of(const fn_tokenizer *t, const char *unit, size_t n_bytes) {
  fn_err err = {0};
  fn_buf FN_AUTO_BUF text = {0};
  fn_tokens tokens = {0};
  while (text.length < n_bytes) fn_buf_append_str(&text, unit);
  double best = 1e9;
  for (int i = 0; i < 3; i++) {
    clock_t begin = clock();
    assert_ok(fn_tokenizer_encode(&tokens, t, fn_buf_str(&text), 0, &err));
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    if (seconds < best) best = seconds;
  }
  fn_tokens_deinit(&tokens);
  return best;
}

/* Eight times the text takes eight times as long, give or take; what grew with the square would take 64 times. */
static void hostile_texts_take_linear_time(void **state) {
  (void)state;
  static const char *const units[] = {"a",
                                      " ",
                                      "\u0301",
                                      "\u1baa\u0316",
                                      "[",
                                      "[SEP",
                                      "the a",
                                      "a\u0301",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u0301",
                                      "é",
                                      "中",
                                      "\x01",
                                      "\xFF",
                                      "’a",
                                      "a'",
                                      "unaffablenews"};
  fn_tokenizer *t = make_vocab(vocab_text, "");
  for (size_t i = 0; i < FN_COUNT_OF(units); i++) {
    double small = time_of(t, units[i], 128 << 10), large = time_of(t, units[i], 1 << 20);
    if (large > 24 * small + 0.005) fail_msg("unit %zu: 128 KB in %g s, 1 MB in %g s", i, small, large);
    if (large > 2) fail_msg("unit %zu: 1 MB in %g s", i, large);
  }
  fn_tokenizer_destroy(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(levels_agree),
      cmocka_unit_test(levels_caches_and_cuts_change_nothing),
      cmocka_unit_test(a_full_cache_forgets),
      cmocka_unit_test(hostile_texts_take_linear_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
