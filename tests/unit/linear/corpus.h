/* Invented articles for the tests of src/linear: words drawn from a small vocabulary, some of them more often in one
 * class. A pure function of the seed. */
#ifndef FN_TESTS_LINEAR_CORPUS_H
#define FN_TESTS_LINEAR_CORPUS_H

#include "linear/linear.h"

typedef struct corpus {
  fn_linear_row *rows; /* [n] in the arena */
  size_t n;
  fn_arena arena;
} corpus;

static inline void append_word(fn_buf *buf, fn_rng *rng, int label) {
  static const char *const neutral[] = {"the",   "a",     "council", "minister", "said", "on",  "Tuesday", "that",
                                        "new",   "rules", "would",   "apply",    "to",   "all", "schools", "and",
                                        "farms", "in",    "naïve",   "Zürich",   "2019", "1,5", "—",       "U.S."};
  static const char *const leaning[2][6] = {{"according", "spokesman", "percent", "statement", "reported", "officials"},
                                            {"SHOCKING", "truth", "exposed", "you", "WON'T", "believe!!!"}};
  bool lean = fn_rng_uniform(rng) < 0.10;
  int side = fn_rng_uniform(rng) < 0.8 ? label : 1 - label;
  fn_buf_append_str(buf, lean ? leaning[side][fn_rng_below(rng, 6)] : neutral[fn_rng_below(rng, FN_COUNT_OF(neutral))]);
}

static inline fn_str make_text(corpus *c, fn_rng *rng, int label, size_t n_words) {
  fn_buf buf;
  fn_buf_init(&buf, 0);
  for (size_t i = 0; i < n_words; i++) {
    if (i > 0) fn_buf_append_char(&buf, ' ');
    append_word(&buf, rng, label);
    if (fn_rng_below(rng, 9) == 0) fn_buf_append_char(&buf, '.');
  }
  fn_str text = fn_str_make(fn_arena_strndup(&c->arena, buf.data ? buf.data : "", buf.length), buf.length);
  fn_buf_deinit(&buf);
  return text;
}

static inline void corpus_init(corpus *c, size_t n, uint64_t seed) {
  fn_arena_init(&c->arena);
  c->n = n;
  c->rows = fn_arena_alloc(&c->arena, n, sizeof *c->rows);
  for (size_t i = 0; i < n; i++) {
    fn_rng rng = fn_rng_make(seed, i);
    int label = fn_rng_below(&rng, 2) == 1;
    c->rows[i].title = make_text(c, &rng, label, fn_rng_below(&rng, 8));
    c->rows[i].text = make_text(c, &rng, label, fn_rng_below(&rng, 80));
    c->rows[i].label = label;
    c->rows[i].weight = 1.0;
  }
}

static inline void corpus_deinit(corpus *c) {
  fn_arena_deinit(&c->arena);
}

#endif
