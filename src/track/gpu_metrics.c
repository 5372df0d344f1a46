#include "track/gpu_metrics.h"

#include <stdlib.h>

/* The part of nvml.h that is used. */
typedef struct nvml_device_opaque *nvml_device;
typedef struct nvml_memory {
  unsigned long long total, free, used;
} nvml_memory;
typedef struct nvml_utilization {
  unsigned gpu, memory;
} nvml_utilization;

typedef struct nvml {
  int (*init)(void);
  int (*shutdown)(void);
  int (*device_count)(unsigned *);
  int (*device_by_index)(unsigned, nvml_device *);
  int (*memory_info)(nvml_device, nvml_memory *);
  int (*utilization)(nvml_device, nvml_utilization *);
  int (*power)(nvml_device, unsigned *);
} nvml;

struct fn_gpu_metrics {
  nvml lib;
  unsigned n;
};

#define SYMBOL(name, member)                                                                                           \
  { name, offsetof(nvml, member) }
static const fn_symbol symbols[] = {
    SYMBOL("nvmlInit_v2", init),
    SYMBOL("nvmlShutdown", shutdown),
    SYMBOL("nvmlDeviceGetCount_v2", device_count),
    SYMBOL("nvmlDeviceGetHandleByIndex_v2", device_by_index),
    SYMBOL("nvmlDeviceGetMemoryInfo", memory_info),
    SYMBOL("nvmlDeviceGetUtilizationRates", utilization),
    SYMBOL("nvmlDeviceGetPowerUsage", power),
};

fn_gpu_metrics *fn_gpu_metrics_open(void) {
  static const char *const names[] = {"libnvidia-ml.so.1", NULL};
  nvml lib;
  unsigned n = 0;
  if (!fn_path_exists("/proc/driver/nvidia") && !fn_path_exists("/dev/nvidiactl")) return NULL;
  if (fn_library_load(&lib, names, symbols, FN_COUNT_OF(symbols), "nvidia-driver", NULL) != FN_OK) return NULL;
  if (lib.init() != 0) return NULL;
  fn_gpu_metrics *gpu = lib.device_count(&n) == 0 && n > 0 ? fn_mem_calloc(1, sizeof *gpu) : NULL;
  if (!gpu) {
    lib.shutdown();
    return NULL;
  }
  gpu->lib = lib;
  gpu->n = n;
  return gpu;
}

void fn_gpu_metrics_close(fn_gpu_metrics *gpu) {
  if (!gpu) return;
  gpu->lib.shutdown();
  free(gpu);
}

bool fn_gpu_metrics_look(fn_gpu_use *out, fn_gpu_metrics *gpu, int index) {
  nvml_device device;
  nvml_memory memory = {0, 0, 0};
  nvml_utilization utilization;
  unsigned milliwatts;
  if (index < 0 || (unsigned)index >= gpu->n || gpu->lib.device_by_index((unsigned)index, &device) != 0) return false;
  fn_gpu_use use = {.utilization = -1, .watts = -1};
  if (gpu->lib.memory_info(device, &memory) == 0) {
    use.memory_used = (double)memory.used;
    use.memory_total = (double)memory.total;
  }
  if (gpu->lib.utilization(device, &utilization) == 0) use.utilization = (double)utilization.gpu;
  if (gpu->lib.power(device, &milliwatts) == 0) use.watts = (double)milliwatts / 1000;
  *out = use;
  return true;
}
