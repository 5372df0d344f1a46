/* config.json: any bytes end with a verdict; what is accepted is within every range and survives being written. */
#include "fuzz.h"
#include "model/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fn_model_config config, again;
  fn_err err = {0};
  fn_status status = fn_model_config_parse(&config, fn_str_make((const char *)data, size), "input", &err);
  if (status != FN_OK) {
    FUZZ_CHECK(err.status == status && strncmp(err.message, "input", 5) == 0);
    return 0;
  }
  FUZZ_CHECK(fn_model_config_check(&config, "input", &err) == FN_OK);
  fn_buf text;
  fn_buf_init(&text, 1 << 20);
  fn_model_config_format(&text, &config);
  FUZZ_CHECK(fn_buf_check(&text, "output", &err) == FN_OK);
  FUZZ_CHECK(fn_model_config_parse(&again, fn_buf_str(&text), "output", &err) == FN_OK);
  fn_buf second;
  fn_buf_init(&second, 1 << 20);
  fn_model_config_format(&second, &again);
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&text), fn_buf_str(&second)));
  fn_buf_deinit(&second);
  fn_buf_deinit(&text);
  return 0;
}
