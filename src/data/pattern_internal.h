/* The forms of a pattern: source → tree (pattern_parse.c) → states (pattern_compile.c) → matches (pattern.c, and
 * pattern_literal.c for where they can be at all). */
#ifndef FN_DATA_PATTERN_INTERNAL_H
#define FN_DATA_PATTERN_INTERNAL_H

#include "data/pattern.h"

enum {
  PATTERN_MAX_CODE = 8192,
  PATTERN_MAX_DEPTH = 32,
  PATTERN_MAX_REPEAT = 1000,
  PATTERN_UNBOUNDED = -1,
  PATTERN_LITERALS = 32,
  PATTERN_LITERAL_BYTES = 24,
};

typedef enum node_kind {
  NODE_CHAR,     /* code point `value` (a lower-case letter stands for both cases when case is ignored) */
  NODE_CLASS,    /* class number `value` */
  NODE_BEGIN,    /* ^ */
  NODE_END,      /* $ */
  NODE_SEQUENCE, /* children one after the other; none: the empty text */
  NODE_EITHER,   /* one of the children */
  NODE_REPEAT,   /* the only child, min to max times */
} node_kind;

/* Children are a list: first, then each one's next; 0 ends it (node 0 is the root and nobody's child). */
typedef struct node {
  node_kind kind;
  uint32_t value, first, next;
  int min, max;
} node;

typedef struct range {
  uint32_t first, last;
} range;

/* Characters in any of ranges[begin, end), or in none when negated. */
typedef struct char_class {
  uint32_t begin, end;
  bool negated;
} char_class;

typedef enum opcode {
  OP_CHAR,  /* one character equal to x */
  OP_CLASS, /* one character in class x */
  OP_SPLIT, /* go on at x and at y */
  OP_JUMP,  /* go on at x */
  OP_BEGIN, /* only at the begin of the text */
  OP_END,   /* only at its end */
  OP_MATCH,
} opcode;

typedef struct instruction {
  opcode op;
  uint32_t x, y;
} instruction;

/* Texts of which every match holds at least one; n = 0: nothing is known. Lower-case when case is ignored. */
typedef struct literal_set {
  size_t n;
  size_t lengths[PATTERN_LITERALS];
  char texts[PATTERN_LITERALS][PATTERN_LITERAL_BYTES];
} literal_set;

struct fn_pattern {
  node *nodes;
  instruction *code;
  char_class *classes;
  range *ranges;
  size_t n_nodes, n_code, n_classes, n_ranges;
  size_t capacity_nodes, capacity_code, capacity_classes, capacity_ranges;
  bool ignore_case;
  /* What spares most texts the simulation: */
  bool anchored;      /* every match begins at offset 0 */
  bool ends_text;     /* every match ends with the text */
  size_t most_bytes;  /* no match is longer; SIZE_MAX: no bound */
  uint8_t first[256]; /* bytes with which a match can begin */
  literal_set literals;
};

/* Fills nodes, classes and ranges. */
FN_NODISCARD fn_status fn_pattern_parse(fn_pattern *pattern, fn_str source, fn_err *err);
bool fn_pattern_class_holds(const fn_pattern *pattern, uint32_t index, uint32_t code_point);
/* Offset of literal i at or behind `at`; SIZE_MAX when there is none. */
size_t fn_pattern_find_literal(const fn_pattern *pattern, fn_str text, size_t i, size_t at);

#endif
