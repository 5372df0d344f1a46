/* For targets whose parser takes a path: files that lie in memory and have one. */
#ifndef FN_TESTS_FUZZ_FILE_H
#define FN_TESTS_FUZZ_FILE_H

#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int memfd_create(const char *name, unsigned flags); /* declared by _GNU_SOURCE only */

/* A file without a name; lives as long as the process. */
static inline int fuzz_memory_file(void) {
  const int fd = memfd_create("fuzz", 0);
  FUZZ_CHECK(fd >= 0);
  return fd;
}
/* The path under which it can be opened. */
static inline void fuzz_memory_path(char path[32], int fd) {
  snprintf(path, 32, "/proc/self/fd/%d", fd);
}
static inline void fuzz_memory_set(int fd, const void *data, size_t size) {
  FUZZ_CHECK(ftruncate(fd, 0) == 0);
  FUZZ_CHECK(size == 0 || pwrite(fd, data, size, 0) == (ssize_t)size);
}

/* A folder, one a process, whose n files names (string literals) are such files, fds_out[n]; path[64]. Removed at exit.
 */
static struct {
  char path[64];
  const char *const *names;
  size_t n;
} fuzz_folder;

static inline void fuzz_folder_remove(void) {
  char link[160];
  for (size_t i = 0; i < fuzz_folder.n; i++) {
    snprintf(link, sizeof link, "%s/%s", fuzz_folder.path, fuzz_folder.names[i]);
    unlink(link);
  }
  rmdir(fuzz_folder.path);
}

static inline void fuzz_folder_make(char *path, int *fds_out, const char *const *names, size_t n) {
  char link[160], target[32];
  snprintf(path, 64, "/tmp/fn-fuzz-XXXXXX");
  FUZZ_CHECK(mkdtemp(path) != NULL);
  snprintf(fuzz_folder.path, sizeof fuzz_folder.path, "%s", path);
  fuzz_folder.names = names;
  fuzz_folder.n = n;
  FUZZ_CHECK(atexit(fuzz_folder_remove) == 0);
  for (size_t i = 0; i < n; i++) {
    fds_out[i] = fuzz_memory_file();
    fuzz_memory_path(target, fds_out[i]);
    snprintf(link, sizeof link, "%s/%s", path, names[i]);
    FUZZ_CHECK(symlink(target, link) == 0);
  }
}

/* Everything up to the next 0xFF (never part of UTF-8), which is taken off. */
static inline const uint8_t *fuzz_take(size_t *length_out, const uint8_t **data, size_t *size) {
  const uint8_t *part = *data, *stop = *size ? memchr(*data, 0xFF, *size) : NULL;
  *length_out = stop ? (size_t)(stop - *data) : *size;
  *data += *length_out + (stop ? 1 : 0);
  *size -= *length_out + (stop ? 1 : 0);
  return part;
}

#endif
