#include "train/augment.h"

#include <assert.h>
#include <math.h>

/* Streams of the generator, apart from the sampler's: one per use, so that no two share numbers. */
enum { STREAM_CROP = 0x6372, STREAM_MASK = 0x6d61 };

static fn_rng stream_of(const fn_augment *a, uint64_t use, uint32_t draw) {
  const uint64_t key[3] = {use, a->step, draw};
  return fn_rng_make(a->seed, fn_hash64(key, sizeof key, 0));
}

size_t fn_augment_text_begin(const fn_augment *a, uint32_t draw, const fn_article_ids *article,
                             const fn_sequence_options *sequence) {
  if (a->crop != FN_TRAIN_CROP_RANDOM || sequence->mode == FN_TEXT_TITLE || article->n_text == 0) return 0;
  size_t n_title = sequence->mode == FN_TEXT_TEXT ? 0 : article->n_title, kept = article->n_text;
  fn_pair_cut(&n_title, &kept, n_title ? 3 : 2, (size_t)sequence->max_tokens);
  if (kept == article->n_text) return 0;
  fn_rng rng = stream_of(a, STREAM_CROP, draw);
  return (size_t)fn_rng_below(&rng, article->n_text - kept + 1);
}

void fn_augment_mask_last(const fn_augment *a, fn_batch *batch, const fn_tokenizer_info *tokenizer) {
  assert(batch->B > 0);
  if (!(a->mask_tokens > 0)) return;
  const uint64_t below = (uint64_t)llround(a->mask_tokens * 0x1p32);
  const int32_t b = batch->B - 1;
  fn_rng rng = stream_of(a, STREAM_MASK, batch->draws[b]);
  for (int32_t i = batch->offsets[b]; i < batch->offsets[b + 1]; i++) {
    const bool hit = fn_rng_u32(&rng) < below; /* drawn for special tokens too: number p belongs to position p */
    int32_t *id = &batch->ids[i];
    if (hit && *id != tokenizer->cls_id && *id != tokenizer->sep_id && *id != tokenizer->pad_id)
      *id = tokenizer->mask_id;
  }
}
