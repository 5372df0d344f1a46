/* The public functions: each checks what it was given, calls src/infer and brings the outcome into public form. */
#include "lib/internal.h"

#include <math.h>

/* What the first version had. */
enum { FIRST_INFO = offsetof(fakenews_classifier_info, max_positions) + sizeof(int32_t) };

/* ---- classifier */

static fn_status open_classifier(fakenews_classifier **out, const char *path, fn_err *err) {
  if (out == NULL) return fn_lib_refuse_null("classifier_out", err);
  FN_AUTO_FREE char *bundled = NULL;
  if (path == NULL) {
    FN_TRY(fn_lib_default_model(&bundled, err));
    path = bundled;
  }
  FN_AUTO_FREE fakenews_classifier *c = fn_mem_calloc(1, sizeof *c);
  if (c == NULL) return fn_err_no_memory(err, "the model");
  FN_TRY(fn_classifier_load(&c->inner, path, err));
  *out = FN_STEAL(c);
  return FN_OK;
}

fakenews_status fakenews_classifier_open(fakenews_classifier **classifier_out, const char *path,
                                         fakenews_error *error) {
  fn_err err = {0};
  return fn_lib_finish(error, open_classifier(classifier_out, path, &err), &err);
}

void fakenews_classifier_close(fakenews_classifier *classifier) {
  if (classifier == NULL) return;
  fn_classifier_destroy(classifier->inner);
  free(classifier);
}

fakenews_status fakenews_classifier_verify(const fakenews_classifier *classifier, fakenews_error *error) {
  fn_err err = {0};
  fn_status status =
      classifier ? fn_classifier_verify(classifier->inner, &err) : fn_lib_refuse_null("classifier", &err);
  return fn_lib_finish(error, status, &err);
}

static fn_status get_info(fakenews_classifier_info *out, size_t size, const fakenews_classifier *classifier,
                          fn_err *err) {
  if (out == NULL) return fn_lib_refuse_null("info_out", err);
  if (classifier == NULL) return fn_lib_refuse_null("classifier", err);
  FN_TRY(fn_lib_check_size(size, FIRST_INFO, "info_size", err));
  const fn_classifier_info *i = fn_classifier_get_info(classifier->inner);
  const fakenews_classifier_info info = {
      .id = i->id,
      .checksum = i->checksum,
      .family = i->family,
      .calibration = i->calibration,
      .card = i->card,
      .labels = i->labels,
      .n_labels = i->n_labels,
      .fake = i->fake,
      .has_encoder = i->has_encoder,
      .has_linear = i->has_linear,
      .reads = FAKENEWS_READS_TITLE + (int32_t)i->mode,
      .reads_known = i->usage_known,
      .max_tokens = i->max_tokens,
      .max_positions = i->positions,
  };
  fn_lib_copy_out(out, size, &info, sizeof info);
  return FN_OK;
}

fakenews_status fakenews_classifier_get_info(fakenews_classifier_info *info_out, size_t info_size,
                                             const fakenews_classifier *classifier, fakenews_error *error) {
  fn_err err = {0};
  return fn_lib_finish(error, get_info(info_out, info_size, classifier, &err), &err);
}

/* ---- session */

static fn_status create_session(fakenews_session **out, const fakenews_classifier *classifier,
                                const fakenews_session_options *options, fn_err *err) {
  if (out == NULL) return fn_lib_refuse_null("session_out", err);
  if (classifier == NULL) return fn_lib_refuse_null("classifier", err);
  fn_infer_options infer;
  fn_device_options device;
  FN_AUTO_BUF fn_buf unsure;
  fn_buf_init(&unsure, 0);
  FN_TRY(fn_lib_read_options(&infer, &device, &unsure, options, fn_classifier_get_info(classifier->inner), err));
  fakenews_session *s = fn_mem_calloc(1, sizeof *s);
  if (s == NULL) return fn_err_no_memory(err, "a session");
  s->classifier = classifier->inner;
  fn_status status = fn_device_create(&s->device, &device, err);
  if (status == FN_OK) status = fn_session_create(&s->inner, s->classifier, &infer, s->device, err);
  if (status != FN_OK) {
    fakenews_session_destroy(s);
    return status;
  }
  *out = s;
  return FN_OK;
}

fakenews_status fakenews_session_create(fakenews_session **session_out, const fakenews_classifier *classifier,
                                        const fakenews_session_options *options, fakenews_error *error) {
  fn_err err = {0};
  return fn_lib_finish(error, create_session(session_out, classifier, options, &err), &err);
}

void fakenews_session_destroy(fakenews_session *session) {
  if (session == NULL) return;
  fn_session_destroy(session->inner);
  fn_device_destroy(session->device);
  free(session);
}

/* ---- answers */

bool fn_lib_is_forked(const fakenews_session *session) {
  return session != NULL && !fn_pool_is_alive(fn_device_pool(session->device));
}

fakenews_status fn_lib_fail_forked(fakenews_error *error) {
  return fn_lib_fail(error, FAKENEWS_FORKED,
                     "the worker threads of this session are in the parent process; make a session in this one");
}

fakenews_prediction fn_lib_prediction(const fn_prediction *p, const fn_classifier_info *info) {
  const double none = (double)NAN;
  if (p->status != FN_OK) {
    return (fakenews_prediction){.status = fn_lib_status(p->status),
                                 .label = -1,
                                 .message = p->message,
                                 .probability = none,
                                 .label_probability = none,
                                 .logit = none,
                                 .encoder_logit = none,
                                 .linear_logit = none};
  }
  return (fakenews_prediction){
      .status = FAKENEWS_OK,
      .verdict = (int32_t)p->verdict,
      .message = "",
      .label = p->label,
      .calibrated = p->calibrated,
      .reasons = p->reasons,
      .n_windows = p->n_windows,
      .n_tokens = p->n_tokens,
      .probability = info->fake >= 0 ? p->probabilities[info->fake] : none,
      .label_probability = p->probabilities[p->label],
      .logit = p->logit,
      .encoder_logit = p->encoder_logit,
      .linear_logit = p->linear_logit,
      .window_logits = p->window_logits,
      .truncated = p->truncated,
  };
}

fn_status fn_lib_read_articles(fn_article *out, const fakenews_article *articles, size_t n, fn_err *err) {
  for (size_t i = 0; i < n; i++) {
    const fakenews_article *a = &articles[i];
    if ((a->title == NULL && a->title_length > 0) || (a->text == NULL && a->text_length > 0))
      return fn_err_set(err, FN_E_INVALID, "articles[%zu] has a length and no bytes", i);
    out[i] =
        (fn_article){.title = fn_str_make(a->title, a->title_length), .text = fn_str_make(a->text, a->text_length)};
  }
  return FN_OK;
}

static fn_status classify(fakenews_prediction *out, size_t size, fakenews_session *s, const fakenews_article *articles,
                          size_t n, fn_err *err) {
  if (s == NULL) return fn_lib_refuse_null("session", err);
  FN_TRY(fn_lib_check_size(size, FN_LIB_FIRST_PREDICTION, "prediction_size", err));
  if (n == 0) return FN_OK;
  if (out == NULL) return fn_lib_refuse_null("predictions_out", err);
  if (articles == NULL) return fn_lib_refuse_null("articles", err);
  FN_AUTO_FREE fn_article *inner = fn_mem_calloc(n, sizeof *inner);
  FN_AUTO_FREE fn_prediction *predictions = fn_mem_calloc(n, sizeof *predictions);
  if (inner == NULL || predictions == NULL) return fn_err_no_memory(err, "predictions");
  FN_TRY(fn_lib_read_articles(inner, articles, n, err));
  FN_TRY(fn_session_classify(predictions, s->inner, inner, n, err));
  for (size_t i = 0; i < n; i++) {
    fakenews_prediction p = fn_lib_prediction(&predictions[i], fn_classifier_get_info(s->classifier));
    fn_lib_copy_out((char *)out + i * size, size, &p, sizeof p);
  }
  return FN_OK;
}

fakenews_status fakenews_session_classify(fakenews_prediction *predictions_out, size_t prediction_size,
                                          fakenews_session *session, const fakenews_article *articles, size_t n,
                                          fakenews_error *error) {
  fn_err err = {0};
  if (fn_lib_is_forked(session)) return fn_lib_fail_forked(error);
  return fn_lib_finish(error, classify(predictions_out, prediction_size, session, articles, n, &err), &err);
}

const char *fakenews_verdict_name(int32_t verdict) {
  static const char *const names[] = {"none", "real", "fake", "unsure"};
  return verdict >= 0 && (size_t)verdict < FN_COUNT_OF(names) ? names[verdict] : "unknown";
}

static const char *of_reason(const char *const *texts, uint32_t reason) {
  for (size_t i = 0; i < FN_N_REASONS; i++)
    if (reason == (uint32_t)1 << i) return texts[i];
  return "unknown";
}
const char *fakenews_reason_name(uint32_t reason) {
  return of_reason(fn_reason_names, reason);
}
const char *fakenews_reason_meaning(uint32_t reason) {
  return of_reason(fn_reason_meanings, reason);
}

#define SAME(outer, inner) _Static_assert((int)(outer) == (int)(inner), #outer)
SAME(FAKENEWS_NO_VERDICT, FN_VERDICT_NONE);
SAME(FAKENEWS_REAL, FN_VERDICT_REAL);
SAME(FAKENEWS_FAKE, FN_VERDICT_FAKE);
SAME(FAKENEWS_UNSURE, FN_VERDICT_UNSURE);
SAME(FAKENEWS_NOT_ENGLISH, FN_REASON_NOT_ENGLISH);
SAME(FAKENEWS_TOO_SHORT, FN_REASON_TOO_SHORT);
SAME(FAKENEWS_UNKNOWN_TOKENS, FN_REASON_UNKNOWN_TOKENS);
SAME(FAKENEWS_HEADLINE_ONLY, FN_REASON_HEADLINE_ONLY);
SAME(FAKENEWS_UNLIKE_TRAINING, FN_REASON_UNLIKE_TRAINING);
_Static_assert(FN_N_REASONS == 5, "a reason that fakenews.h does not have");
