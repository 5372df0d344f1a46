/* Explanations in public form. */
#include "infer/explain.h"
#include "lib/internal.h"

struct fakenews_explanation {
  const fn_classifier_info *info;
  fn_explanation inner;
  fakenews_explained_part *parts;
  fakenews_explained_ngram *ngrams;
};

/* What the first versions had. */
enum {
  FIRST_OPTIONS = offsetof(fakenews_explain_options, reserved) + sizeof(uint32_t),
  FIRST_INFO = offsetof(fakenews_explanation_info, n_classified) + sizeof(size_t),
};

static fn_status read_options(fn_explain_options *out, const fakenews_explain_options *options, fn_err *err) {
  fakenews_explain_options o = FAKENEWS_EXPLAIN_OPTIONS_INIT;
  if (options != NULL)
    FN_TRY(fn_lib_read_struct(&o, sizeof o, options, FIRST_OPTIONS,
                              "options.struct_size (FAKENEWS_EXPLAIN_OPTIONS_INIT sets it)", err));
  FN_TRY(fn_lib_check_range("max_classified", o.max_classified, 0, 4096, err));
  if (o.max_classified != 0) FN_TRY(fn_lib_check_range("max_classified", o.max_classified, 4, 4096, err));
  FN_TRY(fn_lib_check_range("max_ngrams", o.max_ngrams, 0, 1000, err));
  FN_TRY(fn_lib_check_range("reserved", o.reserved, 0, 0, err));
  *out = (fn_explain_options)FN_EXPLAIN_OPTIONS_INIT;
  if (o.max_classified != 0) out->max_forwards = o.max_classified;
  if (o.max_ngrams != 0) out->ngrams = o.max_ngrams;
  return FN_OK;
}

static fn_status convert(fakenews_explanation *e, fn_err *err) {
  const fn_explanation *x = &e->inner;
  e->parts = fn_mem_calloc(x->n_parts, sizeof *e->parts);
  e->ngrams = fn_mem_calloc(x->n_ngrams, sizeof *e->ngrams);
  if (e->parts == NULL || e->ngrams == NULL) return fn_err_no_memory(err, "an explanation");
  for (size_t i = 0; i < x->n_parts; i++) {
    const fn_explained_part *p = &x->parts[i];
    e->parts[i] = (fakenews_explained_part){p->title, p->n_sentences, p->read, 0, p->begin, p->end, p->contribution};
  }
  for (size_t i = 0; i < x->n_ngrams; i++) {
    const fn_linear_ngram *g = &x->ngrams[i];
    e->ngrams[i] = (fakenews_explained_ngram){g->in_title, 0, g->begin, g->end, g->contribution};
  }
  return FN_OK;
}

static fn_status explain(fakenews_explanation **out, fakenews_session *session, const fakenews_article *article,
                         const fakenews_explain_options *options, fn_err *err) {
  if (out == NULL) return fn_lib_refuse_null("explanation_out", err);
  if (session == NULL) return fn_lib_refuse_null("session", err);
  if (article == NULL) return fn_lib_refuse_null("article", err);
  fn_explain_options inner_options;
  fn_article inner;
  FN_TRY(read_options(&inner_options, options, err));
  FN_TRY(fn_lib_read_articles(&inner, article, 1, err));
  fakenews_explanation *e = fn_mem_calloc(1, sizeof *e);
  if (e == NULL) return fn_err_no_memory(err, "an explanation");
  e->info = fn_classifier_get_info(session->classifier);
  fn_status status = fn_explain(&e->inner, session->inner, &inner, &inner_options, err);
  if (status == FN_OK) status = convert(e, err);
  if (status != FN_OK) {
    fakenews_explanation_destroy(e);
    return status;
  }
  *out = e;
  return FN_OK;
}

fakenews_status fakenews_session_explain(fakenews_explanation **explanation_out, fakenews_session *session,
                                         const fakenews_article *article, const fakenews_explain_options *options,
                                         fakenews_error *error) {
  fn_err err = {0};
  if (fn_lib_is_forked(session)) return fn_lib_fail_forked(error);
  return fn_lib_finish(error, explain(explanation_out, session, article, options, &err), &err);
}

void fakenews_explanation_destroy(fakenews_explanation *explanation) {
  if (explanation == NULL) return;
  fn_explanation_deinit(&explanation->inner);
  free(explanation->parts);
  free(explanation->ngrams);
  free(explanation);
}

static fn_status get_info(fakenews_explanation_info *out, size_t size, const fakenews_explanation *e, fn_err *err) {
  if (out == NULL) return fn_lib_refuse_null("info_out", err);
  if (e == NULL) return fn_lib_refuse_null("explanation", err);
  FN_TRY(fn_lib_check_size(size, FIRST_INFO, "info_size", err));
  const fakenews_explanation_info info = {.logit = e->inner.logit,
                                          .read_bytes = e->inner.read_bytes,
                                          .parts = e->parts,
                                          .n_parts = e->inner.n_parts,
                                          .ngrams = e->ngrams,
                                          .n_ngrams = e->inner.n_ngrams,
                                          .n_classified = e->inner.n_forwards};
  fn_lib_copy_out(out, size, &info, sizeof info);
  return FN_OK;
}

fakenews_status fakenews_explanation_get_info(fakenews_explanation_info *info_out, size_t info_size,
                                              const fakenews_explanation *explanation, fakenews_error *error) {
  fn_err err = {0};
  return fn_lib_finish(error, get_info(info_out, info_size, explanation, &err), &err);
}

static fn_status get_prediction(fakenews_prediction *out, size_t size, const fakenews_explanation *e, fn_err *err) {
  if (out == NULL) return fn_lib_refuse_null("prediction_out", err);
  if (e == NULL) return fn_lib_refuse_null("explanation", err);
  FN_TRY(fn_lib_check_size(size, FN_LIB_FIRST_PREDICTION, "prediction_size", err));
  const fakenews_prediction p = fn_lib_prediction(&e->inner.prediction, e->info);
  fn_lib_copy_out(out, size, &p, sizeof p);
  return FN_OK;
}

fakenews_status fakenews_explanation_get_prediction(fakenews_prediction *prediction_out, size_t prediction_size,
                                                    const fakenews_explanation *explanation, fakenews_error *error) {
  fn_err err = {0};
  return fn_lib_finish(error, get_prediction(prediction_out, prediction_size, explanation, &err), &err);
}
