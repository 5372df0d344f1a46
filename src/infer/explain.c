#include "infer/explain.h"

#include "infer/evaluation.h"
#include "infer/sentences.h"
#include "infer/session.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_PARTS = 1 << 20, MAX_COPIES = 64 << 20 };

void fn_explanation_deinit(fn_explanation *e) {
  free(e->parts);
  free(e->ngrams);
  *e = (fn_explanation){0};
}

typedef struct parts {
  fn_explained_part *items;
  size_t n, capacity;
} parts;

static fn_status append(parts *p, fn_explained_part part, fn_err *err) {
  void *items = p->items;
  FN_TRY(fn_mem_grow(&items, &p->capacity, p->n + 1, sizeof part, MAX_PARTS, "sentences", err));
  p->items = items;
  p->items[p->n++] = part;
  return FN_OK;
}

/* The title, then the sentences of the text. */
static fn_status split(parts *p, const fn_article *a, fn_text_mode mode, size_t read_bytes, fn_err *err) {
  const fn_explained_part none = {.n_sentences = 1, .read = true, .contribution = (double)NAN};
  fn_sentence s = {0, 0};
  if (mode != FN_TEXT_TEXT && fn_str_trim(a->title).length > 0) {
    fn_explained_part title = none;
    title.title = true;
    title.end = a->title.length;
    FN_TRY(append(p, title, err));
  }
  for (size_t at = 0; mode != FN_TEXT_TITLE && fn_sentence_next(&s, a->text, at); at = s.end) {
    fn_explained_part part = none;
    part.begin = s.begin;
    part.end = s.end;
    part.read = s.begin < read_bytes;
    FN_TRY(append(p, part, err));
  }
  return FN_OK;
}

/* Puts neighbours together until at most max parts are left to be taken out. The title stays alone. */
static void merge(parts *p, size_t max) {
  size_t first = p->n > 0 && p->items[0].title ? 1 : 0, n_read = 0;
  while (first + n_read < p->n && p->items[first + n_read].read) n_read++;
  size_t room = max > first ? max - first : 1;
  if (first + n_read <= max || n_read <= room) return;
  for (size_t g = 0; g < room; g++) { /* part i goes to group i · room / n_read */
    size_t begin = (g * n_read + room - 1) / room, end = ((g + 1) * n_read + room - 1) / room;
    fn_explained_part part = p->items[first + begin];
    part.end = p->items[first + end - 1].end;
    part.n_sentences = (int32_t)(end - begin);
    p->items[first + g] = part;
  }
  size_t rest = p->n - first - n_read;
  memmove(p->items + first + room, p->items + first + n_read, rest * sizeof *p->items);
  p->n = first + room + rest;
}

/* The article without one part; the text is written to buffer[text.length]. */
static fn_article without(const fn_article *a, const fn_explained_part *part, char *buffer) {
  if (part->title) return (fn_article){.text = a->text, .prior = a->prior};
  size_t tail = a->text.length - part->end;
  if (part->begin > 0) memcpy(buffer, a->text.data, part->begin);
  if (tail > 0) memcpy(buffer + part->begin, a->text.data + part->end, tail);
  return (fn_article){.title = a->title, .text = fn_str_make(buffer, part->begin + tail), .prior = a->prior};
}

/* The logit of an article as the whole one's is made: with its scaling and its length, so that what differs is the
 * model's answer alone. */
static double logit_of(const fn_session *s, const fn_prediction *p, const fn_prediction *whole) {
  const fn_answering *a = &s->answering;
  const fn_calibration_set *set = fn_answering_set(a, whole);
  if (set == NULL) return p->logits[a->fake] - p->logits[1 - a->fake];
  return fn_answering_logit(a, set, whole->prior, p->encoder_logit, p->linear_logit, whole->n_tokens);
}

/* d logit / d linear_logit. */
static double slope_of_linear(const fn_session *s, const fn_prediction *whole) {
  fn_prediction moved = *whole, still = *whole;
  moved.linear_logit += 1.0;
  const fn_answering *a = &s->answering;
  if (fn_answering_set(a, whole) == NULL) return s->uses_encoder ? 0.5 : 1.0;
  return logit_of(s, &moved, whole) - logit_of(s, &still, whole);
}

/* parts->items' contributions; the first variant is the article as far as it is read. */
static fn_status occlude(fn_explanation *e, fn_session *s, const fn_article *read, parts *p, fn_err *err) {
  size_t n_read = 0, bytes;
  for (size_t i = 0; i < p->n; i++) n_read += p->items[i].read;
  bool fits = fn_size_mul(&bytes, n_read, read->text.length + 1);
  FN_AUTO_FREE fn_article *articles = fn_mem_calloc(n_read + 1, sizeof *articles);
  FN_AUTO_FREE fn_prediction *predictions = fn_mem_calloc(n_read + 1, sizeof *predictions);
  FN_AUTO_FREE char *buffer = fits ? fn_mem_alloc(bytes, 1) : NULL;
  if (articles == NULL || predictions == NULL || buffer == NULL) return fn_err_no_memory(err, "sentences left out");
  articles[0] = *read;
  for (size_t i = 0, k = 0; i < p->n; i++) {
    if (!p->items[i].read) continue;
    articles[k + 1] = without(read, &p->items[i], buffer + k * (read->text.length + 1));
    k++;
  }
  FN_TRY(fn_session_classify(predictions, s, articles, n_read + 1, err));
  e->n_forwards += n_read + 1;
  if (predictions[0].status != FN_OK) return fn_err_set(err, predictions[0].status, "%s", predictions[0].message);
  e->logit = logit_of(s, &predictions[0], &e->prediction);
  for (size_t i = 0, k = 1; i < p->n; i++) {
    if (!p->items[i].read) continue;
    if (predictions[k].status == FN_OK)
      p->items[i].contribution = e->logit - logit_of(s, &predictions[k], &e->prediction);
    k++;
  }
  return FN_OK;
}

static fn_status list_ngrams(fn_explanation *e, const fn_session *s, const fn_article *a, size_t max, fn_err *err) {
  if (!s->uses_linear || max == 0) return FN_OK;
  const fn_str none = fn_str_make(NULL, 0);
  FN_AUTO_FREE fn_linear_ngram *ngrams = fn_mem_calloc(max, sizeof *ngrams);
  if (ngrams == NULL) return fn_err_no_memory(err, "n-grams");
  e->n_ngrams = fn_linear_explain(ngrams, max, s->classifier->linear, s->scratches[0],
                                  s->sequence.mode == FN_TEXT_TEXT ? none : a->title,
                                  s->sequence.mode == FN_TEXT_TITLE ? none : a->text);
  double slope = slope_of_linear(s, &e->prediction);
  for (size_t i = 0; i < e->n_ngrams; i++) ngrams[i].contribution *= slope;
  e->ngrams = FN_STEAL(ngrams);
  return FN_OK;
}

static fn_status run(fn_explanation *e, parts *p, fn_session *s, const fn_article *article, const fn_explain_options *o,
                     fn_err *err) {
  FN_TRY(fn_session_classify(&e->prediction, s, article, 1, err));
  e->prediction.window_spans = NULL;
  e->prediction.window_logits = NULL; /* they do not outlive the next call */
  e->n_forwards = 1;
  e->logit = e->prediction.logit;
  if (e->prediction.status != FN_OK) return FN_OK;
  e->read_bytes = s->sequence.mode == FN_TEXT_TITLE ? article->text.length : e->prediction.read_bytes;
  FN_TRY(split(p, article, s->sequence.mode, e->read_bytes, err));
  size_t passes = e->prediction.n_windows > 1 ? (size_t)e->prediction.n_windows : 1;
  size_t budget = (size_t)o->max_forwards / passes, room = MAX_COPIES / (article->text.length + 1);
  if (budget > room) budget = room;      /* each part left out is a copy of the text */
  merge(p, budget > 3 ? budget - 2 : 1); /* the whole article, and what is read of it, are two */
  fn_article read = *article;
  if (e->read_bytes < read.text.length) read.text.length = e->read_bytes;
  for (size_t i = 0; i < p->n; i++) { /* a sentence that is cut is left out as far as it is read */
    if (!p->items[i].title && p->items[i].read && p->items[i].end > read.text.length)
      p->items[i].end = read.text.length;
  }
  FN_TRY(occlude(e, s, &read, p, err));
  return list_ngrams(e, s, article, (size_t)o->ngrams, err);
}

fn_status fn_explain(fn_explanation *explanation, fn_session *session, const fn_article *article,
                     const fn_explain_options *options, fn_err *err) {
  FN_TRY(fn_evaluation_check_labels(&session->classifier->info, err));
  fn_explanation e = {0};
  parts p = {0};
  fn_status status = run(&e, &p, session, article, options, err);
  e.parts = p.items;
  e.n_parts = p.n;
  if (status != FN_OK) {
    fn_explanation_deinit(&e);
    return status;
  }
  fn_explanation_deinit(explanation);
  *explanation = e;
  return FN_OK;
}
