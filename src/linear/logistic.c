#include "linear/logistic.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_BLOCKS = 16, ROWS_PER_BLOCK = 128, COLUMNS_PER_TASK = 8192 };

fn_status fn_logistic_init(fn_logistic *problem_out, const fn_sparse *sparse, const fn_vocabulary *vocabularies,
                           size_t n_families, const fn_linear_row *rows, fn_pool *pool, fn_err *err) {
  fn_logistic p = {.n_rows = sparse[0].n_rows, .n_families = n_families, .rows = rows, .c = 1.0, .pool = pool};
  for (size_t f = 0; f < n_families; f++) {
    p.begin[f] = p.n;
    p.sparse[f] = &sparse[f];
    p.vocabulary[f] = &vocabularies[f];
    p.n += vocabularies[f].n;
  }
  p.n++;
  double total = 0.0;
  for (size_t i = 0; i < p.n_rows; i++) total += rows[i].weight;
  p.weight_scale = (double)p.n_rows / total;
  p.n_blocks = (p.n_rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;
  if (p.n_blocks > MAX_BLOCKS) p.n_blocks = MAX_BLOCKS;
  p.curvature = fn_mem_calloc(p.n_rows, sizeof *p.curvature);
  p.scaled = fn_mem_calloc(p.n, sizeof *p.scaled);
  p.sums = fn_mem_calloc(p.n_blocks, p.n * sizeof *p.sums);
  p.block_loss = fn_mem_calloc(p.n_blocks, sizeof *p.block_loss);
  p.block_bias = fn_mem_calloc(p.n_blocks, sizeof *p.block_bias);
  if (!p.curvature || !p.scaled || !p.sums || !p.block_loss || !p.block_bias) {
    fn_logistic_deinit(&p);
    return fn_err_no_memory(err, "sums of the linear family's training");
  }
  *problem_out = p;
  return FN_OK;
}

void fn_logistic_deinit(fn_logistic *p) {
  free(p->curvature);
  free(p->scaled);
  free(p->sums);
  free(p->block_loss);
  free(p->block_bias);
  *p = (fn_logistic){0};
}

static void scale_by_idf(float *out, const fn_logistic *p, const double *v) {
  for (size_t f = 0; f < p->n_families; f++) {
    const float *idf = p->vocabulary[f]->idf;
    for (size_t j = 0; j < p->vocabulary[f]->n; j++)
      out[p->begin[f] + j] = (float)(v[p->begin[f] + j] * (double)idf[j]);
  }
}

static double row_dot(const fn_logistic *p, const fn_sparse *const *sparse, size_t i, const float *scaled) {
  double z = 0.0;
  for (size_t f = 0; f < p->n_families; f++) {
    const fn_sparse_row *row = &sparse[f]->rows[i];
    z += (double)row->scale * fn_sparse_dot(row, scaled + p->begin[f]);
  }
  return z;
}

static void row_add(const fn_logistic *p, size_t i, float *sum, double factor) {
  for (size_t f = 0; f < p->n_families; f++) {
    const fn_sparse_row *row = &p->sparse[f]->rows[i];
    fn_sparse_add(sum + p->begin[f], row, (float)factor * row->scale);
  }
}

typedef enum pass_kind { EVALUATE, PRODUCT, DIAGONAL } pass_kind;

typedef struct pass {
  fn_logistic *p;
  pass_kind kind;
  double bias;        /* b, or its part of d */
  double *out;        /* [n] */
  const double *lead; /* [n] what the penalty adds; NULL adds 1 */
} pass;

static double cross_entropy(double margin) {
  return margin > 0.0 ? log1p(exp(-margin)) : log1p(exp(margin)) - margin;
}

/* What row i adds to its block: factor·x_i (or factor·x_i²) to the sums, factor to the bias. */
static double row_factor(const pass *a, size_t i, double *loss) {
  fn_logistic *p = a->p;
  if (a->kind == DIAGONAL) return (double)p->curvature[i];
  double z = row_dot(p, p->sparse, i, p->scaled) + a->bias;
  if (a->kind == PRODUCT) return (double)p->curvature[i] * z;
  double s = p->weight_scale * p->rows[i].weight, y = p->rows[i].label ? 1.0 : -1.0;
  double wrong = 1.0 / (1.0 + exp(y * z)); /* probability given to the other class */
  *loss += s * cross_entropy(y * z);
  p->curvature[i] = (float)(p->c * s * wrong * (1.0 - wrong));
  return -p->c * s * y * wrong;
}

static void run_block(void *arg, size_t b, int worker) {
  (void)worker;
  pass *a = arg;
  fn_logistic *p = a->p;
  float *sum = p->sums + b * p->n;
  memset(sum, 0, p->n * sizeof *sum);
  double loss = 0.0, bias = 0.0;
  size_t begin = p->n_rows * b / p->n_blocks, end = p->n_rows * (b + 1) / p->n_blocks;
  for (size_t i = begin; i < end; i++) {
    double factor = row_factor(a, i, &loss);
    bias += factor;
    if (a->kind != DIAGONAL) {
      row_add(p, i, sum, factor);
      continue;
    }
    for (size_t f = 0; f < p->n_families; f++) {
      const fn_sparse_row *row = &p->sparse[f]->rows[i];
      fn_sparse_add_squares(sum + p->begin[f], row, (float)factor * row->scale * row->scale);
    }
  }
  p->block_loss[b] = loss;
  p->block_bias[b] = bias;
}

/* out_j = lead_j + idf_j Σ_b sums[b][j] for some columns of one family. */
static void reduce_columns(void *arg, size_t task, int worker) {
  (void)worker;
  pass *a = arg;
  const fn_logistic *p = a->p;
  size_t begin = task * COLUMNS_PER_TASK, end = begin + COLUMNS_PER_TASK;
  if (end > p->n - 1) end = p->n - 1;
  for (size_t j = begin; j < end; j++) {
    size_t f = p->n_families > 1 && j >= p->begin[1] ? 1 : 0;
    double sum = 0.0, idf = (double)p->vocabulary[f]->idf[j - p->begin[f]];
    for (size_t b = 0; b < p->n_blocks; b++) sum += (double)p->sums[b * p->n + j];
    a->out[j] = (a->lead ? a->lead[j] : 1.0) + sum * (a->kind == DIAGONAL ? idf * idf : idf);
  }
}

static void run_pass(pass *a) {
  fn_logistic *p = a->p;
  fn_pool_run(p->pool, p->n_blocks, run_block, a);
  fn_pool_run(p->pool, (p->n - 1 + COLUMNS_PER_TASK - 1) / COLUMNS_PER_TASK, reduce_columns, a);
  double bias = 0.0;
  for (size_t b = 0; b < p->n_blocks; b++) bias += p->block_bias[b];
  a->out[p->n - 1] = bias;
}

double fn_logistic_evaluate(double *gradient_out, double *loss_out, fn_logistic *p, const double *v) {
  scale_by_idf(p->scaled, p, v);
  run_pass(&(pass){p, EVALUATE, v[p->n - 1], gradient_out, v});
  double loss = 0.0, penalty = 0.0;
  for (size_t b = 0; b < p->n_blocks; b++) loss += p->block_loss[b];
  for (size_t j = 0; j + 1 < p->n; j++) penalty += v[j] * v[j];
  if (loss_out != NULL) *loss_out = loss / (double)p->n_rows; /* Σ s_i = n_rows */
  return 0.5 * penalty + p->c * loss;
}

void fn_logistic_product(double *out, fn_logistic *p, const double *d) {
  scale_by_idf(p->scaled, p, d);
  run_pass(&(pass){p, PRODUCT, d[p->n - 1], out, d});
}

void fn_logistic_diagonal(double *out, fn_logistic *p) {
  run_pass(&(pass){p, DIAGONAL, 0.0, out, NULL});
}

double fn_logistic_loss(const fn_logistic *p, const fn_sparse *sparse, const fn_linear_row *rows, size_t n_rows,
                        const double *v) {
  const fn_sparse *families[FN_N_FAMILIES] = {&sparse[0], p->n_families > 1 ? &sparse[1] : NULL};
  double loss = 0.0, total = 0.0;
  scale_by_idf(p->scaled, p, v);
  for (size_t i = 0; i < n_rows; i++) {
    double z = row_dot(p, families, i, p->scaled) + v[p->n - 1];
    loss += rows[i].weight * cross_entropy(rows[i].label ? z : -z);
    total += rows[i].weight;
  }
  return loss / total;
}
