#include "base/program.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLICE_MS = 100, PIECE = 4096 };

typedef struct running {
  const fn_program *program;
  pid_t pid;
  int fd; /* its standard output */
  uint64_t deadline_ns;
} running;

static fn_status check(const running *r, fn_err *err) {
  const fn_program *p = r->program;
  if (p->go_on && !p->go_on(p->arg)) return fn_err_set(err, FN_E_CANCELLED, "%.200s: stopped", p->words[0]);
  if (fn_clock_ns() < r->deadline_ns) return FN_OK;
  return fn_err_set(err, FN_E_IO, "%.200s: not done after %g s", p->words[0], p->timeout_s);
}

static fn_status read_all(fn_buf *out, const running *r, fn_err *err) {
  char piece[PIECE];
  for (;;) {
    FN_TRY(check(r, err));
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    const int ready = poll(&p, 1, SLICE_MS);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t n = ready < 0 ? -1 : read(r->fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%.200s: reading what it writes", r->program->words[0]);
    if (n == 0) return FN_OK;
    fn_buf_append(out, piece, (size_t)n);
    memset(piece, 0, sizeof piece); /* it may be a secret */
    if (out->failed) return fn_err_set(err, FN_E_LIMIT, "%.200s: writes too much", r->program->words[0]);
  }
}

/* It may close its output and stay. */
static fn_status wait_for(const running *r, fn_err *err) {
  const char *name = r->program->words[0];
  int how;
  for (;;) {
    const pid_t ended = waitpid(r->pid, &how, WNOHANG);
    if (ended < 0 && errno != EINTR) return fn_err_errno(err, errno, "%.200s", name);
    if (ended == r->pid) break;
    FN_TRY(check(r, err));
    struct timespec slice = {.tv_nsec = SLICE_MS * 100000}; /* a tenth */
    nanosleep(&slice, NULL);
  }
  if (WIFSIGNALED(how)) return fn_err_set(err, FN_E_IO, "%.200s: ended by signal %d", name, WTERMSIG(how));
  if (WEXITSTATUS(how) == 127) return fn_err_set(err, FN_E_IO, "%.200s: cannot be run (exit code 127)", name);
  if (WEXITSTATUS(how) != 0) return fn_err_set(err, FN_E_IO, "%.200s: exit code %d", name, WEXITSTATUS(how));
  return FN_OK;
}

/* A group of its own, so that what it starts can be ended with it; signals as a program expects them, for the caller
 * may be a thread that blocks them. */
static int spawn(pid_t *pid, const fn_program *p, int output) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int error = posix_spawn_file_actions_init(&files);
  if (error) return error;
  error = posix_spawnattr_init(&attributes);
  if (!error) error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  if (!error) error = posix_spawn_file_actions_adddup2(&files, output, 1);
  if (!error) error = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  if (!error) error = posix_spawnattr_setpgroup(&attributes, 0);
  if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
  if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
  const short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (!error) error = posix_spawnattr_setflags(&attributes, flags);
  if (!error) error = posix_spawnp(pid, p->words[0], &files, &attributes, p->words, p->environment);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return error;
}

fn_status fn_program_run(fn_buf *out, const fn_program *program, fn_err *err) {
  int ends[2];
  if (pipe(ends) != 0) return fn_err_errno(err, errno, "%.200s", program->words[0]);
  (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  running r = {.program = program, .fd = ends[0]};
  r.deadline_ns = fn_clock_ns() + (uint64_t)(program->timeout_s * 1e9);
  const int error = spawn(&r.pid, program, ends[1]);
  close(ends[1]);
  if (error) {
    close(ends[0]);
    return fn_err_errno(err, error, "%.200s: cannot be run", program->words[0]);
  }
  fn_status status = read_all(out, &r, err);
  close(ends[0]);
  if (status == FN_OK) status = wait_for(&r, err);
  if (status == FN_OK) return FN_OK;
  kill(-r.pid, SIGKILL);
  while (waitpid(r.pid, NULL, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/* ---- words */

/* Copies one word, its quotes and backslashes resolved, and moves *text behind it; false: a quote is open. */
static bool take_word(char **to, const char **text) {
  char quote = 0;
  const char *p = *text;
  for (; *p && (quote || !strchr(" \t\r\n", *p)); p++) {
    if (quote ? *p == quote : (*p == '\'' || *p == '"')) {
      quote = quote ? 0 : *p;
      continue;
    }
    const bool escapes = *p == '\\' && quote != '\'' && (!quote || p[1] == '"' || p[1] == '\\');
    if (escapes && p[1] == 0) return false;
    if (escapes) p++;
    *(*to)++ = *p;
  }
  *(*to)++ = 0;
  *text = p;
  return quote == 0;
}

fn_status fn_program_split(char ***words_out, const char *text, fn_err *err) {
  /* At most half as many words as bytes, and all of their bytes behind them, in one block. */
  const size_t length = strlen(text), most = length / 2 + 2;
  char **words = fn_mem_calloc(1, most * sizeof *words + 2 * length + 2);
  if (!words) return fn_err_no_memory(err, "a command line");
  char *to = (char *)(words + most);
  size_t n = 0;
  for (;;) {
    text += strspn(text, " \t\r\n");
    if (!*text) break;
    words[n++] = to;
    if (take_word(&to, &text)) continue;
    free(words);
    return fn_err_set(err, FN_E_INVALID, "a quote or backslash at the end of a command line is left open");
  }
  if (n == 0) {
    free(words);
    return fn_err_set(err, FN_E_INVALID, "an empty command line");
  }
  *words_out = words;
  return FN_OK;
}
