/* The local store of runs. */
#include "../test.h"
#include "track/track.h"

static void test_id_is_32_digits(void **state) {
  (void)state;
  char id[FN_RUN_ID_LENGTH];
  const unsigned char random[16] = {0x00, 0x01, 0x0f, 0x10, 0x9a, 0xab, 0xbc, 0xcd,
                                    0xde, 0xef, 0xf0, 0xff, 0x7f, 0x80, 0x55, 0xaa};
  fn_run_id_make(id, random);
  assert_string_equal(id, "00010f109aabbccddeeff0ff7f8055aa");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_id_is_32_digits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
