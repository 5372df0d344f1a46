#include "rows.h"

#include "data/arrow.h"

static void test_round_trip(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  fn_dataset *dataset;
  fn_hash128 hash = write_dataset(make_folder(dir), 10);
  assert_ok(fn_dataset_open(&dataset, dir, &err));
  assert_string_equal(fn_dataset_dir(dataset), dir);
  fn_hash128 again = fn_dataset_hash(dataset);
  assert_true(hash.high == again.high && hash.low == again.low);
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    assert_int_equal(fn_dataset_n_rows(dataset, (fn_split)s), made_counts[s]);
    for (size_t i = 0; i < made_counts[s]; i++) {
      made_row made;
      fn_row row;
      make_row(&made, 10 + (uint64_t)s, i);
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      assert_same_text(row.title, made.row.title);
      assert_same_text(row.text, made.row.text);
      assert_same_text(row.dataset, made.row.dataset);
      assert_same_text(row.source, made.row.source);
      assert_same_text(row.hash, made.row.hash);
      assert_int_equal(row.label, made.row.label);
      assert_int_equal(row.cluster, made.row.cluster);
      assert_int_equal(row.row, made.row.row);
    }
  }
  fn_dataset_close(dataset);
  remove_folder(dir);
}

static void test_split_names(void **state) {
  (void)state;
  assert_string_equal(fn_split_name(FN_SPLIT_TRAIN), "train");
  assert_string_equal(fn_split_name(FN_SPLIT_VALIDATION), "validation");
  assert_string_equal(fn_split_name(FN_SPLIT_TEST), "test");
}

static void test_bad_rows(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  fn_dataset_writer *writer;
  made_row made;
  assert_ok(fn_dataset_writer_create(&writer, make_folder(dir), &err));
  make_row(&made, 1, 1);
  assert_ok(fn_dataset_writer_append(writer, FN_SPLIT_TRAIN, &made.row, &err));
  fn_row bad[7];
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) bad[i] = made.row;
  bad[0].label = 2;
  bad[1].label = -1;
  bad[2].cluster = -1;
  bad[3].row = -1;
  bad[4].hash = fn_str_from("0123");
  bad[5].hash = fn_str_from("ABCDEF0123456789ABCDEF0123456789");
  bad[6].text = fn_str_from("caf\xe9");
  const char *messages[] = {"label must be 0 or 1",       "label must be 0 or 1", "cluster must be 0 or more",
                            "row must be 0 or more",      "hash must have 32",    "hash must have 32",
                            "text is not UTF-8 at byte 3"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    assert_status(fn_dataset_writer_append(writer, FN_SPLIT_TRAIN, &bad[i], &err), FN_E_INVALID);
    assert_contains(err.message, "row 1 of train: ");
    assert_contains(err.message, messages[i]);
  }
  fn_dataset_writer_destroy(writer); /* before finish: no file stays */
  char path[256];
  fn_dataset *dataset = NULL;
  assert_false(fn_path_exists(in_folder(path, dir, "train/data-00000-of-00001.arrow")));
  assert_status(fn_dataset_open(&dataset, dir, &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "not a prepared dataset");
  assert_status(fn_dataset_open(&dataset, "/nonexistent/folder", &err), FN_E_NOT_FOUND);
  assert_null(dataset);
  remove_folder(dir);
}

/* The JSON files beside the streams, changed one at a time. */
static void test_bad_json(void **state) {
  (void)state;
  static const struct {
    const char *file, *text, *message;
    fn_status status;
  } cases[] = {
      {"dataset_dict.json", "[]", "dataset_dict.json: must be an object", FN_E_INVALID},
      {"dataset_dict.json", "{}", "splits must be a list", FN_E_INVALID},
      {"dataset_dict.json", "{\"splits\": [\"train\", \"dev\"]}", "unknown split \"dev\"", FN_E_INVALID},
      {"dataset_dict.json", "{\"splits\": [3]}", "unknown split", FN_E_INVALID},
      {"dataset_dict.json", "{\"splits\"", "dataset_dict.json", FN_E_INVALID},
      {"train/dataset_info.json", "{\"features\": {\"label\": {\"dtype\": \"int64\", \"_type\": \"Value\"}}}",
       "features.label must be a ClassLabel", FN_E_INVALID},
      {"train/dataset_info.json",
       "{\"features\": {\"label\": {\"names\": [\"fake\", \"real\"], \"_type\": \"ClassLabel\"}}}", "names real, fake",
       FN_E_INVALID},
      {"train/state.json", "{}", "_data_files must be a list", FN_E_INVALID},
      {"train/state.json", "{\"_data_files\": [{\"filename\": \"../test/data-00000-of-00001.arrow\"}]}",
       "_data_files[0].filename must be a name in the same folder", FN_E_INVALID},
      {"train/state.json", "{\"_data_files\": [{}]}", "_data_files[0].filename", FN_E_INVALID},
      {"train/state.json", "{\"_data_files\": [{\"filename\": \"none.arrow\"}]}", "train/none.arrow", FN_E_NOT_FOUND},
      {"train/state.json", "{\"_data_files\": [], \"_indices_data_files\": [{\"filename\": \"i.arrow\"}]}",
       "flatten_indices()", FN_E_UNSUPPORTED},
      {"validation/data-00000-of-00001.arrow", "", "damaged Arrow stream: cut off", FN_E_INVALID},
  };
  char dir[64], path[256];
  write_dataset(make_folder(dir), 1);
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_err err = {0};
    fn_dataset *dataset = NULL;
    FN_AUTO_BUF fn_buf before;
    fn_buf_init(&before, 0);
    assert_ok(fn_file_read(&before, in_folder(path, dir, cases[i].file), 64 << 20, &err));
    write_text(dir, cases[i].file, cases[i].text);
    assert_status(fn_dataset_open(&dataset, dir, &err), cases[i].status);
    assert_contains(err.message, cases[i].message);
    assert_contains(err.message, dir);
    assert_null(dataset);
    write_bytes(path, before.data, before.length);
  }
  fn_err err = {0};
  fn_dataset *dataset;
  assert_ok(fn_dataset_open(&dataset, dir, &err)); /* each case alone was the reason */
  fn_dataset_close(dataset);
  remove_folder(dir);
}

/* A split in several files, one of them without rows, as `datasets` saves large ones; a split that is not there. */
static void test_shards(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], from[256], to[256];
  fn_dataset *dataset;
  write_dataset(make_folder(dir), 20);
  assert_ok(fn_path_rename(in_folder(from, dir, "validation/data-00000-of-00001.arrow"),
                           in_folder(to, dir, "train/empty.arrow"), &err));
  assert_ok(fn_path_rename(in_folder(from, dir, "test/data-00000-of-00001.arrow"),
                           in_folder(to, dir, "train/more.arrow"), &err));
  write_text(dir, "train/state.json",
             "{\"_data_files\": [{\"filename\": \"empty.arrow\"}, {\"filename\": \"data-00000-of-00001.arrow\"}, "
             "{\"filename\": \"empty.arrow\"}, {\"filename\": \"more.arrow\"}, {\"filename\": \"empty.arrow\"}]}");
  write_text(dir, "validation/state.json", "{\"_data_files\": []}");
  write_text(dir, "dataset_dict.json", "{\"splits\": [\"train\", \"validation\"]}");
  assert_ok(fn_dataset_open(&dataset, dir, &err));
  assert_int_equal(fn_dataset_n_rows(dataset, FN_SPLIT_TRAIN), 1170);
  assert_int_equal(fn_dataset_n_rows(dataset, FN_SPLIT_VALIDATION), 0);
  assert_int_equal(fn_dataset_n_rows(dataset, FN_SPLIT_TEST), 0);
  for (size_t i = 0; i < 1170; i++) {
    made_row made;
    fn_row row;
    make_row(&made, i < 1050 ? 20 : 22, i < 1050 ? i : i - 1050);
    fn_dataset_get(&row, dataset, FN_SPLIT_TRAIN, i);
    assert_same_text(row.hash, made.row.hash);
    assert_same_text(row.text, made.row.text);
  }
  fn_dataset_close(dataset);
  remove_folder(dir);
}

/* Rows that our writer refuses, in a stream made without it. */
static void test_bad_values(void **state) {
  (void)state;
  static const fn_arrow_field fields[] = {
      {"title", FN_ARROW_UTF8},  {"text", FN_ARROW_UTF8},     {"label", FN_ARROW_INT64}, {"dataset", FN_ARROW_UTF8},
      {"source", FN_ARROW_UTF8}, {"cluster", FN_ARROW_INT64}, {"row", FN_ARROW_INT64},   {"hash", FN_ARROW_UTF8}};
  const int64_t labels[] = {2, -1, (int64_t)1 << 32, 1, 1, 1}, clusters[] = {0, 0, 0, -5, 0, 0};
  const int64_t numbers[] = {0, 0, 0, 0, -1, 0};
  const char *hashes[] = {"x", "x", "x", "x", "x", "short"};
  const char *messages[] = {"label must be",   "label must be", "label must be",
                            "cluster must be", "row must be",   "hash must have"};
  char dir[64], path[256];
  write_dataset(make_folder(dir), 1);
  in_folder(path, dir, "test/data-00000-of-00001.arrow");
  for (size_t i = 0; i < 6; i++) {
    fn_err err = {0};
    fn_arrow_writer *writer;
    fn_dataset *dataset = NULL;
    fn_arrow_value values[8] = {[2].number = labels[i], [5].number = clusters[i], [6].number = numbers[i]};
    values[7].text = fn_str_from(strcmp(hashes[i], "x") ? hashes[i] : "00000000000000000000000000000000");
    assert_ok(fn_arrow_writer_create(&writer, path, fields, 8, NULL, fn_str_from(""), &err));
    assert_ok(fn_arrow_writer_append(writer, values, &err));
    assert_ok(fn_arrow_writer_finish(writer, &err));
    fn_arrow_writer_destroy(writer);
    assert_status(fn_dataset_open(&dataset, dir, &err), FN_E_INVALID);
    assert_contains(err.message, "/test: row 0: ");
    assert_contains(err.message, messages[i]);
  }
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_split_names), cmocka_unit_test(test_bad_rows),
      cmocka_unit_test(test_bad_json),   cmocka_unit_test(test_shards),      cmocka_unit_test(test_bad_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
