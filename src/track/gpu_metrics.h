/* Use of NVIDIA GPUs, by the driver's management library (libnvidia-ml.so.1), which is loaded only where the driver is:
 * NVML API reference, "Device Queries". */
#ifndef FN_TRACK_GPU_METRICS_H
#define FN_TRACK_GPU_METRICS_H

#include "base/base.h"

typedef struct fn_gpu_use {
  double utilization;               /* percent; < 0: not told */
  double memory_used, memory_total; /* bytes */
  double watts;                     /* < 0: not told */
} fn_gpu_use;

typedef struct fn_gpu_metrics fn_gpu_metrics;
/* NULL where there is no GPU, driver or library. */
fn_gpu_metrics *fn_gpu_metrics_open(void);
void fn_gpu_metrics_close(fn_gpu_metrics *gpu);
/* False beyond the last GPU. */
bool fn_gpu_metrics_look(fn_gpu_use *out, fn_gpu_metrics *gpu, int index);

#endif
