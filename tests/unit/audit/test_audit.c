/* What was planted is found, and nothing else; a set without a plant gets no finding. */
#include "planted.h"

#include <math.h>

static const fn_audit_options plain_options = {
    .after_prepare = true, .train_rows = 40000, .test_rows = 20000, .seed = 2018};

static fn_audit *audit_folder(const char *dir, const fn_audit_options *options, fn_pool *pool, bool brief) {
  fn_err err = {0};
  fn_audit *audit;
  fn_audit_request request = {.dir = dir, .brief = brief, .pool = pool};
  assert_ok(fn_audit_run(&audit, &request, options, &err));
  return audit;
}

static fn_audit *audit_planted(plant what, uint64_t seed) {
  char dir[64];
  write_planted(make_folder(dir), what, seed);
  fn_audit *audit = audit_folder(dir, &plain_options, NULL, false);
  remove_folder(dir); /* the mapping stays */
  return audit;
}

static size_t count_found(const fn_audit_report *r) {
  size_t n = 0;
  for (size_t i = 0; i < r->n_probes; i++) n += r->probes[i].is_found;
  return n;
}

/* What the two below return when there is none: gcc cannot see that a test would have failed by then. */
static const fn_audit_finding no_finding = {FN_AUDIT_NOTE, "", "", ""};
static const fn_audit_probe no_probe;

static const fn_audit_finding *find_finding(const fn_audit_report *r, const char *code) {
  for (size_t i = 0; i < r->n_findings; i++)
    if (strcmp(r->findings[i].code, code) == 0) return &r->findings[i];
  return &no_finding;
}

static void planted_word(void **state) {
  (void)state;
  fn_audit *audit = audit_planted(PLANT_WORD, 1);
  const fn_audit_report *r = fn_audit_get_report(audit);
  const fn_audit_probe *p = &r->probes[0];
  assert_int_equal(p->kind, FN_AUDIT_WORD);
  assert_int_equal(p->field, FN_AUDIT_TEXT);
  assert_true(fn_str_is(p->name, "Zebra"));
  assert_int_equal(p->side, 1);
  assert_true(p->is_found && p->low > 0.85 && p->high > p->balanced_accuracy);
  assert_true(p->balanced_accuracy > 0.92 && p->balanced_accuracy < 0.98);
  for (size_t i = 1; i < r->n_probes; i++) /* its capital, and the full stop that it takes from the end */
    if (r->probes[i].is_found)
      assert_true(r->probes[i].folded_into == 0 || fn_str_is(r->probes[i].name, "closing mark"));
  assert_ptr_equal(r->worst_probe, p);
  assert_int_equal(r->level, FN_AUDIT_ALARM);
  assert_int_equal(find_finding(r, "word")->level, FN_AUDIT_ALARM);
  assert_contains(find_finding(r, "word")->setting, "data.rules");
  assert_contains(r->verdict, "the word \"Zebra\" in the text");
  /* With the word a model has the label, without it nothing. */
  assert_int_equal(r->n_models, 6);
  assert_true(r->models[0].removed == 0 && r->models[0].accuracy > 0.75);
  assert_true(r->models[1].removed == 1 && r->models[1].accuracy < 0.6);
  fn_audit_destroy(audit);
}

static void planted_length(void **state) {
  (void)state;
  fn_audit *audit = audit_planted(PLANT_LENGTH, 2);
  const fn_audit_report *r = fn_audit_get_report(audit);
  const fn_audit_probe *p = &r->probes[0];
  assert_int_equal(p->kind, FN_AUDIT_STYLE);
  assert_int_equal(p->field, FN_AUDIT_TEXT);
  assert_true(fn_str_is(p->name, "length") || fn_str_is(p->name, "words"));
  assert_int_equal(p->side, 1);
  assert_true(p->balanced_accuracy > 0.9 && p->auc > 0.9 && p->coverage > 0.999);
  size_t folded = 0;
  for (size_t i = 1; i < r->n_probes; i++) folded += r->probes[i].folded_into == 0;
  assert_true(folded >= 1); /* the one of the two that is left */
  assert_int_equal(find_finding(r, "style")->level, FN_AUDIT_ALARM);
  assert_int_equal(find_finding(r, "style_model")->level, FN_AUDIT_ALARM);
  assert_ptr_equal(find_finding(r, "source"), &no_finding);
  fn_audit_destroy(audit);
}

static const fn_audit_probe *find_kind(const fn_audit_report *r, fn_audit_kind kind) {
  for (size_t i = 0; i < r->n_probes; i++)
    if (r->probes[i].kind == kind) return &r->probes[i];
  return &no_probe;
}

static void planted_source(void **state) {
  (void)state;
  fn_audit *audit = audit_planted(PLANT_SOURCE, 3);
  const fn_audit_report *r = fn_audit_get_report(audit);
  const fn_audit_probe *p = find_kind(r, FN_AUDIT_SOURCE);
  assert_true(p->is_found && p->balanced_accuracy > 0.9 && p->auc > 0.9);
  assert_float_equal(p->coverage, 1, 0);
  assert_true(isnan(p->train));
  assert_int_equal(count_found(r), 1);
  assert_contains(find_finding(r, "source")->setting, "data.split=group data.group=source");
  assert_int_equal(r->n_sources, 12);
  assert_int_equal(r->n_sources_both_classes, 12); /* one row in 20 */
  assert_int_equal(r->n_sources_both_splits, 12);
  assert_int_equal(r->n_rows_with_source, 900);
  assert_int_equal(r->n_rows_one_class_source, 0);
  assert_ptr_equal(find_kind(r, FN_AUDIT_DATASET), &no_probe);
  fn_audit_destroy(audit);
}

static void planted_dataset(void **state) {
  (void)state;
  fn_audit *audit = audit_planted(PLANT_DATASET, 4);
  const fn_audit_report *r = fn_audit_get_report(audit);
  const fn_audit_probe *p = find_kind(r, FN_AUDIT_DATASET);
  assert_true(p->is_found && p->balanced_accuracy > 0.9);
  assert_int_equal(r->n_datasets, 2);
  assert_contains(find_finding(r, "dataset")->setting, "data.leave_out");
  fn_audit_destroy(audit);
}

static void planted_copies(void **state) {
  (void)state;
  fn_audit *audit = audit_planted(PLANT_COPIES, 5);
  const fn_audit_report *r = fn_audit_get_report(audit);
  const fn_audit_shared *s = r->shared[FN_SPLIT_TEST];
  assert_int_equal(s[FN_AUDIT_SHARE_TEXT].n, 300);
  assert_int_equal(s[FN_AUDIT_SHARE_TEXT].n_hit, 30);
  assert_int_equal(s[FN_AUDIT_SHARE_TEXT].n_same_label, 30);
  assert_int_equal(s[FN_AUDIT_SHARE_HALF].n_hit, 30);
  assert_int_equal(s[FN_AUDIT_SHARE_SENTENCE].n_hit, 30);
  assert_int_equal(s[FN_AUDIT_SHARE_HEAD].n_hit, 30);
  assert_int_equal(s[FN_AUDIT_SHARE_TAIL].n_hit, 30);
  assert_int_equal(s[FN_AUDIT_SHARE_ROW].n, 300);
  assert_int_equal(s[FN_AUDIT_SHARE_ROW].n_hit, 0); /* hashes of their own */
  assert_int_equal(s[FN_AUDIT_SHARE_TITLE].n_hit, 0);
  assert_int_equal(s[FN_AUDIT_SHARE_CLUSTER].n_hit, 0);
  assert_int_equal(r->shared[FN_SPLIT_VALIDATION][FN_AUDIT_SHARE_TEXT].n_hit, 0);
  assert_int_equal(r->between[FN_AUDIT_SHARE_TEXT].n_hit, 0);
  assert_int_equal(find_finding(r, "copies")->level, FN_AUDIT_ALARM);
  assert_contains(r->verdict, "but the splits share texts");
  fn_audit_destroy(audit);
}

/* Twenty sets without a plant: a simultaneous 95 % interval may err once in twenty sets, and then by little. */
static void nothing_planted(void **state) {
  (void)state;
  size_t found = 0;
  for (uint64_t seed = 100; seed < 120; seed++) {
    fn_audit *audit = audit_planted(PLANT_NOTHING, 10 * seed);
    const fn_audit_report *r = fn_audit_get_report(audit);
    found += count_found(r);
    assert_int_equal(r->n_findings, 0);
    assert_int_equal(r->level, FN_AUDIT_NOTE);
    assert_true(r->worst < FN_AUDIT_WEAK);
    for (size_t i = 0; i < r->n_models; i++) assert_true(r->models[i].low < 0.55);
    fn_audit_destroy(audit);
  }
  assert_true(found <= 1);
}

static void same_bytes_at_any_number_of_threads(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  write_planted(make_folder(dir), PLANT_COPIES, 7);
  fn_buf FN_AUTO_BUF one = {0}, three = {0};
  for (int brief = 0; brief < 2; brief++) {
    fn_pool *pool;
    fn_audit *audit = audit_folder(dir, &plain_options, NULL, brief);
    fn_buf_reset(&one);
    fn_audit_format_json(&one, fn_audit_get_report(audit));
    fn_audit_destroy(audit);
    assert_ok(fn_pool_create(&pool, 3, &err));
    audit = audit_folder(dir, &plain_options, pool, brief);
    fn_buf_reset(&three);
    fn_audit_format_json(&three, fn_audit_get_report(audit));
    fn_audit_destroy(audit);
    fn_pool_destroy(pool);
    assert_ok(fn_buf_check(&one, "json", &err));
    assert_same_text(fn_buf_str(&one), fn_buf_str(&three));
  }
  remove_folder(dir);
}

/* Fewer rows are drawn, spread over the split, and the plant is still found. */
static void drawn_rows(void **state) {
  (void)state;
  char dir[64];
  write_planted(make_folder(dir), PLANT_WORD, 8);
  fn_audit_options options = plain_options;
  options.train_rows = 200;
  options.test_rows = 100;
  fn_audit *audit = audit_folder(dir, &options, NULL, false);
  const fn_audit_report *r = fn_audit_get_report(audit);
  assert_int_equal(r->n_drawn[FN_SPLIT_TRAIN], 200);
  assert_int_equal(r->n_drawn[FN_SPLIT_VALIDATION], 100);
  assert_int_equal(r->n_drawn[FN_SPLIT_TEST], 100);
  assert_int_equal(r->n_rows[FN_SPLIT_TRAIN][0] + r->n_rows[FN_SPLIT_TRAIN][1], 600);
  assert_true(fn_str_is(r->worst_probe->name, "Zebra"));
  fn_audit_destroy(audit);
  audit = audit_folder(dir, &options, NULL, true);
  assert_int_equal(fn_audit_get_report(audit)->n_drawn[FN_SPLIT_TRAIN], 20);
  assert_int_equal(fn_audit_get_report(audit)->n_models, 3);
  fn_audit_destroy(audit);
  remove_folder(dir);
}

static void write_rows_of(const char *dir, const int labels[FN_SPLIT_COUNT][2]) {
  fn_err err = {0};
  fn_dataset_writer *writer;
  assert_ok(fn_dataset_writer_create(&writer, dir, &err));
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (int k = 0; k < 2; k++) {
      fn_row row = {.title = fn_str_from("a b"),
                    .text = fn_str_from(k ? "c d" : "e"),
                    .label = k,
                    .hash = fn_str_from("00112233445566778899aabbccddeeff")};
      for (int i = 0; i < labels[s][k]; i++) assert_ok(fn_dataset_writer_append(writer, (fn_split)s, &row, &err));
    }
  assert_ok(fn_dataset_writer_finish(writer, NULL, &err));
  fn_dataset_writer_destroy(writer);
}

static void small_and_lopsided_sets(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  fn_audit *audit = NULL;
  fn_audit_request request = {.dir = make_folder(dir)};
  write_rows_of(dir, (const int[FN_SPLIT_COUNT][2]){{3, 0}, {1, 1}, {1, 1}});
  assert_status(fn_audit_run(&audit, &request, &plain_options, &err), FN_E_INVALID);
  assert_contains(err.message, "both classes in train");
  assert_null(audit);
  remove_folder(dir);
  write_rows_of(make_folder(dir), (const int[FN_SPLIT_COUNT][2]){{2, 3}, {1, 1}, {4, 0}});
  assert_ok(fn_audit_run(&audit, &request, &plain_options, &err));
  const fn_audit_report *r = fn_audit_get_report(audit);
  assert_int_equal(r->judged_on, FN_SPLIT_VALIDATION); /* test has one class */
  assert_int_equal(r->n_words, 2);                     /* a and b, in five titles */
  assert_int_equal(count_found(r), 0);
  assert_int_equal(r->n_sources, 0);
  fn_audit_destroy(audit);
  remove_folder(dir);
  request.dir = "/nonexistent";
  assert_status(fn_audit_run(&audit, &request, &plain_options, &err), FN_E_NOT_FOUND);
}

static bool stop_now(void) {
  return true;
}

static void stops(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64];
  fn_audit *audit = NULL;
  write_planted(make_folder(dir), PLANT_NOTHING, 9);
  fn_audit_request request = {.dir = dir, .stop = stop_now};
  assert_status(fn_audit_run(&audit, &request, &plain_options, &err), FN_E_CANCELLED);
  assert_null(audit);
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(planted_word),
      cmocka_unit_test(planted_length),
      cmocka_unit_test(planted_source),
      cmocka_unit_test(planted_dataset),
      cmocka_unit_test(planted_copies),
      cmocka_unit_test(nothing_planted),
      cmocka_unit_test(drawn_rows),
      cmocka_unit_test(same_bytes_at_any_number_of_threads),
      cmocka_unit_test(small_and_lopsided_sets),
      cmocka_unit_test(stops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
