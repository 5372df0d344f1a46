/* Signals of the process do not go to threads of ours; those that an instruction raises do. */
#include "../test.h"
#include "base/base.h"
#include "base/thread.h"

static void *look(void *arg) {
  pthread_sigmask(SIG_SETMASK, NULL, arg);
  return NULL;
}

static void signals_are_blocked(void **state) {
  (void)state;
  static const int blocked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGCHLD};
  static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
  sigset_t inside, before, after;
  pthread_t thread;
  fn_err err = {0};
  sigemptyset(&inside);
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  assert_ok(fn_thread_start(&thread, look, &inside, "a thread", &err));
  pthread_join(thread, NULL);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (size_t i = 0; i < FN_COUNT_OF(blocked); i++) {
    assert_int_equal(sigismember(&inside, blocked[i]), 1);
    assert_int_equal(sigismember(&after, blocked[i]), sigismember(&before, blocked[i]));
  }
  for (size_t i = 0; i < FN_COUNT_OF(kept); i++) assert_int_equal(sigismember(&inside, kept[i]), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(signals_are_blocked)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
