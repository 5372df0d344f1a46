/* A page that stands alone in one file: nothing is fetched, its policy forbids it; style and script are part of it and
 * named in the policy by their hash. It is whole without the script.
 *
 * Whatever comes from outside goes in through fn_html_add's %s or fn_html_text and is escaped; markup is literal text
 * of this folder's sources, never built from values. */
#ifndef FN_REPORT_HTML_H
#define FN_REPORT_HTML_H

#include "base/base.h"

/* Appends markup with values in it: %s text, escaped for text and quoted attributes (NULL: nothing); %d an int, %zu,
 * %lld, %.*f, %.*g and %% as in printf. Nothing else. `markup` is a literal. */
void fn_html_add(fn_buf *out, const char *markup, ...) FN_PRINTF(2, 3);
/* Text, escaped. */
void fn_html_text(fn_buf *out, const char *text);
/* The same, "…" after `max` code points. */
void fn_html_cut(fn_buf *out, const char *text, size_t max);

/* The same of a name like "train.learning_rate": a line may be broken after each . _ / of it. */
void fn_html_key(fn_buf *out, const char *text, size_t max);

typedef struct fn_html_page {
  const char *title; /* of the window and of the h1 */
  const char *lead;  /* a sentence below it; NULL: none */
  const char *made;  /* who and when, at the foot */
} fn_html_page;
/* From the doctype to the heading inside main. The title may be anything. FN_E_INTERNAL: a file is missing. */
FN_NODISCARD fn_status fn_html_begin(fn_buf *out, const fn_html_page *page, fn_err *err);
/* Closes main; `data` (JSON, NULL: none) becomes a block that scripts and people read: <script id="data">. */
FN_NODISCARD fn_status fn_html_end(fn_buf *out, const fn_html_page *page, const fn_buf *data, fn_err *err);

/* <section> with an h2 that the list of contents leads to; `id` is a literal. */
void fn_html_section_begin(fn_buf *out, const char *id, const char *title);
void fn_html_section_end(fn_buf *out);
typedef struct fn_html_link {
  const char *id, *title;
} fn_html_link;
void fn_html_contents(fn_buf *out, const fn_html_link *links, size_t n);

/* JSON inside <script>: < > & as \u003c …, so that no text ends the element. */
void fn_html_json(fn_buf *out, fn_str json);
/* A relative or file address: each byte but letters, digits and "-._~/" as %XX; "./" before what could be read as a
 * scheme. */
void fn_html_href(fn_buf *out, const char *path);

/* A number for people: four significant digits, "12,345", "3e-05", "NaN", "∞". */
const char *fn_number_text(char out[32], double value);
/* "25.6 MB" */
const char *fn_bytes_text(char out[32], int64_t n_bytes);
/* "1 h 02 min", "3 min 20 s", "4.2 s" */
const char *fn_duration_text(char out[32], int64_t ms);

#endif
