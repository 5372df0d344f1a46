/* What training changes of a row when a batch is made: a random window of a longer article, and tokens that are hidden.
 * Like dropout a pure function of (seed, step, draw, position): it depends neither on the cut into micro-batches nor on
 * threads, and a resumed run sees what an uninterrupted one would have seen. Evaluation never uses it. */
#ifndef FN_TRAIN_AUGMENT_H
#define FN_TRAIN_AUGMENT_H

#include "data/batch.h"
#include "train/options.h"

typedef struct fn_augment {
  uint64_t seed, step;
  fn_train_crop crop;
  double mask_tokens; /* share in [0,1) */
} fn_augment;

/* Tokens of the text to pass over (text_begin of fn_batch_append). RANDOM: uniform over every window that is as long as
 * the one at the beginning, so that the sequence keeps its length; 0 where nothing is cut off. The title always stays.
 */
size_t fn_augment_text_begin(const fn_augment *augment, uint32_t draw, const fn_article_ids *article,
                             const fn_sequence_options *sequence);
/* Puts tokenizer->mask_id in place of the batch's last sequence's tokens, each with probability mask_tokens;
 * [CLS], [SEP] and [PAD] stay. */
void fn_augment_mask_last(const fn_augment *augment, fn_batch *batch, const fn_tokenizer_info *tokenizer);

#endif
