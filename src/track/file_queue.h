/* Files of a run on their way into the store of files, on a thread of their own: whoever adds them never waits for a
 * network or a copy. What is stored is named in the database by the caller (fn_file_queue_next), for a connection
 * belongs to one thread.
 *
 * RUN/track/files.jsonl lists what is not both stored and named: a line {"format": 1, "run": ID, "artifacts": URI},
 * then
 * {"key": "model/config.json", "path": "model/config.json", "hash": …} a file, its path below the run folder where it
 * lies there, and XXH3-128 of its bytes: one that is changed by the time it is stored is not the run's any more, and is
 * left out.
 * It is gone when nothing is missing; `fakenews runs sync RUN` stores what it lists, and so does a training that is
 * resumed. */
#ifndef FN_TRACK_FILE_QUEUE_H
#define FN_TRACK_FILE_QUEUE_H

#include "store/store.h"
#include "track/tracking.h"

typedef struct fn_file_queue fn_file_queue;

typedef struct fn_file_queue_options {
  const char *artifacts;         /* URI of the store of files; copied */
  const fn_store_options *store; /* copied, what it points to outlives the queue; NULL: it is a folder */
  const char *folder;            /* of the run; copied. "": nothing is written down */
  const char *run;               /* id; copied */
} fn_file_queue_options;

/* Takes up what the run folder lists already. */
FN_NODISCARD fn_status fn_file_queue_create(fn_file_queue **queue_out, const fn_file_queue_options *options,
                                            fn_err *err);
/* Ends the thread at once; what is not stored stays listed. */
void fn_file_queue_destroy(fn_file_queue *queue);

/* The file at path (absolute, or from the working folder), whole and unchanged from now on, is to be stored as `key`.
 */
FN_NODISCARD fn_status fn_file_queue_add(fn_file_queue *queue, const char *key, const char *path, fn_err *err);
/* The oldest file that is stored and not named yet; false: none. out->path lives until it is named. */
bool fn_file_queue_next(fn_artifact *out, fn_file_queue *queue);
/* That file is named now. */
void fn_file_queue_named(fn_file_queue *queue);

/* Nothing more is added, and no transfer goes on beyond the deadline (fn_clock_ns). Any thread; again with an earlier
 * one. */
void fn_file_queue_hurry(fn_file_queue *queue, uint64_t deadline_ns);
/* After it: waits until another file is stored. False: no more will be. */
bool fn_file_queue_wait(fn_file_queue *queue);
/* Writes down what is missing. *n_missing_out files; why (of the first failure) is "" when there was none. */
FN_NODISCARD fn_status fn_file_queue_settle(size_t *n_missing_out, fn_err *why, fn_file_queue *queue, fn_err *err);

/* ---- what a run folder lists, for whoever stores it later ---- */

typedef struct fn_listed_file {
  const char *key, *path; /* path: absolute */
  char hash[33];          /* of its bytes when it was told of; "": not known */
} fn_listed_file;
typedef struct fn_file_listing {
  char run[FN_RUN_ID_LENGTH];
  const char *artifacts;  /* where they were to go */
  fn_listed_file *list;   /* [n] */
  size_t n, n_gone;       /* n_gone: lines that are left out, for what they name is not there, or not the run's */
  const char *gone;       /* the path of the first of these; NULL: none */
  struct json_t *numbers; /* of keys in the list, while it is read */
  fn_arena arena;
} fn_file_listing;

/* Hash of a file's bytes as a listing has it; "" when it cannot be read. */
void fn_listed_file_hash(char out[33], const char *path);
/* Whether it is there and has not the bytes any more that were told of. */
bool fn_listed_file_is_changed(const fn_listed_file *file);

bool fn_file_listing_exists(const char *folder);
/* n = 0 when there is none. Paths lead below the folder, or to the prepare.json of a dataset: other lines are left out.
 * FN_E_INVALID: it is damaged. */
FN_NODISCARD fn_status fn_file_listing_load(fn_file_listing *out, const char *folder, fn_err *err);
/* Replaces it by the files [n]; without any it is removed. */
FN_NODISCARD fn_status fn_file_listing_save(const char *folder, const char *run, const char *artifacts,
                                            const fn_listed_file *files, size_t n, fn_err *err);
/* One more file, without waiting for the disk. */
FN_NODISCARD fn_status fn_file_listing_append(const char *folder, const char *run, const char *artifacts,
                                              const fn_listed_file *file, fn_err *err);
void fn_file_listing_deinit(fn_file_listing *listing);

#endif
