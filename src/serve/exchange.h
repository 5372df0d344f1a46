/* A request and its response, whatever carries them: HTTP (http.h) or events of AWS Lambda (lambda.h).
 *
 * An exchange belongs to one thread at a time: to the transport until fn_exchange_begin returns FN_EXCHANGE_PENDING,
 * then to the batcher's worker and the prediction log's thread, and to the transport again from `complete` on. */
#ifndef FN_SERVE_EXCHANGE_H
#define FN_SERVE_EXCHANGE_H

#include "base/base.h"

typedef struct fn_server fn_server;
typedef struct fn_route fn_route;
typedef struct fn_job fn_job;

/* Bits, so that a route can name several. HEAD is answered as GET without a body by the transport. */
typedef enum fn_method {
  FN_METHOD_GET = 1,
  FN_METHOD_POST = 2,
  FN_METHOD_DELETE = 4,
  FN_METHOD_PUT = 8,
  FN_METHOD_OPTIONS = 16,
  FN_METHOD_OTHER = 32,
} fn_method;

typedef struct fn_field {
  fn_str name, value;
} fn_field;

enum { FN_REQUEST_ID_BYTES = 65, FN_CLIENT_BYTES = 64, FN_PREDICTION_ID_BYTES = 40, FN_SESSION_BYTES = 33 };

/* All views belong to the exchange's arena or to the transport and live as long as the exchange. */
typedef struct fn_request {
  fn_method method;
  bool is_head;
  fn_str path;             /* decoded, begins with '/' */
  const fn_field *headers; /* [n_headers] as they came */
  size_t n_headers;
  const fn_field *parameters; /* [n_parameters] of the query, decoded */
  size_t n_parameters;
  fn_str body;                     /* whole; empty where it comes in pieces, to a route that takes them */
  char id[FN_REQUEST_ID_BYTES];    /* of X-Request-Id, or made up */
  char client[FN_CLIENT_BYTES];    /* address of the peer, or what a trusted proxy says it is */
  bool is_secure;                  /* TLS here or at a trusted proxy */
  char parameter[FN_CLIENT_BYTES]; /* what stood for {…} in the route's path */
} fn_request;

/* Value of the first header of that name (ASCII letters without case), or of the first query parameter; data NULL when
 * there is none. */
fn_str fn_request_header(const fn_request *request, const char *name);
fn_str fn_request_parameter(const fn_request *request, const char *name);
/* Media type of the body without parameters, lower case is not needed: "application/json". */
fn_str fn_request_media_type(const fn_request *request);
/* Whether header Accept names `type` ("text/html") explicitly. */
bool fn_request_accepts(const fn_request *request, const char *type);

typedef struct fn_response {
  int status;               /* 0: not decided yet */
  const char *content_type; /* static text; NULL: none */
  fn_buf body;
  fn_buf headers; /* "Name: value\r\n"… besides those of content type and length */
  int fd;         /* ≥ 0: the body is this file's first fd_bytes, closed by the transport; body is then empty */
  uint64_t fd_bytes;
  bool closes; /* the connection ends after it */
} fn_response;

void fn_response_header(fn_response *response, const char *name, const char *value);

/* Who asks: of an API key or a signed-in page (auth.h). */
typedef enum fn_role { FN_ROLE_NONE, FN_ROLE_PREDICT, FN_ROLE_FEEDBACK, FN_ROLE_ADMIN } fn_role;

typedef struct fn_exchange {
  fn_server *server;
  fn_request request;
  fn_response response;
  fn_arena arena;        /* of this exchange */
  const fn_route *route; /* NULL until found */
  fn_job *job;           /* NULL: none was submitted */
  fn_role role;
  char key_id[32];                /* of the API key; "" none */
  char session[FN_SESSION_BYTES]; /* of a page's cookie (auth.h); "" none */
  bool by_cookie;                 /* the role comes from it, so that a request must prove that a page of ours made it */
  bool operation_only;            /* the transport listens at serve.metrics_port */
  uint64_t begin_ns;
  uint64_t deadline_ns; /* of the transport, or 0; from fn_exchange_begin on serve.timeout_ms where that is sooner */
  /* Of the prediction log (recording.h). */
  uint64_t id_seed[2]; /* of the ids of this exchange's predictions */
  fn_str *answers;     /* [job's n] JSON objects, in the arena; empty where an article has no answer */
  const bool *refused; /* [job's n] articles that are not to be answered whatever the model says; NULL: none */
  bool is_repeated;    /* an answer was given before, to the same Idempotency-Key */
  void *record;
  char code[40];                /* short name of an error, for the log; "" none */
  void *state;                  /* of the route's handlers */
  struct fn_deferred *deferred; /* fn_exchange_defer */
  void *transport;
  void (*complete)(struct fn_exchange *exchange);      /* transport: the response is ready */
  void (*resume)(struct fn_exchange *exchange);        /* transport: there is room for more of the body; NULL: it
                                                        * always comes whole */
  bool (*is_gone)(const struct fn_exchange *exchange); /* transport: the client has hung up; may be NULL */
} fn_exchange;

void fn_exchange_init(fn_exchange *x, fn_server *server);
void fn_exchange_deinit(fn_exchange *x);
/* Since its first byte; whole microseconds. */
double fn_exchange_ms(const fn_exchange *x);
/* release(value) is called when the exchange ends, the last one first; at once when memory is short, and then false is
 * returned. */
bool fn_exchange_defer(fn_exchange *exchange, void (*release)(void *value), void *value);

typedef enum fn_progress { FN_EXCHANGE_DONE, FN_EXCHANGE_PENDING } fn_progress;
/* Answers a request whose fields are filled in: at once, or later through `complete`. Never fails: what goes wrong is a
 * response. */
fn_progress fn_exchange_begin(fn_exchange *x);
/* Finds the route alone, from method and path, and asks the guard: FN_EXCHANGE_PENDING when it may go on, else the
 * refusal is written. For transports that want to know before the body comes. */
fn_progress fn_exchange_route(fn_exchange *x);

/* Replaces the response by an error in the style of the route. code: short name, static ("empty"); format: what would
 * be accepted. Returns FN_EXCHANGE_DONE. */
fn_progress fn_exchange_fail(fn_exchange *x, int http_status, const char *code, const char *format, ...)
    FN_PRINTF(4, 5);
/* The same from an error of the library: 4xx for what the client sent, 5xx for ours. */
fn_progress fn_exchange_fail_err(fn_exchange *x, const fn_err *err);
/* 503: memory is short. */
fn_progress fn_exchange_no_memory(fn_exchange *x);
/* Fills in a JSON response whose body was written to x->response.body. */
fn_progress fn_exchange_json(fn_exchange *x, int http_status);

#endif
