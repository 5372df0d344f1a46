/* The report of runs, from one to two hundred, with texts that try to break out of it. */
#include "made_runs.h"

#include "../failing.h"

typedef struct page {
  made_runs made;
  fn_buf out;
} page;

static void write_page(page *p, const made_options *options) {
  fn_err err = {0};
  made_init(&p->made, options);
  fn_buf_init(&p->out, 0);
  assert_ok(fn_runs_report_write(&p->out, &p->made.report, &err));
}

static void release(page *p) {
  fn_buf_deinit(&p->out);
  made_deinit(&p->made);
}

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (; (text = strstr(text, part)) != NULL; text += strlen(part)) n++;
  return n;
}

/* The data block, parsed. */
static json_t *data_of(const page *p) {
  fn_err err = {0};
  json_t *value = NULL;
  const char *begin = strstr(p->out.data, "id=\"data\">");
  assert_non_null(begin);
  begin += strlen("id=\"data\">");
  const char *end = strstr(begin, "</script>");
  assert_non_null(end);
  assert_ok(fn_json_parse(&value, fn_str_make(begin, (size_t)(end - begin)), "data", &err));
  return value;
}

static void three_runs(void **state) {
  (void)state;
  page p;
  const made_options options = {3, 240, 40, 0, false};
  write_page(&p, &options);
  assert_true(fn_utf8_valid(fn_buf_str(&p.out), NULL));
  assert_contains(p.out.data, "<title>3 runs of Default</title>");
  assert_contains(p.out.data, "Best: <strong><bdi>C long-lr9e-05</bdi></strong> with <code>val/loss</code>");
  assert_contains(p.out.data, "(lower is better)");
  assert_contains(p.out.data, "<details><summary>41 parameters that do not differ</summary>");
  assert_contains(p.out.data, "recorded with the run"); /* A's interval */
  assert_contains(p.out.data, ">by rows<");             /* B's: Wilson */
  assert_contains(p.out.data, "is linear itself");
  assert_contains(p.out.data, "<small>run B</small>"); /* the linear baseline of A */
  assert_contains(p.out.data, "No set was left out of training");
  assert_contains(p.out.data, "href=\"./javascript%3Aalert%281%29\"");
  assert_int_equal(count(p.out.data, "<script"), 2); /* the data and report.js */
  assert_int_equal(count(p.out.data, " style="), 0); /* the policy would refuse them */
  assert_int_equal(count(p.out.data, " src="), 0);
  json_t *data = data_of(&p);
  assert_int_equal(json_array_size(json_object_get(data, "runs")), 3);
  assert_int_equal(json_array_size(json_object_get(json_object_get(data, "curves"), "val/loss")), 3);
  assert_string_equal(json_string_value(json_object_get(data, "direction")), "lower");
  json_decref(data);
  release(&p);
}

static void one_run_alone(void **state) {
  (void)state;
  page p;
  const made_options options = {1, 1, 0, 0, false};
  write_page(&p, &options);
  assert_contains(p.out.data, "<title>Run 2026-11-26T10-20-37Z-headline-lr1e-05</title>");
  assert_null(strstr(p.out.data, "Best:"));
  assert_null(strstr(p.out.data, "Parallel coordinates"));
  assert_contains(p.out.data, "No metric has more than one step");
  assert_contains(p.out.data, "no linear run on this data here");
  assert_null(strstr(p.out.data, "Draw all")); /* there is nothing to choose from */
  release(&p);
}

/* A run of which nothing is known but its id, beside one that has all. */
static void an_empty_run(void **state) {
  (void)state;
  page p;
  fn_err err = {0};
  const made_options options = {2, 20, 2, 0, false};
  made_init(&p.made, &options);
  for (size_t k = 0; k < p.made.runs[1].n_curves; k++) {
    fn_series s = p.made.runs[1].curves[k].series;
    fn_series_deinit(&s);
  }
  p.made.runs[1] = (fn_report_run){.id = "00000000000000000000000000000001", .status = "FAILED", .best_step = -1};
  fn_buf_init(&p.out, 0);
  assert_ok(fn_runs_report_write(&p.out, &p.made.report, &err));
  assert_contains(p.out.data, "<strong>FAILED</strong>, 1 run: ended with an error");
  assert_contains(p.out.data, "<strong>Without metrics</strong>, 1 run");
  assert_contains(p.out.data, "Not all runs have the same data");
  json_decref(data_of(&p));
  fn_buf_reset(&p.out);
  p.made.report.metric = "no/such";
  assert_ok(fn_runs_report_write(&p.out, &p.made.report, &err));
  assert_contains(p.out.data, "none has a value of <code>no/such</code>");
  fn_buf_reset(&p.out);
  p.made.report.direction = 0;
  assert_ok(fn_runs_report_write(&p.out, &p.made.report, &err));
  assert_contains(p.out.data, "No run is called best");
  release(&p);
}

/* What is not finite ranks nothing, and of two equal figures neither is behind the other. */
static void figures_without_order(void **state) {
  (void)state;
  page p;
  fn_err err = {0};
  const made_options options = {3, 24, 2, 0, false};
  const double kept[] = {-(double)INFINITY, 0.3, 0.3};
  made_init(&p.made, &options);
  fn_report_metric metrics[3][MADE_USUAL + FN_COUNT_OF(made_metric_names)];
  for (size_t r = 0; r < 3; r++) {
    assert_int_equal(p.made.runs[r].n_metrics, FN_COUNT_OF(metrics[r]));
    memcpy(metrics[r], p.made.runs[r].metrics, sizeof metrics[r]);
    assert_string_equal(metrics[r][4].key, "val/loss");
    metrics[r][4].kept = kept[r];
    p.made.runs[r].metrics = metrics[r];
  }
  fn_buf_init(&p.out, 0);
  assert_ok(fn_runs_report_write(&p.out, &p.made.report, &err));
  assert_contains(p.out.data, "Best: <strong><bdi>B ");
  assert_contains(p.out.data, "</bdi> has the same. ");
  release(&p);
}

static void hostile_text_stays_text(void **state) {
  (void)state;
  page p;
  const made_options options = {4, 120, 60, 6, true};
  write_page(&p, &options);
  assert_true(fn_utf8_valid(fn_buf_str(&p.out), NULL));
  assert_int_equal(count(p.out.data, "<script"), 2);
  assert_int_equal(count(p.out.data, "</script>"), 2);
  assert_int_equal(count(p.out.data, "<img"), 0);
  assert_int_equal(count(p.out.data, "<!--"), 0);
  assert_contains(p.out.data, "values are no number (NaN or infinite), first at step");
  json_t *data = data_of(&p);
  assert_int_equal(json_array_size(json_object_get(data, "runs")), 4);
  json_decref(data);
  release(&p);
}

/* 20 runs of 10,000 steps stay under 2 MB, 200 runs under 5 MB. */
static void pages_are_bounded(void **state) {
  (void)state;
  page p;
  const made_options twenty = {20, 10000, 500, 10, false}, many = {200, 500, 500, 0, false};
  write_page(&p, &twenty);
  assert_true(p.out.length < 2000000);
  assert_contains(p.out.data, "are drawn in lines of their own, the others thin and grey");
  release(&p);
  write_page(&p, &many);
  assert_true(p.out.length < 5000000);
  release(&p);
}

static void refusals(void **state) {
  (void)state;
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  fn_runs_report report = {0};
  assert_status(fn_runs_report_write(&out, &report, &err), FN_E_INVALID);
  report.n_runs = FN_REPORT_MAX_RUNS + 1;
  assert_status(fn_runs_report_write(&out, &report, &err), FN_E_INVALID);
  page p;
  const made_options options = {2, 20, 2, 0, false};
  made_init(&p.made, &options);
  fn_buf_init(&p.out, 40000);
  assert_status(fn_runs_report_write(&p.out, &p.made.report, &err), FN_E_LIMIT);
  release(&p);
}

/* Each allocation fails once: the call says that memory is short, and nothing is lost. */
static void memory_is_short(void **state) {
  (void)state;
  page p;
  const made_options options = {3, 12, 3, 0, false};
  made_init(&p.made, &options);
  for (size_t i = 1;; i++) {
    fn_err err = {0};
    fn_buf_init(&p.out, 0);
    n_failed = 0;
    countdown = i;
    const fn_status status = fn_runs_report_write(&p.out, &p.made.report, &err);
    countdown = 0;
    fn_buf_deinit(&p.out);
    if (n_failed == 0) {
      assert_ok(status);
      assert_true(i > 100);
      break;
    }
    assert_status(status, FN_E_NO_MEMORY);
  }
  made_deinit(&p.made);
}

static void directions(void **state) {
  (void)state;
  assert_int_equal(fn_report_direction("val/loss"), -1);
  assert_int_equal(fn_report_direction("test/ece"), -1);
  assert_int_equal(fn_report_direction("val/f1_macro"), 1);
  assert_int_equal(fn_report_direction("accuracy"), 1);
  assert_int_equal(fn_report_direction("val/f10"), 0);
  assert_int_equal(fn_report_direction("speed"), 0);
  assert_int_equal(fn_report_direction(NULL), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(three_runs),
      cmocka_unit_test(one_run_alone),
      cmocka_unit_test(an_empty_run),
      cmocka_unit_test(hostile_text_stays_text),
      cmocka_unit_test(pages_are_bounded),
      cmocka_unit_test(refusals),
      cmocka_unit_test(directions),
      cmocka_unit_test(memory_is_short),
      cmocka_unit_test(figures_without_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
