/* The download itself, as a library: file: addresses, events, cancelling, archives. tests/cli/test_download.py drives
 * it over HTTP. */
#include "../test.h"
#include "net/net.h"

#include <unistd.h>
#include <zlib.h>

static char folder[64], source[128], target[128], address[160];
static fn_net_options options;
static fn_arena arena;

static int set_up(void **state) {
  (void)state;
  memcpy(folder, "/tmp/fn-test-XXXXXX", 20);
  if (!mkdtemp(folder)) return 1;
  snprintf(source, sizeof source, "%s/set.zip", folder);
  snprintf(target, sizeof target, "%s/out", folder);
  snprintf(address, sizeof address, "file://%s", source);
  fn_arena_init(&arena);
  return fn_options_default(&options, &arena, &fn_net_option_table, NULL) == FN_OK ? 0 : 1;
}

static int tear_down(void **state) {
  (void)state;
  fn_arena_deinit(&arena);
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static void put(fn_buf *out, uint64_t value, int n_bytes) {
  for (int i = 0; i < n_bytes; i++) fn_buf_append_char(out, (char)(value >> (8 * i)));
}

/* A ZIP archive of one stored file (APPNOTE 4.3): local header, bytes, central directory, end. */
static void write_archive(const char *name, const char *text, uint32_t wrong) {
  fn_buf out;
  fn_buf_init(&out, 1 << 16);
  const size_t n = strlen(name), length = strlen(text);
  const uint32_t crc = (uint32_t)crc32(0, (const Bytef *)text, (uInt)length) + wrong;
  put(&out, 0x04034b50, 4), put(&out, 20, 2), put(&out, 0, 2 + 2 + 4), put(&out, crc, 4);
  put(&out, length, 4), put(&out, length, 4), put(&out, n, 2), put(&out, 0, 2);
  fn_buf_append(&out, name, n);
  fn_buf_append(&out, text, length);
  const size_t directory = out.length;
  put(&out, 0x02014b50, 4), put(&out, 20, 2), put(&out, 20, 2), put(&out, 0, 2 + 2 + 4), put(&out, crc, 4);
  put(&out, length, 4), put(&out, length, 4), put(&out, n, 2), put(&out, 0, 2 + 2), put(&out, 0, 2 + 2);
  put(&out, 0, 4), put(&out, 0, 4);
  fn_buf_append(&out, name, n);
  const size_t size = out.length - directory;
  put(&out, 0x06054b50, 4), put(&out, 0, 2 + 2), put(&out, 1, 2), put(&out, 1, 2);
  put(&out, size, 4), put(&out, directory, 4), put(&out, 0, 2);
  assert_int_equal(fn_file_write(source, out.data, out.length, NULL), FN_OK);
  fn_buf_deinit(&out);
}

typedef struct seen {
  int n[FN_DOWNLOAD_WAIT + 1];
  fn_download_event_kind stop_at;
  bool stops;
} seen;

static bool on_event(void *arg, const fn_download_event *e) {
  seen *s = arg;
  s->n[e->kind]++;
  return !(s->stops && e->kind == s->stop_at);
}

static void test_file(void **state) {
  (void)state;
  fn_err err = {0};
  seen s = {0};
  assert_ok(fn_file_write(source, "abc", 3, &err));
  const fn_download_request r = {.url = address, .folder = target, .name = "a.csv", .sink = {on_event, &s}};
  fn_download_result result;
  assert_ok(fn_download_run(&result, &r, &options, &err));
  assert_false(result.already);
  assert_int_equal(result.receipt.size_bytes, 3);
  assert_string_equal(result.receipt.digests.md5, "900150983cd24fb0d6963f7d28e17f72");
  assert_string_equal(result.receipt.files[0].name, "a.csv");
  assert_true(s.n[FN_DOWNLOAD_BEGIN] == 1 && s.n[FN_DOWNLOAD_DATA] >= 1 && s.n[FN_DOWNLOAD_CHECK] >= 1);
  fn_download_result_deinit(&result);
  assert_ok(fn_download_run(&result, &r, &options, &err));
  assert_true(result.already);
  fn_download_result_deinit(&result);
}

/* Whatever the sink stops leaves no file under a name, and the next call completes it. */
static void test_cancelled_anywhere(void **state) {
  (void)state;
  static const fn_download_event_kind kinds[] = {FN_DOWNLOAD_BEGIN, FN_DOWNLOAD_DATA, FN_DOWNLOAD_CHECK,
                                                 FN_DOWNLOAD_UNPACK};
  write_archive("x/a.csv", "title,text\n", 0);
  for (size_t i = 0; i < FN_COUNT_OF(kinds); i++) {
    fn_err err = {0};
    seen s = {.stop_at = kinds[i], .stops = true};
    fn_download_request r = {.url = address, .folder = target, .unpack = true, .sink = {on_event, &s}};
    fn_download_result result;
    assert_status(fn_download_run(&result, &r, &options, &err), FN_E_CANCELLED);
    char path[160];
    snprintf(path, sizeof path, "%s/x", target);
    assert_false(fn_path_exists(path));
    snprintf(path, sizeof path, "%s/.unpack", target);
    assert_false(fn_path_exists(path));
    r.sink = (fn_download_sink){0};
    assert_ok(fn_download_run(&result, &r, &options, &err));
    assert_string_equal(result.receipt.files[0].name, "x/a.csv");
    fn_download_result_deinit(&result);
    char **names;
    size_t n;
    assert_ok(fn_dir_list(&names, &n, target, &err));
    assert_int_equal(n, 2); /* download.json, x */
    free(names);
    assert_ok(fn_dir_remove(target, &err));
  }
}

static void test_archives_that_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name;
    uint32_t wrong;
  } cases[] = {{"../a.csv", 0}, {"/a.csv", 0}, {"a\\b.csv", 0}, {"a//b.csv", 0}, {"download.json", 0}, {"a.csv", 1}};
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_err err = {0};
    write_archive(cases[i].name, "title,text\n", cases[i].wrong);
    fn_receipt receipt = {0};
    fn_unzipped *unzipped;
    const fn_unzip_request r = {.archive = source, .folder = folder, .max_bytes = 1000, .max_key = "x"};
    assert_status(fn_unzip(&unzipped, &receipt, &r, &err), FN_E_INVALID);
    fn_receipt_deinit(&receipt);
  }
  fn_err err = {0};
  write_archive("a.csv", "title,text\n", 0);
  fn_receipt receipt = {0};
  fn_unzipped *unzipped;
  const fn_unzip_request r = {.archive = source, .folder = folder, .max_bytes = 10, .max_key = "x"};
  assert_status(fn_unzip(&unzipped, &receipt, &r, &err), FN_E_LIMIT);
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, folder, &err));
  assert_int_equal(n, 1); /* the archive */
  free(names);
}

static void test_missing_library(void **state) {
  (void)state;
  fn_err err = {0};
  void *untouched = &err;
  static const char *const names[] = {"libnone.so.9", NULL}, *const present[] = {"libc.so.6", NULL};
  static const fn_symbol symbols[] = {{"fn_no_such_function", 0}};
  assert_status(fn_library_load(&untouched, names, symbols, 1, "libnone9", &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "libnone.so.9");
  assert_contains(err.message, "Debian package libnone9");
  assert_status(fn_library_load(&untouched, present, symbols, 1, "libc6", &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "lacks fn_no_such_function");
  assert_ptr_equal(untouched, &err);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_cancelled_anywhere, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_archives_that_are_refused, set_up, tear_down),
      cmocka_unit_test(test_missing_library),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
