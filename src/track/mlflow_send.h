/* Sends a journal's events to an MLflow server, in their order, each with effect once: the run is made once (it is
 * found again by its tag fakenews.run_id), metrics carry their time stamps, parameters and tags their values, files
 * replace themselves. For the sink that sends while a training runs, and for `fakenews runs sync`. */
#ifndef FN_TRACK_MLFLOW_SEND_H
#define FN_TRACK_MLFLOW_SEND_H

#include "track/journal.h"
#include "track/mlflow_client.h"

typedef struct fn_mlflow_sender fn_mlflow_sender;

/* Both outlive the sender. run_id: a run of the server that takes the events instead of a new one; NULL: none. */
FN_NODISCARD fn_status fn_mlflow_sender_create(fn_mlflow_sender **sender_out, fn_mlflow *mlflow, fn_journal *journal,
                                               const char *run_id, fn_err *err);
void fn_mlflow_sender_destroy(fn_mlflow_sender *sender);

/* Sends what comes next, a thousand events at most: *sent_out of them are done with (0 when nothing waits). A failure
 * leaves the rest waiting; call again later. Events that the server will never take (another value for a parameter, a
 * key it does not allow, a file that is gone) are counted in fn_journal_remote.n_rejected and left out. */
FN_NODISCARD fn_status fn_mlflow_send_some(size_t *sent_out, fn_mlflow_sender *sender, fn_err *err);
/* Why the latest event was rejected; "": none was. */
const char *fn_mlflow_sender_rejection(const fn_mlflow_sender *sender);

#endif
