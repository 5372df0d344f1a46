/* Events of a run, written into the local store: at once, or out of the journal that took them while the store was
 * away.
 */
#ifndef FN_TRACK_EVENT_WRITER_H
#define FN_TRACK_EVENT_WRITER_H

#include "track/journal.h"

#define FN_LOCAL_JOURNAL "local" /* RUN/track/local.jsonl */

/* Locks, space and broken connections pass: what met them may be written later. */
bool fn_event_may_pass(fn_status status);
/* A failure that does not pass loses what it met, and no more: FN_OK, and the first of them stands in *first and *why.
 */
fn_status fn_event_put_up_with(fn_status status, fn_status *first, fn_err *why, const fn_err *met);
/* Writes up to the first event that cannot be written now; *n_done of them need not come again. What the store refuses
 * for good loses that event alone; the first failure is returned. Files are left to others. */
FN_NODISCARD fn_status fn_event_write(size_t *n_done, fn_tracking *tracking, const char *run_id,
                                      const fn_track_event *events, size_t n, fn_err *err);
/* Writes what waits in a journal, in order, up to what cannot be written now, and takes it out there. The run has
 * begun in the store. *n_written counts on. */
FN_NODISCARD fn_status fn_event_replay(uint64_t *n_written, fn_tracking *tracking, const fn_run_info *run,
                                       fn_journal *journal, fn_err *err);

#endif
