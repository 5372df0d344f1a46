/* Patterns of the boilerplate rules: first line the pattern, the rest the text. Compiling ends with a verdict; a match
 * lies inside the text, on whole characters, is not empty, and is found again when the search begins where it begins.
 */
#include "data/pattern.h"
#include "fuzz.h"

#include <string.h>

static bool at_boundary(fn_str text, size_t at) {
  return at == text.length || ((unsigned char)text.data[at] & 0xC0) != 0x80;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > 4096) return 0;
  const char *bytes = (const char *)data + 1, *newline = memchr(bytes, '\n', size - 1);
  if (!newline) return 0;
  fn_str source = fn_str_make(bytes, (size_t)(newline - bytes));
  fn_str text = fn_str_make(newline + 1, size - 2 - source.length);
  fn_err err = {0};
  fn_pattern *pattern;
  if (!fn_utf8_valid(text, NULL)) return 0;
  if (fn_pattern_create(&pattern, source, data[0] & 1, &err) != FN_OK) {
    FUZZ_CHECK(err.message[0]);
    return 0;
  }
  fn_matcher matcher = {0};
  for (size_t from = 0; from <= text.length;) {
    bool found, again;
    size_t begin, end, begin2, end2;
    FUZZ_CHECK(fn_pattern_find(&found, &begin, &end, pattern, &matcher, text, from, &err) == FN_OK);
    if (!found) break;
    FUZZ_CHECK(begin >= from && end > begin && end <= text.length);
    FUZZ_CHECK(at_boundary(text, begin) && at_boundary(text, end));
    FUZZ_CHECK(fn_pattern_find(&again, &begin2, &end2, pattern, &matcher, text, begin, &err) == FN_OK);
    FUZZ_CHECK(again && begin2 == begin && end2 == end);
    from = end;
  }
  fn_matcher_deinit(&matcher);
  fn_pattern_destroy(pattern);
  return 0;
}
