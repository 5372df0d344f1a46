/* Boilerplate that tells the publisher instead of the truth (datelines, picture credits) and is cut from the texts by
 * named rules. The rules stand in a YAML file:
 *
 *   rules:
 *     - name: dateline              # letters, digits, '-' and '_'; stands in counts
 *       field: text                 # title, text or both
 *       pattern: '^.{1,60}\(Reuters\) - '   # data/pattern.h
 *       ignore_case: true           # default false
 *       about: why it is cut        # optional
 *
 * Rules are applied in their order, each to what the one before it left; every match of a rule is cut. White space
 * around a cut at the begin or end of the text goes too; a cut in the middle leaves one space, where none is there. */
#ifndef FN_DATA_RULES_H
#define FN_DATA_RULES_H

#include "data/pattern.h"

typedef struct fn_rules fn_rules; /* immutable; may be shared by threads */

typedef enum fn_rule_field { FN_RULE_TITLE = 1, FN_RULE_TEXT = 2 } fn_rule_field;

enum { FN_RULES_MAX = 64 };

/* name (a path) stands in errors: FN_E_INVALID / FN_E_LIMIT "NAME:LINE: …". */
FN_NODISCARD fn_status fn_rules_parse(fn_rules **rules_out, fn_str yaml, const char *name, fn_err *err);
/* which: "default" (config/rules/boilerplate.yaml as it was built in), "none", or a path. */
FN_NODISCARD fn_status fn_rules_load(fn_rules **rules_out, const char *which, fn_err *err);
void fn_rules_destroy(fn_rules *rules);

size_t fn_rules_count(const fn_rules *rules); /* ≤ FN_RULES_MAX */
const char *fn_rules_name(const fn_rules *rules, size_t i);
/* Hash of names and patterns. */
fn_hash128 fn_rules_hash(const fn_rules *rules);

/* Working memory of one thread. Zero-initialise. */
typedef struct fn_rules_scratch {
  fn_matcher matcher;
  fn_buf buffers[2];
} fn_rules_scratch;
void fn_rules_scratch_deinit(fn_rules_scratch *scratch);

/* Applies the rules for one field. *text_out is text itself when nothing was cut, else a view into scratch, valid until
 * its next use. Bit i of *hits is set when rule i cut something (other bits stay). */
FN_NODISCARD fn_status fn_rules_apply(fn_str *text_out, uint64_t *hits, const fn_rules *rules, fn_rule_field field,
                                      fn_str text, fn_rules_scratch *scratch, fn_err *err);

#endif
