/* Names of the 8-bit kernels that are compiled once per level (level.h). */
#ifndef FN_TENSOR_CPU_LEVEL_INT8_H
#define FN_TENSOR_CPU_LEVEL_INT8_H

#include "tensor/cpu/int8.h"
#include "tensor/cpu/level.h"

#define fn_k_int8_quantise          FN_LEVEL(fn_k_int8_quantise)
#define fn_k_int8_multiply          FN_LEVEL(fn_k_int8_multiply)
#define fn_k_int8_attention         FN_LEVEL(fn_k_int8_attention)
#define fn_k_int8_attention_scratch FN_LEVEL(fn_k_int8_attention_scratch)

void fn_k_int8_quantise(const fn_int8_rows *rows, size_t row, const float *x, size_t n);
void fn_k_int8_multiply(float *y, size_t stride, const fn_int8_rows *rows, size_t M, const fn_int8_weights *w,
                        size_t first, size_t last, const fn_activation *kind);
size_t fn_k_int8_attention_scratch(size_t longest, size_t D);
void fn_k_int8_attention(const fn_int8_head *head);

#endif
