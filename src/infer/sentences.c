#include "infer/sentences.h"

#include <ctype.h>

/* Before what follows; compared without the last full stop, letter case as here. */
static const char *const never[] = {
    "Mr",   "Mrs", "Ms",  "Dr",  "Prof", "Sen", "Rep",    "Gov", "Gen", "Lt",   "Col",  "Sgt",   "Capt", "Maj",
    "Cmdr", "Adm", "Rev", "Hon", "St",   "Mt",  "Ft",     "Jr",  "Sr",  "Pres", "Supt", "Det",   "Atty", "Amb",
    "Sec",  "vs",  "v",   "No",  "Nos",  "Jan", "Feb",    "Mar", "Apr", "Jun",  "Jul",  "Aug",   "Sep",  "Sept",
    "Oct",  "Nov", "Dec", "Fig", "Vol",  "pp",  "approx", "cf",  "e.g", "i.e",  "al",   "Messrs"};
/* Often at the end as well. */
static const char *const sometimes[] = {"a.m", "p.m",  "U.S", "U.K", "U.N",  "E.U", "D.C",  "U.S.A", "Inc", "Ltd",
                                        "Co",  "Corp", "etc", "Ave", "Blvd", "Rd",  "Ph.D", "M.D",   "B.C", "A.D"};
static const char *const beginnings[] = {"The",  "A",    "An",    "It",   "He",  "She", "They",    "We",   "I",
                                         "You",  "But",  "And",   "In",   "On",  "At",  "This",    "That", "These",
                                         "If",   "When", "There", "His",  "Her", "Its", "However", "As",   "For",
                                         "What", "Why",  "How",   "Some", "No",  "Yet", "So",      "After"};

static size_t read_at(uint32_t *c, fn_str s, size_t at) {
  size_t n = fn_utf8_decode(c, s.data + at, s.length - at);
  if (n > 0) return n;
  *c = 0xFFFD;
  return 1;
}

static bool is_space(uint32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 || (c >= 0x2000 && c <= 0x200B) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x3000;
}

static bool is_closing(uint32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == '}' || c == 0x201D || c == 0x2019 || c == 0xBB;
}

static bool is_opening(uint32_t c) {
  return c == '"' || c == '\'' || c == '(' || c == '[' || c == '{' || c == 0x201C || c == 0x2018 || c == 0xAB;
}

static bool in_list(const char *const *list, size_t n, fn_str word) {
  for (size_t i = 0; i < n; i++) {
    if (fn_str_is(word, list[i])) return true;
  }
  return false;
}

static bool is_letter(char c) {
  return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Letters and full stops up to `end` (exclusive). */
static fn_str word_before(fn_str s, size_t begin, size_t end) {
  size_t at = end;
  while (at > begin && (is_letter(s.data[at - 1]) || s.data[at - 1] == '.')) at--;
  return fn_str_make(s.data + at, end - at);
}

static fn_str word_after(fn_str s, size_t at) {
  size_t end = at;
  while (end < s.length && is_letter(s.data[end])) end++;
  return fn_str_make(s.data + at, end - at);
}

/* Whether the full stop at `stop` may end a sentence when what follows begins at `next`. */
static bool stop_ends(fn_str s, size_t begin, size_t stop, size_t next) {
  fn_str word = word_before(s, begin, stop);
  if (in_list(never, FN_COUNT_OF(never), word)) return false;
  if (in_list(sometimes, FN_COUNT_OF(sometimes), word)) {
    return in_list(beginnings, FN_COUNT_OF(beginnings), word_after(s, next));
  }
  /* an initial, which is no end; "I." is none */
  return !(word.length == 1 && isupper((unsigned char)word.data[0]) && word.data[0] != 'I');
}

/* What stands at `at`, behind white space, may begin a sentence: no small letter, no comma. */
static bool may_begin(fn_str s, size_t at) {
  uint32_t c = 0;
  while (at < s.length) {
    size_t n = read_at(&c, s, at);
    if (!is_opening(c)) break;
    at += n;
  }
  return at >= s.length || !(islower((int)(c < 0x80 ? c : 0)) || c == ',' || c == ';' || c == ')');
}

/* White space from `at` on; *break_out: it holds an empty line. */
static size_t skip_space(bool *break_out, fn_str s, size_t at) {
  int lines = 0;
  uint32_t c;
  for (size_t n; at < s.length && (n = read_at(&c, s, at), is_space(c)); at += n) lines += c == '\n' || c == 0x2029;
  *break_out = lines > 1;
  return at;
}

/* The end of a sentence whose closing mark `c` begins at `at`, or 0 when it goes on. */
static size_t end_at(fn_str s, size_t begin, size_t at, uint32_t c) {
  size_t end = at, n, next;
  uint32_t mark;
  bool paragraph;
  if (c == 0x3002 || c == 0xFF01 || c == 0xFF1F) return at + 3;
  if (c != '.' && c != '!' && c != '?' && c != 0x2026) return 0;
  for (; end < s.length && end - at < FN_SENTENCE_MAX_BYTES; end += n) { /* a longer row of them is looked at once */
    n = read_at(&mark, s, end);
    if (mark != '.' && mark != '!' && mark != '?' && mark != 0x2026) break;
  }
  const bool single_stop = c == '.' && end == at + 1;
  for (; end < s.length && end - at < FN_SENTENCE_MAX_BYTES; end += n) {
    n = read_at(&mark, s, end);
    if (!is_closing(mark)) break;
  }
  next = skip_space(&paragraph, s, end);
  if (next == s.length || paragraph) return end;
  if (next == end || !may_begin(s, next)) return 0;
  return single_stop && !stop_ends(s, begin, at, next) ? 0 : end;
}

/* Too long: at its last white space, or where its characters allow. */
static size_t cut(fn_str s, size_t begin, size_t last_space) {
  if (last_space > begin) return last_space;
  size_t end = begin + FN_SENTENCE_MAX_BYTES;
  while (end > begin + 1 && ((unsigned char)s.data[end] & 0xC0) == 0x80) end--;
  return end;
}

bool fn_sentence_next(fn_sentence *sentence_out, fn_str s, size_t at) {
  bool paragraph;
  size_t begin = skip_space(&paragraph, s, at), last_space = begin, n;
  if (begin >= s.length) return false;
  for (size_t i = begin; i < s.length; i += n) {
    uint32_t c;
    if (i - begin >= FN_SENTENCE_MAX_BYTES) {
      *sentence_out = (fn_sentence){begin, cut(s, begin, last_space)};
      return true;
    }
    n = read_at(&c, s, i);
    if (is_space(c)) {
      size_t next = skip_space(&paragraph, s, i);
      if (paragraph || next >= s.length) {
        *sentence_out = (fn_sentence){begin, i};
        return true;
      }
      last_space = i;
      n = next - i;
      continue;
    }
    size_t end = end_at(s, begin, i, c);
    if (end > 0) {
      *sentence_out = (fn_sentence){begin, end};
      return true;
    }
  }
  *sentence_out = (fn_sentence){begin, s.length};
  return true;
}
