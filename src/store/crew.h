/* Tasks of one store over several connections at once: parts of an upload, ranges of a download. Internal to src/store.
 */
#ifndef FN_STORE_CREW_H
#define FN_STORE_CREW_H

#include "store/driver.h"

enum { FN_CREW_MAX = 64 };

typedef struct fn_crew fn_crew;

typedef struct fn_crew_work {
  /* Does task i over a store of the thread's own. What it tells that store's sink: bytes of this task (DATA), attempts
   * that failed; the sink cancels when the crew is to stop. */
  fn_status (*task)(void *arg, fn_store *store, size_t i, fn_err *err);
  void *arg;
  size_t first, n; /* tasks first … n - 1 */
  bool from_back;  /* taken from the last one down, while the caller takes the first ones itself */
} fn_crew_work;

/* Starts n_threads (1 to FN_CREW_MAX). store stays usable for the caller's own requests; store and what arg leads to
 * outlive the crew. */
FN_NODISCARD fn_status fn_crew_start(fn_crew **crew_out, fn_store *store, const fn_crew_work *work, size_t n_threads,
                                     fn_err *err);
/* Takes task i for the caller, when nobody took it and those before it are taken. */
bool fn_crew_take(fn_crew *crew, size_t i);
/* Bytes that the tasks moved so far, those that still run included. */
uint64_t fn_crew_bytes(fn_crew *crew);
/* Hands what the threads noted (attempts that failed) to the caller's sink; FN_E_CANCELLED when it says so. */
FN_NODISCARD fn_status fn_crew_tell(fn_crew *crew, fn_err *err);
/* Waits for all tasks, and tells the caller's sink on the calling thread; event: text, total, and in n_bytes those that
 * were there before. Returns the first failure: after FN_E_IO no further task is begun, but those that run may end
 * (what they bring is kept); every other failure, and the sink's, stops them. */
FN_NODISCARD fn_status fn_crew_wait(fn_crew *crew, fn_download_event event, fn_err *err);
/* Stops what still runs; NULL is fine. */
void fn_crew_destroy(fn_crew *crew);

#endif
