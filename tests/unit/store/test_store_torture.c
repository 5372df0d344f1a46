/* The n-th allocation fails, n = 1, 2, …: nothing crashes or leaks, and no call says that it is done when it is not. */
#include "../failing.h"
#include "store/options.h"
#include "store/secret.h"
#include "store/store.h"

static char folder[64], source[96];
static fn_net_options net;
static fn_bucket_options buckets;
static fn_arena arena;

static const char *variable(void *arg, const char *name) {
  (void)arg;
  static const char *const pairs[][2] = {{"AWS_ACCESS_KEY_ID", "id"},
                                         {"AWS_SECRET_ACCESS_KEY", "secret"},
                                         {"AWS_SESSION_TOKEN", "token"},
                                         {"AWS_ENDPOINT_URL", "http://127.0.0.1:1"},
                                         {"AWS_EC2_METADATA_DISABLED", "true"},
                                         {"STORAGE_EMULATOR_HOST", "127.0.0.1:1"},
                                         {"NO_GCE_CHECK", "true"}};
  for (size_t i = 0; i < FN_COUNT_OF(pairs); i++)
    if (strcmp(name, pairs[i][0]) == 0) return pairs[i][1];
  return NULL;
}

static const char *few_variables(void *arg, const char *name) {
  return strncmp(name, "AWS_E", 5) == 0 || strncmp(name, "NO_", 3) == 0 ? variable(arg, name) : NULL;
}

static fn_environment environment;

static fn_status count(void *arg, const fn_store_entry *entry, fn_err *err) {
  (void)entry, (void)err;
  ++*(int *)arg;
  return FN_OK;
}

static fn_status use(const char *uri, fn_err *err) {
  const fn_store_options options = {.net = &net, .buckets = &buckets, .environment = &environment, .state = folder};
  fn_store *store;
  fn_store_entry entry;
  fn_buf out;
  int n = 0;
  FN_TRY(fn_store_open(&store, uri, &options, err));
  fn_buf_init(&out, 1 << 16);
  fn_status status = fn_store_put(store, "a/b", source, NULL, err);
  if (status == FN_OK) status = fn_store_write(store, "c", fn_str_from("text"), err);
  if (status == FN_OK) status = fn_store_stat(&entry, store, "a/b", err);
  if (status == FN_OK) status = fn_store_list(store, "", count, &n, err);
  if (status == FN_OK) status = fn_store_read(&out, store, "c", 100, err);
  if (status == FN_OK && (n != 2 || !fn_str_is(fn_buf_str(&out), "text"))) status = FN_E_INTERNAL;
  fn_buf_deinit(&out);
  fn_store_close(store);
  return status;
}

static fn_status use_folder(fn_err *err) {
  char uri[96];
  snprintf(uri, sizeof uri, "%s/store", folder);
  return use(uri, err);
}

static fn_status use_s3(fn_err *err) {
  return use("s3://bucket/prefix", err);
}

static fn_status use_gs(fn_err *err) {
  return use("gs://bucket/prefix", err);
}

static fn_status use_web(fn_err *err) {
  const fn_store_options options = {.net = &net, .environment = &environment};
  fn_store *store;
  fn_store_entry entry;
  FN_TRY(fn_store_open(&store, "http://me:password@127.0.0.1:1/x", &options, err));
  const fn_status status = fn_store_stat(&entry, store, "a", err);
  fn_store_close(store);
  return status;
}

static fn_status use_secret(fn_err *err) {
  const fn_store_options options = {.net = &net, .environment = &environment};
  fn_buf out;
  fn_buf_init(&out, 1 << 16);
  const fn_status status = fn_secret_get(&out, "secret:gcp/name/versions/3", &options, err);
  fn_buf_deinit(&out);
  return status;
}

/* Without memory a call may fail otherwise than with it, but it must fail. */
static void torture(fn_status (*scenario)(fn_err *err), fn_status expected) {
  for (size_t n = 1;; n++) {
    fn_err err = {0};
    n_failed = 0;
    countdown = n;
    const fn_status status = scenario(&err);
    countdown = 0;
    if (n_failed == 0) {
      if (status != expected) fail_msg("%s: %s", fn_status_name(status), err.message);
      assert_true(n > 3);
      break;
    }
    if (status != expected && status != FN_E_NO_MEMORY && status != FN_E_INVALID && status != FN_E_IO)
      fail_msg("allocation %zu: %s: %s", n, fn_status_name(status), err.message);
    if (status != FN_OK && err.message[0] == 0)
      fail_msg("allocation %zu: %s without a message", n, fn_status_name(status));
    if (strstr(err.message, "password")) fail_msg("%s", err.message);
  }
}

static void test_kinds(void **state) {
  (void)state;
  environment = (fn_environment){.get = variable, .home = "/nonexistent"};
  torture(use_folder, FN_OK);
  torture(use_s3, FN_E_IO);
  torture(use_gs, FN_E_IO);
  torture(use_web, FN_E_IO);
}

static void test_without_credentials(void **state) {
  (void)state;
  environment = (fn_environment){.get = few_variables, .home = "/nonexistent"};
  torture(use_s3, FN_E_INVALID);
  torture(use_secret, FN_E_INVALID);
}

static int set_up(void **state) {
  (void)state;
  memcpy(folder, "/tmp/fn-test-XXXXXX", 20);
  if (!mkdtemp(folder)) return 1;
  snprintf(source, sizeof source, "%s/source", folder);
  fn_arena_init(&arena);
  if (fn_options_default(&net, &arena, &fn_net_option_table, NULL) != FN_OK) return 1;
  if (fn_options_default(&buckets, &arena, &fn_bucket_option_table, NULL) != FN_OK) return 1;
  net.retries = 0;
  return fn_file_write(source, "abc", 3, NULL) == FN_OK ? 0 : 1;
}

static int tear_down(void **state) {
  (void)state;
  fn_arena_deinit(&arena);
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_without_credentials),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
