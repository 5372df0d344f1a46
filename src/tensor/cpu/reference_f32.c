/* The plain C device in single precision. */
#define FN_REAL    float
#define REAL(name) name##f
#define OPS        fn_reference_ops_f32
#include "tensor/cpu/reference.inc"
