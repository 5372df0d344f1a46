#include "linear/model.h"

#include <math.h>
#include <stdlib.h>

const char *const fn_family_names[FN_N_FAMILIES] = {"word", "char"};

enum { LOG_TABLE = 64 };
struct fn_linear_scratch {
  fn_feature_counter counter;
  float log_table[LOG_TABLE]; /* 1 + ln i */
  double largest_idf;         /* of the family that says how usual an article is */
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

/* The family that says how usual an article is. */
static int facts_family(const fn_linear *linear) {
  return linear->spec.max[FN_FAMILY_WORD] != 0 ? FN_FAMILY_WORD : FN_FAMILY_CHAR;
}

static double largest_idf(const fn_linear *linear, int family) {
  double largest = 0.0;
  const fn_linear_table *p = &linear->packed[family];
  if (p->idf != NULL) return p->idf_scale * 255.0; /* by how it is packed; a look would read all of the file */
  for (size_t b = 0; b < fn_feature_spec_n_buckets(&linear->spec); b++) {
    largest = fmax(largest, idf_at(linear, family, (uint32_t)b));
  }
  return largest;
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
  scratch->largest_idf = largest_idf(linear, facts_family(linear));
  *scratch_out = scratch;
  return FN_OK;
}

void fn_linear_scratch_destroy(fn_linear_scratch *scratch) {
  if (scratch == NULL) return;
  fn_feature_counter_deinit(&scratch->counter);
  free(scratch);
}

/* 1 + ln count */
static double damp(const fn_linear_scratch *scratch, uint32_t count) {
  return count < LOG_TABLE ? (double)scratch->log_table[count] : (double)(float)(1.0 + log((double)count));
}

static double family_logit(fn_linear_facts *facts_out, const fn_linear *linear, fn_linear_scratch *scratch, int family,
                           fn_str title, fn_str text) {
  fn_feature_counter *counter = &scratch->counter;
  double dot = 0.0, square = 0.0, rareness = 0.0;
  fn_feature_counter_add(counter, &linear->spec, family, title, text);
  for (size_t k = 0; k < counter->n; k++) {
    uint32_t bucket = counter->touched[k], count = counter->counts[bucket];
    double t = damp(scratch, count);
    double idf = idf_at(linear, family, bucket), x = t * idf;
    rareness += idf > 0.0 ? idf : scratch->largest_idf;
    dot += t * weight_at(linear, family, bucket);
    square += x * x;
  }
  const double most = scratch->largest_idf * (double)counter->n;
  *facts_out = (fn_linear_facts){(int64_t)counter->n, most > 0.0 ? fmin(rareness / most, 1.0) : 0.0};
  fn_feature_counter_clear(counter);
  return square > 0.0 ? dot / sqrt(square) : 0.0;
}

fn_status fn_linear_predict(double *logit_out, const fn_linear *linear, fn_linear_scratch *scratch, fn_str title,
                            fn_str text, fn_err *err) {
  fn_linear_facts facts;
  return fn_linear_predict_facts(logit_out, &facts, linear, scratch, title, text, err);
}

fn_status fn_linear_predict_facts(double *logit_out, fn_linear_facts *facts_out, const fn_linear *linear,
                                  fn_linear_scratch *scratch, fn_str title, fn_str text, fn_err *err) {
  if (title.length > INT32_MAX || text.length > INT32_MAX) {
    return fn_err_set(err, FN_E_LIMIT, "an article has more than 2^31 - 1 bytes");
  }
  double logit = linear->bias;
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (linear->spec.max[f] == 0) continue;
    fn_linear_facts found;
    logit += family_logit(&found, linear, scratch, f, title, text);
    if (f == facts_family(linear)) *facts_out = found;
  }
  *logit_out = logit;
  return FN_OK;
}

/* ---- explanation ---- */

typedef struct explaining {
  const fn_linear *linear;
  fn_linear_scratch *scratch;
  fn_linear_ngram *best; /* by falling |contribution| */
  size_t n, max;
  double norm;
} explaining;

/* Occurrences of one bucket have one share between them: it is listed with the first. */
static void see_ngram(void *arg, uint32_t bucket, bool in_title, size_t begin, size_t end) {
  explaining *e = arg;
  uint32_t *count = &e->scratch->counter.counts[bucket];
  if (*count == 0) return; /* listed already */
  double share = damp(e->scratch, *count) * weight_at(e->linear, FN_FAMILY_WORD, bucket) / e->norm;
  *count = 0;
  if (share == 0.0 || (e->n == e->max && fabs(share) <= fabs(e->best[e->n - 1].contribution))) return;
  size_t at = e->n < e->max ? e->n++ : e->n - 1;
  for (; at > 0 && fabs(e->best[at - 1].contribution) < fabs(share); at--) e->best[at] = e->best[at - 1];
  e->best[at] = (fn_linear_ngram){in_title, begin, end, share};
}

size_t fn_linear_explain(fn_linear_ngram *ngrams_out, size_t max, const fn_linear *linear, fn_linear_scratch *scratch,
                         fn_str title, fn_str text) {
  fn_feature_counter *counter = &scratch->counter;
  explaining e = {.linear = linear, .scratch = scratch, .best = ngrams_out, .max = max};
  double square = 0.0;
  if (max == 0 || linear->spec.max[FN_FAMILY_WORD] == 0) return 0;
  fn_feature_counter_add(counter, &linear->spec, FN_FAMILY_WORD, title, text);
  for (size_t k = 0; k < counter->n; k++) {
    double x =
        damp(scratch, counter->counts[counter->touched[k]]) * idf_at(linear, FN_FAMILY_WORD, counter->touched[k]);
    square += x * x;
  }
  e.norm = sqrt(square);
  if (e.norm > 0.0) fn_feature_each_word_ngram(&linear->spec, title, text, see_ngram, &e);
  fn_feature_counter_clear(counter);
  return e.n;
}

size_t fn_linear_count_tokens(const fn_linear *linear, fn_str title, fn_str text) {
  return fn_feature_count_tokens(&linear->spec, title, text);
}
