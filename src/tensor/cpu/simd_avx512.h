/* simd.h over AVX-512 F, BW, DQ, VL. */
#ifndef FN_TENSOR_CPU_SIMD_AVX512_H
#define FN_TENSOR_CPU_SIMD_AVX512_H

#include <immintrin.h>

/* Register tiles: rows × vectors of the general multiplication, and of attention. */
enum { FN_MR = 8, FN_NV = 3, FN_ATTENTION_MR = 12, FN_ATTENTION_NV = 2 };

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

FN_INLINE vm vm_first(size_t n) {
  return (vm)((1u << n) - 1u);
} /* lanes 0 … n-1, n ≤ 16 */
FN_INLINE vf vf_set(float x) {
  return _mm512_set1_ps(x);
}
FN_INLINE vf vf_load(const float *p) {
  return _mm512_loadu_ps(p);
}
FN_INLINE vf vf_load_n(const float *p, size_t n) {
  return _mm512_maskz_loadu_ps(vm_first(n), p);
} /* others 0 */
FN_INLINE void vf_store(float *p, vf a) {
  _mm512_storeu_ps(p, a);
}
FN_INLINE void vf_store_n(float *p, vf a, size_t n) {
  _mm512_mask_storeu_ps(p, vm_first(n), a);
}
FN_INLINE vf vf_add(vf a, vf b) {
  return _mm512_add_ps(a, b);
}
FN_INLINE vf vf_sub(vf a, vf b) {
  return _mm512_sub_ps(a, b);
}
FN_INLINE vf vf_mul(vf a, vf b) {
  return _mm512_mul_ps(a, b);
}
FN_INLINE vf vf_div(vf a, vf b) {
  return _mm512_div_ps(a, b);
}
FN_INLINE vf vf_fma(vf a, vf b, vf c) {
  return _mm512_fmadd_ps(a, b, c);
} /* ab + c */
FN_INLINE vf vf_fnma(vf a, vf b, vf c) {
  return _mm512_fnmadd_ps(a, b, c);
} /* c - ab */
FN_INLINE vf vf_max(vf a, vf b) {
  return _mm512_max_ps(a, b);
}
FN_INLINE vf vf_min(vf a, vf b) {
  return _mm512_min_ps(a, b);
}
FN_INLINE vf vf_sqrt(vf a) {
  return _mm512_sqrt_ps(a);
}
FN_INLINE vf vf_abs(vf a) {
  return _mm512_abs_ps(a);
}
FN_INLINE vm vf_less(vf a, vf b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
FN_INLINE vf vf_select(vm m, vf a, vf b) {
  return _mm512_mask_blend_ps(m, b, a);
} /* m ? a : b */
FN_INLINE vi vf_round_i(vf a) {
  return _mm512_cvtps_epi32(a);
} /* half to even */
FN_INLINE vf vi_to_f(vi a) {
  return _mm512_cvtepi32_ps(a);
}
FN_INLINE vf vi_as_f(vi a) {
  return _mm512_castsi512_ps(a);
}
FN_INLINE vi vf_as_i(vf a) {
  return _mm512_castps_si512(a);
}

FN_INLINE float vf_sum(vf a) { /* lanes i, i+8; then i, i+4; i, i+2; i, i+1 */
  __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  c = _mm_add_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
}
FN_INLINE float vf_max_lane(vf a) {
  __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  c = _mm_max_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
}

FN_INLINE vi vi_set(uint32_t x) {
  return _mm512_set1_epi32((int)x);
}
FN_INLINE vi vi_load(const uint32_t *p) {
  return _mm512_loadu_si512(p);
}
FN_INLINE vi vi_add(vi a, vi b) {
  return _mm512_add_epi32(a, b);
}
FN_INLINE vi vi_sub(vi a, vi b) {
  return _mm512_sub_epi32(a, b);
}
FN_INLINE vi vi_and(vi a, vi b) {
  return _mm512_and_si512(a, b);
}
FN_INLINE vi vi_xor(vi a, vi b) {
  return _mm512_xor_si512(a, b);
}
FN_INLINE vi vi_shl(vi a, int n) {
  return _mm512_slli_epi32(a, (unsigned)n);
}
FN_INLINE vi vi_shr(vi a, int n) {
  return _mm512_srli_epi32(a, (unsigned)n);
}
FN_INLINE vm vi_less(vi a, vi b) {
  return _mm512_cmplt_epi32_mask(a, b);
} /* signed */
/* As eight 64-bit lanes: products of the even 32-bit lanes, and the upper halves moved down. */
FN_INLINE vi vi_mul_even(vi a, vi b) {
  return _mm512_mul_epu32(a, b);
}
FN_INLINE vi vi_shr64_32(vi a) {
  return _mm512_srli_epi64(a, 32);
}
/* Even lanes of a, and the even lanes of b as odd lanes. */
FN_INLINE vi vi_interleave_even(vi a, vi b) {
  return _mm512_mask_shuffle_epi32(a, 0xaaaa, b, (_MM_PERM_ENUM)0xa0);
}

/* Four-row transpose step of packing: out[i] holds column i of a 16×16 block whose rows are in r. */
FN_INLINE void vf_transpose(vf r[16]) {
  vf t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[4 * i]), _mm512_castps_pd(t[4 * i + 2])));
    r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[4 * i]), _mm512_castps_pd(t[4 * i + 2])));
    r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[4 * i + 1]), _mm512_castps_pd(t[4 * i + 3])));
    r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[4 * i + 1]), _mm512_castps_pd(t[4 * i + 3])));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

#endif
