/* Events of one run that a server has not got yet, on disk beside the run: RUN/track/NAME.jsonl, with what was sent in
 * NAME.sent and a lock on NAME.lock. So a server that is away costs a training nothing, and what it missed is sent
 * later, also by another process and after a crash.
 *
 * NAME.jsonl begins with one line about the run, an object (fn_journal_head); then each event is a line:
 *   ["m", key, value, step, time_ms]   a metric; not finite: "NaN", "Infinity", "-Infinity"
 *   ["p", key, value]  ["t", key, value]   a parameter, a tag
 *   ["a", path in the run, file]   a file, relative to the run's folder where it stands below it
 *   ["l", name, file]   the folder of this file is a model (in "mlflow" alone)
 *   ["s", status, time_ms]
 *   ["r", step, time_ms]               the run was resumed: points of later steps are of the past (in "local" alone)
 * NAME.sent says up to which byte of which generation of the file everything arrived. It is replaced by rename after
 * each answer; a crash between the answer and that sends some events twice, which a receiver of values with their time
 * stamps takes for one (MLflow with a database does; its file store keeps both). What was sent is cut off now and then,
 * and the file's generation counted on.
 *
 * Bounded: when what waits takes half of max_bytes, of each metric only every 4th point is kept, from three quarters on
 * every 16th, and beyond max_bytes none; how many were left out is counted. Everything else is always kept. */
#ifndef FN_TRACK_JOURNAL_H
#define FN_TRACK_JOURNAL_H

#include "track/tracker.h"

enum { FN_JOURNAL_MAX_LINE = 128 * 1024, FN_JOURNAL_MAX_HELD = 16 << 20 };

/* append by one thread, read and advance by another. */
typedef struct fn_journal fn_journal;

typedef struct fn_journal_options {
  const char *folder;     /* of the run, absolute */
  const char *name;       /* "mlflow" */
  const fn_run_info *run; /* writes the head of a new journal; NULL: one must be there (FN_E_NOT_FOUND) */
  const char *uri;        /* where the events are to go, kept in a new head; NULL: not known */
  const char *workspace;  /* over there, kept in a new head; NULL: none */
  /* Kept in a new head: the experiment's id over there, and a run over there that takes the events. NULL: none. A run
   * is taken over into the head of a journal of which nothing was sent yet as well. */
  const char *experiment_id, *run_id;
  uint64_t max_bytes;
} fn_journal_options;

/* What is known of the run; valid as long as the journal. */
typedef struct fn_journal_head {
  char id[FN_RUN_ID_LENGTH];
  const char *name, *experiment, *user; /* experiment "": the one of experiment_id, whatever its name */
  const char *uri;                      /* "": not known */
  const char *workspace;                /* over there; "": none */
  const char *experiment_id, *run_id;   /* "": none was asked for */
  const char *parent;                   /* id of a run; "": none */
  int64_t start_ms;
} fn_journal_head;

/* How the run is called over there; kept in NAME.sent. Strings are malloc'd, NULL: not known yet. */
typedef struct fn_journal_remote {
  char *uri, *run_id, *artifact_uri;
  int64_t n_rejected; /* events that the receiver will never take */
  char status[16];    /* of the run, as it was told last ("RUNNING"); "": not known */
} fn_journal_remote;

/* Takes the lock. FN_E_REFUSED: another process has it. FN_E_UNSUPPORTED: a newer program wrote it. A last line that a
 * crash cut off is cut away. A first line that is damaged is made anew from options->run or from track/run.json, and a
 * NAME.sent that cannot be read counts as none: everything that is there is then sent again. */
FN_NODISCARD fn_status fn_journal_open(fn_journal **journal_out, const fn_journal_options *options, fn_err *err);
void fn_journal_close(fn_journal *journal);
/* Removes its files, when nothing waits any more; to be closed then. */
void fn_journal_remove(fn_journal *journal);
/* What was damaged and mended as it was opened, for people; NULL: nothing. */
const char *fn_journal_mended(const fn_journal *journal);
/* Whether a run folder has a journal with events that wait, without the lock. */
bool fn_journal_waits(const char *folder, const char *name);

/* Whether the receiver takes a run for running that no process writes any more: it was killed. Without the lock. */
bool fn_journal_was_killed(const char *folder, const char *name);
/* When the journal was written last, Unix time in milliseconds; 0: not known. */
int64_t fn_journal_time_ms(const fn_journal *journal);

/* Where the events of a run folder's journal are to go, without the lock; malloc'd. FN_E_NOT_FOUND: there is none, or
 * it does not say. */
FN_NODISCARD fn_status fn_journal_uri(char **uri_out, const char *folder, const char *name, fn_err *err);
/* The run over there that has a run folder's events, without the lock; malloc'd. NULL: none yet, or not known. */
char *fn_journal_run_of(const char *folder, const char *name);

const fn_journal_head *fn_journal_head_of(const fn_journal *journal);
/* To be changed by the reading thread only, then noted. */
fn_journal_remote *fn_journal_remote_of(fn_journal *journal);
/* Saves it. What the disk does not take is tried again with whatever is saved later. */
void fn_journal_note(fn_journal *journal);
/* Saves what could not be noted. */
FN_NODISCARD fn_status fn_journal_save_rest(fn_journal *journal, fn_err *err);
/* The folder of the run. */
const char *fn_journal_folder(const fn_journal *journal);

/* What is held comes first (n = 0: it alone). FN_E_IO: the disk is full or fails; nothing of these events was written
 * then. */
FN_NODISCARD fn_status fn_journal_append(fn_journal *journal, const fn_track_event *events, size_t n, fn_err *err);
/* Events that could not be appended: held in memory until they can be. Metrics beyond FN_JOURNAL_MAX_HELD bytes are
 * lost and counted, and so is all that finds no memory. */
void fn_journal_hold(fn_journal *journal, const fn_track_event *events, size_t n);
/* Events that wait on disk; metrics that were left out on purpose, events that are lost, since the journal was
 * opened; events that are held. Any thread. */
uint64_t fn_journal_n_waiting(fn_journal *journal);
uint64_t fn_journal_n_thinned(fn_journal *journal);
uint64_t fn_journal_n_lost(fn_journal *journal);
uint64_t fn_journal_n_held(fn_journal *journal);
/* On disk and held. */
uint64_t fn_journal_n_unsent(fn_journal *journal);

/* Whole lines that come next, at most max_lines and about 1 MB, into *lines (emptied before); empty: nothing waits. Of
 * what is held, when the disk has nothing more. */
FN_NODISCARD fn_status fn_journal_read(fn_buf *lines, fn_journal *journal, size_t max_lines, fn_err *err);
/* The first n_bytes (n_lines lines) of what fn_journal_read gave have arrived: noted. */
FN_NODISCARD fn_status fn_journal_advance(fn_journal *journal, size_t n_bytes, size_t n_lines, fn_err *err);
/* The first line of what fn_journal_read gave, of n_bytes, is this event, and goes to the end of what waits. */
FN_NODISCARD fn_status fn_journal_put_back(fn_journal *journal, const fn_track_event *event, size_t n_bytes,
                                           fn_err *err);
/* One line, without its end, as an event; strings belong to *json_out, to be released. FN_E_INVALID: it is none. */
FN_NODISCARD fn_status fn_journal_parse(fn_track_event *event_out, json_t **json_out, fn_str line, fn_err *err);

#endif
