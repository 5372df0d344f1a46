/* A call to the kernel about a file on a network mount whose server is gone comes back for no signal but one that ends
 * the process; a handler is none, so Ctrl-C would do nothing for as long as the server is away. */
#include "base/thread.h"
#include "cli/cli.h"

#include <time.h>
#include <unistd.h>

static const int64_t STUCK_NS = 3000000000; /* a thread that runs takes a signal within milliseconds */

static void *watch(void *arg) {
  (void)arg;
  static const char told[] =
      "\nfakenews: stopped while a file did not answer (a network mount whose server is away?)\n";
  uint64_t since = 0;
  for (;;) {
    const struct timespec slice = {.tv_nsec = 200000000};
    nanosleep(&slice, NULL);
    const int n = fn_cli_untaken_signal();
    if (n == 0)
      since = 0;
    else if (since == 0)
      since = fn_clock_ns();
    else if (fn_clock_ns() - since > (uint64_t)STUCK_NS) {
      (void)!write(STDERR_FILENO, told, sizeof told - 1);
      _exit(128 + n); /* ends threads that wait in the kernel, too */
    }
  }
  return NULL;
}

void fn_cli_watch_stuck(void) {
  static bool watching; /* of the process, and its main thread alone asks */
  sigset_t mask;
  pthread_t thread;
  /* serve blocks signals, and takes them when it is ready to. */
  if (watching || pthread_sigmask(SIG_SETMASK, NULL, &mask) != 0 || sigismember(&mask, SIGINT) == 1) return;
  watching = true;
  if (fn_thread_start(&thread, watch, NULL, "a thread that watches for signals", NULL) == FN_OK) pthread_detach(thread);
}
