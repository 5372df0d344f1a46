/* Memory: checked sizes, aligned slabs, arenas, cleanup attributes. */
#ifndef FN_BASE_MEM_H
#define FN_BASE_MEM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* out = a*b or a+b; false (out untouched) when that does not fit. */
static inline bool fn_size_mul(size_t *out, size_t a, size_t b) {
  size_t r;
  if (__builtin_mul_overflow(a, b, &r)) return false;
  *out = r;
  return true;
}
static inline bool fn_size_add(size_t *out, size_t a, size_t b) {
  size_t r;
  if (__builtin_add_overflow(a, b, &r)) return false;
  *out = r;
  return true;
}

/* n elements of size bytes, zeroed; NULL when the product overflows or memory is short. n = 0 gives a valid pointer.
 * Release with free(). */
void *fn_mem_calloc(size_t n, size_t size) __attribute__((malloc));
/* Same, not zeroed. */
void *fn_mem_alloc(size_t n, size_t size) __attribute__((malloc));
/* Grows *array (elements of `size` bytes) so that it holds at least `needed` elements: doubles, checks overflow,
 * refuses more than `max` elements with FN_E_LIMIT. *array and *capacity stay as they were on failure. */
FN_NODISCARD fn_status fn_mem_grow(void **array, size_t *capacity, size_t needed, size_t size, size_t max,
                                   const char *what, fn_err *err);
/* 64-byte aligned, zeroed, size rounded up to 64. Release with free(). NULL when memory is short. */
void *fn_mem_slab(size_t size_bytes) __attribute__((malloc));
/* Same, not zeroed: for work space, of which a short call touches little, so that the rest costs no memory. */
void *fn_mem_slab_raw(size_t size_bytes) __attribute__((malloc));

/* A region that is released as a whole: no single frees. */
typedef struct fn_arena {
  struct fn_arena_block *head;
  size_t used_bytes; /* handed out so far */
} fn_arena;

void fn_arena_init(fn_arena *arena);
void fn_arena_deinit(fn_arena *arena);
/* 16-byte aligned, zeroed; NULL when memory is short. Lives until deinit. */
void *fn_arena_alloc(fn_arena *arena, size_t n, size_t size);
/* Copy of length bytes with a terminating 0. */
char *fn_arena_strndup(fn_arena *arena, const char *text, size_t length);

/* FN_AUTO_FREE char *p = …;  releases p with free() at the end of the scope. FN_STEAL(p) hands it out instead. */
#define FN_CLEANUP(f) __attribute__((cleanup(f)))
#define FN_AUTO_FREE  FN_CLEANUP(fn_cleanup_free_)
static inline void fn_cleanup_free_(void *p) {
  free(*(void **)p);
}
#define FN_STEAL(p)                                                                                                    \
  __extension__({                                                                                                      \
    __typeof__(p) fn_steal_ = (p);                                                                                     \
    (p) = NULL;                                                                                                        \
    fn_steal_;                                                                                                         \
  })

#define FN_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
