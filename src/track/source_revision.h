/* Which revision of a source tree a folder stands in, read from Git's own files: no program is run. Whether files were
 * changed since is not told: that would need the index and every file compared. */
#ifndef FN_TRACK_SOURCE_REVISION_H
#define FN_TRACK_SOURCE_REVISION_H

#include "base/base.h"

typedef struct fn_source_revision {
  char commit[65];  /* 40 or 64 hexadecimal digits; "": in no repository, or none was made yet */
  char branch[201]; /* "": none is checked out */
} fn_source_revision;

/* Looks in folder and those above it; worktrees and packed references are understood. */
void fn_source_revision_find(fn_source_revision *out, const char *folder);

#endif
