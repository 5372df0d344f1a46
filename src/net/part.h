/* The unfinished file of a download, NAME.part, and beside it NAME.part.json: what has to be known to go on with it.
 * For src/net and src/store. */
#ifndef FN_NET_PART_H
#define FN_NET_PART_H

#include "net/head.h"

typedef struct fn_part {
  char *path, *state_path;
  int fd;        /* -1: not open */
  uint64_t size; /* bytes that are there */
  /* The state, as the last answer that began at the front gave it. */
  char validator[256]; /* "": none */
  int64_t total;       /* length of the whole file, -1: not known */
  char name[FN_NAME_MAX + 1];
} fn_part;

/* Opens (or makes) NAME.part in a folder. Bytes that are there are kept when their state says that they came from url;
 * otherwise the part is emptied. On failure there is nothing to release. */
FN_NODISCARD fn_status fn_part_open(fn_part *part_out, const char *folder, const char *name, const char *url,
                                    fn_err *err);
/* Empties the part and keeps what the head of the new answer says; total is the file's length or -1. */
FN_NODISCARD fn_status fn_part_begin(fn_part *part, const char *url, const fn_http_head *head, fn_err *err);
FN_NODISCARD fn_status fn_part_write(fn_part *part, const void *data, size_t length, fn_err *err);
FN_NODISCARD fn_status fn_part_empty(fn_part *part, fn_err *err);
/* fsync; the bytes survive power loss. */
FN_NODISCARD fn_status fn_part_sync(fn_part *part, fn_err *err);
/* Closes it; the files stay. */
void fn_part_close(fn_part *part);
/* Removes the state, and the part when it is still there. */
void fn_part_remove(fn_part *part);

#endif
