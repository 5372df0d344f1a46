#include "audit/style.h"

#include "linear/chars.h"

const char *fn_style_name(int style) {
  static const char *const names[] = {
#define FN_STYLE_NAME(code, name, unit) name,
      FN_STYLE_LIST(FN_STYLE_NAME)
#undef FN_STYLE_NAME
  };
  return names[style];
}

const char *fn_style_unit(int style) {
  static const char *const units[] = {
#define FN_STYLE_UNIT(code, name, unit) unit,
      FN_STYLE_LIST(FN_STYLE_UNIT)
#undef FN_STYLE_UNIT
  };
  return units[style];
}

typedef struct meter {
  fn_str s;
  uint32_t count[FN_N_STYLES];
  uint32_t n, letters, upper, beyond, runs, upper_runs;
  uint32_t prev, last_mark;                  /* last code points: any, and not white space */
  size_t run;                                /* where the run of letters or digits under way begins */
  bool in_run, in_word, in_space, after_end; /* after_end: the last one was . ! ? */
} meter;

static bool is_letter(uint32_t c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
static bool is_digit(uint32_t c) {
  return c >= '0' && c <= '9';
}

static bool is_one_of(fn_str word, const char *const *names, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (fn_str_is(word, names[i])) return true;
  return false;
}

/* A run of ASCII letters and digits that ends. */
static void end_run(meter *m, size_t end) {
  static const char *const months[] = {"January", "February",  "March",   "April",    "June",    "July",
                                       "August",  "September", "October", "November", "December"};
  static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
  fn_str word = fn_str_make(m->s.data + m->run, end - m->run);
  m->in_run = false;
  bool letters = true, upper = true, digits = true;
  for (size_t i = 0; i < word.length; i++) {
    uint32_t c = (unsigned char)word.data[i];
    letters &= is_letter(c);
    upper &= c <= 'Z';
    digits &= is_digit(c);
  }
  if (letters && word.length >= 2) m->runs++, m->upper_runs += upper;
  if (digits && word.length == 4 && (memcmp(word.data, "19", 2) == 0 || memcmp(word.data, "20", 2) == 0))
    m->count[FN_STYLE_YEARS]++;
  if (letters && !upper && word.data[0] <= 'Z' && word.length >= 4) {
    m->count[FN_STYLE_MONTHS] += is_one_of(word, months, FN_COUNT_OF(months));
    m->count[FN_STYLE_WEEKDAYS] += is_one_of(word, days, FN_COUNT_OF(days));
  }
}

static bool begins(const meter *m, size_t at, const char *what) {
  return fn_str_starts_with(fn_str_make(m->s.data + at, m->s.length - at), what);
}

/* &name; or &#digits; within 10 bytes; <name or </name up to > within 200. */
static bool is_html(const meter *m, size_t at) {
  const char *p = m->s.data + at + 1, *end = m->s.data + m->s.length;
  if (m->s.data[at] == '&') {
    const char *stop = end - p > 10 ? p + 10 : end, *from = p;
    while (p < stop && (is_letter((unsigned char)*p) || is_digit((unsigned char)*p) || *p == '#')) p++;
    return p < stop && *p == ';' && p > from;
  }
  const char *stop = end - p > 200 ? p + 200 : end;
  if (p < stop && *p == '/') p++;
  if (p == stop || !is_letter((unsigned char)*p)) return false;
  while (p < stop && *p != '>' && *p != '<') p++;
  return p < stop && *p == '>';
}

static void count_ascii(meter *m, uint32_t c, size_t at) {
  switch (c) {
  case '!': m->count[FN_STYLE_EXCLAMATION]++; break;
  case '?': m->count[FN_STYLE_QUESTION]++; break;
  case '"': m->count[FN_STYLE_STRAIGHT_QUOTES]++; break;
  case '\'': m->count[FN_STYLE_STRAIGHT_APOSTROPHES]++; break;
  case '(': m->count[FN_STYLE_ROUND_BRACKETS]++; break;
  case '[': m->count[FN_STYLE_SQUARE_BRACKETS]++; break;
  case ':': m->count[FN_STYLE_COLONS]++; break;
  case ';': m->count[FN_STYLE_SEMICOLONS]++; break;
  case '#': m->count[FN_STYLE_HASHES]++; break;
  case '@': m->count[FN_STYLE_AT_SIGNS]++; break;
  case '\n': m->count[FN_STYLE_LINE_BREAKS]++; break;
  case '\t': m->count[FN_STYLE_INVISIBLE]++; break;
  case '.': m->count[FN_STYLE_ELLIPSES] += begins(m, at, "...") && m->prev != '.'; break;
  case '<':
  case '&': m->count[FN_STYLE_HTML] += is_html(m, at); break;
  case 'h': m->count[FN_STYLE_URLS] += begins(m, at, "http://") || begins(m, at, "https://"); break;
  case 'w': m->count[FN_STYLE_URLS] += begins(m, at, "www.") && m->prev != '/'; break;
  default: break;
  }
}

static void count_beyond(meter *m, uint32_t c) {
  m->beyond++;
  bool latin_pair = (m->prev == 0xC2 || m->prev == 0xC3) && c >= 0x80 && c <= 0xBF;
  if (c == 0xFFFD || latin_pair || (m->prev == 0xE2 && c == 0x20AC)) m->count[FN_STYLE_MOJIBAKE]++;
  if (c == 0x201C || c == 0x201D || c == 0xAB || c == 0xBB) m->count[FN_STYLE_CURLY_QUOTES]++;
  if (c == 0x2026) m->count[FN_STYLE_ELLIPSES]++;
  if (c == 0x2013 || c == 0x2014) m->count[FN_STYLE_DASHES]++;
  if (c == 0xA0 || c == 0x202F || (c >= 0x200B && c <= 0x200F) || c == 0xFEFF) m->count[FN_STYLE_INVISIBLE]++;
}

static void count_one(meter *m, uint32_t c, size_t at) {
  bool letter = is_letter(c), digit = is_digit(c), space = fn_char_classify(c) == FN_CHAR_SPACE;
  m->n++;
  m->letters += letter;
  m->upper += letter && c <= 'Z';
  m->count[FN_STYLE_DIGITS] += digit;
  if (letter || digit) {
    if (!m->in_run) m->run = at, m->in_run = true;
  } else if (m->in_run) {
    end_run(m, at);
  }
  if (c < 0x80)
    count_ascii(m, c, at);
  else
    count_beyond(m, c);
  m->count[FN_STYLE_SENTENCES] += m->after_end && space;
  m->after_end = c == '.' || c == '!' || c == '?';
  m->count[FN_STYLE_DOUBLE_SPACES] += c == ' ' && m->prev == ' ' && !m->in_space;
  m->in_space = c == ' ' && m->prev == ' ';
  m->count[FN_STYLE_WORDS] += !space && !m->in_word;
  m->in_word = !space;
  if (!space) m->last_mark = c;
  m->prev = c;
}

/* Three or more capitals in a row, then a dash between spaces or after a bracket, all near the start. */
static bool has_dateline(fn_str s) {
  size_t end = s.length < 100 ? s.length : 100, capitals = 0, longest = 0;
  for (size_t i = 0; i + 1 < end; i++) {
    char c = s.data[i];
    capitals = c >= 'A' && c <= 'Z' ? capitals + 1 : 0;
    if (capitals > longest) longest = capitals;
    if (longest < 3 && c >= 'a' && c <= 'z' && i > 60) return false;
    bool dash = (c == '-' && s.data[i + 1] == ' ') || (i + 2 < end && memcmp(s.data + i, "\xE2\x80\x94", 3) == 0) ||
                (i + 2 < end && memcmp(s.data + i, "\xE2\x80\x93", 3) == 0);
    if (dash && i > 0 && (s.data[i - 1] == ' ' || s.data[i - 1] == ')')) return longest >= 3;
    if (c == '\n' && longest) return false;
  }
  return false;
}

static bool ends_well(uint32_t c) {
  return c == '.' || c == '!' || c == '?' || c == '"' || c == '\'' || c == 0x201D || c == 0x2019 || c == 0x2026;
}

static float share(double part, double whole) {
  return whole > 0 ? (float)(part / whole) : 0.0F;
}

void fn_style_measure(float out[FN_N_STYLES], fn_str s) {
  meter m = {.s = s};
  for (size_t i = 0; i < s.length;) {
    uint32_t c = (unsigned char)s.data[i];
    size_t n = 1;
    if (c >= 0x80) {
      n = fn_utf8_decode(&c, s.data + i, s.length - i);
      if (n == 0) n = 1, c = 0xFFFD;
    }
    if (i == 0) m.count[FN_STYLE_EDGE_SPACE] += fn_char_classify(c) == FN_CHAR_SPACE;
    count_one(&m, c, i);
    i += n;
  }
  if (m.in_run) end_run(&m, s.length);
  if (m.n > 1) m.count[FN_STYLE_EDGE_SPACE] += !m.in_word;
  m.count[FN_STYLE_SENTENCES] += m.in_word && m.after_end;
  uint32_t words = m.count[FN_STYLE_WORDS];
  if (words && !m.count[FN_STYLE_SENTENCES]) m.count[FN_STYLE_SENTENCES] = 1;
  for (int f = 0; f < FN_N_STYLES; f++) out[f] = (float)m.count[f];
  out[FN_STYLE_LENGTH] = (float)m.n;
  out[FN_STYLE_WORD_LENGTH] = share(m.n - (words ? words - 1 : 0), words);
  out[FN_STYLE_SENTENCE_LENGTH] = share(words, m.count[FN_STYLE_SENTENCES]);
  out[FN_STYLE_CAPITALS] = share(m.upper, m.letters);
  out[FN_STYLE_CAPITAL_WORDS] = share(m.upper_runs, m.runs);
  out[FN_STYLE_DIGITS] = share(m.count[FN_STYLE_DIGITS], m.n);
  out[FN_STYLE_BEYOND_ASCII] = share(m.beyond, m.n);
  out[FN_STYLE_DATELINE] = has_dateline(s);
  out[FN_STYLE_END_MARK] = ends_well(m.last_mark);
  out[FN_STYLE_ABSENCE] = words == 0;
}

enum { CHUNK = 64 };
typedef struct job {
  const fn_audit_sample *sample;
  float *table;
} job;

static void measure_rows(void *arg, size_t task, int worker) {
  (void)worker;
  const job *j = arg;
  size_t n = j->sample->n, end = (task + 1) * CHUNK < n ? (task + 1) * CHUNK : n;
  for (size_t i = task * CHUNK; i < end; i++) {
    const fn_str fields[2] = {j->sample->rows[i].title, j->sample->rows[i].text};
    for (size_t f = 0; f < 2; f++) {
      float values[FN_N_STYLES];
      fn_style_measure(values, fields[f]);
      for (size_t k = 0; k < FN_N_STYLES; k++) j->table[(f * FN_N_STYLES + k) * n + i] = values[k];
    }
  }
}

fn_status fn_style_table(float **table_out, fn_arena *arena, const fn_audit_sample *sample, fn_pool *pool,
                         fn_err *err) {
  job j = {sample, fn_arena_alloc(arena, sample->n, 2 * FN_N_STYLES * sizeof(float))};
  if (!j.table) return fn_err_no_memory(err, "features of style");
  fn_pool_run(pool, (sample->n + CHUNK - 1) / CHUNK, measure_rows, &j);
  *table_out = j.table;
  return FN_OK;
}
