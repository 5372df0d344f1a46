/* HTML from templates (web/), whose every value is escaped: there is no tag that puts bytes in as they are.
 *
 *   {{name}} {{a.b}}            the value, escaped for text and for attributes in double or single quotes
 *   {{#name}}…{{/name}}         once for each element of an array; once with an object's members in sight; once for
 *                               true, a number or a text that is not empty
 *   {{^name}}…{{/name}}         when the above would write nothing
 *   {{>name}}                   the file web/name.html in this place
 *   {{.}}                       the element of an array of plain values
 *
 * A name is looked for in the innermost object first (mustache.5). Values never stand outside quotes in a tag, nor in
 * scripts, styles or addresses: no template has any of these but its own. */
#ifndef FN_SERVE_PAGE_H
#define FN_SERVE_PAGE_H

#include "base/json.h"

/* What every page is sent with: nothing from elsewhere, nothing inline, no frame around it. */
#define FN_PAGE_POLICY                                                                                                 \
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "                \
  "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

/* Appends `text` with & < > " ' as references; bytes that are no UTF-8, and control characters that HTML forbids,
 * become U+FFFD. */
void fn_page_escape(fn_buf *out, fn_str text);

/* Appends `source` filled with the values of `view` (an object). A name that is nowhere in sight, a section without an
 * end and an unknown file are FN_E_INTERNAL: a template and its view are made for each other. On failure *out holds a
 * part of the page. */
FN_NODISCARD fn_status fn_page_fill(fn_buf *out, fn_str source, const json_t *view, fn_err *err);
/* The same of web/NAME.html. */
FN_NODISCARD fn_status fn_page_render(fn_buf *out, const char *name, const json_t *view, fn_err *err);

/* A file of web/ ("page.css") as it is; data NULL: there is none. */
fn_str fn_page_file(const char *name);
/* 16 hexadecimal digits of its content, terminated: what its address is made unique by. */
void fn_page_file_version(char out[17], fn_str file);

#endif
