/* What processes that meet do: locks, and waits that differ. */
#include "../test.h"
#include "base/backoff.h"
#include "base/base.h"
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_lock_is_held_once(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[] = "/tmp/fn-test-XXXXXX", path[64], gone[64];
  int fd, other;
  struct stat st;
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/lock", dir);
  snprintf(gone, sizeof gone, "%s/none/lock", dir);
  assert_ok(fn_lock_open(&fd, path, O_RDWR, 0, &err));
  assert_int_equal(fd, -1); /* not there */
  assert_ok(fn_lock_open(&fd, path, O_RDWR | O_CREAT, 0600, &err));
  assert_true(fd >= 0);
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_ok(fn_lock_open(&other, path, O_RDWR | O_CREAT, 0600, &err));
  assert_int_equal(other, -1); /* held */
  assert_true(fn_lock_is_named(fd, path));
  assert_int_equal(unlink(path), 0);
  assert_false(fn_lock_is_named(fd, path));
  assert_ok(fn_lock_open(&other, path, O_RDWR | O_CREAT, 0600, &err)); /* a new file of that name */
  assert_true(other >= 0);
  close(fd);
  close(other);
  assert_ok(fn_lock_open(&fd, dir, O_RDONLY | O_DIRECTORY, 0, &err));
  assert_true(fd >= 0);
  assert_ok(fn_lock_open(&other, dir, O_RDONLY | O_DIRECTORY, 0, &err));
  assert_int_equal(other, -1);
  close(fd);
  assert_int_not_equal(fn_lock_open(&fd, gone, O_RDWR | O_CREAT, 0600, &err), FN_OK);
  assert_contains(err.message, gone);
  assert_int_equal(fd, -1);
  assert_ok(fn_dir_remove(dir, &err));
}

static bool counts(const void *arg) {
  int *left = *(int *const *)arg;
  return --*left > 0;
}

static void waits_double_up_to_a_bound(void **state) {
  (void)state;
  double least = 1, most = 0;
  for (int i = 0; i < 200; i++)
    for (int64_t n = 1; n < 100; n = n < 8 ? n + 1 : n * 3) {
      const double full = n < 6 ? ldexp(0.5, (int)n - 1) : 10, wait = fn_backoff_s(0.5, 10, n, 0);
      assert_true(wait >= full / 2 && wait < full);
      least = fmin(least, wait / full), most = fmax(most, wait / full);
    }
  assert_true(least < 0.55 && most > 0.95); /* all of the range */
  assert_true(fn_backoff_s(0.5, 10, INT64_MAX, 0) < 10 && fn_backoff_s(0.5, 10, 0, 0) < 0.5);
  assert_true(fn_backoff_s(0.5, 10, 1, 30) == 30 && fn_backoff_s(0.5, 10, 9, 1) >= 5);
  int left = 2, *p = &left;
  const uint64_t begin = fn_clock_ns();
  assert_false(fn_backoff_sleep(60, counts, &p));
  assert_int_equal(left, 0);
  left = 1000;
  assert_true(fn_backoff_sleep(0.01, counts, &p));
  assert_true(fn_clock_ns() - begin >= 110000000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_lock_is_held_once),
                                     cmocka_unit_test(waits_double_up_to_a_bound)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
