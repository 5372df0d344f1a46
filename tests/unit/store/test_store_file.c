/* A folder as a store, and what all kinds share: addresses and keys. */
#include "../test.h"
#include "store/store.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[64], root[96], source[96], target[96];
static fn_net_options net;
static fn_store_options options;
static fn_arena arena;

static int set_up(void **state) {
  (void)state;
  memcpy(folder, "/tmp/fn-test-XXXXXX", 20);
  if (!mkdtemp(folder)) return 1;
  snprintf(root, sizeof root, "%s/store", folder);
  snprintf(source, sizeof source, "%s/source", folder);
  snprintf(target, sizeof target, "%s/out/deep/target", folder);
  fn_arena_init(&arena);
  options = (fn_store_options){.net = &net};
  return fn_options_default(&net, &arena, &fn_net_option_table, NULL) == FN_OK &&
                 fn_file_write(source, "abc", 3, NULL) == FN_OK
             ? 0
             : 1;
}

static int tear_down(void **state) {
  (void)state;
  fn_arena_deinit(&arena);
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static const char sha_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void expect_file(const char *path, const char *text) {
  fn_buf content;
  fn_err err = {0};
  fn_buf_init(&content, 0);
  assert_ok(fn_file_read(&content, path, 1000, &err));
  assert_string_equal(content.data, text);
  fn_buf_deinit(&content);
}

static void test_put_get_read_write(void **state) {
  (void)state;
  fn_err err = {0};
  fn_store *store;
  assert_ok(fn_store_open(&store, root, &options, &err));
  assert_string_equal(fn_store_uri(store), root);
  assert_ok(fn_store_put(store, "a/b/file", source, sha_abc, &err));
  assert_ok(fn_store_put(store, "a/b/file", source, NULL, &err)); /* again: replaced */
  assert_ok(fn_store_get(store, "a/b/file", target, sha_abc, &err));
  expect_file(target, "abc");
  assert_ok(fn_store_write(store, "small", fn_str_from("text"), &err));
  fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_store_read(&out, store, "small", 4, &err));
  assert_string_equal(out.data, "text");
  assert_status(fn_store_read(&out, store, "small", 3, &err), FN_E_LIMIT);
  fn_buf_deinit(&out);
  fn_store_entry entry;
  assert_ok(fn_store_stat(&entry, store, "a/b/file", &err));
  assert_int_equal(entry.size_bytes, 3);
  assert_true(entry.modified_ms > 0);
  assert_status(fn_store_stat(&entry, store, "a/b", &err), FN_E_NOT_FOUND);
  assert_ok(fn_store_remove(store, "a/b/file", &err));
  assert_ok(fn_store_remove(store, "a/b/file", &err));
  assert_status(fn_store_get(store, "a/b/file", target, NULL, &err), FN_E_NOT_FOUND);
  assert_status(fn_store_stat(&entry, store, "a/b/file", &err), FN_E_NOT_FOUND);
  expect_file(target, "abc"); /* a get that fails leaves what was there */
  fn_store_close(store);
}

static void test_wrong_checksum(void **state) {
  (void)state;
  fn_err err = {0};
  fn_store *store;
  char wrong[65];
  memcpy(wrong, sha_abc, sizeof wrong);
  wrong[0] = 'c';
  assert_ok(fn_store_open(&store, root, &options, &err));
  assert_status(fn_store_put(store, "k", source, wrong, &err), FN_E_IO);
  assert_contains(err.message, "SHA-256 is ba7816bf");
  fn_store_entry entry;
  assert_status(fn_store_stat(&entry, store, "k", &err), FN_E_NOT_FOUND);
  assert_ok(fn_store_put(store, "k", source, NULL, &err));
  assert_status(fn_store_get(store, "k", target, wrong, &err), FN_E_IO);
  assert_false(fn_path_exists(target));
  assert_status(fn_store_get(store, "k", target, "12", &err), FN_E_INVALID);
  fn_store_close(store);
}

static fn_status gather(void *arg, const fn_store_entry *entry, fn_err *err) {
  fn_buf *out = arg;
  if (out->length > 200) return fn_err_set(err, FN_E_LIMIT, "enough");
  fn_buf_printf(out, "%s=%d ", entry->key, (int)entry->size_bytes);
  return FN_OK;
}

static void test_list(void **state) {
  (void)state;
  fn_err err = {0};
  fn_store *store;
  fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_store_open(&store, root, &options, &err));
  assert_ok(fn_store_list(store, "", gather, &out, &err)); /* not even a folder yet */
  assert_string_equal(fn_buf_str(&out).data ? out.data : "", "");
  assert_ok(fn_store_write(store, "a/b", fn_str_from("1"), &err));
  assert_ok(fn_store_write(store, "a/c/d", fn_str_from("22"), &err));
  assert_ok(fn_store_write(store, "ab", fn_str_from("333"), &err));
  char left[128];
  snprintf(left, sizeof left, "%s/ab.tmp-123-9f", root); /* what a killed process leaves is no key */
  assert_ok(fn_file_write(left, "x", 1, &err));
  assert_ok(fn_store_list(store, "", gather, &out, &err));
  assert_string_equal(out.data, "a/b=1 a/c/d=2 ab=3 ");
  fn_buf_reset(&out);
  assert_ok(fn_store_list(store, "a", gather, &out, &err));
  assert_string_equal(out.data, "a/b=1 a/c/d=2 ");
  fn_buf_reset(&out);
  assert_ok(fn_store_list(store, "none", gather, &out, &err));
  assert_int_equal(out.length, 0);
  for (int i = 0; i < 300; i++) fn_buf_append_char(&out, ' ');
  assert_status(fn_store_list(store, "", gather, &out, &err), FN_E_LIMIT);
  fn_buf_deinit(&out);
  fn_store_close(store);
}

static void test_keys(void **state) {
  (void)state;
  static const char *const bad[] = {"", "/a", "a//b", "../a", "a/../b", "a/", ".", "a\\b", "a\nb", "\xff"};
  fn_err err = {0};
  fn_store *store;
  assert_ok(fn_store_open(&store, root, &options, &err));
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    fn_store_entry entry;
    assert_status(fn_store_put(store, bad[i], source, NULL, &err), FN_E_INVALID);
    assert_status(fn_store_get(store, bad[i], target, NULL, &err), FN_E_INVALID);
    assert_status(fn_store_stat(&entry, store, bad[i], &err), FN_E_INVALID);
    assert_status(fn_store_remove(store, bad[i], &err), FN_E_INVALID);
    assert_contains(err.message, "relative paths");
  }
  fn_store_close(store);
}

static void test_addresses(void **state) {
  (void)state;
  fn_err err = {0};
  fn_store *store;
  char uri[128];
  assert_true(fn_store_is_uri("s3://b") && fn_store_is_uri("gs://b/c") && fn_store_is_uri("file:///x"));
  assert_false(fn_store_is_uri("runs/artifacts") || fn_store_is_uri("models:/a/1"));
  snprintf(uri, sizeof uri, "file://%s/", root);
  assert_ok(fn_store_open(&store, uri, &options, &err));
  assert_ok(fn_store_write(store, "k", fn_str_from("1"), &err));
  fn_store_close(store);
  snprintf(uri, sizeof uri, "%s/k", root);
  expect_file(uri, "1");
  assert_status(fn_store_open(&store, uri, &options, &err), FN_E_INVALID); /* a file */
  assert_status(fn_store_open(&store, "s4://bucket", &options, &err), FN_E_UNSUPPORTED);
  assert_status(fn_store_open(&store, "s3:/bucket", &options, &err), FN_E_UNSUPPORTED);
  assert_status(fn_store_open(&store, "gs:bucket", &options, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "s3://bucket/");
  assert_status(fn_store_open(&store, "file://host/path", &options, &err), FN_E_INVALID);
  assert_status(fn_store_open(&store, "", &options, &err), FN_E_INVALID);
}

static void test_read_only(void **state) {
  (void)state;
  fn_err err = {0};
  fn_store *store;
  char where[128];
  /* Whoever may write everywhere is stopped by a file system only. */
  snprintf(where, sizeof where, "%s", geteuid() == 0 ? "/proc/fn-store" : root);
  if (geteuid() != 0) assert_true(mkdir(root, 0555) == 0);
  assert_ok(fn_store_open(&store, where, &options, &err));
  const fn_status status = fn_store_write(store, "k", fn_str_from("1"), &err);
  if (geteuid() != 0) {
    assert_int_equal(status, FN_E_INVALID);
    assert_contains(err.message, "can only be read");
  }
  assert_true(status != FN_OK);
  fn_store_close(store);
}

static bool stop(void *arg, const fn_download_event *event) {
  (void)arg;
  return event->kind != FN_DOWNLOAD_DATA;
}

static void test_cancel(void **state) {
  (void)state;
  fn_err err = {0};
  fn_store *store;
  options.sink = (fn_download_sink){stop, NULL};
  assert_ok(fn_store_open(&store, root, &options, &err));
  assert_status(fn_store_put(store, "k", source, NULL, &err), FN_E_CANCELLED);
  fn_store_entry entry;
  assert_status(fn_store_stat(&entry, store, "k", &err), FN_E_NOT_FOUND);
  fn_store_close(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_put_get_read_write, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_wrong_checksum, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_read_only, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
