/* oneDNN's single-precision matrix multiplication, loaded at first use: libdnnl is 40 MB and is linked nowhere. */
#ifndef FN_TENSOR_CPU_ONEDNN_H
#define FN_TENSOR_CPU_ONEDNN_H

#include "base/base.h"

/* Every call runs on the calling thread alone: it is an OpenMP build, and each worker sets one OpenMP thread. */
typedef struct fn_onednn {
  /* Row-major C[M,N] = alpha op(A) op(B) + beta C; transposes 'N' or 'T'. */
  int (*sgemm)(char transpose_a, char transpose_b, int64_t M, int64_t N, int64_t K, float alpha, const float *A,
               int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc);
  void (*omp_set_num_threads)(int n);
  int major, minor, patch;
} fn_onednn;

/* The library's functions; loaded once per process, never unloaded. FN_E_UNSUPPORTED when it is not there. */
FN_NODISCARD fn_status fn_onednn_get(const fn_onednn **onednn_out, fn_err *err);
/* "oneDNN 2.6.3", or "own GEMM" for NULL. */
void fn_onednn_describe(char *buf, size_t size, const fn_onednn *onednn);

#endif
