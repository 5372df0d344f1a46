/* What the 8-bit kernels need beyond simd.h, for each level.
 *   vacc_dot(acc, u, q): acc[n] + Σ u[4n + i] q[i], i < 4, with 64 bytes u in [1, 127] and q of four bytes in
 *   [-127, 127] in every lane: exact, no sum of two products leaves sixteen bits. vacc_sum(acc) is the sixteen sums.
 *   vi_dot_words(acc, v, p): acc[n] + Σ v[2n + i] p[i], i < 2, with 16-bit numbers v and p; the caller bounds the sum.
 *     In assembly where the instruction adds to its first operand: gcc 12 copies an accumulator before and after each
 *     intrinsic, which halves the speed.
 *   FN_INT8_MR × FN_INT8_NV: rows × vectors of the register tile. */
#ifndef FN_TENSOR_CPU_SIMD_INT8_H
#define FN_TENSOR_CPU_SIMD_INT8_H

#include "tensor/cpu/simd.h"

#if defined(__AVX512F__)

typedef __m512i v64; /* 64 bytes */
FN_INLINE v64 v64_load(const uint8_t *p) {
  return _mm512_loadu_si512(p);
}
FN_INLINE v64 v64_four(const int8_t *p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return _mm512_set1_epi32(four);
}
FN_INLINE v64 v64_load_words(const int16_t *p) {
  return _mm512_loadu_si512(p);
}
FN_INLINE v64 v64_two(const int16_t *p) {
  int32_t two;
  memcpy(&two, p, sizeof two);
  return _mm512_set1_epi32(two);
}
#if defined(__AVX512VNNI__)
enum { FN_INT8_MR = 8, FN_INT8_NV = 3, FN_WORDS_MR = 8, FN_WORDS_NV = 2 };
FN_INLINE vi vi_dot_words(vi acc, v64 v, v64 p) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(v), "v"(p));
  return acc;
}
FN_INLINE vi vi_dot(vi acc, v64 u, v64 q) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u), "v"(q));
  return acc;
}
#else
enum { FN_INT8_MR = 8, FN_INT8_NV = 2, FN_WORDS_MR = 8, FN_WORDS_NV = 2 };
FN_INLINE vi vi_dot_words(vi acc, v64 v, v64 p) {
  return _mm512_add_epi32(acc, _mm512_madd_epi16(v, p));
}
FN_INLINE vi vi_dot(vi acc, v64 u, v64 q) {
  return _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(u, q), _mm512_set1_epi16(1)));
}
#endif
FN_INLINE void vi_store_16_bytes(int8_t *p, vi x) {
  _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(x));
}
FN_INLINE void vi_store_bytes(int8_t *p, vi x, size_t n) {
  _mm_mask_storeu_epi8(p, vm_first(n), _mm512_cvtepi32_epi8(x));
}
FN_INLINE void vi_store_words(int16_t *p, vi x) {
  _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(x));
}
FN_INLINE vf vf_load_bytes(const int8_t *p, size_t n) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(vm_first(n), p)));
}

#elif defined(__AVX2__)

typedef struct v64 {
  __m256i a, b;
} v64;
FN_INLINE v64 v64_load(const uint8_t *p) {
  return (v64){_mm256_loadu_si256((const __m256i *)(const void *)p),
               _mm256_loadu_si256((const __m256i *)(const void *)(p + 32))};
}
FN_INLINE v64 v64_four(const int8_t *p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  __m256i v = _mm256_set1_epi32(four);
  return (v64){v, v};
}
FN_INLINE v64 v64_load_words(const int16_t *p) {
  return (v64){_mm256_loadu_si256((const __m256i *)(const void *)p),
               _mm256_loadu_si256((const __m256i *)(const void *)(p + 16))};
}
FN_INLINE v64 v64_two(const int16_t *p) {
  int32_t two;
  memcpy(&two, p, sizeof two);
  __m256i v = _mm256_set1_epi32(two);
  return (v64){v, v};
}
#if defined(__AVXVNNI__)
enum { FN_INT8_MR = 6, FN_INT8_NV = 1, FN_WORDS_MR = 6, FN_WORDS_NV = 1 };
FN_INLINE vi vi_dot_words(vi acc, v64 v, v64 p) {
  __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(acc.a) : "x"(v.a), "x"(p.a));
  __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(acc.b) : "x"(v.b), "x"(p.b));
  return acc;
}
FN_INLINE vi vi_dot(vi acc, v64 u, v64 q) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.a) : "x"(u.a), "x"(q.a));
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.b) : "x"(u.b), "x"(q.b));
  return acc;
}
#else
enum { FN_INT8_MR = 4, FN_INT8_NV = 1, FN_WORDS_MR = 4, FN_WORDS_NV = 1 };
FN_INLINE vi vi_dot_words(vi acc, v64 v, v64 p) {
  return (vi){_mm256_add_epi32(acc.a, _mm256_madd_epi16(v.a, p.a)),
              _mm256_add_epi32(acc.b, _mm256_madd_epi16(v.b, p.b))};
}
FN_INLINE vi vi_dot(vi acc, v64 u, v64 q) {
  const __m256i one = _mm256_set1_epi16(1);
  return (vi){_mm256_add_epi32(acc.a, _mm256_madd_epi16(_mm256_maddubs_epi16(u.a, q.a), one)),
              _mm256_add_epi32(acc.b, _mm256_madd_epi16(_mm256_maddubs_epi16(u.b, q.b), one))};
}
#endif
FN_INLINE void vi_store_16_bytes(int8_t *p, vi x) {
  __m256i w = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
  _mm_storeu_si128((__m128i *)(void *)p, _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
}
FN_INLINE void vi_store_bytes(int8_t *p, vi x, size_t n) {
  int8_t all[16];
  vi_store_16_bytes(all, x);
  memcpy(p, all, n);
}
FN_INLINE void vi_store_words(int16_t *p, vi x) { /* values that fit */
  _mm256_storeu_si256((__m256i *)(void *)p, _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8));
}
FN_INLINE vf vf_load_bytes(const int8_t *p, size_t n) {
  __m128i v = _mm_setzero_si128();
  memcpy(&v, p, n);
  return vi_to_f((vi){_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))});
}

#else

/* An accumulator keeps two sums for each lane: 16-bit products come in pairs. */
#define FN_PAIRED 1
#if defined(__SSE2__)
enum { FN_INT8_MR = 1, FN_INT8_NV = 1, FN_WORDS_MR = 1, FN_WORDS_NV = 1 };
typedef __m128i b16;
FN_INLINE b16 b16_load(const void *p) {
  return _mm_loadu_si128((const __m128i *)p);
}
/* Two accumulators from 16 bytes u of four lanes and the four bytes q, repeated. */
FN_INLINE void pair_dot(b16 *low, b16 *high, b16 u, b16 q) {
  const __m128i zero = _mm_setzero_si128(), words = _mm_srai_epi16(_mm_unpacklo_epi8(zero, q), 8);
  *low = _mm_add_epi32(*low, _mm_madd_epi16(_mm_unpacklo_epi8(u, zero), words));
  *high = _mm_add_epi32(*high, _mm_madd_epi16(_mm_unpackhi_epi8(u, zero), words));
}
FN_INLINE b16 words_dot(b16 acc, b16 v, b16 p) {
  return _mm_add_epi32(acc, _mm_madd_epi16(v, p));
}
#elif defined(__aarch64__)
enum { FN_INT8_MR = 2, FN_INT8_NV = 1, FN_WORDS_MR = 2, FN_WORDS_NV = 1 };
typedef int32x4_t b16;
FN_INLINE b16 b16_load(const void *p) {
  return vld1q_s32((const int32_t *)p);
}
FN_INLINE void pair_dot(b16 *low, b16 *high, b16 u, b16 q) { /* u is at most 127: signed bytes */
  const int8x16_t a = vreinterpretq_s8_s32(u), b = vreinterpretq_s8_s32(q);
  *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
  *high = vpadalq_s16(*high, vmull_high_s8(a, b));
}
FN_INLINE b16 words_dot(b16 acc, b16 v, b16 p) {
  const int16x8_t a = vreinterpretq_s16_s32(v), b = vreinterpretq_s16_s32(p);
  const int32x4_t low = vmull_s16(vget_low_s16(a), vget_low_s16(b)), high = vmull_high_s16(a, b);
  return vaddq_s32(acc, vpaddq_s32(low, high));
}
#else
#error "8-bit kernels are written for x86-64 and aarch64"
#endif

typedef struct v64 {
  b16 v[4];
} v64;
typedef struct vpairs {
  b16 v[8];
} vpairs;
FN_INLINE v64 v64_load(const uint8_t *p) {
  return (v64){{b16_load(p), b16_load(p + 16), b16_load(p + 32), b16_load(p + 48)}};
}
FN_INLINE v64 v64_load_words(const int16_t *p) {
  return (v64){{b16_load(p), b16_load(p + 8), b16_load(p + 16), b16_load(p + 24)}};
}
FN_INLINE v64 v64_repeat(const void *p) {
  int32_t x[4];
  memcpy(x, p, sizeof *x);
  x[1] = x[2] = x[3] = x[0];
  const b16 v = b16_load(x);
  return (v64){{v, v, v, v}};
}
FN_INLINE v64 v64_four(const int8_t *p) {
  return v64_repeat(p);
}
FN_INLINE v64 v64_two(const int16_t *p) {
  return v64_repeat(p);
}
FN_INLINE vpairs vpairs_set(int32_t x) {
  const int32_t pairs[4] = {x, 0, x, 0};
  const b16 v = b16_load(pairs);
  return (vpairs){{v, v, v, v, v, v, v, v}};
}
FN_INLINE vpairs vpairs_dot(vpairs acc, v64 u, v64 q) {
  FN_EACH pair_dot(&acc.v[2 * i], &acc.v[2 * i + 1], u.v[i], q.v[i]);
  return acc;
}
FN_INLINE vi vpairs_sum(vpairs acc) {
  uint32_t pairs[32];
  vi sum = vi_set(0);
  memcpy(pairs, &acc, sizeof pairs);
  for (int n = 0; n < 16; n++) sum.v[n / 4][n % 4] = pairs[2 * n] + pairs[2 * n + 1];
  return sum;
}
FN_INLINE vi vi_dot_words(vi acc, v64 v, v64 p) {
  FN_EACH {
    b16 a;
    memcpy(&a, &acc.v[i], sizeof a);
    a = words_dot(a, v.v[i], p.v[i]);
    memcpy(&acc.v[i], &a, sizeof a);
  }
  return acc;
}
FN_INLINE void vi_store_words(int16_t *p, vi x) {
  int32_t level[16];
  memcpy(level, &x, sizeof level);
  for (size_t i = 0; i < 16; i++) p[i] = (int16_t)level[i];
}
FN_INLINE void vi_store_bytes(int8_t *p, vi x, size_t n) {
  int32_t level[16];
  memcpy(level, &x, sizeof level);
  for (size_t i = 0; i < n; i++) p[i] = (int8_t)level[i];
}
FN_INLINE void vi_store_16_bytes(int8_t *p, vi x) {
  vi_store_bytes(p, x, 16);
}
FN_INLINE vf vf_load_bytes(const int8_t *p, size_t n) {
  float x[16] = {0};
  for (size_t i = 0; i < n; i++) x[i] = (float)p[i];
  return vf_load(x);
}

#endif

/* The accumulators of byte products. */
#if defined(FN_PAIRED)
typedef vpairs vacc;
FN_INLINE vacc vacc_set(int32_t x) {
  return vpairs_set(x);
}
FN_INLINE vacc vacc_dot(vacc acc, v64 u, v64 q) {
  return vpairs_dot(acc, u, q);
}
FN_INLINE vi vacc_sum(vacc acc) {
  return vpairs_sum(acc);
}
#else
typedef vi vacc;
FN_INLINE vacc vacc_set(int32_t x) {
  return vi_set((uint32_t)x);
}
FN_INLINE vacc vacc_dot(vacc acc, v64 u, v64 q) {
  return vi_dot(acc, u, q);
}
FN_INLINE vi vacc_sum(vacc acc) {
  return acc;
}
#endif

FN_INLINE int32_t vi_sum(vi x) {
  int32_t v[16], sum = 0;
  memcpy(v, &x, sizeof v);
  for (int i = 0; i < 16; i++) sum += v[i];
  return sum;
}

#endif
