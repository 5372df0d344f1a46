/* What the table of routes says, for others: the OpenAPI 3.1 document and Markdown. Schemas are schema/NAME.json. */
#ifndef FN_SERVE_OPENAPI_H
#define FN_SERVE_OPENAPI_H

#include "base/json.h"
#include "serve/route.h"

/* A schema file; NULL: there is none, or memory is short. Release with json_decref. */
json_t *fn_schema_load(const char *name);
FN_NODISCARD fn_status fn_openapi_write(fn_buf *out, const char *version, fn_err *err);
/* The README's table. */
void fn_routes_markdown(fn_buf *out);

/* The table without its repetitions: rows that share path and method are one operation. */
bool fn_operation_is_first(const fn_route *route);
/* The next row of the same operation, or NULL. */
const fn_route *fn_operation_next(const fn_route *route);
/* "GET", of a row with one method. */
const char *fn_route_method(const fn_route *route);
/* What a row's body is; NULL: it has none. */
const char *fn_route_media_type(const fn_route *route);
/* "predict", what a key must allow; NULL: none is needed. */
const char *fn_route_role(const fn_route *route);
/* Tags in order, with what they are; ends with name NULL. */
typedef struct fn_route_tag {
  const char *name, *title, *description;
} fn_route_tag;
extern const fn_route_tag fn_route_tags[];

#endif
