#include "linear/logistic.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_BLOCKS = 16, ROWS_PER_BLOCK = 128, COLUMNS_PER_TASK = 8192 };

fn_status fn_logistic_init(fn_logistic *problem_out, const fn_sparse *sparse, const fn_vocabulary *vocabulary,
                           const fn_linear_row *rows, fn_pool *pool, fn_err *err) {
  fn_logistic p = {
      .n = vocabulary->n + 1, .sparse = sparse, .vocabulary = vocabulary, .rows = rows, .c = 1.0, .pool = pool};
  double total = 0.0;
  for (size_t i = 0; i < sparse->n_rows; i++) total += rows[i].weight;
  p.weight_scale = (double)sparse->n_rows / total;
  p.n_blocks = (sparse->n_rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;
  if (p.n_blocks > MAX_BLOCKS) p.n_blocks = MAX_BLOCKS;
  p.margin = fn_mem_calloc(sparse->n_rows, sizeof *p.margin);
  p.curvature = fn_mem_calloc(sparse->n_rows, sizeof *p.curvature);
  p.scaled = fn_mem_calloc(p.n, sizeof *p.scaled);
  p.sums = fn_mem_calloc(p.n_blocks, p.n * sizeof *p.sums);
  p.block_loss = fn_mem_calloc(p.n_blocks, sizeof *p.block_loss);
  p.block_bias = fn_mem_calloc(p.n_blocks, sizeof *p.block_bias);
  if (!p.margin || !p.curvature || !p.scaled || !p.sums || !p.block_loss || !p.block_bias) {
    fn_logistic_deinit(&p);
    return fn_err_no_memory(err, "sums of the linear family's training");
  }
  *problem_out = p;
  return FN_OK;
}

void fn_logistic_deinit(fn_logistic *p) {
  free(p->margin);
  free(p->curvature);
  free(p->scaled);
  free(p->sums);
  free(p->block_loss);
  free(p->block_bias);
  *p = (fn_logistic){0};
}

static void scale_by_idf(float *out, const fn_logistic *p, const double *v) {
  const float *idf = p->vocabulary->idf;
  for (size_t j = 0; j + 1 < p->n; j++) out[j] = (float)(v[j] * (double)idf[j]);
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
  const fn_sparse_row *row = &p->sparse->rows[i];
  double z = (double)row->scale * fn_sparse_dot(row, p->scaled) + a->bias;
  if (a->kind == PRODUCT) return (double)p->curvature[i] * z;
  double s = p->weight_scale * p->rows[i].weight, y = p->rows[i].label ? 1.0 : -1.0;
  double wrong = 1.0 / (1.0 + exp(y * z)); /* probability given to the other class */
  p->margin[i] = z;
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
  size_t n_rows = p->sparse->n_rows, begin = n_rows * b / p->n_blocks, end = n_rows * (b + 1) / p->n_blocks;
  for (size_t i = begin; i < end; i++) {
    const fn_sparse_row *row = &p->sparse->rows[i];
    double factor = row_factor(a, i, &loss);
    bias += factor;
    if (a->kind == DIAGONAL) {
      fn_sparse_add_squares(sum, row, (float)factor * row->scale * row->scale);
    } else {
      fn_sparse_add(sum, row, (float)factor * row->scale);
    }
  }
  p->block_loss[b] = loss;
  p->block_bias[b] = bias;
}

/* out_j = lead_j + idf_j Σ_b sums[b][j] for some columns. */
static void reduce_columns(void *arg, size_t task, int worker) {
  (void)worker;
  pass *a = arg;
  const fn_logistic *p = a->p;
  size_t begin = task * COLUMNS_PER_TASK, end = begin + COLUMNS_PER_TASK;
  if (end > p->n - 1) end = p->n - 1;
  for (size_t j = begin; j < end; j++) {
    double sum = 0.0, idf = (double)p->vocabulary->idf[j];
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
  if (loss_out != NULL) *loss_out = loss / (double)p->sparse->n_rows; /* Σ s_i = rows */
  return 0.5 * penalty + p->c * loss;
}

/* f along (t, b), its gradient and Hessian {tt, tb, bb}; m_i = margin without b_0. */
static double plane(double gradient[2], double hessian[3], const fn_logistic *p, double penalty, double b_0, double t,
                    double b) {
  double f = 0.5 * penalty * t * t;
  gradient[0] = penalty * t;
  gradient[1] = 0.0;
  hessian[0] = penalty;
  hessian[1] = hessian[2] = 0.0;
  for (size_t i = 0; i < p->sparse->n_rows; i++) {
    double s = p->c * p->weight_scale * p->rows[i].weight, y = p->rows[i].label ? 1.0 : -1.0;
    double m = p->margin[i] - b_0, z = t * m + b, wrong = 1.0 / (1.0 + exp(y * z)), h = s * wrong * (1.0 - wrong);
    f += s * cross_entropy(y * z);
    gradient[0] -= s * y * wrong * m;
    gradient[1] -= s * y * wrong;
    hessian[0] += h * m * m;
    hessian[1] += h * m;
    hessian[2] += h;
  }
  return f;
}

void fn_logistic_rescale(double *v, const fn_logistic *p) {
  enum { STEPS = 20, HALVINGS = 10 };
  double penalty = 0.0, t = 1.0, b_0 = v[p->n - 1], b = b_0, g[2], h[3];
  for (size_t j = 0; j + 1 < p->n; j++) penalty += v[j] * v[j];
  if (penalty == 0.0) return;
  double f = plane(g, h, p, penalty, b_0, t, b), first = f;
  for (int step = 0; step < STEPS; step++) {
    double determinant = h[0] * h[2] - h[1] * h[1];
    if (!(determinant > 1e-12 * h[0] * h[2])) break;
    double dt = -(h[2] * g[0] - h[1] * g[1]) / determinant, db = -(h[0] * g[1] - h[1] * g[0]) / determinant, next = f;
    int k = 0;
    for (; k < HALVINGS; k++, dt *= 0.5, db *= 0.5) {
      next = plane(g, h, p, penalty, b_0, t + dt, b + db);
      if (next < f) break;
    }
    if (k == HALVINGS || !(f - next > 1e-6 * f)) break;
    t += dt;
    b += db;
    f = next;
  }
  if (!(f < first)) return;
  for (size_t j = 0; j + 1 < p->n; j++) v[j] *= t;
  v[p->n - 1] = b;
}

void fn_logistic_product(double *out, fn_logistic *p, const double *d) {
  scale_by_idf(p->scaled, p, d);
  run_pass(&(pass){p, PRODUCT, d[p->n - 1], out, d});
}

void fn_logistic_diagonal(double *out, fn_logistic *p) {
  run_pass(&(pass){p, DIAGONAL, 0.0, out, NULL});
}

double fn_logistic_loss(const fn_logistic *p, const fn_sparse *sparse, const fn_linear_row *rows, const double *v) {
  double loss = 0.0, total = 0.0;
  scale_by_idf(p->scaled, p, v);
  for (size_t i = 0; i < sparse->n_rows; i++) {
    const fn_sparse_row *row = &sparse->rows[i];
    double z = (double)row->scale * fn_sparse_dot(row, p->scaled) + v[p->n - 1];
    loss += rows[i].weight * cross_entropy(rows[i].label ? z : -z);
    total += rows[i].weight;
  }
  return loss / total;
}
