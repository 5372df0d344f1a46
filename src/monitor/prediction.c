#include "monitor/prediction.h"

#include "data/words.h"
#include "infer/answer.h"
#include "infer/reasons.h"

#include <math.h>
#include <stdlib.h>

static double share(double part, double whole) {
  return whole > 0 ? part / whole : (double)NAN;
}

static void fill_features(fn_prediction_features *f, const fn_article *article, const fn_evidence *e) {
  const fn_prose *p = &e->prose;
  const double n_characters = (double)p->n_latin + (double)p->n_other + (double)p->n_marks;
  *f = (fn_prediction_features){
      .title_bytes = (int64_t)article->title.length,
      .text_bytes = (int64_t)article->text.length,
      .n_words = (int64_t)(fn_words_count(article->title) + fn_words_count(article->text)),
      .unknown_share = share((double)e->n_unknown, (double)e->n_tokens),
      .non_letter_share = share((double)p->n_marks, n_characters),
      .english = share((double)p->evidence / 64.0, (double)p->n_words),
      .novelty = fn_evidence_novelty(e),
      .bytes_per_token = fn_evidence_bytes_per_token(e),
  };
}

void fn_prediction_row_fill(fn_prediction_row *row_out, const fn_classifier_info *info, const fn_article *article,
                            const fn_prediction *prediction, size_t n_embedding) {
  const fn_prediction *p = prediction;
  *row_out = (fn_prediction_row){
      .model = fn_str_from(info->id),
      .title = article->title,
      .text = article->text,
      .label = fn_str_from(info->labels[p->label]),
      .verdict = fn_str_from(p->verdict == FN_VERDICT_NONE ? "" : fn_verdict_names[p->verdict]),
      .p_fake = info->fake >= 0 ? p->probabilities[info->fake] : (double)NAN,
      .logit = p->logit,
      .encoder_logit = p->encoder_logit,
      .linear_logit = p->linear_logit,
      .prior = p->prior,
      .calibrated = p->calibrated,
      .truncated = p->truncated,
      .reasons = p->reasons,
      .n_tokens = p->n_tokens,
      .n_windows = p->n_windows,
      .embedding = p->embedding,
      .n_embedding = p->embedding ? n_embedding : 0,
  };
  fill_features(&row_out->features, article, &p->evidence);
}

void fn_stored_prediction_destroy(fn_stored_prediction *stored) {
  if (!stored) return;
  fn_arena_deinit(&stored->arena);
  free(stored);
}

static bool is_same(const char *sha256, fn_str text) {
  unsigned char digest[FN_SHA256_BYTES];
  char hex[2 * FN_SHA256_BYTES + 1];
  if (!sha256 || !text.data) return !sha256 && !text.data;
  fn_sha256_bytes(digest, text);
  fn_hex_format(hex, digest, sizeof digest);
  return strcmp(hex, sha256) == 0;
}

bool fn_stored_prediction_has_texts(const fn_stored_prediction *stored, fn_str title, fn_str text) {
  if (stored->text_kept == FN_TEXT_KEEP_NONE) return true;
  return is_same(stored->title_sha256, title) && is_same(stored->text_sha256, text);
}

double fn_embedding_quantise(int8_t *values_out, const float *embedding, size_t n) {
  double greatest = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(embedding[i])) {
      memset(values_out, 0, n);
      return 1;
    }
    const double size = fabs((double)embedding[i]);
    if (size > greatest) greatest = size;
  }
  const double scale = greatest > 0 ? greatest / 127 : 1;
  for (size_t i = 0; i < n; i++) values_out[i] = (int8_t)nearbyint((double)embedding[i] / scale);
  return scale;
}
