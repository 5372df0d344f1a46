/* Any bytes fall into sentences that follow each other, hold no white space at their ends, and miss nothing else. */
#include "fuzz.h"
#include "infer/sentences.h"

static int is_plain(unsigned char c) {
  return c > ' ' && c < 0x7F;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const fn_str text = fn_str_make((const char *)data, size);
  fn_sentence s;
  size_t at = 0;
  while (fn_sentence_next(&s, text, at)) {
    FUZZ_CHECK(s.begin >= at && s.end > s.begin && s.end <= size);
    FUZZ_CHECK(data[s.begin] != ' ' && data[s.end - 1] != ' ');
    for (; at < s.begin; at++) FUZZ_CHECK(!is_plain(data[at]));
    at = s.end;
  }
  for (; at < size; at++) FUZZ_CHECK(!is_plain(data[at]));
  return 0;
}
