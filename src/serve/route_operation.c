/* Health and metrics. */
#include "serve/metrics.h"
#include "serve/route_handlers.h"

static fn_progress say(fn_exchange *x, int status, const char *state) {
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "status", state);
  fn_json_end(&w);
  fn_response_header(&x->response, "Cache-Control", "no-store");
  return fn_exchange_json(x, status);
}

fn_progress fn_handle_alive(fn_exchange *x) {
  return say(x, 200, "ok");
}

fn_progress fn_handle_ready(fn_exchange *x) {
  if (fn_server_is_draining(x->server)) return say(x, 503, "draining");
  return say(x, 200, "ok");
}

fn_progress fn_handle_metrics(fn_exchange *x) {
  fn_counters_format(&x->response.body, x->server);
  if (x->response.body.failed) return fn_exchange_no_memory(x);
  x->response.status = 200;
  x->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return FN_EXCHANGE_DONE;
}
