/* Files of boilerplate rules: any bytes end with a verdict; rules that were accepted cut texts within their bounds, and
 * the same way each time. Input: the YAML, 0xFF, a text.
 */
#include "data/rules.h"
#include "file.h"

static void apply(const fn_rules *rules, fn_str text) {
  fn_rules_scratch scratch = {0};
  fn_err err = {0};
  for (int field = FN_RULE_TITLE; field <= FN_RULE_TEXT; field++) {
    uint64_t hits = 0, hits_again = 0;
    fn_str once, twice;
    const fn_status status = fn_rules_apply(&once, &hits, rules, (fn_rule_field)field, text, &scratch, &err);
    if (status != FN_OK) continue;
    FUZZ_CHECK(once.length <= text.length && (hits != 0 || fn_str_equal(once, text)));
    FUZZ_CHECK(fn_rules_count(rules) == FN_RULES_MAX || hits >> fn_rules_count(rules) == 0);
    FN_AUTO_BUF fn_buf copy = {0};
    fn_buf_append(&copy, once.data, once.length);
    FUZZ_CHECK(fn_rules_apply(&twice, &hits_again, rules, (fn_rule_field)field, text, &scratch, &err) == FN_OK);
    FUZZ_CHECK(hits == hits_again && fn_str_equal(fn_buf_str(&copy), twice));
  }
  fn_rules_scratch_deinit(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 13) return 0;
  size_t length;
  const uint8_t *yaml = fuzz_take(&length, &data, &size);
  fn_rules *rules = NULL;
  fn_err err = {0};
  const fn_status status = fn_rules_parse(&rules, fn_str_make((const char *)yaml, length), "input.yaml", &err);
  if (status != FN_OK) {
    FUZZ_CHECK(!rules && err.status == status && strncmp(err.message, "input.yaml", 10) == 0);
    return 0;
  }
  FUZZ_CHECK(fn_rules_count(rules) <= FN_RULES_MAX);
  const fn_str text = fn_str_make((const char *)data, size);
  if (fn_utf8_valid(text, NULL)) apply(rules, text);
  fn_rules_destroy(rules);
  return 0;
}
