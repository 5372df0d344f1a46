#include "../test.h"
#include "base/base.h"

#include <fcntl.h>
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

static void test_private(void **state) {
  (void)state;
  fn_err err = {0};
  char *dir = folder(), path[128];
  struct stat st;
  snprintf(path, sizeof path, "%s/secret", dir);
  const mode_t before = umask(0);
  assert_ok(fn_file_write(path, "open", 4, &err));
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0666);
  assert_ok(fn_file_write_private(path, "hidden", 6, &err));
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_int_equal(st.st_size, 6);
  umask(before);
  assert_ok(fn_dir_remove(dir, &err));
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

/* Devices, pipes and links stay what they are. */
static void test_writer_targets(void **state) {
  (void)state;
  fn_err err = {0};
  char *dir = folder(), path[128], link[128];
  struct stat st;
  /* A pipe takes the bytes; a plain rename would have put a file in its place. */
  snprintf(path, sizeof path, "%s/pipe", dir);
  assert_int_equal(mkfifo(path, 0600), 0);
  int fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  assert_ok(fn_file_write(path, "abc", 3, &err));
  char got[8] = {0};
  assert_int_equal(read(fd, got, sizeof got), 3);
  assert_string_equal(got, "abc");
  assert_int_equal(lstat(path, &st), 0);
  assert_true(S_ISFIFO(st.st_mode));
  fn_writer w;
  assert_ok(fn_writer_open(&w, path, &err));
  fn_writer_abort(&w);
  assert_int_equal(lstat(path, &st), 0);
  close(fd);
  /* A link is written through. */
  snprintf(path, sizeof path, "%s/file", dir);
  snprintf(link, sizeof link, "%s/link", dir);
  assert_ok(fn_file_write(path, "old", 3, &err));
  assert_int_equal(symlink("file", link), 0);
  assert_ok(fn_file_write(link, "newer", 5, &err));
  assert_int_equal(lstat(link, &st), 0);
  assert_true(S_ISLNK(st.st_mode));
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_size, 5);
  /* Refusals: a folder, a name below a file, a link to itself. */
  assert_status(fn_file_write(dir, "a", 1, &err), FN_E_INVALID);
  assert_contains(err.message, "a folder; the name of a file is accepted");
  char below[160];
  snprintf(below, sizeof below, "%s/file/x", dir);
  assert_status(fn_file_write(below, "a", 1, &err), FN_E_NOT_FOUND);
  snprintf(link, sizeof link, "%s/loop", dir);
  assert_int_equal(symlink("loop", link), 0);
  fn_map map;
  assert_status(fn_map_open(&map, link, &err), FN_E_INVALID);
  assert_ok(fn_dir_remove(dir, &err));
}

/* Memory disks lie below /dev too, and their files are files. */
static void test_writer_on_a_memory_disk(void **state) {
  (void)state;
  fn_err err = {0};
  char path[64];
  snprintf(path, sizeof path, "/dev/shm/fn-test-%ld", (long)getpid());
  struct stat st;
  for (int i = 0; i < 2 && stat("/dev/shm", &st) == 0; i++) {
    assert_ok(fn_file_write(path, "abc", 3, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 3);
  }
  unlink(path);
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
  char *real = NULL, *straight = NULL;
  assert_ok(fn_path_real(&real, link, &err));
  assert_ok(fn_dir_create(path, &err));
  snprintf(path, sizeof path, "%s/x/y", dir);
  assert_ok(fn_path_real(&straight, path, &err));
  assert_string_equal(real, straight);
  free(real);
  free(straight);
  assert_ok(fn_link_replace(link, "latest", &err)); /* it leads to itself */
  assert_int_not_equal(fn_path_real(&real, link, &err), FN_OK);
  assert_null(real);
  assert_contains(err.message, link);
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
  dir = folder();
  snprintf(path, sizeof path, "%s/pipe", dir);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_status(fn_map_open(&map, path, &err), FN_E_INVALID);
  assert_ok(fn_dir_remove(dir, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_writer),
                                     cmocka_unit_test(test_private),
                                     cmocka_unit_test(test_writer_targets),
                                     cmocka_unit_test(test_full),
                                     cmocka_unit_test(test_writer_on_a_memory_disk),
                                     cmocka_unit_test(test_dirs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
