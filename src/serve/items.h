/* Articles in the bodies of other protocols: strings, lists, tables. Internal to src/serve. */
#ifndef FN_SERVE_ITEMS_H
#define FN_SERVE_ITEMS_H

#include "infer/infer.h"
#include "serve/exchange.h"

/* Articles in the exchange's arena; their strings are the JSON value's. */
typedef struct fn_items {
  fn_article *articles;
  size_t n, capacity;
} fn_items;

/* The body as JSON whatever its media type says, living as long as the exchange. FN_OK; FN_E_INVALID fills *error_out;
 * FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_items_parse(json_t **value_out, fn_exchange *exchange, fn_json_error *error_out);

/* All of these refuse with `status` in the style of the route (FN_EXCHANGE_DONE) what is no article, an article without
 * a word, none at all, and more than serve.max_items. `where` names the value in messages.
 *
 * One of: a string (a text); an object with title, text or both (strings; other members are ignored); an object of
 * lists of strings, columns of a table; a list of all these. */
fn_progress fn_items_read(fn_items *items, fn_exchange *x, const json_t *value, const char *where, int status);
/* {"columns": ["title", …], "data": [["…", …], …]}, as pandas writes with orient="split". */
fn_progress fn_items_read_split(fn_items *items, fn_exchange *x, const json_t *value, int status);
/* CSV with a header that has a column title or text. */
fn_progress fn_items_read_csv(fn_items *items, fn_exchange *x, fn_str body, int status);
/* One JSON value a line, each as fn_items_read takes it. */
fn_progress fn_items_read_lines(fn_items *items, fn_exchange *x, fn_str body, int status);
/* Adds one article; FN_EXCHANGE_PENDING when it was taken. */
fn_progress fn_items_add(fn_items *items, fn_exchange *x, fn_str title, fn_str text, const char *where, int status);
/* Submits them; the answer comes through the route's finish. */
fn_progress fn_items_classify(const fn_items *items, fn_exchange *x, const char *where, int status);

/* For finish: true when every article of the job has an answer. Else the response is written. Also sets header
 * X-Truncated to the number of articles that were longer than the model reads, when there are any. */
bool fn_items_all_answered(fn_exchange *exchange, int status);

#endif
