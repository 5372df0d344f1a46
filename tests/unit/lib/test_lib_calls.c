/* The public functions one by one: what they say, what they refuse, structs of older and newer callers. */
#include "support.h"

#include <math.h>

static fakenews_classifier *open_model(const char *path) {
  fakenews_error error;
  fakenews_classifier *c = NULL;
  assert_done(fakenews_classifier_open(&c, path, &error));
  return c;
}

static fakenews_session *make_session(const fakenews_classifier *c, const fakenews_session_options *options) {
  fakenews_error error;
  fakenews_session *s = NULL;
  assert_done(fakenews_session_create(&s, c, options, &error));
  return s;
}

static void test_version(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", FAKENEWS_VERSION_MAJOR, FAKENEWS_VERSION_MINOR, FAKENEWS_VERSION_PATCH);
  assert_string_equal(fakenews_version(), text);
  assert_int_equal(fakenews_version_number(), FAKENEWS_VERSION_NUMBER);
}

static void test_status_names(void **state) {
  (void)state;
  assert_string_equal(fakenews_status_name(FAKENEWS_OK), "ok");
  assert_string_equal(fakenews_status_name(FAKENEWS_FORKED), "forked");
  for (int32_t i = FAKENEWS_OK; i <= FAKENEWS_FORKED; i++) {
    assert_string_not_equal(fakenews_status_name(i), "unknown");
    for (int32_t k = 0; k < i; k++) assert_string_not_equal(fakenews_status_name(i), fakenews_status_name(k));
  }
  assert_string_equal(fakenews_status_name(-1), "unknown");
  assert_string_equal(fakenews_status_name(FAKENEWS_FORKED + 1), "unknown");
}

static void test_open_refused(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = NULL;
  char *missing = fn_path_join(root, "missing"), *text = fn_path_join(root, "text.fnm");
  assert_true(make_file(root, "text.fnm", "no model", 8));
  assert_refused(fakenews_classifier_open(&c, missing, &error), FAKENEWS_NOT_FOUND, "missing");
  assert_int_not_equal(fakenews_classifier_open(&c, text, &error), FAKENEWS_OK);
  assert_contains(error.message, "text.fnm");
  assert_refused(fakenews_classifier_open(NULL, both_path, &error), FAKENEWS_INVALID, "classifier_out");
  assert_int_equal(fakenews_classifier_open(&c, missing, NULL), FAKENEWS_NOT_FOUND);
  assert_null(c);
  fakenews_classifier_close(NULL);
  fakenews_session_destroy(NULL);
  free(missing);
  free(text);
}

/* The bundled model of this build tree or machine, or an error that says where it was looked for. */
static void test_bundled(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = NULL;
  if (fakenews_classifier_open(&c, NULL, &error) != FAKENEWS_OK) {
    assert_int_equal(error.status, FAKENEWS_NOT_FOUND);
    assert_contains(error.message, "default.fnm");
  }
  fakenews_classifier_close(c);
}

static void test_long_message(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = NULL;
  char path[2000];
  memset(path, 'x', sizeof path);
  path[0] = '/';
  path[sizeof path - 1] = '\0';
  assert_int_not_equal(fakenews_classifier_open(&c, path, &error), FAKENEWS_OK);
  assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void test_info(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *both = open_model(both_path), *linear = open_model(linear_dir);
  fakenews_classifier_info b, l;
  assert_done(fakenews_classifier_get_info(&b, sizeof b, both, &error));
  assert_done(fakenews_classifier_get_info(&l, sizeof l, linear, &error));
  assert_int_equal(strncmp(b.id, "small@", 6), 0);
  assert_int_equal(strlen(b.checksum), 32);
  assert_int_equal(strncmp(b.checksum, b.id + 6, 12), 0);
  assert_string_equal(b.family, "bert+linear");
  assert_string_equal(b.card, "{\"licence\":\"none\"}");
  assert_true(b.calibration == NULL && l.calibration == NULL && l.card == NULL);
  assert_true(b.n_labels == 2 && b.fake == 1 && b.has_encoder == 1 && b.has_linear == 1 && l.has_encoder == 0);
  assert_string_equal(b.labels[0], "real");
  assert_string_equal(b.labels[1], "fake");
  assert_true(b.reads == FAKENEWS_READS_TITLE_TEXT && b.reads_known == 1);
  assert_true(b.max_tokens == 24 && b.max_positions == 64 && l.max_tokens == 0 && l.max_positions == 0);
  fakenews_classifier_close(both);
  fakenews_classifier_close(linear);
}

/* A newer caller's struct is longer: what is not known here is 0, and nothing beyond it is touched. */
static void test_info_sizes(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = open_model(both_path);
  struct {
    fakenews_classifier_info info;
    int64_t later, beyond;
  } newer = {.later = 7, .beyond = 7};
  assert_done(fakenews_classifier_get_info(&newer.info, sizeof newer.info + sizeof newer.later, c, &error));
  assert_true(newer.later == 0 && newer.beyond == 7 && newer.info.n_labels == 2);
  fakenews_classifier_info info = {.n_labels = 7};
  const size_t sizes[] = {0, 1, 8, sizeof info - 9, 1 << 20, SIZE_MAX};
  for (size_t i = 0; i < FN_COUNT_OF(sizes); i++)
    assert_refused(fakenews_classifier_get_info(&info, sizes[i], c, &error), FAKENEWS_INVALID, "info_size");
  assert_int_equal(info.n_labels, 7);
  assert_refused(fakenews_classifier_get_info(NULL, sizeof info, c, &error), FAKENEWS_INVALID, "info_out");
  assert_refused(fakenews_classifier_get_info(&info, sizeof info, NULL, &error), FAKENEWS_INVALID, "classifier");
  fakenews_classifier_close(c);
}

static void test_verify(void **state) {
  (void)state;
  fakenews_error error;
  char *path = fn_path_join(root, "turned.fnm");
  FN_AUTO_BUF fn_buf file;
  fn_buf_init(&file, 0);
  assert_int_equal(fn_file_read(&file, both_path, 1 << 26, NULL), FN_OK);
  size_t at = file.length - 1;
  while (file.data[at] == 0) at--; /* no padding */
  file.data[at] ^= 1;
  assert_true(make_file(root, "turned.fnm", file.data, file.length));
  fakenews_classifier *good = open_model(both_path), *dir = open_model(bert_dir), *bad = open_model(path);
  assert_done(fakenews_classifier_verify(good, &error));
  assert_done(fakenews_classifier_verify(dir, &error));
  assert_refused(fakenews_classifier_verify(bad, &error), FAKENEWS_INVALID, "turned.fnm");
  assert_refused(fakenews_classifier_verify(NULL, &error), FAKENEWS_INVALID, "classifier");
  fakenews_classifier_close(good);
  fakenews_classifier_close(dir);
  fakenews_classifier_close(bad);
  free(path);
}

/* Each option out of range is named, and so is one that does not fit the model. */
static void test_options_refused(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_session *s = NULL;
  fakenews_classifier *both = open_model(both_path), *bert = open_model(bert_dir), *linear = open_model(linear_dir);
  const struct {
    const fakenews_classifier *classifier;
    size_t offset;
    uint32_t value;
    const char *name;
  } cases[] = {
#define CASE(model, member, value) {model, offsetof(fakenews_session_options, member), value, "options." #member}
      CASE(both, n_threads, 1025),
      CASE(both, part, 3),
      CASE(both, part, UINT32_MAX),
      CASE(bert, part, FAKENEWS_LINEAR),
      CASE(linear, part, FAKENEWS_ENCODER),
      CASE(both, reads, 4),
      CASE(linear, reads, FAKENEWS_READS_TITLE),
      CASE(both, long_texts, 2),
      CASE(both, cpu_level, 7),
      CASE(both, max_tokens, 7),
      CASE(both, max_tokens, 65),
      CASE(both, max_windows, 4097),
      CASE(both, batch_tokens, (1u << 20) + 1),
      CASE(both, reserved, 1),
      CASE(both, struct_size, 0),
      CASE(both, struct_size, 55),
      CASE(both, struct_size, 1u << 30),
#undef CASE
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
    memcpy((char *)&options + cases[i].offset, &cases[i].value, sizeof cases[i].value);
    assert_refused(fakenews_session_create(&s, cases[i].classifier, &options, &error), FAKENEWS_INVALID, cases[i].name);
    assert_null(s);
  }
  const double bad[] = {-0.5, 1.0, 2.0, (double)NAN, (double)INFINITY, 0.3};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
    options.prior = bad[i];
    bool range = !(bad[i] > 0.0 && bad[i] < 1.0);
    assert_refused(fakenews_session_create(&s, both, &options, &error), range ? FAKENEWS_INVALID : FAKENEWS_UNSUPPORTED,
                   "options.prior");
    options.prior = 0.0;
    options.unsure = bad[i];
    if (bad[i] == 1.0) continue;
    assert_refused(fakenews_session_create(&s, both, &options, &error), FAKENEWS_INVALID, "options.unsure");
  }
  assert_refused(fakenews_session_create(NULL, both, NULL, &error), FAKENEWS_INVALID, "session_out");
  assert_refused(fakenews_session_create(&s, NULL, NULL, &error), FAKENEWS_INVALID, "classifier");
  fakenews_classifier_close(both);
  fakenews_classifier_close(bert);
  fakenews_classifier_close(linear);
}

/* A newer caller may have more options, as long as they are at their defaults. */
static void test_options_of_newer_caller(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_session *s = NULL;
  fakenews_classifier *c = open_model(both_path);
  struct {
    fakenews_session_options options;
    double later;
  } newer = {FAKENEWS_SESSION_OPTIONS_INIT, 0.0};
  newer.options.struct_size = (uint32_t)sizeof newer;
  assert_done(fakenews_session_create(&s, c, &newer.options, &error));
  fakenews_session_destroy(s);
  newer.later = 0.5;
  s = NULL;
  assert_refused(fakenews_session_create(&s, c, &newer.options, &error), FAKENEWS_UNSUPPORTED, "0.1.0");
  assert_null(s);
  fakenews_classifier_close(c);
}

static bool same_bits(double a, double b) {
  return memcmp(&a, &b, sizeof a) == 0;
}

/* p is q in public form. */
static void check_same(const fakenews_prediction *p, const fn_prediction *q) {
  assert_true(p->status == FAKENEWS_OK && p->label == q->label && p->message[0] == '\0');
  assert_true(p->verdict == (int32_t)q->verdict && p->reasons == q->reasons && p->calibrated == q->calibrated);
  assert_true(p->probability == q->probabilities[1] && p->label_probability == q->probabilities[q->label]);
  assert_true(same_bits(p->logit, q->logit) && same_bits(p->encoder_logit, q->encoder_logit));
  assert_true(same_bits(p->linear_logit, q->linear_logit) && p->n_tokens == q->n_tokens);
  assert_true(p->n_windows == q->n_windows && p->truncated == q->truncated && p->reserved == 0);
  assert_true((p->window_logits == NULL) == (q->window_logits == NULL));
  for (int32_t w = 0; p->window_logits != NULL && w < p->n_windows; w++)
    assert_true(p->window_logits[w] == q->window_logits[w]);
}

/* How a session is to be made, in both forms. */
typedef struct way {
  fakenews_session_options outer;
  fn_infer_options inner;
} way;

static way way_of(int32_t part, int inner_part) {
  way w = {FAKENEWS_SESSION_OPTIONS_INIT, FN_INFER_OPTIONS_INIT};
  w.outer.part = part;
  w.inner.part = inner_part;
  w.outer.long_texts = FAKENEWS_WINDOWS;
  w.inner.long_texts = FN_INFER_WINDOWS;
  w.outer.max_tokens = 16;
  w.inner.max_tokens = 16;
  return w;
}

/* Answers of the public and the inner functions to all articles are the same. */
static void classify_both_ways(fakenews_prediction p[N], const char *path, const way *w) {
  fakenews_error error;
  fn_err err = {0};
  fn_classifier *inner;
  fn_device *device;
  fn_session *inner_session;
  fn_article a[N];
  fn_prediction q[N];
  for (size_t i = 0; i < N; i++)
    a[i] = (fn_article){.title = fn_str_make(articles[i].title, articles[i].title_length),
                        .text = fn_str_make(articles[i].text, articles[i].text_length)};
  fakenews_classifier *c = open_model(path);
  fakenews_session *s = make_session(c, &w->outer);
  assert_ok(fn_classifier_load(&inner, path, &err));
  assert_ok(fn_device_create(&device, NULL, &err));
  assert_ok(fn_session_create(&inner_session, inner, &w->inner, device, &err));
  assert_done(fakenews_session_classify(p, sizeof *p, s, articles, N, &error));
  assert_ok(fn_session_classify(q, inner_session, a, N, &err));
  for (size_t i = 0; i < N; i++) check_same(&p[i], &q[i]);
  fn_session_destroy(inner_session);
  fn_device_destroy(device);
  fn_classifier_destroy(inner);
  fakenews_session_destroy(s);
  fakenews_classifier_close(c);
  for (size_t i = 0; i < N; i++) p[i].window_logits = NULL; /* they went with the session */
}

static void test_answers(void **state) {
  (void)state;
  const int32_t parts[] = {FAKENEWS_BOTH, FAKENEWS_LINEAR, FAKENEWS_ENCODER};
  const int inner_parts[] = {FN_INFER_BOTH, FN_INFER_LINEAR, FN_INFER_ENCODER};
  fakenews_prediction p[N];
  for (size_t k = 0; k < 3; k++) {
    const way w = way_of(parts[k], inner_parts[k]);
    classify_both_ways(p, both_path, &w);
    int n_fake = 0;
    for (size_t i = 0; i < N; i++) {
      n_fake += p[i].label;
      assert_true(isnan(p[i].encoder_logit) == (parts[k] == FAKENEWS_LINEAR) && p[i].calibrated == 0);
      assert_true(isnan(p[i].linear_logit) == (parts[k] == FAKENEWS_ENCODER));
    }
    assert_true(n_fake > 0 && n_fake < N);
    assert_true(parts[k] == FAKENEWS_LINEAR || p[9].n_windows > 1);
  }
}

static void test_calibrated_answers(void **state) {
  (void)state;
  fakenews_prediction p[N], shifted[N], sure[N], never[N];
  way w = way_of(FAKENEWS_BOTH, FN_INFER_BOTH);
  classify_both_ways(p, calibrated_path, &w);
  w.outer.prior = w.inner.prior = 0.01;
  classify_both_ways(shifted, calibrated_path, &w);
  for (size_t i = 0; i < N; i++) assert_true(p[i].calibrated && shifted[i].probability < p[i].probability);
  w = way_of(FAKENEWS_LINEAR, FN_INFER_LINEAR);
  classify_both_ways(p, calibrated_path, &w);
  w.outer.unsure = 0.99;
  w.inner.unsure = "0.99";
  classify_both_ways(sure, calibrated_path, &w);
  w.outer.unsure = FAKENEWS_NEVER;
  w.inner.unsure = NULL;
  classify_both_ways(never, calibrated_path, &w);
  size_t n_unsure = 0, n_never = 0;
  for (size_t i = 0; i < N; i++) {
    n_unsure += p[i].verdict == FAKENEWS_UNSURE;
    n_never += never[i].verdict == FAKENEWS_UNSURE;
    assert_true(sure[i].probability == p[i].probability && never[i].probability == p[i].probability);
    assert_true(p[i].verdict != FAKENEWS_UNSURE || sure[i].verdict == FAKENEWS_UNSURE);
  }
  assert_true(n_never < n_unsure);
}

/* What forces `unsure`. */
static void test_reasons(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = open_model(calibrated_path);
  fakenews_session *s = make_session(c, NULL);
  static const char russian[] = "Сегодня в столице прошло совещание министров по вопросам экономики и финансов страны.";
  static const char english[] = "The mayor said on Monday that the bridge would be open to traffic before the winter.";
  const fakenews_article some[] = {
      {NULL, 0, russian, strlen(russian)}, {NULL, 0, "wb wc", 5}, {english, strlen(english), "", 0}};
  fakenews_prediction p[3];
  assert_done(fakenews_session_classify(p, sizeof *p, s, some, 3, &error));
  assert_true((p[0].reasons & FAKENEWS_NOT_ENGLISH) && p[0].verdict == FAKENEWS_UNSURE);
  assert_true((p[1].reasons & FAKENEWS_TOO_SHORT) && p[1].verdict == FAKENEWS_UNSURE);
  assert_true(p[2].reasons & FAKENEWS_HEADLINE_ONLY);
  fakenews_session_destroy(s);
  fakenews_classifier_close(c);
}

static void test_names(void **state) {
  (void)state;
  assert_string_equal(fakenews_verdict_name(FAKENEWS_NO_VERDICT), "none");
  assert_string_equal(fakenews_verdict_name(FAKENEWS_FAKE), "fake");
  assert_string_equal(fakenews_verdict_name(FAKENEWS_UNSURE), "unsure");
  assert_string_equal(fakenews_verdict_name(4), "unknown");
  assert_string_equal(fakenews_verdict_name(-1), "unknown");
  assert_string_equal(fakenews_reason_name(FAKENEWS_NOT_ENGLISH), "not_english");
  assert_string_equal(fakenews_reason_name(FAKENEWS_UNLIKE_TRAINING), "unlike_training");
  assert_contains(fakenews_reason_meaning(FAKENEWS_TOO_SHORT), "few words");
  const uint32_t none[] = {0, 3, 32, UINT32_MAX};
  for (size_t i = 0; i < FN_COUNT_OF(none); i++) {
    assert_string_equal(fakenews_reason_name(none[i]), "unknown");
    assert_string_equal(fakenews_reason_meaning(none[i]), "unknown");
  }
}

/* Those who have no settings get what the table of settings says. */
static void test_inner_defaults(void **state) {
  (void)state;
  fn_err err = {0};
  fn_infer_options table;
  const fn_infer_options macro = FN_INFER_OPTIONS_INIT;
  assert_ok(fn_options_default(&table, &arena, &fn_infer_option_table, &err));
  assert_true(table.part == macro.part && table.long_texts == macro.long_texts && table.text == macro.text);
  assert_true(table.max_tokens == macro.max_tokens && table.max_windows == macro.max_windows);
  assert_true(table.batch_tokens == macro.batch_tokens && isnan(table.prior) && isnan(macro.prior));
  assert_string_equal(table.unsure, macro.unsure);
  assert_int_equal(fn_infer_option_table.n_options, 8); /* one that is added belongs into the macro and here */
}

static void test_no_answer(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = open_model(both_path);
  fakenews_session *s = make_session(c, NULL);
  const fakenews_article some[] = {
      articles[3], {NULL, 0, NULL, 0}, {" \n", 2, "", 0}, articles[3], {"wb\0wc", 5, NULL, 0}};
  fakenews_prediction p[5];
  assert_done(fakenews_session_classify(p, sizeof *p, s, some, 5, &error));
  assert_true(p[0].status == FAKENEWS_OK && same_prediction(&p[0], &p[3]) && p[4].status == FAKENEWS_OK);
  assert_string_equal(p[0].message, "");
  for (int i = 1; i <= 2; i++) {
    assert_true(p[i].status == FAKENEWS_INVALID && p[i].label == -1 && isnan(p[i].probability));
    assert_true(isnan(p[i].label_probability) && isnan(p[i].encoder_logit) && isnan(p[i].linear_logit));
    assert_contains(p[i].message, "nothing to classify");
  }
  assert_done(fakenews_session_classify(NULL, sizeof *p, s, NULL, 0, &error));
  fakenews_session_destroy(s);
  fakenews_classifier_close(c);
}

static void test_classify_refused(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = open_model(both_path);
  fakenews_session *s = make_session(c, NULL);
  fakenews_prediction p[2] = {{.n_tokens = 7}, {.n_tokens = 7}};
  const fakenews_article bad[] = {articles[0], {NULL, 3, NULL, 0}};
  const size_t sizes[] = {0, sizeof *p - 8, 1 << 20};
  for (size_t i = 0; i < FN_COUNT_OF(sizes); i++)
    assert_refused(fakenews_session_classify(p, sizes[i], s, articles, 2, &error), FAKENEWS_INVALID, "prediction_size");
  assert_refused(fakenews_session_classify(p, sizeof *p, s, bad, 2, &error), FAKENEWS_INVALID, "articles[1]");
  assert_refused(fakenews_session_classify(p, sizeof *p, NULL, articles, 2, &error), FAKENEWS_INVALID, "session");
  assert_refused(fakenews_session_classify(NULL, sizeof *p, s, articles, 2, &error), FAKENEWS_INVALID,
                 "predictions_out");
  assert_refused(fakenews_session_classify(p, sizeof *p, s, NULL, 2, &error), FAKENEWS_INVALID, "articles");
  assert_refused(fakenews_session_classify(p, sizeof *p, s, articles, SIZE_MAX / 8, &error), FAKENEWS_NO_MEMORY, "");
  assert_true(p[0].n_tokens == 7 && p[1].n_tokens == 7);
  fakenews_session_destroy(s);
  fakenews_classifier_close(c);
}

/* Elements of a newer caller are longer; each is filled, its tail zeroed. */
static void test_predictions_of_newer_caller(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_classifier *c = open_model(both_path);
  fakenews_session *s = make_session(c, NULL);
  struct {
    fakenews_prediction p;
    int64_t later;
  } newer[3];
  fakenews_prediction p[3];
  memset(newer, 7, sizeof newer);
  assert_done(fakenews_session_classify(&newer[0].p, sizeof newer[0], s, articles, 3, &error));
  assert_done(fakenews_session_classify(p, sizeof *p, s, articles, 3, &error));
  for (int i = 0; i < 3; i++) assert_true(same_prediction(&p[i], &newer[i].p) && newer[i].later == 0);
  fakenews_session_destroy(s);
  fakenews_classifier_close(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_version),
      cmocka_unit_test(test_status_names),
      cmocka_unit_test(test_open_refused),
      cmocka_unit_test(test_bundled),
      cmocka_unit_test(test_long_message),
      cmocka_unit_test(test_info),
      cmocka_unit_test(test_info_sizes),
      cmocka_unit_test(test_verify),
      cmocka_unit_test(test_options_refused),
      cmocka_unit_test(test_options_of_newer_caller),
      cmocka_unit_test(test_answers),
      cmocka_unit_test(test_no_answer),
      cmocka_unit_test(test_calibrated_answers),
      cmocka_unit_test(test_reasons),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_inner_defaults),
      cmocka_unit_test(test_classify_refused),
      cmocka_unit_test(test_predictions_of_newer_caller),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
