/* Names of models, copies, and a follower: its thread is made by pthread_create inside fn_follow_start. */
#include "../test.h"
#include "registry/follow.h"
#include "registry/registry.h"
#include "track/tracking.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static char *cache, *database, *artifacts;
static fn_tracking *tracking;
static fn_registry *registry;
static fn_tracking_options tracking_options;
static fn_model_source source;

static char *below(const char *name) {
  char *path = fn_path_join(folder, name);
  assert_non_null(path);
  return path;
}

static int begin(void **state) {
  (void)state;
  fn_err err = {0};
  snprintf(folder, sizeof folder, "/tmp/fn-test-follow-XXXXXX");
  if (!mkdtemp(folder)) return 1;
  cache = below("cache");
  database = below("tracking.db");
  artifacts = below("artifacts");
  tracking_options = (fn_tracking_options){.url = database, .artifacts = artifacts};
  source = (fn_model_source){.tracking = &tracking_options, .cache = cache};
  if (fn_tracking_open(&tracking, &tracking_options, &err) != FN_OK) return 1;
  return fn_registry_open(&registry, fn_tracking_sql(tracking), NULL, false, &err) == FN_OK ? 0 : 1;
}

static int end(void **state) {
  (void)state;
  fn_registry_close(registry);
  fn_tracking_close(tracking);
  free(cache);
  free(database);
  free(artifacts);
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

/* A version whose packed file says which it is. */
static void add(int64_t expected) {
  fn_err err = {0};
  int64_t version = 0;
  bool found = false;
  char text[32], origin[16];
  fn_version_owner owner;
  snprintf(text, sizeof text, "model %d", (int)expected);
  snprintf(origin, sizeof origin, "o%d", (int)expected);
  FN_AUTO_FREE char *file = below("file");
  assert_ok(fn_registry_reserve(&version, &found, registry, "news", origin, NULL, &err));
  assert_ok(fn_file_write(file, text, strlen(text), &err));
  fn_version_owner_format(owner, "news", version);
  assert_ok(fn_tracking_put(tracking, owner, "fakenews/model.fnm", file, &err));
  const fn_version_info info = {.name = "news", .version = version, .digest = origin, .card = "{}"};
  assert_ok(fn_registry_publish(&version, &found, registry, &info, &err));
  assert_int_equal(version, expected);
}

static void move(int64_t version) {
  fn_err err = {0};
  const fn_alias_move m = {.name = "news", .alias = "best", .version = version, .expected = -1, .action = "alias"};
  assert_ok(fn_registry_move_alias(registry, &m, &err));
}

static void test_names(void **state) {
  (void)state;
  fn_model_uri u;
  fn_err err = {0};
  static const char *const bad[] = {"models:",
                                    "models:/",
                                    "models:/a",
                                    "models:/a/",
                                    "models:/a@",
                                    "models:/a/0",
                                    "models:/a/-1",
                                    "models:/a/x",
                                    "models:/@b",
                                    "models:/a@latest",
                                    "models:/a/1/extra",
                                    "models:/a@v1",
                                    "models:/a b/1",
                                    "models:/../1",
                                    "runs:",
                                    "runs:/",
                                    "runs://"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) assert_int_equal(fn_model_uri_parse(&u, bad[i], &err), FN_E_INVALID);
  static const char *const paths[] = {"model.fnm", "a/b", "/x", "", "modelsx", "C:/x", "owner/name"};
  for (size_t i = 0; i < FN_COUNT_OF(paths); i++) {
    assert_ok(fn_model_uri_parse(&u, paths[i], &err));
    assert_int_equal(u.form, FN_MODEL_PATH);
  }
  assert_ok(fn_model_uri_parse(&u, "models:/a.b-c/12", &err));
  assert_string_equal(u.name, "a.b-c");
  assert_int_equal(u.version, 12);
  assert_ok(fn_model_uri_parse(&u, "models:/a@b", &err));
  assert_string_equal(u.alias, "b");
  assert_ok(fn_model_uri_parse(&u, "runs:/abc/x/y.fnm", &err));
  assert_string_equal(u.name, "abc");
  assert_string_equal(u.path, "x/y.fnm");
  assert_ok(fn_model_uri_parse(&u, "runs:/abc", &err));
  assert_string_equal(u.path, "model");
  assert_ok(fn_model_uri_parse(&u, "s3://bucket/x.fnm", &err));
  assert_int_equal(u.form, FN_MODEL_STORE);
}

typedef struct seen {
  atomic_int n_taken, n_moved, n_refused, n_away, n_back;
  atomic_llong version;
  atomic_bool refuses;
  atomic_int n_short; /* so often there is no memory */
} seen;

static fn_status take(void *arg, const char *path, fn_err *err) {
  seen *s = arg;
  FN_AUTO_BUF fn_buf text = {0};
  if (atomic_load(&s->n_short) > 0) {
    atomic_fetch_sub(&s->n_short, 1);
    return fn_err_no_memory(err, "a model");
  }
  if (atomic_load(&s->refuses)) return fn_err_set(err, FN_E_INVALID, "no good");
  FN_TRY(fn_file_read(&text, path, 100, err));
  atomic_fetch_add(&s->n_taken, 1);
  return FN_OK;
}

static void tell(void *arg, fn_follow_what what, const fn_follow_state *state, const char *text) {
  seen *s = arg;
  atomic_store(&s->version, state->version);
  if (text == NULL) return;
  atomic_int *const counts[] = {[FN_FOLLOW_MOVED] = &s->n_moved,
                                [FN_FOLLOW_AWAY] = &s->n_away,
                                [FN_FOLLOW_BACK] = &s->n_back,
                                [FN_FOLLOW_FETCH] = &s->n_refused,
                                [FN_FOLLOW_REFUSED] = &s->n_refused};
  atomic_fetch_add(counts[what], 1);
}

static void pass(int ms) {
  const struct timespec t = {0, ms * 1000000};
  nanosleep(&t, NULL);
}

static void wait_for(const atomic_int *count, int n) {
  for (int i = 0; i < 6000 && atomic_load(count) < n; i++) pass(10);
  assert_true(atomic_load(count) >= n);
}

static void test_follows(void **state) {
  (void)state;
  fn_err err = {0};
  fn_model_uri uri;
  fn_model_place place, last;
  fn_follow *follow;
  seen s = {.n_taken = 0};
  for (int64_t v = 1; v <= 3; v++) add(v);
  move(1);
  assert_ok(fn_model_uri_parse(&uri, "models:/news@best", &err));
  assert_ok(fn_model_fetch(&place, &uri, FN_WANT_ANSWERS, &source, &err));
  assert_int_equal(place.version, 1);
  const fn_follow_options options = {
      .uri = &uri, .source = &source, .every_ms = 10, .take = take, .tell = tell, .arg = &s};
  assert_ok(fn_follow_start(&follow, &options, &place, &err));
  fn_model_place_deinit(&place);
  move(2);
  wait_for(&s.n_moved, 1);
  assert_int_equal(atomic_load(&s.version), 2);
  assert_ok(fn_model_last(&last, &uri, FN_WANT_ANSWERS, &source, &err));
  assert_int_equal(last.version, 2);
  fn_model_place_deinit(&last);
  atomic_store(&s.refuses, true);
  move(3);
  wait_for(&s.n_refused, 1);
  pass(100);
  assert_int_equal(atomic_load(&s.n_refused), 1); /* not tried again */
  assert_int_equal(atomic_load(&s.version), 2);
  assert_ok(fn_model_last(&last, &uri, FN_WANT_ANSWERS, &source, &err));
  assert_int_equal(last.version, 2);
  fn_model_place_deinit(&last);
  atomic_store(&s.refuses, false);
  atomic_store(&s.n_short, 2);
  move(1);
  wait_for(&s.n_moved, 2); /* what was of the moment is tried again */
  fn_follow_stop(follow);
  assert_int_equal(atomic_load(&s.n_refused), 3);
  assert_int_equal(atomic_load(&s.version), 1);
  assert_int_equal(atomic_load(&s.n_taken), 2);
}

static bool has_last(const char *url, fn_status *status_out) {
  fn_err err = {0};
  fn_model_uri uri;
  fn_model_place place;
  const fn_tracking_options options = {.url = url, .artifacts = artifacts};
  const fn_model_source other = {.tracking = &options, .cache = cache};
  assert_ok(fn_model_uri_parse(&uri, "models:/news@best", &err));
  *status_out = fn_model_last(&place, &uri, FN_WANT_ANSWERS, &other, &err);
  if (*status_out == FN_OK) fn_model_place_deinit(&place);
  return *status_out == FN_OK;
}

/* One registry by its place, however it is written; another one of the same words has other copies. */
static void test_copies_of_two_registries_do_not_meet(void **state) {
  (void)state;
  fn_err err = {0};
  fn_model_uri uri;
  fn_model_place place;
  fn_status status;
  add(1);
  move(1);
  assert_ok(fn_model_uri_parse(&uri, "models:/news@best", &err));
  assert_ok(fn_model_fetch(&place, &uri, FN_WANT_ANSWERS, &source, &err));
  assert_false(has_last(database, &status)); /* it was not loaded: nobody knows whether it is good */
  assert_ok(fn_model_remember(&uri, &place, &source, &err));
  fn_model_place_deinit(&place);
  FN_AUTO_FREE char *before = NULL, *elsewhere = below("elsewhere"), *detour = below("elsewhere/../tracking.db");
  assert_ok(fn_path_real(&before, ".", &err));
  assert_ok(fn_dir_create(elsewhere, &err));
  assert_int_equal(chdir(folder), 0);
  assert_true(has_last("tracking.db", &status));
  assert_true(has_last("sqlite:tracking.db", &status));
  assert_true(has_last(detour, &status));
  assert_int_equal(chdir(elsewhere), 0);
  assert_false(has_last("tracking.db", &status));
  assert_status(status, FN_E_NOT_FOUND);
  assert_int_equal(chdir(before), 0);
}

/* As if a disk, or somebody, had changed one byte of a copy. */
static void damage(const char *path) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf text = {0};
  fn_buf_init(&text, 0);
  assert_ok(fn_file_read(&text, path, 1000, &err));
  text.data[0] ^= 1;
  FILE *file = fopen(path, "r+");
  assert_non_null(file);
  assert_int_equal(fwrite(text.data, 1, text.length, file), text.length);
  assert_int_equal(fclose(file), 0);
}

static void test_damaged_copies_are_noticed(void **state) {
  (void)state;
  fn_err err = {0};
  fn_model_uri uri;
  fn_model_place place, again, last;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  add(1);
  move(1);
  assert_ok(fn_model_uri_parse(&uri, "models:/news@best", &err));
  assert_ok(fn_model_fetch(&place, &uri, FN_WANT_ANSWERS, &source, &err));
  assert_ok(fn_model_remember(&uri, &place, &source, &err));
  damage(place.path);
  assert_status(fn_model_last(&last, &uri, FN_WANT_ANSWERS, &source, &err), FN_E_NOT_FOUND);
  assert_ok(fn_model_fetch(&again, &uri, FN_WANT_ANSWERS, &source, &err)); /* anew */
  assert_string_equal(again.path, place.path);
  assert_ok(fn_file_read(&text, again.path, 100, &err));
  assert_string_equal(text.data, "model 1");
  assert_ok(fn_model_last(&last, &uri, FN_WANT_ANSWERS, &source, &err));
  fn_model_place_deinit(&last);
  /* what has other times and the same bytes stays; a file more does not */
  const struct timespec times[2] = {{1000, 0}, {1000, 0}};
  assert_int_equal(utimensat(AT_FDCWD, again.path, times, 0), 0);
  assert_ok(fn_model_last(&last, &uri, FN_WANT_ANSWERS, &source, &err));
  fn_model_place_deinit(&last);
  FN_AUTO_FREE char *more = fn_str_dup(fn_str_from(again.path));
  more[strlen(more) - 1] = 'x';
  assert_ok(fn_file_write(more, "", 0, &err));
  assert_status(fn_model_last(&last, &uri, FN_WANT_ANSWERS, &source, &err), FN_E_NOT_FOUND);
  fn_model_place_deinit(&place);
  fn_model_place_deinit(&again);
}

/* The whole folder of a version. */
static void age(const char *version_folder, int days) {
  const struct timespec past = {time(NULL) - (time_t)days * 86400, 0}, times[2] = {past, past};
  static const char *const parts[] = {"fakenews", "fakenews.checked", ""};
  for (size_t i = 0; i < FN_COUNT_OF(parts); i++) {
    FN_AUTO_FREE char *path = fn_path_join(version_folder, parts[i]);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
  }
}

static char *fetch_number(int64_t version) {
  fn_err err = {0};
  fn_model_uri uri;
  fn_model_place place;
  char name[64];
  snprintf(name, sizeof name, "models:/news/%d", (int)version);
  assert_ok(fn_model_uri_parse(&uri, name, &err));
  assert_ok(fn_model_fetch(&place, &uri, FN_WANT_ANSWERS, &source, &err));
  place.path[strlen(place.path) - strlen("/fakenews/model.fnm")] = '\0';
  return place.path;
}

static void test_unused_copies_go(void **state) {
  (void)state;
  fn_err err = {0};
  fn_model_uri uri;
  fn_model_place place;
  for (int64_t v = 1; v <= 4; v++) add(v);
  move(1);
  assert_ok(fn_model_uri_parse(&uri, "models:/news@best", &err));
  assert_ok(fn_model_fetch(&place, &uri, FN_WANT_ANSWERS, &source, &err));
  assert_ok(fn_model_remember(&uri, &place, &source, &err));
  fn_model_place_deinit(&place);
  FN_AUTO_FREE char *linked = fetch_number(1), *old = fetch_number(2), *young = fetch_number(3);
  FN_AUTO_FREE char *left = NULL, *begun = NULL;
  assert_ok(fn_dir_create_beside(&left, old, &err));
  assert_ok(fn_dir_create_beside(&begun, old, &err));
  age(linked, 30);
  age(old, 15);
  age(young, 13);
  const struct timespec times[2] = {{1000, 0}, {1000, 0}};
  assert_int_equal(utimensat(AT_FDCWD, left, times, 0), 0);
  free(fetch_number(4));
  assert_false(fn_path_exists(old));
  assert_false(fn_path_exists(left));
  assert_true(fn_path_exists(linked)); /* the last good one */
  assert_true(fn_path_exists(young));
  assert_true(fn_path_exists(begun));
}

static void test_goes_on_without_a_registry(void **state) {
  (void)state;
  fn_err err = {0};
  fn_model_uri uri;
  fn_model_place place;
  fn_follow *follow;
  seen s = {.n_taken = 0};
  FN_AUTO_FREE char *away = below("away.db");
  add(1);
  move(1);
  assert_ok(fn_model_uri_parse(&uri, "models:/news@best", &err));
  assert_ok(fn_model_fetch(&place, &uri, FN_WANT_ANSWERS, &source, &err));
  const fn_follow_options options = {
      .uri = &uri, .source = &source, .every_ms = 10, .take = take, .tell = tell, .arg = &s};
  assert_ok(fn_path_rename(database, away, &err));
  assert_ok(fn_follow_start(&follow, &options, &place, &err));
  wait_for(&s.n_away, 1);
  pass(100);
  assert_int_equal(atomic_load(&s.n_away), 1);
  assert_ok(fn_path_rename(away, database, &err));
  wait_for(&s.n_back, 1);
  fn_follow_stop(follow);
  fn_model_place_deinit(&place);
  assert_int_equal(atomic_load(&s.n_taken), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test_setup_teardown(test_follows, begin, end),
      cmocka_unit_test_setup_teardown(test_copies_of_two_registries_do_not_meet, begin, end),
      cmocka_unit_test_setup_teardown(test_damaged_copies_are_noticed, begin, end),
      cmocka_unit_test_setup_teardown(test_unused_copies_go, begin, end),
      cmocka_unit_test_setup_teardown(test_goes_on_without_a_registry, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
