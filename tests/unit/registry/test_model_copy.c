/* Copies in the cache: what is whole stays, what was left by processes that were killed goes. */
#include "../test.h"
#include "../track/store.h"
#include "registry/model_copy.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[200];

static fn_status get_text(void *arg, const char *target, fn_err *err) {
  return fn_file_write(target, arg, strlen(arg), err);
}

static void assert_copy(const char *expected) {
  fn_err err = {0};
  bool whole = false;
  fn_buf text;
  fn_buf_init(&text, 0);
  assert_ok(fn_copy_check(&whole, path, &err));
  assert_true(whole);
  assert_ok(fn_file_read(&text, path, 100, &err));
  assert_string_equal(text.data, expected);
  fn_buf_deinit(&text);
}

static int begin(void **state) {
  const int failed = store_begin(state);
  snprintf(path, sizeof path, "%s/cache/model.fnm", store_folder);
  return failed;
}

/* A copy that another process has mended since it was looked at stays. */
static void test_a_good_copy_is_not_taken_away(void **state) {
  (void)state;
  fn_err err = {0};
  char first[] = "first", second[] = "second";
  bool whole = true;
  assert_ok(fn_copy_make(path, get_text, first, &err));
  assert_copy("first");
  assert_ok(fn_copy_make(path, get_text, second, &err));
  assert_copy("first");
  assert_ok(fn_file_write(path, "FIRST", 5, &err));
  assert_ok(fn_copy_check(&whole, path, &err));
  assert_false(whole);
  assert_ok(fn_copy_make(path, get_text, second, &err));
  assert_copy("second");
}

static void make_old(const char *folder) {
  fn_err err = {0};
  FN_AUTO_FREE char *file = fn_path_join(folder, "copy");
  const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
  assert_ok(fn_dir_create(folder, &err));
  assert_ok(fn_file_write(file, "half", 4, &err));
  assert_int_equal(utimensat(AT_FDCWD, folder, times, 0), 0);
}

static void test_what_the_killed_left_goes(void **state) {
  (void)state;
  fn_err err = {0};
  char text[] = "text", dead[250], alive[250], other[250];
  snprintf(dead, sizeof dead, "%s.tmp-0123456789abcdef", path);
  snprintf(alive, sizeof alive, "%s.tmp-00000000deadbeef", path);
  snprintf(other, sizeof other, "%s/cache/other.tmp-0123456789abcdef", store_folder);
  make_old(dead);
  make_old(alive);
  make_old(other);
  const int lock = open(alive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
  assert_ok(fn_copy_make(path, get_text, text, &err));
  assert_false(fn_path_exists(dead));
  assert_true(fn_path_exists(alive));
  assert_true(fn_path_exists(other));
  close(lock);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, store_end)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_a_good_copy_is_not_taken_away),
      TEST(test_what_the_killed_left_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
