/* The sink that writes a run into the local store (tracking.h). The store is opened on the tracker's thread, at the
 * first events: one that is slow, locked or away does not hold up the training. While it cannot be written, what comes
 * goes into a journal in the run folder (track/journal.h, "local"), and is written when it can, in order: by this
 * process, by one that resumes the run, or by `fakenews runs sync`. */
#ifndef FN_TRACK_SINK_LOCAL_H
#define FN_TRACK_SINK_LOCAL_H

#include "track/tracker.h"

typedef struct fn_local_sink_options {
  fn_tracking_options store; /* copied, but for what .store points to */
  const fn_run_info *run;    /* copied */
  int64_t resume_step;       /* metrics after this step are of a past that is trained anew; -1: a new run */
  const char *place;         /* the store as the journal names it, without credentials; NULL: not named */
  uint64_t journal_bytes;    /* of it, at most */
} fn_local_sink_options;

FN_NODISCARD fn_status fn_local_sink_create(fn_sink *sink_out, const fn_local_sink_options *options, fn_err *err);

#endif
