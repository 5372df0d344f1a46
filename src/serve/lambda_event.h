/* Events of AWS Lambda as requests, and responses as what the function answers. Pure functions of bytes: the Runtime
 * API, over which both travel, is lambda.h's.
 *
 * An event is told by its members (documents of AWS: "Working with Lambda proxy integrations", payload formats 1.0 and
 * 2.0; "Lambda functions as targets" of load balancers):
 *   requestContext.elb is an object                  Application Load Balancer
 *   version "2.0", or rawPath is a string            HTTP API with format 2.0, or a Function URL
 *   httpMethod and path are strings                  REST API, or HTTP API with format 1.0
 *   warmer true, ping, a warm-up plugin's or EventBridge's schedule   answered as GET /healthz, for its body
 *   anything else that is an object                  a direct invocation, told by its first member of this list:
 *     Action "predict" with Text, or "info"; items; title or text; Text; inputs; instances, dataframe_split or
 *     dataframe_records; body, which is text or an object that is then looked at in the same way
 * Paths lose the stage that an HTTP API puts before them, and what stands before {proxy+} where the route is
 * /{proxy+}. */
#ifndef FN_SERVE_LAMBDA_EVENT_H
#define FN_SERVE_LAMBDA_EVENT_H

#include "serve/exchange.h"

typedef enum fn_lambda_kind { FN_LAMBDA_REST, FN_LAMBDA_HTTP, FN_LAMBDA_BALANCER, FN_LAMBDA_DIRECT } fn_lambda_kind;

typedef struct fn_lambda_event {
  fn_lambda_kind kind;
  bool multi_value; /* headers go back as lists */
} fn_lambda_event;

/* Bytes of an answer: Lambda takes 6 MiB, a load balancer 1 MiB (1 MB in its documents; what is smaller is taken). */
enum { FN_LAMBDA_MAX_ANSWER = 6 << 20, FN_LAMBDA_MAX_BALANCER_ANSWER = 1000000 };

/* Fills exchange->request (its id apart) from an event; what it points to lives as long as the exchange, json included.
 * trace_id: of the invocation, stands for a header X-Amzn-Trace-Id where the event has none; NULL: none. The body
 * is not measured. FN_E_INVALID: the event is of no kind above, and what would be. A request that must not be is
 * answered in exchange->response, whose status is otherwise 0. */
FN_NODISCARD fn_status fn_lambda_event_read(fn_lambda_event *event_out, fn_exchange *exchange, fn_str json,
                                            const char *trace_id, fn_err *err);

/* Appends the answer for exchange->response, as the sender of the event expects it: text as it is where it is UTF-8 of
 * a textual media type, else base64. An answer beyond the bound becomes a 413 in both. True: `out` is the function's
 * answer; false: it is the error of a direct invocation, {"errorType","errorMessage"}. out->failed: memory is short. */
bool fn_lambda_event_answer(fn_buf *out, const fn_lambda_event *event, fn_exchange *exchange);

#endif
