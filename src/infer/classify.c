/* Articles through a transformer: tokens, windows, packed batches within the budget, mean of the windows' logits. */
#include "infer/session.h"

#include <stdlib.h>

/* Tokens of one article. */
typedef struct reading {
  fn_tokens title, text;
  fn_windows windows;
  size_t first_window; /* place in window_logits, with several of them */
  fn_status status;
} reading;

typedef struct call {
  fn_session *session;
  const fn_article *articles;
  fn_prediction *predictions;
  reading *readings; /* [n] */
  size_t n;
} call;

/* Of the text only as many tokens are made as can matter: cutting compares it with the title, so it stays the longer of
 * the two when it is. */
static void tokenise(void *arg, size_t i, int worker) {
  call *c = arg;
  const fn_session *s = c->session;
  reading *r = &c->readings[i];
  const fn_tokenizer *tokenizer = s->classifier->tokenizer;
  fn_word_cache *cache = s->caches[worker];
  if (c->predictions[i].status != FN_OK) return;
  if (s->sequence.mode != FN_TEXT_TEXT)
    r->status = fn_tokenizer_encode_cached(&r->title, tokenizer, cache, c->articles[i].title, 0, NULL);
  size_t enough = (r->title.n + (size_t)s->sequence.max_tokens + 1) * s->max_windows;
  if (r->status == FN_OK && s->sequence.mode != FN_TEXT_TITLE) {
    r->status = fn_tokenizer_encode_cached(&r->text, tokenizer, cache, c->articles[i].text, enough, NULL);
  }
  if (r->status != FN_OK) return;
  fn_evidence *evidence = &c->predictions[i].evidence;
  const int32_t unknown = fn_tokenizer_get_info(tokenizer)->unk_id;
  fn_evidence_add_tokens(evidence, &r->title, unknown);
  fn_evidence_add_tokens(evidence, &r->text, unknown);
  r->windows = fn_windows_plan(r->title.n, r->text.n, &s->sequence, s->max_windows);
  if (r->windows.n_text < r->text.n) {
    c->predictions[i].read_bytes = r->windows.n_text > 0 ? r->text.end[r->windows.n_text - 1] : 0;
  }
}

/* A place in the list of all windows. */
typedef struct cursor {
  size_t article, window;
} cursor;

static bool skip_refused(const call *c, cursor *at) {
  while (at->article < c->n && c->predictions[at->article].status != FN_OK) at->article++;
  return at->article < c->n;
}

/* Windows from *at on, as many as fit. */
static fn_status fill(call *c, cursor *at, fn_err *err) {
  fn_session *s = c->session;
  fn_batch_reset(&s->batch);
  while ((size_t)s->batch.B < s->max_rows && skip_refused(c, at)) {
    const reading *r = &c->readings[at->article];
    const fn_article_ids ids = {r->title.ids, r->text.ids, r->title.n, r->text.n};
    size_t begin = fn_windows_begin(&r->windows, at->window);
    if ((size_t)s->batch.T + fn_sequence_length(&ids, begin, &s->sequence) > s->budget) break;
    FN_TRY(fn_batch_append(&s->batch, fn_tokenizer_get_info(s->classifier->tokenizer), &ids, begin, &s->sequence, -1, 1,
                           0, (uint32_t)at->article, err));
    if (++at->window == r->windows.n) *at = (cursor){at->article + 1, 0};
  }
  return FN_OK;
}

/* Adds the batch's logits to its articles; windows of one article come in order, whatever the batches. */
static void collect(call *c) {
  const fn_session *s = c->session;
  const fn_classifier_info *info = &s->classifier->info;
  size_t n_labels = (size_t)info->n_labels;
  for (size_t b = 0; b < (size_t)s->batch.B; b++) {
    fn_prediction *p = &c->predictions[s->batch.rows[b]];
    for (size_t k = 0; k < n_labels; k++) p->logits[k] += (double)s->logits[b * n_labels + k];
    if (p->window_logits != NULL) {
      const float *logits = &s->logits[b * n_labels];
      c->session->window_logits[c->readings[s->batch.rows[b]].first_window + (size_t)p->n_windows] =
          (double)logits[info->fake] - (double)logits[1 - info->fake];
    }
    if (s->batch_embeddings != NULL && p->n_windows == 0) {
      const size_t C = fn_session_embedding_size(s);
      float *to = s->embeddings + (size_t)s->batch.rows[b] * C;
      memcpy(to, s->batch_embeddings + b * C, C * sizeof *to);
      p->embedding = to;
    }
    p->n_tokens += s->batch.offsets[b + 1] - s->batch.offsets[b];
    p->n_windows++;
    p->truncated = s->batch.truncated[b]; /* of the last window, which ends where reading ends */
  }
}

/* Bytes of the text that each window reads. */
static void span_windows(fn_span *spans, const reading *r) {
  const fn_windows *w = &r->windows;
  for (size_t i = 0; i < w->n; i++) {
    const size_t begin = fn_windows_begin(w, i);
    const size_t end = begin + w->capacity < w->n_text ? begin + w->capacity : w->n_text;
    spans[i] = (fn_span){(size_t)r->text.begin[begin], (size_t)r->text.end[end - 1]};
  }
}

/* Room for what the windows say, one article after the other; those with one window need none. */
static fn_status place_windows(call *c, fn_err *err) {
  fn_session *s = c->session;
  const fn_classifier_info *info = &s->classifier->info;
  size_t n = 0;
  if (s->max_windows == 1 || info->n_labels != 2 || info->fake < 0) return FN_OK;
  for (size_t i = 0; i < c->n; i++) {
    c->readings[i].first_window = n;
    if (c->predictions[i].status == FN_OK && c->readings[i].windows.n > 1) n += c->readings[i].windows.n;
  }
  void *room = s->window_logits;
  FN_TRY(fn_mem_grow(&room, &s->window_capacity, n, sizeof *s->window_logits, SIZE_MAX / 16, "windows", err));
  s->window_logits = room;
  room = s->window_spans;
  FN_TRY(fn_mem_grow(&room, &s->span_capacity, n, sizeof *s->window_spans, SIZE_MAX / 16, "windows", err));
  s->window_spans = room;
  for (size_t i = 0; i < c->n; i++) {
    if (c->predictions[i].status != FN_OK || c->readings[i].windows.n == 1) continue;
    c->predictions[i].window_logits = s->window_logits + c->readings[i].first_window;
    c->predictions[i].window_spans = s->window_spans + c->readings[i].first_window;
    span_windows(s->window_spans + c->readings[i].first_window, &c->readings[i]);
  }
  return FN_OK;
}

static fn_status place_embeddings(call *c, fn_err *err) {
  fn_session *s = c->session;
  size_t n;
  if (s->batch_embeddings == NULL) return FN_OK;
  if (!fn_size_mul(&n, c->n, fn_session_embedding_size(s))) return fn_err_no_memory(err, "embeddings");
  void *room = s->embeddings;
  FN_TRY(fn_mem_grow(&room, &s->embedding_capacity, n, sizeof *s->embeddings, SIZE_MAX / 16, "embeddings", err));
  s->embeddings = room;
  return FN_OK;
}

static fn_status run(call *c, fn_err *err) {
  const fn_session *s = c->session;
  const fn_classifier_info *info = &s->classifier->info;
  fn_pool_run(fn_device_pool(s->device), c->n, tokenise, c);
  for (size_t i = 0; i < c->n; i++) {
    if (c->readings[i].status == FN_E_NO_MEMORY) return fn_err_no_memory(err, "tokens");
    if (c->readings[i].status == FN_OK) continue;
    c->predictions[i].status = c->readings[i].status;
    c->predictions[i].message = "the article is too long";
  }
  FN_TRY(place_windows(c, err));
  FN_TRY(place_embeddings(c, err));
  cursor at = {0, 0};
  while (skip_refused(c, &at)) {
    FN_TRY(fill(c, &at, err));
    FN_TRY(fn_model_forward_embeddings(s->logits, s->batch_embeddings, s->model, &s->batch, err));
    collect(c);
  }
  for (size_t i = 0; i < c->n; i++) {
    fn_prediction *p = &c->predictions[i];
    if (p->status != FN_OK) continue;
    for (int32_t k = 0; k < info->n_labels; k++) p->logits[k] /= p->n_windows;
    if (info->n_labels == 2 && info->fake >= 0) p->encoder_logit = p->logits[info->fake] - p->logits[1 - info->fake];
  }
  return FN_OK;
}

fn_status fn_session_classify_tokens(fn_prediction *predictions, fn_session *session, const fn_article *articles,
                                     size_t n, fn_err *err) {
  call c = {session, articles, predictions, fn_mem_calloc(n, sizeof(reading)), n};
  if (c.readings == NULL) return fn_err_no_memory(err, "tokens");
  fn_status status = run(&c, err);
  for (size_t i = 0; i < n; i++) {
    fn_tokens_deinit(&c.readings[i].title);
    fn_tokens_deinit(&c.readings[i].text);
  }
  free(c.readings);
  return status;
}

static fn_status count_tokens(fn_token_counts *out, fn_tokens *title, fn_tokens *text, const fn_session *s,
                              const fn_article *a, fn_err *err) {
  enum { MAX = 1 << 16 };
  const fn_tokenizer *tokenizer = s->classifier->tokenizer;
  const fn_text_mode mode = s->sequence.mode;
  if (mode != FN_TEXT_TEXT) FN_TRY(fn_tokenizer_encode(title, tokenizer, a->title, MAX, err));
  if (mode != FN_TEXT_TITLE) FN_TRY(fn_tokenizer_encode(text, tokenizer, a->text, MAX, err));
  const fn_windows w = fn_windows_plan(title->n, text->n, &s->sequence, s->max_windows);
  const size_t special = title->n > 0 && text->n > 0 ? 3 : 2, limit = (size_t)s->sequence.max_tokens;
  const size_t n_title = title->n + special < limit     ? title->n
                         : limit > special + w.capacity ? limit - special - w.capacity
                                                        : 0;
  out->n_tokens = (int64_t)(title->n + text->n + special);
  out->n_windows = (int32_t)w.n;
  out->read_bytes = w.n_text >= text->n ? a->text.length : w.n_text > 0 ? text->end[w.n_text - 1] : 0;
  out->n_read = (int64_t)((n_title < title->n ? n_title : title->n) + w.n_text + special);
  if (out->n_read > out->n_tokens) out->n_read = out->n_tokens;
  out->truncated = out->n_read < out->n_tokens;
  return FN_OK;
}

fn_status fn_session_count_tokens(fn_token_counts *counts_out, const fn_session *s, const fn_article *article,
                                  fn_err *err) {
  fn_token_counts counts = {.read_bytes = article->text.length, .n_windows = 1};
  fn_tokens title = {0}, text = {0};
  fn_status status = s->uses_encoder ? count_tokens(&counts, &title, &text, s, article, err) : FN_OK;
  fn_tokens_deinit(&title);
  fn_tokens_deinit(&text);
  if (status == FN_OK) *counts_out = counts;
  return status;
}
