/* Sixteen Philox4x32-10 at once (base/rng.h) and the masks of tensor/dropout.h from them. */
#ifndef FN_TENSOR_CPU_PHILOX_H
#define FN_TENSOR_CPU_PHILOX_H

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/simd.h"
#include "tensor/dropout.h"

/* Random bits of 128 channels: word w holds, for channels 16·(2w) + lane, its low half; 16·(2w+1) + lane, its high. */
typedef struct fn_bits128 {
  vi word[4];
} fn_bits128;

/* Ten rounds on the even 32-bit lanes; the odd ones carry rubbish that no multiplication reads. */
FN_INLINE void philox_even(vi c[4], const uint32_t key[2]) {
  const vi m0 = vi_set(0xD2511F53u), m1 = vi_set(0xCD9E8D57u);
  uint32_t k0 = key[0], k1 = key[1];
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
    vi p0 = vi_mul_even(c[0], m0), p1 = vi_mul_even(c[2], m1);
    vi n0 = vi_xor(vi_xor(vi_shr64_32(p1), c[1]), vi_set(k0)), n2 = vi_xor(vi_xor(vi_shr64_32(p0), c[3]), vi_set(k1));
    c[0] = n0;
    c[1] = p1;
    c[2] = n2;
    c[3] = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

/* group: channels 128·group … 128·group + 127. */
FN_INLINE fn_bits128 dropout_bits(const fn_dropout_state *s, fn_row_key key, size_t group) {
  static const uint32_t even_lanes[16] = {0, 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12, 0, 14, 0};
  vi first = vi_add(vi_set(key.position << 12 | (uint32_t)group * 16), vi_load(even_lanes));
  vi even[4] = {first, vi_set(s->word1 | key.head), vi_set(key.draw), vi_set(s->word3)};
  vi odd[4] = {vi_add(first, vi_set(1)), even[1], even[2], even[3]};
  philox_even(even, s->key);
  philox_even(odd, s->key);
  fn_bits128 bits;
  for (int w = 0; w < 4; w++) bits.word[w] = vi_interleave_even(even[w], odd[w]);
  return bits;
}

/* Scaled mask of channels 16·part … 16·part + 15 of the group (part 0 … 7): scale where kept, 0 elsewhere. */
FN_INLINE vf dropout_mask(const fn_bits128 *bits, int part, vi threshold, vf scale) {
  vi w = bits->word[part / 2];
  w = part % 2 ? vi_shr(w, 16) : vi_and(w, vi_set(0xffff));
  return vf_select(vi_less(w, threshold), vf_zero(), scale);
}

#endif
