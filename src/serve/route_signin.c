/* Signing in and out of the page. */
#include "serve/guard.h"
#include "serve/http_request.h"
#include "serve/route_handlers.h"
#include "serve/route_page.h"

#include <stdio.h>

static fn_str field_of(const fn_field *fields, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++) {
    if (fn_str_is(fields[i].name, name)) return fields[i].value;
  }
  return fn_str_from("");
}

/* A path of ours: no other host ("//…"), nothing that a browser would take for one. */
static bool is_own_path(fn_str s) {
  if (s.length == 0 || s.length > 200 || s.data[0] != '/') return false;
  for (size_t i = 0; i < s.length; i++) {
    const char c = s.data[i];
    if (c <= ' ' || c > '~' || c == '\\' || (c == '/' && i == 1)) return false;
  }
  return true;
}

static fn_progress go_to(fn_exchange *x, fn_str path) {
  char location[256];
  snprintf(location, sizeof location, "%.*s", (int)path.length, path.data);
  fn_response_header(&x->response, "Location", location);
  fn_response_header(&x->response, "Cache-Control", "no-store");
  x->response.status = 303;
  return FN_EXCHANGE_DONE;
}

static fn_progress show(fn_exchange *x, int status, fn_str next, const char *problem) {
  fn_page_building page;
  fn_page_begin(&page, x, "signin", "Sign in");
  fn_json_str(&page.writer, "next", is_own_path(next) ? next : fn_str_from(""));
  fn_json_text(&page.writer, "problem", problem);
  return fn_page_end(&page, status, "signin");
}

fn_progress fn_handle_signin_page(fn_exchange *x) {
  return show(x, 200, fn_request_parameter(&x->request, "next"), "");
}

fn_progress fn_handle_signin(fn_exchange *x) {
  size_t n = 0;
  fn_auth *auth = fn_guard_auth(fn_server_guard(x->server));
  const fn_field *fields = fn_form_parse(&n, &x->arena, x->request.body);
  if (fields == NULL) return fn_exchange_fail(x, 422, "bad_form", "the form has more than 100 fields");
  const fn_str next = field_of(fields, n, "next");
  if (!fn_auth_sign_in(auth, x, fn_str_trim(field_of(fields, n, "key")))) {
    snprintf(x->code, sizeof x->code, "wrong_key");
    return show(x, 401, next, "This key is not known, or was revoked.");
  }
  return go_to(x, is_own_path(next) ? next : fn_str_from("./"));
}

fn_progress fn_handle_signout(fn_exchange *x) {
  fn_auth_sign_out(fn_guard_auth(fn_server_guard(x->server)), x);
  return go_to(x, fn_str_from("./"));
}
