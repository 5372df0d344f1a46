/* The words of an answer. What would change under another share of false texts is written so that page.js can put the
 * new numbers in: every verdict's sentence is there, and one is shown. */
#include "serve/page_view.h"

#include <math.h>
#include <stdlib.h>

/* Contributions in log-odds from which a sentence is marked weakly, clearly, strongly. */
static const double levels[] = {0.05, 0.15, 0.4};
enum { N_LEVELS = 3, N_DOTS = 100, DOTS_A_ROW = 25, MAX_TURNS = 3, MAX_WORDS = 12, QUOTE_BYTES = 140 };

typedef struct view {
  fn_json_writer *w;
  const json_t *answer, *explanation;
  fn_str title, text;
  double p, logit, threshold, prior; /* p of fake; NaN: not known */
  const char *verdict, *label;
  bool has_cut;   /* the place where reading ends is marked already */
  bool is_forced; /* unsure whatever the number: a reason says so */
  bool is_never;  /* or input of this kind gets no verdict: the threshold cannot be reached */
  bool headline_only;
} view;

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "";
}

static bool is_set(const json_t *object, const char *key) {
  return json_is_true(json_object_get(object, key));
}

static double log_odds(double p) {
  return log(p / (1 - p));
}

static double share_of(double logit) {
  return 1 / (1 + exp(-logit));
}

static void write_grouped(fn_json_writer *w, const char *key, long value) {
  char text[32];
  if (value >= 1000000)
    snprintf(text, sizeof text, "%ld,%03ld,%03ld", value / 1000000, value / 1000 % 1000, value % 1000);
  else if (value >= 1000)
    snprintf(text, sizeof text, "%ld,%03ld", value / 1000, value % 1000);
  else
    snprintf(text, sizeof text, "%ld", value);
  fn_json_text(w, key, text);
}

static void write_frequency(fn_json_writer *w, double p) {
  int count = 0, of = 0;
  fn_page_frequency(&count, &of, p);
  write_grouped(w, "of", of);
  write_grouped(w, "fake", count);
  write_grouped(w, "real", of - count);
}

static void write_dots(fn_json_writer *w, double p) {
  long on = lround(p * N_DOTS);
  fn_json_array(w, "dots");
  for (int i = 0; i < N_DOTS; i++) {
    fn_json_object(w, NULL);
    fn_json_int(w, "x", 5 + 10 * (i % DOTS_A_ROW));
    fn_json_int(w, "y", 5 + 10 * (i / DOTS_A_ROW));
    fn_json_bool(w, "on", i < on);
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_reasons(view *v) {
  const json_t *reasons = json_object_get(v->answer, "reasons");
  fn_json_array(v->w, "reasons");
  for (size_t i = 0; i < json_array_size(reasons); i++) {
    const json_t *reason = json_array_get(reasons, i);
    fn_json_object(v->w, NULL);
    fn_json_text(v->w, "code", text_of(reason, "code"));
    fn_json_text(v->w, "meaning", text_of(reason, "meaning"));
    fn_json_end(v->w);
  }
  fn_json_end(v->w);
  fn_json_bool(v->w, "has_reasons", json_array_size(reasons) > 0);
}

static void read_reasons(view *v) {
  const json_t *reasons = json_object_get(v->answer, "reasons");
  for (size_t i = 0; i < json_array_size(reasons); i++) {
    const char *code = text_of(json_array_get(reasons, i), "code");
    v->headline_only |= strcmp(code, "headline_only") == 0;
    v->is_forced |=
        strcmp(code, "not_english") == 0 || strcmp(code, "too_short") == 0 || strcmp(code, "unknown_tokens") == 0;
  }
}

/* Shares of false texts at which the verdict turns. A shift of the prior adds the same to every log-odds, so that these
 * do not depend on the share that is set now. */
static void write_turning_shares(view *v) {
  char words[48];
  double base = log_odds(v->prior) - v->logit, edge = log_odds(v->threshold);
  double fake_from = share_of(base + edge), real_to = share_of(base - edge);
  bool is_known = !isnan(fake_from) && !v->is_forced && !v->is_never;
  fn_json_text(v->w, "fake_from", is_known && fake_from < 0.9995 ? fn_page_share(words, fake_from) : NULL);
  fn_json_text(v->w, "real_to", is_known && real_to > 0.0005 ? fn_page_share(words, real_to) : NULL);
  fn_json_bool(v->w, "has_turn", is_known);
}

static size_t count_characters(fn_str text) {
  size_t n = 0;
  for (size_t i = 0; i < text.length; i++) n += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return n;
}

static size_t clamp(double place, size_t length) {
  if (!(place > 0)) return 0;
  return place < (double)length ? (size_t)place : length;
}

/* text[begin,end), and at most `most` bytes of it at a character's end. */
static fn_str slice(fn_str text, double begin, double end, size_t most, bool *is_cut) {
  size_t from = clamp(begin, text.length), to = clamp(end, text.length);
  if (from > to) from = to;
  *is_cut = to - from > most;
  if (*is_cut)
    for (to = from + most; to > from && ((unsigned char)text.data[to] & 0xC0) == 0x80;) to--;
  return fn_str_make(text.data + from, to - from);
}

static fn_str slice_of_part(const view *v, const json_t *part, size_t most, bool *is_cut) {
  fn_str whole = strcmp(text_of(part, "of"), "title") == 0 ? v->title : v->text;
  return slice(whole, fn_json_number(part, "begin"), fn_json_number(part, "end"), most, is_cut);
}

/* The part that pushes hardest towards the label among those that push less than `below`; NULL: none does clearly. */
static const json_t *find_push(const json_t *parts, bool towards_fake, double below) {
  const json_t *best = NULL;
  double most = levels[1];
  for (size_t i = 0; i < json_array_size(parts); i++) {
    const json_t *part = json_array_get(parts, i);
    const double c = fn_json_number(part, "contribution"), push = fabs(c);
    if (isnan(c) || (c > 0) != towards_fake || push < most || push >= below) continue;
    most = push;
    best = part;
  }
  return best;
}

/* The sentences that push hardest towards the label: what would be left without each. Says how many there are. */
static int write_turns(view *v) {
  const json_t *parts = json_object_get(v->explanation, "parts"), *part;
  const bool is_known = v->title.length + v->text.length > 0 && !isnan(v->logit) && is_set(v->answer, "calibrated");
  double below = (double)INFINITY;
  int n = 0;
  fn_json_array(v->w, "turns");
  while (is_known && n < MAX_TURNS && (part = find_push(parts, v->p >= 0.5, below)) != NULL) {
    bool is_cut = false;
    const double c = fn_json_number(part, "contribution");
    below = fabs(c);
    fn_json_object(v->w, NULL);
    fn_json_str(v->w, "quote", slice_of_part(v, part, QUOTE_BYTES, &is_cut));
    fn_json_bool(v->w, "is_cut", is_cut);
    fn_json_bool(v->w, "is_title", strcmp(text_of(part, "of"), "title") == 0);
    fn_json_double(v->w, "contribution", c);
    write_frequency(v->w, share_of(v->logit - c));
    fn_json_end(v->w);
    n++;
  }
  fn_json_end(v->w);
  return n;
}

static int compare_parts(const void *a, const void *b) {
  double x = fn_json_number(*(const json_t *const *)a, "begin"), y = fn_json_number(*(const json_t *const *)b, "begin");
  return (x > y) - (x < y);
}

static int level_of(double contribution) {
  int level = 0;
  while (level < N_LEVELS && fabs(contribution) >= levels[level]) level++;
  return level;
}

/* "+0.30", "−0.21". */
static void write_signed(fn_json_writer *w, const char *key, double value, int n_decimals, const char *unit) {
  char text[48];
  snprintf(text, sizeof text, "%s%.*f%s", value < 0 ? "\xE2\x88\x92" : "+", n_decimals, fabs(value), unit);
  fn_json_text(w, key, text);
}

/* A piece of the article: plain, or marked with what it adds. */
static void write_piece(view *v, fn_str piece, double contribution, bool is_unread) {
  int level = isnan(contribution) ? 0 : level_of(contribution);
  char size[2] = {(char)('0' + level), 0};
  if (piece.length == 0) return;
  fn_json_object(v->w, NULL);
  fn_json_str(v->w, "text", piece);
  fn_json_bool(v->w, "is_cut", false);
  fn_json_bool(v->w, "is_marked", level > 0);
  fn_json_bool(v->w, "is_plain", level == 0 && !is_unread);
  fn_json_bool(v->w, "is_unread", is_unread && level == 0);
  fn_json_text(v->w, "side", contribution > 0 ? "fake" : "real");
  fn_json_bool(v->w, "is_fake", contribution > 0);
  fn_json_text(v->w, "level", size);
  write_signed(v->w, "adds", isnan(contribution) ? 0 : contribution, 2, "");
  fn_json_end(v->w);
}

static void write_cut(view *v) {
  v->has_cut = true;
  fn_json_object(v->w, NULL);
  fn_json_bool(v->w, "is_cut", true);
  fn_json_bool(v->w, "is_marked", false);
  fn_json_bool(v->w, "is_plain", false);
  fn_json_bool(v->w, "is_unread", false);
  fn_json_end(v->w);
}

/* text[from,to) with the mark of the cut where it lies inside. read: bytes that are read, or the whole length. */
static void write_span(view *v, size_t from, size_t to, double contribution, size_t read) {
  if (from >= to) return;
  const char *data = v->text.data;
  if (from >= read && !v->has_cut) write_cut(v);
  if (read <= from || read >= to) {
    write_piece(v, fn_str_make(data + from, to - from), contribution, from >= read);
    return;
  }
  write_piece(v, fn_str_make(data + from, read - from), contribution, false);
  write_cut(v);
  write_piece(v, fn_str_make(data + read, to - read), (double)NAN, true);
}

static size_t place(const json_t *part, const char *key, size_t from, size_t to) {
  double value = fn_json_number(part, key);
  if (!(value > (double)from)) return from;
  return value < (double)to ? (size_t)value : to;
}

static const json_t **sort_parts(size_t *n_out, const json_t *parts) {
  size_t n = 0, total = json_array_size(parts);
  const json_t **sorted = calloc(total + 1, sizeof *sorted);
  for (size_t i = 0; sorted != NULL && i < total; i++)
    if (strcmp(text_of(json_array_get(parts, i), "of"), "text") == 0) sorted[n++] = json_array_get(parts, i);
  if (n > 1) qsort(sorted, n, sizeof *sorted, compare_parts);
  *n_out = n;
  return sorted;
}

static void write_pieces(view *v) {
  const json_t *parts = json_object_get(v->explanation, "parts");
  double read_bytes = fn_json_number(v->answer, "read_bytes");
  size_t read = v->text.length, at = 0, n = 0;
  if (is_set(v->answer, "truncated") && read_bytes >= 0 && read_bytes < (double)read) read = (size_t)read_bytes;
  const json_t **sorted = sort_parts(&n, parts);
  fn_json_array(v->w, "pieces");
  for (size_t i = 0; i < n; i++) {
    size_t begin = place(sorted[i], "begin", at, v->text.length), end = place(sorted[i], "end", begin, v->text.length);
    write_span(v, at, begin, (double)NAN, read);
    write_span(v, begin, end, fn_json_number(sorted[i], "contribution"), read);
    at = end;
  }
  write_span(v, at, v->text.length, (double)NAN, read);
  fn_json_end(v->w);
  free(sorted);
}

static void write_title(view *v) {
  const json_t *parts = json_object_get(v->explanation, "parts");
  double contribution = (double)NAN;
  for (size_t i = 0; i < json_array_size(parts); i++)
    if (strcmp(text_of(json_array_get(parts, i), "of"), "title") == 0)
      contribution = fn_json_number(json_array_get(parts, i), "contribution");
  fn_json_array(v->w, "title_pieces");
  write_piece(v, v->title, contribution, false);
  fn_json_end(v->w);
}

static void write_words(view *v) {
  const json_t *ngrams = json_object_get(v->explanation, "ngrams");
  fn_json_array(v->w, "words");
  for (size_t i = 0; i < json_array_size(ngrams) && i < MAX_WORDS; i++) {
    const json_t *ngram = json_array_get(ngrams, i);
    double c = fn_json_number(ngram, "contribution");
    bool is_cut = false;
    fn_json_object(v->w, NULL);
    fn_json_str(v->w, "text", slice_of_part(v, ngram, QUOTE_BYTES, &is_cut));
    write_signed(v->w, "adds", c, 3, "");
    fn_json_text(v->w, "side", c > 0 ? "fake" : "real");
    fn_json_end(v->w);
  }
  fn_json_end(v->w);
  fn_json_bool(v->w, "has_words", json_array_size(ngrams) > 0 && v->title.length + v->text.length > 0);
}

/* Windows as bars of a drawing 100 wide, one row each, so that overlaps show. */
static void write_windows(view *v) {
  const json_t *windows = json_object_get(v->answer, "windows");
  size_t n = json_array_size(windows);
  double length = (double)v->text.length;
  for (size_t i = 0; i < n; i++) length = fmax(length, fn_json_number(json_array_get(windows, i), "end"));
  fn_json_array(v->w, "windows");
  for (size_t i = 0; i < n && n > 1 && length > 0; i++) {
    const json_t *window = json_array_get(windows, i);
    double begin = fn_json_number(window, "begin"), end = fn_json_number(window, "end"),
           share = fn_json_number(window, "share");
    bool is_cut = false;
    char places[2][16];
    snprintf(places[0], sizeof places[0], "%.1f", 100 * begin / length);
    snprintf(places[1], sizeof places[1], "%.1f", fmax(100 * (end - begin) / length, 0.5));
    fn_json_object(v->w, NULL);
    fn_json_int(v->w, "number", (int64_t)i + 1);
    fn_json_text(v->w, "x", places[0]);
    fn_json_text(v->w, "width", places[1]);
    fn_json_text(v->w, "side", share > 0 ? "fake" : "real");
    fn_json_bool(v->w, "is_fake", share > 0);
    write_signed(v->w, "share", 100 * share, 0, " %");
    fn_json_str(v->w, "begins", slice(v->text, begin, end, 60, &is_cut));
    fn_json_end(v->w);
  }
  fn_json_end(v->w);
  fn_json_bool(v->w, "has_windows", n > 1 && length > 0);
}

void fn_page_view_record(fn_json_writer *w, const json_t *model, const char *part, const char *input) {
  const json_t *calibration = json_object_get(model, "calibration"), *sets = json_object_get(calibration, "sets");
  fn_json_object(w, "record");
  bool is_known = false;
  for (size_t i = 0; i < json_array_size(sets) && !is_known; i++) {
    const json_t *set = json_array_get(sets, i);
    double coverage = fn_json_number(set, "coverage"), right = fn_json_number(set, "accuracy"),
           groups = fn_json_number(set, "groups");
    if (strcmp(text_of(set, "part"), part) != 0 || strcmp(text_of(set, "input"), input) != 0) continue;
    if (isnan(coverage) || isnan(right) || isnan(groups)) continue;
    is_known = true;
    write_grouped(w, "covered", lround(100 * coverage));
    write_grouped(w, "right", lround(100 * right));
    write_grouped(w, "rows", lround(fn_json_number(set, "rows")));
    write_grouped(w, "groups", lround(groups));
    fn_json_text(w, "group", text_of(calibration, "grouped_by"));
    fn_json_text(w, "input", input);
  }
  fn_json_bool(w, "is_known", is_known);
  fn_json_end(w);
}

static void write_record(view *v, const json_t *model) {
  const json_t *halves = json_object_get(v->answer, "halves");
  bool encoder = json_is_number(json_object_get(halves, "encoder"));
  bool linear = json_is_number(json_object_get(halves, "linear"));
  const char *part = encoder && linear ? "both" : encoder ? "encoder" : "linear";
  if (!is_set(v->answer, "calibrated") || v->is_never) part = "";
  fn_page_view_record(v->w, model, part, v->headline_only ? "headline" : "article");
}

static void write_verdict(view *v) {
  const char *verdict = v->verdict;
  bool is_plain = strcmp(verdict, "") == 0;
  fn_json_text(v->w, "verdict", is_plain ? "none" : verdict);
  fn_json_bool(v->w, "is_never", v->is_never && !v->is_forced);
  fn_json_bool(v->w, "stays_unsure", v->is_never || v->is_forced);
  fn_json_text(v->w, "label", v->label);
  fn_json_bool(v->w, "says_fake", strcmp(verdict, "fake") == 0);
  fn_json_bool(v->w, "says_real", strcmp(verdict, "real") == 0);
  fn_json_bool(v->w, "says_unsure", strcmp(verdict, "unsure") == 0);
  fn_json_bool(v->w, "says_none", is_plain);
  fn_json_bool(v->w, "leans_fake", v->p >= 0.5);
  fn_json_bool(v->w, "leans_real", v->p < 0.5);
  fn_json_bool(v->w, "is_forced", v->is_forced);
  fn_json_bool(v->w, "headline_only", v->headline_only);
}

static void write_numbers(view *v) {
  bool has_number = !isnan(v->p);
  fn_json_bool(v->w, "has_number", has_number);
  fn_json_bool(v->w, "calibrated", is_set(v->answer, "calibrated"));
  fn_json_double(v->w, "p", v->p);
  fn_json_double(v->w, "logit", v->logit);
  fn_json_double(v->w, "threshold", v->threshold);
  fn_json_double(v->w, "prior", v->prior);
  char words[48] = "";
  if (!isnan(v->prior)) fn_page_share(words, v->prior);
  fn_json_text(v->w, "prior_words", words);
  fn_json_bool(v->w, "has_prior", has_number && !isnan(v->prior) && !isnan(v->logit));
  const bool has_threshold = !isnan(v->threshold) && !v->is_forced && !v->is_never;
  fn_json_bool(v->w, "has_threshold", has_threshold);
  write_grouped(v->w, "threshold_of_100", has_threshold ? (long)ceil(100 * v->threshold - 1e-9) : 0);
  write_frequency(v->w, has_number ? v->p : 0.5);
  write_dots(v->w, has_number ? v->p : 0);
  write_turning_shares(v);
  int n_turns = write_turns(v);
  fn_json_bool(v->w, "has_change",
               n_turns > 0 || v->headline_only || is_set(v->answer, "truncated") || has_threshold ||
                   (v->is_never && !v->is_forced));
}

static void write_extent(view *v) {
  double read = fn_json_number(v->answer, "read_bytes"), tokens = fn_json_number(v->answer, "n_tokens");
  double took = fn_json_number(v->answer, "took_ms");
  bool is_cut = false;
  fn_json_bool(v->w, "truncated", is_set(v->answer, "truncated"));
  write_grouped(v->w, "n_tokens", isnan(tokens) ? 0 : lround(tokens));
  write_grouped(v->w, "max_tokens", lround(fmax(0, fn_json_number(v->answer, "max_tokens"))));
  write_grouped(v->w, "n_characters", (long)count_characters(v->text));
  write_grouped(v->w, "read_characters",
                (long)count_characters(slice(v->text, 0, isnan(read) ? 0 : read, SIZE_MAX, &is_cut)));
  char ms[32] = "";
  if (!isnan(took)) snprintf(ms, sizeof ms, "%.*f", took < 10 ? 1 : 0, took);
  fn_json_text(v->w, "took_ms", ms);
}

void fn_page_view_answer(fn_json_writer *w, const json_t *answer, fn_str title, fn_str text, const json_t *model) {
  view v = {
      .w = w, .answer = answer, .title = title, .text = text, .explanation = json_object_get(answer, "explanation")};
  if (title.data == NULL) v.title = fn_str_from(""); /* not kept, or not given */
  if (text.data == NULL) v.text = fn_str_from("");
  v.p = fn_json_number(json_object_get(answer, "probabilities"), "fake");
  v.logit = fn_json_number(answer, "logit");
  v.threshold = fn_json_number(answer, "threshold");
  v.prior = fn_json_number(answer, "prior");
  v.verdict = text_of(answer, "verdict");
  v.label = text_of(answer, "label");
  if (isnan(v.logit) && is_set(answer, "calibrated") && v.p > 0 && v.p < 1) v.logit = log_odds(v.p);
  if (v.threshold < 0) v.threshold = (double)NAN;
  v.is_never = v.threshold > 1;
  read_reasons(&v);
  fn_json_object(w, "answer");
  fn_json_text(w, "id", text_of(answer, "id"));
  fn_json_text(w, "request_id", text_of(answer, "request_id"));
  fn_json_text(w, "model", text_of(answer, "model"));
  write_verdict(&v);
  write_numbers(&v);
  write_reasons(&v);
  write_record(&v, model);
  write_extent(&v);
  write_windows(&v);
  fn_json_bool(w, "has_text", title.length + text.length > 0);
  fn_json_bool(w, "is_explained", json_is_object(v.explanation));
  write_title(&v);
  write_pieces(&v);
  write_words(&v);
  fn_json_end(w);
}
