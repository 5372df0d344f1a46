/* The one table of routes: what is served, by whom it may be asked, what it takes and gives. Dispatch, the OpenAPI
 * document, the page /docs and the README's table are all made from it. */
#ifndef FN_SERVE_ROUTE_H
#define FN_SERVE_ROUTE_H

#include "serve/exchange.h"

typedef enum fn_error_style {
  FN_ERRORS_PROBLEM, /* RFC 9457 */
  FN_ERRORS_DETAIL,  /* {"detail": …}, as FastAPI */
  FN_ERRORS_PLAIN,   /* {"error": "…"}: platforms */
  FN_ERRORS_MLFLOW,  /* {"error_code": "…", "message": "…"} */
  FN_ERRORS_PAGE,    /* HTML */
} fn_error_style;

typedef enum fn_body_kind {
  FN_BODY_NONE,
  FN_BODY_JSON,   /* collected, at most serve.max_body */
  FN_BODY_FORM,   /* application/x-www-form-urlencoded, alike */
  FN_BODY_ANY,    /* collected, the handler looks at the media type */
  FN_BODY_UPLOAD, /* in pieces (upload.h), at most serve.max_upload */
} fn_body_kind;

typedef struct fn_route {
  unsigned methods; /* bits of fn_method */
  const char *path; /* "/v1/predictions/{id}"; {…} is one segment */
  fn_role role;     /* that is needed, where keys are used */
  fn_body_kind body;
  /* Of the body. Rows that share path and method are told apart by it: the first that has the request's, or NULL, is
   * taken. Elsewhere it is only said in the API's document. */
  const char *media_type;
  fn_error_style errors;
  const char *request_schema, *response_schema; /* names of src/serve/schema/NAME.json; NULL: none */
  const char *parameters;                       /* of the query: names in schema/parameters.json, between spaces */
  const char *response_type;                    /* media types of success, between spaces */
  int success;                                  /* its status; 0: 200 */
  const char *tag, *summary;
  /* Fills the response or submits a job (batcher.h). */
  fn_progress (*begin)(fn_exchange *exchange);
  /* Called on a worker when the job is done: fills the response. NULL for routes that submit none. */
  void (*finish)(fn_exchange *exchange);
  /* Upload routes, whose begin comes before the body where that comes in pieces: the next bytes of it, NULL and 0 at
   * its end; *n_used says how many were taken. Less than all: the transport waits for exchange->resume. */
  fn_progress (*receive)(fn_exchange *exchange, const char *data, size_t length, size_t *n_used);
} fn_route;

extern const fn_route fn_routes[]; /* ends with path NULL */

/* NULL: none has this path (*allowed_out 0), or none with this method (*allowed_out: the methods there are). Fills
 * request->parameter. */
const fn_route *fn_route_find(unsigned *allowed_out, fn_request *request);

#endif
