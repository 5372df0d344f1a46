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
  /* A part in ranges holds bytes anywhere, and behind all of them one byte for each range, 1 once it is whole; size is
   * then what its owner reads in a row from the front. 0: it has none, all bytes up to size are there. */
  uint64_t range_bytes;
  unsigned char *has; /* those bytes, one per range */
  size_t n_ranges;
} fn_part;

/* Opens (or makes) NAME.part in a folder. Bytes that are there are kept when their state says that they came from url;
 * otherwise the part is emptied. On failure there is nothing to release. */
FN_NODISCARD fn_status fn_part_open(fn_part *part_out, const char *folder, const char *name, const char *url,
                                    fn_err *err);
/* Empties the part and keeps what the head of the new answer says; total is the file's length or -1. */
FN_NODISCARD fn_status fn_part_begin(fn_part *part, const char *url, const fn_http_head *head, fn_err *err);
FN_NODISCARD fn_status fn_part_write(fn_part *part, const void *data, size_t length, fn_err *err);
FN_NODISCARD fn_status fn_part_empty(fn_part *part, fn_err *err);
/* Makes ranges of a part whose total is known; those below size are whole. url: as for fn_part_begin. */
FN_NODISCARD fn_status fn_part_split(fn_part *part, uint64_t range_bytes, const char *url, fn_err *err);
/* Writes inside of one range. Several threads may, into a range each. */
FN_NODISCARD fn_status fn_part_write_at(const fn_part *part, uint64_t offset, const void *data, size_t length,
                                        fn_err *err);
/* Notes that a range is whole; likewise. */
FN_NODISCARD fn_status fn_part_note(fn_part *part, size_t range, fn_err *err);
/* Ends the ranges, all of which are whole: size is then total. */
FN_NODISCARD fn_status fn_part_join(fn_part *part, const char *url, fn_err *err);
/* Bytes that the file itself has. */
uint64_t fn_part_length(const fn_part *part);
/* fsync; the bytes survive power loss. */
FN_NODISCARD fn_status fn_part_sync(fn_part *part, fn_err *err);
/* Closes it; the files stay. */
void fn_part_close(fn_part *part);
/* Removes the state, and the part when it is still there. */
void fn_part_remove(fn_part *part);

#endif
