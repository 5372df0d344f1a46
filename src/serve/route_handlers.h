/* Handlers of the routes, by the file that holds them; the table is routes.c. Internal to src/serve. */
#ifndef FN_SERVE_ROUTE_HANDLERS_H
#define FN_SERVE_ROUTE_HANDLERS_H

#include "serve/engine.h"
#include "serve/route.h"

#include "base/json.h"

/* route_classify.c */
fn_progress fn_handle_classify(fn_exchange *x);
void fn_finish_classify(fn_exchange *x);
fn_progress fn_handle_batch(fn_exchange *x);
void fn_finish_batch(fn_exchange *x);
fn_progress fn_handle_tokens(fn_exchange *x);
/* route_feedback.c */
fn_progress fn_handle_prediction(fn_exchange *x);
fn_progress fn_handle_feedback(fn_exchange *x);
fn_progress fn_handle_disputed(fn_exchange *x);
/* route_model.c */
fn_progress fn_handle_model(fn_exchange *x);
fn_progress fn_handle_reload(fn_exchange *x);
/* Members of the answer of GET /v1/model, into an object that is open. */
void fn_model_json(fn_json_writer *w, fn_server *server, fn_engine *engine);
/* route_operation.c */
fn_progress fn_handle_alive(fn_exchange *x);
fn_progress fn_handle_ready(fn_exchange *x);
fn_progress fn_handle_metrics(fn_exchange *x);
/* route_csv.c; they receive by fn_upload_receive */
fn_progress fn_handle_csv(fn_exchange *x);
fn_progress fn_handle_predict_csv(fn_exchange *x);
/* route_docs.c */
fn_progress fn_handle_openapi(fn_exchange *x);
fn_progress fn_handle_docs(fn_exchange *x);
/* route_predecessors.c */
fn_progress fn_handle_predict_single(fn_exchange *x);
void fn_finish_predict_single(fn_exchange *x);
fn_progress fn_handle_predict_text(fn_exchange *x);
void fn_finish_predict_text(fn_exchange *x);
fn_progress fn_handle_info(fn_exchange *x);
/* route_platforms.c */
fn_progress fn_handle_invocations(fn_exchange *x);
fn_progress fn_handle_invocations_csv(fn_exchange *x);
fn_progress fn_handle_invocations_lines(fn_exchange *x);
void fn_finish_invocations(fn_exchange *x);
void fn_finish_invocations_lines(fn_exchange *x);
fn_progress fn_handle_ping(fn_exchange *x);
fn_progress fn_handle_version(fn_exchange *x);
fn_progress fn_handle_huggingface(fn_exchange *x);
void fn_finish_huggingface(fn_exchange *x);
/* route_inference_protocol.c */
fn_progress fn_handle_v2(fn_exchange *x);
fn_progress fn_handle_v2_live(fn_exchange *x);
fn_progress fn_handle_v2_ready(fn_exchange *x);
fn_progress fn_handle_v2_model(fn_exchange *x);
fn_progress fn_handle_v2_model_ready(fn_exchange *x);
fn_progress fn_handle_v2_infer(fn_exchange *x);
void fn_finish_v2_infer(fn_exchange *x);
/* route_signin.c */
fn_progress fn_handle_signin_page(fn_exchange *x);
fn_progress fn_handle_signin(fn_exchange *x);
fn_progress fn_handle_signout(fn_exchange *x);
/* route_page.c */
fn_progress fn_handle_page(fn_exchange *x);
fn_progress fn_handle_page_form(fn_exchange *x);
void fn_finish_page_form(fn_exchange *x);
fn_progress fn_handle_page_table(fn_exchange *x);
fn_progress fn_handle_page_history(fn_exchange *x);
fn_progress fn_handle_page_card(fn_exchange *x);
fn_progress fn_handle_page_static(fn_exchange *x);
/* route_page_log.c */
fn_progress fn_handle_page_prediction(fn_exchange *x);
fn_progress fn_handle_page_remark(fn_exchange *x);
fn_progress fn_handle_page_disputed(fn_exchange *x);

#endif
