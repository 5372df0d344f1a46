/* Facade of src/serve: one model behind HTTP, or behind events of AWS Lambda.
 *
 *   fn_server *s;  fn_server_create(&s, &options, model_path, events, err);
 *   fn_http *h;    fn_http_start(&h, s, listen_fd, err);      … until a signal comes …
 *   fn_server_drain(s);  … fn_http_n_open(h) is 0 …  fn_http_stop(h);  fn_server_destroy(s);
 */
#ifndef FN_SERVE_SERVE_H
#define FN_SERVE_SERVE_H

#include "monitor/options.h"
#include "serve/batcher.h"
#include "serve/exchange.h"
#include "serve/options.h"

/* What happens, for a log. The server prints nothing itself. */
typedef enum fn_severity { FN_SEVERITY_DEBUG, FN_SEVERITY_INFO, FN_SEVERITY_WARNING, FN_SEVERITY_ERROR } fn_severity;
typedef struct fn_serve_events {
  /* code: short name, docs/operations.md says of each what to do; message: one line for people; exchange: of a request
   * that was answered, else NULL. Any thread, several at once. */
  void (*event)(void *arg, fn_severity severity, const char *code, const char *message, const fn_exchange *exchange);
  void *arg;
} fn_serve_events;

typedef struct fn_server_options {
  const fn_serve_options *serve;
  const fn_infer_options *infer;
  const fn_explain_options *explain;
  const fn_tensor_options *tensor;
  const fn_predictions_options *predictions;
  const char *state_folder; /* of the prediction log; NULL: none */
  const char *model;        /* path */
  const char *version;      /* of the program */
  const char *tmp_dir;      /* folder for answers to uploads until they are sent; NULL: /tmp */
  fn_serve_events events;
} fn_server_options;

/* options and what it points to outlive the server, model apart. Errors: as fn_engine_open. */
FN_NODISCARD fn_status fn_server_create(fn_server **server_out, const fn_server_options *options, fn_err *err);
/* After its transports are stopped. NULL is fine. */
void fn_server_destroy(fn_server *server);

/* Before it can be reached from other machines, which then need an API key: FN_E_INVALID when there is none and
 * serve.auth=none was not said. */
FN_NODISCARD fn_status fn_server_expose(fn_server *server, fn_err *err);

/* Asks the prediction log's database, which a server starts without: FN_OK, or why it cannot be used. */
FN_NODISCARD fn_status fn_server_check(fn_server *server, fn_err *err);

const fn_server_options *fn_server_get_options(const fn_server *server);
fn_batcher *fn_server_batcher(fn_server *server);
struct fn_uploads *fn_server_uploads(fn_server *server);
void fn_server_count_prediction(fn_server *server, const fn_prediction *prediction); /* for /metrics */
/* The model in service; a reference that the caller releases. */
fn_engine *fn_server_engine(fn_server *server);
/* Opens a model beside the one in service and lets it take over; requests that were begun finish on the old one. path
 * NULL: the file it has now. On failure, which is counted, the old one stays. to_out may be NULL. */
FN_NODISCARD fn_status fn_server_reload(fn_server *server, const char *path, char to_out[288], fn_err *err);
/* Claims the right to reload: false while somebody else has it. */
bool fn_server_claim_reload(fn_server *server);
void fn_server_release_reload(fn_server *server);
/* Where the model in service comes from, when it is followed in a registry: for /metrics and /v1/model. */
typedef struct fn_server_origin {
  char name[256], alias[256];
  int64_t version;
  int64_t asked_ms;    /* Unix time of the registry's last answer; 0: none yet */
  uint64_t asked_ns;   /* the same by fn_clock_ns; without an answer, of the start */
  uint64_t n_failures; /* questions in vain, versions that could not be had */
} fn_server_origin;
void fn_server_set_origin(fn_server *server, const fn_server_origin *origin);
/* False: it is not followed. */
bool fn_server_get_origin(fn_server_origin *origin_out, const fn_server *server);
/* From now on /readyz says 503; everything else is answered as before. */
void fn_server_drain(fn_server *server);
/* For the end of a drain: requests whose work has not begun are answered with 503 now, later ones at once. */
void fn_server_cancel(fn_server *server);
bool fn_server_is_draining(const fn_server *server);
/* Exchanges that are not answered yet. */
size_t fn_server_n_active(const fn_server *server);
/* Transports say how many connections they hold, +1 and -1. */
void fn_server_count_connection(fn_server *server, int change);
size_t fn_server_n_connections(const fn_server *server);
void fn_server_event(const fn_server *server, fn_severity severity, const char *code, const fn_exchange *exchange,
                     const char *format, ...) FN_PRINTF(5, 6);

/* Submits the exchange's job: articles that live in the exchange's arena. explain: each is explained too. The answer
 * comes through the route's finish. */
fn_progress fn_exchange_classify(fn_exchange *x, const fn_article *articles, size_t n, bool explain);

/* Transports call these at the two ends of an exchange: at its first byte, and when its response was sent. */
void fn_exchange_count(fn_exchange *x);
void fn_exchange_finish(fn_exchange *x, uint64_t request_bytes, uint64_t response_bytes);

#endif
