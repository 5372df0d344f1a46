#include "../test.h"
#include "data/duplicates.h"
#include "data/words.h"

#include <math.h>
#include <stdio.h>

static fn_hash128 hash_of(const char *title, const char *text) {
  fn_err err = {0};
  fn_hash128 hash;
  fn_buf FN_AUTO_BUF scratch = {0};
  assert_ok(fn_text_hash(&hash, fn_str_from(title), fn_str_from(text), &scratch, &err));
  return hash;
}

static bool same_hash(fn_hash128 a, fn_hash128 b) {
  return a.high == b.high && a.low == b.low;
}

static void normalises(void **state) {
  (void)state;
  fn_buf FN_AUTO_BUF out = {0};
  fn_text_normalise(&out, fn_str_from(" \t A\r\n\xC2\xA0 B\xE2\x80\x83"
                                      "C\xC3\x84 "));
  assert_string_equal(out.data, "a b c\xC3\x84");
  fn_text_normalise(&out, fn_str_from("  x"));
  assert_string_equal(out.data, "a b c\xC3\x84x");
  assert_true(same_hash(hash_of("A b", " c\n"), hash_of("a  B", "C")));
  assert_false(same_hash(hash_of("a", "b c"), hash_of("a b", "c")));
  assert_false(same_hash(hash_of("a", ""), hash_of("", "a")));
  assert_false(same_hash(hash_of("don't", ""), hash_of("don t", "")));
  assert_true(fn_text_is_empty(fn_str_from(" \n\xC2\xA0\xEF\xBB\xBF\xE2\x80\x8B")));
  assert_true(fn_text_is_empty(fn_str_from("")));
  assert_false(fn_text_is_empty(fn_str_from(" .")));
}

static void words_of(fn_words *words, const char *text) {
  fn_err err = {0};
  words->n = 0;
  assert_ok(fn_words_append(words, fn_str_from(text), &err));
}

static void splits_words(void **state) {
  (void)state;
  fn_words a = {0}, b = {0};
  static const struct {
    const char *a, *b;
    size_t n;
  } cases[] = {
      {"Don't stop", "don \xE2\x80\x99t, STOP!", 3},
      {"a-b\xE2\x80\x94"
       "c",
       "a b c", 3},
      {"\xE4\xB8\xAD\xE6\x96\x87", "\xE4\xB8\xAD \xE6\x96\x87", 2},
      {"\xC3\x9C"
       "ber 10 km",
       "\xC3\x9C"
       "BER 10KM",
       0},
      {"...", "", 0},
      {"#\xF0\x9F\x99\x82tag", "tag", 1},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    words_of(&a, cases[i].a);
    words_of(&b, cases[i].b);
    if (cases[i].n || !*cases[i].b) {
      assert_int_equal(a.n, cases[i].n);
      assert_int_equal(b.n, cases[i].n);
      if (a.n) assert_memory_equal(a.hashes, b.hashes, a.n * sizeof *a.hashes);
    } else {
      assert_int_not_equal(a.n, b.n);
    }
  }
  char run[201];
  memset(run, 'x', 200);
  run[200] = 0;
  words_of(&a, run); /* pieces of 64 bytes */
  assert_int_equal(a.n, 4);
  free(a.hashes);
  free(b.hashes);
  assert_int_equal(fn_words_count(fn_str_from("  two words ")), 2);
  assert_int_equal(fn_words_count(fn_str_from("")), 0);
}

static void chooses_bands(void **state) {
  (void)state;
  for (int percent = 30; percent <= 100; percent += 5) {
    double t = percent / 100.0;
    fn_minhash_bands bands = fn_minhash_choose(t);
    assert_true(bands.n_bands * bands.rows <= FN_MINHASH_BINS && bands.rows >= 1);
    double found = 1 - pow(1 - pow(t, bands.rows), bands.n_bands);
    if (found < 0.995) fail_msg("threshold %g: %u x %u finds %g", t, bands.n_bands, bands.rows, found);
    if (t > 0.45) assert_true(bands.rows > 1); /* selective enough to be of use */
  }
}

static void jaccard(void **state) {
  (void)state;
  uint32_t a[] = {1, 3, 5, 7}, b[] = {3, 4, 5, 6, 7};
  assert_true(fn_jaccard(a, 4, b, 5) == 0.5);
  assert_true(fn_jaccard(a, 4, a, 4) == 1);
  assert_true(fn_jaccard(a, 4, b, 0) == 0);
  assert_true(fn_jaccard(a, 0, b, 0) == 0);
}

enum { ROWS = 1200, LENGTH = 120 };
typedef struct corpus {
  char texts[ROWS][LENGTH * 8];
} corpus;

static fn_status texts_of(void *arg, uint32_t i, fn_str *first, fn_str *second, fn_err *err) {
  (void)err;
  const corpus *c = arg;
  *first = fn_str_make("", 0);
  *second = fn_str_from(c->texts[i]);
  return FN_OK;
}

static bool is_last(void *arg, uint32_t i) {
  (void)arg;
  return i == 5;
}

/* Sketches and joins rows [0, n), adding `step` of them at a time. */
static fn_status join(fn_near_counts *counts, fn_clusters *clusters, corpus *c, size_t n, size_t step, double threshold,
                      fn_near_skip skip, fn_pool *pool, bool (*stop)(void)) {
  fn_err err = {0};
  fn_near *near;
  fn_words words = {0};
  assert_ok(fn_near_create(&near, threshold, "/tmp", &err));
  assert_ok(fn_clusters_init(clusters, n, &err));
  size_t n_bands = fn_near_n_bands(near);
  uint64_t *keys = malloc(step * n_bands * sizeof *keys);
  uint32_t *rows = malloc(step * sizeof *rows);
  for (size_t begin = 0; begin < n; begin += step) {
    size_t n_rows = 0;
    for (size_t i = begin; i < n && i < begin + step; i++) {
      bool any;
      fn_str text = fn_str_from(c->texts[i]);
      assert_ok(fn_near_sketch(keys + n_rows * n_bands, &any, near, &words, fn_str_make("", 0), text, &err));
      rows[n_rows] = (uint32_t)i;
      n_rows += any;
    }
    assert_ok(fn_near_add(near, rows, keys, n_rows, pool, &err));
  }
  fn_status status = fn_near_join(counts, near, clusters, texts_of, skip, c, stop, &err);
  free(keys);
  free(rows);
  free(words.hashes);
  fn_near_destroy(near);
  return status;
}

/* Every third text is fresh; the two behind it are copies of it with ever more words changed. */
static void make_corpus(corpus *c) {
  uint32_t words[LENGTH];
  for (size_t i = 0; i < ROWS; i++) {
    fn_rng rng = fn_rng_make(3, i);
    size_t changes = i % 3 == 0 ? LENGTH : (i / 3) % 12;
    for (size_t w = 0; w < changes; w++) {
      size_t at = i % 3 == 0 ? w : (size_t)fn_rng_below(&rng, LENGTH);
      words[at] = fn_rng_u32(&rng) % 5000;
    }
    size_t length = 0;
    for (size_t w = 0; w < LENGTH; w++)
      length += (size_t)snprintf(c->texts[i] + length, sizeof c->texts[i] - length, "%u ", words[w]);
  }
}

static void check_threshold(corpus *c, double threshold, fn_pool *pool) {
  fn_err err = {0};
  fn_clusters got = {0}, expected = {0};
  fn_near_counts counts;
  assert_ok(join(&counts, &got, c, ROWS, pool ? 100 : ROWS, threshold, NULL, pool, NULL));
  assert_int_equal(counts.n_skipped, 0);
  /* All pairs of the same family by brute force, with word triples compared as numbers. */
  size_t pairs = 0, missed = 0;
  assert_ok(fn_clusters_init(&expected, ROWS, &err));
  for (size_t i = 0; i < ROWS; i++)
    for (size_t k = i + 1; k < ROWS && k < i + 3; k++) {
      fn_words a = {0}, b = {0};
      words_of(&a, c->texts[i]);
      words_of(&b, c->texts[k]);
      size_t common = 0;
      for (size_t x = 0; x + 3 <= a.n; x++)
        for (size_t y = 0; y + 3 <= b.n; y++)
          if (memcmp(a.hashes + x, b.hashes + y, 3 * sizeof *a.hashes) == 0) {
            common++;
            break;
          }
      double similarity = (double)common / (double)(2 * (LENGTH - 2) - common);
      if (similarity >= threshold) {
        pairs++;
        fn_clusters_join(&expected, (uint32_t)i, (uint32_t)k);
        missed += fn_clusters_find(&got, (uint32_t)i) != fn_clusters_find(&got, (uint32_t)k);
      }
      free(a.hashes);
      free(b.hashes);
    }
  assert_true(pairs > 100);
  if ((double)missed > 0.01 * (double)pairs) fail_msg("%zu of %zu pairs missed", missed, pairs);
  for (uint32_t i = 0; i < ROWS; i++) /* nothing is joined that should not be */
    assert_int_equal(fn_clusters_find(&expected, fn_clusters_find(&got, i)), fn_clusters_find(&expected, i));
  fn_clusters_deinit(&got);
  fn_clusters_deinit(&expected);
}

static void finds_near_copies(void **state) {
  (void)state;
  fn_err err = {0};
  corpus *c = malloc(sizeof *c);
  make_corpus(c);
  fn_pool *pool;
  assert_ok(fn_pool_create(&pool, 3, &err));
  check_threshold(c, 0.8, pool);
  check_threshold(c, 0.5, NULL);
  fn_pool_destroy(pool);
  free(c);
}

static void short_texts(void **state) {
  (void)state;
  fn_err err = {0};
  corpus *c = calloc(1, sizeof *c);
  strcpy(c->texts[0], "Two words");
  strcpy(c->texts[1], "two, WORDS!");
  strcpy(c->texts[2], "words two");
  strcpy(c->texts[3], "!!!");
  strcpy(c->texts[4], "???");
  strcpy(c->texts[5], "two words");
  fn_clusters clusters;
  fn_near_counts counts;
  assert_ok(join(&counts, &clusters, c, 6, 6, 0.8, is_last, NULL, NULL));
  uint32_t expected[] = {0, 0, 2, 3, 4, 5};
  for (uint32_t i = 0; i < 6; i++) assert_int_equal(fn_clusters_find(&clusters, i), expected[i]);
  fn_clusters_deinit(&clusters);
  free(c);
}

/* Thousands of rows in one band, no two of them alike enough: the work is bounded and what is left out is counted. */
static void crowded_bands_are_bounded(void **state) {
  (void)state;
  fn_err err = {0};
  corpus *c = calloc(1, sizeof *c);
  for (size_t i = 0; i < ROWS; i++) {
    size_t length = 0;
    for (size_t w = 0; w < 40; w++) length += (size_t)sprintf(c->texts[i] + length, "same%zu ", w);
    for (size_t w = 0; w < 40; w++) length += (size_t)sprintf(c->texts[i] + length, "own%zu ", i * 100 + w);
  }
  fn_clusters clusters;
  fn_near_counts counts;
  assert_ok(join(&counts, &clusters, c, ROWS, ROWS, 0.5, NULL, NULL, NULL));
  assert_true(counts.n_candidates > 0 && counts.n_candidates < (uint64_t)ROWS * 64 * 42);
  assert_true(counts.n_skipped > 0);
  assert_int_equal(counts.n_pairs, 0);
  for (uint32_t i = 0; i < ROWS; i++) assert_int_equal(fn_clusters_find(&clusters, i), i);
  fn_clusters_deinit(&clusters);
  free(c);
}

static bool always(void) {
  return true;
}

static void can_be_stopped(void **state) {
  (void)state;
  corpus *c = calloc(1, sizeof *c);
  fn_clusters clusters;
  fn_near_counts counts;
  assert_int_equal(join(&counts, &clusters, c, 10, 10, 0.8, NULL, NULL, always), FN_E_CANCELLED);
  fn_clusters_deinit(&clusters);
  free(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(normalises),
      cmocka_unit_test(splits_words),
      cmocka_unit_test(chooses_bands),
      cmocka_unit_test(jaccard),
      cmocka_unit_test(finds_near_copies),
      cmocka_unit_test(short_texts),
      cmocka_unit_test(crowded_bands_are_bounded),
      cmocka_unit_test(can_be_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
