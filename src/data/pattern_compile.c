/* Patterns to state machines: recursive descent that emits code as it reads. x{m,n} reads its atom again for every
 * copy, so no tree is kept. */
#include "data/pattern_internal.h"

#include <stdlib.h>

enum { MAX_DEPTH = 32, MAX_WORK = 1 << 16, MAX_REPEAT = 1000, UNBOUNDED = -1, MAX_CODE_POINT = 0x10FFFF };

typedef struct compiler {
  fn_pattern *pattern;
  fn_str source;
  size_t at;
  int depth;
  int work; /* atoms read, copies counted: (((a{0}){9}){0}){9} … costs time that leaves no code behind */
  fn_err *err;
} compiler;

static fn_status refuse(const compiler *c, size_t at, const char *what) {
  return fn_err_set(c->err, FN_E_INVALID, "byte %zu of the pattern: %s", at + 1, what);
}

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
static bool more(const compiler *c) {
  return c->at < c->source.length;
}
static char peek(const compiler *c) {
  return more(c) ? c->source.data[c->at] : 0;
}

static fn_status add_range(compiler *c, uint32_t first, uint32_t last) {
  fn_pattern *p = c->pattern;
  FN_TRY(fn_mem_grow((void **)&p->ranges, &p->capacity_ranges, p->n_ranges + 1, sizeof *p->ranges, PATTERN_MAX_CODE,
                     "ranges of a pattern", c->err));
  p->ranges[p->n_ranges++] = (range){first, last};
  return FN_OK;
}

/* Letters of a range in the other case. */
static fn_status add_folded(compiler *c, uint32_t first, uint32_t last) {
  FN_TRY(add_range(c, first, last));
  if (!c->pattern->ignore_case) return FN_OK;
  for (uint32_t letter = first > 'A' ? first : 'A'; letter <= last && letter <= 'z'; letter++) {
    if (letter > 'Z' && letter < 'a') continue;
    FN_TRY(add_range(c, letter ^ 0x20, letter ^ 0x20));
  }
  return FN_OK;
}

static fn_status begin_class(compiler *c, bool negated) {
  fn_pattern *p = c->pattern;
  FN_TRY(fn_mem_grow((void **)&p->classes, &p->capacity_classes, p->n_classes + 1, sizeof *p->classes, PATTERN_MAX_CODE,
                     "classes of a pattern", c->err));
  p->classes[p->n_classes++] = (char_class){(uint32_t)p->n_ranges, (uint32_t)p->n_ranges, negated};
  return FN_OK;
}

static fn_status end_class(compiler *c) {
  fn_pattern *p = c->pattern;
  p->classes[p->n_classes - 1].end = (uint32_t)p->n_ranges;
  return emit(c, OP_CLASS, (uint32_t)p->n_classes - 1, 0);
}

/* The ranges of \s \d \w; false when letter names no class. White space as Unicode has it. */
static fn_status add_named(bool *known, compiler *c, char letter) {
  static const range space[] = {{9, 13},          {32, 32},         {0x85, 0x85},     {0xA0, 0xA0},
                                {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                {0x205F, 0x205F}, {0x3000, 0x3000}};
  static const range digit[] = {{'0', '9'}};
  static const range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  const range *ranges = letter == 's' ? space : letter == 'd' ? digit : letter == 'w' ? word : NULL;
  size_t n = letter == 's' ? FN_COUNT_OF(space) : letter == 'd' ? FN_COUNT_OF(digit) : FN_COUNT_OF(word);
  *known = ranges != NULL;
  for (size_t i = 0; ranges && i < n; i++) FN_TRY(add_range(c, ranges[i].first, ranges[i].last));
  return FN_OK;
}

static fn_status read_char(uint32_t *out, compiler *c) {
  size_t n = fn_utf8_decode(out, c->source.data + c->at, c->source.length - c->at);
  if (n == 0) return refuse(c, c->at, "not valid UTF-8");
  c->at += n;
  return FN_OK;
}

/* After a backslash: a punctuation mark, \n or \t. */
static fn_status read_escaped(uint32_t *out, compiler *c) {
  size_t at = c->at;
  char letter = peek(c);
  FN_TRY(more(c) ? read_char(out, c) : refuse(c, at, "a backslash at the end"));
  if (letter == 'n') *out = '\n';
  if (letter == 't') *out = '\t';
  bool alphanumeric = (*out >= '0' && *out <= '9') || (*out >= 'a' && *out <= 'z') || (*out >= 'A' && *out <= 'Z');
  if (alphanumeric) return refuse(c, at, "unknown escape; \\s \\S \\d \\D \\w \\W \\n \\t are accepted");
  return FN_OK;
}

static fn_status class_item(compiler *c) {
  uint32_t first, last;
  if (peek(c) == '\\') {
    c->at++;
    bool known;
    FN_TRY(add_named(&known, c, peek(c)));
    if (known) return c->at++, FN_OK;
    FN_TRY(read_escaped(&first, c));
  } else {
    FN_TRY(read_char(&first, c));
  }
  last = first;
  if (peek(c) == '-' && c->at + 1 < c->source.length && c->source.data[c->at + 1] != ']') {
    size_t at = c->at++;
    if (peek(c) == '\\') {
      c->at++;
      FN_TRY(read_escaped(&last, c));
    } else {
      FN_TRY(read_char(&last, c));
    }
    if (last < first) return refuse(c, at, "a range that ends before it begins");
  }
  return add_folded(c, first, last);
}

/* After '['. A ']' that comes first stands for itself. */
static fn_status read_class(compiler *c) {
  size_t at = c->at - 1;
  bool negated = peek(c) == '^';
  if (negated) c->at++;
  FN_TRY(begin_class(c, negated));
  bool first = true;
  while (more(c) && (peek(c) != ']' || first)) {
    FN_TRY(class_item(c));
    first = false;
  }
  if (!more(c)) return refuse(c, at, "a [ that is not closed");
  c->at++;
  return end_class(c);
}

static fn_status literal(compiler *c, uint32_t code_point) {
  bool letter = (code_point >= 'a' && code_point <= 'z') || (code_point >= 'A' && code_point <= 'Z');
  if (!c->pattern->ignore_case || !letter) return emit(c, OP_CHAR, code_point, 0);
  FN_TRY(begin_class(c, false));
  FN_TRY(add_folded(c, code_point, code_point));
  return end_class(c);
}

static fn_status alternatives(compiler *c);

static fn_status escape(compiler *c) {
  char letter = peek(c);
  bool negated = letter == 'S' || letter == 'D' || letter == 'W', known = false;
  if (negated || letter == 's' || letter == 'd' || letter == 'w') {
    FN_TRY(begin_class(c, negated));
    FN_TRY(add_named(&known, c, negated ? (char)(letter + 0x20) : letter));
    c->at++;
    return end_class(c);
  }
  uint32_t code_point;
  FN_TRY(read_escaped(&code_point, c));
  return literal(c, code_point);
}

static fn_status atom(compiler *c) {
  size_t at = c->at;
  uint32_t code_point;
  if (++c->work > MAX_WORK) return fn_err_set(c->err, FN_E_LIMIT, "the pattern's repetitions are too many");
  FN_TRY(read_char(&code_point, c));
  switch (code_point) {
  case '(':
    if (++c->depth > MAX_DEPTH) return refuse(c, at, "groups are nested too deeply");
    FN_TRY(alternatives(c));
    if (peek(c) != ')') return refuse(c, at, "a ( that is not closed");
    c->at++;
    c->depth--;
    return FN_OK;
  case '[': return read_class(c);
  case '.':
    FN_TRY(begin_class(c, true));
    FN_TRY(add_range(c, '\n', '\n'));
    return end_class(c);
  case '^': return emit(c, OP_BEGIN, 0, 0);
  case '$': return emit(c, OP_END, 0, 0);
  case '\\': return escape(c);
  case '?':
  case '*':
  case '+':
  case '{': return refuse(c, at, "a repetition of nothing (write \\ before the character itself)");
  default: return literal(c, code_point);
  }
}

static fn_status read_number(int *out, compiler *c) {
  size_t at = c->at;
  int value = 0;
  while (peek(c) >= '0' && peek(c) <= '9') {
    value = value * 10 + (peek(c) - '0');
    if (value > MAX_REPEAT) return refuse(c, at, "a repetition of more than 1000");
    c->at++;
  }
  if (c->at == at) return refuse(c, at, "a number is expected in {m,n}");
  *out = value;
  return FN_OK;
}

/* The repetition that stands at c->at, or {1,1}. */
static fn_status read_repetition(int *min, int *max, compiler *c) {
  *min = 1, *max = 1;
  size_t at = c->at;
  switch (peek(c)) {
  case '?': *min = 0; break;
  case '*': *min = 0, *max = UNBOUNDED; break;
  case '+': *max = UNBOUNDED; break;
  case '{':
    c->at++;
    FN_TRY(read_number(min, c));
    *max = *min;
    if (peek(c) == ',') {
      c->at++;
      *max = UNBOUNDED;
      if (peek(c) != '}') FN_TRY(read_number(max, c));
    }
    if (peek(c) != '}') return refuse(c, at, "a { that is not closed");
    if (*max != UNBOUNDED && *max < *min) return refuse(c, at, "a repetition {m,n} with n below m");
    break;
  default: return FN_OK;
  }
  c->at++;
  char next = peek(c);
  if (next == '?' || next == '*' || next == '+' || next == '{') return refuse(c, c->at, "a repetition of a repetition");
  return FN_OK;
}

/* Reads the atom at `at` once more and emits it again. */
static fn_status copy_atom(compiler *c, size_t at) {
  size_t resume = c->at;
  c->at = at;
  FN_TRY(atom(c));
  c->at = resume;
  return FN_OK;
}

/* An optional copy: split over it. With loop the copy leads back to the split. */
static fn_status optional_copy(compiler *c, size_t at, bool loop) {
  uint32_t split = here(c);
  FN_TRY(emit(c, OP_SPLIT, split + 1, 0));
  FN_TRY(copy_atom(c, at));
  if (loop) FN_TRY(emit(c, OP_JUMP, split, 0));
  c->pattern->code[split].y = here(c);
  return FN_OK;
}

static fn_status repeated(compiler *c) {
  size_t at = c->at;
  uint32_t begin = here(c);
  size_t n_classes = c->pattern->n_classes, n_ranges = c->pattern->n_ranges;
  int min, max;
  FN_TRY(atom(c));
  FN_TRY(read_repetition(&min, &max, c));
  if (min == 1 && max == 1) return FN_OK;
  c->pattern->n_code = begin; /* emitted anew, as often as is asked for */
  c->pattern->n_classes = n_classes;
  c->pattern->n_ranges = n_ranges;
  for (int i = 0; i < min; i++) FN_TRY(copy_atom(c, at));
  for (int i = min; i < max; i++) FN_TRY(optional_copy(c, at, false));
  return max == UNBOUNDED ? optional_copy(c, at, true) : FN_OK;
}

static fn_status alternatives(compiler *c) {
  uint32_t split = here(c);
  size_t at = c->at;
  /* One split in front of every alternative; reading all before knowing whether there is a '|' costs one jump. */
  FN_TRY(emit(c, OP_SPLIT, split + 1, 0));
  while (more(c) && peek(c) != '|' && peek(c) != ')') FN_TRY(repeated(c));
  if (c->at == at && peek(c) != '|') return refuse(c, at, "an empty group or pattern");
  if (peek(c) != '|') {
    c->pattern->code[split] = (instruction){OP_JUMP, split + 1, 0};
    return FN_OK;
  }
  uint32_t jump = here(c);
  FN_TRY(emit(c, OP_JUMP, 0, 0));
  c->pattern->code[split].y = here(c);
  c->at++;
  FN_TRY(more(c) && peek(c) != ')' ? alternatives(c) : FN_OK);
  c->pattern->code[jump].x = here(c);
  return FN_OK;
}

/* What can be reached from the start without reading a character: tells the first bytes and whether ^ must hold. */
typedef struct look {
  fn_pattern *pattern;
  uint8_t *seen;
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

/* Depth is bounded by the number of states. The stack holds at most one entry per state and is part of `seen`. */
static void explore(look *l, uint32_t *stack) {
  fn_pattern *p = l->pattern;
  size_t n = 0;
  /* begun: a ^ was passed on the way. Two rounds, so that a state reached both ways counts as unanchored. */
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
  return FN_OK;
}

fn_status fn_pattern_create(fn_pattern **pattern_out, fn_str source, bool ignore_case, fn_err *err) {
  fn_pattern *p = fn_mem_calloc(1, sizeof *p);
  if (!p) return fn_err_no_memory(err, "a pattern");
  p->ignore_case = ignore_case;
  compiler c = {.pattern = p, .source = source, .err = err};
  fn_status status = alternatives(&c);
  if (status == FN_OK && c.at < source.length) status = refuse(&c, c.at, "a ) without a (");
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
  free(p->code);
  free(p->classes);
  free(p->ranges);
  free(p);
}
