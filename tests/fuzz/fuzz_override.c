/* key=value in Hydra's notation: any text ends with a verdict, a refused one changes nothing, and a value that was
 * accepted is accepted again as it is shown. Input: one assignment a line.
 */
#include "config/config.h"
#include "toy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 12) return 0;
  fn_config *config = toy_create();
  fn_err err = {0};
  for (size_t at = 0; at < size;) {
    const uint8_t *stop = memchr(data + at, '\n', size - at);
    const size_t length = stop ? (size_t)(stop - data) - at : size - at;
    FN_AUTO_FREE char *assignment = fn_str_dup(fn_str_make((const char *)data + at, length));
    FUZZ_CHECK(assignment);
    const fn_status status = fn_config_override(config, assignment, &err);
    FUZZ_CHECK(status == FN_OK || (err.status == status && err.message[0]));
    at += length + 1;
  }
  toy_check(config);
  fn_config *again = toy_create();
  for (size_t i = 0; i < FN_COUNT_OF(toy_options); i++) {
    const char *value = fn_config_value(config, toy_options[i].key);
    FUZZ_CHECK(fn_config_set(again, FN_CONFIG_OVERRIDE, toy_options[i].key, fn_str_from(value), "again", &err) ==
               FN_OK);
  }
  toy_check_same(config, again);
  fn_config_destroy(again);
  fn_config_destroy(config);
  return 0;
}
