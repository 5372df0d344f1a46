/* Sixteen virtual lanes at every level of the CPU: vf = 16 floats, vi = 16 32-bit integers, vm = a mask of 16 lanes.
 * A file that includes this is compiled once per level (src/tensor/CMakeLists.txt). Every operation below rounds once
 * and in the same way at all levels (fused multiply-add, IEEE division, reductions by one fixed tree), so kernels
 * written over it give the same bits on all. Where the architecture has no fused multiply-add (SSE2) it is computed
 * exactly from doubles, which is slow. */
#ifndef FN_TENSOR_CPU_SIMD_H
#define FN_TENSOR_CPU_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FN_INLINE static inline __attribute__((always_inline, unused))

#if defined(__AVX512F__)
#include "tensor/cpu/simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "tensor/cpu/simd_avx2.h"
#else
#include "tensor/cpu/simd_plain.h"
#endif

/* What the levels share. */
FN_INLINE vf vf_zero(void) {
  return vf_set(0.0f);
}
FN_INLINE vf vf_neg(vf a) {
  return vf_sub(vf_zero(), a);
}

#endif
