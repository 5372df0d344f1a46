/* Regular expressions for the boilerplate rules: a small language on code points, matched in time linear in the text
 * whatever the pattern (Thompson's construction, simulated as a set of states: Thompson 1968, "Regular expression
 * search algorithm"; Pike's start positions as in Cox 2009, "Regular expression matching: the virtual machine
 * approach"). <regex.h> depends on the locale and may take exponential time, so it is not used.
 *
 *   c         the character itself          .         any character but a line feed
 *   [a-z_]    one of                        [^a-z]    any but these
 *   \s \d \w  white space, ASCII digit, ASCII letter digit or _   (\S \D \W: any other)
 *   \n \t     line feed, tab                \. \( …   the punctuation mark itself
 *   ( | )     alternatives                  ? * + {m} {m,} {m,n}  repetition, m and n up to 1000
 *   ^ $       begin and end of the whole text
 *
 * A match is the leftmost one, and of those the longest. */
#ifndef FN_DATA_PATTERN_H
#define FN_DATA_PATTERN_H

#include "base/base.h"

typedef struct fn_pattern fn_pattern; /* immutable; may be shared by threads */

/* ignore_case: ASCII letters match in either case. FN_E_INVALID "byte 12 of the pattern: …"; FN_E_LIMIT when it is
 * larger than 8192 states. A pattern that matches the empty text is refused. */
FN_NODISCARD fn_status fn_pattern_create(fn_pattern **pattern_out, fn_str source, bool ignore_case, fn_err *err);
void fn_pattern_destroy(fn_pattern *pattern);

/* Working memory of one thread, for any number of patterns. Zero-initialise. */
typedef struct fn_matcher {
  uint32_t *memory;
  size_t capacity;
} fn_matcher;
void fn_matcher_deinit(fn_matcher *matcher);

/* The first match in text[from, …), as byte offsets [*begin_out, *end_out), or *found_out = false. text is valid UTF-8
 * of less than 4 GiB. ^ is at offset 0 only, whatever from is. FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_pattern_find(bool *found_out, size_t *begin_out, size_t *end_out, const fn_pattern *pattern,
                                       fn_matcher *matcher, fn_str text, size_t from, fn_err *err);

#endif
