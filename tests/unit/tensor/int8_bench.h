/* Speed of the kernels beside what the cores can do from registers alone: `test_int8 --bench`. */
#ifndef FN_TESTS_INT8_BENCH_H
#define FN_TESTS_INT8_BENCH_H

#include "base/clock.h"
#include "tensor/cpu/detect.h"

#include <stdio.h>

/* Products of bytes from registers only, of each level; returns operations done (two a product). */
enum { CEILING_STEPS = 4000, CEILING_CHAINS = 12 };
#if defined(__x86_64__)
/* All in one piece of assembly: compilers copy accumulators about. */
#define CHAINS(D) D("0") D("1") D("2") D("3") D("4") D("5") D("6") D("7") D("8") D("9") D("10") D("11")
#define CEILING(name, isa, width, setup, step, ...)                                                                    \
  __attribute__((target(isa), noinline)) static double name(void) {                                                    \
    __asm__ volatile(setup "mov %0, %%ecx\n1:\n" CHAINS(step) "dec %%ecx\njnz 1b\n"                                    \
                     :                                                                                                 \
                     : "i"(CEILING_STEPS)                                                                              \
                     : "ecx", "cc", __VA_ARGS__);                                                                      \
    return 2.0 * (width)*CEILING_CHAINS * CEILING_STEPS;                                                               \
  }
#define TOUCHED                                                                                                        \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
      "xmm14", "xmm15"
#define STEP_512VNNI(i) "vpdpbusd %%zmm15, %%zmm14, %%zmm" i "\n"
#define STEP_VNNI(i)    "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm" i "\n"
#define STEP_512(i)                                                                                                    \
  "vpmaddubsw %%zmm15, %%zmm14, %%zmm12\nvpmaddwd %%zmm15, %%zmm12, %%zmm12\nvpaddd %%zmm12, %%zmm" i ", %%zmm" i "\n"
#define STEP_256(i)                                                                                                    \
  "vpmaddubsw %%ymm15, %%ymm14, %%ymm12\nvpmaddwd %%ymm15, %%ymm12, %%ymm12\nvpaddd %%ymm12, %%ymm" i ", %%ymm" i "\n"
CEILING(ceiling_avx512vnni, "avx512f", 64, "vpxor %%xmm14, %%xmm14, %%xmm14\nvpxor %%xmm15, %%xmm15, %%xmm15\n",
        STEP_512VNNI, TOUCHED)
CEILING(ceiling_avx512, "avx512f", 64, "vpxor %%xmm14, %%xmm14, %%xmm14\nvpxor %%xmm15, %%xmm15, %%xmm15\n", STEP_512,
        TOUCHED)
CEILING(ceiling_avxvnni, "avx2", 32, "vpxor %%xmm14, %%xmm14, %%xmm14\nvpxor %%xmm15, %%xmm15, %%xmm15\n", STEP_VNNI,
        TOUCHED)
CEILING(ceiling_avx2, "avx2", 32, "vpxor %%xmm14, %%xmm14, %%xmm14\nvpxor %%xmm15, %%xmm15, %%xmm15\n", STEP_256,
        TOUCHED)
#endif

static double ceiling_run(int level) {
#if defined(__x86_64__)
  switch (level) {
  case FN_CPU_AVX512VNNI: return ceiling_avx512vnni();
  case FN_CPU_AVX512: return ceiling_avx512();
  case FN_CPU_AVXVNNI: return ceiling_avxvnni();
  case FN_CPU_AVX2: return ceiling_avx2();
  default: break;
  }
#endif
  (void)level;
  return 0;
}

/* Gop/s, the best of a tenth of a second or more of short runs: what else goes on on the machine does not count. */
static double ceiling_of(int level) {
  double best = 0;
  for (int i = 0; i < 2000; i++) {
    const uint64_t t = fn_clock_ns();
    const double done = ceiling_run(level);
    const double rate = done / (double)(fn_clock_ns() - t);
    best = rate > best ? rate : best;
  }
  return best;
}

#endif
