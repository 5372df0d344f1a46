#include "mlflow/environment.h"

#include "mlflow/internal.h"
#include "store/ini.h"

#include <strings.h>

enum { MAX_CREDENTIALS = 64 * 1024 };

/* As MLflow reads it: "false" and "0" in any case say no. */
static bool says_yes(const char *value) {
  return value && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0;
}

/* What MLflow's client would do and this one does not is refused: without it the server would refuse, or be believed,
 * for no reason that shows. */
static fn_status refuse_others(const fn_environment *environment, fn_err *err) {
  static const char *const unsupported[][2] = {
      {"MLFLOW_TRACKING_CLIENT_CERT_PATH", "certificates of clients are not sent"},
      {"MLFLOW_TRACKING_AUTH", "plugins of MLflow that authenticate are not known here"},
      {"MLFLOW_TRACKING_AWS_SIGV4", "requests to servers of MLflow are not signed"},
  };
  const char *insecure = fn_environment_get(environment, "MLFLOW_TRACKING_INSECURE_TLS");
  if (says_yes(insecure))
    return fn_err_set(
        err, FN_E_INVALID,
        "MLFLOW_TRACKING_INSECURE_TLS=%.8s: certificates are always checked; name the authority that signed "
        "the server's in net.ca_file or MLFLOW_TRACKING_SERVER_CERT_PATH, and unset the variable",
        insecure);
  for (size_t i = 0; i < FN_COUNT_OF(unsupported); i++)
    if (says_yes(fn_environment_get(environment, unsupported[i][0])))
      return fn_err_set(err, FN_E_INVALID,
                        "%s is set, and %s; use MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and "
                        "MLFLOW_TRACKING_PASSWORD, and unset it",
                        unsupported[i][0], unsupported[i][1]);
  return FN_OK;
}

static bool is_plain(const char *text) {
  for (; *text; text++)
    if (!((*text | 32) >= 'a' && (*text | 32) <= 'z') && !(*text >= '0' && *text <= '9') && !strchr("-_.", *text))
      return false;
  return true;
}

fn_status fn_mlflow_from_environment(fn_mlflow_options *out, const char *uri, const fn_environment *environment,
                                     fn_err *err) {
  FN_TRY(refuse_others(environment, err));
  fn_mlflow_options o = {.uri = uri ? uri : fn_environment_get(environment, "MLFLOW_TRACKING_URI"),
                         .environment = environment,
                         .workspace = fn_environment_get(environment, "MLFLOW_WORKSPACE"),
                         .ca_file = fn_environment_get(environment, "MLFLOW_TRACKING_SERVER_CERT_PATH")};
  if (o.workspace && (strlen(o.workspace) > 63 || !is_plain(o.workspace)))
    return fn_err_set(
        err, FN_E_INVALID,
        "MLFLOW_WORKSPACE: \"%.63s\" is no name of a workspace: 1 to 63 letters, digits, '-', '_' and '.' "
        "are accepted",
        o.workspace);
  char shown[301];
  const fn_str text = fn_str_from(o.uri);
  if (o.uri && !fn_str_starts_with(text, "http://") && !fn_str_starts_with(text, "https://"))
    return fn_err_set(
        err, FN_E_INVALID,
        "%s: \"%.60s\" is not the address of an MLflow server: http://… or https://… is accepted (a store "
        "of files or a database of MLflow's is not written to; the local store of runs is track.url)",
        uri ? "track.uri" : "MLFLOW_TRACKING_URI", fn_url_show(shown, o.uri));
  if (o.uri) {
    fn_url url;
    FN_TRY(fn_mlflow_uri_parse(&url, o.uri, err));
    fn_url_deinit(&url);
  }
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

fn_status fn_mlflow_place_from_environment(fn_mlflow_place *out, const char *experiment, bool is_set,
                                           const fn_environment *environment, fn_err *err) {
  const char *name = fn_environment_get(environment, "MLFLOW_EXPERIMENT_NAME");
  fn_mlflow_place p = {.experiment = experiment, .run_id = fn_environment_get(environment, "MLFLOW_RUN_ID")};
  if (!is_set) {
    p.experiment_id = fn_environment_get(environment, "MLFLOW_EXPERIMENT_ID");
    if (name) p.experiment = name;
    if (!name && p.experiment_id) p.experiment = "";
  }
  if (p.experiment_id &&
      (strlen(p.experiment_id) > 40 || strspn(p.experiment_id, "0123456789") != strlen(p.experiment_id)))
    return fn_err_set(err, FN_E_INVALID,
                      "MLFLOW_EXPERIMENT_ID: \"%.40s\" is no number; a name stands in "
                      "MLFLOW_EXPERIMENT_NAME",
                      p.experiment_id);
  if (p.run_id && (strlen(p.run_id) > 64 || strspn(p.run_id, "0123456789abcdefABCDEF-_") != strlen(p.run_id)))
    return fn_err_set(err, FN_E_INVALID, "MLFLOW_RUN_ID: \"%.64s\" is no id of a run: hexadecimal digits are accepted",
                      p.run_id);
  *out = p;
  return FN_OK;
}

static char *credentials_path(const fn_environment *environment) {
  return environment && environment->home ? fn_path_join(environment->home, ".mlflow/credentials") : NULL;
}

fn_status fn_mlflow_credentials_load(char **user_out, char **password_out, const fn_environment *environment,
                                     fn_err *err) {
  FN_AUTO_FREE char *path = credentials_path(environment);
  if (!path || !fn_path_exists(path)) return FN_OK;
  FN_AUTO_BUF fn_buf text;
  FN_AUTO_BUF fn_buf user;
  FN_AUTO_BUF fn_buf password;
  fn_buf_init(&text, MAX_CREDENTIALS);
  fn_buf_init(&user, MAX_CREDENTIALS);
  fn_buf_init(&password, MAX_CREDENTIALS);
  fn_status status = fn_file_read(&text, path, MAX_CREDENTIALS, err);
  const bool has_user = status == FN_OK && fn_ini_find(&user, fn_buf_str(&text), "mlflow", "mlflow_tracking_username"),
             has_password =
                 status == FN_OK && fn_ini_find(&password, fn_buf_str(&text), "mlflow", "mlflow_tracking_password");
  if (status == FN_OK && has_user != has_password)
    status = fn_err_set(err, FN_E_INVALID, "%s: [mlflow] has mlflow_tracking_%s and no mlflow_tracking_%s", path,
                        has_user ? "username" : "password", has_user ? "password" : "username");
  if (status == FN_OK && has_user) {
    *user_out = fn_str_dup(fn_buf_str(&user));
    *password_out = fn_str_dup(fn_buf_str(&password));
    if (!*user_out || !*password_out) status = fn_err_no_memory(err, "credentials");
  }
  if (text.data) explicit_bzero(text.data, text.length);
  if (password.data) explicit_bzero(password.data, password.length);
  return status;
}

bool fn_mlflow_from_folder(fn_mlflow_options *o, const char *uri) {
  FN_AUTO_FREE char *path = credentials_path(o->environment);
  const bool had = o->user || o->token || (path && fn_path_exists(path));
  o->environment = NULL;
  o->uri = uri;
  o->user = o->password = o->token = NULL;
  return had;
}
