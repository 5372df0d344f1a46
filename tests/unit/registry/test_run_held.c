/* What holds a run: a version that is made of it. */
#include "../track/store.h"
#include "registry/registry.h"

static fn_status is_not_hidden(void *arg, const fn_run_view *run, fn_err *err) {
  (void)arg;
  (void)err;
  return strcmp(run->info.id, ID_A) == 0 && !run->info.deleted ? FN_OK : FN_E_INTERNAL;
}

/* A run that a version is being made of is not removed; of one that was removed no version is made. */
static void test_run_is_held(void **state) {
  (void)state;
  const char *const id = ID_A;
  fn_tracking *t = store_open(false);
  fn_err err = {0};
  fn_registry *r = NULL;
  int64_t version = 0, other = 0;
  bool found = false;
  store_add(t, id, "one", 1);
  assert_ok(fn_tracking_run_end(t, id, FN_RUN_FINISHED, 2, &err));
  assert_ok(fn_registry_open(&r, fn_tracking_sql(t), NULL, false, &err));
  assert_ok(fn_registry_reserve(&version, &found, r, "news", "o", id, &err));
  assert_status(fn_tracking_purge(t, id, &err), FN_E_REFUSED);
  assert_contains(err.message, "is making a version of the model news");
  assert_ok(fn_tracking_get_run(t, id, is_not_hidden, NULL, &err)); /* nothing was hidden */
  assert_ok(fn_sql_run(fn_tracking_sql(t), "UPDATE registry_versions SET created_ms = 1", NULL, 0, NULL, &err));
  assert_ok(fn_tracking_set_deleted(t, id, true, &err)); /* killed, a day ago */
  const fn_version_info info = {.name = "news", .version = version, .run_id = id, .digest = "o", .card = "{}"};
  assert_status(fn_registry_publish(&version, &found, r, &info, &err), FN_E_REFUSED);
  assert_status(fn_registry_reserve(&other, &found, r, "news", "p", id, &err), FN_E_REFUSED);
  assert_contains(err.message, "was removed");
  fn_registry_close(r);
  fn_tracking_close(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_run_is_held, store_begin, store_end)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
