/* The n-th allocation fails, n = 1, 2, …, through a whole audit: every time the call says so, gives nothing out, and
 * (under the address sanitizer) leaks nothing. */
#include "../failing.h"
#include "planted.h"

static void auditing(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  make_folder(dir);
  fn_dataset_writer *writer;
  assert_ok(fn_dataset_writer_create(&writer, dir, &err));
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < 70; i++) assert_ok(write_planted_row(writer, PLANT_COPIES, s, i, 3, &err));
  assert_ok(fn_dataset_writer_finish(writer, NULL, &err));
  fn_dataset_writer_destroy(writer);
  const fn_audit_options options = {.train_rows = 100, .test_rows = 100, .seed = 1};
  const fn_audit_request request = {.dir = dir};
  size_t n = 1;
  for (;; n++) {
    fn_audit *audit = NULL;
    countdown = n;
    fn_status status = fn_audit_run(&audit, &request, &options, &err);
    bool reached = countdown == 0;
    countdown = 0;
    if (!reached) {
      assert_ok(status);
      fn_audit_destroy(audit);
      break;
    }
    assert_null(audit);
    assert_int_equal(status, FN_E_NO_MEMORY);
  }
  assert_true(n > 100);
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(auditing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
