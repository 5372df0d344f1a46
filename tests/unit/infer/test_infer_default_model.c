/* Where the bundled model is looked for, in folders of the test. */
#include "base/file.h"
#include "infer/default_model.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "../failing.h"

static char root[PATH_MAX];

static int set_up(void **state) {
  (void)state;
  char name[] = "/tmp/fn-default-XXXXXX";
  if (mkdtemp(name) == NULL) return -1;
  char *real_path = NULL;
  if (fn_path_real(&real_path, name, NULL) != FN_OK) return -1;
  snprintf(root, sizeof root, "%s", real_path);
  free(real_path);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  return fn_dir_remove(root, NULL) == FN_OK ? 0 : -1;
}

/* root/relative */
static char *below(const char *relative) {
  char *path = fn_path_join(root, relative);
  assert_non_null(path);
  return path;
}

static void put(const char *folder, const char *name) {
  char *dir = below(folder), *path = fn_path_join(dir, name);
  fn_err err = {0};
  assert_ok(fn_dir_create(dir, &err));
  assert_ok(fn_file_write(path, "x", 1, &err));
  free(path);
  free(dir);
}

/* Found from root/base at the file that root/expected is, whatever ".." stands on the way. */
static void check_found(const char *base, const char *expected) {
  fn_err err = {0};
  char *from = below(base), *path = NULL, *real_path = NULL, *wanted = below(expected);
  assert_ok(fn_default_model_find(&path, from, &err));
  assert_ok(fn_path_real(&real_path, path, &err));
  assert_string_equal(real_path, wanted);
  free(from);
  free(path);
  free(real_path);
  free(wanted);
}

static void check_missing(const char *base) {
  fn_err err = {0};
  char *from = below(base), *path = NULL;
  assert_status(fn_default_model_find(&path, from, &err), FN_E_NOT_FOUND);
  assert_null(path);
  assert_contains(err.message, "share/fakenews/default.fnm");
  free(from);
}

static void test_installed(void **state) {
  (void)state;
  check_missing("usr/bin/fakenews");
  put("usr/share/fakenews", "default.fnm");
  check_found("usr/bin/fakenews", "usr/share/fakenews/default.fnm");
  check_found("usr/lib/libfakenews.so.0", "usr/share/fakenews/default.fnm");
  check_found("usr/lib/x86_64-linux-gnu/libfakenews.so.0", "usr/share/fakenews/default.fnm");
  check_missing("usr/a/b/c/fakenews");
}

static void test_beside_the_program(void **state) {
  (void)state;
  put("task/share/fakenews", "default.fnm");
  check_found("task/bootstrap", "task/share/fakenews/default.fnm");
}

static void test_build_tree(void **state) {
  (void)state;
  put("tree/models/default", "default.fnm");
  check_found("tree/build/release/fakenews", "tree/models/default/default.fnm");
  check_missing("tree/opt/release/fakenews"); /* a program that merely lies two folders deep */
  put("tree/build/share/fakenews", "default.fnm");
  check_found("tree/build/release/fakenews", "tree/build/share/fakenews/default.fnm");
}

/* Only the configured prefix is left, and that a test cannot fill. */
static void test_without_base(void **state) {
  (void)state;
  static const char *const bases[] = {NULL, "", "fakenews", "/", "/fakenews"};
  for (size_t i = 0; i < FN_COUNT_OF(bases); i++) {
    fn_err err = {0};
    char *path = NULL;
    if (fn_default_model_find(&path, bases[i], &err) == FN_OK) {
      free(path);
      continue; /* installed on this machine */
    }
    assert_int_equal(err.status, FN_E_NOT_FOUND);
    assert_contains(err.message, "/fakenews/default.fnm");
  }
}

static void test_long_base(void **state) {
  (void)state;
  char base[3 * PATH_MAX];
  memset(base, 'a', sizeof base);
  for (size_t i = 0; i < sizeof base; i += 100) base[i] = '/';
  base[sizeof base - 1] = '\0';
  char *path = NULL;
  if (fn_default_model_find(&path, base, NULL) == FN_OK) free(path);
}

static void test_short_memory(void **state) {
  (void)state;
  put("usr/share/fakenews", "default.fnm");
  char *from = below("usr/bin/fakenews");
  for (size_t n = 1; n < 100; n++) {
    char *path = NULL;
    n_failed = 0;
    countdown = n;
    fn_status status = fn_default_model_find(&path, from, NULL);
    countdown = 0;
    if (status == FN_OK) {
      assert_int_equal(n_failed, 0);
      free(path);
      free(from);
      return;
    }
    assert_int_equal(status, FN_E_NO_MEMORY);
    assert_null(path);
  }
  fail_msg("never enough memory");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_installed),  cmocka_unit_test(test_beside_the_program),
      cmocka_unit_test(test_build_tree), cmocka_unit_test(test_without_base),
      cmocka_unit_test(test_long_base),  cmocka_unit_test(test_short_memory),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
