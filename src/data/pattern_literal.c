/* Looking for a literal in a text, with or without letter case. Sixteen places at a time are tried by the literal's
 * first and last byte; what agrees in both is compared. SSE2 belongs to every x86-64 processor, so nothing is chosen at
 * run time; elsewhere each place is tried on its own. */
#include "data/pattern_internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 0x20) : c;
}

static bool same(const char *a, const char *b, size_t n, bool ignore_case) {
  if (!ignore_case) return memcmp(a, b, n) == 0;
  for (size_t i = 0; i < n; i++)
    if (lower(a[i]) != b[i]) return false;
  return true;
}

#if defined(__SSE2__)
/* What is set in a byte before it is compared, so that both cases of a letter agree. */
static __m128i case_bit(char c, bool ignore_case) {
  return _mm_set1_epi8(ignore_case && c >= 'a' && c <= 'z' ? 0x20 : 0);
}

static __m128i load(const char *p) {
  return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Tries places from *p on while sixteen of them are left up to `last`; NULL when none of those fits. */
static const char *find_in_blocks(const char **p_io, const char *last, const char *literal, size_t n,
                                  bool ignore_case) {
  const __m128i first = _mm_set1_epi8(literal[0]), end = _mm_set1_epi8(literal[n - 1]);
  const __m128i first_case = case_bit(literal[0], ignore_case), end_case = case_bit(literal[n - 1], ignore_case);
  const char *p = *p_io;
  for (; last - p >= 15; p += 16) {
    __m128i a = _mm_cmpeq_epi8(_mm_or_si128(load(p), first_case), first);
    __m128i b = _mm_cmpeq_epi8(_mm_or_si128(load(p + n - 1), end_case), end);
    unsigned places = (unsigned)_mm_movemask_epi8(_mm_and_si128(a, b));
    for (; places; places &= places - 1) {
      const char *here = p + __builtin_ctz(places);
      if (same(here, literal, n, ignore_case)) return here;
    }
  }
  *p_io = p;
  return NULL;
}
#endif

size_t fn_pattern_find_literal(const fn_pattern *pattern, fn_str text, size_t i, size_t at) {
  const char *literal = pattern->literals.texts[i];
  size_t n = pattern->literals.lengths[i];
  if (n > text.length || at > text.length - n) return SIZE_MAX;
  const char *p = text.data + at, *last = text.data + (text.length - n);
#if defined(__SSE2__)
  const char *found = find_in_blocks(&p, last, literal, n, pattern->ignore_case);
  if (found) return (size_t)(found - text.data);
#endif
  for (; p <= last; p++)
    if (same(p, literal, n, pattern->ignore_case)) return (size_t)(p - text.data);
  return SIZE_MAX;
}
