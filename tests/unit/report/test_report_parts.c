/* The pieces of a page: escaping, numbers, thinning, axes, drawings. */
#include "report/report.h"

#include "../test.h"

#include <math.h>

static void text_is_escaped(void **state) {
  (void)state;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  fn_html_add(&out, "<a title=\"%s\">%s %d %zu %lld %.*f %%</a>", "\"'><script>", "a&b\xFF\x01", -3, (size_t)4, 5LL, 2,
              0.125);
  assert_string_equal(out.data,
                      "<a title=\"&quot;&#39;&gt;&lt;script&gt;\">a&amp;b\xEF\xBF\xBD\xEF\xBF\xBD -3 4 5 0.12 %</a>");
  fn_buf_reset(&out);
  const char *volatile nothing = NULL;
  fn_html_add(&out, "<b>%s</b>", nothing);
  assert_string_equal(out.data, "<b></b>");
  fn_buf_reset(&out);
  fn_html_cut(&out, "<äöü>", 3);
  assert_string_equal(out.data, "&lt;äö…");
  fn_buf_reset(&out);
  fn_html_key(&out, "a.b_<c/d", 7);
  assert_string_equal(out.data, "a.<wbr>b_<wbr>&lt;c/<wbr>…");
  fn_buf_reset(&out);
  fn_html_json(&out, fn_str_from("{\"a\":\"</script><!--&\"}"));
  assert_string_equal(out.data, "{\"a\":\"\\u003c/script\\u003e\\u003c!--\\u0026\"}");
  fn_buf_reset(&out);
  fn_html_href(&out, "javascript:alert(1)");
  assert_string_equal(out.data, "./javascript%3Aalert%281%29");
  fn_buf_reset(&out);
  fn_html_href(&out, "a b/\"ü?#.txt");
  assert_string_equal(out.data, "a%20b/%22%C3%BC%3F%23.txt");
}

static void numbers_read_well(void **state) {
  (void)state;
  char out[32];
  assert_string_equal(fn_number_text(out, 0.123456), "0.1235");
  assert_string_equal(fn_number_text(out, 5e-5), "5e-05");
  assert_string_equal(fn_number_text(out, 12345), "12,345");
  assert_string_equal(fn_number_text(out, -1234567), "-1,234,567");
  assert_string_equal(fn_number_text(out, 1999), "1999");
  assert_string_equal(fn_number_text(out, 23456.7), "23,457");
  assert_string_equal(fn_number_text(out, 1e300), "1e+300");
  assert_string_equal(fn_number_text(out, -0.0), "0");
  assert_string_equal(fn_number_text(out, (double)NAN), "NaN");
  assert_string_equal(fn_number_text(out, (double)-INFINITY), "−∞");
  assert_string_equal(fn_bytes_text(out, 25600000), "25.6 MB");
  assert_string_equal(fn_bytes_text(out, 999), "999 B");
  assert_string_equal(fn_bytes_text(out, -1), "0 B");
  assert_string_equal(fn_bytes_text(out, INT64_MAX), "9223372 TB");
  assert_string_equal(fn_duration_text(out, 4200), "4.2 s");
  assert_string_equal(fn_duration_text(out, 200000), "3 min 20 s");
  assert_string_equal(fn_duration_text(out, 3720000), "1 h 02 min");
  assert_string_equal(fn_duration_text(out, -5), "0.0 s");
}

/* Every peak of a long curve stays, whatever its length. */
static void peaks_stay(void **state) {
  (void)state;
  fn_err err = {0};
  fn_series s;
  fn_point *points = NULL;
  size_t n = 0;
  double low = (double)INFINITY, high = -(double)INFINITY;
  fn_series_init(&s, 100, 0);
  for (int64_t i = 0; i < 100000; i++)
    assert_ok(fn_series_add(&s, i, i == 51234 ? 9 : i == 77777 ? -9 : (double)(i % 7) / 7, &err));
  assert_true(s.n <= 100);
  assert_int_equal(s.n_points, 100000);
  assert_ok(fn_series_points(&points, &n, &s, false, &err));
  assert_true(n <= 400);
  for (size_t i = 0; i < n; i++) {
    if (i) assert_true(points[i].x >= points[i - 1].x);
    low = fmin(low, points[i].y);
    high = fmax(high, points[i].y);
  }
  assert_true(low == -9 && high == 9);
  assert_true(points[0].x == 0 && points[n - 1].x == 99999);
  free(points);
  fn_series_deinit(&s);
}

/* A short curve is kept whole, and its smoothed form is the unbiased exponential mean. */
static void short_curves_are_whole(void **state) {
  (void)state;
  fn_err err = {0};
  fn_series s;
  fn_point *points = NULL, *smooth = NULL;
  size_t n = 0, n_smooth = 0;
  fn_series_init(&s, 64, 2);
  const double values[] = {4, 2, (double)NAN, 8};
  for (int i = 0; i < 4; i++) assert_ok(fn_series_add(&s, 10 + i, values[i], &err));
  assert_ok(fn_series_points(&points, &n, &s, false, &err));
  assert_int_equal(n, 4);
  assert_true(points[1].y == 2 && isnan(points[2].y) && points[3].y == 8 && points[3].x == 13);
  assert_int_equal(s.n_bad, 1);
  assert_int_equal(s.first_bad, 12);
  assert_ok(fn_series_points(&smooth, &n_smooth, &s, true, &err));
  assert_int_equal(n_smooth, 3);
  assert_true(fabs(smooth[0].y - 4) < 1e-12);
  assert_true(fabs(smooth[1].y - (0.25 * 4 + 0.5 * 2) / 0.75) < 1e-12);
  assert_true(fabs(smooth[2].y - (0.125 * 4 + 0.25 * 2 + 0.5 * 8) / 0.875) < 1e-12);
  free(points);
  free(smooth);
  fn_series_deinit(&s);
}

static void extreme_steps(void **state) {
  (void)state;
  fn_err err = {0};
  fn_series s;
  fn_point *points = NULL;
  size_t n = 0;
  fn_series_init(&s, 8, 0);
  assert_ok(fn_series_add(&s, 5, (double)INFINITY, &err));
  assert_ok(fn_series_add(&s, INT64_MIN, 1, &err));
  assert_ok(fn_series_add(&s, 0, 2, &err));
  assert_ok(fn_series_add(&s, INT64_MAX, 3, &err));
  assert_ok(fn_series_add(&s, 7, 4, &err)); /* goes down: counts as the step before it */
  assert_ok(fn_series_points(&points, &n, &s, false, &err));
  assert_int_equal(s.n_points, 4);
  assert_true(n >= 3 && points[0].y == 1 && points[n - 1].y == 4);
  free(points);
  fn_series_deinit(&s);
  fn_series_init(&s, 8, 0);
  assert_ok(fn_series_points(&points, &n, &s, false, &err));
  assert_int_equal(n, 0);
  free(points);
}

static void axes_have_marks(void **state) {
  (void)state;
  const double ends[][2] = {{0, 1},          {5, 5},           {0, 0},      {-3, 1e9},    {1e-9, 1e9}, {1e-300, 1e300},
                            {-1e308, 1e308}, {0.6931, 0.6932}, {5e-324, 1}, {1e-5, 9e-5}, {3, 2}};
  for (size_t i = 0; i < FN_COUNT_OF(ends); i++)
    for (int log = 0; log < 2; log++) {
      fn_axis axis;
      fn_axis_make(&axis, ends[i][0], ends[i][1], log, false, 6);
      assert_true(isfinite(axis.low) && isfinite(axis.high) && axis.low < axis.high);
      assert_true(axis.n_ticks >= 1 && axis.n_ticks <= 12);
      for (size_t k = 0; k < axis.n_ticks; k++) {
        const double at = fn_axis_at(&axis, axis.ticks[k]);
        assert_true(at >= 0 && at <= 1);
        if (k) assert_true(axis.ticks[k] > axis.ticks[k - 1]);
      }
    }
  fn_axis axis;
  fn_axis_make(&axis, 0, 26, false, true, 5);
  assert_true(axis.low == 0 && axis.high == 26 && axis.ticks[1] == 10);
  fn_axis_make(&axis, 1e-4, 1, true, false, 6);
  assert_true(axis.log && fabs(fn_axis_at(&axis, 1e-2) - 0.5) < 1e-9);
  assert_true(fn_axis_wants_log(0.001, 1) && !fn_axis_wants_log(0.1, 1) && !fn_axis_wants_log(0, 1) &&
              !fn_axis_wants_log(-1, 1000));
}

static void labels_move_apart(void **state) {
  (void)state;
  double y[] = {50, 50, 10, 51, 100};
  fn_svg_spread(y, 5, 12, 10, 100);
  for (size_t i = 0; i < 5; i++)
    for (size_t k = 0; k < i; k++) assert_true(fabs(y[i] - y[k]) >= 12 - 1e-9);
  for (size_t i = 0; i < 5; i++) assert_true(y[i] >= 10 - 1e-9 && y[i] <= 100 + 1e-9);
}

static void pens_write_short_paths(void **state) {
  (void)state;
  FN_AUTO_BUF fn_buf out;
  fn_pen pen;
  fn_buf_init(&out, 0);
  fn_pen_init(&pen, &out);
  fn_pen_to(&pen, 10, 20);
  fn_pen_to(&pen, 12.5, 19.96);
  fn_pen_to(&pen, 12.5, 19.99);
  fn_pen_to(&pen, 12.5, 10);
  fn_pen_to(&pen, 1, (double)NAN);
  fn_pen_to(&pen, 0.04, 7);
  fn_pen_to(&pen, 1, 8);
  assert_string_equal(out.data, "M10 20l2.5 0 0-10M0 7l1 1");
}

/* Names of styles repeat only after twelve, and no two of the first twelve share colour and dash. */
static void styles_differ(void **state) {
  (void)state;
  for (int a = 0; a < FN_N_STYLES; a++)
    for (int b = 0; b < a; b++) {
      FN_AUTO_BUF fn_buf x, y;
      fn_buf_init(&x, 0);
      fn_buf_init(&y, 0);
      fn_svg_class(&x, a);
      fn_svg_class(&y, b);
      assert_string_not_equal(x.data, y.data);
    }
}

static void line_chart_of_one_point_and_of_none(void **state) {
  (void)state;
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out;
  fn_series one, none;
  fn_buf_init(&out, 0);
  fn_series_init(&one, 8, 0);
  fn_series_init(&none, 8, 0);
  assert_ok(fn_series_add(&one, 3, 0.5, &err));
  assert_ok(fn_series_add(&none, 3, (double)NAN, &err));
  const fn_chart_line lines[] = {{"A <x>", "A <x>", 0, 0, &one}, {"B", "B", 1, 1, &none}};
  const fn_line_chart chart = {"c1", "val/<loss>", NULL, "step", lines, 2};
  assert_ok(fn_line_chart_write(&out, &chart, &err));
  assert_contains(out.data, "val/<wbr>&lt;loss&gt;");
  assert_contains(out.data, "A &lt;x&gt;: from 0.5 to 0.5");
  assert_contains(out.data, "<bdi>B</bdi>: 1 value is no number");
  assert_null(strstr(out.data, "<x>"));
  assert_null(strstr(out.data, "nan"));
  fn_buf_reset(&out);
  const fn_line_chart empty = {"c2", "x", NULL, "step", lines + 1, 1};
  assert_ok(fn_line_chart_write(&out, &empty, &err));
  assert_contains(out.data, "No value that could be drawn");
  fn_series_deinit(&one);
  fn_series_deinit(&none);
}

/* The drawing's shape, written down: who changes it looks at it. */
static void line_chart_is_drawn_like_this(void **state) {
  (void)state;
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out;
  fn_series s;
  fn_buf_init(&out, 0);
  fn_series_init(&s, 8, 0);
  for (int i = 0; i <= 4; i++) assert_ok(fn_series_add(&s, i, (double)(i * i), &err));
  const fn_chart_line lines[] = {{"A", "A", 1, 7, &s}};
  const fn_line_chart chart = {"c", "m", NULL, "step", lines, 1};
  assert_ok(fn_line_chart_write(&out, &chart, &err));
  assert_contains(out.data, "<g class=\"series s1 d1\" data-run=\"7\"><path class=\"line\" d=\"M44 195.3l58-10.9 "
                            "58-32.8 58-54.5 58-76.4\"/>");
  assert_contains(out.data, "<desc id=\"c-d\">m by step, 1 run. A: from 0 to 16, lowest 0 at 0.</desc>");
  fn_series_deinit(&s);
}

static void parallel_takes_words_numbers_and_nothing(void **state) {
  (void)state;
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  const char *rates[] = {"1e-5", "0.01", NULL}, *words[] = {"a<", "", "c"}, *scores[] = {"0.5", NULL, "0.7"};
  const char *labels[] = {"A", "B", "C"};
  const int styles[] = {0, 1, FN_STYLE_CONTEXT}, ids[] = {0, 1, 2};
  const fn_parallel_axis axes[] = {{"rate", rates}, {"kind\">", words}, {"loss", scores}};
  const fn_parallel chart = {"p", "All", NULL, axes, 3, labels, styles, ids, 3};
  assert_ok(fn_parallel_write(&out, &chart, &err));
  assert_contains(out.data, "not set");
  assert_contains(out.data, "a&lt;");
  assert_contains(out.data, "(empty)");
  assert_contains(out.data, "kind&quot;&gt;");
  assert_contains(out.data, "1e-05");
}

static void matrices_say_shares(void **state) {
  (void)state;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  const char *classes[] = {"real", "fake"};
  const int64_t counts[] = {8, 3, 0, 0};
  const fn_matrix m = {"m", "A, test", classes, 2, counts};
  fn_matrix_write(&out, &m);
  assert_contains(out.data, "<td class=\"number shade3 right\">8 <small>73 %</small></td><td class=\"number shade1\">3 "
                            "<small>27 %</small></td>");
  assert_contains(out.data, "no rows");
}

static void bars_take_what_is_not_known(void **state) {
  (void)state;
  FN_AUTO_BUF fn_buf out;
  const double none = (double)NAN;
  fn_buf_init(&out, 0);
  const fn_bar bars[] = {{"A", 0.8, 0.7, 0.9, 0, 0}, {"B", none, none, none, 1, 1}};
  const fn_bar_line line = {"always real", 0.5};
  const fn_bars chart = {"b", "Accuracy", NULL, 0, 1, bars, 2, &line, 1};
  fn_bars_write(&out, &chart);
  assert_contains(out.data, "class=\"whisker\"");
  assert_contains(out.data, "A 0.8 (0.7 to 0.9). B not known. always real 0.5.");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_escaped),
      cmocka_unit_test(numbers_read_well),
      cmocka_unit_test(peaks_stay),
      cmocka_unit_test(short_curves_are_whole),
      cmocka_unit_test(extreme_steps),
      cmocka_unit_test(axes_have_marks),
      cmocka_unit_test(labels_move_apart),
      cmocka_unit_test(pens_write_short_paths),
      cmocka_unit_test(styles_differ),
      cmocka_unit_test(line_chart_of_one_point_and_of_none),
      cmocka_unit_test(line_chart_is_drawn_like_this),
      cmocka_unit_test(parallel_takes_words_numbers_and_nothing),
      cmocka_unit_test(matrices_say_shares),
      cmocka_unit_test(bars_take_what_is_not_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
