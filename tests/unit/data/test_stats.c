#include "../test.h"
#include "data/stats.h"
#include "data/token_cache.h"
#include "rows.h"

/* Five rows whose lengths, sources and clusters are known. */
static void write_small(const char *dir) {
  fn_err err = {0};
  fn_dataset_writer *writer;
  static const struct {
    fn_split split;
    const char *title, *text, *source, *dataset;
    int label, cluster;
  } rows[] = {
      {FN_SPLIT_TRAIN, "a b", "c d e", "s1", "x", 0, 0},    {FN_SPLIT_TRAIN, "a", "", "s2", "x", 1, 1},
      {FN_SPLIT_TRAIN, "", "b c", "s2", "y", 1, 1},         {FN_SPLIT_VALIDATION, "a", "b", "", "y", 0, 3},
      {FN_SPLIT_TEST, "a", "b c d e f g", "s2", "y", 0, 4},
  };
  assert_ok(fn_dataset_writer_create(&writer, dir, &err));
  for (size_t i = 0; i < FN_COUNT_OF(rows); i++) {
    fn_row row = {.title = fn_str_from(rows[i].title),
                  .text = fn_str_from(rows[i].text),
                  .dataset = fn_str_from(rows[i].dataset),
                  .source = fn_str_from(rows[i].source),
                  .label = rows[i].label,
                  .cluster = rows[i].cluster,
                  .row = (int64_t)i,
                  .hash = fn_str_from("00112233445566778899aabbccddeeff")};
    assert_ok(fn_dataset_writer_append(writer, rows[i].split, &row, &err));
  }
  assert_ok(fn_dataset_writer_finish(writer, NULL, &err));
  fn_dataset_writer_destroy(writer);
}

static void counts(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  write_small(make_folder(dir));
  fn_dataset_stats *stats;
  assert_ok(fn_dataset_stats_compute(&stats, dir, &err));
  const fn_stats_report *r = fn_dataset_stats_report(stats);
  const uint64_t rows[3][2] = {{1, 2}, {1, 0}, {1, 0}};
  assert_memory_equal(r->n_rows, rows, sizeof rows);
  assert_int_equal(r->words[0].n, 3);
  assert_float_equal(r->words[0].mean, 8.0 / 3, 1e-12);
  assert_int_equal(r->words[0].at[0], 1);
  assert_int_equal(r->words[0].at[3], 2);
  assert_int_equal(r->words[0].at[6], 5);
  assert_int_equal(r->words[3].n, 5);
  assert_int_equal(r->words[3].at[6], 7);
  assert_int_equal(r->n_sets, 2);
  assert_int_equal(r->sets[1].n_rows[2][0], 1);
  assert_int_equal(r->n_sources, 2);
  assert_true(fn_str_is(r->sources[0].name, "s2"));
  assert_int_equal(r->sources[0].n_rows[0], 1);
  assert_int_equal(r->sources[0].n_rows[1], 2);
  assert_int_equal(r->n_no_source[0], 1);
  assert_int_equal(r->n_clusters, 1);
  assert_int_equal(r->n_cluster_rows, 2);
  assert_false(r->has_tokens);
  fn_buf FN_AUTO_BUF json = {0};
  fn_dataset_stats_format_json(&json, r, 1);
  json_t *value;
  assert_ok(fn_json_parse(&value, fn_buf_str(&json), "stats", &err));
  assert_int_equal(json_array_size(json_object_get(json_object_get(value, "sources"), "top")), 1);
  json_decref(value);
  fn_dataset_stats_destroy(stats);
  remove_folder(dir);
}

/* One id per letter. */
static fn_status encode_letters(fn_tokens *tokens, const void *arg, fn_str text, fn_err *err) {
  (void)arg;
  tokens->n = 0;
  for (size_t i = 0; i < text.length; i++) {
    if (text.data[i] == ' ') continue;
    FN_TRY(
        fn_mem_grow((void **)&tokens->ids, &tokens->capacity, tokens->n + 1, sizeof *tokens->ids, 1 << 20, "ids", err));
    tokens->ids[tokens->n++] = text.data[i];
  }
  return FN_OK;
}

static void finds_the_token_cache(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  write_small(make_folder(dir));
  fn_dataset *dataset;
  fn_token_cache *cache;
  fn_encoder encoder = {encode_letters, NULL, {0x1234, 0x5678}, 128};
  assert_ok(fn_dataset_open(&dataset, dir, &err));
  assert_ok(fn_token_cache_open_with(&cache, dataset, &encoder, NULL, &err));
  fn_token_cache_close(cache);
  fn_dataset_close(dataset);
  fn_dataset_stats *stats;
  assert_ok(fn_dataset_stats_compute(&stats, dir, &err));
  const fn_stats_report *r = fn_dataset_stats_report(stats);
  assert_true(r->has_tokens);
  assert_true(fn_str_is(r->tokenizer, "00000000000012340000000000005678"));
  assert_int_equal(r->tokens[0].at[0], 3); /* [CLS] a [SEP] */
  assert_int_equal(r->tokens[0].at[6], 8); /* 5 letters and three special tokens */
  assert_int_equal(r->tokens[2].at[0], 10);
  assert_float_equal(r->over[0], 0, 0);
  fn_dataset_stats_destroy(stats);
  /* A damaged cache is not used and not repaired here. */
  char folder[256], path[256];
  char **names;
  size_t n;
  in_folder(folder, dir, "cache");
  assert_ok(fn_dir_list(&names, &n, folder, &err));
  assert_int_equal(n, 1);
  fn_buf FN_AUTO_BUF bytes = {0};
  assert_ok(fn_file_read(&bytes, in_folder(path, folder, names[0]), 1 << 20, &err));
  bytes.data[bytes.length - 1] ^= 1;
  assert_ok(fn_file_write(path, bytes.data, bytes.length, &err));
  assert_ok(fn_dataset_stats_compute(&stats, dir, &err));
  assert_false(fn_dataset_stats_report(stats)->has_tokens);
  fn_dataset_stats_destroy(stats);
  free(names);
  remove_folder(dir);
}

static void refuses_other_folders(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  make_folder(dir);
  fn_dataset_stats *stats;
  assert_int_not_equal(fn_dataset_stats_compute(&stats, dir, &err), FN_OK);
  assert_true(fn_status_exit_code(err.status) == 2);
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts),
      cmocka_unit_test(finds_the_token_cache),
      cmocka_unit_test(refuses_other_folders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
