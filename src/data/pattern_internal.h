/* The compiled form of a pattern, shared by compiler and matcher. */
#ifndef FN_DATA_PATTERN_INTERNAL_H
#define FN_DATA_PATTERN_INTERNAL_H

#include "data/pattern.h"

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

typedef struct range {
  uint32_t first, last;
} range;

/* Characters in any of ranges[begin, end), or in none when negated. */
typedef struct char_class {
  uint32_t begin, end;
  bool negated;
} char_class;

struct fn_pattern {
  instruction *code;
  char_class *classes;
  range *ranges;
  size_t n_code, n_classes, n_ranges;
  size_t capacity_code, capacity_classes, capacity_ranges;
  bool ignore_case;
  bool anchored;      /* every match begins at offset 0 */
  uint8_t first[256]; /* bytes with which a match can begin */
};

enum { PATTERN_MAX_CODE = 8192 };

bool fn_pattern_class_holds(const fn_pattern *pattern, uint32_t index, uint32_t code_point);

#endif
