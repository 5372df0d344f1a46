#include "rows.h"

#include "data/select.h"

#include <inttypes.h>

static fn_dataset *open_made(char *dir, uint64_t seed) {
  fn_err err = {0};
  fn_dataset *dataset;
  write_dataset(make_folder(dir), seed);
  assert_ok(fn_dataset_open(&dataset, dir, &err));
  return dataset;
}

/* Every row of the index against the dataset. */
static void assert_index(const fn_row_index *index, const fn_dataset *dataset, fn_split split) {
  size_t labels[2] = {0}, groups[16] = {0};
  assert_true(index->n_datasets <= 8);
  for (size_t i = 0; i < index->n; i++) {
    fn_row row;
    char cluster[32];
    fn_dataset_get(&row, dataset, split, index->rows[i]);
    if (i) assert_true(index->rows[i] > index->rows[i - 1]);
    assert_int_equal(index->labels[i], row.label);
    assert_true(index->dataset_ids[i] < index->n_datasets && index->source_ids[i] < index->n_sources);
    assert_true(fn_str_is(row.dataset, index->dataset_names[index->dataset_ids[i]]));
    snprintf(cluster, sizeof cluster, "cluster %" PRId64, row.cluster);
    const char *source = index->source_names[index->source_ids[i]];
    assert_true(fn_str_is(row.source, source) || (row.source.length == 0 && strcmp(source, cluster) == 0));
    labels[row.label]++;
    groups[fn_row_index_group(index, i)]++;
  }
  for (size_t l = 0; l < 2; l++) assert_int_equal(labels[l], index->label_counts[l]);
  for (size_t g = 0; g < 2 * index->n_datasets; g++) assert_int_equal(groups[g], index->group_counts[g]);
  for (size_t a = 0; a < index->n_sources; a++)
    for (size_t b = a + 1; b < index->n_sources; b++)
      assert_true(strcmp(index->source_names[a], index->source_names[b]) != 0);
}

static void test_index(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  fn_dataset *dataset = open_made(dir, 3);
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    fn_row_index index;
    assert_ok(fn_row_index_build(&index, dataset, (fn_split)s, NULL, &err));
    assert_int_equal(index.n, made_counts[s]);
    assert_int_equal(index.n_datasets, 2); /* in every split the same ids */
    assert_string_equal(index.dataset_names[0], "alpha");
    assert_string_equal(index.dataset_names[1], "beta");
    assert_index(&index, dataset, (fn_split)s);
    if (s == FN_SPLIT_TRAIN) assert_true(index.n_sources > 9 && index.n_sources < 9 + made_counts[s] / 5 + 1);
    fn_row_index_deinit(&index);
    assert_null(index.rows);
  }
  fn_dataset_close(dataset);
  remove_folder(dir);
}

static void test_filter(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  fn_dataset *dataset = open_made(dir, 4);
  fn_row_index without, only;
  assert_ok(fn_row_index_build(&without, dataset, FN_SPLIT_TRAIN, &(fn_row_filter){.without = "beta"}, &err));
  assert_ok(fn_row_index_build(&only, dataset, FN_SPLIT_TRAIN, &(fn_row_filter){.only = "beta"}, &err));
  assert_index(&without, dataset, FN_SPLIT_TRAIN);
  assert_index(&only, dataset, FN_SPLIT_TRAIN);
  assert_int_equal(without.n + only.n, made_counts[FN_SPLIT_TRAIN]);
  assert_int_equal(only.n, 350); /* every third row */
  assert_int_equal(without.group_counts[2] + without.group_counts[3], 0);
  for (size_t i = 0; i < only.n; i++) assert_int_equal(only.dataset_ids[i], 1);
  fn_row_index_deinit(&without);
  fn_row_index_deinit(&only);
  assert_status(fn_row_index_build(&only, dataset, FN_SPLIT_TRAIN, &(fn_row_filter){.without = "gamma"}, &err),
                FN_E_INVALID);
  assert_string_equal(err.message, "there is no dataset \"gamma\" among the rows; there are: alpha, beta");
  fn_dataset_close(dataset);
  remove_folder(dir);
}

/* A source that is called as a cluster would be is not that cluster. */
static void test_cluster_names(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  fn_dataset_writer *writer;
  fn_dataset *dataset;
  fn_row_index index;
  made_row made;
  assert_ok(fn_dataset_writer_create(&writer, make_folder(dir), &err));
  const char *sources[] = {"cluster 1", "", "", "cluster 1", ""};
  const int64_t clusters[] = {0, 1, 2, 1, 1};
  for (size_t i = 0; i < 5; i++) {
    make_row(&made, 1, i);
    made.row.source = fn_str_from(sources[i]);
    made.row.cluster = clusters[i];
    assert_ok(fn_dataset_writer_append(writer, FN_SPLIT_TEST, &made.row, &err));
  }
  assert_ok(fn_dataset_writer_finish(writer, NULL, &err));
  fn_dataset_writer_destroy(writer);
  assert_ok(fn_dataset_open(&dataset, dir, &err));
  assert_ok(fn_row_index_build(&index, dataset, FN_SPLIT_TEST, NULL, &err));
  const uint32_t expected[] = {0, 1, 2, 0, 1};
  for (size_t i = 0; i < 5; i++) assert_int_equal(index.source_ids[i], expected[i]);
  assert_int_equal(index.n_sources, 3);
  assert_string_equal(index.source_names[1], "cluster 1");
  fn_row_index_deinit(&index);
  fn_dataset_close(dataset);
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_index),
      cmocka_unit_test(test_filter),
      cmocka_unit_test(test_cluster_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
