#include "track/process.h"

#include "base/hash.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 4096 };

/* First line of a small file of /proc; "" when it cannot be read. */
static void read_line(char *out, size_t size, const char *path) {
  out[0] = '\0';
  FILE *file = fopen(path, "re");
  if (!file) return;
  if (!fgets(out, (int)size, file)) out[0] = '\0';
  fclose(file);
  out[strcspn(out, "\n")] = '\0';
}

/* Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. */
static int64_t start_of(int64_t pid) {
  char path[64], line[MAX_FILE_BYTES];
  snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  read_line(line, sizeof line, path);
  const char *at = strrchr(line, ')');
  for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
  int64_t ticks = 0;
  if (!at) return 0;
  at++;
  return fn_str_to_int64(&ticks, fn_str_make(at, strcspn(at, " "))) ? ticks : 0;
}

void fn_process_self(fn_process *out) {
  char boot[64], machine[64], hashed[33], space[48] = "";
  fn_process p = {.pid = (int64_t)getpid()};
  if (gethostname(p.host, sizeof p.host - 1) != 0) p.host[0] = '\0';
  read_line(boot, sizeof boot, "/proc/sys/kernel/random/boot_id");
  if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = '\0';
  read_line(machine, sizeof machine, "/etc/machine-id"); /* not to be shown to others as it is: machine-id(5) */
  fn_hash_format(hashed, fn_hash_bytes(machine, strlen(machine)));
  if (boot[0]) snprintf(p.space, sizeof p.space, "%.36s %.47s %.32s", boot, space, machine[0] ? hashed : "");
  p.started = start_of(p.pid);
  *out = p;
}

/* Whether word i of two spaces is there and the same. */
static bool same_word(const char *a, const char *b, int i) {
  for (; i > 0; i--) {
    a += strcspn(a, " "), a += *a == ' ';
    b += strcspn(b, " "), b += *b == ' ';
  }
  const size_t n = strcspn(a, " ");
  return n > 0 && n == strcspn(b, " ") && memcmp(a, b, n) == 0;
}

fn_process_life fn_process_look(const fn_process *process, const fn_process *self) {
  if (!process->space[0] || !self->space[0] || strcmp(process->host, self->host) != 0) return FN_PROCESS_ELSEWHERE;
  /* The same machine after it was started again: nothing of before lives on. The name of a host is not enough for that:
   * many are called localhost. */
  if (!same_word(process->space, self->space, 0))
    return same_word(process->space, self->space, 2) ? FN_PROCESS_GONE : FN_PROCESS_ELSEWHERE;
  if (!same_word(process->space, self->space, 1)) return FN_PROCESS_ELSEWHERE; /* another namespace: not known */
  if (kill((pid_t)process->pid, 0) != 0 && errno == ESRCH) return FN_PROCESS_GONE;
  const int64_t started = start_of(process->pid);
  return started && process->started && started != process->started ? FN_PROCESS_GONE : FN_PROCESS_ALIVE;
}
