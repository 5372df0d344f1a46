#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void *fn_mem_alloc(size_t n, size_t size) {
  size_t bytes;
  if (!fn_size_mul(&bytes, n, size)) return NULL;
  return malloc(bytes ? bytes : 1);
}

void *fn_mem_calloc(size_t n, size_t size) {
  size_t bytes;
  if (!fn_size_mul(&bytes, n, size)) return NULL;
  return calloc(bytes ? bytes : 1, 1);
}

fn_status fn_mem_grow(void **array, size_t *capacity, size_t needed, size_t size, size_t max, const char *what,
                      fn_err *err) {
  if (needed <= *capacity) return FN_OK;
  if (needed > max) return fn_err_set(err, FN_E_LIMIT, "%s: more than %zu are not accepted", what, max);
  size_t next = *capacity < 8 ? 8 : *capacity;
  while (next < needed) next = next > max / 2 ? max : next * 2;
  if (next > max) next = max;
  size_t bytes;
  if (!fn_size_mul(&bytes, next, size)) return fn_err_no_memory(err, what);
  void *grown = realloc(*array, bytes);
  if (!grown) return fn_err_no_memory(err, what);
  *array = grown;
  *capacity = next;
  return FN_OK;
}

static bool slab_size(size_t *out, size_t size_bytes) {
  size_t rounded;
  if (!fn_size_add(&rounded, size_bytes, 63)) return false;
  rounded &= ~(size_t)63;
  *out = rounded ? rounded : 64;
  return true;
}

void *fn_mem_slab(size_t size_bytes) {
  size_t rounded;
  if (!slab_size(&rounded, size_bytes)) return NULL;
  void *slab = aligned_alloc(64, rounded);
  if (slab) memset(slab, 0, rounded);
  return slab;
}

void *fn_mem_slab_raw(size_t size_bytes) {
  size_t rounded;
  return slab_size(&rounded, size_bytes) ? aligned_alloc(64, rounded) : NULL;
}

/* Blocks double up to 1 MiB; a request larger than that gets a block of its own. */
struct fn_arena_block {
  struct fn_arena_block *next;
  size_t used, size;
  max_align_t data[];
};

void fn_arena_init(fn_arena *arena) {
  *arena = (fn_arena){0};
}

void fn_arena_deinit(fn_arena *arena) {
  struct fn_arena_block *block = arena->head;
  while (block) {
    struct fn_arena_block *next = block->next;
    free(block);
    block = next;
  }
  *arena = (fn_arena){0};
}

void *fn_arena_alloc(fn_arena *arena, size_t n, size_t size) {
  size_t bytes;
  if (!fn_size_mul(&bytes, n, size) || !fn_size_add(&bytes, bytes, 15)) return NULL;
  bytes &= ~(size_t)15;
  if (bytes == 0) bytes = 16;
  struct fn_arena_block *block = arena->head;
  if (!block || block->size - block->used < bytes) {
    size_t want = block ? block->size * 2 : 4096;
    if (want > ((size_t)1 << 20)) want = (size_t)1 << 20;
    if (want < bytes) want = bytes;
    size_t total;
    if (!fn_size_add(&total, want, sizeof *block)) return NULL;
    block = malloc(total);
    if (!block) return NULL;
    *block = (struct fn_arena_block){.next = arena->head, .size = want};
    arena->head = block;
  }
  void *p = (char *)block->data + block->used;
  block->used += bytes;
  arena->used_bytes += bytes;
  memset(p, 0, bytes);
  return p;
}

char *fn_arena_strndup(fn_arena *arena, const char *text, size_t length) {
  size_t size;
  if (!fn_size_add(&size, length, 1)) return NULL;
  char *copy = fn_arena_alloc(arena, size, 1);
  if (copy && length) memcpy(copy, text, length);
  return copy;
}
