/* Dropout masks: a pure function of what an element is, never of where it lies.
 *
 * Sixteen random bits per element from Philox4x32-10 (base/rng.h). Channels go in groups of 128: sixteen neighbouring
 * counters give 16 × 4 words of two halves, and channel c takes counter c mod 16 of its group, half (c/16) mod 8 —
 * so that sixteen neighbouring channels are one vector of a sixteen-lane Philox without any shuffling.
 *   counter = { position·2^12 + (c/128)·16 + c mod 16,  layer·2^20 + site·2^16 + head,  draw,  step mod 2^32 }
 *   key     = { seed low, seed high ^ (step / 2^32)·0x9e3779b9 }
 * position < 2^20, c < 2^15, layer < 2^12, site < 2^4, head < 2^16: distinct elements have distinct counters. */
#ifndef FN_TENSOR_DROPOUT_H
#define FN_TENSOR_DROPOUT_H

#include "tensor/ops.h"

enum {
  FN_DROPOUT_MAX_CHANNELS = 1 << 15,
  FN_DROPOUT_MAX_POSITION = 1 << 20,
  FN_DROPOUT_MAX_LAYERS = 1 << 12,
  FN_DROPOUT_MAX_HEADS = 1 << 16
};

/* A site made ready. */
typedef struct fn_dropout_state {
  uint32_t key[2], word1, word3; /* word1 without the head */
  uint32_t threshold;            /* keep when the 16 bits are ≥ threshold */
  double scale;
  bool active;
} fn_dropout_state;

static inline fn_dropout_state fn_dropout_make(const fn_dropout *d) {
  if (!d || !(d->p > 0)) return (fn_dropout_state){.scale = 1.0};
  uint32_t threshold = (uint32_t)(d->p * 65536.0 + 0.5);
  if (threshold > 65535) threshold = 65535;
  return (fn_dropout_state){
      .key = {(uint32_t)d->seed, (uint32_t)(d->seed >> 32) ^ (uint32_t)(d->step >> 32) * 0x9e3779b9u},
      .word1 = d->layer << 20 | d->site << 16,
      .word3 = (uint32_t)d->step,
      .threshold = threshold,
      .scale = 65536.0 / (65536.0 - threshold),
      .active = threshold > 0,
  };
}

/* Whether one element is kept. */
static inline bool fn_dropout_keep(const fn_dropout_state *s, uint32_t head, uint32_t draw, uint32_t position,
                                   uint32_t channel) {
  if (!s->active) return true;
  uint32_t counter[4] = {position << 12 | channel / 128 * 16 | channel % 16, s->word1 | head, draw, s->word3}, out[4];
  fn_philox(out, counter, s->key);
  uint32_t half = channel / 16 % 8;
  return (out[half / 2] >> (16 * (half % 2)) & 0xffff) >= s->threshold;
}

#endif
