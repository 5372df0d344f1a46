#include "serve/guard.h"

#include "serve/http_request.h"
#include "serve/limit.h"
#include "serve/proxy.h"
#include "serve/route.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_CLIENTS = 16384 };

struct fn_guard {
  const fn_serve_options *options;
  fn_networks trusted;
  fn_auth *auth;
  fn_limit *limit; /* NULL: none */
  atomic_ullong n_unauthorized, n_forbidden, n_limited, n_cross_site;
};

static fn_status check_origins(const fn_config_list *list, fn_err *err) {
  for (size_t i = 0; i < list->n; i++) {
    const char *origin = list->items[i], *host = strstr(origin, "://");
    if (strcmp(origin, "*") == 0) continue;
    if (host == NULL || host == origin || host[3] == '\0' || strpbrk(host + 3, "/ *,\r\n") != NULL)
      return fn_err_set(err, FN_E_INVALID,
                        "serve.cors_origins: \"%s\" is no origin, such as https://example.org, nor *", origin);
  }
  return FN_OK;
}

static fn_status fill(fn_guard *g, const fn_server_options *o, fn_err *err) {
  g->options = o->serve;
  FN_TRY(fn_networks_parse(&g->trusted, &o->serve->trusted_proxies, "serve.trusted_proxies", err));
  FN_TRY(check_origins(&o->serve->cors_origins, err));
  if (o->serve->rate_per_minute > 0) FN_TRY(fn_limit_create(&g->limit, o->serve->rate_per_minute, N_CLIENTS, err));
  return fn_auth_create(&g->auth, (fn_auth_mode)o->serve->auth, o->predictions, o->state_folder, err);
}

fn_status fn_guard_create(fn_guard **guard_out, const fn_server_options *options, fn_err *err) {
  fn_guard *g = fn_mem_calloc(1, sizeof *g);
  if (g == NULL) return fn_err_no_memory(err, "a server");
  const fn_status status = fill(g, options, err);
  if (status != FN_OK) {
    fn_guard_destroy(g);
    return status;
  }
  *guard_out = g;
  return FN_OK;
}

void fn_guard_destroy(fn_guard *g) {
  if (g == NULL) return;
  fn_auth_destroy(g->auth);
  fn_limit_destroy(g->limit);
  free(g);
}

fn_auth *fn_guard_auth(fn_guard *g) {
  return g->auth;
}

void fn_guard_get_stats(fn_guard_stats *out, fn_guard *g) {
  *out = (fn_guard_stats){atomic_load(&g->n_unauthorized), atomic_load(&g->n_forbidden), atomic_load(&g->n_limited),
                          atomic_load(&g->n_cross_site)};
}

/* ---- other origins */

static bool is_listed(const fn_guard *g, fn_str origin) {
  const fn_config_list *list = &g->options->cors_origins;
  for (size_t i = 0; i < list->n; i++) {
    if (strcmp(list->items[i], "*") == 0 || fn_str_is(origin, list->items[i])) return true;
  }
  return false;
}

static bool is_own(const fn_exchange *x, fn_str origin) {
  const fn_str host = fn_request_header(&x->request, "Host");
  for (size_t i = 0; i + 3 <= origin.length; i++) {
    if (memcmp(origin.data + i, "://", 3) == 0)
      return fn_str_equal_nocase(fn_str_make(origin.data + i + 3, origin.length - i - 3), host);
  }
  return false;
}

/* What a browser says of the page that a request comes from: ours, another, or nothing, as programs do. */
typedef enum site { SITE_UNKNOWN, SITE_OWN, SITE_OTHER } site;
static site site_of(const fn_guard *g, const fn_exchange *x) {
  const fn_str fetch = fn_request_header(&x->request, "Sec-Fetch-Site");
  const fn_str origin = fn_request_header(&x->request, "Origin");
  /* "null": a page without a referrer policy that tells more, or a frame in a box, which Sec-Fetch-Site tells apart */
  if (origin.data != NULL && !(fn_str_is(origin, "null") && fetch.data != NULL))
    return is_own(x, origin) || is_listed(g, origin) ? SITE_OWN : SITE_OTHER;
  if (fetch.data == NULL) return SITE_UNKNOWN;
  return fn_str_is(fetch, "same-origin") || fn_str_is(fetch, "none") ? SITE_OWN : SITE_OTHER;
}

static void list_methods(char out[80], unsigned methods) {
  static const char *const names[] = {"GET, HEAD", "POST", "DELETE", "PUT"};
  size_t n = 0;
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    if (methods & 1u << i) n += (size_t)snprintf(out + n, 80 - n, "%s, ", names[i]);
  }
  snprintf(out + n, 80 - n, "OPTIONS");
}

static fn_progress answer_options(const fn_guard *g, fn_exchange *x) {
  char methods[80];
  unsigned allowed = 0;
  if (fn_str_is(x->request.path, "*"))
    allowed = FN_METHOD_GET | FN_METHOD_POST | FN_METHOD_DELETE | FN_METHOD_PUT;
  else
    (void)fn_route_find(&allowed, &x->request);
  if (allowed == 0) return FN_EXCHANGE_PENDING; /* no such path: 404 */
  list_methods(methods, allowed);
  fn_response_header(&x->response, "Allow", methods);
  if (is_listed(g, fn_request_header(&x->request, "Origin")) &&
      fn_request_header(&x->request, "Access-Control-Request-Method").data != NULL) {
    fn_response_header(&x->response, "Access-Control-Allow-Methods", methods);
    fn_response_header(&x->response, "Access-Control-Allow-Headers",
                       "Authorization, Content-Type, Idempotency-Key, X-Api-Key, X-Request-Id");
    fn_response_header(&x->response, "Access-Control-Max-Age", "600");
  }
  x->response.status = 204;
  return FN_EXCHANGE_DONE;
}

fn_progress fn_guard_meet(fn_guard *g, fn_exchange *x) {
  fn_proxy_resolve(&x->request, &g->trusted);
  return x->request.method == FN_METHOD_OPTIONS ? answer_options(g, x) : FN_EXCHANGE_PENDING;
}

/* ---- who may ask */

/* A name that anybody may let point to this machine makes a foreign page look like one of ours; browsers tell it. */
static bool is_address_or_localhost(fn_str host) {
  fn_address address;
  const char *colon = host.length > 0 ? memchr(host.data, ':', host.length) : NULL;
  const fn_str name = colon != NULL ? fn_str_make(host.data, (size_t)(colon - host.data)) : host;
  return host.length == 0 || fn_str_equal_nocase(name, fn_str_from("localhost")) || fn_address_parse(&address, host);
}

/* Without keys everything is open but to change the model, which only this machine may. A proxy on this machine would
 * make everybody look like it: its headers give it away. */
static fn_role role_without_keys(const fn_exchange *x) {
  static const char *const told[] = {"X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"};
  fn_address address;
  for (size_t i = 0; i < FN_COUNT_OF(told); i++) {
    if (fn_request_header(&x->request, told[i]).data != NULL) return FN_ROLE_FEEDBACK;
  }
  const bool local = fn_address_parse(&address, fn_str_from(x->request.client)) && fn_address_is_loopback(&address) &&
                     is_address_or_localhost(fn_request_header(&x->request, "Host"));
  return local ? FN_ROLE_ADMIN : FN_ROLE_FEEDBACK;
}

static const char *role_name(fn_role role) {
  static const char *const names[] = {"none", "predict", "feedback", "admin"};
  return names[role];
}

static fn_progress limit_rate(fn_guard *g, fn_exchange *x) {
  unsigned seconds;
  fn_address address = {{0}};
  char text[16];
  fn_str client = fn_str_from(x->key_id);
  if (client.length == 0) {
    (void)fn_address_parse(&address, fn_str_from(x->request.client));
    address = fn_address_subscriber(&address);
    client = fn_str_make((const char *)address.bytes, sizeof address.bytes);
  }
  if (fn_limit_take(&seconds, g->limit, client, fn_clock_ns())) return FN_EXCHANGE_PENDING;
  atomic_fetch_add(&g->n_limited, 1);
  snprintf(text, sizeof text, "%u", seconds);
  fn_response_header(&x->response, "Retry-After", text);
  return fn_exchange_fail(x, 429, "rate_limited", "more than %lld requests in a minute (serve.rate_per_minute)",
                          (long long)g->options->rate_per_minute);
}

static fn_progress refuse(fn_guard *g, fn_exchange *x, bool wrong) {
  atomic_fetch_add(&g->n_unauthorized, 1);
  fn_response_header(&x->response, "WWW-Authenticate",
                     wrong ? "Bearer realm=\"fakenews\", error=\"invalid_token\"" : "Bearer realm=\"fakenews\"");
  return fn_exchange_fail(x, 401, wrong ? "wrong_key" : "no_key",
                          wrong ? "this key is not known, or was revoked"
                                : "a key is needed: Authorization: Bearer KEY, or X-Api-Key: KEY");
}

fn_progress fn_guard_admit(fn_guard *g, fn_exchange *x) {
  const bool operation = strcmp(x->route->tag, "operation") == 0;
  if (x->operation_only && !operation) return fn_exchange_fail(x, 404, "not_found", "only operation is served here");
  if (!x->operation_only && g->options->metrics_port > 0 && strcmp(x->route->path, "/metrics") == 0)
    return fn_exchange_fail(x, 404, "not_found", "metrics have a port of their own here (serve.metrics_port)");
  if (operation && x->route->role == FN_ROLE_NONE) return FN_EXCHANGE_PENDING; /* probes never wait, and never cost */
  const bool keys = fn_auth_is_on(g->auth);
  const fn_credential credential = keys ? fn_auth_identify(g->auth, x) : FN_CREDENTIAL_NONE;
  if (!keys) x->role = role_without_keys(x);
  x->by_cookie = credential == FN_CREDENTIAL_COOKIE;
  if (g->limit != NULL && limit_rate(g, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (x->role >= x->route->role) return FN_EXCHANGE_PENDING;
  if (keys && x->role == FN_ROLE_NONE) return refuse(g, x, credential == FN_CREDENTIAL_WRONG);
  atomic_fetch_add(&g->n_forbidden, 1);
  if (!keys)
    return fn_exchange_fail(x, 403, "forbidden", "without API keys this may be asked from the same machine alone");
  return fn_exchange_fail(x, 403, "forbidden", "this needs a key of role %s; yours has %s", role_name(x->route->role),
                          role_name(x->role));
}

/* ---- forms */

static bool has_token(fn_guard *g, const fn_exchange *x) {
  const fn_str type = fn_request_media_type(&x->request);
  if (fn_auth_csrf_matches(g->auth, x, fn_request_header(&x->request, "X-CSRF-Token"))) return true;
  if (!fn_str_equal_nocase(type, fn_str_from("application/x-www-form-urlencoded"))) return false;
  fn_arena arena;
  size_t n = 0;
  bool matches = false;
  fn_arena_init(&arena);
  const fn_field *fields = fn_form_parse(&n, &arena, x->request.body);
  for (size_t i = 0; fields != NULL && i < n; i++)
    matches |= fn_str_is(fields[i].name, "csrf") && fn_auth_csrf_matches(g->auth, x, fields[i].value);
  fn_arena_deinit(&arena);
  return matches;
}

fn_progress fn_guard_admit_body(fn_guard *g, fn_exchange *x) {
  if (x->request.method == FN_METHOD_GET) return FN_EXCHANGE_PENDING;
  const site from = site_of(g, x);
  const bool by_key = x->key_id[0] != '\0' && !x->by_cookie; /* no browser sends that by itself */
  const bool signs = strcmp(x->route->tag, "sign-in") == 0;
  if (by_key) return FN_EXCHANGE_PENDING;
  if (from == SITE_OTHER) {
    atomic_fetch_add(&g->n_cross_site, 1);
    return fn_exchange_fail(x, 403, "cross_site", "pages of other sites may not ask (serve.cors_origins)");
  }
  if (!x->by_cookie && !(signs && fn_auth_is_on(g->auth))) return FN_EXCHANGE_PENDING;
  /* An upload is read in pieces: there the browser's word, which no page can forge, takes the token's place. */
  const bool is_upload = x->route->body == FN_BODY_UPLOAD && from == SITE_OWN;
  if (has_token(g, x) || is_upload) return FN_EXCHANGE_PENDING;
  atomic_fetch_add(&g->n_cross_site, 1);
  return fn_exchange_fail(x, 403, "no_token", "the page is too old: load it again (X-CSRF-Token, or the form's csrf)");
}

/* ---- headers of every answer */

static bool has_header(const fn_response *r, const char *name) {
  const size_t n = strlen(name);
  const fn_str all = fn_buf_str(&r->headers);
  for (size_t at = 0; at + n < all.length;) {
    if (all.data[at + n] == ':' && memcmp(all.data + at, name, n) == 0) return true;
    const char *end = memchr(all.data + at, '\n', all.length - at);
    if (end == NULL) return false;
    at = (size_t)(end - all.data) + 1;
  }
  return false;
}

static void add(fn_response *r, const char *name, const char *value) {
  if (!has_header(r, name)) fn_response_header(r, name, value);
}

void fn_guard_finish(fn_guard *g, fn_exchange *x) {
  fn_response *r = &x->response;
  const bool page = r->content_type != NULL && strncmp(r->content_type, "text/html", 9) == 0;
  const fn_str origin = fn_request_header(&x->request, "Origin");
  const bool listed = origin.length > 0 && origin.length < 256 && is_listed(g, origin);
  add(r, "X-Content-Type-Options", "nosniff");
  add(r, "Referrer-Policy", "no-referrer");
  add(r, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  add(r, "Cross-Origin-Resource-Policy", listed ? "cross-origin" : "same-origin");
  if (page) add(r, "Cross-Origin-Opener-Policy", "same-origin");
  if (page) add(r, "X-Frame-Options", "DENY");
  if (x->request.is_secure) add(r, "Strict-Transport-Security", "max-age=31536000");
  if (x->key_id[0] != '\0') add(r, "Cache-Control", "no-store");
  if (g->options->cors_origins.n > 0) add(r, "Vary", "Origin");
  if (!listed) return;
  char value[257];
  snprintf(value, sizeof value, "%.*s", (int)origin.length, origin.data);
  add(r, "Access-Control-Allow-Origin", value);
  add(r, "Access-Control-Expose-Headers", "Idempotency-Replayed, Retry-After, X-Request-Id");
}
