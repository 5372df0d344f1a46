/* Patterns to trees, by recursive descent. */
#include "data/pattern_internal.h"

typedef struct parser {
  fn_pattern *pattern;
  fn_str source;
  size_t at;
  int depth;
  fn_err *err;
} parser;

static fn_status refuse(const parser *p, size_t at, const char *what) {
  return fn_err_set(p->err, FN_E_INVALID, "byte %zu of the pattern: %s", at + 1, what);
}

static bool more(const parser *p) {
  return p->at < p->source.length;
}
static char peek(const parser *p) {
  return more(p) ? p->source.data[p->at] : 0;
}

static fn_status add_node(uint32_t *out, parser *p, node_kind kind, uint32_t value) {
  fn_pattern *t = p->pattern;
  FN_TRY(fn_mem_grow((void **)&t->nodes, &t->capacity_nodes, t->n_nodes + 1, sizeof *t->nodes, PATTERN_MAX_CODE,
                     "parts of a pattern", p->err));
  *out = (uint32_t)t->n_nodes;
  t->nodes[t->n_nodes++] = (node){.kind = kind, .value = value, .min = 1, .max = 1};
  return FN_OK;
}

static fn_status add_range(parser *p, uint32_t first, uint32_t last) {
  fn_pattern *t = p->pattern;
  FN_TRY(fn_mem_grow((void **)&t->ranges, &t->capacity_ranges, t->n_ranges + 1, sizeof *t->ranges, PATTERN_MAX_CODE,
                     "ranges of a pattern", p->err));
  t->ranges[t->n_ranges++] = (range){first, last};
  return FN_OK;
}

/* A range and, when case is ignored, its letters in the other case. */
static fn_status add_folded(parser *p, uint32_t first, uint32_t last) {
  FN_TRY(add_range(p, first, last));
  if (!p->pattern->ignore_case) return FN_OK;
  for (uint32_t letter = first > 'A' ? first : 'A'; letter <= last && letter <= 'z'; letter++) {
    if (letter > 'Z' && letter < 'a') continue;
    FN_TRY(add_range(p, letter ^ 0x20, letter ^ 0x20));
  }
  return FN_OK;
}

static fn_status begin_class(parser *p, bool negated) {
  fn_pattern *t = p->pattern;
  FN_TRY(fn_mem_grow((void **)&t->classes, &t->capacity_classes, t->n_classes + 1, sizeof *t->classes, PATTERN_MAX_CODE,
                     "classes of a pattern", p->err));
  t->classes[t->n_classes++] = (char_class){(uint32_t)t->n_ranges, (uint32_t)t->n_ranges, negated};
  return FN_OK;
}

static fn_status end_class(uint32_t *out, parser *p) {
  fn_pattern *t = p->pattern;
  t->classes[t->n_classes - 1].end = (uint32_t)t->n_ranges;
  return add_node(out, p, NODE_CLASS, (uint32_t)t->n_classes - 1);
}

/* The ranges of \s \d \w; *known is false when letter names no class. White space as Unicode has it. */
static fn_status add_named(bool *known, parser *p, char letter) {
  static const range space[] = {{9, 13},          {32, 32},         {0x85, 0x85},     {0xA0, 0xA0},
                                {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                {0x205F, 0x205F}, {0x3000, 0x3000}};
  static const range digit[] = {{'0', '9'}};
  static const range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  const range *ranges = letter == 's' ? space : letter == 'd' ? digit : letter == 'w' ? word : NULL;
  size_t n = letter == 's' ? FN_COUNT_OF(space) : letter == 'd' ? FN_COUNT_OF(digit) : FN_COUNT_OF(word);
  *known = ranges != NULL;
  for (size_t i = 0; ranges && i < n; i++) FN_TRY(add_range(p, ranges[i].first, ranges[i].last));
  return FN_OK;
}

static fn_status read_char(uint32_t *out, parser *p) {
  size_t n = fn_utf8_decode(out, p->source.data + p->at, p->source.length - p->at);
  if (n == 0) return refuse(p, p->at, "not valid UTF-8");
  p->at += n;
  return FN_OK;
}

/* After a backslash: a punctuation mark, \n or \t. */
static fn_status read_escaped(uint32_t *out, parser *p) {
  size_t at = p->at;
  if (!more(p)) return refuse(p, at, "a backslash at the end");
  FN_TRY(read_char(out, p));
  uint32_t c = *out;
  if (c == 'n') return *out = '\n', FN_OK;
  if (c == 't') return *out = '\t', FN_OK;
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
    return refuse(p, at, "unknown escape; \\s \\d \\w \\n \\t are accepted, and \\S \\D \\W outside of [ ]");
  return FN_OK;
}

static fn_status class_item(parser *p) {
  uint32_t first, last;
  if (peek(p) == '\\') {
    p->at++;
    bool known;
    FN_TRY(add_named(&known, p, peek(p)));
    if (known) return p->at++, FN_OK;
    FN_TRY(read_escaped(&first, p));
  } else {
    FN_TRY(read_char(&first, p));
  }
  last = first;
  if (peek(p) == '-' && p->at + 1 < p->source.length && p->source.data[p->at + 1] != ']') {
    size_t at = p->at++;
    if (peek(p) == '\\') {
      p->at++;
      FN_TRY(read_escaped(&last, p));
    } else {
      FN_TRY(read_char(&last, p));
    }
    if (last < first) return refuse(p, at, "a range that ends before it begins");
  }
  return add_folded(p, first, last);
}

/* After '['. A ']' that comes first stands for itself. */
static fn_status read_class(uint32_t *out, parser *p) {
  size_t at = p->at - 1;
  bool negated = peek(p) == '^';
  if (negated) p->at++;
  FN_TRY(begin_class(p, negated));
  bool first = true;
  while (more(p) && (peek(p) != ']' || first)) {
    FN_TRY(class_item(p));
    first = false;
  }
  if (!more(p)) return refuse(p, at, "a [ that is not closed");
  p->at++;
  return end_class(out, p);
}

static fn_status literal(uint32_t *out, parser *p, uint32_t code_point) {
  if (p->pattern->ignore_case && code_point >= 'A' && code_point <= 'Z') code_point += 0x20;
  return add_node(out, p, NODE_CHAR, code_point);
}

static fn_status escape(uint32_t *out, parser *p) {
  char letter = peek(p);
  bool negated = letter == 'S' || letter == 'D' || letter == 'W', known = false;
  if (negated || letter == 's' || letter == 'd' || letter == 'w') {
    FN_TRY(begin_class(p, negated));
    FN_TRY(add_named(&known, p, negated ? (char)(letter + 0x20) : letter));
    p->at++;
    return end_class(out, p);
  }
  uint32_t code_point;
  FN_TRY(read_escaped(&code_point, p));
  return literal(out, p, code_point);
}

static fn_status either(uint32_t *out, parser *p);

static fn_status group(uint32_t *out, parser *p, size_t at) {
  if (++p->depth > PATTERN_MAX_DEPTH) return refuse(p, at, "groups are nested too deeply");
  FN_TRY(either(out, p));
  if (peek(p) != ')') return refuse(p, at, "a ( that is not closed");
  p->at++;
  p->depth--;
  return FN_OK;
}

static fn_status atom(uint32_t *out, parser *p) {
  size_t at = p->at;
  uint32_t code_point;
  FN_TRY(read_char(&code_point, p));
  switch (code_point) {
  case '(': return group(out, p, at);
  case '[': return read_class(out, p);
  case '.':
    FN_TRY(begin_class(p, true));
    FN_TRY(add_range(p, '\n', '\n'));
    return end_class(out, p);
  case '^': return add_node(out, p, NODE_BEGIN, 0);
  case '$': return add_node(out, p, NODE_END, 0);
  case '\\': return escape(out, p);
  case '?':
  case '*':
  case '+':
  case '{': return refuse(p, at, "a repetition of nothing (write \\ before the character itself)");
  default: return literal(out, p, code_point);
  }
}

static fn_status read_number(int *out, parser *p) {
  size_t at = p->at;
  int value = 0;
  while (peek(p) >= '0' && peek(p) <= '9') {
    value = value * 10 + (peek(p) - '0');
    if (value > PATTERN_MAX_REPEAT) return refuse(p, at, "a repetition of more than 1000");
    p->at++;
  }
  if (p->at == at) return refuse(p, at, "a number is expected in {m,n}");
  *out = value;
  return FN_OK;
}

/* The repetition that stands at p->at, or {1,1}. */
static fn_status read_repetition(int *min, int *max, parser *p) {
  *min = 1, *max = 1;
  size_t at = p->at;
  switch (peek(p)) {
  case '?': *min = 0; break;
  case '*': *min = 0, *max = PATTERN_UNBOUNDED; break;
  case '+': *max = PATTERN_UNBOUNDED; break;
  case '{':
    p->at++;
    FN_TRY(read_number(min, p));
    *max = *min;
    if (peek(p) == ',') {
      p->at++;
      *max = PATTERN_UNBOUNDED;
      if (peek(p) != '}') FN_TRY(read_number(max, p));
    }
    if (peek(p) != '}') return refuse(p, at, "a { that is not closed");
    if (*max != PATTERN_UNBOUNDED && *max < *min) return refuse(p, at, "a repetition {m,n} with n below m");
    break;
  default: return FN_OK;
  }
  p->at++;
  char next = peek(p);
  if (next == '?' || next == '*' || next == '+' || next == '{') return refuse(p, p->at, "a repetition of a repetition");
  return FN_OK;
}

static fn_status repeated(uint32_t *out, parser *p) {
  int min, max;
  uint32_t child;
  FN_TRY(atom(&child, p));
  FN_TRY(read_repetition(&min, &max, p));
  *out = child;
  if (min == 1 && max == 1) return FN_OK;
  FN_TRY(add_node(out, p, NODE_REPEAT, 0));
  p->pattern->nodes[*out].first = child;
  p->pattern->nodes[*out].min = min;
  p->pattern->nodes[*out].max = max;
  return FN_OK;
}

/* Hangs child behind the last one. */
static void link_child(fn_pattern *t, uint32_t parent, uint32_t *last, uint32_t child) {
  if (*last)
    t->nodes[*last].next = child;
  else
    t->nodes[parent].first = child;
  *last = child;
}

static fn_status sequence(uint32_t *out, parser *p) {
  uint32_t last = 0, child;
  FN_TRY(add_node(out, p, NODE_SEQUENCE, 0));
  while (more(p) && peek(p) != '|' && peek(p) != ')') {
    FN_TRY(repeated(&child, p));
    link_child(p->pattern, *out, &last, child);
  }
  return FN_OK;
}

/* Alternatives up to the end or a ')'. */
static fn_status either(uint32_t *out, parser *p) {
  uint32_t last = 0, child;
  size_t at = p->at;
  FN_TRY(add_node(out, p, NODE_EITHER, 0));
  for (;;) {
    FN_TRY(sequence(&child, p));
    link_child(p->pattern, *out, &last, child);
    if (peek(p) != '|') break;
    p->at++;
  }
  return p->at == at ? refuse(p, at, "an empty group or pattern") : FN_OK;
}

fn_status fn_pattern_parse(fn_pattern *pattern, fn_str source, fn_err *err) {
  parser p = {.pattern = pattern, .source = source, .err = err};
  uint32_t root;
  FN_TRY(either(&root, &p));
  return more(&p) ? refuse(&p, p.at, "a ) without a (") : FN_OK;
}
