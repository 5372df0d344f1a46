/* Rows and a place for the tests of the prediction log. */
#ifndef FN_TESTS_UNIT_MONITOR_ROWS_H
#define FN_TESTS_UNIT_MONITOR_ROWS_H

#include "../test.h"
#include "monitor/monitor.h"

#include <math.h>
#include <pthread.h>

/* n as the id's number; the texts and figures follow from it. */
static inline fn_prediction_row make_row(char id[24], int n) {
  static const float embedding[] = {0.5f, -1.0f, 0.25f, 1.0f};
  snprintf(id, 24, "p_%06d", n);
  return (fn_prediction_row){.id = fn_str_from(id),
                             .request_id = fn_str_from("r-1"),
                             .route = fn_str_from("/v1/classify"),
                             .client = fn_str_from(""),
                             .model = fn_str_from("m@0123456789ab"),
                             .title = fn_str_from("Title \"a\""),
                             .text = fn_str_make("Text\0with a NUL", 15),
                             .label = fn_str_from("fake"),
                             .verdict = fn_str_from("unsure"),
                             .p_fake = 0.1 + n,
                             .logit = 1.0 / 3.0,
                             .encoder_logit = -2.5,
                             .linear_logit = (double)NAN,
                             .prior = (double)NAN,
                             .calibrated = true,
                             .reasons = FN_REASON_TOO_SHORT | FN_REASON_HEADLINE_ONLY,
                             .n_tokens = 12,
                             .n_windows = 1,
                             .features = {9, 15, 4, 0.25, 0.5, (double)NAN, 0.75, 4.5},
                             .embedding = embedding,
                             .n_embedding = 4,
                             .answer = fn_str_from("{\"label\":\"fake\"}")};
}

/* What done was told. */
typedef struct told {
  pthread_mutex_t mutex;
  pthread_cond_t change;
  size_t n_ok, n_failed, n_written, n_repeated, n_differs;
  char message[256], answer[64];
} told;

#define TOLD_INIT                                                                                                      \
  { .mutex = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER }

static inline void on_done(void *arg, fn_status status, const fn_prediction_result *results, const fn_err *err) {
  told *t = arg;
  pthread_mutex_lock(&t->mutex);
  if (status == FN_OK) {
    t->n_ok++;
    t->n_written += results[0].outcome == FN_PREDICTION_WRITTEN;
    t->n_repeated += results[0].outcome == FN_PREDICTION_REPEATED;
    if (results[0].answer) snprintf(t->answer, sizeof t->answer, "%s", results[0].answer);
    t->n_differs += results[0].outcome == FN_PREDICTION_DIFFERS;
  } else {
    t->n_failed++;
    snprintf(t->message, sizeof t->message, "%.255s", err->message);
  }
  pthread_cond_signal(&t->change);
  pthread_mutex_unlock(&t->mutex);
}

static inline void wait_for(told *t, size_t n) {
  pthread_mutex_lock(&t->mutex);
  while (t->n_ok + t->n_failed < n) pthread_cond_wait(&t->change, &t->mutex);
  pthread_mutex_unlock(&t->mutex);
}

static inline fn_predictions_options default_options(void) {
  return (fn_predictions_options){.durable = FN_DURABLE_ANSWER,
                                  .flush_ms = 20,
                                  .text = FN_TEXT_KEEP_HASH,
                                  .keep_days = 90,
                                  .spool_mb = 1,
                                  .queue_rows = 4096};
}

#endif
