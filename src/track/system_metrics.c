#include "track/system_metrics.h"

#include "track/gpu_metrics.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 1 << 16 };
#define MEGABYTE 1e6

struct fn_system_sampler {
  char *folder;
  fn_gpu_metrics *gpu; /* NULL: none */
  uint64_t last_ns;    /* 0: no look yet */
  double busy, total;  /* ticks of all processors */
  uint64_t process_ns;
  double received, sent; /* bytes since the first look */
  double first_received, first_sent;
};

typedef struct list {
  fn_system_metric *out;
  size_t n;
} list;

static void add(list *l, const char *key, double value) {
  if (l->n == FN_SYSTEM_MAX_METRICS) return;
  snprintf(l->out[l->n].key, sizeof l->out[l->n].key, "system/%s", key);
  l->out[l->n++].value = value;
}

/* A small file of /proc or /sys, terminated; length 0 when it cannot be read. */
static void read_file(fn_buf *buf, const char *path) {
  fn_buf_reset(buf);
  FILE *file = fopen(path, "re");
  if (!file) return;
  if (fn_buf_reserve(buf, MAX_FILE_BYTES)) {
    buf->length = fread(buf->data, 1, MAX_FILE_BYTES - 1, file);
    buf->data[buf->length] = '\0';
  }
  fclose(file);
}

/* The next number at *at, which moves behind it. */
static bool next_number(double *out, const char **at) {
  const char *p = *at;
  while (*p == ' ' || *p == '\t' || *p == ':') p++;
  const size_t n = strspn(p, "0123456789");
  *at = p + n;
  return n > 0 && fn_str_to_double(out, fn_str_make(p, n));
}

/* "cpu  user nice system idle iowait irq softirq steal": all but idle and iowait is work. */
static void look_at_processors(list *l, fn_system_sampler *s, fn_buf *buf, uint64_t now) {
  double busy = 0, total = 0, ticks;
  read_file(buf, "/proc/stat");
  if (buf->length < 4 || strncmp(buf->data, "cpu ", 4) != 0) return;
  const char *at = buf->data + 4;
  for (int i = 0; i < 8 && next_number(&ticks, &at); i++) {
    total += ticks;
    if (i != 3 && i != 4) busy += ticks;
  }
  const uint64_t process = fn_clock_processor_ns();
  if (s->last_ns && total > s->total) add(l, "cpu_utilization_percentage", 100 * (busy - s->busy) / (total - s->total));
  if (s->last_ns && now > s->last_ns)
    add(l, "process_cpu_utilization_percentage", 100 * (double)(process - s->process_ns) / (double)(now - s->last_ns));
  s->busy = busy;
  s->total = total;
  s->process_ns = process;
}

static bool find_number(double *out, const fn_buf *buf, const char *name) {
  const char *at = buf->length ? strstr(buf->data, name) : NULL;
  if (!at) return false;
  at += strlen(name);
  return next_number(out, &at);
}

static void look_at_memory(list *l, fn_buf *buf) {
  double total, available, bytes, limit;
  read_file(buf, "/proc/meminfo");
  if (find_number(&total, buf, "MemTotal:") && find_number(&available, buf, "MemAvailable:") && total > 0) {
    add(l, "system_memory_usage_megabytes", (total - available) * 1024 / MEGABYTE);
    add(l, "system_memory_usage_percentage", 100 * (total - available) / total);
  }
  read_file(buf, "/proc/self/status");
  if (find_number(&bytes, buf, "VmRSS:")) add(l, "process_memory_usage_megabytes", bytes * 1024 / MEGABYTE);
  /* In a container: what counts against its limit. */
  read_file(buf, "/sys/fs/cgroup/memory.max");
  const char *at = buf->length ? buf->data : "";
  if (!next_number(&limit, &at) || limit <= 0) return;
  read_file(buf, "/sys/fs/cgroup/memory.current");
  at = buf->length ? buf->data : "";
  if (!next_number(&bytes, &at)) return;
  add(l, "cgroup_memory_usage_megabytes", bytes / MEGABYTE);
  add(l, "cgroup_memory_usage_percentage", 100 * bytes / limit);
}

static void look_at_disk(list *l, const fn_system_sampler *s) {
  struct statvfs v;
  if (statvfs(s->folder, &v) != 0 || v.f_blocks == 0) return;
  const double block = (double)v.f_frsize, used = (double)(v.f_blocks - v.f_bfree), free = (double)v.f_bavail;
  add(l, "disk_usage_megabytes", used * block / MEGABYTE);
  add(l, "disk_available_megabytes", free * block / MEGABYTE);
  if (used + free > 0) add(l, "disk_usage_percentage", 100 * used / (used + free));
}

/* Interface lines "eth0: bytes packets errs drop fifo frame compressed multicast bytes …"; the loopback is left out. */
static void look_at_network(list *l, fn_system_sampler *s, fn_buf *buf) {
  double received = 0, sent = 0, number;
  read_file(buf, "/proc/net/dev");
  if (buf->length == 0) return;
  for (const char *line = buf->data; line && *line; line = strchr(line, '\n')) {
    while (*line == '\n' || *line == ' ') line++;
    const char *colon = line + strcspn(line, ":\n");
    if (*colon != ':' || strncmp(line, "lo:", 3) == 0) continue;
    const char *at = colon + 1;
    for (int i = 0; i < 9 && next_number(&number, &at); i++) {
      if (i == 0) received += number;
      if (i == 8) sent += number;
    }
  }
  if (!s->last_ns) s->first_received = received, s->first_sent = sent;
  add(l, "network_receive_megabytes", (received - s->first_received) / MEGABYTE);
  add(l, "network_transmit_megabytes", (sent - s->first_sent) / MEGABYTE);
}

static void look_at_gpus(list *l, fn_gpu_metrics *gpu) {
  fn_gpu_use use;
  char key[48];
  for (int i = 0; fn_gpu_metrics_look(&use, gpu, i); i++) {
    snprintf(key, sizeof key, "gpu_%d_utilization_percentage", i);
    if (use.utilization >= 0) add(l, key, use.utilization);
    snprintf(key, sizeof key, "gpu_%d_memory_usage_megabytes", i);
    add(l, key, use.memory_used / MEGABYTE);
    snprintf(key, sizeof key, "gpu_%d_memory_usage_percentage", i);
    if (use.memory_total > 0) add(l, key, 100 * use.memory_used / use.memory_total);
    snprintf(key, sizeof key, "gpu_%d_power_usage_watts", i);
    if (use.watts >= 0) add(l, key, use.watts);
  }
}

size_t fn_system_sampler_look(fn_system_metric out[FN_SYSTEM_MAX_METRICS], fn_system_sampler *s) {
  list l = {out, 0};
  FN_AUTO_BUF fn_buf buf;
  fn_buf_init(&buf, 2 * MAX_FILE_BYTES);
  const uint64_t now = fn_clock_ns();
  look_at_processors(&l, s, &buf, now);
  look_at_memory(&l, &buf);
  look_at_disk(&l, s);
  look_at_network(&l, s, &buf);
  if (s->gpu) look_at_gpus(&l, s->gpu);
  s->last_ns = now;
  return l.n;
}

void fn_system_sampler_destroy(fn_system_sampler *s) {
  if (!s) return;
  fn_gpu_metrics_close(s->gpu);
  free(s->folder);
  free(s);
}

fn_status fn_system_sampler_create(fn_system_sampler **sampler_out, const char *folder, fn_err *err) {
  fn_system_sampler *s = fn_mem_calloc(1, sizeof *s);
  if (s) s->folder = fn_str_dup(fn_str_from(folder));
  if (!s || !s->folder) {
    fn_system_sampler_destroy(s);
    return fn_err_no_memory(err, "system metrics");
  }
  s->gpu = fn_gpu_metrics_open();
  *sampler_out = s;
  return FN_OK;
}
