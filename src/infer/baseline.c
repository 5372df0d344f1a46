#include "infer/evaluation.h"

#include <stdlib.h>

fn_status fn_baseline_majority(double *p_fake_out, const fn_dataset *dataset, size_t n, fn_err *err) {
  size_t n_train = fn_dataset_n_rows(dataset, FN_SPLIT_TRAIN), fakes = 0;
  if (n_train == 0) {
    return fn_err_set(err, FN_E_INVALID, "%s: the train split has no rows for a baseline", fn_dataset_dir(dataset));
  }
  for (size_t i = 0; i < n_train; i++) {
    fn_row row;
    fn_dataset_get(&row, dataset, FN_SPLIT_TRAIN, i);
    fakes += row.label == 1;
  }
  for (size_t i = 0; i < n; i++) p_fake_out[i] = (double)fakes / (double)n_train;
  return FN_OK;
}

/* Rows of a split, weighted evenly over dataset × label; malloc'd. */
static fn_status make_rows(fn_linear_row **rows_out, const fn_dataset *dataset, fn_split split, fn_err *err) {
  size_t n = fn_dataset_n_rows(dataset, split);
  FN_AUTO_FREE fn_linear_row *rows = fn_mem_calloc(n, sizeof *rows);
  FN_AUTO_FREE fn_str *groups = fn_mem_calloc(n, sizeof *groups);
  if (rows == NULL || groups == NULL) return fn_err_no_memory(err, "rows of the linear baseline");
  for (size_t i = 0; i < n; i++) {
    fn_row row;
    fn_dataset_get(&row, dataset, split, i);
    rows[i] = (fn_linear_row){row.title, row.text, row.label, 1.0};
    groups[i] = row.dataset;
  }
  FN_TRY(fn_linear_weights_even(rows, groups, n, err));
  *rows_out = FN_STEAL(rows);
  return FN_OK;
}

typedef struct linear_call {
  const fn_linear *linear;
  fn_linear_scratch **scratches;
  const fn_labelled *rows;
  double *p_fake;
} linear_call;

static void predict_one(void *arg, size_t i, int worker) {
  const linear_call *c = arg;
  const fn_article *a = &c->rows->articles[i];
  double logit = 0.0;
  (void)!fn_linear_predict(&logit, c->linear, c->scratches[worker], a->title, a->text, NULL); /* lengths were checked */
  c->p_fake[i] = 1.0 / (1.0 + exp(-logit));
}

static fn_status predict_all(double *p_fake_out, const fn_linear *linear, const fn_labelled *rows, fn_pool *pool,
                             fn_err *err) {
  size_t n_workers = (size_t)fn_pool_n_threads(pool);
  for (size_t i = 0; i < rows->n; i++) {
    if (rows->articles[i].title.length > INT32_MAX || rows->articles[i].text.length > INT32_MAX) {
      return fn_err_set(err, FN_E_LIMIT, "row %zu has more than 2^31 - 1 bytes", i);
    }
  }
  FN_AUTO_FREE fn_linear_scratch **scratches = fn_mem_calloc(n_workers, sizeof(fn_linear_scratch *));
  if (scratches == NULL) return fn_err_no_memory(err, "work space");
  fn_status status = FN_OK;
  for (size_t w = 0; w < n_workers && status == FN_OK; w++) {
    status = fn_linear_scratch_create(&scratches[w], linear, err);
  }
  if (status == FN_OK) fn_pool_run(pool, rows->n, predict_one, &(linear_call){linear, scratches, rows, p_fake_out});
  for (size_t w = 0; w < n_workers; w++) fn_linear_scratch_destroy(scratches[w]);
  return status;
}

fn_status fn_baseline_linear(double *p_fake_out, fn_linear_info *info_out, const fn_dataset *dataset, fn_text_mode mode,
                             const fn_linear_options *options, const fn_labelled *rows, fn_linear_progress progress,
                             void *progress_arg, fn_pool *pool, fn_err *err) {
  FN_AUTO_FREE fn_linear_row *train = NULL, *validation = NULL;
  FN_TRY(make_rows(&train, dataset, FN_SPLIT_TRAIN, err));
  FN_TRY(make_rows(&validation, dataset, FN_SPLIT_VALIDATION, err));
  fn_linear *linear = NULL;
  FN_TRY(fn_linear_train(&linear, train, fn_dataset_n_rows(dataset, FN_SPLIT_TRAIN), validation,
                         fn_dataset_n_rows(dataset, FN_SPLIT_VALIDATION), mode, options, progress, progress_arg, pool,
                         err));
  fn_linear_get_info(info_out, linear);
  fn_status status = predict_all(p_fake_out, linear, rows, pool, err);
  fn_linear_destroy(linear);
  return status;
}
