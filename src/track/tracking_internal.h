/* Shared by the files of the local store. */
#ifndef FN_TRACK_TRACKING_INTERNAL_H
#define FN_TRACK_TRACKING_INTERNAL_H

#include "store/store.h"
#include "track/process.h"
#include "track/run_clock.h"
#include "track/tracking.h"

enum {
  FN_TRACK_STALE_MS = 180000, /* a run of another machine that has not been heard of for so long is taken for dead */
};

struct fn_tracking {
  fn_sql *sql;
  char *artifacts; /* address of the store of files */
  const fn_store_options *store_options;
  fn_store *store;  /* NULL: not used yet */
  fn_store *other;  /* another place that files of an owner lie in; NULL: none was needed */
  char *folder;     /* that the SQLite file is in; NULL: PostgreSQL */
  int64_t place_id; /* artifacts, in the table places; 0: not needed yet */
  int64_t schema;   /* of the database; an older one only where it is read-only */
  bool read_only;
  fn_process self;
  fn_run_clock clock; /* since it was opened */
  fn_arena texts;     /* statements made at run time: a connection keeps them by address */
  struct fn_track_text {
    fn_hash128 hash;
    const char *text;
  } * made;
  size_t n_made, made_capacity;
};

/* The row of a run. */
typedef struct fn_run_row {
  int64_t number, status;
  bool deleted;
} fn_run_row;
/* FN_E_NOT_FOUND. */
FN_NODISCARD fn_status fn_tracking_row(fn_run_row *row_out, fn_tracking *tracking, const char *id, fn_err *err);
/* The same, and FN_E_INVALID when it is deleted: such a run is not written to. */
FN_NODISCARD fn_status fn_tracking_row_active(fn_run_row *row_out, fn_tracking *tracking, const char *id, fn_err *err);
/* A statement as the connection wants it: the same text always at the same address. */
FN_NODISCARD fn_status fn_tracking_text(const char **text_out, fn_tracking *tracking, fn_str text, fn_err *err);
/* Marks the runs whose process is gone. With a read-only store nothing changes, and their numbers come in *gone_out
 * (at most max). */
FN_NODISCARD fn_status fn_tracking_reap(int64_t *gone_out, size_t *n_out, size_t max, fn_tracking *tracking,
                                        fn_err *err);
/* Runs `body` between begin and commit. */
typedef fn_status (*fn_track_body)(fn_tracking *tracking, void *arg, fn_err *err);
FN_NODISCARD fn_status fn_tracking_transact(fn_tracking *tracking, fn_track_body body, void *arg, fn_err *err);

/* Not finite numbers in a column: NaN is NULL, an infinity the largest number, as MLflow has them. */
fn_sql_value fn_track_number(double value);
double fn_track_number_read(const fn_sql_value *value);

/* Puts the bytes of a file into a store of files, unless they are there; fills sha256 and n_bytes. */
FN_NODISCARD fn_status fn_content_put(fn_artifact *artifact, fn_store *store, const char *source, fn_err *err);
/* After it was named: puts it once more when it was removed meanwhile. */
FN_NODISCARD fn_status fn_content_keep(const fn_artifact *artifact, fn_store *store, const char *source, fn_err *err);
/* The address of a store of files as it is recorded: a folder from the root. */
FN_NODISCARD fn_status fn_track_place(char **out, const char *artifacts, fn_err *err);
/* The row of places for the store of this connection; made when it is not there. 0: it has no name in UTF-8. */
FN_NODISCARD fn_status fn_tracking_place_id(int64_t *id_out, fn_tracking *tracking, fn_err *err);
/* Opens tracking->store when it is first used: most runs that are looked at have nothing to fetch. */
FN_NODISCARD fn_status fn_tracking_open_store(fn_tracking *tracking, fn_err *err);
/* Where an artifact was put, when that is another place than track.artifacts names now; else NULL. */
FN_NODISCARD fn_status fn_tracking_elsewhere(char **place_out, const fn_tracking *tracking, const fn_artifact *artifact,
                                             fn_err *err);
/* Removes a content from the store of this connection, or from the place that it was put into. FN_E_NOT_FOUND: a folder
 * that is not to be seen from here. */
FN_NODISCARD fn_status fn_tracking_remove_content(fn_tracking *tracking, const fn_artifact *artifact, const char *key,
                                                  fn_err *err);
/* The owner's names of files, each with the content that nobody else names. What cannot be removed now keeps its name:
 * call again. */
FN_NODISCARD fn_status fn_tracking_drop_owner(fn_tracking *tracking, const char *owner, fn_err *err);

#endif
