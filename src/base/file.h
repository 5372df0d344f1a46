/* Files and folders. Paths are bytes; errors name the path. Nothing is half-written: outputs appear by rename. */
#ifndef FN_BASE_FILE_H
#define FN_BASE_FILE_H

#include "base/str.h"

#include <stdio.h>

/* Whole file appended to *buf (init'ed by the caller); FN_E_LIMIT when it is longer than max_bytes. */
FN_NODISCARD fn_status fn_file_read(fn_buf *buf, const char *path, size_t max_bytes, fn_err *err);
/* Writes length bytes to path: temporary file beside it, fsync, rename, fsync of the folder. */
FN_NODISCARD fn_status fn_file_write(const char *path, const void *data, size_t length, fn_err *err);
/* The same for what holds a secret: nobody but its owner may read it (0600), at no moment. */
FN_NODISCARD fn_status fn_file_write_private(const char *path, const void *data, size_t length, fn_err *err);

/* Read-only mapping of a whole file. An empty file maps to data = NULL, length = 0. */
typedef struct fn_map {
  const unsigned char *data;
  size_t length;
} fn_map;
FN_NODISCARD fn_status fn_map_open(fn_map *map_out, const char *path, fn_err *err);
void fn_map_close(fn_map *map);

/* A file that appears under its name only when it is whole.
 *   fn_writer w; fn_writer_open(&w, path, err); fn_writer_write(…)…; fn_writer_commit(&w, err)
 * fn_writer_abort removes the temporary file; harmless after commit, so it can stand in a cleanup. Write errors are
 * sticky and reported by commit (and by each write). A link is written through, not replaced. A path that leads to a
 * device or a pipe (/dev/stdout) takes the bytes as they come, for it must never be replaced; a folder is refused. */
typedef struct fn_writer {
  FILE *file;             /* NULL when not open */
  char *path, *temporary; /* temporary NULL: written to path itself, a device or pipe */
  uint64_t n_bytes;       /* written so far */
  int error;              /* first errno */
} fn_writer;
FN_NODISCARD fn_status fn_writer_open(fn_writer *writer_out, const char *path, fn_err *err);
FN_NODISCARD fn_status fn_writer_write(fn_writer *writer, const void *data, size_t length, fn_err *err);
/* Writes over bytes that were written before: what is known only at the end, in a head. offset + length ≤ n_bytes. */
FN_NODISCARD fn_status fn_writer_patch(fn_writer *writer, uint64_t offset, const void *data, size_t length,
                                       fn_err *err);
FN_NODISCARD fn_status fn_writer_commit(fn_writer *writer, fn_err *err);
void fn_writer_abort(fn_writer *writer);
#define FN_AUTO_WRITER FN_CLEANUP(fn_writer_abort)

/* True also where that cannot be told (an I/O error, a folder that may not be searched): the call that comes next then
 * says why, which "not there" would hide. */
bool fn_path_exists(const char *path);
bool fn_path_is_dir(const char *path);
/* Joins with one '/'; b absolute gives b. malloc'd; NULL when memory is short. */
char *fn_path_join(const char *a, const char *b);
/* The path without links, from the root; malloc'd. What it leads to must be there. */
FN_NODISCARD fn_status fn_path_real(char **path_out, const char *path, fn_err *err);
/* Part after the last '/' (points into path). */
const char *fn_path_base(const char *path);
/* Creates path and its parents (0777 & ~umask); an existing folder is fine. */
FN_NODISCARD fn_status fn_dir_create(const char *path, fn_err *err);
/* Makes a new folder beside a path, for what is renamed to the path when it is whole: "PATH.tmp-" and 16 random digits,
 * so that processes of one number (containers) do not meet in it. Parents are made too. malloc'd. */
FN_NODISCARD fn_status fn_dir_create_beside(char **folder_out, const char *path, fn_err *err);
/* Whether a name is that of such a folder, made beside a path whose last part is base. */
bool fn_dir_is_beside(const char *name, const char *base);
/* Removes those of such folders in `parent` that were last changed before a time (Unix, ms): processes that were killed
 * left them. What cannot be removed stays. */
void fn_dir_sweep(const char *parent, int64_t before_ms);
/* Removes path and all below it; does not follow links; a missing path is fine. */
FN_NODISCARD fn_status fn_dir_remove(const char *path, fn_err *err);
/* Copies a file or folder with all below it, contents only; `to` is new. Links are followed. FN_E_INVALID: something
 * that is neither file nor folder. For scratch: nothing is made to survive power loss. */
FN_NODISCARD fn_status fn_tree_copy(const char *from, const char *to, fn_err *err);
/* Names in a folder (without . and ..), sorted by bytes. names_out is one allocation of n pointers plus their text:
 * release with free(). */
FN_NODISCARD fn_status fn_dir_list(char ***names_out, size_t *n_out, const char *path, fn_err *err);
/* fsync of a folder, so that a rename inside it survives power loss. */
FN_NODISCARD fn_status fn_dir_sync(const char *path, fn_err *err);
/* rename() with an error that names both. */
FN_NODISCARD fn_status fn_path_rename(const char *from, const char *to, fn_err *err);
/* Symbolic link at `path` with content `target`, put in place by rename over whatever link was there. */
FN_NODISCARD fn_status fn_link_replace(const char *path, const char *target, fn_err *err);

#endif
