/* Compares settings of models. */
#ifndef FN_TESTS_UNIT_MODEL_SAME_CONFIG_H
#define FN_TESTS_UNIT_MODEL_SAME_CONFIG_H

#include "../test.h"
#include "model/config.h"

/* Field by field, by way of their text: structs have padding. */
static inline void same_config(const fn_model_config *a, const fn_model_config *b) {
  FN_AUTO_BUF fn_buf x;
  FN_AUTO_BUF fn_buf y;
  fn_buf_init(&x, 0);
  fn_buf_init(&y, 0);
  fn_model_config_format(&x, a);
  fn_model_config_format(&y, b);
  assert_string_equal(x.data, y.data);
}

#endif
