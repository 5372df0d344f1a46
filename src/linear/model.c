#include "linear/model.h"

#include <math.h>
#include <stdlib.h>

const char *const fn_family_names[FN_N_FAMILIES] = {"word", "char"};

enum { LOG_TABLE = 64 };
struct fn_linear_scratch {
  fn_feature_counter counter;
  float log_table[LOG_TABLE]; /* 1 + ln i */
};

fn_status fn_linear_make(fn_linear **linear_out, const fn_feature_spec *spec, fn_err *err) {
  fn_linear *linear = fn_mem_calloc(1, sizeof *linear);
  bool ok = linear != NULL;
  for (int f = 0; ok && f < FN_N_FAMILIES; f++) {
    if (spec->max[f] == 0) continue;
    linear->weight[f] = fn_mem_calloc(fn_feature_spec_n_buckets(spec), sizeof(float));
    linear->idf[f] = fn_mem_calloc(fn_feature_spec_n_buckets(spec), sizeof(float));
    ok = linear->weight[f] != NULL && linear->idf[f] != NULL;
  }
  if (!ok) {
    fn_linear_destroy(linear);
    return fn_err_no_memory(err, "weights of the linear family");
  }
  linear->spec = *spec;
  *linear_out = linear;
  return FN_OK;
}

void fn_linear_destroy(fn_linear *linear) {
  if (linear == NULL) return;
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    free(linear->weight[f]);
    free(linear->idf[f]);
  }
  free(linear);
}

void fn_linear_get_info(fn_linear_info *info_out, const fn_linear *linear) {
  const fn_feature_spec *s = &linear->spec;
  *info_out = (fn_linear_info){.mode = s->mode,
                               .labels = {"real", "fake"},
                               .hash_bits = s->hash_bits,
                               .word_min = s->min[FN_FAMILY_WORD],
                               .word_max = s->max[FN_FAMILY_WORD],
                               .char_min = s->min[FN_FAMILY_CHAR],
                               .char_max = s->max[FN_FAMILY_CHAR],
                               .word_c = linear->c[FN_FAMILY_WORD],
                               .char_c = linear->c[FN_FAMILY_CHAR]};
}

fn_status fn_linear_scratch_create(fn_linear_scratch **scratch_out, const fn_linear *linear, fn_err *err) {
  fn_linear_scratch *scratch = fn_mem_calloc(1, sizeof *scratch);
  if (scratch == NULL) return fn_err_no_memory(err, "scratch of the linear family");
  fn_status status = fn_feature_counter_init(&scratch->counter, &linear->spec, err);
  if (status != FN_OK) {
    free(scratch);
    return status;
  }
  for (size_t i = 1; i < LOG_TABLE; i++) scratch->log_table[i] = (float)(1.0 + log((double)i));
  *scratch_out = scratch;
  return FN_OK;
}

void fn_linear_scratch_destroy(fn_linear_scratch *scratch) {
  if (scratch == NULL) return;
  fn_feature_counter_deinit(&scratch->counter);
  free(scratch);
}

/* The two numbers of a bucket in either form. */
static inline double weight_at(const fn_linear *linear, int family, uint32_t bucket) {
  const fn_linear_table *p = &linear->packed[family];
  if (p->weight == NULL) return (double)linear->weight[family][bucket];
  int q = p->weight[bucket];
  return p->weight_scale * (double)(q * (q < 0 ? -q : q));
}
static inline double idf_at(const fn_linear *linear, int family, uint32_t bucket) {
  const fn_linear_table *p = &linear->packed[family];
  return p->idf == NULL ? (double)linear->idf[family][bucket] : p->idf_scale * (double)p->idf[bucket];
}

static double family_logit(const fn_linear *linear, fn_linear_scratch *scratch, int family, fn_str title, fn_str text) {
  fn_feature_counter *counter = &scratch->counter;
  double dot = 0.0, square = 0.0;
  fn_feature_counter_add(counter, &linear->spec, family, title, text);
  for (size_t k = 0; k < counter->n; k++) {
    uint32_t bucket = counter->touched[k], count = counter->counts[bucket];
    double t = count < LOG_TABLE ? (double)scratch->log_table[count] : (double)(float)(1.0 + log((double)count));
    double x = t * idf_at(linear, family, bucket);
    dot += t * weight_at(linear, family, bucket);
    square += x * x;
  }
  fn_feature_counter_clear(counter);
  return square > 0.0 ? dot / sqrt(square) : 0.0;
}

double fn_linear_known_share(const fn_linear *linear, fn_linear_scratch *scratch, fn_str title, fn_str text) {
  fn_feature_counter *counter = &scratch->counter;
  size_t n = 0, known = 0;
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (linear->spec.max[f] == 0) continue;
    fn_feature_counter_add(counter, &linear->spec, f, title, text);
    n += counter->n;
    for (size_t k = 0; k < counter->n; k++) known += idf_at(linear, f, counter->touched[k]) > 0.0;
    fn_feature_counter_clear(counter);
  }
  return n > 0 ? (double)known / (double)n : (double)NAN;
}

fn_status fn_linear_predict(double *logit_out, const fn_linear *linear, fn_linear_scratch *scratch, fn_str title,
                            fn_str text, fn_err *err) {
  if (title.length > INT32_MAX || text.length > INT32_MAX) {
    return fn_err_set(err, FN_E_LIMIT, "an article has more than 2^31 - 1 bytes");
  }
  double logit = linear->bias;
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (linear->spec.max[f] != 0) logit += family_logit(linear, scratch, f, title, text);
  }
  *logit_out = logit;
  return FN_OK;
}

size_t fn_linear_count_tokens(const fn_linear *linear, fn_str title, fn_str text) {
  return fn_feature_count_tokens(&linear->spec, title, text);
}
