/* Each allocation fails once, from opening to the answers: the status says so, outputs are untouched, the next try
 * works; under the address sanitizer nothing is left. */
#include "../failing.h"

#include "support.h"

/* One use from open to close; *opened etc. say how far it came. FAKENEWS_OK only when all of it worked. */
static fakenews_status use(fakenews_prediction *p, const char *path, uint32_t n_threads, fakenews_error *error) {
  fakenews_classifier *c = NULL;
  fakenews_session *s = NULL;
  fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
  options.n_threads = n_threads;
  options.long_texts = FAKENEWS_WINDOWS;
  fakenews_status status = fakenews_classifier_open(&c, path, error);
  if (status != FAKENEWS_OK) return assert_null(c), status;
  status = fakenews_session_create(&s, c, &options, error);
  if (status != FAKENEWS_OK) assert_null(s);
  if (status == FAKENEWS_OK) status = fakenews_session_classify(p, sizeof *p, s, articles, N, error);
  fakenews_explanation *e = NULL;
  if (status == FAKENEWS_OK) status = fakenews_session_explain(&e, s, &articles[9], NULL, error);
  if (status != FAKENEWS_OK) assert_null(e);
  fakenews_explanation_destroy(e);
  fakenews_session_destroy(s);
  fakenews_classifier_close(c);
  return status;
}

static void check(const char *path, uint32_t n_threads) {
  static fakenews_prediction p[N], expected[N];
  fakenews_error error;
  assert_done(use(expected, path, n_threads, &error));
  size_t n = 1, refused = 0;
  for (;; n++) {
    memset(p, 7, sizeof p);
    n_failed = 0;
    countdown = n;
    fakenews_status status = use(p, path, n_threads, &error);
    countdown = 0;
    if (n_failed == 0) break;
    if (status == FAKENEWS_OK) { /* one that the work can do without */
      assert_true(same_predictions(p, expected, N));
      continue;
    }
    if (status != FAKENEWS_NO_MEMORY) fail_msg("allocation %zu: %s", n, error.message);
    assert_int_equal(error.status, FAKENEWS_NO_MEMORY);
    bool untouched = ((unsigned char *)p)[0] == 7; /* else it came further, to the explanation */
    for (size_t i = 0; untouched && i < sizeof p; i++) assert_int_equal(((unsigned char *)p)[i], 7);
    if (!untouched) assert_true(same_predictions(p, expected, N));
    refused++;
  }
  assert_true(refused > 10);
  assert_true(same_predictions(p, expected, N));
}

static void test_packed(void **state) {
  (void)state;
  check(both_path, 1);
}
static void test_directory(void **state) {
  (void)state;
  check(bert_dir, 1);
}
static void test_linear(void **state) {
  (void)state;
  check(linear_dir, 1);
}

static void test_calibrated(void **state) {
  (void)state;
  check(calibrated_path, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_packed), cmocka_unit_test(test_calibrated),
                                     cmocka_unit_test(test_directory), cmocka_unit_test(test_linear)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
