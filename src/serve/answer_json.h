/* Answers as JSON, one shape wherever they appear: /v1/classify, the prediction log, the page. */
#ifndef FN_SERVE_ANSWER_JSON_H
#define FN_SERVE_ANSWER_JSON_H

#include "infer/explain.h"
#include "serve/engine.h"

/* Members of one answer, into an object that is open. The shape is schema/answer.json. explanation NULL: none. */
void fn_answer_json(fn_json_writer *w, const fn_prediction *prediction, const fn_article *article, fn_engine *engine,
                    const fn_explanation *explanation);

/* The answer about a title as the second predecessor gave it, an object of four members. predicted_label is 1 for fake.
 */
void fn_title_answer_json(fn_json_writer *w, fn_str title, const fn_prediction *prediction,
                          const fn_classifier_info *info);

#endif
