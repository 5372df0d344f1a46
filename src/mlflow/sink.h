/* The sink that tells an MLflow server of a run. It writes into a journal beside the run (journal.h); a thread of its
 * own sends from there, waits longer each time a server is away or refuses, and goes on when it is back. So a server
 * that is slow, down or hostile never holds up a training; what it did not get by the end, `fakenews runs sync` sends.
 */
#ifndef FN_MLFLOW_SINK_H
#define FN_MLFLOW_SINK_H

#include "mlflow/mlflow.h"
#include "track/tracker.h"

typedef struct fn_mlflow_sink_options {
  fn_mlflow_options server; /* strings are copied; .once, .tick and .timeout_s are the sink's */
  const fn_run_info *run;
  const char *folder;        /* of the run, absolute */
  const char *experiment_id; /* of the server, in the place of the one that run->experiment_name names ("": then its
                              * name does not matter); NULL: none */
  const char *run_id;        /* a run of the server that takes the events; NULL: a new one */
  int64_t resume_step;       /* the run goes on after this one, which a tag says; -1: it begins */
  uint64_t max_bytes;        /* of events that wait */
  bool (*interrupted)(void); /* asked, while the end waits for the server, whether somebody wants it over; NULL: no */
} fn_mlflow_sink_options;

/* FN_E_INVALID for an address that is none; FN_E_REFUSED while another process sends this run's events. Nothing is
 * asked of the server here. */
FN_NODISCARD fn_status fn_mlflow_sink_create(fn_sink *sink_out, const fn_mlflow_sink_options *options, fn_err *err);

#endif
