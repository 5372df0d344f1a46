/* What a core can do when nothing but the multiplications is there: operands in registers, twelve independent chains.
 */
#include "tensor/cpu/peak.h"

#include "base/clock.h"
#include "tensor/cpu/detect.h"

#include <math.h>

enum { STEPS = 4000, CHAINS = 12, RUNS = 2000 };

#if defined(__x86_64__)
/* All in one piece of assembly: compilers copy accumulators about. */
#define EACH(step)                                                                                                     \
  step("0") step("1") step("2") step("3") step("4") step("5") step("6") step("7") step("8") step("9") step("10")       \
      step("11")
#define TOUCHED                                                                                                        \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
      "xmm14", "xmm15"
#define CEILING(name, isa, step)                                                                                       \
  __attribute__((target(isa), noinline)) static void name(void) {                                                      \
    __asm__ volatile("vpxor %%xmm14, %%xmm14, %%xmm14\nvpxor %%xmm15, %%xmm15, %%xmm15\nmov %0, %%ecx\n1:\n" EACH(     \
                         step) "dec %%ecx\njnz 1b\n"                                                                   \
                     :                                                                                                 \
                     : "i"(STEPS)                                                                                      \
                     : "ecx", "cc", TOUCHED);                                                                          \
  }
#define INT8_512VNNI(i) "vpdpbusd %%zmm15, %%zmm14, %%zmm" i "\n"
#define INT8_256VNNI(i) "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm" i "\n"
#define INT8_512(i)                                                                                                    \
  "vpmaddubsw %%zmm15, %%zmm14, %%zmm12\nvpmaddwd %%zmm15, %%zmm12, %%zmm12\nvpaddd %%zmm12, %%zmm" i ", %%zmm" i "\n"
#define INT8_256(i)                                                                                                    \
  "vpmaddubsw %%ymm15, %%ymm14, %%ymm12\nvpmaddwd %%ymm15, %%ymm12, %%ymm12\nvpaddd %%ymm12, %%ymm" i ", %%ymm" i "\n"
#define F32_512(i) "vfmadd231ps %%zmm15, %%zmm14, %%zmm" i "\n"
#define F32_256(i) "vfmadd231ps %%ymm15, %%ymm14, %%ymm" i "\n"
CEILING(int8_avx512vnni, "avx512f", INT8_512VNNI)
CEILING(int8_avx512, "avx512f", INT8_512)
CEILING(int8_avxvnni, "avx2", INT8_256VNNI)
CEILING(int8_avx2, "avx2", INT8_256)
CEILING(f32_avx512, "avx512f", F32_512)
CEILING(f32_avx2, "avx2", F32_256)

/* The matrix unit: four sums of 16 × 16, 64 products each, a step. */
enum { AMX_STEPS = CHAINS * STEPS / 96 };
__attribute__((target("amx-tile,amx-int8"), noinline)) static void int8_amx(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_per_row[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.bytes_per_row[i] = 64;
    config.rows[i] = 16;
  }
  __asm__ volatile("ldtilecfg %0\nmov %1, %%ecx\n1:\ntdpbsud %%tmm6, %%tmm4, %%tmm0\ntdpbsud %%tmm7, %%tmm4, %%tmm1\n"
                   "tdpbsud %%tmm6, %%tmm5, %%tmm2\ntdpbsud %%tmm7, %%tmm5, %%tmm3\ndec %%ecx\njnz 1b\ntilerelease"
                   :
                   : "m"(config), "i"(AMX_STEPS)
                   : "ecx", "cc");
}

typedef struct ceiling {
  void (*run)(void);
  double products; /* of one step of one chain */
} ceiling;

static ceiling find(fn_cpu_level level, bool int8) {
  switch (level) {
  case FN_CPU_AMX: return int8 ? (ceiling){int8_amx, 4 * 16384 / 96.0} : (ceiling){f32_avx512, 16};
  case FN_CPU_AVX512VNNI: return int8 ? (ceiling){int8_avx512vnni, 64} : (ceiling){f32_avx512, 16};
  case FN_CPU_AVX512: return int8 ? (ceiling){int8_avx512, 64} : (ceiling){f32_avx512, 16};
  case FN_CPU_AVXVNNI: return int8 ? (ceiling){int8_avxvnni, 32} : (ceiling){f32_avx2, 8};
  case FN_CPU_AVX2: return int8 ? (ceiling){int8_avx2, 32} : (ceiling){f32_avx2, 8};
  default: return (ceiling){0};
  }
}

double fn_cpu_peak(fn_cpu_level level, bool int8) {
  const ceiling c = find(level, int8);
  double best = 0.0;
  if (!c.run || !fn_cpu_level_present(level)) return (double)NAN;
  if (level == FN_CPU_AMX && int8 && !fn_cpu_amx_enable()) return (double)NAN;
  for (int i = 0; i < RUNS; i++) { /* the best of many short runs: what else goes on on the machine does not count */
    const uint64_t begin = fn_clock_ns();
    c.run();
    const double rate = 2.0 * c.products * CHAINS * STEPS / (double)(fn_clock_ns() - begin);
    best = rate > best ? rate : best;
  }
  return best;
}
#else
double fn_cpu_peak(fn_cpu_level level, bool int8) {
  (void)level;
  (void)int8;
  return (double)NAN;
}
#endif
