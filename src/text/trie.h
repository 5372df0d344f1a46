/* A map from byte strings to ids that finds the longest key at a place of a text. Inside src/text only. */
#ifndef FN_TEXT_TRIE_H
#define FN_TEXT_TRIE_H

#include "base/base.h"

/* Nodes are numbered; the edges of all nodes lie in one open-addressing table keyed by (node, byte). That is built in
 * linear time whatever the keys are, takes 16 bytes per node at most, and a step costs one cache line. Keys hold no 0
 * byte, so that key 0 marks an empty place. */
typedef struct fn_trie_edge {
  uint32_t key;  /* node << 8 | byte; 0 = empty */
  uint32_t next; /* child, with FN_TRIE_FINAL when a key ends there */
} fn_trie_edge;

#define FN_TRIE_FINAL 0x80000000U
enum { FN_TRIE_MAX_NODES = 1 << 22 };

typedef struct fn_trie {
  fn_trie_edge *edges;
  int32_t *values; /* by node */
  size_t n_nodes, values_capacity;
  uint32_t shift;  /* 32 - log2 of the number of places */
  bool first[256]; /* bytes that keys begin with */
  uint16_t n_first;
  bool borrowed; /* edges and values belong to a mapped file; nothing can be added */
} fn_trie;

/* Empty: nothing is allocated, every search misses. Release with deinit. */
static inline void fn_trie_init(fn_trie *trie) {
  *trie = (fn_trie){0};
}
void fn_trie_deinit(fn_trie *trie);
/* value ≥ 0. When the key is there already, *found_out is its value and nothing changes; otherwise *found_out = -1.
 * FN_E_LIMIT: more than FN_TRIE_MAX_NODES nodes. The key is not empty and holds no 0 byte. */
FN_NODISCARD fn_status fn_trie_add(fn_trie *trie, int32_t *found_out, fn_str key, int32_t value, fn_err *err);

/* Child of a node (with FN_TRIE_FINAL), 0 = none. */
static inline uint32_t fn_trie_step(const fn_trie *trie, uint32_t node, unsigned char byte) {
  uint32_t key = node << 8 | byte;
  uint32_t mask = UINT32_MAX >> trie->shift;
  for (uint32_t at = (key * 0x9E3779B1U) >> trie->shift;; at = (at + 1) & mask) {
    const fn_trie_edge *edge = &trie->edges[at];
    if (edge->key == key) return edge->next;
    if (edge->key == 0) return 0;
  }
}

/* Node after walking key from the root; 0 when no key begins so (or key is empty). */
uint32_t fn_trie_walk(const fn_trie *trie, fn_str key);

/* First byte of text[from, length) that a key begins with; length when there is none. */
size_t fn_trie_find_first(const fn_trie *trie, const char *text, size_t from, size_t length);

/* Value of the longest key that text[0..length) begins with, walking from `node`; -1 when there is none. */
static inline int32_t fn_trie_longest(size_t *length_out, const fn_trie *trie, uint32_t node, const char *text,
                                      size_t length) {
  uint32_t final = 0;
  if (!trie->edges) return -1;
  for (size_t i = 0; i < length; i++) {
    uint32_t next = fn_trie_step(trie, node, (unsigned char)text[i]);
    if (next == 0) break;
    node = next & ~FN_TRIE_FINAL;
    if (next & FN_TRIE_FINAL) {
      final = node;
      *length_out = i + 1;
    }
  }
  return final ? trie->values[final] : -1;
}

#endif
