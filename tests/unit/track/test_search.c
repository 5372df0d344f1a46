/* The search syntax: what it finds, in which order, and how it says what it does not understand. */
#include "store.h"
#include "track/filter.h"

#include <math.h>

/* Three runs:   a          b          c
 *   start         10         20         30
 *   loss         0.5        NaN         -
 *   acc          0.9        0.8        0.7
 *   lr          1e-3       2e-3         -
 *   user tag     Ann        bob        Ann_x */
static void fill(fn_tracking *t) {
  fn_err err = {0};
  const fn_track_pair lr[] = {{"train.lr", "1e-3"}, {"train.lr", "2e-3"}};
  const fn_track_pair tags[] = {{"user name", "Ann"}, {"user name", "bob"}, {"user name", "Ann_x"}};
  static const char *const ids[] = {ID_A, ID_B, ID_C}, *const names[] = {"a", "b", "c"};
  const double acc[] = {0.9, 0.8, 0.7};
  for (size_t i = 0; i < 3; i++) {
    store_add(t, ids[i], names[i], 10 * (int64_t)(i + 1));
    store_metric(t, ids[i], "val/acc", acc[i], 1);
    assert_ok(fn_tracking_set_tags(t, ids[i], &tags[i], 1, &err));
    if (i < 2) assert_ok(fn_tracking_log_params(t, ids[i], &lr[i], 1, &err));
  }
  store_metric(t, ID_A, "loss", 0.5, 1);
  store_metric(t, ID_B, "loss", (double)NAN, 1);
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_FINISHED, 99, &err));
  assert_ok(fn_tracking_run_end(t, ID_C, FN_RUN_FAILED, 99, &err));
}

static fn_status take_name(void *arg, const fn_run_view *run, fn_err *err) {
  (void)err;
  fn_buf_append_str(arg, run->info.name);
  return FN_OK;
}

static void assert_finds(fn_tracking *t, const char *filter, const char *order, const char *expected) {
  fn_err err = {0};
  const char *orders[] = {order};
  const fn_run_query query = {.filter = filter, .order_by = orders, .n_order_by = order != NULL};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  const fn_status status = fn_tracking_search(t, &query, take_name, &out, &err);
  if (status != FN_OK) fail_msg("%s: %s", filter, err.message);
  if (strcmp(out.data ? out.data : "", expected) != 0)
    fail_msg("%s, %s: found \"%s\", expected \"%s\"", filter, order ? order : "", out.data ? out.data : "", expected);
}

static void test_filters(void **state) {
  (void)state;
  static const struct {
    const char *filter, *expected;
  } cases[] = {
      {"", "cba"},
      {"  ", "cba"},
      {"metrics.loss = 0.5", "a"},
      {"metrics.loss != 0.4", "ba"}, /* NaN is unequal to all; c has no loss */
      {"metrics.loss > 0.1", "a"},
      {"metric.loss <= 0.5", "a"},
      {"metrics.`val/acc` >= 0.8", "ba"},
      {"metrics.val/acc >= 0.8", "ba"},
      {"metrics.\"val/acc\" < 8e-1", "c"},
      {"metrics.loss > -1", "a"},
      {"params.train.lr = '1e-3'", "a"},
      {"params.train.lr != '1e-3'", "b"},
      {"param.train.lr LIKE '%e-3'", "ba"},
      {"parameters.train.lr like '_e-3' and metrics.loss > 0", "a"},
      {"tags.`user name` = 'Ann'", "a"},
      {"tag.\"user name\" LIKE 'ann%'", ""},
      {"tags.`user name` ILIKE 'ann%'", "ca"},
      {"tags.'user name' = 'Ann'", "a"},
      {"tags.`user name` LIKE 'Ann\\_x'", ""}, /* no escapes */
      {"tags.`user name` LIKE 'Ann*'", ""},
      {"status = 'FINISHED'", "a"},
      {"attributes.status != 'FINISHED'", "cb"},
      {"attr.status = \"RUNNING\"", "b"},
      {"run.run_name = 'b'", "b"},
      {"attributes.`Run name` = 'b'", "b"},
      {"run_id = '" ID_C "'", "c"},
      {"run_id IN ('" ID_C "', '" ID_A "')", "ca"},
      {"run_id IN ('" ID_C "', )", "c"}, /* as Python writes a list of one */
      {"run_id not in ('" ID_C "','" ID_A "')", "b"},
      {"start_time > 10", "cb"},
      {"created <= 20 AND end_time > 0", "a"},
      {"user_id = 'ann'", "cba"},
      {"params.train.lr IS NULL", "c"},
      {"params.train.lr is  not null and metrics.loss = 0.5", "a"},
      {"tags.nothing IS NULL", "cba"},
      {"metrics.nothing > 0", ""},
      {"params.train.lr = ''' OR 1=1 --'", ""},
      {"params.train.lr = \"x' OR '1'='1\"", ""},
  };
  fn_tracking *t = store_open(false);
  fill(t);
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) assert_finds(t, cases[i].filter, NULL, cases[i].expected);
  fn_tracking_close(t);
}

static void test_orders(void **state) {
  (void)state;
  static const struct {
    const char *order, *expected;
  } cases[] = {
      {"start_time", "abc"},        {"start_time DESC", "cba"},
      {"metrics.`val/acc`", "cba"}, {"metrics.val/acc DESC", "abc"},
      {"metrics.loss ASC", "abc"},  {"metrics.loss DESC", "abc"}, /* NaN, then what has none */
      {"params.train.lr", "abc"},   {"params.train.lr DESC", "bac"},
      {"tags.`user name`", "acb"},  {"attributes.run_name desc", "cba"},
      {"end_time", "cab"}, /* those that go on come last */
  };
  fn_tracking *t = store_open(false);
  fill(t);
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) assert_finds(t, NULL, cases[i].order, cases[i].expected);
  fn_tracking_close(t);
}

static void test_limits_and_experiments(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  fill(t);
  const char *experiments[] = {"Default", "other"};
  fn_run_query query = {.max = 2, .experiments = experiments, .n_experiments = 2, .bare = true};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_tracking_search(t, &query, take_name, &out, &err));
  assert_string_equal(out.data, "cb");
  query.experiments++;
  query.n_experiments = 1;
  fn_buf_reset(&out);
  assert_ok(fn_tracking_search(t, &query, take_name, &out, &err));
  assert_int_equal(out.length, 0);
  assert_ok(fn_tracking_run_end(t, ID_B, FN_RUN_FINISHED, 9, &err));
  assert_ok(fn_tracking_set_deleted(t, ID_B, true, &err));
  assert_finds(t, NULL, NULL, "ca");
  const fn_run_query all = {.deleted = true};
  fn_buf_reset(&out);
  assert_ok(fn_tracking_search(t, &all, take_name, &out, &err));
  assert_string_equal(out.data, "cba");
  fn_tracking_close(t);
}

static fn_status count_all(void *arg, const fn_run_view *run, fn_err *err) {
  int *counts = arg;
  (void)err;
  counts[0] += (int)run->n_params;
  counts[1] += (int)run->n_tags;
  counts[2] += (int)run->n_metrics;
  return FN_OK;
}

static void test_columns(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  fill(t);
  const char *columns[] = {"metrics.val/acc", "params.train.lr"};
  fn_run_query query = {.columns = columns, .n_columns = 2};
  int some[3] = {0}, all[3] = {0};
  assert_ok(fn_tracking_search(t, &query, count_all, some, &err));
  assert_true(some[0] == 2 && some[1] == 0 && some[2] == 3);
  query.columns = NULL;
  query.n_columns = 0;
  assert_ok(fn_tracking_search(t, &query, count_all, all, &err));
  assert_true(all[0] == 2 && all[1] == 3 && all[2] == 5);
  fn_tracking_close(t);
}

/* More runs than one statement asks for, in an order that is not that of their numbers. */
static void test_many_runs(void **state) {
  (void)state;
  enum { N = 130 };
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  FN_AUTO_BUF fn_buf out, expected;
  fn_buf_init(&out, 0);
  fn_buf_init(&expected, 0);
  for (int i = 0; i < N; i++) {
    char id[FN_RUN_ID_LENGTH], name[16];
    const int at = i * 37 % N;
    snprintf(id, sizeof id, "%032x", (unsigned)at);
    snprintf(name, sizeof name, "%d,", at);
    store_add(t, id, name, 1000 - at);
    store_metric(t, id, "m", at, 0);
    fn_buf_printf(&expected, "%d,", i);
  }
  const char *orders[] = {"metrics.m"};
  const fn_run_query query = {.order_by = orders, .n_order_by = 1};
  assert_ok(fn_tracking_search(t, &query, take_name, &out, &err));
  assert_string_equal(out.data, expected.data);
  fn_tracking_close(t);
}

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *filter, *part;
  } cases[] = {
      {"metrics.loss > 0.1 OR metrics.loss < 0",
       "byte 20 (\"OR metrics.loss < 0\"): comparisons are joined by AND alone"},
      {"metrics.loss", "at its end: numbers are compared by = != > >= < <="},
      {"metrics.loss LIKE 'x'", "byte 14 (\"LIKE 'x'\"): numbers are compared by"},
      {"metrics.loss > 'x'", "byte 16 (\"'x'\"): a number is compared with a number, without quotes"},
      {"metrics.loss > nan", "a number is compared with a number"},
      {"params.lr > '1'", "text is compared by = != LIKE ILIKE, or IS NULL or IS NOT NULL stands here"},
      {"status IS NULL", "text is compared by = != LIKE or ILIKE"},
      {"metrics.loss IS NULL", "numbers are compared by"},
      {"params.lr = 1", "text stands between quotes"},
      {"params.lr = '1", "the ' is not closed"},
      {"params.`lr = '1'", "the ` is not closed"},
      {"params. = '1'", "a name follows the dot"},
      {"nonsense = '1'", "byte 1 (\"nonsense = '1'\"): a field is metrics.NAME, params.NAME, tags.NAME"},
      {"speed.lr = '1'", "a field is metrics.NAME"},
      {"status = 'x' AND", "a comparison follows AND"},
      {"status IN ('x')", "text is compared by"},
      {"run_id IN 'x'", "a list follows"},
      {"run_id IN ('x'", "a list goes on with , or ends with )"},
      {"run_id IN ()", "text stands between quotes"},
      {"run_id IN (,)", "text stands between quotes"},
      {"run_id IN ('x',,)", "text stands between quotes"},
      {"datasets.size = 'x'", "of datasets there are name, digest and context"},
      {"start_time = '5'", "a number is compared with a number"},
      {"status = 'a' status = 'b'", "comparisons are joined by AND alone"},
      {"metrics.loss > 1 ; DROP TABLE runs", "comparisons are joined by AND alone"},
      {"(status = 'a')", "a field is metrics.NAME"},
      {"params.lr = '\xff'", "byte 14: not UTF-8"},
  };
  fn_arena arena;
  fn_filter filter;
  fn_arena_init(&arena);
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_err err = {0};
    if (fn_filter_parse(&filter, &arena, fn_str_from(cases[i].filter), &err) != FN_E_INVALID)
      fail_msg("%s was accepted", cases[i].filter);
    assert_contains(err.message, cases[i].part);
  }
  fn_arena_deinit(&arena);
}

static void test_refused_orders(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  const char *twice[] = {"metrics.loss", "metric.`loss` DESC"}, *worse[] = {"metrics.loss UP"};
  fn_run_query query = {.order_by = twice, .n_order_by = 2};
  assert_status(fn_tracking_search(t, &query, take_name, NULL, &err), FN_E_INVALID);
  assert_contains(err.message, "names a field that stands before it already");
  query.order_by = worse;
  query.n_order_by = 1;
  assert_status(fn_tracking_search(t, &query, take_name, NULL, &err), FN_E_INVALID);
  assert_contains(err.message, "order, byte 14 (\"UP\"): a field is followed by ASC, DESC or nothing");
  const char *columns[] = {"metrics.loss DESC"};
  query = (fn_run_query){.columns = columns, .n_columns = 1};
  assert_status(fn_tracking_search(t, &query, take_name, NULL, &err), FN_E_INVALID);
  assert_contains(err.message, "column, byte 14 (\"DESC\"): a field is followed by nothing");
  fn_tracking_close(t);
}

static void test_bounds(void **state) {
  (void)state;
  fn_err err = {0};
  fn_arena arena;
  fn_filter filter;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_arena_init(&arena);
  for (int i = 0; i < 40; i++) fn_buf_printf(&text, "%smetrics.m > %d", i ? " and " : "", i);
  assert_status(fn_filter_parse(&filter, &arena, fn_buf_str(&text), &err), FN_E_LIMIT);
  fn_buf_reset(&text);
  for (int i = 0; i <= FN_FILTER_MAX_BYTES; i++) fn_buf_append_char(&text, ' ');
  assert_status(fn_filter_parse(&filter, &arena, fn_buf_str(&text), &err), FN_E_LIMIT);
  fn_arena_deinit(&arena);
  fn_tracking *t = store_open(false);
  fn_buf_reset(&text);
  fn_buf_append_str(&text, "params.p LIKE '");
  for (int i = 0; i < 20000; i++) fn_buf_append_char(&text, '*');
  fn_buf_append_char(&text, '\'');
  const fn_run_query query = {.filter = text.data};
  assert_status(fn_tracking_search(t, &query, take_name, NULL, &err), FN_E_LIMIT);
  assert_contains(err.message, "a pattern has 20000 bytes");
  fn_tracking_close(t);
}

/* Lists longer than a statement has values, with signs that JSON escapes; and as many comparisons as are accepted, each
 * with a name and a value, with as many orders and columns. */
static void test_many_values(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  fill(t);
  assert_ok(fn_tracking_set_tags(t, ID_B, &(fn_track_pair){"fakenews.data.name", "a\\\x7f\xc3\xa9\n"}, 1, &err));
  FN_AUTO_BUF fn_buf list, text;
  fn_buf_init(&list, 0);
  fn_buf_init(&text, 0);
  fn_buf_append_str(&list, "('a\\\x7f\xc3\xa9\n', '" ID_A "'");
  for (int i = 0; i < 20000; i++) fn_buf_printf(&list, ", 'x%d'", i);
  fn_buf_printf(&text, "run_id IN %s)", list.data);
  assert_finds(t, text.data, NULL, "a");
  fn_buf_reset(&text);
  fn_buf_printf(&text, "run_id NOT IN %s)", list.data);
  assert_finds(t, text.data, NULL, "cb");
  fn_buf_reset(&text);
  fn_buf_printf(&text, "datasets.name IN %s)", list.data);
  assert_finds(t, text.data, NULL, "b");
  static const char *const orders[] = {"params.a", "params.b", "params.c", "params.d",
                                       "params.e", "params.f", "params.g", "params.h"};
  static const char *const columns[] = {"tags.a", "tags.b", "tags.c", "tags.d", "tags.e", "tags.f"};
  fn_buf_reset(&text);
  for (int i = 0; i < FN_FILTER_MAX_CLAUSES; i++)
    fn_buf_printf(&text, "%sparams.train.lr != 'x%d'", i ? " and " : "", i);
  const fn_run_query query = {
      .filter = text.data, .order_by = orders, .n_order_by = 8, .columns = columns, .n_columns = 6};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_tracking_search(t, &query, take_name, &out, &err));
  assert_string_equal(out.data, "ba");
  fn_tracking_close(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_begin, store_end)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_filters),        TEST(test_orders),    TEST(test_limits_and_experiments),
      TEST(test_columns),        TEST(test_many_runs), cmocka_unit_test(test_refusals),
      TEST(test_refused_orders), TEST(test_bounds),    TEST(test_many_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
