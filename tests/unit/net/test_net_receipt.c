/* Checksums, and download.json. */
#include "../test.h"
#include "net/receipt.h"

#include <unistd.h>

static char folder[64], path[128];

static int make_folder(void **state) {
  (void)state;
  memcpy(folder, "/tmp/fn-test-XXXXXX", 20);
  if (!mkdtemp(folder)) return 1;
  snprintf(path, sizeof path, "%s/%s", folder, FN_RECEIPT_NAME);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static bool say_no(void *arg, uint64_t n_bytes) {
  (void)arg, (void)n_bytes;
  return false;
}

/* RFC 1321 A.5 and FIPS 180-2 B.1. */
static void test_digests(void **state) {
  (void)state;
  fn_err err = {0};
  fn_digests d;
  assert_ok(fn_file_write(path, "abc", 3, &err));
  assert_ok(fn_digest_file(&d, path, NULL, NULL, &err));
  assert_string_equal(d.md5, "900150983cd24fb0d6963f7d28e17f72");
  assert_string_equal(d.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_status(fn_digest_file(&d, path, say_no, NULL, &err), FN_E_CANCELLED);
  assert_status(fn_digest_file(&d, "/nonexistent", NULL, NULL, &err), FN_E_NOT_FOUND);
  assert_true(fn_digest_is_hex(d.md5, 32) && !fn_digest_is_hex(d.md5, 31) && !fn_digest_is_hex("xyz", 3));
  assert_true(fn_digest_equal("ABcd", "abCD") && !fn_digest_equal("abcd", "abc"));
}

static void add(const char *url, const char *name, fn_err *err) {
  fn_digests d;
  char file[256];
  snprintf(file, sizeof file, "%s/%s", folder, name);
  assert_int_equal(fn_file_write(file, name, strlen(name), err), FN_OK);
  assert_int_equal(fn_digest_file(&d, file, NULL, NULL, err), FN_OK);
  fn_receipt r = {.url = fn_str_dup(fn_str_from(url)), .size_bytes = 7, .digests = d, .fetched_ms = 1700000000000};
  assert_int_equal(fn_receipt_add(&r, name, strlen(name), d.sha256, err), FN_OK);
  assert_int_equal(fn_receipt_save(folder, &r, err), FN_OK);
  fn_receipt_deinit(&r);
}

static void test_saved_and_found(void **state) {
  (void)state;
  fn_err err = {0};
  fn_receipt r;
  bool found = true, holds = false;
  assert_ok(fn_receipt_load(&r, &found, folder, "http://h/a", &err));
  assert_false(found);
  add("http://h/a", "a.csv", &err);
  add("http://h/b", "b.csv", &err);
  add("http://h/a", "c.csv", &err); /* in place of the first */
  assert_ok(fn_receipt_load(&r, &found, folder, "http://h/a", &err));
  assert_true(found);
  assert_int_equal(r.n_files, 1);
  assert_string_equal(r.files[0].name, "c.csv");
  assert_int_equal(r.fetched_ms, 1700000000000);
  assert_ok(fn_receipt_holds(&holds, folder, &r, NULL, NULL, &err));
  assert_true(holds);
  char file[128];
  snprintf(file, sizeof file, "%s/c.csv", folder);
  assert_ok(fn_file_write(file, "C.csv", 5, &err)); /* same size */
  assert_ok(fn_receipt_holds(&holds, folder, &r, NULL, NULL, &err));
  assert_false(holds);
  unlink(file);
  assert_ok(fn_receipt_holds(&holds, folder, &r, NULL, NULL, &err));
  assert_false(holds);
  fn_receipt_deinit(&r);
  assert_ok(fn_receipt_load(&r, &found, folder, "http://h/b", &err));
  assert_true(found);
  fn_receipt_deinit(&r);
}

static void test_damaged(void **state) {
  (void)state;
#define ENTRY(size, md5, name)                                                                                         \
  "{\"format\":1,\"downloads\":[{\"url\":\"u\",\"size_bytes\":" size ",\"fetched_unix_ms\":0,\"md5\":\"" md5           \
  "\",\"sha256\":\"" SHA "\",\"files\":[{\"name\":\"" name "\",\"size_bytes\":1,\"sha256\":\"" SHA "\"}]}]}"
#define MD5 "900150983cd24fb0d6963f7d28e17f72"
#define SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  static const char *const bad[] = {"",
                                    "[]",
                                    "{\"format\":2,\"downloads\":[]}",
                                    "{\"format\":1}",
                                    ENTRY("-1", MD5, "a"),
                                    ENTRY("1", "12", "a"),
                                    ENTRY("1", MD5, "../a"),
                                    ENTRY("1", MD5, "/etc/passwd")};
  fn_receipt r;
  bool found;
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    fn_err err = {0};
    assert_ok(fn_file_write(path, bad[i], strlen(bad[i]), &err));
    assert_status(fn_receipt_load(&r, &found, folder, "u", &err), FN_E_INVALID);
    assert_contains(err.message, "download.json");
  }
  fn_err err = {0};
  const char *good = ENTRY("1", MD5, "a");
  assert_ok(fn_file_write(path, good, strlen(good), &err));
  assert_ok(fn_receipt_load(&r, &found, folder, "u", &err));
  fn_receipt_deinit(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_digests, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_saved_and_found, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_damaged, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
