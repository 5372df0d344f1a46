#include "track/mlflow_environment.h"

fn_status fn_mlflow_from_environment(fn_mlflow_options *out, const char *uri, const fn_environment *environment,
                                     fn_err *err) {
  const char *insecure = fn_environment_get(environment, "MLFLOW_TRACKING_INSECURE_TLS");
  if (insecure && (strcmp(insecure, "true") == 0 || strcmp(insecure, "1") == 0))
    return fn_err_set(
        err, FN_E_INVALID,
        "MLFLOW_TRACKING_INSECURE_TLS=%.8s: certificates are always checked; name the authority that signed "
        "the server's in net.ca_file, and unset the variable",
        insecure);
  fn_mlflow_options o = {.uri = uri ? uri : fn_environment_get(environment, "MLFLOW_TRACKING_URI")};
  const fn_str text = fn_str_from(o.uri);
  if (o.uri && !fn_str_starts_with(text, "http://") && !fn_str_starts_with(text, "https://"))
    return fn_err_set(
        err, FN_E_INVALID,
        "%s: \"%.60s\" is not the address of an MLflow server: http://… or https://… is accepted (a store "
        "of files or a database of MLflow's is not written to; the local store of runs is track.url)",
        uri ? "track.uri" : "MLFLOW_TRACKING_URI", o.uri);
  o.user = fn_environment_get(environment, "MLFLOW_TRACKING_USERNAME");
  o.password = fn_environment_get(environment, "MLFLOW_TRACKING_PASSWORD");
  if (!o.user != !o.password)
    return fn_err_set(err, FN_E_INVALID, "%s is set and %s is not: both are needed",
                      o.user ? "MLFLOW_TRACKING_USERNAME" : "MLFLOW_TRACKING_PASSWORD",
                      o.user ? "MLFLOW_TRACKING_PASSWORD" : "MLFLOW_TRACKING_USERNAME");
  if (!o.user) o.token = fn_environment_get(environment, "MLFLOW_TRACKING_TOKEN");
  *out = o;
  return FN_OK;
}

bool fn_mlflow_from_folder(fn_mlflow_options *o, const char *uri) {
  const bool had = o->user || o->token;
  o->uri = uri;
  o->user = o->password = o->token = NULL;
  return had;
}
