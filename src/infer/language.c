#include "infer/language.h"

enum { LETTERS = 28, EDGE = 0, FOREIGN = 27, EVIDENCE = -2 * 64 };

typedef enum kind { SPACE, LATIN, OTHER, COMBINING, APOSTROPHE, CODE, MARK } kind;

typedef struct range {
  uint32_t first, last;
} range;

/* Blocks of letters outside of Latin, coarsely: what is unassigned in them, and their digits and marks, count as well.
 */
static const range other_scripts[] = {{0x370, 0x1DFF},    {0x1F00, 0x1FFF},   {0x2C00, 0x2DFF},  {0x3005, 0x3007},
                                      {0x3041, 0x4DBF},   {0x4E00, 0xA71F},   {0xA800, 0xAB2F},  {0xAB70, 0xD7FF},
                                      {0xF900, 0xFAFF},   {0xFB07, 0xFDFF},   {0xFE70, 0xFEFE},  {0xFF10, 0xFFDC},
                                      {0x10000, 0x1CFFF}, {0x1E000, 0x1EFFF}, {0x20000, 0x3FFFF}};

static bool is_other_script(uint32_t c) {
  for (size_t i = 0; i < FN_COUNT_OF(other_scripts); i++) {
    if (c <= other_scripts[i].last) return c >= other_scripts[i].first;
  }
  return false;
}

static bool is_latin(uint32_t c) {
  return (c >= 0xC0 && c <= 0x2AF && c != 0xD7 && c != 0xF7) || (c >= 0x1E00 && c <= 0x1EFF) || c == 0xAA ||
         c == 0xBA || (c >= 0x2C60 && c <= 0x2C7F) || (c >= 0xA720 && c <= 0xA7FF) || (c >= 0xFB00 && c <= 0xFB06);
}

static bool is_space(uint32_t c) {
  return c <= 0x20 || c == 0x7F || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202F) || c == 0x205F || c == 0x2060 || c == 0x3000 || c == 0xFEFF;
}

static kind classify(uint32_t c) {
  if (is_space(c)) return SPACE;
  if (c < 0x80) {
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return LATIN;
    if (c == '\'') return APOSTROPHE;
    return strchr("{}[]<>=_|\\~^+;$", (int)c) ? CODE : MARK;
  }
  if (c == 0x2019) return APOSTROPHE;
  if (c >= 0x300 && c <= 0x36F) return COMBINING;
  if (is_latin(c)) return LATIN;
  return is_other_script(c) ? OTHER : MARK;
}

static size_t read_one(uint32_t *c, fn_str s, size_t at) {
  size_t n = fn_utf8_decode(c, s.data + at, s.length - at);
  if (n > 0) return n;
  *c = 0xFFFD;
  return 1;
}

/* The word under way: its last two letters, and what its letters said. */
typedef struct word {
  uint32_t before, last;
  int32_t sum;
  bool inside, capital;
} word;

static void put(word *w, uint32_t letter) {
  w->sum += fn_language_table[(w->before * LETTERS + w->last) * LETTERS + letter];
  w->before = w->last;
  w->last = letter;
}

/* A word of one letter has one such run, of n letters n. The first two places are the edge and the first letter. */
static void begin_word(word *w, uint32_t letter, bool capital) {
  *w = (word){.before = EDGE, .last = letter, .inside = true, .capital = capital};
}

static void end_word(fn_prose *p, word *w) {
  if (!w->inside) return;
  put(w, EDGE);
  p->evidence += w->capital ? w->sum : 2 * w->sum;
  p->n_words++;
  w->inside = false;
}

static void take_letter(fn_prose *p, word *w, uint32_t c) {
  bool capital = (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE);
  uint32_t lower = c | 0x20, letter = lower >= 'a' && lower <= 'z' && c < 0x80 ? lower - 'a' + 1 : FOREIGN;
  p->n_latin++;
  if (w->inside) {
    put(w, letter);
  } else {
    begin_word(w, letter, capital);
  }
}

static void take_piece(fn_prose *p, fn_str s) {
  word w = {0};
  for (size_t i = 0; i < s.length;) {
    uint32_t c;
    i += read_one(&c, s, i);
    kind k = classify(c);
    if (k == LATIN) {
      take_letter(p, &w, c);
      continue;
    }
    if (k == COMBINING) { /* an accent of its own: the letter before it is no plain one */
      if (w.inside) w.last = FOREIGN;
      continue;
    }
    if (k == APOSTROPHE && w.inside && i < s.length) { /* don't is one word; a quote at the end is none of it */
      uint32_t next;
      (void)read_one(&next, s, i);
      if (classify(next) == LATIN) continue;
    }
    end_word(p, &w);
    p->n_other += k == OTHER;
    p->n_marks += k == MARK || k == CODE || k == APOSTROPHE;
    p->n_code += k == CODE;
  }
  end_word(p, &w);
}

static bool is_link(fn_str s) {
  if (s.data[0] == '@' || s.data[0] == '#') return s.length > 1;
  if (fn_str_starts_with(s, "www.")) return true;
  for (size_t i = 0; i + 3 <= s.length; i++) {
    if (memcmp(s.data + i, "://", 3) == 0) return true;
  }
  return false;
}

void fn_prose_add(fn_prose *p, fn_str text, uint32_t max_words) {
  /* Where no word ends (one long run of letters, or of another script) the characters are the bound. */
  enum { MAX_BYTES_PER_WORD = 24 };
  const uint32_t last_word = p->n_words + max_words;
  if (text.length > (size_t)max_words * MAX_BYTES_PER_WORD) text.length = (size_t)max_words * MAX_BYTES_PER_WORD;
  for (size_t i = 0; i < text.length && p->n_words < last_word;) {
    size_t begin = i, end = i;
    while (end < text.length) {
      uint32_t c;
      size_t n = read_one(&c, text, end);
      if (is_space(c)) {
        i = end + n;
        break;
      }
      end += n;
      i = end;
    }
    if (end == begin) continue;
    const fn_str piece = fn_str_make(text.data + begin, end - begin);
    if (is_link(piece)) {
      p->n_links++;
    } else {
      take_piece(p, piece);
    }
  }
}

bool fn_prose_not_english(const fn_prose *p) {
  uint64_t letters = (uint64_t)p->n_latin + p->n_other, all = letters + p->n_marks;
  if (p->n_words == 0) return true;
  if (10u * (uint64_t)p->n_other > 3u * letters) return true;
  if (2u * letters < all) return true;
  if (10u * (uint64_t)p->n_code > all) return true;
  return p->evidence < EVIDENCE;
}
