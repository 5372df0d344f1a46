/* Answers into the prediction log: ids, retries by Idempotency-Key, rows. Internal to src/serve. */
#ifndef FN_SERVE_RECORDING_H
#define FN_SERVE_RECORDING_H

#include "monitor/prediction_log.h"
#include "serve/serve.h"

/* For operators what fails with the log, path or host included; clients are told a fixed sentence. */
void fn_server_note_log(const fn_server *server, const char *request_id, const fn_err *why);

/* NULL: nothing is logged. */
fn_prediction_log *fn_server_log(const fn_server *server);

/* Chooses the ids of the exchange's predictions: random, or, with an Idempotency-Key, a function of it, of the API key
 * and of the route, so that a retry gets the same. FN_EXCHANGE_DONE: the key is refused, the response is written. */
fn_progress fn_exchange_choose_ids(fn_exchange *x);
/* The ids of a retry that is known by another mark than the header: a page's token. */
void fn_exchange_set_retry(fn_exchange *x, fn_str key);
/* Id of prediction i, "p_" and 32 hexadecimal digits. */
void fn_exchange_prediction_id(char out[FN_PREDICTION_ID_BYTES], const fn_exchange *x, size_t i);

/* Renders the JSON object of every answer of the job into exchange->answers (fn_answer_json's members, id and model).
 */
FN_NODISCARD fn_status fn_exchange_render_answers(fn_exchange *exchange, const fn_job *job);

/* Hands the job's answers to the log, if there is one. then(exchange) is called exactly once: on the log's thread or
 * before this returns. Where the log takes nothing the response is an error by then (503; 422 when an Idempotency-Key
 * was used with another text); where answers are repetitions, exchange->answers are those that were given first and
 * `is_repeated` is set. */
void fn_exchange_record(fn_exchange *x, const fn_job *job, void (*then)(fn_exchange *x));

#endif
