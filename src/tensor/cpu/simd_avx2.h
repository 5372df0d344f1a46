/* simd.h over AVX2 and FMA: a vector is two registers. */
#ifndef FN_TENSOR_CPU_SIMD_AVX2_H
#define FN_TENSOR_CPU_SIMD_AVX2_H

#include <immintrin.h>

enum { FN_MR = 6, FN_NV = 1, FN_ATTENTION_MR = 6, FN_ATTENTION_NV = 1 };

typedef struct vf {
  __m256 a, b;
} vf;
typedef struct vi {
  __m256i a, b;
} vi;
typedef struct vm {
  __m256 a, b;
} vm;

FN_INLINE vm vm_first(size_t n) {
  const __m256i i = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), c = _mm256_set1_epi32((int)n);
  return (vm){_mm256_castsi256_ps(_mm256_cmpgt_epi32(c, i)),
              _mm256_castsi256_ps(_mm256_cmpgt_epi32(c, _mm256_add_epi32(i, _mm256_set1_epi32(8))))};
}
FN_INLINE vf vf_set(float x) {
  return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
FN_INLINE vf vf_load(const float *p) {
  return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
FN_INLINE vf vf_load_n(const float *p, size_t n) {
  vm m = vm_first(n);
  return (vf){_mm256_maskload_ps(p, _mm256_castps_si256(m.a)),
              n > 8 ? _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.b)) : _mm256_setzero_ps()};
}
FN_INLINE void vf_store(float *p, vf v) {
  _mm256_storeu_ps(p, v.a);
  _mm256_storeu_ps(p + 8, v.b);
}
FN_INLINE void vf_store_n(float *p, vf v, size_t n) {
  vm m = vm_first(n);
  _mm256_maskstore_ps(p, _mm256_castps_si256(m.a), v.a);
  if (n > 8) _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.b), v.b);
}
#define FN_BOTH(name, f)                                                                                               \
  FN_INLINE vf name(vf x, vf y) {                                                                                      \
    return (vf){f(x.a, y.a), f(x.b, y.b)};                                                                             \
  }
FN_BOTH(vf_add, _mm256_add_ps)
FN_BOTH(vf_sub, _mm256_sub_ps)
FN_BOTH(vf_mul, _mm256_mul_ps)
FN_BOTH(vf_div, _mm256_div_ps)
FN_BOTH(vf_max, _mm256_max_ps)
FN_BOTH(vf_min, _mm256_min_ps)
#undef FN_BOTH
FN_INLINE vf vf_fma(vf x, vf y, vf z) {
  return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
FN_INLINE vf vf_fnma(vf x, vf y, vf z) {
  return (vf){_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)};
}
FN_INLINE vf vf_sqrt(vf x) {
  return (vf){_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)};
}
FN_INLINE vf vf_abs(vf x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return (vf){_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
FN_INLINE vm vf_less(vf x, vf y) {
  return (vm){_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
}
FN_INLINE vf vf_select(vm m, vf x, vf y) {
  return (vf){_mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b)};
}
FN_INLINE vi vf_round_i(vf x) {
  return (vi){_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)};
}
FN_INLINE vf vi_to_f(vi x) {
  return (vf){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}
FN_INLINE vf vi_as_f(vi x) {
  return (vf){_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)};
}
FN_INLINE vi vf_as_i(vf x) {
  return (vi){_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)};
}

FN_INLINE float vf_sum(vf v) {
  __m256 b = _mm256_add_ps(v.a, v.b);
  __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  c = _mm_add_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
}
FN_INLINE float vf_max_lane(vf v) {
  __m256 b = _mm256_max_ps(v.a, v.b);
  __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  c = _mm_max_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
}

FN_INLINE vi vi_set(uint32_t x) {
  return (vi){_mm256_set1_epi32((int)x), _mm256_set1_epi32((int)x)};
}
FN_INLINE vi vi_load(const uint32_t *p) {
  return (vi){_mm256_loadu_si256((const __m256i *)(const void *)p),
              _mm256_loadu_si256((const __m256i *)(const void *)(p + 8))};
}
FN_INLINE vi vi_add(vi x, vi y) {
  return (vi){_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
FN_INLINE vi vi_sub(vi x, vi y) {
  return (vi){_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
}
FN_INLINE vi vi_and(vi x, vi y) {
  return (vi){_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
FN_INLINE vi vi_xor(vi x, vi y) {
  return (vi){_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)};
}
FN_INLINE vi vi_shl(vi x, int n) {
  return (vi){_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)};
}
FN_INLINE vi vi_shr(vi x, int n) {
  return (vi){_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)};
}
FN_INLINE vm vi_less(vi x, vi y) {
  return (vm){_mm256_castsi256_ps(_mm256_cmpgt_epi32(y.a, x.a)), _mm256_castsi256_ps(_mm256_cmpgt_epi32(y.b, x.b))};
}
FN_INLINE vi vi_mul_even(vi x, vi y) {
  return (vi){_mm256_mul_epu32(x.a, y.a), _mm256_mul_epu32(x.b, y.b)};
}
FN_INLINE vi vi_shr64_32(vi x) {
  return (vi){_mm256_srli_epi64(x.a, 32), _mm256_srli_epi64(x.b, 32)};
}
FN_INLINE vi vi_interleave_even(vi x, vi y) {
  return (vi){_mm256_blend_epi32(x.a, _mm256_slli_epi64(y.a, 32), 0xaa),
              _mm256_blend_epi32(x.b, _mm256_slli_epi64(y.b, 32), 0xaa)};
}

FN_INLINE void transpose8(__m256 r[8]) {
  __m256 t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) {
    r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) r[i] = t[i];
}
FN_INLINE void vf_transpose(vf r[16]) {
  __m256 q[4][8]; /* quarters: rows 0-7 left, rows 0-7 right, rows 8-15 left, rows 8-15 right */
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    q[0][i] = r[i].a;
    q[1][i] = r[i].b;
    q[2][i] = r[i + 8].a;
    q[3][i] = r[i + 8].b;
  }
  transpose8(q[0]);
  transpose8(q[1]);
  transpose8(q[2]);
  transpose8(q[3]);
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    r[i] = (vf){q[0][i], q[2][i]};
    r[i + 8] = (vf){q[1][i], q[3][i]};
  }
}

#endif
