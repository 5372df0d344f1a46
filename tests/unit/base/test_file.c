#include "../test.h"
#include "base/base.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder(void) {
  static char path[64];
  strcpy(path, "/tmp/fn-test-XXXXXX");
  assert_non_null(mkdtemp(path));
  return path;
}

static void test_writer(void **state) {
  (void)state;
  fn_err err = {0};
  char *dir = folder(), path[128];
  snprintf(path, sizeof path, "%s/a.txt", dir);
  assert_ok(fn_file_write(path, "old", 3, &err));
  fn_writer w;
  assert_ok(fn_writer_open(&w, path, &err));
  assert_ok(fn_writer_write(&w, "newer", 5, &err));
  fn_buf text;
  fn_buf_init(&text, 0);
  assert_ok(fn_file_read(&text, path, 100, &err));
  assert_string_equal(text.data, "old"); /* not before commit */
  assert_ok(fn_writer_commit(&w, &err));
  fn_writer_abort(&w);
  fn_buf_reset(&text);
  assert_ok(fn_file_read(&text, path, 100, &err));
  assert_string_equal(text.data, "newer");
  assert_ok(fn_writer_open(&w, path, &err));
  fn_writer_abort(&w);
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, dir, &err));
  assert_int_equal(n, 1); /* the abandoned temporary file is gone */
  assert_string_equal(names[0], "a.txt");
  free(names);
  struct stat st;
  mode_t mask = umask(0);
  umask(mask);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0666 & ~mask);
  fn_buf_reset(&text);
  assert_status(fn_file_read(&text, path, 4, &err), FN_E_LIMIT);
  fn_buf_deinit(&text);
  assert_status(fn_file_write("/nonexistent-folder/x", "a", 1, &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "/nonexistent-folder/x");
  assert_ok(fn_dir_remove(dir, &err));
}

/* A full disk, played by the file size limit: the old file stays, nothing is left behind. */
static void test_full(void **state) {
  (void)state;
  fn_err err = {0};
  char *dir = folder(), path[128];
  snprintf(path, sizeof path, "%s/a.bin", dir);
  assert_ok(fn_file_write(path, "old", 3, &err));
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, small = {.rlim_cur = 1 << 16};
  getrlimit(RLIMIT_FSIZE, &old);
  small.rlim_max = old.rlim_max;
  setrlimit(RLIMIT_FSIZE, &small);
  char *big = calloc(1, 1 << 20);
  fn_status status = fn_file_write(path, big, 1 << 20, &err);
  setrlimit(RLIMIT_FSIZE, &old);
  free(big);
  assert_int_equal(status, FN_E_IO);
  assert_contains(err.message, "a.bin: cannot be written");
  fn_map map;
  assert_ok(fn_map_open(&map, path, &err));
  assert_int_equal(map.length, 3);
  fn_map_close(&map);
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, dir, &err));
  assert_int_equal(n, 1);
  free(names);
  assert_ok(fn_dir_remove(dir, &err));
}

static void test_dirs(void **state) {
  (void)state;
  fn_err err = {0};
  char *dir = folder(), path[128], link[128];
  snprintf(path, sizeof path, "%s/x/y/z", dir);
  assert_ok(fn_dir_create(path, &err));
  assert_ok(fn_dir_create(path, &err));
  assert_true(fn_path_is_dir(path));
  snprintf(link, sizeof link, "%s/latest", dir);
  assert_ok(fn_link_replace(link, "x", &err));
  assert_ok(fn_link_replace(link, "x/y", &err));
  char target[16] = {0};
  assert_int_equal(readlink(link, target, sizeof target - 1), 3);
  assert_string_equal(target, "x/y");
  char *joined = fn_path_join("a/", "b");
  assert_string_equal(joined, "a/b");
  free(joined);
  joined = fn_path_join("a", "/b");
  assert_string_equal(joined, "/b");
  free(joined);
  assert_string_equal(fn_path_base("a/b/c.csv"), "c.csv");
  assert_ok(fn_dir_remove(dir, &err));
  assert_false(fn_path_exists(dir));
  assert_ok(fn_dir_remove(dir, &err));
  fn_map map;
  assert_status(fn_map_open(&map, "/tmp", &err), FN_E_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_writer), cmocka_unit_test(test_full),
                                     cmocka_unit_test(test_dirs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
