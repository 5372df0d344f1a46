/* Which levels this machine has, and their tables. */
#ifndef FN_TENSOR_CPU_DETECT_H
#define FN_TENSOR_CPU_DETECT_H

#include "tensor/cpu/int8.h"
#include "tensor/cpu/kernels.h"

/* The highest level that is present and not above `level`. */
fn_cpu_level fn_cpu_level_at_most(fn_cpu_level level);
/* The level whose fp32 kernels a level uses: the levels with dot products of bytes have none of their own. */
fn_cpu_level fn_cpu_level_fp32(fn_cpu_level level);
/* Asks the system to let this process use the matrix unit: without it, kernels of level amx end in a signal. Linux then
 * wants alternate signal stacks with room for its registers, so only those who compute with it ask. False: refused. */
bool fn_cpu_amx_enable(void);
/* Of a level that is present. */
const fn_kernels *fn_kernels_of(fn_cpu_level level);
const fn_int8_kernels *fn_int8_kernels_of(fn_cpu_level level);

#endif
