#include "serve/route.h"

#include <stdio.h>

/* The next segment of a path, after its '/'. */
static bool next_segment(fn_str *segment_out, fn_str *rest) {
  if (rest->length == 0 || rest->data[0] != '/') return false;
  const char *begin = rest->data + 1;
  const char *end = memchr(begin, '/', rest->length - 1);
  const size_t length = end != NULL ? (size_t)(end - begin) : rest->length - 1;
  *segment_out = fn_str_make(begin, length);
  *rest = fn_str_make(begin + length, rest->length - 1 - length);
  return true;
}

static bool matches(const char *pattern, fn_request *request) {
  fn_str path = request->path, wanted = fn_str_from(pattern), a, b;
  fn_str parameter = {NULL, 0};
  while (wanted.length > 0) {
    if (!next_segment(&b, &wanted) || !next_segment(&a, &path)) return false;
    if (b.length > 1 && b.data[0] == '{') {
      if (a.length == 0 || a.length >= sizeof request->parameter) return false;
      parameter = a;
    } else if (!fn_str_equal(a, b)) {
      return false;
    }
  }
  if (path.length > 0) return false;
  snprintf(request->parameter, sizeof request->parameter, "%.*s", (int)parameter.length,
           parameter.data != NULL ? parameter.data : "");
  return true;
}

static bool shares(const fn_route *r, const fn_route *other) {
  return other->path != NULL && (r->methods & other->methods) != 0 && strcmp(r->path, other->path) == 0;
}

const fn_route *fn_route_find(unsigned *allowed_out, fn_request *request) {
  unsigned allowed = 0;
  const fn_str type = fn_request_media_type(request);
  for (const fn_route *r = fn_routes; r->path != NULL; r++) {
    if (!matches(r->path, request)) continue;
    allowed |= r->methods;
    if (!(r->methods & (unsigned)request->method)) continue;
    /* the last of several takes what is left */
    if (r->media_type == NULL || !shares(r, r + 1) || fn_str_equal_nocase(type, fn_str_from(r->media_type))) return r;
  }
  *allowed_out = allowed;
  return NULL;
}
