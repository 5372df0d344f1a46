/* Added tokens: strings that are cut out of a text before it is normalised, or found in the normalised text. */
#include "text/tokenizer.h"

static bool is_word(uint32_t code_point) {
  return (fn_char_get(code_point)->flags & FN_CHAR_WORD) != 0;
}
static bool is_space(uint32_t code_point) {
  return (fn_char_get(code_point)->flags & FN_CHAR_SPACE) != 0;
}

static bool word_touches(const fn_added_scan *scan, size_t begin, size_t end) {
  uint32_t c;
  if (begin > 0) {
    fn_char_read_back(&c, scan->text, 0, begin);
    if (is_word(c)) return true;
  }
  if (end < scan->length) {
    fn_char_read(&c, scan->text + end, scan->length - end);
    if (is_word(c)) return true;
  }
  return false;
}

/* Leftmost match at or after scan->at, the longest at its place. */
static const fn_added_token *find(size_t *begin_out, size_t *length_out, const fn_added_scan *scan) {
  size_t at = fn_trie_find_first(scan->trie, scan->text, scan->at, scan->length);
  for (; at < scan->length; at = fn_trie_find_first(scan->trie, scan->text, at + 1, scan->length)) {
    int32_t index = fn_trie_longest(length_out, scan->trie, 0, scan->text + at, scan->length - at);
    if (index < 0) continue;
    *begin_out = at;
    return &scan->tokens[index];
  }
  return NULL;
}

bool fn_added_next(fn_added_match *match_out, fn_added_scan *scan) {
  size_t begin, length;
  if (!scan->trie->edges) return false;
  for (const fn_added_token *token; (token = find(&begin, &length, scan));) {
    size_t end = begin + length;
    scan->at = end; /* matches do not overlap, a refused one is skipped whole */
    if (token->single_word && word_touches(scan, begin, end)) continue;
    uint32_t c;
    if (token->lstrip && begin < scan->taken) begin = scan->taken < end ? scan->taken : end;
    if (token->lstrip)
      for (size_t n; begin > scan->taken; begin -= n) {
        n = fn_char_read_back(&c, scan->text, scan->taken, begin);
        if (!is_space(c)) break;
      }
    if (token->rstrip)
      for (size_t n; end < scan->length; end += n) {
        n = fn_char_read(&c, scan->text + end, scan->length - end);
        if (!is_space(c)) break;
      }
    *match_out = (fn_added_match){token, begin, end, scan->taken, begin};
    scan->taken = end;
    return true;
  }
  return false;
}
