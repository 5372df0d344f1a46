#include "tensor/safetensors_internal.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors are mapped as they are: this needs a little-endian machine"
#endif

static const struct {
  const char *name;
  size_t bits;
} dtypes[FN_DTYPE_COUNT] = {
#define FN_DTYPE_ROW(code, name, bits) {name, bits},
    FN_DTYPE_LIST(FN_DTYPE_ROW)
#undef FN_DTYPE_ROW
};

const char *fn_dtype_name(fn_dtype dtype) {
  return (unsigned)dtype < FN_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

size_t fn_dtype_bits(fn_dtype dtype) {
  return (unsigned)dtype < FN_DTYPE_COUNT ? dtypes[dtype].bits : 0;
}

size_t fn_dtype_size(fn_dtype dtype) {
  size_t bits = fn_dtype_bits(dtype);
  return bits % 8 == 0 ? bits / 8 : 0;
}

bool fn_tensor_view_measure(size_t *n_out, size_t *size_out, fn_dtype dtype, const int64_t *shape, int32_t n_dims) {
  size_t n = 1, bits;
  for (int32_t i = 0; i < n_dims; i++) {
    if (shape[i] < 0 || !fn_size_mul(&n, n, (size_t)shape[i])) return false;
  }
  if (!fn_size_mul(&bits, n, fn_dtype_bits(dtype)) || bits % 8 != 0) return false;
  *n_out = n;
  *size_out = bits / 8;
  return true;
}

static float float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* IEEE binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. Every value is exact in binary32. */
static float f16_to_f32(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 0x1fu, fraction = half & 0x3ffu;
  if (exponent == 0x1f) return float_from_bits(sign | 0x7f800000u | fraction << 13); /* infinity, NaN */
  if (exponent == 0) {                                                               /* zero, subnormal */
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

fn_status fn_tensor_view_to_f32(float *out, const fn_tensor_view *view, fn_err *err) {
  const unsigned char *data = view->data;
  switch ((int)view->dtype) {
  case FN_F32:
    if (view->n > 0) memcpy(out, data, view->n * sizeof *out);
    return FN_OK;
  case FN_BF16:
    for (size_t i = 0; i < view->n; i++) {
      uint16_t bits;
      memcpy(&bits, data + 2 * i, sizeof bits);
      out[i] = float_from_bits((uint32_t)bits << 16);
    }
    return FN_OK;
  case FN_F16:
    for (size_t i = 0; i < view->n; i++) {
      uint16_t bits;
      memcpy(&bits, data + 2 * i, sizeof bits);
      out[i] = f16_to_f32(bits);
    }
    return FN_OK;
  case FN_F64:
    for (size_t i = 0; i < view->n; i++) {
      double value;
      memcpy(&value, data + 8 * i, sizeof value);
      out[i] = (float)value;
    }
    return FN_OK;
  default:
    return fn_err_set(err, FN_E_UNSUPPORTED, "tensor \"%s\" is %s; weights may be F32, F16, BF16 or F64", view->name,
                      fn_dtype_name(view->dtype));
  }
}
