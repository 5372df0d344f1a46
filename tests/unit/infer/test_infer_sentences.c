/* Where sentences end. */
#include "../test.h"

#include "infer/sentences.h"

/* The text with | between its sentences. */
static void expect(const char *marked) {
  char text[4096];
  size_t n = 0;
  for (const char *c = marked; *c; c++) {
    if (*c != '|') text[n++] = *c;
  }
  text[n] = '\0';
  FN_AUTO_BUF fn_buf found;
  fn_buf_init(&found, 0);
  fn_sentence s = {0, 0};
  size_t at = 0;
  while (fn_sentence_next(&s, fn_str_make(text, n), at)) {
    assert_true(s.begin >= at && s.end > s.begin && s.end <= n);
    fn_buf_append(&found, text + at, s.begin - at);
    if (at > 0) fn_buf_append_char(&found, '|');
    fn_buf_append(&found, text + s.begin, s.end - s.begin);
    at = s.end;
  }
  fn_buf_append(&found, text + at, n - at);
  assert_string_equal(found.data ? found.data : "", marked);
}

static void test_plain(void **state) {
  (void)state;
  expect("");
  expect(" \n\t ");
  expect("One sentence only");
  expect("The bridge is closed. |The mayor is not amused! |Who paid for it? |Nobody knows.");
  expect("Wait... |What happened? |It fell... and then it stood again.");
  expect("It fell… |Then it stood?! |Yes.");
  expect("  Leading space. \n |And a line break  ");
  expect("No capital follows. it goes on, they say. |Now it ends.");
  expect("Ends with a stop.Not here, since no space follows.");
}

static void test_abbreviations(void **state) {
  (void)state;
  expect("Mr. Hall met Sen. Ruiz on Jan. 5 in St. Paul. |Dr. Ng was there, too.");
  expect("J. K. Brown and P. Diaz agree. |So does Prof. Li.");
  expect("It costs $3.5 million, i.e. Too much. |No. 7 was sold for 2.25 a share.");
  expect("The U.S. Senate voted at 5 p.m. Monday. |The U.K. did not.");
  expect("It closed at 5 p.m. |The crowd went home to Acme Inc. |They were tired.");
  expect("He spoke to Acme Inc. Chairman Roy Hill, Jr. Smith and others etc. |But nobody listened.");
  expect("So did I. |Then we left.");
}

static void test_quotes(void **state) {
  (void)state;
  expect("“We are done.” |She left. |'Never!' |(He stayed.) |\"Why?\" he asked. |[Applause.] |End.");
  expect("He said “no.” |“Yes,” she said.");
  expect("\"Stop!\" |\"Go!\" |And so on.");
}

static void test_paragraphs(void **state) {
  (void)state;
  expect("A heading without a stop\n\n|And a text that\nis wrapped. |Two.\n \n|Three");
  expect("Line one\nLine two goes on.\n|Line three.");
}

static void test_other_scripts(void **state) {
  (void)state;
  expect("政府推迟了新法律。|市民在等待！|为什么？|没有人知道");
  expect("Élan was here. |Über alles. |Ça va.");
}

static void test_bounded(void **state) {
  (void)state;
  const size_t n = 5000;
  char *text = malloc(n);
  assert_non_null(text);
  for (size_t i = 0; i < n; i++) text[i] = i % 10 == 9 ? ' ' : 'x';
  fn_sentence s;
  size_t at = 0, count = 0;
  for (; fn_sentence_next(&s, fn_str_make(text, n), at); at = s.end, count++) {
    assert_true(s.end - s.begin <= FN_SENTENCE_MAX_BYTES && text[s.begin] == 'x' && text[s.end - 1] == 'x');
  }
  assert_int_equal(count, 9);                                     /* 599 bytes each */
  for (size_t i = 0; i < n; i++) text[i] = "\xe6\x94\xbf"[i % 3]; /* no white space: never inside a character */
  for (at = 0; fn_sentence_next(&s, fn_str_make(text, n - n % 3), at); at = s.end) assert_int_equal(s.begin % 3, 0);
  memset(text, 0x80, n); /* no UTF-8 at all */
  for (at = 0, count = 0; fn_sentence_next(&s, fn_str_make(text, n), at); at = s.end) assert_true(++count <= n);
  memset(text, '.', n);
  for (at = 0; fn_sentence_next(&s, fn_str_make(text, n), at); at = s.end) continue;
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),      cmocka_unit_test(test_abbreviations), cmocka_unit_test(test_quotes),
      cmocka_unit_test(test_paragraphs), cmocka_unit_test(test_other_scripts), cmocka_unit_test(test_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
