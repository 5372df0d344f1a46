/* Where an MLflow server is, and who asks: from settings and from the variables that MLflow's own client reads. */
#ifndef FN_MLFLOW_ENVIRONMENT_H
#define FN_MLFLOW_ENVIRONMENT_H

#include "base/environment.h"
#include "mlflow/mlflow.h"

/* uri, or MLFLOW_TRACKING_URI where it is NULL (out->uri stays NULL when neither is given), with
 * MLFLOW_TRACKING_USERNAME and _PASSWORD, else MLFLOW_TRACKING_TOKEN. Strings live as long as the environment. The
 * other members of *out are zeroed but environment (for ~/.mlflow/credentials), ca_file
 * (MLFLOW_TRACKING_SERVER_CERT_PATH) and workspace (MLFLOW_WORKSPACE). FN_E_INVALID: an address
 * that is no server's, half of a name with password, a variable that asks for what is not done
 * (MLFLOW_TRACKING_INSECURE_TLS, MLFLOW_TRACKING_CLIENT_CERT_PATH, MLFLOW_TRACKING_AUTH, MLFLOW_TRACKING_AWS_SIGV4). */
FN_NODISCARD fn_status fn_mlflow_from_environment(fn_mlflow_options *out, const char *uri,
                                                  const fn_environment *environment, fn_err *err);

/* Where a training's run is to be. */
typedef struct fn_mlflow_place {
  const char *experiment;    /* name; "": the id alone counts */
  const char *experiment_id; /* NULL: none is given */
  const char *run_id;        /* of a run of the server that takes everything; NULL: a new one */
} fn_mlflow_place;

/* experiment: track.experiment, is_set: somebody gave it, and it goes before MLFLOW_EXPERIMENT_NAME and
 * MLFLOW_EXPERIMENT_ID; of both of these, the server is asked whether they are the same. MLFLOW_RUN_ID. Strings live as
 * long as the environment and `experiment`. FN_E_INVALID for what is no id. */
FN_NODISCARD fn_status fn_mlflow_place_from_environment(fn_mlflow_place *out, const char *experiment, bool is_set,
                                                        const fn_environment *environment, fn_err *err);

/* Takes an address that only a run's folder names, which a stranger may have written: without the credentials of the
 * environment. True: there were some. */
bool fn_mlflow_from_folder(fn_mlflow_options *options, const char *uri);

#endif
