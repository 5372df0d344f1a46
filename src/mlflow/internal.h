/* What the files of the MLflow client share. Internal to src/mlflow. */
#ifndef FN_MLFLOW_INTERNAL_H
#define FN_MLFLOW_INTERNAL_H

#include "mlflow/mlflow.h"
#include "net/call.h"
#include "net/options.h"
#include "net/url.h"

enum {
  FN_MLFLOW_MAX_ANSWER = 64 * 1024 * 1024, /* bytes: a page of a thousand runs with their parameters stays far below */
  FN_MLFLOW_MAX_PAGES = 10000,
  FN_MLFLOW_MAX_HEADERS = 4,
  FN_MLFLOW_MAX_FILES = 100000,
  FN_MLFLOW_MAX_DEPTH = 32,
};

struct fn_mlflow {
  fn_mlflow_options options; /* uri, user, password, token, workspace: NULL, see below */
  fn_net_options net;        /* options.net with the client's ca_file */
  char *uri, *user, *password, *token, *workspace;
  fn_call_pair headers[FN_MLFLOW_MAX_HEADERS]; /* of the request that is on its way, with the workspace */
  bool is_here;                                /* the server runs on this machine */
  fn_http *http;
  fn_mlflow_failure failure;
  uint64_t moved_ns, moved_bytes; /* when bytes moved last, and the count by then */
  bool asked_version;
  char version[32];
};

/* An address as a server's; release with fn_url_deinit. */
FN_NODISCARD fn_status fn_mlflow_uri_parse(fn_url *url_out, const char *uri, fn_err *err);
/* User and password of ~/.mlflow/credentials, malloc'd; both stay NULL where it says none. environment: may be NULL. */
FN_NODISCARD fn_status fn_mlflow_credentials_load(char **user_out, char **password_out,
                                                  const struct fn_environment *environment, fn_err *err);
/* One call of the interface. path after /api/2.0/mlflow/ ("runs/get"); body: JSON text, {0}: none. *answer_out: the
 * object that came, to be released; NULL: it is not wanted. */
FN_NODISCARD fn_status fn_mlflow_ask(json_t **answer_out, fn_mlflow *mlflow, const char *method, const char *path,
                                     const fn_call_pair *query, size_t n_query, fn_str body, fn_err *err);
/* The same with a body that a writer filled: an object with the members of `format`, e.g. "sis", keys and values in
 * turn: s text (NULL: left out), i int64_t. */
FN_NODISCARD fn_status fn_mlflow_post(json_t **answer_out, fn_mlflow *mlflow, const char *method, const char *path,
                                      fn_err *err, const char *format, ...);
/* Of the bytes of a request so far: notes when they move, and asks whether to go on. */
bool fn_mlflow_tick(fn_mlflow *mlflow, uint64_t n_bytes);
/* A stranger's words on one line: cut, without control characters, marks of direction and tags of HTML. */
void fn_mlflow_clean(char *out, size_t size, fn_str text);
/* Credentials, tick, limits of a request; url and the rest are the caller's. */
void fn_mlflow_prepare(fn_call_request *request, fn_mlflow *mlflow);
/* Runs it (with further attempts unless options.once) and turns what is no success into an error; `what` stands in it:
 * "runs/create". */
FN_NODISCARD fn_status fn_mlflow_run_call(fn_call_answer *answer, fn_mlflow *mlflow, const fn_call_request *request,
                                          const char *what, fn_err *err);
/* FN_OK for 200; else the error that the answer stands for, and *failure. For tests and fuzzing apart from the net. */
FN_NODISCARD fn_status fn_mlflow_judge(fn_mlflow_failure *failure, int http, fn_str body, const char *what,
                                       bool with_credentials, fn_err *err);
/* A body of an answer as an object; an empty one is {}. */
FN_NODISCARD fn_status fn_mlflow_parse(json_t **answer_out, fn_str body, const char *what, fn_err *err);
/* FN_E_IO: an answer that is no MLflow's. */
fn_status fn_mlflow_strange(fn_mlflow *mlflow, const char *what, const char *why, fn_err *err);

/* Fill from an answer's object and take it over, also on failure. */
FN_NODISCARD fn_status fn_mlflow_read_run(fn_mlflow_run *run_out, json_t *object, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_read_version(fn_mlflow_model_version *version_out, json_t *object, fn_err *err);
/* The entries of a page of a list of files; each name is one part of a path. Borrowed array, NULL when there is none.
 */
FN_NODISCARD fn_status fn_mlflow_read_files(const json_t **files_out, const json_t *answer, fn_err *err);

/* Member as text, "" when it is not there or no text. */
const char *fn_mlflow_text(const json_t *object, const char *key);
/* Pages of a search: asks path with `body` (an object without its end) and a page token until there is none; each(arg,
 * object) for every member of the answer's `list`. An emitter may return FN_E_CANCELLED to end it: FN_OK then. */
FN_NODISCARD fn_status fn_mlflow_pages(fn_mlflow *mlflow, bool get, const char *path, const fn_call_pair *query,
                                       size_t n_query, fn_str body, const char *list,
                                       fn_status (*each)(void *arg, json_t *object, fn_err *err), void *arg,
                                       fn_err *err);

#endif
