#include "data/sample.h"

#include "data/csv.h"
#include "data/labels.h"
#include "data/select.h"

#include <inttypes.h>
#include <stdio.h>

enum { N_LABELS = 2, SAMPLE_STREAM = 0x5A };

/* Marks n_wanted of the rows with this label. */
static fn_status draw(bool *chosen, const fn_row_index *index, int32_t label, size_t n_wanted, fn_rng *rng,
                      fn_err *err) {
  FN_AUTO_FREE uint32_t *rows = fn_mem_calloc(index->n, sizeof *rows);
  if (!rows) return fn_err_no_memory(err, "a sample");
  size_t n = 0;
  for (size_t i = 0; i < index->n; i++)
    if (index->labels[i] == label) rows[n++] = (uint32_t)i;
  fn_rng_shuffle(rng, rows, n);
  for (size_t i = 0; i < n_wanted; i++) chosen[rows[i]] = true;
  return FN_OK;
}

static void append_row(fn_buf *out, const fn_dataset *dataset, fn_split split, size_t i) {
  fn_row row;
  char cluster[24], number[24];
  fn_dataset_get(&row, dataset, split, i);
  snprintf(cluster, sizeof cluster, "%" PRId64, row.cluster);
  snprintf(number, sizeof number, "%" PRId64, row.row);
  const fn_str fields[] = {row.title,
                           row.text,
                           fn_str_from(fn_label_name(row.label)),
                           row.dataset,
                           row.source,
                           fn_str_from(fn_split_name(split)),
                           fn_str_from(cluster),
                           fn_str_from(number),
                           row.hash};
  fn_csv_append_record(out, fields, FN_COUNT_OF(fields));
}

static fn_status sample(fn_buf *out, const fn_dataset *dataset, fn_split split, const fn_row_index *index, size_t n,
                        uint64_t seed, fn_err *err) {
  FN_AUTO_FREE bool *chosen = fn_mem_calloc(index->n, sizeof *chosen);
  if (!chosen) return fn_err_no_memory(err, "a sample");
  fn_rng rng = fn_rng_make(seed, SAMPLE_STREAM);
  /* n ≤ index->n, so that neither share passes the rows of its label. */
  size_t n_real = (size_t)((double)n * (double)index->label_counts[0] / (double)index->n + 0.5);
  const size_t shares[N_LABELS] = {n_real, n - n_real};
  for (int32_t k = 0; k < N_LABELS; k++) FN_TRY(draw(chosen, index, k, shares[k], &rng, err));
  fn_buf_append_str(out, "title,text,label,dataset,source,split,cluster,row,hash\n");
  for (size_t i = 0; i < index->n; i++)
    if (chosen[i]) append_row(out, dataset, split, index->rows[i]);
  return fn_buf_check(out, "a sample", err);
}

fn_status fn_sample_format_csv(fn_buf *out, const fn_dataset *dataset, fn_split split, size_t n, uint64_t seed,
                               fn_err *err) {
  size_t there = fn_dataset_n_rows(dataset, split);
  if (n == 0 || n > there)
    return fn_err_set(err, FN_E_INVALID, "%s: the %s split has %zu rows; of these 1 to %zu can be drawn, not %zu",
                      fn_dataset_dir(dataset), fn_split_name(split), there, there, n);
  fn_row_index index;
  FN_TRY(fn_row_index_build(&index, dataset, split, NULL, err));
  fn_status status = sample(out, dataset, split, &index, n, seed, err);
  fn_row_index_deinit(&index);
  return status;
}
