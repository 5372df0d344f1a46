/* Bodies of requests: JSON objects with members that are known, articles in them. */
#ifndef FN_SERVE_BODY_H
#define FN_SERVE_BODY_H

#include "infer/infer.h"
#include "serve/exchange.h"

/* The body as a JSON object, which lives as long as the exchange. FN_EXCHANGE_DONE: refused, the response is written
 * (415 for another media type, 400 for what is no JSON, 422 for no object). known ends with NULL; a member that is not
 * in it is refused, "title, text, explain and prior are". known NULL: any. */
fn_progress fn_body_json(json_t **object_out, fn_exchange *x, const char *const *known);
/* Title, text and prior of an object; `where` stands in messages ("", "items[3]: "). A null counts as missing. Returns
 * NULL, or what is wrong with it (static text) in *key_out's member. */
const char *fn_body_article(fn_article *article_out, const char **key_out, const json_t *object);

#endif
