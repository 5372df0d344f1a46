/* Invented datasets without meaning: words drawn at random, the same way for both labels, and one thing planted that
 * gives the label away. A pure function of the seed. */
#ifndef FN_TESTS_UNIT_AUDIT_PLANTED_H
#define FN_TESTS_UNIT_AUDIT_PLANTED_H

#include "../data/rows.h"
#include "audit/audit.h"

typedef enum plant { PLANT_NOTHING, PLANT_WORD, PLANT_LENGTH, PLANT_SOURCE, PLANT_DATASET, PLANT_COPIES } plant;

static const size_t planted_rows[FN_SPLIT_COUNT] = {600, 150, 300};

/* One row in 20 has the sign of the other label. */
static inline int sign_of(fn_rng *rng, int label) {
  return fn_rng_below(rng, 20) == 0 ? 1 - label : label;
}

static inline void add_words(fn_buf *out, fn_rng *rng, size_t n) {
  for (size_t i = 0; i < n; i++) {
    fn_buf_printf(out, "%sw%u", i ? " " : "", (unsigned)fn_rng_below(rng, 400));
    if (i % 11 == 10) fn_buf_append_char(out, '.');
  }
}

static inline fn_status write_planted_row(fn_dataset_writer *writer, plant what, int split, size_t i, uint64_t seed,
                                          fn_err *err) {
  fn_rng rng = fn_rng_make(seed + (uint64_t)split, i);
  int label = (int)fn_rng_below(&rng, 2), sign = sign_of(&rng, label);
  fn_buf FN_AUTO_BUF title = {0}, text = {0};
  char source[32], dataset[16] = "one", hash[33];
  snprintf(source, sizeof source, "site%u",
           (unsigned)(what == PLANT_SOURCE ? 2 * fn_rng_below(&rng, 6) + (uint64_t)sign : fn_rng_below(&rng, 12)));
  if (what == PLANT_DATASET) snprintf(dataset, sizeof dataset, "set%d", sign);
  add_words(&title, &rng, 6);
  size_t n_words = 30 + (size_t)fn_rng_below(&rng, 40);
  if (what == PLANT_LENGTH && sign == 1) n_words += 60;
  if (what == PLANT_COPIES && split == FN_SPLIT_TEST && i < 30) { /* the text of a row of train */
    fn_rng other = fn_rng_make(seed, i);
    label = (int)fn_rng_below(&other, 2);
    (void)sign_of(&other, label);
    (void)fn_rng_below(&other, 12);
    fn_buf FN_AUTO_BUF unused = {0};
    add_words(&unused, &other, 6);
    add_words(&text, &other, 30 + (size_t)fn_rng_below(&other, 40));
  } else {
    add_words(&text, &rng, n_words);
  }
  if (what == PLANT_WORD && sign == 1) fn_buf_append_str(&text, " Zebra");
  snprintf(hash, sizeof hash, "%016x%016zx", (unsigned)split, i);
  fn_row row = {.title = fn_buf_str(&title),
                .text = fn_buf_str(&text),
                .dataset = fn_str_from(dataset),
                .source = fn_str_from(source),
                .label = label,
                .cluster = (int64_t)(i + 10000 * (size_t)split),
                .row = (int64_t)i,
                .hash = fn_str_make(hash, 32)};
  return fn_dataset_writer_append(writer, (fn_split)split, &row, err);
}

static inline void write_planted(const char *dir, plant what, uint64_t seed) {
  fn_err err = {0};
  fn_dataset_writer *writer;
  assert_ok(fn_dataset_writer_create(&writer, dir, &err));
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < planted_rows[s]; i++) assert_ok(write_planted_row(writer, what, s, i, seed, &err));
  assert_ok(fn_dataset_writer_finish(writer, NULL, &err));
  fn_dataset_writer_destroy(writer);
}

#endif
