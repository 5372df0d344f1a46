/* YAML files of settings: any bytes end with a verdict, and values stay within their ranges. */
#include "config/config.h"
#include "toy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 14) return 0;
  fn_config *config = toy_create();
  fn_err err = {0};
  fn_status status =
      fn_config_parse_yaml(config, FN_CONFIG_FILE, fn_str_make((const char *)data, size), "input.yaml", &err);
  FUZZ_CHECK(status == FN_OK || (err.status == status && err.message[0]));
  toy_check(config);
  fn_config_destroy(config);
  return 0;
}
