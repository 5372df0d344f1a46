#include "data/names.h"

#include <stdlib.h>

void fn_names_init(fn_names *names) {
  *names = (fn_names){0};
  fn_arena_init(&names->arena);
}

void fn_names_deinit(fn_names *names) {
  free(names->items);
  free(names->slots);
  fn_arena_deinit(&names->arena);
  *names = (fn_names){0};
}

static size_t slot_of(const fn_names *names, fn_str name) {
  size_t slot = fn_hash64(name.length ? name.data : "", name.length, 0) & (names->n_slots - 1);
  while (names->slots[slot] && !fn_str_equal(names->items[names->slots[slot] - 1], name))
    slot = (slot + 1) & (names->n_slots - 1);
  return slot;
}

static fn_status rehash(fn_names *names, fn_err *err) {
  size_t next = names->n_slots ? names->n_slots * 2 : 64;
  uint32_t *slots = fn_mem_calloc(next, sizeof *slots);
  if (!slots) return fn_err_no_memory(err, "names");
  free(names->slots);
  names->slots = slots;
  names->n_slots = next;
  for (size_t i = 0; i < names->n; i++) slots[slot_of(names, names->items[i])] = (uint32_t)i + 1;
  return FN_OK;
}

fn_status fn_names_add(uint32_t *number_out, fn_names *names, fn_str name, fn_err *err) {
  if (2 * (names->n + 1) > names->n_slots) FN_TRY(rehash(names, err));
  size_t slot = slot_of(names, name);
  if (!names->slots[slot]) {
    FN_TRY(fn_mem_grow((void **)&names->items, &names->capacity, names->n + 1, sizeof *names->items, UINT32_MAX - 1,
                       "names", err));
    char *copy = fn_arena_strndup(&names->arena, name.length ? name.data : "", name.length);
    if (!copy) return fn_err_no_memory(err, "names");
    names->items[names->n++] = fn_str_make(copy, name.length);
    names->slots[slot] = (uint32_t)names->n;
  }
  *number_out = names->slots[slot] - 1;
  return FN_OK;
}
