/* Invented news as CSV on standard output, for measuring `data prepare` at sizes that nobody commits.
 *
 *   make_news articles 500000 > articles.csv      2 GB: bodies of about 4 KB, headlines
 *   make_news tweets 12000000 > tweets.csv        2 GB: about 150 bytes, no headline
 *   make_news KIND ROWS [SEED]
 *
 * Words come from an invented vocabulary with frequencies as in English (rank and frequency inverse); 3 rows in 100 are
 * exact copies of one among the last thousand, 5 are copies with a few words changed, one copy in 50 has the other
 * label. The bytes are a function of the arguments. */
#include "base/base.h"

#include <stdlib.h>

enum { N_WORDS = 60000, RECENT = 1024, WORD_BYTES = 16 };

typedef struct generator {
  fn_rng rng;
  char words[N_WORDS][WORD_BYTES];
  uint8_t lengths[N_WORDS];
  uint16_t by_rank[1 << 16]; /* a table of log-uniform ranks: a draw is one look-up */
  fn_buf recent[RECENT];     /* bodies */
  uint8_t labels[RECENT];
  fn_buf body;
} generator;

static void make_words(generator *g) {
  static const char *const syllables[] = {"ka", "ro", "min", "te", "sal", "vo", "ber", "in", "do", "na",  "chi", "lor",
                                          "es", "tu", "ran", "pe", "gil", "ma", "on",  "re", "fa", "dul", "wi",  "sh"};
  for (size_t w = 0; w < N_WORDS; w++) {
    size_t n = 0;
    for (uint64_t k = 1 + fn_rng_below(&g->rng, 4); k; k--) {
      const char *s = syllables[fn_rng_below(&g->rng, FN_COUNT_OF(syllables))];
      for (; *s && n + 1 < WORD_BYTES; s++) g->words[w][n++] = *s;
    }
    g->lengths[w] = (uint8_t)n;
  }
  /* Ranks r with a density of 1 / r: e^(u ln N). Squared halving instead of exp(): each octave gets the same share. */
  for (size_t i = 0; i < FN_COUNT_OF(g->by_rank); i++) {
    uint32_t octave = (uint32_t)(i >> 12), low = 1U << octave;
    uint32_t rank = low + (uint32_t)(((uint64_t)(i & 4095) << octave) >> 12);
    g->by_rank[i] = (uint16_t)(rank < N_WORDS ? rank : N_WORDS - 1);
  }
}

static void append_words(generator *g, fn_buf *out, uint64_t n, bool sentences) {
  uint64_t to_full_stop = 0;
  for (uint64_t i = 0; i < n; i++) {
    uint32_t draw = fn_rng_u32(&g->rng), word = g->by_rank[draw >> 16];
    size_t at = out->length;
    if (i) fn_buf_append_char(out, ' ');
    fn_buf_append(out, g->words[word], g->lengths[word]);
    if (to_full_stop == 0) {
      to_full_stop = 8 + (draw & 15);
      char *first = out->data + at + (i > 0);
      *first = (char)(*first - 'a' + 'A');
    }
    if (--to_full_stop == 0 && sentences)
      fn_buf_append_char(out, '.');
    else if ((draw & 0xF0) == 0)
      fn_buf_append_char(out, ',');
  }
}

/* One word in 60 becomes another one. */
static void append_changed(generator *g, fn_buf *out, fn_str text) {
  for (size_t i = 0; i < text.length;) {
    size_t end = i;
    while (end < text.length && text.data[end] != ' ') end++;
    if (fn_rng_below(&g->rng, 60) == 0)
      append_words(g, out, 1, false);
    else
      fn_buf_append(out, text.data + i, end - i);
    if (end < text.length) fn_buf_append_char(out, ' ');
    i = end + 1;
  }
}

static void write_row(generator *g, uint64_t row, bool tweets) {
  uint64_t kind = fn_rng_below(&g->rng, 100), from = fn_rng_below(&g->rng, RECENT), label = fn_rng_below(&g->rng, 2);
  fn_buf *body = &g->body;
  fn_buf_reset(body);
  if (row >= RECENT && kind < 8) {
    label = fn_rng_below(&g->rng, 50) ? g->labels[from] : 1U - g->labels[from];
    if (kind < 3)
      fn_buf_append(body, g->recent[from].data, g->recent[from].length);
    else
      append_changed(g, body, fn_buf_str(&g->recent[from]));
  } else {
    append_words(g, body, tweets ? 13 + fn_rng_below(&g->rng, 20) : 200 + fn_rng_below(&g->rng, 840), true);
  }
  size_t slot = (size_t)(row % RECENT);
  fn_buf_reset(&g->recent[slot]);
  fn_buf_append(&g->recent[slot], body->data, body->length);
  g->labels[slot] = (uint8_t)label;
  printf("%s,%u,\"", label ? "fake" : "real", (unsigned)fn_rng_below(&g->rng, 4000));
  if (!tweets) {
    fn_buf FN_AUTO_BUF title = {0};
    append_words(g, &title, 6 + fn_rng_below(&g->rng, 8), false);
    fwrite(title.data, 1, title.length, stdout);
  }
  fputs("\",\"", stdout);
  fwrite(body->data, 1, body->length, stdout);
  fputs("\"\n", stdout);
}

int main(int argc, char **argv) {
  int64_t rows = 0, seed = 2018;
  bool tweets = argc > 1 && strcmp(argv[1], "tweets") == 0;
  if (argc < 3 || (!tweets && strcmp(argv[1], "articles") != 0) || !fn_str_to_int64(&rows, fn_str_from(argv[2])) ||
      (argc > 3 && !fn_str_to_int64(&seed, fn_str_from(argv[3])))) {
    fputs("usage: make_news articles|tweets ROWS [SEED]\n", stderr);
    return 2;
  }
  generator *g = calloc(1, sizeof *g);
  if (!g) return 1;
  g->rng = fn_rng_make((uint64_t)seed, 0);
  make_words(g);
  puts("label,source,title,text");
  for (int64_t row = 0; row < rows; row++) write_row(g, (uint64_t)row, tweets);
  for (size_t i = 0; i < RECENT; i++) fn_buf_deinit(&g->recent[i]);
  fn_buf_deinit(&g->body);
  free(g);
  return fflush(stdout) == 0 ? 0 : 1;
}
