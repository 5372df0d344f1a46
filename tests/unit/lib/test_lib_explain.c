/* Explanations through the public functions: what infer/explain.h finds, in public form, and what is refused. */
#include "support.h"

#include "infer/explain.h"

#include <math.h>

static fakenews_classifier *classifier;
static fakenews_session *session;

static void open_session(const char *path) {
  fakenews_error error;
  fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
  options.n_threads = 2;
  assert_done(fakenews_classifier_open(&classifier, path, &error));
  assert_done(fakenews_session_create(&session, classifier, &options, &error));
}
static void close_session(void) {
  fakenews_session_destroy(session);
  fakenews_classifier_close(classifier);
}

static const char text[] = "Waa wab wac. Wba wbb wbc! Waa wbb wac wab. Wab waa.";

static void check_against_inner(const char *path) {
  fakenews_error error;
  fn_err err = {0};
  fn_classifier *inner;
  fn_device *device;
  fn_session *inner_session;
  fn_explanation x = {0};
  const fn_infer_options infer = FN_INFER_OPTIONS_INIT;
  const fn_explain_options inner_options = {.max_forwards = 16, .ngrams = 3};
  const fn_article inner_article = {.title = fn_str_from("wab wbb"), .text = fn_str_from(text)};
  assert_ok(fn_classifier_load(&inner, path, &err));
  assert_ok(fn_device_create(&device, NULL, &err));
  assert_ok(fn_session_create(&inner_session, inner, &infer, device, &err));
  assert_ok(fn_explain(&x, inner_session, &inner_article, &inner_options, &err));

  fakenews_explanation *e;
  fakenews_explanation_info info;
  fakenews_prediction p, q;
  fakenews_explain_options options = FAKENEWS_EXPLAIN_OPTIONS_INIT;
  const fakenews_article article = {"wab wbb", 7, text, strlen(text)};
  options.max_classified = 16;
  options.max_ngrams = 3;
  open_session(path);
  assert_done(fakenews_session_explain(&e, session, &article, &options, &error));
  assert_done(fakenews_session_classify(&q, sizeof q, session, &article, 1, &error));
  fakenews_session_destroy(session); /* which an explanation does not need */
  session = NULL;
  assert_done(fakenews_explanation_get_info(&info, sizeof info, e, &error));
  assert_done(fakenews_explanation_get_prediction(&p, sizeof p, e, &error));
  assert_true(same_prediction(&p, &q));
  assert_true(info.logit == x.logit && info.read_bytes == x.read_bytes && info.n_classified == x.n_forwards);
  assert_true(info.n_parts == x.n_parts && info.n_ngrams == x.n_ngrams && info.n_parts >= 4);
  for (size_t i = 0; i < x.n_parts; i++) {
    const fakenews_explained_part *a = &info.parts[i];
    const fn_explained_part *b = &x.parts[i];
    assert_true(a->in_title == b->title && a->n_sentences == b->n_sentences && a->read == b->read);
    assert_true(a->begin == b->begin && a->end == b->end && a->reserved == 0);
    assert_memory_equal(&a->contribution, &b->contribution, sizeof a->contribution);
  }
  for (size_t i = 0; i < x.n_ngrams; i++) {
    const fakenews_explained_ngram *a = &info.ngrams[i];
    const fn_linear_ngram *b = &x.ngrams[i];
    assert_true(a->in_title == b->in_title && a->begin == b->begin && a->end == b->end);
    assert_true(a->contribution == b->contribution && a->reserved == 0);
  }
  fakenews_explanation_destroy(e);
  close_session();
  fn_explanation_deinit(&x);
  fn_session_destroy(inner_session);
  fn_device_destroy(device);
  fn_classifier_destroy(inner);
}

static void test_as_inner(void **state) {
  (void)state;
  check_against_inner(both_path);
  check_against_inner(calibrated_path);
  check_against_inner(bert_dir);
  check_against_inner(linear_dir);
}

static void test_without_answer(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_explanation *e;
  fakenews_explanation_info info;
  fakenews_prediction p;
  const fakenews_article empty = {NULL, 0, "  ", 2};
  open_session(both_path);
  assert_done(fakenews_session_explain(&e, session, &empty, NULL, &error));
  assert_done(fakenews_explanation_get_info(&info, sizeof info, e, &error));
  assert_done(fakenews_explanation_get_prediction(&p, sizeof p, e, &error));
  assert_true(info.n_parts == 0 && info.n_ngrams == 0 && p.status == FAKENEWS_INVALID);
  assert_contains(p.message, "nothing to classify");
  fakenews_explanation_destroy(e);
  close_session();
}

static void test_refused(void **state) {
  (void)state;
  fakenews_error error;
  fakenews_explanation *e = NULL;
  const fakenews_article article = {NULL, 0, text, strlen(text)}, bad = {NULL, 1, NULL, 0};
  const struct {
    size_t offset;
    uint32_t value;
    const char *name;
  } cases[] = {{offsetof(fakenews_explain_options, struct_size), 15, "struct_size"},
               {offsetof(fakenews_explain_options, max_classified), 3, "options.max_classified"},
               {offsetof(fakenews_explain_options, max_classified), 4097, "options.max_classified"},
               {offsetof(fakenews_explain_options, max_ngrams), 1001, "options.max_ngrams"},
               {offsetof(fakenews_explain_options, reserved), 1, "options.reserved"}};
  open_session(both_path);
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fakenews_explain_options options = FAKENEWS_EXPLAIN_OPTIONS_INIT;
    memcpy((char *)&options + cases[i].offset, &cases[i].value, sizeof cases[i].value);
    assert_refused(fakenews_session_explain(&e, session, &article, &options, &error), FAKENEWS_INVALID, cases[i].name);
  }
  assert_refused(fakenews_session_explain(&e, session, &bad, NULL, &error), FAKENEWS_INVALID, "articles[0]");
  assert_refused(fakenews_session_explain(&e, session, NULL, NULL, &error), FAKENEWS_INVALID, "article");
  assert_refused(fakenews_session_explain(&e, NULL, &article, NULL, &error), FAKENEWS_INVALID, "session");
  assert_refused(fakenews_session_explain(NULL, session, &article, NULL, &error), FAKENEWS_INVALID, "explanation_out");
  assert_null(e);
  fakenews_explanation_destroy(NULL);

  fakenews_explanation_info info;
  fakenews_prediction p;
  assert_done(fakenews_session_explain(&e, session, &article, NULL, &error));
  assert_refused(fakenews_explanation_get_info(&info, sizeof info - 8, e, &error), FAKENEWS_INVALID, "info_size");
  assert_refused(fakenews_explanation_get_info(NULL, sizeof info, e, &error), FAKENEWS_INVALID, "info_out");
  assert_refused(fakenews_explanation_get_info(&info, sizeof info, NULL, &error), FAKENEWS_INVALID, "explanation");
  assert_refused(fakenews_explanation_get_prediction(&p, 8, e, &error), FAKENEWS_INVALID, "prediction_size");
  assert_refused(fakenews_explanation_get_prediction(NULL, sizeof p, e, &error), FAKENEWS_INVALID, "prediction_out");
  assert_refused(fakenews_explanation_get_prediction(&p, sizeof p, NULL, &error), FAKENEWS_INVALID, "explanation");
  fakenews_explanation_destroy(e);
  close_session();
}

static void test_inner_defaults(void **state) {
  (void)state;
  fn_err err = {0};
  fn_explain_options table;
  const fn_explain_options macro = FN_EXPLAIN_OPTIONS_INIT;
  assert_ok(fn_options_default(&table, &arena, &fn_explain_option_table, &err));
  assert_true(table.max_forwards == macro.max_forwards && table.ngrams == macro.ngrams);
  assert_int_equal(fn_explain_option_table.n_options, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_inner), cmocka_unit_test(test_without_answer),
                                     cmocka_unit_test(test_refused), cmocka_unit_test(test_inner_defaults)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
