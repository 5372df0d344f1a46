#include "../test.h"
#include "../unit.h"

#include "serve/page.h"
#include "serve/page_view.h"

#include <math.h>

static void expect_filled(const char *source, const char *view_text, const char *expected) {
  FN_AUTO_BUF fn_buf out;
  FN_AUTO_JSON json_t *view = NULL;
  fn_err err = {0};
  fn_buf_init(&out, 0);
  assert_int_equal(fn_json_parse(&view, fn_str_from(view_text), "view", &err), FN_OK);
  assert_int_equal(fn_page_fill(&out, fn_str_from(source), view, &err), FN_OK);
  assert_string_equal(out.data, expected);
}

static void expect_refused(const char *source, const char *message) {
  FN_AUTO_BUF fn_buf out;
  FN_AUTO_JSON json_t *view = NULL;
  fn_err err = {0};
  fn_buf_init(&out, 0);
  assert_int_equal(fn_json_parse(&view, fn_str_from("{\"a\":true}"), "view", &err), FN_OK);
  assert_int_equal(fn_page_fill(&out, fn_str_from(source), view, &err), FN_E_INTERNAL);
  assert_non_null(strstr(err.message, message));
}

static void test_values_are_escaped(void **state) {
  (void)state;
  expect_filled("<p title='{{a}}'>{{a}}</p>", "{\"a\":\"<b>&\\\"'\"}",
                "<p title='&lt;b&gt;&amp;&quot;&#39;'>&lt;b&gt;&amp;&quot;&#39;</p>");
  expect_filled("{{a}}{{b}}{{c}}{{d}}", "{\"a\":1,\"b\":0.25,\"c\":null,\"d\":true}", "10.25true");
  expect_filled("{{a}}", "{\"a\":\"{{b}} \\u0007\\u009f\\n\"}", "{{b}} \xEF\xBF\xBD\xEF\xBF\xBD\n");
}

static void test_bytes_that_are_no_text(void **state) {
  (void)state;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  fn_page_escape(&out, fn_str_make("a\xFF\0b\xC3", 5));
  assert_string_equal(out.data, "a\xEF\xBF\xBD\xEF\xBF\xBD"
                                "b\xEF\xBF\xBD");
}

static void test_sections(void **state) {
  (void)state;
  expect_filled("{{#x}}[{{.}}]{{/x}}", "{\"x\":[1,\"<\",3]}", "[1][&lt;][3]");
  expect_filled("{{#x}}{{n}}{{#y}}{{n}}{{o}}{{/y}}{{/x}}",
                "{\"o\":\"o\",\"x\":[{\"n\":1,\"y\":{}},{\"n\":2,\"y\":{\"n\":3}}]}", "11o23o");
  expect_filled("{{^x}}no{{/x}}{{#x}}yes{{/x}}", "{\"x\":[]}", "no");
  expect_filled("{{^x}}no{{/x}}{{#x}}yes{{/x}}", "{\"x\":\"\"}", "no");
  expect_filled("{{^x}}no{{/x}}{{#x}}yes{{/x}}", "{\"x\":0}", "yes");
  expect_filled("{{#x}}a{{#x}}b{{/x}}{{/x}}c", "{\"x\":true}", "abc");
  expect_filled("{{a.b.c}}{{! a remark }}", "{\"a\":{\"b\":{\"c\":7}}}", "7");
}

static void test_broken_templates_are_refused(void **state) {
  (void)state;
  expect_refused("{{b}}", "nothing is called b");
  expect_refused("{{#b}}{{/b}}", "nothing is called b");
  expect_refused("{{#a}}", "section a has no end");
  expect_refused("{{/a}}", "a ends but never began");
  expect_refused("x {{a", "{{ without }}");
  expect_refused("{{>nothing}}", "there is no nothing.html");
  expect_refused("{{#a}}{{a}}{{/b}}{{/a}}", "b ends but never began");
}

static void test_frequencies(void **state) {
  (void)state;
  static const struct {
    double p;
    int count, of;
  } cases[] = {{0.77, 77, 100}, {0.5, 50, 100},     {0.004, 4, 1000},   {0.0001, 1, 10000},
               {0.0, 1, 10000}, {1.0, 9999, 10000}, {0.998, 998, 1000}, {0.995, 995, 1000}};
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    int count, of;
    fn_page_frequency(&count, &of, cases[i].p);
    assert_int_equal(count, cases[i].count);
    assert_int_equal(of, cases[i].of);
  }
}

static void test_shares_in_words(void **state) {
  (void)state;
  char buffer[48];
  assert_string_equal(fn_page_share(buffer, 0.5), "1 in 2");
  assert_string_equal(fn_page_share(buffer, 0.05), "1 in 20");
  assert_string_equal(fn_page_share(buffer, 0.001), "1 in 1,000");
  assert_string_equal(fn_page_share(buffer, 0.0), "1 in 999,999");
  assert_string_equal(fn_page_share(buffer, 1.0), "999,998 in 999,999");
  assert_string_equal(fn_page_share(buffer, 0.999), "999 in 1,000");
  assert_string_equal(fn_page_share(buffer, 0.9), "9 in 10");
  assert_string_equal(fn_page_share(buffer, 2.0 / 3), "2 in 3");
}

static void test_links(void **state) {
  (void)state;
  assert_true(fn_page_is_link(fn_str_from(" https://example.org/a?b=c\n")));
  assert_true(fn_page_is_link(fn_str_from("www.example.org")));
  assert_false(fn_page_is_link(fn_str_from("https://example.org says so")));
  assert_false(fn_page_is_link(fn_str_from("")));
  assert_false(fn_page_is_link(fn_str_from("A headline")));
}

/* An answer whose places lie outside the text, as no server of ours sends it: nothing is read there. */
static void test_places_outside_the_text(void **state) {
  (void)state;
  static const char answer_text[] =
      "{\"label\":\"fake\",\"verdict\":\"unsure\",\"probabilities\":{\"fake\":0.6,\"real\":0.4},\"calibrated\":true,"
      "\"logit\":0.4,\"prior\":0.5,\"threshold\":0.8,\"truncated\":true,\"read_bytes\":900,\"n_tokens\":3,"
      "\"windows\":[{\"begin\":0,\"end\":-5,\"share\":0.5},{\"begin\":7,\"end\":1e18,\"share\":-0.5}],"
      "\"explanation\":{\"parts\":[{\"of\":\"text\",\"begin\":-1,\"end\":1e300,\"contribution\":1},"
      "{\"of\":\"text\",\"begin\":50,\"end\":2,\"contribution\":null},"
      "{\"of\":\"title\",\"begin\":4,\"end\":1,\"contribution\":-2}],"
      "\"ngrams\":[{\"of\":\"text\",\"begin\":3,\"end\":99,\"contribution\":0.1}]}}";
  FN_AUTO_JSON json_t *answer = NULL, *view = NULL;
  FN_AUTO_BUF fn_buf text, out;
  fn_json_writer w;
  fn_err err = {0};
  fn_buf_init(&text, 0);
  fn_buf_init(&out, 0);
  assert_int_equal(fn_json_parse(&answer, fn_str_from(answer_text), "answer", &err), FN_OK);
  fn_json_begin(&w, &text, 0);
  fn_json_object(&w, NULL);
  fn_page_view_answer(&w, answer, fn_str_from("<t>"), fn_str_from("gr\xC3\xBC\xC3\x9F <i>"), NULL);
  fn_page_view_frame(&w, &(fn_page_frame){.root = "./", .name = "check", .title = "t", .can_remark = true});
  fn_page_view_priors(&w, (double)NAN);
  fn_json_bool(&w, "takes_prior", true);
  fn_json_end(&w);
  assert_int_equal(fn_json_parse(&view, fn_buf_str(&text), "view", &err), FN_OK);
  assert_int_equal(fn_page_render(&out, "result", view, &err), FN_OK);
  assert_non_null(strstr(out.data, "gr\xC3\xBC\xC3\x9F &lt;i&gt;"));
  assert_null(strstr(out.data, "<i>"));
  assert_null(strstr(out.data, "<t>"));
}

static void test_files(void **state) {
  (void)state;
  char version[17], other[17];
  assert_non_null(fn_page_file("page.css").data);
  assert_null(fn_page_file("../page.c").data);
  assert_null(fn_page_file("").data);
  fn_page_file_version(version, fn_page_file("page.css"));
  fn_page_file_version(other, fn_page_file("page.js"));
  assert_int_equal(strlen(version), 16);
  assert_string_not_equal(version, other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values_are_escaped),
      cmocka_unit_test(test_bytes_that_are_no_text),
      cmocka_unit_test(test_sections),
      cmocka_unit_test(test_broken_templates_are_refused),
      cmocka_unit_test(test_frequencies),
      cmocka_unit_test(test_shares_in_words),
      cmocka_unit_test(test_links),
      cmocka_unit_test(test_places_outside_the_text),
      cmocka_unit_test(test_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
