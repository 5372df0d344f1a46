/* A library to preload: lets the n-th allocation or the n-th system call on files fail, in any program, the libraries
 * it is linked to and the C library included. Settings, all in the environment:
 *
 *   FN_FAULT_ALLOC=N   the N-th malloc, calloc, realloc or aligned_alloc fails; 0 only counts
 *   FN_FAULT_IO=N      the N-th call on files fails (calls[] below; standard error and shared libraries apart)
 *   FN_FAULT_CALLS=write,fsync   which calls are counted; all when not set
 *   FN_FAULT_PATH=tracking.db   only those on files whose path has this in it
 *   FN_FAULT_ERROR=EIO EIO, ENOSPC, EINTR or EMFILE; "short": reads and writes do half of what they were asked for;
 *                      "kill": the process is killed before the call; "hang": the call does not come back, for no
 *                      signal that has a handler either, as on a network mount whose server is gone; "wait": the call
 *                      is made once FN_FAULT_REPORT, which is written before, is removed; signals are taken meanwhile
 *   FN_FAULT_FOR_GOOD=1  all that follow fail too (for a full disk: with ENOSPC those that need space)
 *   FN_FAULT_CLOCK=N   from the N-th reading of the time of day on, it is an hour earlier
 *   FN_FAULT_REPORT=PATH  at the end, or once it hangs: "allocations N calls M failed NAME path", or the address whose
 *                      allocation failed
 *
 * Counting begins when main does. Allocations are interposed by name; with the address sanitizer this library must come
 * before its own (ASAN_OPTIONS=verify_asan_link_order=0). System calls are caught by a seccomp filter that sends
 * SIGSYS, whose handler does the call itself: so calls that the C library makes inside fwrite, opendir or nftw count as
 * well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* ---- allocations */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
__attribute__((weak)) extern void *__interceptor_malloc(size_t), *__interceptor_calloc(size_t, size_t),
    *__interceptor_realloc(void *, size_t), *__interceptor_aligned_alloc(size_t, size_t);

static struct {
  bool on, for_good;
  long alloc_at, io_at, clock_at;
  atomic_long n_alloc, n_io, n_clock;
  int error;                  /* 0: short; -1: kill; -2: hang; -3: wait */
  const char *report, *only;  /* part of a path; NULL: all */
  unsigned char counted[512]; /* by number of the call */
  char failed[256];
  const void *caller; /* of the allocation that failed */
} fault;

static bool alloc_fails(const void *caller) {
  if (!fault.on || fault.alloc_at < 0) return false;
  const long n = atomic_fetch_add(&fault.n_alloc, 1) + 1;
  const bool fails = fault.alloc_at > 0 && (n == fault.alloc_at || (fault.for_good && n > fault.alloc_at));
  if (fails) {
    errno = ENOMEM;
    if (n == fault.alloc_at) fault.caller = caller;
  }
  return fails;
}

EXPORT void *malloc(size_t size) {
  if (alloc_fails(__builtin_return_address(0))) return NULL;
  return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}
EXPORT void *calloc(size_t n, size_t size) {
  if (alloc_fails(__builtin_return_address(0))) return NULL;
  return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}
EXPORT void *realloc(void *block, size_t size) {
  if (alloc_fails(__builtin_return_address(0))) return NULL;
  return __interceptor_realloc ? __interceptor_realloc(block, size) : __libc_realloc(block, size);
}
EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  if (alloc_fails(__builtin_return_address(0))) return NULL;
  return __interceptor_aligned_alloc ? __interceptor_aligned_alloc(alignment, size) : __libc_memalign(alignment, size);
}

/* Nobody blocks the signal that tells of a call: it would end the process. */
EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
  int (*const next)(int, const sigset_t *, sigset_t *) =
      (int (*)(int, const sigset_t *, sigset_t *))dlsym(RTLD_NEXT, "pthread_sigmask");
  sigset_t others;
  if (set && how != SIG_UNBLOCK) {
    others = *set;
    sigdelset(&others, SIGSYS);
    set = &others;
  }
  return next(how, set, before);
}

/* ---- the clock */

EXPORT int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = next(clock, time);
  if (fault.on && fault.clock_at > 0 && clock == CLOCK_REALTIME &&
      atomic_fetch_add(&fault.n_clock, 1) + 1 >= fault.clock_at)
    time->tv_sec -= 3600;
  return result;
}

/* What the loader takes for a library is never given back. */
EXPORT const char *__lsan_default_suppressions(void);
EXPORT const char *__lsan_default_suppressions(void) {
  return "leak:dl_open_worker_begin";
}

/* ---- system calls */

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* What an argument of a call is. */
enum { NONE, FD, PATH, PATH_AT, PATH_2, MAP, KINDS = 7, NEEDS_SPACE = 8 }; /* PATH is argument 0, _AT 1, _2 2 */

static const struct {
  int number;
  const char *name;
  int what; /* how the file is named; NEEDS_SPACE: needs space on the disk */
} calls[] = {
    {SYS_read, "read", FD},
    {SYS_write, "write", FD | NEEDS_SPACE},
    {SYS_pread64, "read", FD},
    {SYS_pwrite64, "write", FD | NEEDS_SPACE},
    {SYS_writev, "write", FD | NEEDS_SPACE},
    {SYS_readv, "read", FD},
    {SYS_openat, "open", PATH_AT | NEEDS_SPACE},
    {SYS_close, "close", FD},
    {SYS_fsync, "fsync", FD | NEEDS_SPACE},
    {SYS_fdatasync, "fsync", FD | NEEDS_SPACE},
    {SYS_ftruncate, "ftruncate", FD},
    {SYS_fallocate, "fallocate", FD | NEEDS_SPACE},
    {SYS_mmap, "mmap", MAP},
    {SYS_lseek, "lseek", FD},
    {SYS_fstat, "stat", FD},
    {SYS_newfstatat, "stat", PATH_AT},
    {SYS_getdents64, "getdents", FD},
    {SYS_flock, "flock", FD},
    {SYS_renameat2, "rename", PATH_AT},
    {SYS_renameat, "rename", PATH_AT},
    {SYS_mkdirat, "mkdir", PATH_AT | NEEDS_SPACE},
    {SYS_unlinkat, "unlink", PATH_AT},
    {SYS_symlinkat, "symlink", PATH_2 | NEEDS_SPACE},
    {SYS_readlinkat, "readlink", PATH_AT},
#ifdef __x86_64__
    {SYS_open, "open", PATH | NEEDS_SPACE},
    {SYS_stat, "stat", PATH},
    {SYS_lstat, "stat", PATH},
    {SYS_rename, "rename", PATH},
    {SYS_mkdir, "mkdir", PATH | NEEDS_SPACE},
    {SYS_rmdir, "unlink", PATH},
    {SYS_unlink, "unlink", PATH},
    {SYS_symlink, "symlink", PATH_AT | NEEDS_SPACE},
    {SYS_readlink, "readlink", PATH},
#endif
};
enum { N_CALLS = sizeof calls / sizeof calls[0] };

/* The one place in which a counted call passes the filter: between these two labels. */
extern const char fn_fault_begin[], fn_fault_end[];
long fn_fault_syscall(long number, const unsigned long *args);
#ifdef __x86_64__
__asm__(".text\n.globl fn_fault_syscall\n.type fn_fault_syscall,@function\nfn_fault_syscall:\n"
        "mov %rdi,%rax\nmov %rsi,%r11\n"
        "mov (%r11),%rdi\nmov 8(%r11),%rsi\nmov 16(%r11),%rdx\nmov 24(%r11),%r10\nmov 32(%r11),%r8\nmov 40(%r11),%r9\n"
        ".globl fn_fault_begin\nfn_fault_begin:\nsyscall\n.globl fn_fault_end\nfn_fault_end:\nret\n");
static long *result_of(ucontext_t *c) {
  return (long *)&c->uc_mcontext.gregs[REG_RAX];
}
static void get_args(unsigned long args[6], const ucontext_t *c) {
  static const int registers[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
  for (int i = 0; i < 6; i++) args[i] = (unsigned long)c->uc_mcontext.gregs[registers[i]];
}
#else
__asm__(".text\n.globl fn_fault_syscall\n.type fn_fault_syscall,@function\nfn_fault_syscall:\n"
        "mov x8,x0\nmov x9,x1\nldp x0,x1,[x9]\nldp x2,x3,[x9,16]\nldp x4,x5,[x9,32]\n"
        ".globl fn_fault_begin\nfn_fault_begin:\nsvc 0\n.globl fn_fault_end\nfn_fault_end:\nret\n");
static long *result_of(ucontext_t *c) {
  return (long *)&c->uc_mcontext.regs[0];
}
static void get_args(unsigned long args[6], const ucontext_t *c) {
  for (int i = 0; i < 6; i++) args[i] = (unsigned long)c->uc_mcontext.regs[i];
}
#endif

static const char *path_of(int what, const unsigned long *args) {
  switch (what & KINDS) {
  case PATH: return (const char *)args[0];
  case PATH_AT: return (const char *)args[1];
  case PATH_2: return (const char *)args[2];
  default: return NULL;
  }
}

/* Calls that are none of the program's: messages, the loader's libraries, memory. */
static bool is_apart(int what, const unsigned long *args) {
  const char *path = path_of(what, args);
  if ((what & KINDS) == FD && args[0] == STDERR_FILENO) return true;
  return path && strstr(path, ".so") != NULL;
}

static void find_target(char *target, size_t size, int what, const unsigned long *args) {
  char link[32];
  const char *path = path_of(what, args);
  const int fd = (int)args[(what & KINDS) == MAP ? 4 : 0];
  if (path && path[0]) {
    snprintf(target, size, "%s", path);
  } else {
    unsigned long call[6] = {(unsigned long)AT_FDCWD, (unsigned long)link, (unsigned long)target, size - 1};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const long n = fn_fault_syscall(SYS_readlinkat, call);
    target[n > 0 ? n : 0] = '\0';
  }
}

/* Whether it is one of the calls that FN_FAULT_PATH asks for. */
static bool is_meant(int what, const unsigned long *args) {
  char target[256] = "";
  if (!fault.only) return true;
  find_target(target, sizeof target, what, args);
  return strstr(target, fault.only) != NULL;
}

static void note(const char *name, int what, const unsigned long *args) {
  char target[128] = "";
  find_target(target, sizeof target, what, args);
  snprintf(fault.failed, sizeof fault.failed, "%s %s", name, target);
}

/* Full disks do not keep anyone from reading or removing. */
static bool is_hit(long n, int what, const unsigned long *args) {
  if (fault.io_at <= 0 || n < fault.io_at || (n > fault.io_at && !fault.for_good)) return false;
  if (fault.error != ENOSPC || n == fault.io_at) return true;
  return (what & NEEDS_SPACE) && !((what & KINDS) == PATH_AT && !(args[2] & O_CREAT));
}

static void report_now(void) {
  fault.on = false;
  FILE *out = fault.report ? fopen(fault.report, "w") : NULL;
  if (!out) return;
  Dl_info info;
  if (fault.caller && dladdr(fault.caller, &info) != 0)
    snprintf(fault.failed, sizeof fault.failed, "%s+%#lx", info.dli_fname,
             (unsigned long)((const char *)fault.caller - (const char *)info.dli_fbase));
  fprintf(out, "allocations %ld calls %ld failed %s\n", fault.n_alloc, fault.n_io, fault.failed);
  fclose(out);
}

static void on_call(int signal, siginfo_t *info, void *context) {
  (void)signal;
  const int saved = errno;
  unsigned long args[6];
  get_args(args, context);
  const int number = info->si_syscall;
  int i = 0;
  while (i < N_CALLS && calls[i].number != number) i++;
  const int what = i < N_CALLS ? calls[i].what : NONE;
  bool hit = false;
  if (fault.on && i < N_CALLS && !is_apart(what, args) && is_meant(what, args)) {
    const long n = atomic_fetch_add(&fault.n_io, 1) + 1;
    hit = is_hit(n, what, args);
    if (hit && n == fault.io_at) note(calls[i].name, what, args);
  }
  long result;
  if (hit && fault.error == -2) {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSYS);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    report_now();
    for (;;) sleep(60);
  }
  if (hit && fault.error == -1) {
    report_now();
    kill(getpid(), SIGKILL);
  }
  if (hit && fault.error == -3) {
    report_now();
    while (fault.report && access(fault.report, F_OK) == 0) usleep(1000);
  }
  if (hit && fault.error == 0 && (number == SYS_read || number == SYS_write) && args[2] > 1) {
    args[2] /= 2;
    result = fn_fault_syscall(number, args);
  } else if (hit && fault.error > 0) {
    if (number == SYS_close) (void)fn_fault_syscall(number, args); /* Linux closes whatever it answers */
    result = -fault.error;
  } else {
    result = fn_fault_syscall(number, args);
  }
  *result_of(context) = result;
  errno = saved;
}

#define JUMP(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(k), (yes), (no))
#define LOAD(member)     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(member))

/* Counted calls trap, but where they come from this library. */
static bool install_filter(void) {
  enum { MAX = 16 + 4 * N_CALLS };
  const uint64_t ip = (uint64_t)(uintptr_t)fn_fault_end;
  const unsigned at = offsetof(struct seccomp_data, instruction_pointer);
  struct sock_filter filter[MAX] = {
      LOAD(offsetof(struct seccomp_data, arch)),
      JUMP(ARCH, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      LOAD(at),
      JUMP(ip & 0xFFFFFFFFu, 0, 3),
      LOAD(at + 4),
      JUMP(ip >> 32, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      LOAD(offsetof(struct seccomp_data, nr)),
  };
  unsigned short n = 9;
  for (int i = 0; i < N_CALLS; i++) {
    if (!fault.counted[calls[i].number]) continue;
    if (calls[i].what == MAP) { /* memory without a file passes */
      filter[n++] = (struct sock_filter)JUMP(calls[i].number, 0, 4);
      filter[n++] = (struct sock_filter)LOAD(offsetof(struct seccomp_data, args[4]));
      filter[n++] = (struct sock_filter)JUMP(0xFFFFFFFFu, 1, 0);
      filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
      filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
      continue;
    }
    filter[n++] = (struct sock_filter)JUMP(calls[i].number, 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
  }
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {n, filter};
  struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
  return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static long number_in(const char *name) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : -1;
}

__attribute__((constructor)) static void begin(void) {
  static const struct {
    const char *name;
    int value;
  } errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"EMFILE", EMFILE},
                {"short", 0}, {"kill", -1},       {"hang", -2},     {"wait", -3}};
  const char *chosen = getenv("FN_FAULT_CALLS"), *error = getenv("FN_FAULT_ERROR");
  fault.alloc_at = number_in("FN_FAULT_ALLOC");
  fault.io_at = number_in("FN_FAULT_IO");
  fault.clock_at = number_in("FN_FAULT_CLOCK");
  fault.for_good = number_in("FN_FAULT_FOR_GOOD") > 0;
  fault.report = getenv("FN_FAULT_REPORT");
  fault.only = getenv("FN_FAULT_PATH");
  fault.error = EIO;
  for (size_t i = 0; error && i < sizeof errors / sizeof errors[0]; i++)
    if (strcmp(error, errors[i].name) == 0) fault.error = errors[i].value;
  for (int i = 0; i < N_CALLS; i++)
    if (!chosen || strstr(chosen, calls[i].name)) fault.counted[calls[i].number] = 1;
  if (fault.io_at >= 0 && !install_filter()) {
    fprintf(stderr, "fault: the filter of system calls cannot be installed: %s\n", strerror(errno));
    _exit(99);
  }
  unsetenv("LD_PRELOAD");
  fault.on = true;
}

__attribute__((destructor)) static void end(void) {
  fault.on = false;
  report_now();
}
