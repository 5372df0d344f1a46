/* What the machine and this process use, under the names that MLflow has for it: system/cpu_utilization_percentage,
 * system/system_memory_usage_megabytes, … From /proc, the cgroup, and NVIDIA's management library where there is a
 * GPU (docs/tracking.md lists them). */
#ifndef FN_TRACK_SYSTEM_METRICS_H
#define FN_TRACK_SYSTEM_METRICS_H

#include "base/base.h"

typedef struct fn_system_metric {
  char key[64];
  double value;
} fn_system_metric;

enum { FN_SYSTEM_MAX_METRICS = 64 };

/* Used by one thread at a time. */
typedef struct fn_system_sampler fn_system_sampler;
/* folder: whose disk is looked at. */
FN_NODISCARD fn_status fn_system_sampler_create(fn_system_sampler **sampler_out, const char *folder, fn_err *err);
void fn_system_sampler_destroy(fn_system_sampler *sampler);
/* What can be read now; shares are of the time since the last look, and are left out at the first. */
size_t fn_system_sampler_look(fn_system_metric out[FN_SYSTEM_MAX_METRICS], fn_system_sampler *sampler);

#endif
