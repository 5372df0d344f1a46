/* Matching: all states that can be reached are advanced together, one character at a time. */
#include "data/pattern_internal.h"

#include <stdlib.h>

bool fn_pattern_class_holds(const fn_pattern *p, uint32_t index, uint32_t code_point) {
  const char_class *k = &p->classes[index];
  for (uint32_t r = k->begin; r < k->end; r++)
    if (code_point >= p->ranges[r].first && code_point <= p->ranges[r].last) return !k->negated;
  return k->negated;
}

void fn_matcher_deinit(fn_matcher *matcher) {
  free(matcher->memory);
  *matcher = (fn_matcher){0};
}

/* A set of states, each with the offset at which its match begins; in order of these offsets, because a state is only
 * kept for the first (leftmost) begin that reaches it. Membership by the sparse set of Briggs and Torczon (1993). */
typedef struct states {
  uint32_t *dense, *sparse, *begin;
  uint32_t n;
} states;

typedef struct search {
  const fn_pattern *pattern;
  fn_str text;
  states now, next;
  uint32_t *stack;
  bool found;
  uint32_t best_begin, best_end;
} search;

static bool holds(const states *set, uint32_t state) {
  return set->sparse[state] < set->n && set->dense[set->sparse[state]] == state;
}

/* Adds a state and all that is reached from it without reading. The stack never holds more than 2 entries per state. */
static void add(search *s, states *set, uint32_t state, uint32_t begin, size_t at) {
  uint32_t n = 0;
  s->stack[n++] = state;
  while (n) {
    uint32_t i = s->stack[--n];
    if (holds(set, i)) continue;
    set->sparse[i] = set->n;
    set->dense[set->n] = i;
    set->begin[set->n++] = begin;
    const instruction *code = &s->pattern->code[i];
    if (code->op == OP_JUMP) s->stack[n++] = code->x;
    if (code->op == OP_SPLIT) {
      s->stack[n++] = code->y;
      s->stack[n++] = code->x;
    }
    if ((code->op == OP_BEGIN && at == 0) || (code->op == OP_END && at == s->text.length)) s->stack[n++] = i + 1;
  }
}

/* Looks for a match that ends at `at` among the states there. Begins later than the best one are given up. */
static void settle(search *s, size_t at) {
  for (uint32_t t = 0; t < s->now.n; t++) {
    if (s->found && s->now.begin[t] > s->best_begin) {
      s->now.n = t;
      return;
    }
    if (s->pattern->code[s->now.dense[t]].op != OP_MATCH) continue;
    s->found = true;
    s->best_begin = s->now.begin[t];
    s->best_end = (uint32_t)at;
  }
}

static void advance(search *s, uint32_t code_point, size_t after) {
  s->next.n = 0;
  for (uint32_t t = 0; t < s->now.n; t++) {
    uint32_t i = s->now.dense[t];
    const instruction *code = &s->pattern->code[i];
    bool taken = code->op == OP_CHAR ? code->x == code_point
                                     : code->op == OP_CLASS && fn_pattern_class_holds(s->pattern, code->x, code_point);
    if (taken) add(s, &s->next, i + 1, s->now.begin[t], after);
  }
  states swap = s->now;
  s->now = s->next;
  s->next = swap;
}

static void run(search *s, size_t from) {
  const fn_pattern *p = s->pattern;
  if (p->anchored && from > 0) return;
  for (size_t at = from;;) {
    if (s->now.n == 0) {
      if (s->found || (p->anchored && at > 0)) return;
      while (at < s->text.length && !p->first[(unsigned char)s->text.data[at]]) at++;
      if (p->anchored && at > 0) return;
    }
    bool may_begin = !s->found && (!p->anchored || at == 0) && at < s->text.length;
    if (may_begin && p->first[(unsigned char)s->text.data[at]]) add(s, &s->now, 0, (uint32_t)at, at);
    settle(s, at);
    if (at >= s->text.length) return;
    uint32_t code_point = 0;
    size_t n = fn_utf8_decode(&code_point, s->text.data + at, s->text.length - at);
    if (n == 0) n = 1, code_point = 0xFFFD; /* texts are valid UTF-8; anything else must still end */
    at += n;
    advance(s, code_point, at);
  }
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 0x20) : c;
}

static bool same(const char *a, const char *b, size_t n, bool ignore_case) {
  if (!ignore_case) return memcmp(a, b, n) == 0;
  for (size_t i = 0; i < n; i++)
    if (lower(a[i]) != b[i]) return false;
  return true;
}

/* Whether text holds a literal that begins with the byte `first`. */
static bool holds_from(fn_str text, const char *literal, size_t n, char first, bool ignore_case) {
  size_t at = 0;
  while (text.length - at >= n) {
    const char *p = memchr(text.data + at, first, text.length - at - n + 1);
    if (!p) return false;
    if (same(p, literal, n, ignore_case)) return true;
    at = (size_t)(p - text.data) + 1;
  }
  return false;
}

/* False only when no match is possible: every match holds one of the literals. */
static bool may_match(const fn_pattern *p, fn_str text) {
  if (p->anchored || p->literals.n == 0) return true; /* an anchored one is over soon anyway */
  for (size_t i = 0; i < p->literals.n; i++) {
    const char *literal = p->literals.texts[i];
    size_t n = p->literals.lengths[i];
    char first = literal[0];
    if (holds_from(text, literal, n, first, p->ignore_case)) return true;
    bool letter = p->ignore_case && first >= 'a' && first <= 'z';
    if (letter && holds_from(text, literal, n, (char)(first - 0x20), true)) return true;
  }
  return false;
}

/* Where the search can begin when matches end with the text and have a bounded length. */
static size_t tail(const fn_pattern *p, fn_str text, size_t from) {
  if (p->tail_bytes >= text.length - from) return from;
  from = text.length - p->tail_bytes;
  while (from > 0 && from < text.length && ((unsigned char)text.data[from] & 0xC0) == 0x80) from--;
  return from;
}

fn_status fn_pattern_find(bool *found_out, size_t *begin_out, size_t *end_out, const fn_pattern *p, fn_matcher *matcher,
                          fn_str text, size_t from, fn_err *err) {
  size_t n = p->n_code;
  if (text.length >= UINT32_MAX) return fn_err_set(err, FN_E_LIMIT, "a text of 4 GiB or more");
  *found_out = false;
  if (from > text.length) return FN_OK;
  from = tail(p, text, from);
  if (!may_match(p, fn_str_make(text.data + from, text.length - from))) return FN_OK;
  FN_TRY(fn_mem_grow((void **)&matcher->memory, &matcher->capacity, n * 8, sizeof *matcher->memory,
                     (size_t)PATTERN_MAX_CODE * 8, "the states of a pattern", err));
  uint32_t *m = matcher->memory;
  memset(m, 0, n * 8 * sizeof *m);
  search s = {
      .pattern = p,
      .text = text,
      .now = {m, m + n, m + 2 * n, 0},
      .next = {m + 3 * n, m + 4 * n, m + 5 * n, 0},
      .stack = m + 6 * n,
  };
  run(&s, from);
  *found_out = s.found;
  if (s.found) {
    *begin_out = s.best_begin;
    *end_out = s.best_end;
  }
  return FN_OK;
}
