/* Worker threads, owned by the caller.
 *
 * Work is cut by its shape only, never by the number of threads: a job of n tasks calls task(arg, i, worker) once for
 * every i in [0, n), each on some worker. A task that writes only to places given by i therefore yields the same bits
 * with any number of threads. With one thread no thread is started and tasks run in order on the caller. */
#ifndef FN_BASE_POOL_H
#define FN_BASE_POOL_H

#include "base/mem.h"

typedef struct fn_pool fn_pool;

/* n_threads in [1, 1024] counts the caller: fn_pool_run uses it too. Workers block all signals but those that an
 * instruction raises. */
FN_NODISCARD fn_status fn_pool_create(fn_pool **pool_out, int n_threads, fn_err *err);
/* In a child made by fork, which has none of the workers, only the memory is released. */
void fn_pool_destroy(fn_pool *pool);
/* False in a child made by fork when there are workers: fn_pool_run would wait for ever there. */
bool fn_pool_is_alive(const fn_pool *pool);
int fn_pool_n_threads(const fn_pool *pool); /* NULL counts as 1 */

/* worker is in [0, n_threads): an index for scratch memory. Tasks must not call fn_pool_run on the same pool. */
typedef void (*fn_task)(void *arg, size_t task, int worker);

/* Runs task for 0 … n_tasks-1 and returns when all are done; memory written by them is visible to the caller.
 * pool NULL runs on the caller. One job at a time per pool. Idle workers spin for a short while, then sleep. */
void fn_pool_run(fn_pool *pool, size_t n_tasks, fn_task task, void *arg);

/* Processors this process may use: its affinity mask, cut by the cgroup v2 or v1 CPU quota (rounded up); at least 1. */
int fn_cpu_available(void);

#endif
