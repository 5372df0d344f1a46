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
  size_t literals[PATTERN_LITERALS]; /* where each literal stands next, at or behind the place asked for; SIZE_MAX: no
                                        more */
  size_t nearest;                    /* the least of them */
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

/* Every literal is looked for from where it was last found, so all of them together cost one pass each. */
static void move_literals(search *s, size_t at, bool first_time) {
  s->nearest = SIZE_MAX;
  for (size_t i = 0; i < s->pattern->literals.n; i++) {
    if (first_time || s->literals[i] < at) s->literals[i] = fn_pattern_find_literal(s->pattern, s->text, i, at);
    if (s->literals[i] < s->nearest) s->nearest = s->literals[i];
  }
}

/* Whether a match can begin at `at`: every match holds a literal, and no further from its begin than it is long. */
static bool may_begin(search *s, size_t at) {
  const fn_pattern *p = s->pattern;
  if (s->found || at >= s->text.length || !p->first[(unsigned char)s->text.data[at]]) return false;
  if (p->anchored) return at == 0; /* over soon anyway */
  if (p->literals.n == 0) return true;
  if (s->nearest < at) move_literals(s, at, false);
  return s->nearest != SIZE_MAX && s->nearest - at <= p->most_bytes;
}

/* The next place where a match can begin, or the end. */
static size_t skip(search *s, size_t at) {
  const fn_pattern *p = s->pattern;
  if (p->anchored) return at == 0 && may_begin(s, 0) ? 0 : s->text.length;
  while (at < s->text.length && !may_begin(s, at)) {
    bool far = p->literals.n > 0 && s->nearest >= at && (s->nearest == SIZE_MAX || s->nearest - at > p->most_bytes);
    if (!far) {
      at++;
      continue;
    }
    if (s->nearest == SIZE_MAX) return s->text.length;
    at = s->nearest - p->most_bytes;
    while (at < s->text.length && ((unsigned char)s->text.data[at] & 0xC0) == 0x80) at++;
  }
  return at;
}

static void run(search *s, size_t from) {
  for (size_t at = from;;) {
    if (s->now.n == 0) {
      if (s->found) return;
      at = skip(s, at);
    }
    if (may_begin(s, at)) add(s, &s->now, 0, (uint32_t)at, at);
    settle(s, at);
    if (at >= s->text.length) return;
    uint32_t code_point = 0;
    size_t n = fn_utf8_decode(&code_point, s->text.data + at, s->text.length - at);
    if (n == 0) n = 1, code_point = 0xFFFD; /* texts are valid UTF-8; anything else must still end */
    at += n;
    advance(s, code_point, at);
  }
}

/* Where the search can begin when matches end with the text and have a bounded length. */
static size_t tail(const fn_pattern *p, fn_str text, size_t from) {
  if (!p->ends_text || p->most_bytes >= text.length - from) return from;
  from = text.length - p->most_bytes;
  while (from > 0 && from < text.length && ((unsigned char)text.data[from] & 0xC0) == 0x80) from--;
  return from;
}

fn_status fn_pattern_find(bool *found_out, size_t *begin_out, size_t *end_out, const fn_pattern *p, fn_matcher *matcher,
                          fn_str text, size_t from, fn_err *err) {
  size_t n = p->n_code;
  if (text.length >= UINT32_MAX) return fn_err_set(err, FN_E_LIMIT, "a text of 4 GiB or more");
  *found_out = false;
  if (from > text.length || (p->anchored && from > 0)) return FN_OK;
  search s = {.pattern = p, .text = text};
  from = tail(p, text, from);
  if (!p->anchored && p->literals.n) {
    move_literals(&s, from, true);
    if (s.nearest == SIZE_MAX) return FN_OK;
  }
  FN_TRY(fn_mem_grow((void **)&matcher->memory, &matcher->capacity, n * 8, sizeof *matcher->memory,
                     (size_t)PATTERN_MAX_CODE * 8, "the states of a pattern", err));
  uint32_t *m = matcher->memory;
  memset(m, 0, n * 8 * sizeof *m);
  s.now = (states){m, m + n, m + 2 * n, 0};
  s.next = (states){m + 3 * n, m + 4 * n, m + 5 * n, 0};
  s.stack = m + 6 * n;
  run(&s, from);
  *found_out = s.found;
  if (s.found) {
    *begin_out = s.best_begin;
    *end_out = s.best_end;
  }
  return FN_OK;
}
