/* Which label means what, by the published numbers of rows. */
#include "../test.h"
#include "data/origin.h"
#include "data/published.h"
#include "net/receipt.h"

#include <stdlib.h>
#include <unistd.h>

static void test_sets(void **state) {
  (void)state;
  const fn_published_set *set = fn_published_find("WELFake");
  assert_non_null(set);
  assert_int_equal(strlen(set->md5), 32);
  assert_ptr_equal(fn_published_find_kaggle("SaurabhShahane/fake-news-classification"), set);
  assert_null(fn_published_find("welfak"));
  assert_null(fn_published_find_kaggle(""));
}

static void test_order(void **state) {
  (void)state;
  const fn_published_set *set = fn_published_find("welfake");
  const fn_label_counts real_0 = {.n = {35028, 37106}}, fake_0 = {.n = {37106, 35028}}, none = {.n = {35028, 37105}};
  assert_int_equal(fn_published_label_order(set, &real_0), FN_LABEL_ORDER_REAL_0);
  assert_int_equal(fn_published_label_order(set, &fake_0), FN_LABEL_ORDER_FAKE_0);
  assert_int_equal(fn_published_label_order(set, &none), FN_LABEL_ORDER_UNPROVED);
}

static bool say_yes(void *arg) {
  (void)arg;
  return true;
}

static void test_counts(void **state) {
  (void)state;
  fn_err err = {0};
  char path[] = "/tmp/fn-test-XXXXXX";
  close(mkstemp(path));
  const char *text = ",Label,text\n0,0,a\n1, 1 ,\"b\nc\"\n2,,d\n3,1\n4,2,e\n5,1,f\n";
  assert_ok(fn_file_write(path, text, strlen(text), &err));
  fn_label_counts c;
  assert_ok(fn_label_counts_read(&c, path, "label", NULL, NULL, &err));
  assert_true(c.n[0] == 1 && c.n[1] == 2 && c.n_other == 2 && c.n_refused == 1 && c.n_rows == 6);
  assert_status(fn_label_counts_read(&c, path, "klass", NULL, NULL, &err), FN_E_NOT_FOUND);
  assert_status(fn_label_counts_read(&c, path, "label", say_yes, NULL, &err), FN_E_CANCELLED);
  unlink(path);
}

/* What `data download` leaves beside a file says where it is from and under which licence, until the file changes. */
static void test_origin(void **state) {
  (void)state;
  fn_err err = {0};
  char folder[] = "/tmp/fn-test-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/sub/WELFake_Dataset.csv", folder);
  fn_receipt receipt = {0};
  receipt.url = fn_str_dup(fn_str_from("https://mirror.example/api/v1/datasets/download/saurabhShahane/fake-news-"
                                       "classification"));
  memset(receipt.digests.md5, '0', 32);
  memset(receipt.digests.sha256, '0', 64);
  assert_ok(fn_receipt_add(&receipt, "sub/WELFake_Dataset.csv", 3, receipt.digests.sha256, &err));
  assert_ok(fn_receipt_save(folder, &receipt, &err));
  char sub[64];
  snprintf(sub, sizeof sub, "%s/sub", folder);
  assert_ok(fn_dir_create(sub, &err));
  fn_origin origin;
  assert_ok(fn_file_write(path, "abc", 3, &err));
  assert_ok(fn_origin_find(&origin, path, &err));
  assert_string_equal(origin.license, "CC-BY-4.0");
  assert_string_equal(origin.url, receipt.url);
  fn_origin_deinit(&origin);
  assert_ok(fn_file_write(path, "abcd", 4, &err));
  assert_ok(fn_origin_find(&origin, path, &err));
  assert_null(origin.url);
  snprintf(path, sizeof path, "%s/download.json", folder);
  assert_ok(fn_file_write(path, "[1", 2, &err)); /* no list of downloads: as if it were not there */
  snprintf(path, sizeof path, "%s/sub/WELFake_Dataset.csv", folder);
  assert_ok(fn_origin_find(&origin, path, &err));
  assert_null(origin.url);
  assert_null(fn_published_find_address("https://example.org/other.csv"));
  fn_receipt_deinit(&receipt);
  assert_ok(fn_dir_remove(folder, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_sets), cmocka_unit_test(test_order),
                                     cmocka_unit_test(test_counts), cmocka_unit_test(test_origin)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
