/* Pages that other files of src/serve make with the templates of web/: begin, write the view's members, end. */
#ifndef FN_SERVE_ROUTE_PAGE_H
#define FN_SERVE_ROUTE_PAGE_H

#include "serve/exchange.h"

#include "base/json.h"

typedef struct fn_page_building {
  fn_exchange *exchange;
  json_t *model; /* as GET /v1/model answers; NULL: memory is short */
  fn_buf view;
  fn_json_writer writer; /* of the view, an object that is open */
} fn_page_building;

/* Begins the view of a page: what head.html and foot.html need is in it. name, title: page_view.h. fn_page_end must
 * follow, which says so when memory was short. */
void fn_page_begin(fn_page_building *page, fn_exchange *x, const char *name, const char *title);
/* Fills web/NAME.html with it and answers; releases what the building holds. */
fn_progress fn_page_end(fn_page_building *page, int http_status, const char *name);
/* In place of fn_page_end, when nothing comes of it. */
void fn_page_drop(fn_page_building *page);
/* The first field of that name as the text area had it: forms send CR LF for a line's end. Empty when there is none. */
fn_str fn_page_field(fn_field *fields, size_t n, const char *name);
/* Writes the page of an error into the response, whose status and code are set; plain text when memory is short. */
void fn_page_fail(fn_exchange *x, int http_status, const char *title, const char *detail);
/* Content type, policy and caching of a page that is private. */
void fn_page_headers(fn_response *response);

#endif
