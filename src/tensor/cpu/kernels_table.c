#include "tensor/cpu/level.h"
#include "tensor/cpu/simd.h"

const fn_kernels *FN_LEVEL(fn_kernels)(void) {
  static const fn_kernels table = {
      .rows_per_panel = FN_MR,
      .panel_width = 16 * FN_NV,
      .pack = fn_k_pack,
      .pack_left = fn_k_pack_left,
      .gemm = fn_k_gemm,
      .norm = fn_k_norm,
      .norm_backward = fn_k_norm_backward,
      .bias_dropout_residual = fn_k_bias_dropout_residual,
      .dropout = fn_k_dropout,
      .add = fn_k_add,
      .scale = fn_k_scale,
      .sum3 = fn_k_sum3,
      .bias_activation = fn_k_bias_activation,
      .activation_backward = fn_k_activation_backward,
      .column_sums = fn_k_column_sums,
      .attention_scratch = fn_k_attention_scratch,
      .attention = fn_k_attention,
      .attention_backward = fn_k_attention_backward,
      .adamw = fn_k_adamw,
      .squared_norm = fn_k_squared_norm,
  };
  return &table;
}
