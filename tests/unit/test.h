/* What every cmocka program of the unit tests includes. */
#ifndef FN_TESTS_UNIT_TEST_H
#define FN_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the others: it needs them and does not include them */

/* Fails with the library's own message. Needs a local `fn_err err`. */
#define assert_ok(call)                                                                                                \
  do {                                                                                                                 \
    fn_status assert_status_ = (call);                                                                                 \
    if (assert_status_ != FN_OK) fail_msg("%s: %s", fn_status_name(assert_status_), err.message);                      \
  } while (0)
#define assert_status(call, expected)                                                                                  \
  do {                                                                                                                 \
    fn_status assert_status_ = (call);                                                                                 \
    if (assert_status_ != (expected))                                                                                  \
      fail_msg("got %s, expected %s: %s", fn_status_name(assert_status_), fn_status_name(expected), err.message);      \
  } while (0)
#define assert_contains(text, part)                                                                                    \
  do {                                                                                                                 \
    if (!strstr((text), (part))) fail_msg("\"%s\" does not contain \"%s\"", (text), (part));                           \
  } while (0)

#endif
