#include "tensor/cpu/detect.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Leaf 7, subleaf 1, EAX bit 4 (Intel SDM vol. 2, CPUID). Encoded with VEX: what lets AVX2 run lets it run. Compilers
 * of 2022 do not know its name in __builtin_cpu_supports. */
static bool has_avx_vnni(void) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4) != 0;
}

/* AMX-TILE and AMX-INT8 are bits 24 and 25 of leaf 7, EDX; the system saves their registers if bits 17 and 18 of XCR0
 * are set. */
static bool has_amx(void) {
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & 1u << 27) == 0) return false; /* OSXSAVE: XGETBV is there */
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & 3u << 17) == 3u << 17 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & 3u << 24) == 3u << 24;
}

bool fn_cpu_amx_enable(void) {
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, Linux 5.16 */
  return has_amx() && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* __builtin_cpu_supports counts an extension only where the operating system saves its registers (XGETBV). */
bool fn_cpu_level_present(fn_cpu_level level) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  switch (level) {
  case FN_CPU_C: return true;
  case FN_CPU_AVX2: return avx2;
  case FN_CPU_AVXVNNI: return avx2 && has_avx_vnni();
  case FN_CPU_AVX512: return avx512;
  case FN_CPU_AVX512VNNI: return avx512 && __builtin_cpu_supports("avx512vnni");
  case FN_CPU_AMX: return avx512 && __builtin_cpu_supports("avx512vnni") && has_amx();
  default: return false;
  }
}

const fn_kernels *fn_kernels_of(fn_cpu_level level) {
  switch (fn_cpu_level_fp32(level)) {
  case FN_CPU_AVX512: return fn_kernels_avx512();
  case FN_CPU_AVX2: return fn_kernels_avx2();
  default: return fn_kernels_c();
  }
}

const fn_int8_kernels *fn_int8_kernels_of(fn_cpu_level level) {
  switch (level) {
  case FN_CPU_AMX: return fn_int8_kernels_amx();
  case FN_CPU_AVX512VNNI: return fn_int8_kernels_avx512vnni();
  case FN_CPU_AVX512: return fn_int8_kernels_avx512();
  case FN_CPU_AVXVNNI: return fn_int8_kernels_avxvnni();
  case FN_CPU_AVX2: return fn_int8_kernels_avx2();
  default: return fn_int8_kernels_c();
  }
}
#else
bool fn_cpu_amx_enable(void) {
  return false;
}

bool fn_cpu_level_present(fn_cpu_level level) {
  return level == FN_CPU_C;
}

const fn_kernels *fn_kernels_of(fn_cpu_level level) {
  (void)level;
  return fn_kernels_c();
}

const fn_int8_kernels *fn_int8_kernels_of(fn_cpu_level level) {
  (void)level;
  return fn_int8_kernels_c();
}
#endif

fn_cpu_level fn_cpu_level_at_most(fn_cpu_level level) {
  int i = (int)level;
  while (i > 0 && !fn_cpu_level_present((fn_cpu_level)i)) i--;
  return (fn_cpu_level)i;
}

fn_cpu_level fn_cpu_level_detect(void) {
  return fn_cpu_level_at_most(FN_CPU_AMX);
}

fn_cpu_level fn_cpu_level_fp32(fn_cpu_level level) {
  if (level >= FN_CPU_AVX512) return FN_CPU_AVX512;
  return level >= FN_CPU_AVX2 ? FN_CPU_AVX2 : FN_CPU_C;
}
