/* Invented rows and folders for the tests of prepared datasets. */
#ifndef FN_TESTS_UNIT_DATA_ROWS_H
#define FN_TESTS_UNIT_DATA_ROWS_H

#include "../test.h"
#include "data/data.h"

#include <stdio.h>
#include <unistd.h>

/* A new empty folder; path[64]. */
static inline const char *make_folder(char *path) {
  strcpy(path, "/tmp/fn-data-XXXXXX");
  assert_non_null(mkdtemp(path));
  return path;
}

/* The same in memory where that is possible: for tests that write their files again and again. */
static inline const char *make_quick_folder(char *path) {
  strcpy(path, "/dev/shm/fn-data-XXXXXX");
  return mkdtemp(path) ? path : make_folder(path);
}

static inline void remove_folder(const char *path) {
  fn_err err = {0};
  assert_ok(fn_dir_remove(path, &err));
}

/* dir/name in a buffer of the caller, [256]. */
static inline const char *in_folder(char *path, const char *dir, const char *name) {
  int length = snprintf(path, 256, "%s/%s", dir, name);
  assert_true(length > 0 && length < 256);
  return path;
}

/* Without fsync, unlike the library's own: tests damage many files. */
static inline void write_bytes(const char *path, const void *data, size_t length) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *dir, const char *name, const char *text) {
  char path[256];
  write_bytes(in_folder(path, dir, name), text, strlen(text));
}

/* Row i of an invented dataset: a function of (seed, i). texts[3] holds title, text and hash and lives with the row. */
typedef struct made_row {
  char title[128], text[4096], hash[33], source[32];
  fn_row row;
} made_row;

static inline void make_row(made_row *made, uint64_t seed, size_t i) {
  static const char *const words[] = {"the",   "council",    "voted", "Überraschung", "on", "中文",
                                      "taxes", "\"quoted\"", "🙂",  "line\nbreak",  "a",  "mayor",
                                      "storm", "said",       "never", "again"};
  fn_rng rng = fn_rng_make(seed, i);
  char *const fields[2] = {made->title, made->text};
  const size_t sizes[2] = {sizeof made->title, sizeof made->text};
  for (int f = 0; f < 2; f++) {
    size_t n = (size_t)fn_rng_below(&rng, f ? 200 : 12), at = 0;
    if (f == 0 && i % 7 == 3) n = 0; /* some titles are missing */
    for (size_t w = 0; w < n && at + 32 < sizes[f]; w++)
      at += (size_t)snprintf(fields[f] + at, sizes[f] - at, "%s%s", w ? " " : "",
                             words[fn_rng_below(&rng, sizeof words / sizeof words[0])]);
    fields[f][at] = 0;
  }
  snprintf(made->hash, sizeof made->hash, "%016llx%016llx", (unsigned long long)seed, (unsigned long long)i);
  made->source[0] = 0;
  if (i % 5) snprintf(made->source, sizeof made->source, "site-%u.example", (unsigned)(i % 9));
  made->row = (fn_row){.title = fn_str_from(made->title),
                       .text = fn_str_from(made->text),
                       .dataset = fn_str_from(i % 3 ? "alpha" : "beta"),
                       .source = fn_str_from(made->source),
                       .label = (int32_t)(i % 2),
                       .cluster = (int64_t)(i / 2),
                       .row = (int64_t)i,
                       .hash = fn_str_make(made->hash, 32)};
}

static const size_t made_counts[FN_SPLIT_COUNT] = {1050, 0, 120};

/* Writes made_counts rows of (seed, i), i counted within the split and seed + split. */
static inline fn_hash128 write_dataset(const char *dir, uint64_t seed) {
  fn_err err = {0};
  fn_dataset_writer *writer;
  fn_hash128 hash;
  made_row made;
  assert_ok(fn_dataset_writer_create(&writer, dir, &err));
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < made_counts[s]; i++) {
      make_row(&made, seed + (uint64_t)s, i);
      assert_ok(fn_dataset_writer_append(writer, (fn_split)s, &made.row, &err));
    }
  assert_ok(fn_dataset_writer_finish(writer, &hash, &err));
  fn_dataset_writer_destroy(writer);
  return hash;
}

static inline void assert_same_text(fn_str a, fn_str b) {
  if (!fn_str_equal(a, b)) fail_msg("\"%.*s\" is not \"%.*s\"", (int)a.length, a.data, (int)b.length, b.data);
}

#endif
