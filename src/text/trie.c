#include "text/trie.h"

#include <stdlib.h>

void fn_trie_deinit(fn_trie *trie) {
  if (!trie->borrowed) {
    free(trie->edges);
    free(trie->values);
  }
  *trie = (fn_trie){0};
}

static fn_trie_edge *place(fn_trie_edge *edges, uint32_t shift, uint32_t key) {
  uint32_t mask = UINT32_MAX >> shift;
  uint32_t at = (key * 0x9E3779B1U) >> shift;
  while (edges[at].key != 0 && edges[at].key != key) at = (at + 1) & mask;
  return &edges[at];
}

/* Keeps the table at most half full: 2^(32 - shift) places for n_nodes - 1 edges. */
static fn_status make_room(fn_trie *trie, fn_err *err) {
  if (trie->edges && trie->n_nodes < ((size_t)1 << (31 - trie->shift))) return FN_OK;
  if (trie->n_nodes >= FN_TRIE_MAX_NODES)
    return fn_err_set(err, FN_E_LIMIT, "vocabulary: more than %d distinct prefixes of tokens are not accepted",
                      FN_TRIE_MAX_NODES);
  uint32_t shift = trie->edges ? trie->shift - 1 : 32 - 8;
  fn_trie_edge *edges = fn_mem_calloc((size_t)1 << (32 - shift), sizeof *edges);
  if (!edges) return fn_err_no_memory(err, "vocabulary");
  if (trie->edges) {
    size_t old = (size_t)1 << (32 - trie->shift);
    for (size_t i = 0; i < old; i++)
      if (trie->edges[i].key) *place(edges, shift, trie->edges[i].key) = trie->edges[i];
  }
  free(trie->edges);
  trie->edges = edges;
  trie->shift = shift;
  return FN_OK;
}

fn_status fn_trie_add(fn_trie *trie, int32_t *found_out, fn_str key, int32_t value, fn_err *err) {
  if (trie->n_nodes == 0) trie->n_nodes = 1; /* the root */
  uint32_t node = 0;
  unsigned char first = (unsigned char)key.data[0];
  if (!trie->first[first]) trie->n_first++;
  trie->first[first] = true;
  for (size_t i = 0; i < key.length; i++) {
    FN_TRY(make_room(trie, err));
    FN_TRY(fn_mem_grow((void **)&trie->values, &trie->values_capacity, trie->n_nodes + 1, sizeof *trie->values,
                       FN_TRIE_MAX_NODES + 1, "vocabulary", err));
    if (trie->n_nodes == 1) trie->values[0] = -1;
    uint32_t edge_key = node << 8 | (unsigned char)key.data[i];
    fn_trie_edge *edge = place(trie->edges, trie->shift, edge_key);
    if (edge->key == 0) {
      *edge = (fn_trie_edge){edge_key, (uint32_t)trie->n_nodes};
      trie->values[trie->n_nodes++] = -1;
    }
    node = edge->next & ~FN_TRIE_FINAL;
    if (i + 1 == key.length) {
      *found_out = edge->next & FN_TRIE_FINAL ? trie->values[node] : -1;
      if (*found_out >= 0) return FN_OK;
      edge->next |= FN_TRIE_FINAL;
      trie->values[node] = value;
    }
  }
  return FN_OK;
}

uint32_t fn_trie_walk(const fn_trie *trie, fn_str key) {
  uint32_t node = 0;
  if (!trie->edges) return 0;
  for (size_t i = 0; i < key.length; i++) {
    node = fn_trie_step(trie, node, (unsigned char)key.data[i]) & ~FN_TRIE_FINAL;
    if (node == 0) return 0;
  }
  return node;
}

size_t fn_trie_find_first(const fn_trie *trie, const char *text, size_t from, size_t length) {
  if (from >= length || trie->n_first == 0) return length;
  if (trie->n_first == 1) {
    int byte = 0;
    while (!trie->first[byte]) byte++;
    const char *found = memchr(text + from, byte, length - from);
    return found ? (size_t)(found - text) : length;
  }
  while (from < length && !trie->first[(unsigned char)text[from]]) from++;
  return from;
}
