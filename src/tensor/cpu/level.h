/* Names of the functions that are compiled once per level: FN_LEVEL(fn_x) is fn_x_avx2 and so on. */
#ifndef FN_TENSOR_CPU_LEVEL_H
#define FN_TENSOR_CPU_LEVEL_H

#include "tensor/cpu/kernels.h"

#define FN_LEVEL_JOIN_(a, b) a##_##b
#define FN_LEVEL_JOIN(a, b)  FN_LEVEL_JOIN_(a, b)
#define FN_LEVEL(name)       FN_LEVEL_JOIN(name, FN_LEVEL_NAME)

#define fn_k_pack                  FN_LEVEL(fn_k_pack)
#define fn_k_pack_left             FN_LEVEL(fn_k_pack_left)
#define fn_k_gemm                  FN_LEVEL(fn_k_gemm)
#define fn_k_norm                  FN_LEVEL(fn_k_norm)
#define fn_k_norm_backward         FN_LEVEL(fn_k_norm_backward)
#define fn_k_bias_dropout_residual FN_LEVEL(fn_k_bias_dropout_residual)
#define fn_k_dropout               FN_LEVEL(fn_k_dropout)
#define fn_k_add                   FN_LEVEL(fn_k_add)
#define fn_k_scale                 FN_LEVEL(fn_k_scale)
#define fn_k_sum3                  FN_LEVEL(fn_k_sum3)
#define fn_k_bias_activation       FN_LEVEL(fn_k_bias_activation)
#define fn_k_activation_backward   FN_LEVEL(fn_k_activation_backward)
#define fn_k_column_sums           FN_LEVEL(fn_k_column_sums)
#define fn_k_attention_scratch     FN_LEVEL(fn_k_attention_scratch)
#define fn_k_attention             FN_LEVEL(fn_k_attention)
#define fn_k_attention_backward    FN_LEVEL(fn_k_attention_backward)
#define fn_k_adamw                 FN_LEVEL(fn_k_adamw)
#define fn_k_squared_norm          FN_LEVEL(fn_k_squared_norm)

void fn_k_pack(float *out, const float *src, size_t K, size_t N, size_t k_stride, size_t n_stride, size_t first,
               size_t last);
void fn_k_pack_left(float *out, float *sums, const float *src, size_t stride, size_t K, size_t n);
void fn_k_gemm(float *c, size_t stride, const fn_left *a, const fn_packed *b, size_t M, bool accumulate);
void fn_k_norm(float *y, float *xhat, float *rstd, const float *x, const float *gamma, const float *beta, float epsilon,
               size_t n);
void fn_k_norm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *xhat, float rstd,
                        const float *gamma, size_t n);
void fn_k_bias_dropout_residual(float *x, const float *bias, const float *residual, const fn_dropout_state *d,
                                fn_row_key key, size_t n);
void fn_k_dropout(float *y, const float *x, const fn_dropout_state *d, fn_row_key key, size_t n);
void fn_k_add(float *y, const float *x, size_t n);
void fn_k_scale(float *y, const float *x, float factor, size_t n);
void fn_k_sum3(float *y, const float *a, const float *b, const float *c, size_t n);
void fn_k_bias_activation(float *y, float *pre, const float *bias, fn_activation kind, size_t n);
void fn_k_activation_backward(float *dx, float *y, const float *dy, const float *x, fn_activation kind, size_t n);
void fn_k_column_sums(float *sum, const float *x, size_t stride, size_t n_rows, size_t n);
size_t fn_k_attention_scratch(size_t longest, size_t D, bool training);
void fn_k_attention(const fn_head_task *task);
void fn_k_attention_backward(const fn_head_task *task);
void fn_k_adamw(const fn_adamw_range *range);
double fn_k_squared_norm(const float *x, size_t n);

#endif
