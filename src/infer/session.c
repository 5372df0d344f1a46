#include "infer/session.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_ROWS = 1024 };

/* What is read: the setting, or the model's own. */
static fn_status choose_mode(fn_text_mode *mode_out, const fn_session *s, int setting, fn_err *err) {
  static const char *const names[] = {"title", "text", "title+text"};
  const fn_classifier *c = s->classifier;
  fn_text_mode mode = setting == FN_INFER_TEXT_MODEL ? c->info.mode : (fn_text_mode)(setting - FN_INFER_TEXT_TITLE);
  if (!s->uses_encoder && mode != c->info.mode) {
    return fn_err_set(err, FN_E_INVALID,
                      "infer.text: this model, of the linear family, was trained on %s and reads nothing else, not %s",
                      names[c->info.mode], names[mode]);
  }
  *mode_out = mode;
  return FN_OK;
}

static fn_status choose_max_tokens(int32_t *out, const fn_classifier *c, int64_t setting, fn_err *err) {
  int64_t n = setting == INT64_MIN ? c->info.max_tokens : setting;
  if (n > c->info.positions) {
    return fn_err_set(err, FN_E_INVALID, "infer.max_tokens: %lld is over the %lld positions of the model (%s)",
                      (long long)setting, (long long)c->info.positions, c->info.dir);
  }
  if (n < 8)
    return fn_err_set(err, FN_E_INVALID, "%s: %lld positions are too few; 8 are needed", c->info.dir, (long long)n);
  *out = (int32_t)n;
  return FN_OK;
}

/* A packed file's weights where they lie, on a device that knows their form; a directory's, read and packed. */
static fn_status load_encoder(fn_session *s, fn_err *err) {
  const fn_classifier *c = s->classifier;
  if (c->packed == NULL) {
    FN_TRY(fn_model_load(&s->model, c->info.dir, NULL, false, 0, s->device, NULL, err));
    return FN_OK;
  }
  if (fn_device_get_backend(s->device) != FN_BACKEND_FAST)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: device.backend=reference does not read packed weights; plain C is device.cpu_level=c",
                      c->info.dir);
  if (!fn_packed_get_info(c->packed)->int8) return fn_packed_model(&s->model, c->packed, s->device, err);
  const fn_device_options options = {.backend = FN_BACKEND_INT8,
                                     .max_level = fn_device_get_level(s->device),
                                     .n_threads = 1,
                                     .pool = fn_device_pool(s->device)};
  FN_TRY(fn_device_create(&s->own_device, &options, err));
  return fn_packed_model(&s->model, c->packed, s->own_device, err);
}

static fn_status start_encoder(fn_session *s, const fn_infer_options *o, fn_err *err) {
  s->budget = (size_t)(o->batch_tokens > s->sequence.max_tokens ? o->batch_tokens : s->sequence.max_tokens);
  s->max_rows = s->budget < MAX_ROWS ? s->budget : MAX_ROWS;
  FN_TRY(load_encoder(s, err));
  FN_TRY(fn_model_plan(s->model, (int32_t)s->budget, (int32_t)s->max_rows, s->sequence.max_tokens, false, err));
  FN_TRY(fn_model_prepare(s->model, err));
  s->logits = fn_mem_calloc(s->max_rows, (size_t)s->classifier->info.n_labels * sizeof *s->logits);
  s->caches = fn_mem_calloc(s->n_workers, sizeof(fn_word_cache *));
  if (s->logits == NULL || s->caches == NULL) return fn_err_no_memory(err, "work space");
  for (size_t i = 0; i < s->n_workers; i++) FN_TRY(fn_word_cache_create(&s->caches[i], err));
  return FN_OK;
}

static fn_status start_linear(fn_session *s, fn_err *err) {
  s->scratches = fn_mem_calloc(s->n_workers, sizeof(fn_linear_scratch *));
  if (s->scratches == NULL) return fn_err_no_memory(err, "work space");
  for (size_t i = 0; i < s->n_workers; i++) {
    FN_TRY(fn_linear_scratch_create(&s->scratches[i], s->classifier->linear, err));
  }
  return FN_OK;
}

/* Which halves are asked. */
static fn_status choose_parts(fn_session *s, int part, fn_err *err) {
  const fn_classifier_info *info = &s->classifier->info;
  s->uses_encoder = info->has_encoder && part != FN_INFER_LINEAR;
  s->uses_linear = info->has_linear && part != FN_INFER_ENCODER;
  if (s->uses_encoder || s->uses_linear) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "infer.part: %s has no %s", info->dir,
                    part == FN_INFER_LINEAR ? "linear half" : "encoder");
}

static fn_status start(fn_session *s, const fn_infer_options *o, fn_err *err) {
  FN_TRY(choose_parts(s, o->part, err));
  FN_TRY(choose_mode(&s->sequence.mode, s, o->text, err));
  if (s->uses_encoder) FN_TRY(choose_max_tokens(&s->sequence.max_tokens, s->classifier, o->max_tokens, err));
  const fn_part part = !s->uses_encoder ? FN_PART_LINEAR : s->uses_linear ? FN_PART_BOTH : FN_PART_ENCODER;
  FN_TRY(fn_answering_init(&s->answering, o, s->classifier->calibration, &s->classifier->info, part, s->sequence.mode,
                           s->sequence.max_tokens, err));
  if (s->uses_encoder) FN_TRY(start_encoder(s, o, err));
  return s->uses_linear ? start_linear(s, err) : FN_OK;
}

fn_status fn_session_create(fn_session **session_out, const fn_classifier *classifier, const fn_infer_options *options,
                            fn_device *device, fn_err *err) {
  fn_session *s = fn_mem_calloc(1, sizeof *s);
  if (s == NULL) return fn_err_no_memory(err, "a session");
  s->classifier = classifier;
  s->device = device;
  s->n_workers = (size_t)fn_pool_n_threads(fn_device_pool(device));
  s->max_windows = options->long_texts == FN_INFER_WINDOWS ? (size_t)options->max_windows : 1;
  fn_batch_init(&s->batch);
  fn_status status = start(s, options, err);
  if (status != FN_OK) {
    fn_session_destroy(s);
    return status;
  }
  *session_out = s;
  return FN_OK;
}

void fn_session_destroy(fn_session *s) {
  if (s == NULL) return;
  fn_model_destroy(s->model);
  fn_device_destroy(s->own_device);
  fn_batch_deinit(&s->batch);
  free(s->logits);
  free(s->window_logits);
  free(s->batch_embeddings);
  free(s->embeddings);
  free(s->window_spans);
  for (size_t i = 0; s->caches != NULL && i < s->n_workers; i++) fn_word_cache_destroy(s->caches[i]);
  free(s->caches);
  for (size_t i = 0; s->scratches != NULL && i < s->n_workers; i++) fn_linear_scratch_destroy(s->scratches[i]);
  free(s->scratches);
  free(s);
}

size_t fn_session_embedding_size(const fn_session *s) {
  return s->uses_encoder ? (size_t)s->classifier->config.hidden_size : 0;
}

fn_status fn_session_keep_embeddings(fn_session *s, bool keep, fn_err *err) {
  const size_t C = fn_session_embedding_size(s);
  if (!keep) {
    free(s->batch_embeddings);
    s->batch_embeddings = NULL;
  }
  if (!keep || C == 0 || s->batch_embeddings != NULL) return FN_OK;
  s->batch_embeddings = fn_mem_calloc(s->max_rows * C, sizeof *s->batch_embeddings);
  return s->batch_embeddings ? FN_OK : fn_err_no_memory(err, "embeddings");
}

fn_text_mode fn_session_mode(const fn_session *s) {
  return s->sequence.mode;
}
int32_t fn_session_max_tokens(const fn_session *s) {
  return s->sequence.max_tokens;
}

void fn_prediction_finish(fn_prediction *p, const fn_session *s, const fn_article *article) {
  int32_t n_labels = s->classifier->info.n_labels;
  if (s->uses_linear) { /* labels are real and fake */
    p->logits[0] = 0.0;
    p->logits[1] = s->uses_encoder ? 0.5 * (p->encoder_logit + p->linear_logit) : p->linear_logit;
  }
  double greatest = p->logits[0], total = 0.0;
  p->label = 0;
  for (int32_t k = 1; k < n_labels; k++) {
    if (p->logits[k] > greatest) {
      greatest = p->logits[k];
      p->label = k;
    }
  }
  for (int32_t k = 0; k < n_labels; k++) total += p->probabilities[k] = exp(p->logits[k] - greatest);
  for (int32_t k = 0; k < n_labels; k++) p->probabilities[k] /= total;
  fn_answer_finish(p, &s->answering, article);
}

/* Whether every logit is a finite number: weights that are can still lead to sums that are not. */
static bool is_number(const fn_prediction *p, const fn_session *s) {
  bool ok = !s->uses_linear || isfinite(p->linear_logit);
  for (int32_t k = 0; ok && s->uses_encoder && k < s->classifier->info.n_labels; k++) ok = isfinite(p->logits[k]);
  return ok;
}

static bool is_blank(fn_str s) {
  return fn_str_trim(s).length == 0;
}

/* Sets the status of articles that have nothing to read. */
static void refuse_empty(fn_prediction *predictions, const fn_session *s, const fn_article *articles, size_t n) {
  static const char *const messages[] = {"nothing to classify: the title is empty",
                                         "nothing to classify: the text is empty",
                                         "nothing to classify: title and text are empty"};
  for (size_t i = 0; i < n; i++) {
    bool title = s->sequence.mode != FN_TEXT_TEXT && !is_blank(articles[i].title);
    bool text = s->sequence.mode != FN_TEXT_TITLE && !is_blank(articles[i].text);
    predictions[i] = (fn_prediction){.status = title || text ? FN_OK : FN_E_INVALID,
                                     .message = "",
                                     .read_bytes = s->sequence.mode == FN_TEXT_TITLE ? 0 : articles[i].text.length,
                                     .encoder_logit = (double)NAN,
                                     .linear_logit = (double)NAN};
    if (!title && !text) predictions[i].message = messages[s->sequence.mode];
  }
}

typedef struct call {
  const fn_session *session;
  const fn_article *articles;
  fn_prediction *predictions;
} call;

/* What is read of an article. */
static fn_article visible(const fn_session *s, const fn_article *a) {
  const fn_str none = fn_str_make(NULL, 0);
  return (fn_article){.title = s->sequence.mode == FN_TEXT_TEXT ? none : a->title,
                      .text = s->sequence.mode == FN_TEXT_TITLE ? none : a->text};
}

static void read_evidence(void *arg, size_t i, int worker) {
  (void)worker;
  const call *c = arg;
  const fn_article a = visible(c->session, &c->articles[i]);
  if (c->predictions[i].status == FN_OK) fn_evidence_read(&c->predictions[i].evidence, a.title, a.text);
}

static void classify_linear(void *arg, size_t i, int worker) {
  const call *c = arg;
  const fn_session *s = c->session;
  const fn_linear *linear = s->classifier->linear;
  const fn_article a = visible(s, &c->articles[i]);
  fn_prediction *p = &c->predictions[i];
  fn_linear_facts facts;
  if (p->status != FN_OK) return;
  p->status = fn_linear_predict_facts(&p->linear_logit, &facts, linear, s->scratches[worker], a.title, a.text, NULL);
  if (p->status != FN_OK) {
    p->message = "the article is too long";
    return;
  }
  p->evidence.n_ngrams = facts.n_ngrams;
  p->evidence.novelty = facts.novelty;
  if (s->uses_encoder) return;
  p->n_tokens = (int64_t)fn_linear_count_tokens(linear, a.title, a.text);
  p->n_windows = 1;
}

fn_status fn_session_classify(fn_prediction *predictions_out, fn_session *s, const fn_article *articles, size_t n,
                              fn_err *err) {
  FN_AUTO_FREE fn_prediction *predictions = fn_mem_calloc(n, sizeof *predictions);
  if (predictions == NULL) return fn_err_no_memory(err, "predictions");
  refuse_empty(predictions, s, articles, n);
  fn_pool_run(fn_device_pool(s->device), n, read_evidence, &(call){s, articles, predictions});
  if (s->uses_linear) fn_pool_run(fn_device_pool(s->device), n, classify_linear, &(call){s, articles, predictions});
  if (s->uses_encoder) FN_TRY(fn_session_classify_tokens(predictions, s, articles, n, err));
  for (size_t i = 0; i < n; i++) {
    fn_prediction *p = &predictions[i];
    if (p->status != FN_OK) continue;
    if (!is_number(p, s)) {
      p->status = FN_E_INVALID;
      p->message = "the model's answer is not a number; its file may be damaged (`model info` checks it)";
    } else {
      fn_prediction_finish(p, s, &articles[i]);
    }
  }
  if (n > 0) memcpy(predictions_out, predictions, n * sizeof *predictions);
  return FN_OK;
}
