/* Threads of the library's own, beside those that its caller runs. */
#ifndef FN_BASE_THREAD_H
#define FN_BASE_THREAD_H

#include "base/status.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>

/* Blocks in the calling thread, and so in those it starts, the signals that are meant for the process: a handler of the
 * caller's must not run on a thread of ours, and a broken connection is an error there, no signal. Those that an
 * instruction raises (SIGSEGV, SIGBUS …) stay, for they cannot go elsewhere, and SIGPROF, so that a profile shows the
 * thread. *before_out: what pthread_sigmask takes to undo it. */
void fn_thread_block_signals(sigset_t *before_out);

/* Starts run(arg) with signals blocked as above. `what` ("a thread that sends") stands in the error. */
FN_NODISCARD fn_status fn_thread_start(pthread_t *thread_out, void *(*run)(void *arg), void *arg, const char *what,
                                       fn_err *err);

/* A condition whose waits count on the clock of fn_clock_ns, which nobody sets: one on the time of day waits for as
 * long as that is set back. Destroyed by pthread_cond_destroy. */
void fn_cond_init(pthread_cond_t *cond);
/* Until it is signalled (or for no reason, as ever), or fn_clock_ns() reaches ns; UINT64_MAX: for ever. With the mutex
 * held. */
void fn_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ns);

#endif
