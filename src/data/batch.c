#include "data/batch.h"

#include <assert.h>
#include <stdlib.h>

void fn_batch_init(fn_batch *batch) {
  *batch = (fn_batch){0};
}

void fn_batch_deinit(fn_batch *batch) {
  free(batch->ids);
  free(batch->type_ids);
  free(batch->positions);
  free(batch->offsets);
  free(batch->labels);
  free(batch->weights);
  free(batch->draws);
  free(batch->rows);
  free(batch->truncated);
  fn_batch_init(batch);
}

void fn_batch_reset(fn_batch *batch) {
  batch->B = batch->T = batch->longest = 0;
  if (batch->offsets) batch->offsets[0] = 0;
}

/* The parts of a sequence after cutting: first [SEP] second [SEP], or first [SEP] alone. */
typedef struct parts {
  const int32_t *ids[2];
  size_t n[2];
  size_t n_parts; /* 1 or 2 */
  bool truncated;
} parts;

static parts cut(const fn_article_ids *article, size_t text_begin, const fn_sequence_options *options) {
  assert(options->max_tokens >= 8);
  if (text_begin > article->n_text) text_begin = article->n_text;
  parts p = {{article->title, article->text ? article->text + text_begin : NULL},
             {article->n_title, article->n_text - text_begin},
             2,
             false};
  if (options->mode == FN_TEXT_TITLE) p.n[1] = 0;
  if (options->mode == FN_TEXT_TEXT) p.n[0] = 0;
  if (p.n[0] == 0 || p.n[1] == 0) {
    if (p.n[0] == 0) p.ids[0] = p.ids[1];
    p.n[0] += p.n[1];
    p.n[1] = 0;
    p.n_parts = 1;
  }
  size_t all = p.n[0] + p.n[1];
  fn_pair_cut(&p.n[0], &p.n[1], 1 + p.n_parts, (size_t)options->max_tokens);
  p.truncated = p.n[0] + p.n[1] < all;
  return p;
}

size_t fn_sequence_length(const fn_article_ids *article, size_t text_begin, const fn_sequence_options *options) {
  parts p = cut(article, text_begin, options);
  return 1 + p.n_parts + p.n[0] + p.n[1];
}

/* Room for B sequences and T tokens. Arrays that grew stay grown when a later one does not: harmless. */
static fn_status reserve(fn_batch *batch, size_t B, size_t T, fn_err *err) {
  static const char what[] = "a batch";
  struct {
    void **array;
    size_t size, needed, *capacity;
  } const arrays[] = {
      {(void **)&batch->ids, 4, T, &batch->capacity_T},
      {(void **)&batch->type_ids, 4, T, &batch->capacity_T},
      {(void **)&batch->positions, 4, T, &batch->capacity_T},
      {(void **)&batch->offsets, 4, B + 1, &batch->capacity_B},
      {(void **)&batch->labels, 4, B + 1, &batch->capacity_B},
      {(void **)&batch->weights, 4, B + 1, &batch->capacity_B},
      {(void **)&batch->draws, 4, B + 1, &batch->capacity_B},
      {(void **)&batch->rows, 4, B + 1, &batch->capacity_B},
      {(void **)&batch->truncated, 1, B + 1, &batch->capacity_B},
  };
  size_t grown_T = batch->capacity_T, grown_B = batch->capacity_B;
  bool first = !batch->offsets;
  for (size_t i = 0; i < FN_COUNT_OF(arrays); i++) {
    size_t capacity = *arrays[i].capacity;
    FN_TRY(fn_mem_grow(arrays[i].array, &capacity, arrays[i].needed, arrays[i].size, INT32_MAX, what, err));
    *(arrays[i].capacity == &batch->capacity_T ? &grown_T : &grown_B) = capacity;
  }
  batch->capacity_T = grown_T;
  batch->capacity_B = grown_B;
  if (first) batch->offsets[0] = 0;
  return FN_OK;
}

static void put(fn_batch *batch, size_t begin, size_t *at, int32_t id, int32_t type) {
  batch->ids[*at] = id;
  batch->type_ids[*at] = type;
  batch->positions[*at] = (int32_t)(*at - begin);
  ++*at;
}

fn_status fn_batch_append(fn_batch *batch, const fn_tokenizer_info *tokenizer, const fn_article_ids *article,
                          size_t text_begin, const fn_sequence_options *options, int32_t label, float weight,
                          uint32_t draw, uint32_t row, fn_err *err) {
  assert(weight >= 0.0f && label >= -1);
  parts p = cut(article, text_begin, options);
  size_t begin = (size_t)batch->T, b = (size_t)batch->B, at = begin;
  size_t length = 1 + p.n_parts + p.n[0] + p.n[1];
  FN_TRY(reserve(batch, b + 1, begin + length, err));
  put(batch, begin, &at, tokenizer->cls_id, 0);
  for (size_t part = 0; part < p.n_parts; part++) {
    for (size_t i = 0; i < p.n[part]; i++) put(batch, begin, &at, p.ids[part][i], (int32_t)part);
    put(batch, begin, &at, tokenizer->sep_id, (int32_t)part);
  }
  batch->offsets[b + 1] = (int32_t)at;
  batch->labels[b] = label;
  batch->weights[b] = weight;
  batch->draws[b] = draw;
  batch->rows[b] = row;
  batch->truncated[b] = p.truncated;
  batch->B++;
  batch->T = (int32_t)at;
  if ((int32_t)length > batch->longest) batch->longest = (int32_t)length;
  return FN_OK;
}
