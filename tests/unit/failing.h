/* Lets the n-th allocation of the library fail. A test that includes this is linked with --wrap (tests/CMakeLists.txt),
 * which puts these in place of the library's calls; what the C library itself allocates does not count. */
#ifndef FN_TESTS_UNIT_FAILING_H
#define FN_TESTS_UNIT_FAILING_H

#include "test.h"

#include <stdbool.h>

static size_t countdown; /* 0: allocations work; otherwise the one that makes it 0 fails */
static size_t n_failed;

static bool fails(void) {
  if (countdown == 0 || --countdown > 0) return false;
  n_failed++;
  return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
  return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *block, size_t size) {
  return fails() ? NULL : __real_realloc(block, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

#endif
