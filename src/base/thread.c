#include "base/thread.h"

#include "base/clock.h"
#include "base/mem.h"

#include <time.h>

void fn_thread_block_signals(sigset_t *before_out) {
  static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
  sigset_t blocked;
  sigfillset(&blocked);
  for (size_t i = 0; i < FN_COUNT_OF(kept); i++) sigdelset(&blocked, kept[i]);
  pthread_sigmask(SIG_SETMASK, &blocked, before_out);
}

fn_status fn_thread_start(pthread_t *thread_out, void *(*run)(void *arg), void *arg, const char *what, fn_err *err) {
  sigset_t before;
  fn_thread_block_signals(&before);
  const int error = pthread_create(thread_out, NULL, run, arg);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error ? fn_err_errno(err, error, "%s", what) : FN_OK;
}

void fn_cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* fn_clock_ns reads the same */
  pthread_cond_init(cond, &attributes);
  pthread_condattr_destroy(&attributes);
}

void fn_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ns) {
  const uint64_t second = 1000000000u;
  if (ns == UINT64_MAX) {
    pthread_cond_wait(cond, mutex);
    return;
  }
  const struct timespec at = {.tv_sec = (time_t)(ns / second), .tv_nsec = (long)(ns % second)};
  pthread_cond_timedwait(cond, mutex, &at);
}
