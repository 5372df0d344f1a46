/* Old name of test.h. */
#ifndef FN_TESTS_UNIT_H
#define FN_TESTS_UNIT_H

#include "test.h"

#endif
