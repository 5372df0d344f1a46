/* Sorting beyond memory, and the temporary files below it. */
#include "data/sorter.h"

#include "rows.h"

#include <signal.h>
#include <sys/resource.h>

static int by_pair(const void *a, const void *b) {
  const fn_pair *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return (x->value > y->value) - (x->value < y->value);
}

/* Kinds of keys: all different, many equal, all equal, falling, only high or low bytes differ. */
static fn_pair make_pair(fn_rng *rng, int kind, size_t i) {
  switch (kind) {
  case 0: return (fn_pair){fn_rng_u64(rng), i};
  case 1: return (fn_pair){fn_rng_below(rng, 5), fn_rng_u64(rng)};
  case 2: return (fn_pair){42, i};
  case 3: return (fn_pair){1000000 - i, 1000000 - i};
  case 4: return (fn_pair){fn_rng_u64(rng) << 56, fn_rng_below(rng, 3)};
  default: return (fn_pair){fn_rng_below(rng, 256), fn_rng_u64(rng) << 60};
  }
}

static void sorts_in_memory_and_beyond(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  make_folder(dir);
  static const size_t sizes[] = {0, 1, 2, 99, 100, 101, 5000};
  for (int kind = 0; kind < 6; kind++)
    for (size_t s = 0; s < FN_COUNT_OF(sizes); s++) {
      size_t n = sizes[s];
      fn_rng rng = fn_rng_make(3, (uint64_t)kind);
      FN_AUTO_FREE fn_pair *expected = malloc((n + 1) * sizeof *expected);
      fn_sorter sorter; /* 100 pairs at a time: up to 50 runs */
      fn_sorter_init(&sorter, dir, 100);
      for (size_t i = 0; i < n; i++) {
        expected[i] = make_pair(&rng, kind, i);
        assert_ok(fn_sorter_add(&sorter, expected[i].key, expected[i].value, &err));
      }
      if (n) qsort(expected, n, sizeof *expected, by_pair);
      assert_ok(fn_sorter_finish(&sorter, &err));
      fn_pair pair;
      bool more;
      for (size_t i = 0; i < n; i++) {
        assert_ok(fn_sorter_next(&pair, &more, &sorter, &err));
        assert_true(more);
        assert_memory_equal(&pair, &expected[i], sizeof pair);
      }
      assert_ok(fn_sorter_next(&pair, &more, &sorter, &err));
      assert_false(more);
      fn_sorter_deinit(&sorter);
    }
  remove_folder(dir);
}

static void temporary_files_have_no_name(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  make_folder(dir);
  fn_spill spill = {0};
  assert_ok(fn_spill_open(&spill, dir, &err));
  static char large[300000];
  for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 7 % 251);
  assert_ok(fn_spill_append(&spill, "abc", 3, &err));
  assert_ok(fn_spill_append(&spill, large, sizeof large, &err)); /* more than the buffer */
  assert_ok(fn_spill_append(&spill, "xyz", 3, &err));
  assert_ok(fn_spill_flush(&spill, &err));
  assert_int_equal(spill.size, sizeof large + 6);
  static char back[sizeof large];
  assert_ok(fn_spill_read(&spill, 3, back, sizeof back, &err));
  assert_memory_equal(back, large, sizeof back);
  fn_spill_cursor cursor;
  assert_ok(fn_spill_cursor_init(&cursor, &spill, 0, spill.size, 4096, &err));
  const void *item;
  bool more;
  assert_ok(fn_spill_next(&item, &more, &cursor, 3, &err));
  assert_memory_equal(item, "abc", 3);
  for (size_t at = 0; at < sizeof large; at += 100) {
    assert_ok(fn_spill_next(&item, &more, &cursor, 100, &err));
    assert_true(more);
    assert_memory_equal(item, large + at, 100);
  }
  assert_ok(fn_spill_next(&item, &more, &cursor, 3, &err));
  assert_memory_equal(item, "xyz", 3);
  assert_ok(fn_spill_next(&item, &more, &cursor, 1, &err));
  assert_false(more);
  fn_spill_cursor_deinit(&cursor);
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, dir, &err));
  assert_int_equal(n, 0);
  free(names);
  assert_status(fn_spill_read(&spill, spill.size, back, 1, &err), FN_E_IO); /* behind the end */
  fn_spill_close(&spill);
  fn_spill_close(&spill); /* harmless */
  assert_status(fn_spill_open(&spill, "/nowhere/at/all", &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "/nowhere/at/all");
  remove_folder(dir);
}

/* A bound on the size of files stands for a full disk: the error says where and why, through the sorter too. */
static void a_full_disk_is_an_error(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  make_folder(dir);
  struct rlimit old, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = (struct rlimit){1 << 16, old.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  fn_sorter sorter;
  fn_sorter_init(&sorter, dir, 100);
  fn_status status = FN_OK;
  for (uint64_t i = 0; i < 100000 && status == FN_OK; i++) status = fn_sorter_add(&sorter, i, i, &err);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, FN_E_IO);
  assert_contains(err.message, "a temporary file");
  assert_contains(err.message, dir);
  fn_sorter_deinit(&sorter);
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sorts_in_memory_and_beyond),
      cmocka_unit_test(temporary_files_have_no_name),
      cmocka_unit_test(a_full_disk_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
