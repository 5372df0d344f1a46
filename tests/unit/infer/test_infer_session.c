/* Classifiers and sessions of both families: names, order, independence of batches, windows, what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "models.h"

static char root[] = "/tmp/fn-infer-XXXXXX";
static char *bert_dir, *linear_dir;
static fn_arena arena;
static fn_infer_options defaults;
static fn_device *device;

static int set_up(void **state) {
  (void)state;
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  options.n_threads = 3;
  fn_arena_init(&arena);
  if (mkdtemp(root) == NULL) return -1;
  bert_dir = fn_path_join(root, "bert");
  linear_dir = fn_path_join(root, "linear");
  bool ok = make_bert(bert_dir, true) && make_linear(linear_dir) &&
            fn_options_default(&defaults, &arena, &fn_infer_option_table, NULL) == FN_OK &&
            fn_device_create(&device, &options, NULL) == FN_OK;
  return ok ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  fn_device_destroy(device);
  free(bert_dir);
  free(linear_dir);
  fn_arena_deinit(&arena);
  return fn_dir_remove(root, NULL) == FN_OK ? 0 : -1;
}

static fn_classifier *load(const char *dir) {
  fn_classifier *c = NULL;
  fn_err err = {0};
  if (fn_classifier_load(&c, dir, &err) != FN_OK) fail_msg("%s", err.message);
  return c;
}

/* Answers of a session of its own. */
static void classify(fn_prediction *out, const fn_classifier *c, const fn_infer_options *o, const fn_article *articles,
                     size_t n) {
  fn_session *s = NULL;
  fn_err err = {0};
  if (fn_session_create(&s, c, o, device, &err) != FN_OK) fail_msg("%s", err.message);
  if (fn_session_classify(out, s, articles, n, &err) != FN_OK) fail_msg("%s", err.message);
  fn_session_destroy(s);
}

enum { N = 60 };

/* Titles and texts from nothing to several times the limit. */
static void make_articles(fn_article *articles) {
  for (size_t i = 0; i < N; i++) {
    articles[i] = (fn_article){.title = words_of(&arena, i, i % 5), .text = words_of(&arena, 100 + i, i * i % 97 + 1)};
  }
}

static void test_info(void **state) {
  (void)state;
  fn_classifier *bert = load(bert_dir), *linear = load(linear_dir);
  const fn_classifier_info *b = fn_classifier_get_info(bert), *l = fn_classifier_get_info(linear);
  assert_string_equal(b->family, "bert");
  assert_string_equal(l->family, "linear");
  assert_true(b->n_labels == 2 && b->fake == 1 && l->fake == 1);
  assert_string_equal(b->labels[0], "real");
  assert_string_equal(l->labels[1], "fake");
  assert_true(b->usage_known && b->mode == FN_TEXT_TITLE_TEXT && l->usage_known);
  assert_int_equal(strncmp(b->id, "bert@", 5), 0);
  assert_int_equal(strlen(b->id), 17);
  assert_int_equal(strspn(b->id + 5, "0123456789abcdef"), 12);
  fn_classifier_destroy(bert);
  fn_classifier_destroy(linear);
}

/* A run folder stands for its model, and names it; the checksum follows the files, not the place. */
static void test_run_folder(void **state) {
  (void)state;
  char *run = fn_path_join(root, "a-run"), *model = fn_path_join(run, "model"), *latest = fn_path_join(root, "latest");
  assert_int_equal(fn_dir_create(run, NULL), FN_OK);
  assert_true(make_bert(model, true));
  assert_int_equal(fn_link_replace(latest, "a-run", NULL), FN_OK);
  fn_classifier *original = load(bert_dir);
  const char *digits = strchr(fn_classifier_get_info(original)->id, '@');
  const char *const dirs[] = {run, model, latest};
  for (size_t i = 0; i < 3; i++) {
    fn_classifier *c = load(dirs[i]);
    const char *id = fn_classifier_get_info(c)->id;
    assert_int_equal(strncmp(id, "a-run@", 6), 0);
    assert_string_equal(strchr(id, '@'), digits);
    fn_classifier_destroy(c);
  }
  char *vocab = fn_path_join(model, "vocab.txt");
  FILE *file = fopen(vocab, "a");
  assert_non_null(file);
  fputc('\n', file);
  fclose(file);
  fn_classifier *changed = NULL;
  if (fn_classifier_load(&changed, run, NULL) == FN_OK) { /* another byte, another name */
    assert_string_not_equal(strchr(fn_classifier_get_info(changed)->id, '@'), digits);
  }
  fn_classifier_destroy(changed);
  fn_classifier_destroy(original);
  free(vocab);
  free(run);
  free(model);
  free(latest);
}

static void assert_same(const fn_prediction *a, const fn_prediction *b) {
  assert_int_equal(a->status, b->status);
  assert_int_equal(a->label, b->label);
  assert_memory_equal(a->probabilities, b->probabilities, sizeof a->probabilities); /* to the last bit */
  assert_int_equal(a->n_tokens, b->n_tokens);
  assert_int_equal(a->n_windows, b->n_windows);
  assert_int_equal(a->truncated, b->truncated);
}

static void test_batches_do_not_matter(void **state) {
  (void)state;
  fn_article articles[N];
  static fn_prediction all[N], small[N], alone[N];
  make_articles(articles);
  const char *const dirs[] = {bert_dir, linear_dir};
  for (size_t d = 0; d < 2; d++) {
    fn_classifier *c = load(dirs[d]);
    for (int windows = 0; windows < 2; windows++) {
      fn_infer_options o = defaults;
      o.long_texts = windows ? FN_INFER_WINDOWS : FN_INFER_CUT;
      classify(all, c, &o, articles, N);
      o.batch_tokens = 1; /* one sequence a pass */
      classify(small, c, &o, articles, N);
      o.batch_tokens = 100;
      fn_session *s = NULL;
      assert_int_equal(fn_session_create(&s, c, &o, device, NULL), FN_OK);
      for (size_t i = N; i-- > 0;) assert_int_equal(fn_session_classify(&alone[i], s, &articles[i], 1, NULL), FN_OK);
      fn_session_destroy(s);
      size_t n_different = 0;
      for (size_t i = 0; i < N; i++) {
        assert_same(&all[i], &small[i]);
        assert_same(&all[i], &alone[i]);
        n_different += i > 0 && all[i].probabilities[1] != all[i - 1].probabilities[1];
        double sum = all[i].probabilities[0] + all[i].probabilities[1];
        assert_true(fabs(sum - 1.0) < 1e-12);
        assert_true(all[i].probabilities[all[i].label] >= 0.5);
      }
      assert_true(n_different > N - 5); /* a wrong order would show */
    }
    fn_classifier_destroy(c);
  }
}

static const float *parameter(const fn_model *model, const char *name) {
  for (size_t i = 0; i < fn_model_n_parameters(model); i++)
    if (strcmp(fn_model_parameter(model, i)->name, name) == 0)
      return fn_model_values_const(model) + fn_model_parameter(model, i)->offset;
  fail_msg("no %s", name);
  return NULL;
}

/* What the head reads: times its weights it is the answer. It changes no answer, and does not depend on neighbours. */
static void test_embeddings(void **state) {
  (void)state;
  enum { C = 32 };
  fn_err err = {0};
  fn_article articles[N];
  static fn_prediction plain[N], kept[N];
  static float first[N][C];
  make_articles(articles);
  fn_classifier *c = load(bert_dir);
  classify(plain, c, &defaults, articles, N);
  fn_session *s = NULL;
  fn_infer_options o = defaults;
  o.long_texts = FN_INFER_WINDOWS;
  assert_int_equal(fn_session_create(&s, c, &defaults, device, &err), FN_OK);
  assert_int_equal(fn_session_embedding_size(s), C);
  assert_int_equal(fn_session_keep_embeddings(s, true, &err), FN_OK);
  assert_int_equal(fn_session_classify(kept, s, articles, N, &err), FN_OK);
  fn_model *model = NULL;
  assert_int_equal(fn_model_load(&model, bert_dir, NULL, false, 0, device, NULL, &err), FN_OK);
  const float *weight = parameter(model, "classifier.weight"), *bias = parameter(model, "classifier.bias");
  for (size_t i = 0; i < N; i++) {
    assert_same(&plain[i], &kept[i]);
    assert_null(plain[i].embedding);
    assert_true((kept[i].status == FN_OK) == (kept[i].embedding != NULL));
    if (kept[i].status != FN_OK) continue;
    memcpy(first[i], kept[i].embedding, sizeof first[i]);
    for (size_t k = 0; k < 2; k++) {
      double logit = (double)bias[k];
      for (size_t j = 0; j < C; j++) logit += (double)weight[k * C + j] * (double)first[i][j];
      assert_true(fabs(logit - kept[i].logits[k]) < 1e-4);
    }
  }
  for (size_t i = 0; i < N; i++) { /* alone */
    assert_int_equal(fn_session_classify(kept, s, &articles[i], 1, &err), FN_OK);
    if (kept[0].embedding) assert_memory_equal(kept[0].embedding, first[i], sizeof first[i]);
  }
  assert_int_equal(fn_session_keep_embeddings(s, false, &err), FN_OK);
  assert_int_equal(fn_session_classify(kept, s, articles, N, &err), FN_OK);
  assert_null(kept[N - 1].embedding);
  fn_session_destroy(s);
  /* In several windows it is the first one's: that of the article cut where the second begins. */
  assert_int_equal(fn_session_create(&s, c, &o, device, &err), FN_OK);
  assert_int_equal(fn_session_keep_embeddings(s, true, &err), FN_OK);
  assert_int_equal(fn_session_classify(kept, s, articles, N, &err), FN_OK);
  size_t n_long = 0;
  for (size_t i = 0; i < N; i++) {
    if (kept[i].status != FN_OK || kept[i].n_windows == 1) continue;
    n_long += memcmp(kept[i].embedding, first[i], sizeof first[i]) == 0;
  }
  assert_true(n_long > N / 4);
  fn_session_destroy(s);
  fn_model_destroy(model);
  fn_classifier_destroy(c);
  fn_classifier *linear = load(linear_dir);
  assert_int_equal(fn_session_create(&s, linear, &defaults, device, &err), FN_OK);
  assert_int_equal(fn_session_embedding_size(s), 0);
  assert_int_equal(fn_session_keep_embeddings(s, true, &err), FN_OK);
  assert_int_equal(fn_session_classify(kept, s, articles, N, &err), FN_OK);
  assert_null(kept[1].embedding);
  fn_session_destroy(s);
  fn_classifier_destroy(linear);
}

static void test_counts(void **state) {
  (void)state;
  fn_classifier *c = load(bert_dir);
  fn_prediction p[4];
  const fn_article articles[] = {
      {.title = words_of(&arena, 1, 3), .text = words_of(&arena, 2, 18)}, /* 3 + 18 + 3 special: just fits 24 */
      {.title = words_of(&arena, 1, 3), .text = words_of(&arena, 2, 19)},
      {.title = words_of(&arena, 1, 0), .text = words_of(&arena, 2, 22)},
      {.title = words_of(&arena, 1, 40), .text = words_of(&arena, 2, 0)},
  };
  classify(p, c, &defaults, articles, 4);
  assert_true(p[0].n_tokens == 24 && !p[0].truncated && p[0].n_windows == 1);
  assert_true(p[1].n_tokens == 24 && p[1].truncated);
  assert_true(p[2].n_tokens == 24 && !p[2].truncated);
  assert_true(p[3].n_tokens == 24 && p[3].truncated);
  fn_infer_options o = defaults;
  o.long_texts = FN_INFER_WINDOWS;
  classify(p, c, &o, articles, 4);
  assert_true(p[0].n_windows == 1 && p[0].n_tokens == 24);
  assert_true(p[1].n_windows == 2 && p[1].n_tokens == 48 && !p[1].truncated);
  assert_true(p[3].n_windows == 1 && p[3].truncated); /* windows go over the text; a title is cut */
  o.max_tokens = 32;
  classify(p, c, &o, articles, 2);
  assert_true(p[1].n_windows == 1 && p[1].n_tokens == 25);
  o.max_tokens = 24;
  o.max_windows = 1;
  classify(p, c, &o, articles, 2);
  assert_true(p[1].n_windows == 1 && p[1].truncated);
  fn_classifier_destroy(c);
  /* The linear family reads everything: words and other marks are counted. */
  c = load(linear_dir);
  const fn_article article = {.title = fn_str_from("Two words"), .text = fn_str_from("and (five) more.")};
  classify(p, c, &defaults, &article, 1);
  assert_true(p[0].n_tokens == 8 && !p[0].truncated && p[0].n_windows == 1);
  fn_classifier_destroy(c);
}

/* The words of text from word `begin` on, n of them. */
static fn_str slice(fn_str text, size_t begin, size_t n) {
  return fn_str_make(text.data + 4 * begin, 4 * n - 1); /* three letters and a space */
}

static void test_windows_are_averaged(void **state) {
  (void)state;
  fn_classifier *c = load(bert_dir);
  fn_infer_options o = defaults;
  fn_prediction whole, parts[3];
  const fn_str title = words_of(&arena, 8, 4), text = words_of(&arena, 9, 40); /* 17 words a window: 0, 17, 23 */
  const fn_article article = {.title = title, .text = text};
  const fn_article windows[] = {{.title = title, .text = slice(text, 0, 17)},
                                {.title = title, .text = slice(text, 17, 17)},
                                {.title = title, .text = slice(text, 23, 17)}};
  classify(parts, c, &o, windows, 3);
  o.long_texts = FN_INFER_WINDOWS;
  classify(&whole, c, &o, &article, 1);
  assert_int_equal(whole.n_windows, 3);
  assert_int_equal(whole.read_bytes, text.length);
  for (size_t k = 0; k < 2; k++) {
    assert_false(parts[0].truncated);
    double mean = (parts[0].logits[k] + parts[1].logits[k] + parts[2].logits[k]) / 3.0;
    assert_true(fabs(whole.logits[k] - mean) < 1e-12);
  }
  double p = 1.0 / (1.0 + exp(whole.logits[0] - whole.logits[1]));
  assert_true(fabs(whole.probabilities[1] - p) < 1e-12);
  fn_prediction cut;
  classify(&cut, c, &defaults, &article, 1);
  assert_true(cut.truncated && cut.logits[0] == parts[0].logits[0]);
  assert_int_equal(cut.read_bytes, windows[0].text.length);
  assert_null(cut.window_spans);
  fn_classifier_destroy(c);
}

/* The bytes that each window reads, which its words stand at. */
static void test_windows_have_places(void **state) {
  (void)state;
  fn_classifier *c = load(bert_dir);
  fn_infer_options o = defaults;
  o.long_texts = FN_INFER_WINDOWS;
  fn_session *s = NULL;
  fn_prediction p;
  const fn_article article = {.title = words_of(&arena, 8, 4), .text = words_of(&arena, 9, 40)};
  assert_int_equal(fn_session_create(&s, c, &o, device, NULL), FN_OK);
  assert_int_equal(fn_session_classify(&p, s, &article, 1, NULL), FN_OK);
  static const size_t first_words[] = {0, 17, 23};
  for (size_t w = 0; w < 3; w++) {
    assert_int_equal(p.window_spans[w].begin, 4 * first_words[w]);
    assert_int_equal(p.window_spans[w].end, 4 * (first_words[w] + 17) - 1);
  }
  fn_session_destroy(s);
  fn_classifier_destroy(c);
}

/* The part of a text that is never read must not change anything, however long title and text are. */
static void test_reads_no_more_than_needed(void **state) {
  (void)state;
  fn_classifier *c = load(bert_dir);
  fn_prediction a, b;
  for (size_t n_title = 0; n_title < 60; n_title += 7) {
    for (size_t n_text = 50; n_text < 90; n_text += 13) {
      const fn_str title = words_of(&arena, n_title, n_title), text = words_of(&arena, n_text, n_text);
      const fn_article one = {.title = title, .text = text};
      classify(&a, c, &defaults, &one, 1);
      fn_str longer = words_of(&arena, n_text, n_text + 400); /* begins with the same words */
      const fn_article two = {.title = title, .text = longer};
      classify(&b, c, &defaults, &two, 1);
      if (n_title <= n_text) assert_same(&a, &b);
    }
  }
  fn_classifier_destroy(c);
}

static void test_nothing_to_read(void **state) {
  (void)state;
  const char *const dirs[] = {bert_dir, linear_dir};
  for (size_t d = 0; d < 2; d++) {
    fn_classifier *c = load(dirs[d]);
    fn_prediction p[3];
    const fn_article articles[] = {{.text = fn_str_from(" \n")}, {.title = fn_str_from("waa")}, {.prior = 0}};
    classify(p, c, &defaults, articles, 3);
    assert_int_equal(p[0].status, FN_E_INVALID);
    assert_string_equal(p[0].message, "nothing to classify: title and text are empty");
    assert_int_equal(p[1].status, FN_OK);
    assert_int_equal(p[2].status, FN_E_INVALID);
    fn_classifier_destroy(c);
  }
  fn_classifier *c = load(bert_dir);
  fn_infer_options o = defaults;
  o.text = FN_INFER_TEXT_TEXT;
  fn_prediction p;
  const fn_article title_only = {.title = fn_str_from("waa")};
  classify(&p, c, &o, &title_only, 1);
  assert_string_equal(p.message, "nothing to classify: the text is empty");
  fn_classifier_destroy(c);
}

static void refused_session(const char *dir, const fn_infer_options *o, const char *message) {
  fn_classifier *c = load(dir);
  fn_session *s = NULL;
  fn_err err = {0};
  assert_int_equal(fn_session_create(&s, c, o, device, &err), FN_E_INVALID);
  assert_null(s);
  if (strstr(err.message, message) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.message, message);
  fn_classifier_destroy(c);
}

static void test_refused(void **state) {
  (void)state;
  fn_infer_options o = defaults;
  o.max_tokens = 65;
  refused_session(bert_dir, &o, "infer.max_tokens: 65 is over the 64 positions of the model");
  o = defaults;
  o.text = FN_INFER_TEXT_TITLE;
  refused_session(linear_dir, &o, "was trained on title+text and reads nothing else, not title");
  fn_classifier *c = NULL;
  fn_err err = {0};
  assert_int_equal(fn_classifier_load(&c, root, &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "no config.json in it; accepted is"));
  assert_int_equal(fn_classifier_load(&c, "/nonexistent/model", &err), FN_E_NOT_FOUND);
  assert_null(c);
}

/* A directory from elsewhere says nothing of its usage: 256 tokens, or what it has. Labels in any case; none for fake.
 */
static void test_foreign_directory(void **state) {
  (void)state;
  char *dir = fn_path_join(root, "foreign"), *path = fn_path_join(dir, "config.json");
  assert_true(make_bert(dir, false));
  fn_classifier *c = load(dir);
  fn_session *s = NULL;
  assert_false(fn_classifier_get_info(c)->usage_known);
  assert_int_equal(fn_session_create(&s, c, &defaults, device, NULL), FN_OK);
  assert_int_equal(fn_session_max_tokens(s), 64);
  assert_int_equal(fn_session_mode(s), FN_TEXT_TITLE_TEXT);
  fn_session_destroy(s);
  fn_classifier_destroy(c);
  static const char *const labels[][2] = {{"FAKE", "TRUE"}, {"LABEL_0", "LABEL_1"}, {"spam", "ham"}};
  static const int fake[] = {0, 1, -1};
  for (size_t i = 0; i < 3; i++) {
    fn_model_config config;
    assert_int_equal(fn_model_config_load(&config, dir, NULL), FN_OK);
    for (size_t k = 0; k < 2; k++) snprintf(config.labels[k], sizeof config.labels[k], "%s", labels[i][k]);
    assert_int_equal(fn_model_config_save(&config, dir, NULL), FN_OK);
    c = load(dir);
    assert_int_equal(fn_classifier_get_info(c)->fake, fake[i]);
    fn_classifier_destroy(c);
  }
  free(dir);
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_info),
      cmocka_unit_test(test_run_folder),
      cmocka_unit_test(test_batches_do_not_matter),
      cmocka_unit_test(test_embeddings),
      cmocka_unit_test(test_counts),
      cmocka_unit_test(test_windows_are_averaged),
      cmocka_unit_test(test_windows_have_places),
      cmocka_unit_test(test_reads_no_more_than_needed),
      cmocka_unit_test(test_nothing_to_read),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_foreign_directory),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
