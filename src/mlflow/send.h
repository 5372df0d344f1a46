/* Sends a journal's events to an MLflow server, in their order, each with effect once: the run is made once (it is
 * found again by its tag fakenews.run_id), metrics carry their time stamps, parameters and tags their values, files
 * replace themselves. For the sink that sends while a training runs, and for `fakenews runs sync`. */
#ifndef FN_MLFLOW_SEND_H
#define FN_MLFLOW_SEND_H

#include "mlflow/mlflow.h"
#include "track/journal.h"

typedef struct fn_mlflow_sender fn_mlflow_sender;

/* All outlive the sender. experiment: where a new run is made, whatever the journal says of a run or an experiment that
 * takes the events; NULL: the journal counts. */
FN_NODISCARD fn_status fn_mlflow_sender_create(fn_mlflow_sender **sender_out, fn_mlflow *mlflow, fn_journal *journal,
                                               const char *experiment, fn_err *err);
void fn_mlflow_sender_destroy(fn_mlflow_sender *sender);

/* What an attempt came to. */
typedef struct fn_mlflow_sent {
  size_t n_events; /* that are done with */
  bool progress;   /* the run is known, or files of a model arrived, that were not before: no failure in a row */
  bool more;       /* something may be sent at once: call again */
  bool moved;      /* of a failure: a permanent redirect */
  double asked_s;  /* of a failure: how long the server asks to be left alone; 0: it does not say */
  bool only_files; /* it failed at a file, and nothing but files waits; other events that come now can be sent */
  bool temporary;  /* the same may succeed later without anybody's doing */
  double wait_s;   /* only_files: until the next file is tried */
} fn_mlflow_sent;

/* Sends what comes next, a thousand events at most. A failure leaves the rest waiting; call again later. Events that
 * the server will never take (another value for a parameter, a key it does not allow, a file that is gone) and lines
 * that are no events are counted in fn_journal_remote.n_rejected and left out.
 *
 * Values and states go before files, which are put back behind them, and never wait for one: a file that cannot be
 * stored now (no network, no credentials, a place that is not reached) stays in the journal, and is tried again, the
 * others first, after a wait that doubles up to a minute. */
FN_NODISCARD fn_status fn_mlflow_send_some(fn_mlflow_sent *sent_out, fn_mlflow_sender *sender, fn_err *err);
/* Tells KILLED of a run that the server still takes for running, ended when its journal was written last; for a caller
 * that has sent all the rest and knows that no process works on it. */
FN_NODISCARD fn_status fn_mlflow_send_killed(bool *told_out, fn_mlflow_sender *sender, fn_err *err);
/* Seconds until another attempt, as in base/backoff.h; a server that says when (asked_s > 0) is asked then, and not
 * later because it said so before. */
double fn_mlflow_wait_s(double first_s, double last_s, uint64_t n_failures, double asked_s);
/* The next attempt at a file is not waited for. */
void fn_mlflow_sender_hurry(fn_mlflow_sender *sender);
/* For the client's tick: whether the file on its way should give place, because it has not moved for still_s seconds
 * and other events came meanwhile. */
bool fn_mlflow_sender_gives_way(fn_mlflow_sender *sender, double still_s);
/* Why the latest event was rejected; "": none was. */
const char *fn_mlflow_sender_rejection(const fn_mlflow_sender *sender);

#endif
