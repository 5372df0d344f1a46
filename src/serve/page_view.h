/* What pages say: JSON of an answer or a model in, the words and numbers of the templates out (page.h fills them in).
 * Every figure is taken from that JSON, none is written here. */
#ifndef FN_SERVE_PAGE_VIEW_H
#define FN_SERVE_PAGE_VIEW_H

#include "base/json.h"

/* What every page has around its content. Texts are borrowed. */
typedef struct fn_page_frame {
  const char *root;  /* relative address of "/": "./" or "../" */
  const char *name;  /* of the page: "check", "table", "disputed", "history", "card", "signin", "" */
  const char *title; /* of the window */
  const char *csrf;  /* token of the session; NULL: no sign-in */
  bool keys_used;    /* there are API keys, so the page may have to sign in */
  bool is_signed_in;
  bool can_remark;     /* and see what is disputed */
  const json_t *model; /* as GET /v1/model answers */
  int64_t max_items;   /* of one batch */
  int64_t max_body;    /* bytes of one request; 0: unknown */
} fn_page_frame;

/* Members of the open object for web/head.html and web/foot.html. */
void fn_page_view_frame(fn_json_writer *w, const fn_page_frame *frame);

/* "card": what web/card.html shows of a model. */
void fn_page_view_card(fn_json_writer *w, const json_t *model);

/* Share of false texts that a model's probabilities stand for; NaN: it is not calibrated. */
double fn_page_prior(const json_t *model);
/* "prior_options" of the control "about 1 in N texts I check is false"; prior NaN: none is chosen, so 1 in 2. */
void fn_page_view_priors(fn_json_writer *w, double prior);

/* "answer" for web/result.html. answer: as POST /v1/classify answers, with or without explanation; title and text as
 * they were sent, empty when they are not known any more. model may be NULL. */
void fn_page_view_answer(fn_json_writer *w, const json_t *answer, fn_str title, fn_str text, const json_t *model);

/* "record": how often verdicts of that part ("encoder", "linear", "both") on such input ("article", "headline") were
 * given and right when the calibration was judged. */
void fn_page_view_record(fn_json_writer *w, const json_t *model, const char *part, const char *input);

/* Whether text is one address and nothing else, so that there is no text to judge. */
bool fn_page_is_link(fn_str text);

/* A share in words: "1 in 20", "9 in 10". buffer of 48 bytes. */
const char *fn_page_share(char buffer[48], double share);
/* p as a natural frequency: about *count of *of (100, 1,000 or 10,000), neither none nor all. */
void fn_page_frequency(int *count, int *of, double p);

#endif
