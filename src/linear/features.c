#include "linear/features.h"

#include "linear/chars.h"

#include <stdlib.h>

#define HASH_FACTOR 0x9E3779B97F4A7C15u
enum { TOKEN_SEED = 1, WORD_SEED = 2, CHAR_SEED = 3 };

static inline uint64_t chain(uint64_t h, uint64_t x) {
  return (h ^ x) * HASH_FACTOR;
}

static inline uint64_t mix(uint64_t h) {
  h ^= h >> 33;
  h *= 0xFF51AFD7ED558CCDu;
  h ^= h >> 33;
  h *= 0xC4CEB9FE1A85EC53u;
  return h ^ (h >> 33);
}

/* What is needed while a document streams by. */
typedef struct scanner {
  fn_feature_counter *counter;
  int32_t min, max, shift;
  bool inside;        /* in a word (word family) or in a piece between white space (char family) */
  uint64_t token;     /* word family: chain of the word under way */
  uint64_t recent[8]; /* ring of the last tokens' hashes, or the last code points; at least max */
  uint32_t at;        /* place of the newest */
  int32_t n_recent;   /* valid entries, at most max: tokens of the document, characters of the piece */
  size_t n_tokens;    /* of the document; only counted by scan_tokens */
} scanner;

static inline void count(scanner *s, uint64_t hash) {
  uint32_t bucket = (uint32_t)(mix(hash) >> s->shift);
  uint32_t seen = s->counter->counts[bucket];
  if (seen == 0) s->counter->touched[s->counter->n++] = bucket;
  s->counter->counts[bucket] = seen + (seen != UINT32_MAX);
}

/* Adds a token or character and counts every run of min … max that ends with it. */
static inline void push(scanner *s, uint64_t value, uint64_t seed) {
  s->at = (s->at + 1) & 7;
  s->recent[s->at] = value;
  s->n_recent += s->n_recent < s->max;
  uint64_t h = seed;
  for (int32_t n = 1; n <= s->n_recent; n++) {
    h = chain(h, s->recent[(s->at - (uint32_t)n + 1) & 7]);
    if (n >= s->min) count(s, h);
  }
}

static inline void word_character(scanner *s, uint32_t c) {
  fn_char_class class = fn_char_classify(c);
  if (class == FN_CHAR_WORD) {
    s->token = chain(s->inside ? s->token : TOKEN_SEED, c);
    s->inside = true;
    return;
  }
  if (s->inside) push(s, mix(s->token), WORD_SEED);
  if (class == FN_CHAR_OTHER) push(s, mix(chain(TOKEN_SEED, c)), WORD_SEED);
  s->inside = false;
}

/* A piece that is shorter than the shortest run counts as a whole. */
static void count_short_piece(scanner *s) {
  uint64_t h = CHAR_SEED;
  for (int32_t n = 1; n <= s->n_recent; n++) h = chain(h, s->recent[(s->at - (uint32_t)n + 1) & 7]);
  count(s, h);
}

static inline void char_character(scanner *s, uint32_t c) {
  if (fn_char_classify(c) == FN_CHAR_SPACE) {
    if (!s->inside) return;
    push(s, ' ', CHAR_SEED);
    if (s->n_recent < s->min) count_short_piece(s);
    s->inside = false;
    return;
  }
  if (!s->inside) {
    s->inside = true;
    s->n_recent = 0;
    push(s, ' ', CHAR_SEED);
  }
  push(s, c, CHAR_SEED);
}

/* Inlined into the two below, so that the call for each character is direct. */
static inline __attribute__((always_inline)) void scan(scanner *s, fn_str text,
                                                       void (*character)(scanner *, uint32_t)) {
  for (size_t i = 0; i < text.length;) {
    uint32_t c = (unsigned char)text.data[i];
    size_t n = 1;
    if (c >= 0x80) {
      n = fn_utf8_decode(&c, text.data + i, text.length - i);
      if (n == 0) {
        c = 0xFFFD;
        n = 1;
      }
    }
    character(s, c);
    i += n;
  }
}

static inline void token_character(scanner *s, uint32_t c) {
  fn_char_class class = fn_char_classify(c);
  s->n_tokens += class == FN_CHAR_OTHER || (class == FN_CHAR_WORD && !s->inside);
  s->inside = class == FN_CHAR_WORD;
}

static void scan_tokens(scanner *s, fn_str text) {
  scan(s, text, token_character);
}
static void scan_words(scanner *s, fn_str text) {
  scan(s, text, word_character);
}
static void scan_chars(scanner *s, fn_str text) {
  scan(s, text, char_character);
}

static void scan_document(scanner *s, fn_text_mode mode, fn_str title, fn_str text,
                          void (*scan_part)(scanner *, fn_str)) {
  const fn_str line_break = {"\n", 1};
  if (mode != FN_TEXT_TEXT) scan_part(s, title);
  if (mode == FN_TEXT_TITLE_TEXT) scan_part(s, line_break);
  if (mode != FN_TEXT_TITLE) scan_part(s, text);
  scan_part(s, line_break); /* ends what is under way */
}

void fn_feature_counter_add(fn_feature_counter *counter, const fn_feature_spec *spec, int family, fn_str title,
                            fn_str text) {
  scanner s = {.counter = counter, .min = spec->min[family], .max = spec->max[family], .shift = 64 - spec->hash_bits};
  scan_document(&s, spec->mode, title, text, family == FN_FAMILY_WORD ? scan_words : scan_chars);
}

/* ---- n-grams with their places; slower than the above, and the same buckets ---- */

typedef struct placed {
  uint64_t hash;
  size_t begin, part; /* part 0: title, 1: text */
} placed;

typedef struct tracer {
  const fn_feature_spec *spec;
  fn_feature_see see;
  void *arg;
  placed recent[8];
  uint32_t at;
  int32_t n_recent;
} tracer;

static void trace(tracer *t, uint64_t hash, size_t part, size_t begin, size_t end) {
  uint64_t h = WORD_SEED;
  t->at = (t->at + 1) & 7;
  t->recent[t->at] = (placed){hash, begin, part};
  t->n_recent += t->n_recent < t->spec->max[FN_FAMILY_WORD];
  for (int32_t n = 1; n <= t->n_recent; n++) {
    const placed *first = &t->recent[(t->at - (uint32_t)n + 1) & 7];
    h = chain(h, first->hash);
    if (n < t->spec->min[FN_FAMILY_WORD]) continue;
    t->see(t->arg, (uint32_t)(mix(h) >> (64 - t->spec->hash_bits)), part == 0, first->part == part ? first->begin : 0,
           end);
  }
}

static void trace_part(tracer *t, fn_str s, size_t part) {
  uint64_t token = 0;
  size_t begin = 0, n;
  bool inside = false;
  for (size_t i = 0; i < s.length; i += n) {
    uint32_t c;
    n = fn_utf8_decode(&c, s.data + i, s.length - i);
    if (n == 0) {
      c = 0xFFFD;
      n = 1;
    }
    fn_char_class class = fn_char_classify(c);
    if (class == FN_CHAR_WORD) {
      if (!inside) begin = i;
      token = chain(inside ? token : TOKEN_SEED, c);
      inside = true;
      continue;
    }
    if (inside) trace(t, mix(token), part, begin, i);
    if (class == FN_CHAR_OTHER) trace(t, mix(chain(TOKEN_SEED, c)), part, i, i + n);
    inside = false;
  }
  if (inside) trace(t, mix(token), part, begin, s.length);
}

void fn_feature_each_word_ngram(const fn_feature_spec *spec, fn_str title, fn_str text, fn_feature_see see, void *arg) {
  tracer t = {.spec = spec, .see = see, .arg = arg};
  if (spec->mode != FN_TEXT_TEXT) trace_part(&t, title, 0);
  if (spec->mode != FN_TEXT_TITLE) trace_part(&t, text, 1);
}

size_t fn_feature_count_tokens(const fn_feature_spec *spec, fn_str title, fn_str text) {
  scanner s = {0};
  scan_document(&s, spec->mode, title, text, scan_tokens);
  return s.n_tokens;
}

void fn_feature_counter_clear(fn_feature_counter *counter) {
  for (size_t i = 0; i < counter->n; i++) counter->counts[counter->touched[i]] = 0;
  counter->n = 0;
}

fn_status fn_feature_counter_init(fn_feature_counter *counter_out, const fn_feature_spec *spec, fn_err *err) {
  size_t n = fn_feature_spec_n_buckets(spec);
  fn_feature_counter counter = {fn_mem_calloc(n, sizeof(uint32_t)), fn_mem_calloc(n, sizeof(uint32_t)), 0};
  if (counter.counts == NULL || counter.touched == NULL) {
    fn_feature_counter_deinit(&counter);
    return fn_err_no_memory(err, "n-gram counts");
  }
  *counter_out = counter;
  return FN_OK;
}

void fn_feature_counter_deinit(fn_feature_counter *counter) {
  free(counter->counts);
  free(counter->touched);
  *counter = (fn_feature_counter){0};
}

static fn_status parse_orders(int32_t *min_out, int32_t *max_out, fn_config_list list, int64_t limit, const char *key,
                              fn_err *err) {
  int64_t min = 0, max = 0;
  if (list.n != 2 || !fn_str_to_int64(&min, fn_str_from(list.items[0])) ||
      !fn_str_to_int64(&max, fn_str_from(list.items[1])) || min < 1 || max < min || max > limit) {
    return fn_err_set(err, FN_E_INVALID, "%s must be [shortest,longest], whole numbers from 1 to %lld in order", key,
                      (long long)limit);
  }
  *min_out = (int32_t)min;
  *max_out = (int32_t)max;
  return FN_OK;
}

fn_status fn_feature_spec_make(fn_feature_spec *spec_out, fn_text_mode mode, const fn_linear_options *options,
                               fn_err *err) {
  fn_feature_spec spec = {.mode = mode, .hash_bits = (int32_t)options->hash_bits};
  if (options->features != FN_LINEAR_CHAR) {
    FN_TRY(parse_orders(&spec.min[FN_FAMILY_WORD], &spec.max[FN_FAMILY_WORD], options->word_ngrams, FN_WORD_MAX_ORDER,
                        "linear.word_ngrams", err));
  }
  if (options->features != FN_LINEAR_WORD) {
    FN_TRY(parse_orders(&spec.min[FN_FAMILY_CHAR], &spec.max[FN_FAMILY_CHAR], options->char_ngrams, FN_CHAR_MAX_ORDER,
                        "linear.char_ngrams", err));
  }
  *spec_out = spec;
  return FN_OK;
}
