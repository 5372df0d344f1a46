#include "data/rules.h"

#include "base/embedded.h"
#include "data/rules_internal.h"

#include <stdlib.h>

extern const fn_embedded fn_data_embedded_rules[]; /* made by cmake from config/rules/boilerplate.yaml */

void fn_rules_destroy(fn_rules *rules) {
  if (!rules) return;
  for (size_t i = 0; i < rules->n; i++) {
    fn_pattern_destroy(rules->rules[i].pattern);
    free(rules->rules[i].name);
  }
  free(rules);
}

size_t fn_rules_count(const fn_rules *rules) {
  return rules->n;
}
const char *fn_rules_name(const fn_rules *rules, size_t i) {
  return rules->rules[i].name;
}
fn_hash128 fn_rules_hash(const fn_rules *rules) {
  return rules->hash;
}

fn_status fn_rules_load(fn_rules **rules_out, const char *which, fn_err *err) {
  if (strcmp(which, "none") == 0) return fn_rules_parse(rules_out, fn_str_from("rules: []"), "none", err);
  const fn_embedded *file = &fn_data_embedded_rules[0];
  if (strcmp(which, "default") == 0)
    return fn_rules_parse(rules_out, fn_str_make((const char *)file->data, file->size), file->name, err);
  FN_AUTO_BUF fn_buf yaml;
  fn_buf_init(&yaml, RULES_MAX_BYTES);
  fn_status status = fn_file_read(&yaml, which, RULES_MAX_BYTES, err);
  if (status == FN_E_NOT_FOUND)
    return fn_err_set(err, status, "data.rules: no file \"%s\"; default, none or a YAML file of rules is accepted",
                      which);
  FN_TRY(status);
  return fn_rules_parse(rules_out, fn_buf_str(&yaml), which, err);
}

void fn_rules_scratch_deinit(fn_rules_scratch *scratch) {
  fn_matcher_deinit(&scratch->matcher);
  fn_buf_deinit(&scratch->buffers[0]);
  fn_buf_deinit(&scratch->buffers[1]);
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Appends what stands before, between or after cuts; nothing of a piece that is white space at the begin of the text.
 */
static void keep(fn_buf *out, fn_str piece, bool after_cut) {
  const char *p = piece.data, *end = p + piece.length;
  bool blank = fn_str_trim(piece).length == 0;
  if (out->length == 0 && (after_cut || blank))
    while (p < end && is_space(*p)) p++;
  bool glued = after_cut && out->length && p < end && !is_space(*p) && !is_space(out->data[out->length - 1]);
  if (glued) fn_buf_append_char(out, ' ');
  fn_buf_append(out, p, (size_t)(end - p));
}

/* One rule over one text, into out. *cut tells whether there was a match; without one out stays empty. */
static fn_status apply(bool *cut, fn_buf *out, const rule *r, fn_matcher *matcher, fn_str text, fn_err *err) {
  size_t from = 0, done = 0;
  *cut = false;
  for (;;) {
    bool found;
    size_t begin, end;
    FN_TRY(fn_pattern_find(&found, &begin, &end, r->pattern, matcher, text, from, err));
    if (!found) break;
    if (!*cut) fn_buf_reset(out);
    keep(out, fn_str_make(text.data + done, begin - done), *cut);
    *cut = true;
    done = from = end;
    if (from >= text.length) break;
  }
  if (!*cut) return FN_OK;
  fn_str rest = fn_str_make(text.data + done, text.length - done);
  keep(out, rest, true);
  if (fn_str_trim(rest).length == 0)
    while (out->length && is_space(out->data[out->length - 1])) out->data[--out->length] = 0;
  return fn_buf_check(out, "a text without boilerplate", err);
}

fn_status fn_rules_apply(fn_str *text_out, uint64_t *hits, const fn_rules *rules, fn_rule_field field, fn_str text,
                         fn_rules_scratch *scratch, fn_err *err) {
  fn_str now = text;
  int free_buffer = 0;
  for (size_t i = 0; i < rules->n && now.length; i++) {
    if (!(rules->rules[i].fields & (unsigned)field)) continue;
    bool cut;
    fn_buf *out = &scratch->buffers[free_buffer];
    FN_TRY(apply(&cut, out, &rules->rules[i], &scratch->matcher, now, err));
    if (!cut) continue;
    *hits |= (uint64_t)1 << i;
    now = fn_str_make(out->data ? out->data : "", out->length);
    free_buffer ^= 1;
  }
  *text_out = now;
  return FN_OK;
}
