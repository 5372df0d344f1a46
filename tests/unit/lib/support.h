/* What the tests of the public library share: small models (DIR/bert, DIR/linear, DIR/both.fnm, the same
 * calibrated) and articles. */
#ifndef FN_TESTS_LIB_SUPPORT_H
#define FN_TESTS_LIB_SUPPORT_H

#include "../test.h"

#include "../infer/models.h"

#include <fakenews/fakenews.h>

static char root[] = "/tmp/fn-lib-XXXXXX";
static char *bert_dir, *linear_dir, *both_path, *calibrated_path;
static fn_arena arena;

enum { N = 40 };
static fakenews_article articles[N];

/* The last articles; the rest is of the models' words, which are no English. */
static const char *const prose[] = {
    "The mayor said on Monday that the bridge would be open to traffic before the winter, and that it had cost less.",
    "Two boats were seen off the coast in the morning; the crews had been fishing there for a week when the storm "
    "came."};

/* Calibration of both halves together and of the linear one, windows read. */
static inline void write_calibration(fn_buf *out) {
  fn_calibration c = {.mode = FN_TEXT_TITLE_TEXT,
                      .windows = true,
                      .max_tokens = 16,
                      .prior = 0.5,
                      .quantile = 0.01,
                      .model = "small@0123456789ab",
                      .grouped_by = "source"};
  c.sets[0] = (fn_calibration_set){
      .part = FN_PART_BOTH,
      .scaling = {.k = 2, .weights = {0.5, 0.75}, .bias = -0.25, .n_buckets = 1, .temperatures = {1.25}},
      .unsure = 0.7,
      .target = (double)NAN,
      .unlike = {(double)NAN, (double)NAN},
      .before = {0.9, 0.3, (double)NAN, 0.66},
      .after = {0.6, 0.02, 0.76, 0.68},
      .coverage = (double)NAN,
      .accuracy = (double)NAN};
  c.n_sets = 2;
  c.sets[1] = c.sets[0];
  c.sets[1].part = FN_PART_LINEAR;
  c.sets[1].scaling = (fn_scaling){.k = 1, .weights = {1.0}, .n_buckets = 1, .temperatures = {0.5}};
  fn_calibration_format(out, &c);
}

static int set_up(void **state) {
  (void)state;
  fn_arena_init(&arena);
  if (mkdtemp(root) == NULL) return -1;
  bert_dir = fn_path_join(root, "bert");
  linear_dir = fn_path_join(root, "linear");
  both_path = fn_path_join(root, "both.fnm");
  calibrated_path = fn_path_join(root, "calibrated.fnm");
  for (size_t i = 0; i < N; i++) {
    fn_str title = words_of(&arena, i, 1 + i % 5), text = words_of(&arena, 100 + i, i * i % 97 + 1);
    articles[i] = (fakenews_article){title.data, title.length, text.data, text.length};
  }
  for (size_t i = 0; i < FN_COUNT_OF(prose); i++)
    articles[N - 1 - i] = (fakenews_article){NULL, 0, prose[i], strlen(prose[i])};
  FN_AUTO_BUF fn_buf calibration;
  fn_buf_init(&calibration, 0);
  write_calibration(&calibration);
  bool ok = make_bert(bert_dir, true) && make_linear(linear_dir) &&
            make_packed(both_path, bert_dir, linear_dir, true, NULL) &&
            make_packed(calibrated_path, bert_dir, linear_dir, true, calibration.data);
  return ok ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  free(bert_dir);
  free(linear_dir);
  free(both_path);
  free(calibrated_path);
  fn_arena_deinit(&arena);
  return fn_dir_remove(root, NULL) == FN_OK ? 0 : -1;
}

/* Fails with the library's own message. Needs a local `fakenews_error error`. */
#define assert_done(call)                                                                                              \
  do {                                                                                                                 \
    fakenews_status assert_status_ = (call);                                                                           \
    if (assert_status_ != FAKENEWS_OK) fail_msg("%s: %s", fakenews_status_name(assert_status_), error.message);        \
  } while (0)
#define assert_refused(call, expected, part)                                                                           \
  do {                                                                                                                 \
    error.status = FAKENEWS_OK;                                                                                        \
    assert_int_equal(call, expected);                                                                                  \
    assert_int_equal(error.status, expected);                                                                          \
    assert_contains(error.message, part);                                                                              \
  } while (0)

/* Answers of a classifier and session of their own; false on any failure. */
static inline bool answer(fakenews_prediction out[N], const char *path, uint32_t n_threads) {
  fakenews_classifier *c = NULL;
  fakenews_session *s = NULL;
  fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
  options.n_threads = n_threads;
  bool ok = fakenews_classifier_open(&c, path, NULL) == FAKENEWS_OK &&
            fakenews_session_create(&s, c, &options, NULL) == FAKENEWS_OK &&
            fakenews_session_classify(out, sizeof *out, s, articles, N, NULL) == FAKENEWS_OK;
  fakenews_session_destroy(s);
  fakenews_classifier_close(c);
  return ok;
}

/* Pointers have no say, what they lead to has. */
static inline bool same_prediction(const fakenews_prediction *a, const fakenews_prediction *b) {
  fakenews_prediction x = *a, y = *b;
  bool windows = (x.window_logits == NULL) == (y.window_logits == NULL);
  x.message = y.message = NULL;
  x.window_logits = y.window_logits = NULL;
  return windows && memcmp(&x, &y, sizeof x) == 0 && strcmp(a->message, b->message) == 0;
}
static inline bool same_predictions(const fakenews_prediction *a, const fakenews_prediction *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!same_prediction(&a[i], &b[i])) return false;
  return true;
}

#endif
