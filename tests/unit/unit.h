/* cmocka with the headers it needs before it, in the order it needs them. */
#ifndef FN_TESTS_UNIT_H
#define FN_TESTS_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
