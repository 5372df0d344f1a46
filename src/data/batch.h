/* Packed batches: the form in which every model sees text. No padding: sequences lie one after the other. */
#ifndef FN_DATA_BATCH_H
#define FN_DATA_BATCH_H

#include "text/text.h"

/* B sequences of T tokens in all. Arrays are owned by the batch (one allocation each, grown on demand). */
typedef struct fn_batch {
  int32_t B, T;
  int32_t longest;    /* tokens of the longest sequence */
  int32_t *ids;       /* [T] */
  int32_t *type_ids;  /* [T] 0 or 1 */
  int32_t *positions; /* [T] 0-based within the sequence; a family adds its own offset */
  int32_t *offsets;   /* [B+1] sequence b is [offsets[b], offsets[b+1]) */
  int32_t *labels;    /* [B] class, or -1 when unknown */
  float *weights;     /* [B] weight of the row's loss, ≥ 0 */
  uint32_t *draws; /* [B] index of the row in the optimiser step's draw: keys dropout, never its place in the batch */
  uint32_t *rows;  /* [B] caller's index of the row */
  uint8_t *truncated; /* [B] 1 when tokens were cut off */
  size_t capacity_B, capacity_T;
} fn_batch;

void fn_batch_init(fn_batch *batch);
void fn_batch_deinit(fn_batch *batch);
void fn_batch_reset(fn_batch *batch);

/* How a sequence is made of a title and a text; the one place for training, evaluation, prediction and serving. */
typedef enum fn_text_mode { FN_TEXT_TITLE, FN_TEXT_TEXT, FN_TEXT_TITLE_TEXT } fn_text_mode;
typedef struct fn_sequence_options {
  fn_text_mode mode;  /* TITLE_TEXT is the pair [CLS] title [SEP] text [SEP]; an empty half leaves a single sequence */
  int32_t max_tokens; /* special tokens included, ≥ 8 */
} fn_sequence_options;

/* Ids of one article without special tokens, uncut (a view: from the token cache or fresh from the tokenizer). */
typedef struct fn_article_ids {
  const int32_t *title, *text;
  size_t n_title, n_text;
} fn_article_ids;

/* Appends one sequence; label -1 = unknown. Window w of long texts starts text_begin tokens into the text (0 normally).
 */
FN_NODISCARD fn_status fn_batch_append(fn_batch *batch, const fn_tokenizer_info *tokenizer,
                                       const fn_article_ids *article, size_t text_begin,
                                       const fn_sequence_options *options, int32_t label, float weight, uint32_t draw,
                                       uint32_t row, fn_err *err);
/* Tokens that fn_batch_append would add, without adding: for cutting steps by token budget. */
size_t fn_sequence_length(const fn_article_ids *article, size_t text_begin, const fn_sequence_options *options);

#endif
