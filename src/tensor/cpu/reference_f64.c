/* The plain C device in double precision: against its central differences every gradient is checked. */
#define FN_REAL    double
#define REAL(name) name
#define OPS        fn_reference_ops_f64
#include "tensor/cpu/reference.inc"
