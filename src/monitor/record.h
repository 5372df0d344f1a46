/* Private to src/monitor: a row of the table predictions as bytes, for the queue and the spool. */
#ifndef FN_MONITOR_RECORD_H
#define FN_MONITOR_RECORD_H

#include "monitor/prediction.h"
#include "sql/sql.h"

/* Columns in the order of the statements below. */
enum {
  FN_COLUMN_ID,
  FN_COLUMN_TIME,
  FN_COLUMN_REQUEST_ID,
  FN_COLUMN_ROUTE,
  FN_COLUMN_CLIENT,
  FN_COLUMN_MODEL,
  FN_COLUMN_TEXT_KEPT,
  FN_COLUMN_TITLE,
  FN_COLUMN_TEXT,
  FN_COLUMN_TITLE_SHA256,
  FN_COLUMN_TEXT_SHA256,
  FN_COLUMN_LABEL,
  FN_COLUMN_VERDICT,
  FN_COLUMN_P_FAKE,
  FN_COLUMN_LOGIT,
  FN_COLUMN_ENCODER_LOGIT,
  FN_COLUMN_LINEAR_LOGIT,
  FN_COLUMN_PRIOR,
  FN_COLUMN_CALIBRATED,
  FN_COLUMN_REASONS,
  FN_COLUMN_N_TOKENS,
  FN_COLUMN_N_WINDOWS,
  FN_COLUMN_TRUNCATED,
  FN_COLUMN_TITLE_BYTES,
  FN_COLUMN_TEXT_BYTES,
  FN_COLUMN_N_WORDS,
  FN_COLUMN_UNKNOWN_SHARE,
  FN_COLUMN_NON_LETTER_SHARE,
  FN_COLUMN_ENGLISH,
  FN_COLUMN_NOVELTY,
  FN_COLUMN_BYTES_PER_TOKEN,
  FN_COLUMN_EMBEDDING,
  FN_COLUMN_EMBEDDING_SCALE,
  FN_COLUMN_ANSWER,
  FN_N_COLUMNS
};
/* Names, joined by ", ". */
#define FN_RECORD_COLUMNS                                                                                              \
  "id, time_ms, request_id, route, client, model, text_kept, title, text, title_sha256, text_sha256, label, verdict, " \
  "p_fake, logit, encoder_logit, linear_logit, prior, calibrated, reasons, n_tokens, n_windows, truncated, "           \
  "title_bytes, text_bytes, n_words, unknown_share, non_letter_share, english, novelty, bytes_per_token, embedding, "  \
  "embedding_scale, answer"
extern const char fn_record_insert[]; /* $1 … $34; a row whose id is there is left as it is */
extern const char fn_record_select[]; /* by $1, the id */

/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool fn_record_is_id(fn_str id);
/* Appends a row: the texts as `kept` says, the embedding as int8. FN_E_INVALID: an id or a text that is refused. */
FN_NODISCARD fn_status fn_record_encode(fn_buf *out, const fn_prediction_row *row, fn_predictions_text kept,
                                        fn_err *err);
/* Views into bytes; false when they are no whole record. */
bool fn_record_decode(fn_sql_value values[FN_N_COLUMNS], fn_str bytes);
FN_NODISCARD fn_status fn_record_to_stored(fn_stored_prediction **stored_out, const fn_sql_value *values, fn_err *err);

#endif
