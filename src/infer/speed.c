#include "infer/speed.h"

#include "infer/session.h"

#include <math.h>
#include <stdlib.h>

enum { WARM_UP = 3, MIN_RUNS = 15, MAX_RUNS = 100000 };

/* The next token of the vocabulary, from *id on and around, that is a word of its own. */
static const char *next_word(const fn_classifier *c, int32_t *id) {
  int32_t n = fn_tokenizer_get_info(c->tokenizer)->vocab_size;
  for (int32_t i = 0; i < n; i++) {
    const char *s = fn_tokenizer_token(c->tokenizer, *id);
    *id = (*id + 1) % n;
    size_t letters = strspn(s, "abcdefghijklmnopqrstuvwxyz");
    if (letters >= 2 && s[letters] == '\0') return s;
  }
  return NULL;
}

static fn_status make_text(fn_buf *out, const fn_classifier *c, int32_t tokens, fn_err *err) {
  int32_t id = 0;
  if (!fn_classifier_has_encoder(c)) {
    for (int32_t i = 0; i < tokens; i++) fn_buf_printf(out, "word%d ", (int)i);
    return fn_buf_check(out, "an article", err);
  }
  for (int32_t i = 2; i < tokens; i++) { /* beside the two special tokens */
    const char *word = next_word(c, &id);
    if (word == NULL) return fn_err_set(err, FN_E_INVALID, "%s: no plain word in the vocabulary", c->info.dir);
    fn_buf_printf(out, "%s ", word);
  }
  return fn_buf_check(out, "an article", err);
}

/* Two operations a multiplication and addition; the last layer beyond keys and values for the first row alone. */
static double count_operations(const fn_model_config *c, double T) {
  double C = c->hidden_size, F = c->intermediate_size, L = c->num_hidden_layers, K = c->num_labels;
  double linear = (L - 1) * T * (4 * C * C + 2 * C * F) + T * 2 * C * C + 2 * C * C + 2 * C * F + C * C + C * K;
  double attention = (L - 1) * T * T * 2 * C + T * 2 * C;
  return 2 * (linear + attention);
}

static int compare(const void *a, const void *b) {
  const double *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static fn_status run(double **times_out, size_t *n_out, fn_session *s, const fn_article *article, double seconds,
                     fn_err *err) {
  FN_AUTO_FREE double *times = NULL;
  size_t n = 0, capacity = 0;
  uint64_t begin = 0;
  for (size_t i = 0; i < WARM_UP + MAX_RUNS; i++) {
    fn_prediction p;
    uint64_t t = fn_clock_ns();
    FN_TRY(fn_session_classify(&p, s, article, 1, err));
    uint64_t end = fn_clock_ns();
    if (p.status != FN_OK) return fn_err_set(err, p.status, "%s", p.message);
    if (i < WARM_UP) {
      begin = end;
      continue;
    }
    FN_TRY(fn_mem_grow((void **)&times, &capacity, n + 1, sizeof *times, MAX_RUNS, "times", err));
    times[n++] = (double)(end - t) * 1e-6;
    if (n >= MIN_RUNS && (double)(end - begin) * 1e-9 >= seconds) break;
  }
  qsort(times, n, sizeof *times, compare);
  *times_out = FN_STEAL(times);
  *n_out = n;
  return FN_OK;
}

fn_status fn_speed_measure(fn_speed *speed_out, const fn_classifier *classifier, const fn_infer_options *options,
                           fn_device *device, int32_t tokens, double seconds, fn_err *err) {
  fn_infer_options o = *options;
  FN_AUTO_BUF fn_buf text;
  FN_AUTO_FREE double *times = NULL;
  size_t n = 0;
  fn_session *s;
  fn_buf_init(&text, 1 << 24);
  o.long_texts = FN_INFER_CUT;
  if (fn_classifier_has_encoder(classifier)) o.max_tokens = tokens;
  FN_TRY(make_text(&text, classifier, tokens, err));
  FN_TRY(fn_session_create(&s, classifier, &o, device, err));
  const fn_str none = fn_str_make(NULL, 0), words = fn_buf_str(&text);
  const bool title = fn_session_mode(s) == FN_TEXT_TITLE;
  const fn_article article = {.title = title ? words : none, .text = title ? none : words};
  fn_status status = run(&times, &n, s, &article, seconds, err);
  fn_speed speed = {.tokens = tokens, .n_runs = n, .share_of_peak = (double)NAN, .peak_gops = (double)NAN};
  if (status == FN_OK) {
    speed.p50_ms = times[n / 2];
    speed.p95_ms = times[n * 95 / 100];
    speed.p99_ms = times[n * 99 / 100];
    speed.tokens_per_s = tokens / speed.p50_ms * 1e3;
  }
  const fn_device *d = s->own_device ? s->own_device : s->device;
  fn_device_describe(speed.device, sizeof speed.device, d);
  if (status == FN_OK && s->uses_encoder) {
    speed.operations = count_operations(&classifier->config, tokens);
    speed.peak_gops = fn_device_peak(d) * (double)s->n_workers;
    speed.share_of_peak = speed.operations / (speed.p50_ms * 1e6) / speed.peak_gops;
  }
  fn_session_destroy(s);
  if (status == FN_OK) *speed_out = speed;
  return status;
}
