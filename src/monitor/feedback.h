/* What people say of predictions. Append-only: a later word of the same name and client corrects the earlier one, which
 * stays. */
#ifndef FN_MONITOR_FEEDBACK_H
#define FN_MONITOR_FEEDBACK_H

#include "sql/sql.h"

typedef enum fn_feedback_label {
  FN_FEEDBACK_REAL,
  FN_FEEDBACK_FAKE,
  FN_FEEDBACK_SATIRE,
  FN_FEEDBACK_OPINION,
  FN_FEEDBACK_MIXED
} fn_feedback_label;
enum { FN_N_FEEDBACK_LABELS = 5, FN_FEEDBACK_MAX_NAME = 200, FN_FEEDBACK_MAX_REASON = 4000 };
/* Of one prediction: how many are taken, and how many the API and the page show (the latest). */
enum { FN_FEEDBACK_MAX_REMARKS = 1000, FN_FEEDBACK_MAX_LISTED = 200 };
extern const char *const fn_feedback_label_names[FN_N_FEEDBACK_LABELS]; /* "real" … */
bool fn_feedback_label_parse(fn_feedback_label *label_out, fn_str text);

typedef struct fn_feedback {
  fn_str prediction_id;
  fn_feedback_label label;
  fn_str name, reason; /* UTF-8 without NUL, in bytes at most as above; may be empty */
  fn_str client;       /* id of the API key, or "" */
} fn_feedback;

/* One that was stored. */
typedef struct fn_feedback_entry {
  char id[40];       /* "f_" and 32 hexadecimal digits */
  char corrects[40]; /* id of the one it takes the place of; "": none */
  int64_t time_ms;   /* Unix; rises within a prediction */
} fn_feedback_entry;

/* FN_E_INVALID: too long, or no UTF-8. */
FN_NODISCARD fn_status fn_feedback_check(const fn_feedback *feedback, fn_err *err);
/* Stores it, once checked. Does not look whether there is such a prediction. FN_E_LIMIT: it has FN_FEEDBACK_MAX_REMARKS
 * already. */
FN_NODISCARD fn_status fn_feedback_add(fn_feedback_entry *entry_out, fn_sql *sql, const fn_feedback *feedback,
                                       fn_err *err);

/* Views are valid during the call; a status other than FN_OK ends the list with it. latest: no later one corrects it.
 */
typedef fn_status (*fn_feedback_emit)(void *arg, const fn_feedback *feedback, const fn_feedback_entry *entry,
                                      bool latest, fn_err *err);
/* The latest of one prediction, `limit` of them at most, in the order they came; *n_out: how many it has. */
FN_NODISCARD fn_status fn_feedback_list(int64_t *n_out, fn_sql *sql, fn_str prediction_id, int64_t limit,
                                        fn_feedback_emit emit, void *arg, fn_err *err);

/* A prediction that somebody's latest word contradicts: a feedback label other than the prediction's. */
typedef struct fn_disputed {
  fn_str prediction_id, label, verdict, model;
  double p_fake; /* NaN: none */
  int64_t time_ms;
  fn_str title; /* data NULL unless predictions.text=full */
  fn_feedback feedback;
  fn_feedback_entry entry;
} fn_disputed;
typedef fn_status (*fn_disputed_emit)(void *arg, const fn_disputed *disputed, fn_err *err);
/* The latest feedback first, limit of them at most; feedback of [since, until) in Unix ms, until 0: no end. */
FN_NODISCARD fn_status fn_feedback_list_disputed(fn_sql *sql, int64_t since_ms, int64_t until_ms, int64_t limit,
                                                 fn_disputed_emit emit, void *arg, fn_err *err);

#endif
