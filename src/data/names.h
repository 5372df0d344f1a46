/* Names to dense numbers, by first appearance. */
#ifndef FN_DATA_NAMES_H
#define FN_DATA_NAMES_H

#include "base/base.h"

typedef struct fn_names {
  fn_str *items; /* [n] terminated copies in arena */
  size_t n, capacity;
  uint32_t *slots; /* open addressing: number + 1, or 0 */
  size_t n_slots;
  fn_arena arena;
} fn_names;

void fn_names_init(fn_names *names);
void fn_names_deinit(fn_names *names);
/* Number of the name, added when it is new. */
FN_NODISCARD fn_status fn_names_add(uint32_t *number_out, fn_names *names, fn_str name, fn_err *err);

#endif
