/* What a linear model over words keeps when the words that give the most are taken away, and what style alone gives. */
#include "audit/internal.h"
#include "audit/probe.h"
#include "linear/newton.h"

#include <math.h>

enum { TENTHS = 10, N_STYLE = 2 * FN_N_STYLES, MAX_ITERATIONS = 50, CHUNK_ROWS = 256 };
#define STRENGTH  10.0 /* C: inverse strength of the penalty */
#define TOLERANCE 0.01 /* of the gradient: answers move by less than their third decimal */

static const size_t removals[] = {0, 1, 5, 20, 100};

/* Rows of one kind of feature, those of train and those they are judged on. */
typedef struct features {
  fn_sparse train, test; /* no chunks: indices are somebody else's */
  fn_vocabulary vocabulary;
  uint32_t *cells; /* style: the indices */
} features;

typedef struct fitting {
  fn_audit *a;
  fn_linear_row *rows; /* labels and weights of train */
  features *features;
  fn_logistic problem;
  double *v; /* [problem.n] */
  double norm_0;
} fitting;

static fn_status make_rows(fitting *f, fn_err *err) {
  const fn_audit_sample *train = f->a->train;
  f->rows = fn_arena_alloc(&f->a->arena, train->n, sizeof *f->rows);
  if (!f->rows) return fn_err_no_memory(err, "rows");
  for (size_t i = 0; i < train->n; i++) {
    int label = f->a->train_labels[i];
    f->rows[i] = (fn_linear_row){.label = label, .weight = (double)train->n / (2 * (double)train->n_class[label])};
  }
  return FN_OK;
}

static fn_status start(features *s, fn_audit *a, size_t n_features, fn_err *err) {
  *s = (features){.train = {.n_rows = a->train->n}, .test = {.n_rows = a->test->n}, .vocabulary = {.n = n_features}};
  s->train.rows = fn_arena_alloc(&a->arena, a->train->n, sizeof *s->train.rows);
  s->test.rows = fn_arena_alloc(&a->arena, a->test->n, sizeof *s->test.rows);
  s->vocabulary.idf = fn_arena_alloc(&a->arena, n_features, sizeof *s->vocabulary.idf);
  return s->train.rows && s->test.rows && s->vocabulary.idf ? FN_OK : fn_err_no_memory(err, "rows of features");
}

typedef struct cutting {
  fn_sparse *sparse;
  const fn_audit_word_rows *words;
  const float *idf;
  size_t removed;
} cutting;

/* Ids rise and the best words have the smallest: what is removed stands in front. */
static void cut_rows(void *arg, size_t task, int worker) {
  (void)worker;
  const cutting *c = arg;
  for (size_t i = task * CHUNK_ROWS; i < (task + 1) * CHUNK_ROWS && i < c->sparse->n_rows; i++) {
    const uint32_t *ids = c->words->ids + c->words->begin[i], *end = c->words->ids + c->words->begin[i + 1];
    while (ids < end && *ids < c->removed) ids++;
    double square = 0;
    for (const uint32_t *id = ids; id < end; id++) square += (double)c->idf[*id] * (double)c->idf[*id];
    c->sparse->rows[i] = (fn_sparse_row){
        .index = ids, .n_ones = (uint32_t)(end - ids), .scale = square > 0 ? (float)(1 / sqrt(square)) : 0.0F};
  }
}

static void remove_words(features *s, fn_audit *a, size_t removed) {
  cutting parts[2] = {{&s->train, &a->words.train, s->vocabulary.idf, removed},
                      {&s->test, &a->words.test, s->vocabulary.idf, removed}};
  for (int p = 0; p < 2; p++)
    fn_pool_run(a->request->pool, (parts[p].sparse->n_rows + CHUNK_ROWS - 1) / CHUNK_ROWS, cut_rows, &parts[p]);
}

static fn_status start_words(features *s, fn_audit *a, fn_err *err) {
  FN_TRY(start(s, a, a->words.n, err));
  for (size_t w = 0; w < a->words.n; w++) {
    double rows = (double)a->words.words[w].n_rows[0] + (double)a->words.words[w].n_rows[1];
    s->vocabulary.idf[w] = (float)(log((1.0 + (double)a->train->n) / (1.0 + rows)) + 1.0);
  }
  return FN_OK;
}

static int by_float(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

typedef struct binning {
  features *s;
  fn_audit *a;
  bool failed[N_STYLE];
} binning;

/* A value's cell: how many of the nine limits, tenths of the values of train, lie below it. */
static void bin_feature(void *arg, size_t f, int worker) {
  (void)worker;
  binning *b = arg;
  size_t n_train = b->a->train->n, n_test = b->a->test->n;
  const float *train = b->a->train_style + f * n_train, *test = b->a->test_style + f * n_test;
  float *sorted = fn_mem_alloc(n_train, sizeof *sorted);
  b->failed[f] = !sorted;
  if (!sorted) return;
  memcpy(sorted, train, n_train * sizeof *sorted);
  qsort(sorted, n_train, sizeof *sorted, by_float);
  float limits[TENTHS - 1];
  for (size_t t = 1; t < TENTHS; t++) limits[t - 1] = sorted[n_train * t / TENTHS];
  for (size_t i = 0; i < n_train + n_test; i++) {
    float value = i < n_train ? train[i] : test[i - n_train];
    uint32_t cell = 0;
    for (size_t t = 0; t < TENTHS - 1; t++) cell += value > limits[t];
    b->s->cells[i * N_STYLE + f] = (uint32_t)f * TENTHS + cell;
  }
  free(sorted);
}

static fn_status start_style(features *s, fn_audit *a, fn_err *err) {
  FN_TRY(start(s, a, (size_t)N_STYLE * TENTHS, err));
  size_t n = a->train->n + a->test->n;
  s->cells = fn_arena_alloc(&a->arena, n, N_STYLE * sizeof *s->cells);
  if (!s->cells) return fn_err_no_memory(err, "rows of features");
  binning b = {.s = s, .a = a};
  fn_pool_run(a->request->pool, N_STYLE, bin_feature, &b);
  for (int f = 0; f < N_STYLE; f++)
    if (b.failed[f]) return fn_err_no_memory(err, "values of a feature");
  for (size_t k = 0; k < s->vocabulary.n; k++) s->vocabulary.idf[k] = 1;
  for (size_t i = 0; i < n; i++) {
    fn_sparse_row *row = i < a->train->n ? &s->train.rows[i] : &s->test.rows[i - a->train->n];
    *row = (fn_sparse_row){
        .index = s->cells + i * N_STYLE, .n_ones = N_STYLE, .scale = (float)(1 / sqrt((double)N_STYLE))};
  }
  return FN_OK;
}

/* Minimises from f->v, judges. */
static fn_status fit(fn_audit_model *m, fitting *f, fn_err *err) {
  fn_logistic *p = &f->problem;
  const fn_audit *a = f->a;
  fn_newton_result result;
  p->c = STRENGTH;
  FN_TRY(fn_audit_check_stop(a, err));
  FN_TRY(fn_newton_minimise(&result, f->v, p, f->norm_0, TOLERANCE, MAX_ITERATIONS, err));
  FN_AUTO_FREE double *scores = fn_mem_alloc(a->test->n, sizeof *scores);
  FN_AUTO_FREE float *scaled = fn_mem_alloc(p->n, sizeof *scaled);
  if (!scores || !scaled) return fn_err_no_memory(err, "scores");
  for (size_t k = 0; k + 1 < p->n; k++) scaled[k] = (float)(f->v[k] * (double)p->vocabulary->idf[k]);
  uint64_t n[2][2] = {{0, 0}, {0, 0}};
  for (size_t i = 0; i < a->test->n; i++) {
    const fn_sparse_row *row = &f->features->test.rows[i];
    scores[i] = (double)row->scale * fn_sparse_dot(row, scaled) + f->v[p->n - 1];
    n[a->test_labels[i]][scores[i] > 0]++;
  }
  double right = (double)(n[0][0] + n[1][1]), rows = (double)a->test->n;
  for (int k = 0; k < 2; k++) m->balanced_accuracy += (double)n[k][k] / (double)a->test->n_class[k] / 2;
  m->accuracy = right / rows;
  fn_audit_wilson(&m->low, &m->high, right, rows, fn_audit_quantile(0.05));
  return fn_audit_auc(&m->auc, scores, a->test_labels, a->test->n, err);
}

static fn_status open_problem(fitting *f, features *s, fn_err *err) {
  f->features = s;
  FN_TRY(fn_logistic_init(&f->problem, &s->train, &s->vocabulary, f->rows, f->a->request->pool, err));
  f->v = fn_mem_calloc(f->problem.n, sizeof *f->v);
  FN_AUTO_FREE double *gradient = fn_mem_calloc(f->problem.n, sizeof *gradient);
  if (!f->v || !gradient) return fn_err_no_memory(err, "weights");
  (void)fn_logistic_evaluate(gradient, NULL, &f->problem, f->v); /* at 0 with C = 1 */
  f->norm_0 = fn_vector_norm(gradient, f->problem.n);
  return FN_OK;
}

static void close_problem(fitting *f) {
  fn_logistic_deinit(&f->problem);
  free(f->v);
  f->v = NULL;
}

/* The short form leaves out the steps between. */
static bool is_wanted(const fn_audit *a, size_t step) {
  return (removals[step] == 0 || removals[step] < a->words.n) &&
         (!a->request->brief || removals[step] == 0 || removals[step] == 20);
}

static fn_status fit_words(fn_audit_model *models, size_t *n, fitting *f, fn_err *err) {
  features s;
  FN_TRY(start_words(&s, f->a, err));
  remove_words(&s, f->a, 0);
  fn_status status = open_problem(f, &s, err);
  for (size_t step = 0; status == FN_OK && step < FN_COUNT_OF(removals); step++) {
    if (!is_wanted(f->a, step)) continue;
    size_t removed = removals[step];
    remove_words(&s, f->a, removed);
    for (size_t k = 0; k < removed && k < f->a->words.n; k++) f->v[k] = 0;
    models[*n] = (fn_audit_model){.name = "words", .removed = removed, .n_features = f->a->words.n - removed};
    status = fit(&models[(*n)++], f, err);
  }
  close_problem(f);
  return status;
}

fn_status fn_audit_models(fn_audit *a, fn_err *err) {
  fn_audit_model *models = fn_arena_alloc(&a->arena, FN_COUNT_OF(removals) + 1, sizeof *models);
  if (!models) return fn_err_no_memory(err, "models");
  fitting f = {.a = a};
  size_t n = 0;
  FN_TRY(make_rows(&f, err));
  if (a->words.n > 0) FN_TRY(fit_words(models, &n, &f, err));
  features style;
  FN_TRY(start_style(&style, a, err));
  fn_status status = open_problem(&f, &style, err);
  models[n] = (fn_audit_model){.name = "style", .n_features = N_STYLE};
  if (status == FN_OK) status = fit(&models[n++], &f, err);
  close_problem(&f);
  a->report.models = models;
  a->report.n_models = n;
  return status;
}
