/* One classifier, several threads, each with a session of its own, some with workers; also for the thread sanitizer. */
#include "support.h"

#include <pthread.h>

enum { N_THREADS = 4, ROUNDS = 5 };

static fakenews_classifier *shared;
static fakenews_prediction expected[N];

typedef struct user {
  pthread_t thread;
  uint32_t n_threads;
  bool ok;
} user;

static void *use(void *arg) {
  user *u = arg;
  fakenews_prediction p[N];
  fakenews_classifier_info info;
  u->ok = fakenews_classifier_get_info(&info, sizeof info, shared, NULL) == FAKENEWS_OK && info.n_labels == 2 &&
          fakenews_classifier_verify(shared, NULL) == FAKENEWS_OK;
  for (int round = 0; round < ROUNDS && u->ok; round++) {
    fakenews_session *s = NULL;
    fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
    options.n_threads = u->n_threads;
    u->ok = fakenews_session_create(&s, shared, &options, NULL) == FAKENEWS_OK &&
            fakenews_session_classify(p, sizeof *p, s, articles, N, NULL) == FAKENEWS_OK &&
            same_predictions(p, expected, N);
    fakenews_session_destroy(s);
  }
  return NULL;
}

static void check(const char *path) {
  fakenews_error error;
  user users[N_THREADS] = {0};
  assert_true(answer(expected, path, 1));
  assert_done(fakenews_classifier_open(&shared, path, &error));
  for (uint32_t i = 0; i < N_THREADS; i++) {
    users[i].n_threads = i % 2 ? 3 : 1;
    assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
  }
  for (int i = 0; i < N_THREADS; i++) pthread_join(users[i].thread, NULL);
  for (int i = 0; i < N_THREADS; i++) assert_true(users[i].ok);
  fakenews_classifier_close(shared);
}

static void test_packed(void **state) {
  (void)state;
  check(calibrated_path);
}
static void test_directory(void **state) {
  (void)state;
  check(bert_dir);
}
static void test_linear(void **state) {
  (void)state;
  check(linear_dir);
}

/* A session may go from thread to thread. */
static fakenews_session *wandering;
static void *classify_once(void *arg) {
  return fakenews_session_classify(arg, sizeof(fakenews_prediction), wandering, articles, N, NULL) == FAKENEWS_OK
             ? arg
             : NULL;
}
static void test_other_thread(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_prediction p[N];
  fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
  options.n_threads = 2;
  assert_true(answer(expected, both_path, 1));
  assert_done(fakenews_classifier_open(&shared, both_path, &error));
  assert_done(fakenews_session_create(&wandering, shared, &options, &error));
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    void *done = NULL;
    assert_int_equal(pthread_create(&thread, NULL, classify_once, p), 0);
    pthread_join(thread, &done);
    assert_non_null(done);
    assert_true(same_predictions(p, expected, N));
  }
  fakenews_session_destroy(wandering);
  fakenews_classifier_close(shared);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_packed), cmocka_unit_test(test_directory),
                                     cmocka_unit_test(test_linear), cmocka_unit_test(test_other_thread)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
