/* Bytes in memory as a stream that comes in pieces. */
#ifndef FN_TESTS_UNIT_DATA_PIECES_H
#define FN_TESTS_UNIT_DATA_PIECES_H

#include "../test.h"
#include "base/base.h"

typedef struct memory {
  const char *data;
  size_t length, at, piece;
} memory;

static inline fn_status read_memory(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  (void)err;
  memory *m = arg;
  size_t n = m->length - m->at;
  if (n > m->piece) n = m->piece;
  if (n > capacity) n = capacity;
  memcpy(buffer, m->data + m->at, n);
  m->at += n;
  *n_out = n;
  return FN_OK;
}

#endif
