/* The ceiling that kernels are measured against. */
#ifndef FN_TENSOR_CPU_PEAK_H
#define FN_TENSOR_CPU_PEAK_H

#include "tensor/device.h"

/* Gop/s of one thread (a multiplication and an addition are two) at a level, with bytes as the 8-bit kernels multiply
 * them or in fp32; takes some tenths of a second. NaN: plain C, a level that is not there, another architecture. */
double fn_cpu_peak(fn_cpu_level level, bool int8);

#endif
