/* Trees to states, and what can be told about every match beforehand. */
#include "data/pattern_internal.h"

#include <stdlib.h>

enum { MAX_WORK = 1 << 16, MAX_CODE_POINT = 0x10FFFF };

typedef struct compiler {
  fn_pattern *pattern;
  int work; /* nodes visited, copies counted: ((a{0}){9}){9} … costs time that leaves no code behind */
  fn_err *err;
} compiler;

static fn_status emit(compiler *c, opcode op, uint32_t x, uint32_t y) {
  fn_pattern *p = c->pattern;
  FN_TRY(fn_mem_grow((void **)&p->code, &p->capacity_code, p->n_code + 1, sizeof *p->code, PATTERN_MAX_CODE,
                     "states of a pattern", c->err));
  p->code[p->n_code++] = (instruction){op, x, y};
  return FN_OK;
}

static uint32_t here(const compiler *c) {
  return (uint32_t)c->pattern->n_code;
}

static fn_status compile(compiler *c, uint32_t index);

/* A letter in both cases is two states: no class is made for it. */
static fn_status compile_char(compiler *c, uint32_t code_point) {
  if (!c->pattern->ignore_case || code_point < 'a' || code_point > 'z') return emit(c, OP_CHAR, code_point, 0);
  uint32_t at = here(c);
  FN_TRY(emit(c, OP_SPLIT, at + 1, at + 3));
  FN_TRY(emit(c, OP_CHAR, code_point, 0));
  FN_TRY(emit(c, OP_JUMP, at + 4, 0));
  return emit(c, OP_CHAR, code_point - 0x20, 0);
}

static fn_status compile_either(compiler *c, uint32_t first) {
  node *nodes = c->pattern->nodes;
  uint32_t jumps = UINT32_MAX; /* chain of the jumps to the end, through their x */
  for (uint32_t child = first; child; child = nodes[child].next) {
    bool last = nodes[child].next == 0;
    uint32_t split = here(c);
    if (!last) FN_TRY(emit(c, OP_SPLIT, split + 1, 0));
    FN_TRY(compile(c, child));
    if (last) break;
    uint32_t jump = here(c);
    FN_TRY(emit(c, OP_JUMP, jumps, 0));
    jumps = jump;
    c->pattern->code[split].y = here(c);
  }
  while (jumps != UINT32_MAX) {
    uint32_t next = c->pattern->code[jumps].x;
    c->pattern->code[jumps].x = here(c);
    jumps = next;
  }
  return FN_OK;
}

/* x{m,n}: m copies, then n-m nested optional ones that all leave to the same end; x{m,}: m copies, then a loop. */
static fn_status compile_repeat(compiler *c, const node *n) {
  uint32_t child = n->first;
  int min = n->min, max = n->max;
  for (int i = 0; i < min; i++) FN_TRY(compile(c, child));
  uint32_t splits = UINT32_MAX; /* chain through their y */
  for (int i = min; i < max; i++) {
    uint32_t split = here(c);
    FN_TRY(emit(c, OP_SPLIT, split + 1, splits));
    splits = split;
    FN_TRY(compile(c, child));
  }
  if (max == PATTERN_UNBOUNDED) {
    uint32_t split = here(c);
    FN_TRY(emit(c, OP_SPLIT, split + 1, splits));
    splits = split;
    FN_TRY(compile(c, child));
    FN_TRY(emit(c, OP_JUMP, split, 0));
  }
  while (splits != UINT32_MAX) {
    uint32_t next = c->pattern->code[splits].y;
    c->pattern->code[splits].y = here(c);
    splits = next;
  }
  return FN_OK;
}

static fn_status compile(compiler *c, uint32_t index) {
  const node *n = &c->pattern->nodes[index];
  if (++c->work > MAX_WORK) return fn_err_set(c->err, FN_E_LIMIT, "the pattern's repetitions are too many");
  switch (n->kind) {
  case NODE_CHAR: return compile_char(c, n->value);
  case NODE_CLASS: return emit(c, OP_CLASS, n->value, 0);
  case NODE_BEGIN: return emit(c, OP_BEGIN, 0, 0);
  case NODE_END: return emit(c, OP_END, 0, 0);
  case NODE_REPEAT: return compile_repeat(c, n);
  case NODE_EITHER: return compile_either(c, n->first);
  case NODE_SEQUENCE:
    for (uint32_t child = n->first; child; child = c->pattern->nodes[child].next) FN_TRY(compile(c, child));
    return FN_OK;
  }
  return FN_OK;
}

/* Most characters that a node can match; SIZE_MAX: no bound. */
static size_t longest(const fn_pattern *p, uint32_t index) {
  const node *n = &p->nodes[index];
  size_t sum = 0, most = 0;
  if (n->kind == NODE_CHAR || n->kind == NODE_CLASS) return 1;
  if (n->kind == NODE_BEGIN || n->kind == NODE_END) return 0;
  for (uint32_t child = n->first; child; child = p->nodes[child].next) {
    size_t length = longest(p, child);
    if (length > most) most = length;
    if (!fn_size_add(&sum, sum, length)) sum = SIZE_MAX;
  }
  if (n->kind == NODE_SEQUENCE) return sum;
  if (n->kind == NODE_EITHER) return most;
  if (most == 0 || n->max == 0) return 0;
  if (n->max == PATTERN_UNBOUNDED || !fn_size_mul(&sum, most, (size_t)n->max)) return SIZE_MAX;
  return sum;
}

/* Whether every match of the node ends at the end of the text. */
static bool ends_text(const fn_pattern *p, uint32_t index) {
  const node *n = &p->nodes[index];
  if (n->kind == NODE_END) return true;
  if (n->kind == NODE_SEQUENCE) {
    uint32_t last = n->first;
    while (last && p->nodes[last].next) last = p->nodes[last].next;
    return last && ends_text(p, last);
  }
  if (n->kind != NODE_EITHER) return false;
  for (uint32_t child = n->first; child; child = p->nodes[child].next)
    if (!ends_text(p, child)) return false;
  return true;
}

static size_t shortest_of(const literal_set *set) {
  size_t least = set->n ? SIZE_MAX : 0;
  for (size_t i = 0; i < set->n; i++)
    if (set->lengths[i] < least) least = set->lengths[i];
  return least;
}

static void prefer(literal_set *best, const literal_set *other) {
  if (shortest_of(other) > shortest_of(best)) *best = *other;
}

static void required(literal_set *out, const fn_pattern *p, uint32_t index);

/* Runs of characters, and what the other children ask for. */
static void required_of_sequence(literal_set *out, const fn_pattern *p, uint32_t first) {
  literal_set run = {.n = 1}, other;
  for (uint32_t child = first; child; child = p->nodes[child].next) {
    char bytes[4];
    bool plain = p->nodes[child].kind == NODE_CHAR;
    size_t n = plain ? fn_utf8_encode(bytes, p->nodes[child].value) : 0;
    if (plain && run.lengths[0] + n <= PATTERN_LITERAL_BYTES) {
      memcpy(run.texts[0] + run.lengths[0], bytes, n);
      run.lengths[0] += n;
      continue;
    }
    prefer(out, &run);
    run.lengths[0] = 0;
    if (plain) continue; /* the run was cut at its limit: what follows is not needed */
    required(&other, p, child);
    prefer(out, &other);
  }
  prefer(out, &run);
}

static void required(literal_set *out, const fn_pattern *p, uint32_t index) {
  const node *n = &p->nodes[index];
  out->n = 0;
  if (n->kind == NODE_SEQUENCE) required_of_sequence(out, p, n->first);
  if (n->kind == NODE_REPEAT && n->min > 0) {
    if (p->nodes[n->first].kind != NODE_CHAR) {
      required(out, p, n->first);
      return;
    }
    out->n = 1;
    out->lengths[0] = fn_utf8_encode(out->texts[0], p->nodes[n->first].value);
  }
  if (n->kind != NODE_EITHER) return;
  for (uint32_t child = n->first; child; child = p->nodes[child].next) {
    literal_set one;
    required(&one, p, child);
    if (one.n == 0 || out->n + one.n > PATTERN_LITERALS) {
      out->n = 0;
      return;
    }
    for (size_t i = 0; i < one.n; i++) {
      out->lengths[out->n] = one.lengths[i];
      memcpy(out->texts[out->n++], one.texts[i], one.lengths[i]);
    }
  }
}

/* What can be reached from the start without reading a character: tells the first bytes and whether ^ must hold. */
typedef struct look {
  fn_pattern *pattern;
  uint8_t *seen; /* [2 * states] by state and by whether a ^ was passed on the way */
  bool unanchored, empty;
} look;

static void add_first(fn_pattern *p, uint32_t first, uint32_t last) {
  char bytes[4];
  for (uint32_t c = first; c <= last && c < 0x80; c++) p->first[c] = 1;
  if (last < 0x80) return;
  fn_utf8_encode(bytes, first < 0x80 ? 0x80 : first);
  unsigned low = (unsigned char)bytes[0];
  fn_utf8_encode(bytes, last);
  for (unsigned b = low; b <= (unsigned char)bytes[0]; b++) p->first[b] = 1;
}

static void add_first_of_class(fn_pattern *p, uint32_t index) {
  const char_class *k = &p->classes[index];
  if (!k->negated) {
    for (uint32_t r = k->begin; r < k->end; r++) add_first(p, p->ranges[r].first, p->ranges[r].last);
    return;
  }
  for (uint32_t c = 0; c < 0x80; c++)
    if (fn_pattern_class_holds(p, index, c)) p->first[c] = 1;
  add_first(p, 0x80, MAX_CODE_POINT);
}

/* Every (state, ^ passed) is expanded once and adds at most two entries: the stack holds 4 entries per state. */
static void explore(look *l, uint32_t *stack) {
  fn_pattern *p = l->pattern;
  size_t n = 0;
  stack[n++] = 0;
  while (n) {
    uint32_t entry = stack[--n], state = entry >> 1, begun = entry & 1;
    if (l->seen[entry]) continue;
    l->seen[entry] = 1;
    const instruction *i = &p->code[state];
    switch (i->op) {
    case OP_JUMP: stack[n++] = i->x << 1 | begun; break;
    case OP_SPLIT:
      stack[n++] = i->x << 1 | begun;
      stack[n++] = i->y << 1 | begun;
      break;
    case OP_BEGIN: stack[n++] = (state + 1) << 1 | 1; break;
    case OP_END: stack[n++] = (state + 1) << 1 | begun; break;
    case OP_MATCH: l->empty = true; break;
    case OP_CHAR:
      add_first(p, i->x, i->x);
      l->unanchored |= !begun;
      break;
    case OP_CLASS:
      add_first_of_class(p, i->x);
      l->unanchored |= !begun;
      break;
    }
  }
}

static fn_status analyse(fn_pattern *p, fn_err *err) {
  FN_AUTO_FREE uint8_t *seen = fn_mem_calloc(p->n_code * 2, 1);
  FN_AUTO_FREE uint32_t *stack = fn_mem_calloc(p->n_code * 4 + 4, sizeof *stack);
  if (!seen || !stack) return fn_err_no_memory(err, "a pattern");
  look l = {.pattern = p, .seen = seen};
  explore(&l, stack);
  if (l.empty) return fn_err_set(err, FN_E_INVALID, "the pattern matches the empty text");
  p->anchored = !l.unanchored;
  size_t characters = longest(p, 0);
  p->ends_text = ends_text(p, 0);
  if (!fn_size_mul(&p->most_bytes, characters, 4)) p->most_bytes = SIZE_MAX;
  required(&p->literals, p, 0);
  return FN_OK;
}

fn_status fn_pattern_create(fn_pattern **pattern_out, fn_str source, bool ignore_case, fn_err *err) {
  fn_pattern *p = fn_mem_calloc(1, sizeof *p);
  if (!p) return fn_err_no_memory(err, "a pattern");
  p->ignore_case = ignore_case;
  compiler c = {.pattern = p, .err = err};
  fn_status status = fn_pattern_parse(p, source, err);
  if (status == FN_OK) status = compile(&c, 0);
  if (status == FN_OK) status = emit(&c, OP_MATCH, 0, 0);
  if (status == FN_OK) status = analyse(p, err);
  if (status != FN_OK) {
    fn_pattern_destroy(p);
    return status;
  }
  *pattern_out = p;
  return FN_OK;
}

void fn_pattern_destroy(fn_pattern *p) {
  if (!p) return;
  free(p->nodes);
  free(p->code);
  free(p->classes);
  free(p->ranges);
  free(p);
}
