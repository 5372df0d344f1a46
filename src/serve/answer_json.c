#include "serve/answer_json.h"

#include "infer/scored_rows.h"

#include <math.h>

static void write_reasons(fn_json_writer *w, unsigned reasons) {
  fn_json_array(w, "reasons");
  for (size_t i = 0; i < FN_N_REASONS; i++) {
    if (!(reasons & 1u << i)) continue;
    fn_json_object(w, NULL);
    fn_json_text(w, "code", fn_reason_names[i]);
    fn_json_text(w, "meaning", fn_reason_meanings[i]);
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_windows(fn_json_writer *w, const fn_prediction *p, const fn_article *article) {
  fn_json_array(w, "windows");
  for (int32_t i = 0; i < p->n_windows; i++) {
    const bool several = p->window_logits != NULL;
    const fn_span span = several && p->window_spans != NULL ? p->window_spans[i] : (fn_span){0, p->read_bytes};
    fn_json_object(w, NULL);
    fn_json_int(w, "begin", (int64_t)span.begin);
    fn_json_int(w, "end", (int64_t)(span.end < article->text.length ? span.end : article->text.length));
    fn_json_double(w, "logit", several ? p->window_logits[i] : isnan(p->encoder_logit) ? p->logit : p->encoder_logit);
    fn_json_double(w, "share", several ? fn_scored_window_share(p, i) : p->logit < 0.0 ? -1.0 : 1.0);
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_explanation(fn_json_writer *w, const fn_explanation *e) {
  fn_json_object(w, "explanation");
  fn_json_double(w, "logit", e->logit);
  fn_json_int(w, "n_classified", (int64_t)e->n_forwards);
  fn_json_array(w, "parts");
  for (size_t i = 0; i < e->n_parts; i++) {
    const fn_explained_part *part = &e->parts[i];
    fn_json_object(w, NULL);
    fn_json_text(w, "of", part->title ? "title" : "text");
    fn_json_int(w, "begin", (int64_t)part->begin);
    fn_json_int(w, "end", (int64_t)part->end);
    fn_json_int(w, "n_sentences", part->n_sentences);
    fn_json_bool(w, "read", part->read);
    fn_json_double(w, "contribution", part->contribution);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_array(w, "ngrams");
  for (size_t i = 0; i < e->n_ngrams; i++) {
    const fn_linear_ngram *g = &e->ngrams[i];
    fn_json_object(w, NULL);
    fn_json_text(w, "of", g->in_title ? "title" : "text");
    fn_json_int(w, "begin", (int64_t)g->begin);
    fn_json_int(w, "end", (int64_t)g->end);
    fn_json_double(w, "contribution", g->contribution);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}

void fn_answer_json(fn_json_writer *w, const fn_prediction *p, const fn_article *article, fn_engine *engine,
                    const fn_explanation *explanation) {
  const fn_classifier_info *info = fn_engine_get_info(engine);
  fn_json_text(w, "label", info->labels[p->label]);
  fn_json_object(w, "probabilities");
  for (int32_t k = 0; k < info->n_labels; k++) fn_json_double(w, info->labels[k], p->probabilities[k]);
  fn_json_end(w);
  fn_json_text(w, "verdict", fn_verdict_names[p->verdict]);
  fn_json_bool(w, "calibrated", p->calibrated);
  fn_json_double(w, "prior", p->prior);
  fn_json_double(w, "threshold", p->threshold);
  fn_json_double(w, "logit", p->logit);
  write_reasons(w, p->reasons);
  fn_json_object(w, "halves");
  fn_json_double(w, "encoder", p->encoder_logit);
  fn_json_double(w, "linear", p->linear_logit);
  fn_json_end(w);
  fn_json_int(w, "n_tokens", p->n_tokens);
  fn_json_int(w, "max_tokens", fn_session_max_tokens(fn_engine_session(engine, 0)));
  fn_json_bool(w, "truncated", p->truncated);
  fn_json_int(w, "read_bytes", (int64_t)p->read_bytes);
  fn_json_int(w, "n_windows", p->n_windows);
  write_windows(w, p, article);
  if (explanation != NULL) write_explanation(w, explanation);
}

void fn_title_answer_json(fn_json_writer *w, fn_str title, const fn_prediction *p, const fn_classifier_info *info) {
  fn_json_object(w, NULL);
  fn_json_str(w, "title", title);
  fn_json_text(w, "prediction", info->labels[p->label]);
  fn_json_int(w, "predicted_label", info->fake >= 0 && info->n_labels == 2 ? p->label == info->fake : p->label);
  fn_json_double(w, "probability", p->probabilities[p->label]);
  fn_json_end(w);
}
