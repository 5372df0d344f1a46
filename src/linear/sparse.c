#include "linear/sparse.h"

#include <math.h>
#include <stdlib.h>

enum { CHUNK_ROWS = 32, LOG_TABLE = 64 };

struct fn_sparse_chunk {
  uint32_t *index;
  float *value;
  size_t n_index, n_value;
  bool failed;
};

typedef struct maker {
  const fn_linear_row *rows;
  const fn_feature_spec *spec;
  int family;
  fn_sparse *sparse;
  fn_feature_counter *counters; /* [n_workers] */
  uint32_t *frequency;          /* [n_workers][buckets], or NULL */
  float log_table[LOG_TABLE];
} maker;

static float log_count(const maker *m, uint32_t count) {
  return count < LOG_TABLE ? m->log_table[count] : (float)(1.0 + log((double)count));
}

static bool grow(void **array, size_t *capacity, size_t needed, size_t size) {
  return needed <= *capacity || fn_mem_grow(array, capacity, needed, size, SIZE_MAX / 8, "n-grams", NULL) == FN_OK;
}

/* Doubling leaves up to half unused; with many articles that is gigabytes. */
static void shrink(struct fn_sparse_chunk *chunk) {
  if (chunk->n_index > 0) {
    void *index = realloc(chunk->index, chunk->n_index * sizeof *chunk->index);
    if (index != NULL) chunk->index = index;
  }
  if (chunk->n_value > 0) {
    void *value = realloc(chunk->value, chunk->n_value * sizeof *chunk->value);
    if (value != NULL) chunk->value = value;
  }
}

/* A row's pointers hold NULL until the chunk has stopped moving; set_pointers fills them. */
static void make_chunk(void *arg, size_t c, int worker) {
  maker *m = arg;
  struct fn_sparse_chunk *chunk = &m->sparse->chunks[c];
  fn_feature_counter *counter = &m->counters[worker];
  uint32_t *frequency = m->frequency ? m->frequency + (size_t)worker * fn_feature_spec_n_buckets(m->spec) : NULL;
  size_t index_capacity = 0, value_capacity = 0, end = (c + 1) * CHUNK_ROWS;
  for (size_t i = c * CHUNK_ROWS; i < end && i < m->sparse->n_rows; i++) {
    fn_sparse_row *row = &m->sparse->rows[i];
    fn_feature_counter_add(counter, m->spec, m->family, m->rows[i].title, m->rows[i].text);
    void *index = chunk->index, *value = chunk->value;
    bool ok = grow(&index, &index_capacity, chunk->n_index + counter->n, sizeof(uint32_t));
    chunk->index = index;
    ok = ok && grow(&value, &value_capacity, chunk->n_value + counter->n, sizeof(float));
    chunk->value = value;
    if (ok && counter->n > 0) { /* a row without features keeps its zeros; there may be no memory to point into */
      uint32_t *to = chunk->index + chunk->n_index, *many = to + counter->n;
      for (size_t k = counter->n; k-- > 0;) { /* ones from the front, the others from the back */
        uint32_t bucket = counter->touched[k];
        if (counter->counts[bucket] == 1) {
          *to++ = bucket;
        } else {
          *--many = bucket;
        }
        if (frequency != NULL) frequency[bucket]++;
      }
      row->n_ones = (uint32_t)(to - (chunk->index + chunk->n_index));
      row->n_many = (uint32_t)counter->n - row->n_ones;
      for (size_t k = 0; k < row->n_many; k++) {
        chunk->value[chunk->n_value + k] = log_count(m, counter->counts[many[k]]);
      }
      chunk->n_index += counter->n;
      chunk->n_value += row->n_many;
    }
    chunk->failed = chunk->failed || !ok;
    fn_feature_counter_clear(counter);
  }
  shrink(chunk);
}

static void set_pointers(fn_sparse *sparse) {
  for (size_t c = 0; c < sparse->n_chunks; c++) {
    const uint32_t *index = sparse->chunks[c].index;
    const float *value = sparse->chunks[c].value;
    for (size_t i = c * CHUNK_ROWS; i < (c + 1) * CHUNK_ROWS && i < sparse->n_rows; i++) {
      fn_sparse_row *row = &sparse->rows[i];
      row->index = index;
      row->value = value;
      if (index != NULL) index += row->n_ones + row->n_many;
      if (value != NULL) value += row->n_many;
    }
  }
}

static fn_status make_all(maker *m, uint32_t *document_frequency, size_t n_workers, fn_pool *pool, fn_err *err) {
  size_t n_buckets = fn_feature_spec_n_buckets(m->spec);
  for (size_t w = 0; w < n_workers; w++) FN_TRY(fn_feature_counter_init(&m->counters[w], m->spec, err));
  fn_pool_run(pool, m->sparse->n_chunks, make_chunk, m);
  for (size_t c = 0; c < m->sparse->n_chunks; c++) {
    if (m->sparse->chunks[c].failed) return fn_err_no_memory(err, "n-grams of the articles");
  }
  set_pointers(m->sparse);
  if (document_frequency != NULL) {
    for (size_t b = 0; b < n_buckets; b++) {
      document_frequency[b] = 0;
      for (size_t w = 0; w < n_workers; w++) document_frequency[b] += m->frequency[w * n_buckets + b];
    }
  }
  return FN_OK;
}

fn_status fn_sparse_make(fn_sparse *sparse_out, uint32_t *document_frequency, const fn_linear_row *rows, size_t n,
                         const fn_feature_spec *spec, int family, fn_pool *pool, fn_err *err) {
  if (n >= UINT32_MAX) return fn_err_set(err, FN_E_LIMIT, "the linear family takes fewer than %u rows", UINT32_MAX);
  size_t n_workers = (size_t)fn_pool_n_threads(pool), n_chunks = (n + CHUNK_ROWS - 1) / CHUNK_ROWS;
  fn_sparse sparse = {n, n_chunks, fn_mem_calloc(n, sizeof *sparse.rows),
                      fn_mem_calloc(n_chunks, sizeof *sparse.chunks)};
  maker m = {.rows = rows, .spec = spec, .family = family, .sparse = &sparse};
  for (uint32_t i = 1; i < LOG_TABLE; i++) m.log_table[i] = (float)(1.0 + log((double)i));
  m.counters = fn_mem_calloc(n_workers, sizeof *m.counters);
  if (document_frequency != NULL) {
    m.frequency = fn_mem_calloc(n_workers, fn_feature_spec_n_buckets(spec) * sizeof *m.frequency);
  }
  fn_status status;
  if (sparse.rows == NULL || sparse.chunks == NULL || m.counters == NULL ||
      (document_frequency != NULL && m.frequency == NULL)) {
    status = fn_err_no_memory(err, "n-grams of the articles");
  } else {
    status = make_all(&m, document_frequency, n_workers, pool, err);
  }
  for (size_t w = 0; m.counters != NULL && w < n_workers; w++) fn_feature_counter_deinit(&m.counters[w]);
  free(m.counters);
  free(m.frequency);
  if (status != FN_OK) {
    fn_sparse_deinit(&sparse);
    return status;
  }
  *sparse_out = sparse;
  return FN_OK;
}

void fn_sparse_deinit(fn_sparse *sparse) {
  for (size_t c = 0; sparse->chunks != NULL && c < sparse->n_chunks; c++) {
    free(sparse->chunks[c].index);
    free(sparse->chunks[c].value);
  }
  free(sparse->chunks);
  free(sparse->rows);
  *sparse = (fn_sparse){0};
}

typedef struct binder {
  fn_sparse *sparse;
  const fn_vocabulary *vocabulary;
} binder;

/* Keeps what has a rank; the squared norm of what is kept is added up as it goes by. */
static void bind_row(fn_sparse_row *row, uint32_t *index, float *value, const fn_vocabulary *vocabulary) {
  uint32_t n_ones = 0, n_many = 0;
  double square = 0.0;
  for (uint32_t k = 0; k < row->n_ones; k++) {
    uint32_t rank = vocabulary->rank[index[k]];
    if (rank == UINT32_MAX) continue;
    double x = (double)vocabulary->idf[rank];
    square += x * x;
    index[n_ones++] = rank;
  }
  for (uint32_t k = 0; k < row->n_many; k++) {
    uint32_t rank = vocabulary->rank[index[row->n_ones + k]];
    if (rank == UINT32_MAX) continue;
    double x = (double)value[k] * (double)vocabulary->idf[rank];
    square += x * x;
    index[n_ones + n_many] = rank;
    value[n_many++] = value[k];
  }
  row->n_ones = n_ones;
  row->n_many = n_many;
  row->scale = square > 0.0 ? (float)(1.0 / sqrt(square)) : 0.0F;
}

static void bind_chunk(void *arg, size_t c, int worker) {
  (void)worker;
  binder *b = arg;
  struct fn_sparse_chunk *chunk = &b->sparse->chunks[c];
  for (size_t i = c * CHUNK_ROWS; i < (c + 1) * CHUNK_ROWS && i < b->sparse->n_rows; i++) {
    fn_sparse_row *row = &b->sparse->rows[i];
    if (row->index == NULL) continue;
    float *value = chunk->value ? chunk->value + (row->value - chunk->value) : NULL;
    bind_row(row, chunk->index + (row->index - chunk->index), value, b->vocabulary);
  }
}

void fn_sparse_bind(fn_sparse *sparse, const fn_vocabulary *vocabulary, fn_pool *pool) {
  binder b = {sparse, vocabulary};
  fn_pool_run(pool, sparse->n_chunks, bind_chunk, &b);
}

/* Four entries at a time are added in float and go to the double sum as one: the rounding is that of the entries. */
double fn_sparse_dot(const fn_sparse_row *row, const float *u) {
  const uint32_t *index = row->index, *end = index + row->n_ones;
  double sum = 0.0, sum_many = 0.0;
  for (; end - index >= 4; index += 4) sum += (double)((u[index[0]] + u[index[1]]) + (u[index[2]] + u[index[3]]));
  for (; index < end; index++) sum += (double)u[*index];
  const float *x = row->value;
  end += row->n_many;
  for (; end - index >= 4; index += 4, x += 4) {
    sum_many += (double)((x[0] * u[index[0]] + x[1] * u[index[1]]) + (x[2] * u[index[2]] + x[3] * u[index[3]]));
  }
  for (; index < end; index++, x++) sum_many += (double)(*x * u[*index]);
  return sum + sum_many;
}

void fn_sparse_add(float *sum, const fn_sparse_row *row, float factor) {
  const uint32_t *index = row->index, *end = index + row->n_ones;
  for (; index < end; index++) sum[*index] += factor;
  const float *x = row->value;
  for (end += row->n_many; index < end; index++, x++) sum[*index] += factor * *x;
}

void fn_sparse_add_squares(float *sum, const fn_sparse_row *row, float factor) {
  const uint32_t *index = row->index, *end = index + row->n_ones;
  for (; index < end; index++) sum[*index] += factor;
  const float *x = row->value;
  for (end += row->n_many; index < end; index++, x++) sum[*index] += factor * (*x * *x);
}
