/* A calibration: any bytes end with a verdict; what is accepted survives being written, and gives a probability. */
#include "fuzz.h"
#include "infer/calibration.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fn_calibration c, again;
  fn_err err = {0};
  fn_status status = fn_calibration_parse(&c, fn_str_make((const char *)data, size), "input", &err);
  if (status != FN_OK) {
    FUZZ_CHECK(err.status == status && strncmp(err.message, "input", 5) == 0);
    return 0;
  }
  fn_buf text, second;
  fn_buf_init(&text, 1 << 20);
  fn_buf_init(&second, 1 << 20);
  fn_calibration_format(&text, &c);
  FUZZ_CHECK(fn_buf_check(&text, "output", &err) == FN_OK);
  FUZZ_CHECK(fn_calibration_parse(&again, fn_buf_str(&text), "output", &err) == FN_OK);
  fn_calibration_format(&second, &again);
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&text), fn_buf_str(&second)));
  for (size_t i = 0; i < c.n_sets; i++) {
    const double logits[FN_N_HALVES] = {3.0, -2.0};
    double z = fn_prior_shift(fn_calibration_apply(&c.sets[i], logits, (int64_t)size), c.prior, 0.1);
    FUZZ_CHECK(!isnan(z) && fn_sigmoid(z) >= 0.0 && fn_sigmoid(z) <= 1.0);
    FUZZ_CHECK(fn_calibration_find(&c, c.sets[i].part, c.sets[i].headline && c.mode != FN_TEXT_TITLE) != NULL ||
               c.mode == FN_TEXT_TITLE);
  }
  fn_buf_deinit(&text);
  fn_buf_deinit(&second);
  return 0;
}
