#include "wandb/internal.h"

#include <math.h>

static size_t slot_of(const fn_wandb_table *t, const char *key) {
  size_t slot = (size_t)fn_hash64(key, strlen(key), 0) & (t->n_slots - 1);
  while (t->slots[slot] && strcmp(t->entries[t->slots[slot] - 1].key, key) != 0) slot = (slot + 1) & (t->n_slots - 1);
  return slot;
}

static bool grow_slots(fn_wandb_table *t) {
  if (t->n_slots > 2 * t->n) return true;
  const size_t n = t->n_slots ? 2 * t->n_slots : 64;
  uint32_t *slots = fn_mem_calloc(n, sizeof *slots);
  if (!slots) return false;
  free(t->slots);
  t->slots = slots;
  t->n_slots = n;
  for (size_t i = 0; i < t->n; i++) t->slots[slot_of(t, t->entries[i].key)] = (uint32_t)i + 1;
  return true;
}

fn_wandb_entry *fn_wandb_find(fn_wandb_table *t, fn_arena *arena, const char *key) {
  if (!grow_slots(t)) return NULL;
  const size_t slot = slot_of(t, key);
  if (t->slots[slot]) return &t->entries[t->slots[slot] - 1];
  if (fn_mem_grow((void **)&t->entries, &t->capacity, t->n + 1, sizeof *t->entries, FN_WANDB_MAX_KEYS, "keys", NULL) !=
      FN_OK)
    return NULL;
  char *copy = fn_arena_strndup(arena, key, strlen(key));
  if (!copy) return NULL;
  t->entries[t->n] = (fn_wandb_entry){.key = copy};
  t->slots[slot] = (uint32_t)++t->n;
  return &t->entries[t->n - 1];
}

void fn_wandb_table_deinit(fn_wandb_table *t) {
  free(t->entries);
  free(t->slots);
  *t = (fn_wandb_table){0};
}

const char *fn_wandb_number(fn_arena *arena, double value) {
  if (isnan(value)) return "NaN";
  if (isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 64);
  fn_buf_append_double(&text, value);
  const char *copy = text.failed ? NULL : fn_arena_strndup(arena, text.data, text.length);
  return copy ? copy : "null";
}

/* ---- settings and summary as items ---- */

/* "train.learning_rate" as a path of two keys; a key with an empty part stays one. */
static bool split(fn_wandb_item *item, fn_arena *arena, const char *first, const char *key) {
  size_t n = first ? 2 : 1;
  const bool whole = first || strstr(key, "..") || *key == '.' || key[strlen(key) - 1] == '.';
  for (const char *p = key; !whole && *p; p++) n += *p == '.';
  const char **path = fn_arena_alloc(arena, n, sizeof *path);
  if (!path) return false;
  size_t at = 0;
  if (first) path[at++] = first;
  while (at < n) {
    const size_t length = whole ? strlen(key) : strcspn(key, ".");
    path[at] = fn_arena_strndup(arena, key, length);
    if (!path[at++]) return false;
    key += length + (key[length] == '.');
  }
  item->path = path;
  item->n_path = n;
  return true;
}

fn_status fn_wandb_settings(fn_wandb_item **items_out, size_t *n_out, fn_wandb_sink *s, fn_arena *arena,
                            bool changed_only, fn_err *err) {
  fn_wandb_item *items = fn_arena_alloc(arena, s->config.n + s->tags.n + 1, sizeof *items);
  size_t n = 0;
  if (!items) return fn_err_no_memory(err, "settings for W&B");
  fn_wandb_table *const tables[] = {&s->config, &s->tags};
  for (size_t t = 0; t < FN_COUNT_OF(tables); t++)
    for (size_t i = 0; i < tables[t]->n; i++) {
      fn_wandb_entry *e = &tables[t]->entries[i];
      if (changed_only && !e->changed) continue;
      if (!split(&items[n], arena, t == 1 ? "run_tags" : NULL, e->key))
        return fn_err_no_memory(err, "settings for W&B");
      items[n++].json = e->json;
      e->changed = e->changed && !changed_only;
    }
  *items_out = items;
  *n_out = n;
  return FN_OK;
}

static bool add(fn_wandb_item *item, fn_arena *arena, const char *key, const char *json) {
  const char **path = fn_arena_alloc(arena, 1, sizeof *path);
  if (!path) return false;
  *path = key;
  *item = (fn_wandb_item){path, 1, json};
  return true;
}

fn_status fn_wandb_summary(fn_wandb_item **items_out, size_t *n_out, fn_wandb_sink *s, fn_arena *arena, fn_err *err) {
  const size_t n_metrics = s->metrics.n;
  fn_wandb_item *items = fn_arena_alloc(arena, n_metrics + 4, sizeof *items);
  if (!items) return fn_err_no_memory(err, "a summary for W&B");
  bool ok = true;
  for (size_t i = 0; i < n_metrics; i++)
    ok = ok && add(&items[i], arena, s->metrics.entries[i].key, fn_wandb_number(arena, s->metrics.entries[i].value));
  const double runtime = (double)(s->last_ms - s->run.start_ms) / 1000;
  FN_AUTO_BUF fn_buf inner;
  fn_buf_init(&inner, 256);
  fn_buf_printf(&inner, "{\"runtime\":%.0f}", runtime > 0 ? runtime : 0);
  FN_TRY(fn_buf_check(&inner, "a summary", err));
  const char *wandb = fn_arena_strndup(arena, inner.data, inner.length);
  ok = ok && wandb && add(&items[n_metrics], arena, "_step", fn_wandb_number(arena, (double)s->row_step)) &&
       add(&items[n_metrics + 1], arena, "_runtime", fn_wandb_number(arena, runtime > 0 ? runtime : 0)) &&
       add(&items[n_metrics + 2], arena, "_timestamp", fn_wandb_number(arena, (double)s->last_ms / 1000)) &&
       add(&items[n_metrics + 3], arena, "_wandb", wandb);
  if (!ok) return fn_err_no_memory(err, "a summary for W&B");
  *items_out = items;
  *n_out = n_metrics + 4;
  return FN_OK;
}
