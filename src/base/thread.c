#include "base/thread.h"

#include "base/mem.h"

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
