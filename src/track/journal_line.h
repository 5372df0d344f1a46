/* Events as lines of a journal. Internal to src/track. */
#ifndef FN_TRACK_JOURNAL_LINE_H
#define FN_TRACK_JOURNAL_LINE_H

#include "track/journal.h"

/* With its end; at most FN_JOURNAL_MAX_LINE bytes. A file below `folder` is named relative to it. */
void fn_journal_write_line(fn_buf *out, const fn_track_event *event, const char *folder);

#endif
