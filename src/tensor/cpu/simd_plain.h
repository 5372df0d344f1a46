/* simd.h over the compiler's 16-byte vectors: SSE2 on x86-64, NEON on aarch64. */
#ifndef FN_TENSOR_CPU_SIMD_PLAIN_H
#define FN_TENSOR_CPU_SIMD_PLAIN_H

#include <math.h>

#if defined(__aarch64__)
#include <arm_neon.h>
enum { FN_MR = 5, FN_NV = 1, FN_ATTENTION_MR = 5, FN_ATTENTION_NV = 1 };
#else
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
enum { FN_MR = 2, FN_NV = 1, FN_ATTENTION_MR = 2, FN_ATTENTION_NV = 1 };
#endif

typedef float f4 __attribute__((vector_size(16)));
typedef int32_t i4 __attribute__((vector_size(16)));
typedef uint32_t u4 __attribute__((vector_size(16)));
typedef uint64_t l2 __attribute__((vector_size(16)));
typedef struct vf {
  f4 v[4];
} vf;
typedef struct vi {
  u4 v[4];
} vi;
typedef struct vm {
  i4 v[4];
} vm;

#define FN_EACH _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)

FN_INLINE vm vm_first(size_t n) { /* lanes 0 … n-1 */
  vm m = {{{0}}};
  FN_EACH for (int j = 0; j < 4; j++) m.v[i][j] = 4 * (size_t)i + (size_t)j < n ? -1 : 0;
  return m;
}
FN_INLINE vf vf_set(float x) {
  return (vf){{{x, x, x, x}, {x, x, x, x}, {x, x, x, x}, {x, x, x, x}}};
}
FN_INLINE vf vf_load(const float *p) {
  vf r;
  memcpy(&r, p, sizeof r);
  return r;
}
FN_INLINE vf vf_load_n(const float *p, size_t n) {
  vf r = vf_set(0.0f);
  memcpy(&r, p, n * sizeof *p);
  return r;
}
FN_INLINE void vf_store(float *p, vf a) {
  memcpy(p, &a, sizeof a);
}
FN_INLINE void vf_store_n(float *p, vf a, size_t n) {
  memcpy(p, &a, n * sizeof *p);
}
#define FN_BOTH(name, op)                                                                                              \
  FN_INLINE vf name(vf x, vf y) {                                                                                      \
    FN_EACH x.v[i] = x.v[i] op y.v[i];                                                                                 \
    return x;                                                                                                          \
  }
FN_BOTH(vf_add, +)
FN_BOTH(vf_sub, -)
FN_BOTH(vf_mul, *)
FN_BOTH(vf_div, /)
#undef FN_BOTH
#if defined(__SSE2__)
/* ab + c rounded once, without the instruction: the product of two floats is exact in double; the sum is rounded to
 * odd there (Boldo & Melquiond 2008, "Emulation of a FMA and correctly rounded sums"), so that rounding it to float
 * gives what rounding the exact sum would. Its error is TwoSum's (Knuth). */
FN_INLINE __m128d d2_fma_odd(__m128d a, __m128d b, __m128d c) {
  const __m128d zero = _mm_setzero_pd();
  __m128d p = _mm_mul_pd(a, b), s = _mm_add_pd(p, c), t = _mm_sub_pd(s, p);
  __m128d e = _mm_add_pd(_mm_sub_pd(p, _mm_sub_pd(s, t)), _mm_sub_pd(c, t));
  /* Not for a sum that is infinite or no number: e is none then, and both comparisons fail. */
  __m128i inexact = _mm_castpd_si128(_mm_or_pd(_mm_cmplt_pd(e, zero), _mm_cmpgt_pd(e, zero)));
  __m128i down = _mm_castpd_si128(_mm_xor_pd(_mm_cmplt_pd(e, zero), _mm_cmplt_pd(s, zero)));
  __m128i one = _mm_set1_epi64x(1), even = _mm_andnot_si128(_mm_castpd_si128(s), one);
  __m128i move = _mm_and_si128(even, inexact); /* 1 where s is even: to its odd neighbour on the side of e */
  move = _mm_sub_epi64(_mm_xor_si128(move, down), down);
  return _mm_castsi128_pd(_mm_add_epi64(_mm_castpd_si128(s), move));
}
FN_INLINE f4 f4_fma(f4 x, f4 y, f4 z) {
  __m128 a = (__m128)x, b = (__m128)y, c = (__m128)z;
  __m128d low = d2_fma_odd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
  __m128d high = d2_fma_odd(_mm_cvtps_pd(_mm_movehl_ps(a, a)), _mm_cvtps_pd(_mm_movehl_ps(b, b)),
                            _mm_cvtps_pd(_mm_movehl_ps(c, c)));
  return (f4)_mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}
#else
FN_INLINE f4 f4_fma(f4 a, f4 b, f4 c) {
#if defined(__aarch64__)
  return (f4)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  for (int j = 0; j < 4; j++) c[j] = fmaf(a[j], b[j], c[j]);
  return c;
#endif
}
#endif
FN_INLINE vf vf_fma(vf a, vf b, vf c) {
  FN_EACH c.v[i] = f4_fma(a.v[i], b.v[i], c.v[i]);
  return c;
}
FN_INLINE vf vf_fnma(vf a, vf b, vf c) {
  FN_EACH c.v[i] = f4_fma(-a.v[i], b.v[i], c.v[i]);
  return c;
}
FN_INLINE f4 f4_select(i4 m, f4 a, f4 b) {
  return (f4)((m & (i4)a) | (~m & (i4)b));
}
/* As the x86 instructions: the second when the comparison fails. */
FN_INLINE vf vf_max(vf a, vf b) {
  FN_EACH a.v[i] = f4_select(a.v[i] > b.v[i], a.v[i], b.v[i]);
  return a;
}
FN_INLINE vf vf_min(vf a, vf b) {
  FN_EACH a.v[i] = f4_select(a.v[i] < b.v[i], a.v[i], b.v[i]);
  return a;
}
FN_INLINE vf vf_sqrt(vf a) {
  FN_EACH for (int j = 0; j < 4; j++) a.v[i][j] = sqrtf(a.v[i][j]);
  return a;
}
FN_INLINE vf vf_abs(vf a) {
  FN_EACH a.v[i] = (f4)((i4)a.v[i] & 0x7fffffff);
  return a;
}
FN_INLINE vm vf_less(vf a, vf b) {
  vm m;
  FN_EACH m.v[i] = a.v[i] < b.v[i];
  return m;
}
FN_INLINE vf vf_select(vm m, vf a, vf b) {
  FN_EACH a.v[i] = f4_select(m.v[i], a.v[i], b.v[i]);
  return a;
}
FN_INLINE vi vf_as_i(vf a) {
  vi r;
  memcpy(&r, &a, sizeof r);
  return r;
}
FN_INLINE vf vi_as_f(vi a) {
  vf r;
  memcpy(&r, &a, sizeof r);
  return r;
}
/* |a| < 2^22: adding 1.5·2^23 leaves the rounded integer in the low bits. */
FN_INLINE vi vf_round_i(vf a) {
  vf magic = vf_set(12582912.0f);
  vi r = vf_as_i(vf_add(a, magic)), m = vf_as_i(magic);
  FN_EACH r.v[i] -= m.v[i];
  return r;
}
FN_INLINE vf vi_to_f(vi a) {
  vf r;
  FN_EACH r.v[i] = __builtin_convertvector((i4)a.v[i], f4);
  return r;
}
FN_INLINE float vf_sum(vf a) {
  f4 c = (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]);
  return (c[0] + c[2]) + (c[1] + c[3]);
}
FN_INLINE float vf_max_lane(vf a) {
  float m = a.v[0][0];
  FN_EACH for (int j = 0; j < 4; j++) m = a.v[i][j] > m ? a.v[i][j] : m;
  return m;
}

FN_INLINE vi vi_set(uint32_t x) {
  return (vi){{{x, x, x, x}, {x, x, x, x}, {x, x, x, x}, {x, x, x, x}}};
}
FN_INLINE vi vi_load(const uint32_t *p) {
  vi r;
  memcpy(&r, p, sizeof r);
  return r;
}
FN_INLINE vi vi_add(vi a, vi b) {
  FN_EACH a.v[i] += b.v[i];
  return a;
}
FN_INLINE vi vi_sub(vi a, vi b) {
  FN_EACH a.v[i] -= b.v[i];
  return a;
}
FN_INLINE vi vi_and(vi a, vi b) {
  FN_EACH a.v[i] &= b.v[i];
  return a;
}
FN_INLINE vi vi_xor(vi a, vi b) {
  FN_EACH a.v[i] ^= b.v[i];
  return a;
}
FN_INLINE vi vi_shl(vi a, int n) {
  FN_EACH a.v[i] <<= n;
  return a;
}
FN_INLINE vi vi_shr(vi a, int n) {
  FN_EACH a.v[i] >>= n;
  return a;
}
FN_INLINE vm vi_less(vi a, vi b) {
  vm m;
  FN_EACH m.v[i] = (i4)a.v[i] < (i4)b.v[i];
  return m;
}
/* The 64-bit lanes hold even 32-bit lanes low: both architectures are little-endian. */
FN_INLINE vi vi_mul_even(vi a, vi b) {
  FN_EACH a.v[i] = (u4)(((l2)a.v[i] & 0xffffffffu) * ((l2)b.v[i] & 0xffffffffu));
  return a;
}
FN_INLINE vi vi_shr64_32(vi a) {
  FN_EACH a.v[i] = (u4)((l2)a.v[i] >> 32);
  return a;
}
FN_INLINE vi vi_interleave_even(vi a, vi b) {
  FN_EACH a.v[i] = (u4)(((l2)a.v[i] & 0xffffffffu) | ((l2)b.v[i] << 32));
  return a;
}

FN_INLINE void vf_transpose(vf r[16]) {
  float in[256], out[256];
  memcpy(in, r, sizeof in);
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 16; j++) out[j * 16 + i] = in[i * 16 + j];
  memcpy(r, out, sizeof out);
}

#endif
