/* YAML text → a tree, for settings and for other files of this project. libyaml scans; here stand the bounds, the
 * error text of this project, and what settings do not need and therefore is refused: aliases, anchors, tags, keys that
 * are no plain text or stand twice, a second document. */
#ifndef FN_CONFIG_DOCUMENT_H
#define FN_CONFIG_DOCUMENT_H

#include "base/base.h"

enum { FN_YAML_MAX_DEPTH = 32, FN_YAML_MAX_KEYS = 1000 };

typedef enum fn_yaml_kind { FN_YAML_SCALAR, FN_YAML_LIST, FN_YAML_MAP } fn_yaml_kind;

typedef struct fn_yaml_node {
  fn_yaml_kind kind;
  bool quoted;                      /* a scalar in quotes or a block (| or >): text whatever it looks like */
  int line;                         /* where it begins, from 1 */
  fn_str text;                      /* of a scalar: valid UTF-8 without NUL, terminated; "" for "key:" */
  const struct fn_yaml_node *first; /* of a list: its first item; of a map: its first key. NULL: empty */
  const struct fn_yaml_node *next;  /* the next item or key; NULL: the last one */
  const struct fn_yaml_node *value; /* of a key: never NULL */
} fn_yaml_node;

/* name (a path) stands in errors: FN_E_INVALID "NAME:LINE:COLUMN: not valid YAML: …" or "NAME:LINE: …", FN_E_LIMIT
 * when text is longer than max_bytes, nested deeper than FN_YAML_MAX_DEPTH or has a map of more than FN_YAML_MAX_KEYS.
 * *root_out is NULL when the text holds nothing but comments and space. Nodes live in the arena (initialised by the
 * caller), after a failure what was read so far lies there too. */
FN_NODISCARD fn_status fn_yaml_parse(const fn_yaml_node **root_out, fn_arena *arena, fn_str text, size_t max_bytes,
                                     const char *name, fn_err *err);

#endif
