/* Where an MLflow server is, and who asks: from settings and from the variables that MLflow's own client reads. */
#ifndef FN_TRACK_MLFLOW_ENVIRONMENT_H
#define FN_TRACK_MLFLOW_ENVIRONMENT_H

#include "base/environment.h"
#include "track/mlflow_client.h"

/* uri, or MLFLOW_TRACKING_URI where it is NULL (out->uri stays NULL when neither is given), with
 * MLFLOW_TRACKING_USERNAME and _PASSWORD, else MLFLOW_TRACKING_TOKEN. Strings live as long as the environment. The
 * other members of *out are zeroed. FN_E_INVALID: an address that is no server's, half of a name with password, a
 * variable that asks for what is not done (MLFLOW_TRACKING_INSECURE_TLS). */
FN_NODISCARD fn_status fn_mlflow_from_environment(fn_mlflow_options *out, const char *uri,
                                                  const fn_environment *environment, fn_err *err);

/* Takes an address that only a run's folder names, which a stranger may have written: without the credentials of the
 * environment. True: there were some. */
bool fn_mlflow_from_folder(fn_mlflow_options *options, const char *uri);

#endif
