#include "../test.h"
#include "data/pattern.h"

static fn_pattern *make(const char *source, bool ignore_case) {
  fn_err err = {0};
  fn_pattern *p;
  assert_ok(fn_pattern_create(&p, fn_str_from(source), ignore_case, &err));
  return p;
}

/* expected: the match in brackets inside the text, or the text alone when there is none. */
static void check_case(const char *source, bool ignore_case, const char *text, const char *expected) {
  fn_err err = {0};
  fn_matcher matcher = {0};
  fn_pattern *p = make(source, ignore_case);
  bool found;
  size_t begin = 0, end = 0;
  fn_buf FN_AUTO_BUF got = {0};
  assert_ok(fn_pattern_find(&found, &begin, &end, p, &matcher, fn_str_from(text), 0, &err));
  if (found)
    fn_buf_printf(&got, "%.*s[%.*s]%s", (int)begin, text, (int)(end - begin), text + begin, text + end);
  else
    fn_buf_append_str(&got, text);
  if (strcmp(got.data ? got.data : "", expected) != 0) fail_msg("%s: got %s, expected %s", source, got.data, expected);
  fn_matcher_deinit(&matcher);
  fn_pattern_destroy(p);
}
static void check(const char *source, const char *text, const char *expected) {
  check_case(source, false, text, expected);
}

static void finds(void **state) {
  (void)state;
  check("abc", "xxabcxabc", "xx[abc]xabc");
  check("abc", "ab", "ab");
  check("a|ab", "xab", "x[ab]");             /* the longest at the leftmost place */
  check("b+", "abbbcbbbbb", "a[bbb]cbbbbb"); /* leftmost before longest */
  check("a.c", "a\nc abc", "a\nc [abc]");
  check("a[^b]c", "abc a\nc", "abc [a\nc]");
  check("[a-c]+", "xxabcabd", "xx[abcab]d");
  check("[]a]+", "x]a]", "x[]a]]");
  check("[a-]+", "x-a-", "x[-a-]");
  check("\\d{2,3}", "1 12345", "1 [123]45");
  check("\\d{2}", "1 123", "1 [12]3");
  check("(ab){2,}", "ab ababab", "ab [ababab]");
  check("x(a|b|)y", "xcy xy", "xcy [xy]");
  check("a{0}b", "aab", "aa[b]");
  check("^ab", "abab", "[ab]ab");
  check("ab$", "abab", "ab[ab]");
  check("^ab$", "abab", "abab");
  check("(^a|b)c", "xac bc", "xac [bc]");
  check("(a|b$)", "bb", "b[b]");
  check("\\(Reuters\\) [-–—] ", "X (Reuters) – y", "X [(Reuters) – ]y");
  check("\\s+", "a\xC2\xA0\xE2\x80\x83 b", "a[\xC2\xA0\xE2\x80\x83 ]b");
  check("\\S+\\W", "  ab, c", "  [ab, ]c");
  check("\\w+", "..a_1.", "..[a_1].");
  check("ä+[ö-ü]", "xääü", "x[ääü]");
  check("\\n\\t\\.\\\\", "a\n\t.\\", "a[\n\t.\\]");
  check("🙂{2}", "🙂🙂🙂", "[🙂🙂]🙂");
  check("a{3}$", "baaaa", "ba[aaa]");         /* searched from the tail only */
  check("[^\n]{1,4}$", "ääääää", "ää[ääää]"); /* the tail begins inside a character */
}

static void ignores_case(void **state) {
  (void)state;
  check_case("featured image", true, "x FEATURED Image", "x [FEATURED Image]");
  check_case("FEATURED", true, "featureD", "[featureD]");
  check_case("[a-c]+x", true, "ABcX", "[ABcX]");
  check_case("[^a]+", true, "aAbB", "aA[bB]");
  check("Featured", "featured", "featured");
  check_case("ä", true, "Ä", "Ä"); /* ASCII only */
}

static void refuse(const char *source, fn_status status, const char *message) {
  fn_err err = {0};
  fn_pattern *p = NULL;
  assert_status(fn_pattern_create(&p, fn_str_from(source), false, &err), status);
  assert_contains(err.message, message);
  assert_null(p);
}

static void refuses(void **state) {
  (void)state;
  refuse("", FN_E_INVALID, "byte 1 of the pattern: an empty group or pattern");
  refuse("a()", FN_E_INVALID, "byte 3 of the pattern: an empty group or pattern");
  refuse("a(b", FN_E_INVALID, "byte 2 of the pattern: a ( that is not closed");
  refuse("a)b", FN_E_INVALID, "byte 2 of the pattern: a ) without a (");
  refuse("[a", FN_E_INVALID, "a [ that is not closed");
  refuse("[b-a]", FN_E_INVALID, "a range that ends before it begins");
  refuse("*a", FN_E_INVALID, "byte 1 of the pattern: a repetition of nothing");
  refuse("a|*", FN_E_INVALID, "a repetition of nothing");
  refuse("a**", FN_E_INVALID, "a repetition of a repetition");
  refuse("a{2", FN_E_INVALID, "a { that is not closed");
  refuse("a{x}", FN_E_INVALID, "a number is expected");
  refuse("a{3,2}", FN_E_INVALID, "n below m");
  refuse("a{1001}", FN_E_INVALID, "more than 1000");
  refuse("a\\", FN_E_INVALID, "a backslash at the end");
  refuse("\\q", FN_E_INVALID, "unknown escape");
  refuse("a\xFF", FN_E_INVALID, "not valid UTF-8");
  refuse("a*", FN_E_INVALID, "matches the empty text");
  refuse("a|", FN_E_INVALID, "matches the empty text");
  refuse("^$", FN_E_INVALID, "matches the empty text");
  refuse("(a{1000}){1000}", FN_E_LIMIT, "states of a pattern");
  refuse("((((a{0}){1000}){0}){1000}){1000}b", FN_E_LIMIT, "too many");
  char deep[128];
  memset(deep, '(', 60);
  strcpy(deep + 60, "a");
  memset(deep + 61, ')', 60);
  deep[121] = 0;
  refuse(deep, FN_E_INVALID, "nested too deeply");
}

/* A random pattern and, by plain recursion over its tree, all ends of its matches from a given place. */
enum { NODES = 64, TEXT = 10 };
typedef struct tree {
  struct {
    int kind; /* 0 char, 1 class [ab], 2 class [^a], 3 sequence, 4 either, 5 repeat, 6 ^, 7 $ */
    int a, b, min, max;
    char c;
  } n[NODES];
  int used;
  fn_buf source;
} tree;

static int grow(tree *t, fn_rng *rng, int depth) {
  int me = t->used++;
  int kind = depth >= 4 || t->used > NODES - 8 ? (int)fn_rng_below(rng, 3) : (int)fn_rng_below(rng, 10);
  if (kind >= 8) kind = 3;
  t->n[me].kind = kind;
  if (kind == 0) {
    t->n[me].c = (char)('a' + (int)fn_rng_below(rng, 3));
    fn_buf_append_char(&t->source, t->n[me].c);
  } else if (kind == 1 || kind == 2) {
    fn_buf_append_str(&t->source, kind == 1 ? "[ab]" : "[^a]");
  } else if (kind == 3 || kind == 4) {
    fn_buf_append_char(&t->source, '(');
    t->n[me].a = grow(t, rng, depth + 1);
    if (kind == 4) fn_buf_append_char(&t->source, '|');
    t->n[me].b = grow(t, rng, depth + 1);
    fn_buf_append_char(&t->source, ')');
  } else if (kind == 5) {
    t->n[me].min = (int)fn_rng_below(rng, 3);
    t->n[me].max = fn_rng_below(rng, 3) ? t->n[me].min + (int)fn_rng_below(rng, 3) : -1;
    fn_buf_append_char(&t->source, '(');
    t->n[me].a = grow(t, rng, depth + 1);
    if (t->n[me].max < 0)
      fn_buf_printf(&t->source, "){%d,}", t->n[me].min);
    else
      fn_buf_printf(&t->source, "){%d,%d}", t->n[me].min, t->n[me].max);
  } else {
    fn_buf_append_char(&t->source, kind == 6 ? '^' : '$');
  }
  return me;
}

/* Bit e of the result: the node can match text[b, e) for some b in the set `from`. */
static unsigned ends(const tree *t, int node, const char *text, unsigned length, unsigned from) {
  unsigned out = 0;
  int kind = t->n[node].kind;
  if (kind <= 2) {
    for (unsigned b = 0; b < length; b++) {
      char c = text[b];
      bool ok = kind == 0 ? c == t->n[node].c : kind == 1 ? c == 'a' || c == 'b' : c != 'a';
      if ((from >> b & 1) && ok) out |= 2u << b;
    }
    return out;
  }
  if (kind == 3) return ends(t, t->n[node].b, text, length, ends(t, t->n[node].a, text, length, from));
  if (kind == 4) return ends(t, t->n[node].a, text, length, from) | ends(t, t->n[node].b, text, length, from);
  if (kind == 6) return from & 1;
  if (kind == 7) return from & (1u << length);
  int max = t->n[node].max < 0 ? (int)length + 1 + t->n[node].min : t->n[node].max;
  unsigned now = from;
  for (int i = 0; i <= max; i++) {
    if (i >= t->n[node].min) out |= now;
    now = ends(t, t->n[node].a, text, length, now);
  }
  return out;
}

static void agrees_with_plain_recursion(void **state) {
  (void)state;
  fn_matcher matcher = {0};
  size_t compared = 0, matched = 0;
  for (uint64_t trial = 0; trial < 4000; trial++) {
    fn_err err = {0};
    fn_rng rng = fn_rng_make(11, trial);
    tree t = {0};
    int root = grow(&t, &rng, 0);
    fn_pattern *p;
    fn_status status = fn_pattern_create(&p, fn_buf_str(&t.source), false, &err);
    bool empty = ends(&t, root, "", 0, 1) != 0;
    if (status != FN_OK && !strstr(err.message, "empty text")) fail_msg("%s: %s", t.source.data, err.message);
    for (int i = 0; status == FN_OK && i < 20; i++) {
      char text[TEXT + 1] = {0};
      unsigned length = (unsigned)fn_rng_below(&rng, TEXT + 1), begin = 0, hit = 0;
      for (unsigned k = 0; k < length; k++) text[k] = (char)('a' + (int)fn_rng_below(&rng, 3));
      for (begin = 0; begin <= length && !hit; begin++) hit = ends(&t, root, text, length, 1u << begin);
      begin--;
      if (hit >> begin & 1 && hit >> (begin + 1) == 0) continue; /* an empty match under ^ or $ is not looked for */
      bool found;
      size_t b, e;
      assert_ok(fn_pattern_find(&found, &b, &e, p, &matcher, fn_str_make(text, length), 0, &err));
      if (found != (hit != 0)) fail_msg("%s in %s: found %d", t.source.data, text, found);
      unsigned longest = 0;
      for (unsigned k = 0; k <= length; k++)
        if (hit >> k & 1) longest = k;
      if (found && (b != begin || e != longest))
        fail_msg("%s in %s: [%zu, %zu), expected [%u, %u)", t.source.data, text, b, e, begin, longest);
      compared++;
      matched += found;
    }
    if (status == FN_OK) {
      assert_false(empty);
      fn_pattern_destroy(p);
    }
    fn_buf_deinit(&t.source);
  }
  fn_matcher_deinit(&matcher);
  assert_true(compared > 10000 && matched > 3000);
}

/* A backtracking matcher needs exponential time for these. */
static void takes_linear_time(void **state) {
  (void)state;
  char text[20001];
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = 0;
  fn_err err = {0};
  fn_matcher matcher = {0};
  static const char *const sources[] = {"(a+)+[b]", "(a|a)*a[b]", "(a*)*a[c]", "a{0,30}a{30}[b]"};
  for (size_t i = 0; i < FN_COUNT_OF(sources); i++) {
    fn_pattern *p = make(sources[i], false);
    bool found;
    size_t begin, end;
    assert_ok(fn_pattern_find(&found, &begin, &end, p, &matcher, fn_str_from(text), 0, &err));
    assert_false(found);
    fn_pattern_destroy(p);
  }
  fn_matcher_deinit(&matcher);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds),
      cmocka_unit_test(ignores_case),
      cmocka_unit_test(refuses),
      cmocka_unit_test(agrees_with_plain_recursion),
      cmocka_unit_test(takes_linear_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
