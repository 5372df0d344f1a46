#include "../test.h"
#include "data/rules.h"
#include "rows.h"

static fn_rules *parse(const char *yaml) {
  fn_err err = {0};
  fn_rules *rules;
  assert_ok(fn_rules_parse(&rules, fn_str_from(yaml), "r.yaml", &err));
  return rules;
}

static void check(const fn_rules *rules, fn_rule_field field, const char *text, const char *expected, uint64_t hits) {
  fn_err err = {0};
  fn_rules_scratch scratch = {0};
  uint64_t got_hits = 0;
  fn_str got;
  assert_ok(fn_rules_apply(&got, &got_hits, rules, field, fn_str_from(text), &scratch, &err));
  if (!fn_str_is(got, expected))
    fail_msg("%s: got \"%.*s\", expected \"%s\"", text, (int)got.length, got.data, expected);
  assert_int_equal(got_hits, hits);
  if (hits == 0) assert_ptr_equal(got.data, text); /* untouched, not copied */
  fn_rules_scratch_deinit(&scratch);
}

static void cuts(void **state) {
  (void)state;
  fn_rules *r = parse("rules:\n"
                      "  - {name: head, field: text, pattern: '^[A-Z]+ \\(X\\) - '}\n"
                      "  - {name: tail, field: text, pattern: 'Image by [a-z]+$', ignore_case: true}\n"
                      "  - {name: mid, field: both, pattern: '#ad'}\n");
  assert_int_equal(fn_rules_count(r), 3);
  assert_string_equal(fn_rules_name(r, 1), "tail");
  check(r, FN_RULE_TEXT, "Nothing here.", "Nothing here.", 0);
  check(r, FN_RULE_TEXT, "ROME (X) -   He said.", "He said.", 1);
  check(r, FN_RULE_TEXT, "He said.  IMAGE by somebody", "He said.", 2);
  check(r, FN_RULE_TEXT, "ROME (X) - A #ad B #ad#ad C. image by me", "A  B  C.", 7);
  check(r, FN_RULE_TEXT, "one#adtwo", "one two", 4);
  check(r, FN_RULE_TEXT, "one #ad two", "one  two", 4); /* what stood around a cut stays */
  check(r, FN_RULE_TEXT, "#ad", "", 4);
  check(r, FN_RULE_TEXT, " #ad ", "", 4);
  check(r, FN_RULE_TITLE, "ROME (X) - A #ad", "ROME (X) - A", 4);
  check(r, FN_RULE_TEXT, "", "", 0);
  fn_rules_destroy(r);
}

static void refuse(const char *yaml, const char *message) {
  fn_err err = {0};
  fn_rules *rules = NULL;
  assert_status(fn_rules_parse(&rules, fn_str_from(yaml), "r.yaml", &err), FN_E_INVALID);
  assert_contains(err.message, message);
}

static void refuses(void **state) {
  (void)state;
  refuse("rules: 3\n", "r.yaml:1: rules must be a list");
  refuse("rule: []\n", "r.yaml:1: the file must hold one key, rules, with a list");
  refuse("", "r.yaml:1: the file holds no rules");
  refuse("rules:\n  - [\n", "not valid YAML");
  refuse("rules:\n  - name: a\n    field: text\n",
         "r.yaml:2: a rule needs name, field and pattern; pattern is missing");
  refuse("rules:\n  - name: a\n    field: body\n", "r.yaml:3: field: \"body\" is none of title, text, both");
  refuse("rules:\n  - name: a b\n", "r.yaml:2: name: 1 to 64 letters");
  refuse("rules:\n  - name: a\n    patern: x\n", "r.yaml:3: unknown key \"patern\"");
  refuse("rules:\n  - name: a\n    field: text\n    pattern: 'a(b'\n",
         "r.yaml:4: pattern: byte 2 of the pattern: a ( that");
  refuse("rules:\n  - {name: a, field: text, pattern: b, ignore_case: maybe}\n", "true or false");
  refuse("rules:\n  - {name: a, field: text, pattern: b}\n  - {name: a, field: text, pattern: c}\n",
         "r.yaml:3: the name \"a\" stands twice");
}

static void loads_by_name(void **state) {
  (void)state;
  fn_err err = {0};
  fn_rules *rules;
  assert_ok(fn_rules_load(&rules, "none", &err));
  assert_int_equal(fn_rules_count(rules), 0);
  fn_rules_destroy(rules);
  assert_status(fn_rules_load(&rules, "nowhere.yaml", &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "data.rules: no file \"nowhere.yaml\"; default, none or a YAML file");
  char dir[64], path[256];
  make_folder(dir);
  write_text(dir, "mine.yaml", "rules:\n  - {name: a, field: text, pattern: b}\n");
  assert_ok(fn_rules_load(&rules, in_folder(path, dir, "mine.yaml"), &err));
  assert_int_equal(fn_rules_count(rules), 1);
  fn_rules_destroy(rules);
  remove_folder(dir);
}

/* The rules that are built in, on invented lines: what they cut, and what they must leave alone. */
static void default_rules(void **state) {
  (void)state;
  fn_err err = {0};
  fn_rules *rules;
  assert_ok(fn_rules_load(&rules, "default", &err));
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"NORTHPORT (Reuters) - The council met.", "The council met."},
      {"NORTHPORT/LOWTOWN, Ohio, May 3 (AP) \xE2\x80\x94 The council met.", "The council met."},
      {"(Reuters) - The council met.", "The council met."},
      {"Northport (CNN)The council met.", "The council met."},
      {"9:41 a.m. - (Reuters) - The council met.", "The council met."},
      {"The council met. (Reporting by A. Writer; Editing by B. Other)", "The council met."},
      {"The council met. Ann Writer and Bob Other contributed to this report.", "The council met."},
      {"The council met.Featured image via A Person/Getty Images", "The council met."},
      {"The council met. Photo by A Person/Getty Images.", "The council met."},
      {"The council met. Ann Person/Getty Images It voted.", "The council met.  It voted."},
      {"The council met. Via: The Paper", "The council met."},
      {"The council met. Read more: The Paper", "The council met."},
      {"21st Century Wire says The council met.", "The council met."},
      {"The council (of elders) met in Northport - it voted.", "The council (of elders) met in Northport - it voted."},
      {"Reuters said on Monday that (some) would.", "Reuters said on Monday that (some) would."},
      {"An image by the artist was sold. It hangs in the hall.",
       "An image by the artist was sold. It hangs in the hall."},
      {"He travelled via: road, rail and sea. Then home.", "He travelled via: road, rail and sea. Then home."},
      {"Getty Images sued the company on Tuesday.", "Getty Images sued the company on Tuesday."},
      {"Each of them contributed to this success.", "Each of them contributed to this success."},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_rules_scratch scratch = {0};
    uint64_t hits = 0;
    fn_str got;
    assert_ok(fn_rules_apply(&got, &hits, rules, FN_RULE_TEXT, fn_str_from(cases[i].text), &scratch, &err));
    if (!fn_str_is(got, cases[i].expected))
      fail_msg("%s: got \"%.*s\", expected \"%s\"", cases[i].text, (int)got.length, got.data, cases[i].expected);
    fn_rules_scratch_deinit(&scratch);
  }
  fn_rules_destroy(rules);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cuts),
      cmocka_unit_test(refuses),
      cmocka_unit_test(loads_by_name),
      cmocka_unit_test(default_rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
