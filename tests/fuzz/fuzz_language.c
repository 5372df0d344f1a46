/* What is counted of any bytes stays within the bytes and the bound on words; white space around changes nothing. */
#include "fuzz.h"
#include "infer/reasons.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const fn_str text = fn_str_make((const char *)data, size);
  fn_prose p = {0};
  fn_prose_add(&p, text, 10);
  FUZZ_CHECK((size_t)p.n_latin + p.n_other + p.n_marks <= size && p.n_words <= p.n_latin && p.n_code <= p.n_marks);
  FUZZ_CHECK(p.n_words <= 10 + 120); /* the piece in which the bound is reached is read to its end */
  fn_evidence e = {0};
  fn_evidence_read(&e, text, fn_str_make(NULL, 0));
  unsigned reasons = fn_reasons_find(&e, NULL);
  FUZZ_CHECK(reasons < 1u << FN_N_REASONS && !(reasons & FN_REASON_UNLIKE_TRAINING));
  if (size < 200) { /* far from the bound on bytes */
    char padded[256] = "  \t";
    memcpy(padded + 3, data, size);
    padded[3 + size] = ' ';
    fn_prose q = {0};
    fn_prose_add(&q, fn_str_make(padded, size + 4), 10);
    FUZZ_CHECK(memcmp(&p, &q, sizeof p) == 0);
  }
  return 0;
}
