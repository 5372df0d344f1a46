/* Facade of src/tensor: safetensors files and the device table. */
#ifndef FN_TENSOR_TENSOR_H
#define FN_TENSOR_TENSOR_H

#include "tensor/device.h"
#include "tensor/safetensors.h"

#endif
