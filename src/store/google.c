#include "store/google.h"

#include "base/base64.h"

enum { MAX_FILE = 1 << 20, REFRESH_MS = 300000 };
static const double METADATA_TIMEOUT_S = 2;

static void forget(fn_google *g) {
  free(g->token);
  g->token = NULL;
}

void fn_google_deinit(fn_google *g) {
  forget(g);
  free(g->source);
  free(g->project);
  free(g->quota_project);
  *g = (fn_google){0};
}

bool fn_google_token_forget(fn_google *g) {
  g->forgotten = g->forgotten || g->token; /* by another connection, just now */
  forget(g);
  return g->forgotten;
}

static fn_status replace(char **text, const char *value, fn_err *err) {
  free(*text);
  *text = value && *value ? fn_str_dup(fn_str_from(value)) : NULL;
  return *text || !value || !*value ? FN_OK : fn_err_no_memory(err, "credentials");
}

fn_status fn_google_set_token(fn_google *g, const char *token, int64_t expires_ms, fn_err *err) {
  FN_TRY(replace(&g->token, token, err));
  /* One of a short life serves half of it: the metadata server hands out what it has, for minutes at times. */
  const int64_t left_ms = expires_ms - fn_clock_unix_ms();
  g->renew_ms = expires_ms - (left_ms > 0 && left_ms < 2 * REFRESH_MS ? left_ms / 2 : REFRESH_MS);
  g->forgotten = false;
  return FN_OK;
}

/* {"access_token": …, "expires_in": seconds} */
fn_status fn_google_take_token(fn_google *g, const fn_call_answer *answer, fn_err *err) {
  FN_AUTO_JSON json_t *value = NULL;
  const char *token;
  int64_t seconds;
  const int64_t hour = 3600;
  if (fn_json_parse(&value, fn_buf_str(&answer->body), answer->url, NULL) != FN_OK ||
      fn_json_get_string(&token, value, "access_token", "", answer->url, NULL) != FN_OK || !*token ||
      fn_json_get_int(&seconds, value, "expires_in", 0, 1 << 30, &hour, answer->url, NULL) != FN_OK)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer without access_token and expires_in", answer->url);
  return fn_google_set_token(g, token, fn_clock_unix_ms() + seconds * 1000, err);
}

void fn_google_parameter(fn_buf *body, const char *name, const char *value) {
  fn_buf_printf(body, "%s%s=", body->length ? "&" : "", name);
  fn_url_encode(body, fn_str_from(value), "");
}

fn_status fn_google_ask(fn_google *g, fn_store *store, const fn_call_request *form, const fn_buf *body, fn_err *err) {
  static const fn_call_pair headers[] = {{"Content-Type", "application/x-www-form-urlencoded"}};
  FN_TRY(fn_buf_check(body, "a request", err));
  fn_call_request request = *form;
  request.method = "POST";
  request.headers = headers;
  request.n_headers = 1;
  request.body = fn_buf_str(body);
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  return fn_google_take_token(g, &answer, err);
}

/* ---- service accounts: a signed claim (RFC 7523) */

/* Base64 of RFC 4648, section 5, without padding. */
static void append_base64url(fn_buf *out, fn_str bytes) {
  const size_t from = out->length;
  fn_base64_encode(out, bytes);
  if (out->failed) return;
  for (size_t i = from; i < out->length; i++) {
    if (out->data[i] == '+') out->data[i] = '-';
    if (out->data[i] == '/') out->data[i] = '_';
  }
  while (out->length > from && out->data[out->length - 1] == '=') out->data[--out->length] = 0;
}

static fn_status make_claim(fn_buf *jwt, const json_t *file, const char *scope, const char *audience, const char *path,
                            fn_err *err) {
  const char *email, *key, *id;
  FN_TRY(fn_json_get_string(&email, file, "client_email", NULL, path, err));
  FN_TRY(fn_json_get_string(&key, file, "private_key", NULL, path, err));
  FN_TRY(fn_json_get_string(&id, file, "private_key_id", "", path, err));
  FN_AUTO_BUF fn_buf part, signature;
  fn_buf_init(&part, MAX_FILE), fn_buf_init(&signature, 4096);
  fn_json_writer w;
  fn_json_begin(&w, &part, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "alg", "RS256");
  fn_json_text(&w, "typ", "JWT");
  if (*id) fn_json_text(&w, "kid", id);
  fn_json_end(&w);
  append_base64url(jwt, fn_buf_str(&part));
  fn_buf_reset(&part);
  const int64_t now = fn_clock_unix_ms() / 1000;
  fn_json_begin(&w, &part, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "iss", email);
  fn_json_text(&w, "scope", scope);
  fn_json_text(&w, "aud", audience);
  fn_json_int(&w, "iat", now);
  fn_json_int(&w, "exp", now + 3600);
  fn_json_end(&w);
  fn_buf_append_char(jwt, '.');
  append_base64url(jwt, fn_buf_str(&part));
  FN_TRY(fn_buf_check(&part, path, err));
  FN_TRY(fn_buf_check(jwt, path, err));
  const fn_status status = fn_sign_rs256(&signature, fn_str_from(key), fn_buf_str(jwt), err);
  if (status != FN_OK) return fn_err_prefix(err, status, "%.300s: private_key", path);
  fn_buf_append_char(jwt, '.');
  append_base64url(jwt, fn_buf_str(&signature));
  return fn_buf_check(jwt, path, err);
}

static fn_status from_service_account(fn_google *g, fn_store *store, const json_t *file, const char *scope,
                                      const char *path, fn_err *err) {
  const char *url;
  FN_AUTO_BUF fn_buf jwt, body;
  fn_buf_init(&jwt, MAX_FILE), fn_buf_init(&body, 2 * MAX_FILE);
  FN_TRY(fn_json_get_string(&url, file, "token_uri", "https://oauth2.googleapis.com/token", path, err));
  FN_TRY(make_claim(&jwt, file, scope, url, path, err));
  fn_google_parameter(&body, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
  fn_google_parameter(&body, "assertion", jwt.data);
  const fn_call_request form = {.url = url, .secret_body = {jwt.data}};
  return fn_google_ask(g, store, &form, &body, err);
}

static fn_status from_user(fn_google *g, fn_store *store, const json_t *file, const char *path, fn_err *err) {
  const char *url, *id, *secret, *refresh;
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, MAX_FILE);
  FN_TRY(fn_json_get_string(&url, file, "token_uri", "https://oauth2.googleapis.com/token", path, err));
  FN_TRY(fn_json_get_string(&id, file, "client_id", NULL, path, err));
  FN_TRY(fn_json_get_string(&secret, file, "client_secret", NULL, path, err));
  FN_TRY(fn_json_get_string(&refresh, file, "refresh_token", NULL, path, err));
  fn_google_parameter(&body, "grant_type", "refresh_token");
  fn_google_parameter(&body, "client_id", id);
  fn_google_parameter(&body, "client_secret", secret);
  fn_google_parameter(&body, "refresh_token", refresh);
  const fn_call_request form = {.url = url, .secret_body = {refresh, secret}};
  return fn_google_ask(g, store, &form, &body, err);
}

static fn_status from_json(fn_google *g, fn_store *store, const json_t *file, const char *path, const char *scope,
                           fn_err *err);

/* A service account's token, got with that of the credentials inside. */
static fn_status from_impersonation(fn_google *g, fn_store *store, const json_t *file, const char *path,
                                    const char *scope, fn_err *err) {
  const json_t *source = json_object_get(file, "source_credentials");
  const char *kind = json_string_value(json_object_get(source, "type"));
  if (!json_is_object(source) || (kind && strcmp(kind, "impersonated_service_account") == 0))
    return fn_err_set(err, FN_E_INVALID,
                      "%.300s: source_credentials are those of a user, a service account or a "
                      "federation",
                      path);
  FN_TRY(from_json(g, store, source, path, FN_GOOGLE_CLOUD, err));
  return fn_google_impersonate(g, store, file, scope, path, err);
}

static fn_status from_json(fn_google *g, fn_store *store, const json_t *file, const char *path, const char *scope,
                           fn_err *err) {
  const char *kind;
  FN_TRY(fn_json_get_string(&kind, file, "type", "", path, err));
  if (strcmp(kind, "service_account") == 0) return from_service_account(g, store, file, scope, path, err);
  if (strcmp(kind, "authorized_user") == 0) return from_user(g, store, file, path, err);
  if (strcmp(kind, "external_account") == 0) return fn_google_from_external(g, store, file, scope, path, err);
  if (strcmp(kind, "impersonated_service_account") == 0) return from_impersonation(g, store, file, path, scope, err);
  if (strcmp(kind, "external_account_authorized_user") == 0)
    return fn_google_from_workforce_user(g, store, file, path, err);
  return fn_err_set(err, FN_E_INVALID,
                    "%.300s: credentials of type \"%.60s\"; service_account, authorized_user, external_account, "
                    "external_account_authorized_user and impersonated_service_account are known",
                    path, kind);
}

static fn_status from_file(fn_google *g, fn_store *store, const char *path, const char *scope, fn_err *err) {
  FN_AUTO_JSON json_t *file = NULL;
  FN_AUTO_BUF fn_buf text;
  const char *project, *quota;
  fn_json_error wrong;
  fn_buf_init(&text, MAX_FILE);
  FN_TRY(fn_file_read(&text, path, MAX_FILE - 1, err));
  /* A message of the JSON reader may not quote from the file: it says where only. */
  if (fn_json_read(&file, fn_buf_str(&text), 0, &wrong) != FN_OK || !json_is_object(file))
    return fn_err_set(err, FN_E_INVALID, "%.300s: no JSON of credentials", path);
  FN_TRY(fn_json_get_string(&project, file, "project_id", "", path, err));
  FN_TRY(fn_json_get_string(&quota, file, "quota_project_id", "", path, err));
  FN_TRY(replace(&g->project, project, err));
  FN_TRY(replace(&g->source, path, err));
  FN_TRY(from_json(g, store, file, path, scope, err));
  return replace(&g->quota_project, quota, err);
}

/* ---- the metadata server of Google's machines */

static fn_status ask_metadata(fn_call_answer *answer, fn_store *store, const char *path, fn_err *err) {
  static const fn_call_pair flavor[] = {{"Metadata-Flavor", "Google"}};
  const char *host = fn_store_variable(store, "GCE_METADATA_HOST");
  char url[1024];
  snprintf(url, sizeof url, "http://%.250s/computeMetadata/v1/%.600s", host ? host : "metadata.google.internal", path);
  const fn_call_request request = {
      .url = url, .headers = flavor, .n_headers = 1, .timeout_s = METADATA_TIMEOUT_S, .machine_service = true};
  /* Most machines have no such service: one short attempt, unless it was named. */
  return host ? fn_store_ask(answer, store, &request, err) : fn_call_run(answer, store->http, &request, err);
}

static fn_status from_metadata(fn_google *g, fn_store *store, const char *scope, fn_buf *tried, fn_err *err) {
  FN_AUTO_ANSWER fn_call_answer answer = {0}, project = {0};
  fn_str flavor;
  char path[400];
  snprintf(path, sizeof path, "instance/service-accounts/default/token?scopes=%.200s", scope);
  const fn_status reached = ask_metadata(&answer, store, path, err);
  if (reached == FN_E_CANCELLED || reached == FN_E_NO_MEMORY) return reached;
  const bool google =
      reached == FN_OK && fn_call_header(&flavor, &answer, "metadata-flavor") && fn_str_is(flavor, "Google");
  if (!google || answer.status == 404) {
    fn_buf_printf(tried, ", metadata server (%s)", google ? "no service account" : "no answer of Google's");
    return FN_OK;
  }
  const fn_call_request request = {.url = answer.url};
  FN_TRY(fn_call_check(&answer, &request, err));
  FN_TRY(replace(&g->source, "metadata server", err));
  FN_TRY(fn_google_take_token(g, &answer, err));
  if (!g->project && ask_metadata(&project, store, "project/project-id", NULL) == FN_OK && project.status == 200)
    FN_TRY(replace(&g->project, project.body.data, err));
  return FN_OK;
}

static char *gcloud_file(const fn_store *store) {
  const char *folder = fn_store_variable(store, "CLOUDSDK_CONFIG");
  const char *home = store->options.environment ? store->options.environment->home : NULL;
  if (folder) return fn_path_join(folder, "application_default_credentials.json");
  return home ? fn_path_join(home, ".config/gcloud/application_default_credentials.json") : NULL;
}

static fn_status look_up(fn_google *g, fn_store *store, const char *scope, fn_buf *tried, fn_err *err) {
  const char *named = fn_store_variable(store, "GOOGLE_APPLICATION_CREDENTIALS");
  if (named) {
    const fn_status status = from_file(g, store, named, scope, err);
    return status == FN_OK ? FN_OK : fn_err_prefix(err, status, "GOOGLE_APPLICATION_CREDENTIALS");
  }
  fn_buf_append_str(tried, "GOOGLE_APPLICATION_CREDENTIALS (not set)");
  FN_AUTO_FREE char *path = gcloud_file(store);
  if (path && fn_path_exists(path)) return from_file(g, store, path, scope, err);
  fn_buf_printf(tried, ", %.300s (no such file)", path ? path : "gcloud's file");
  const char *skip = fn_store_variable(store, "NO_GCE_CHECK");
  if (skip && fn_str_equal_nocase(fn_str_from(skip), fn_str_from("true")))
    return fn_buf_append_str(tried, ", metadata server (NO_GCE_CHECK)"), FN_OK;
  return from_metadata(g, store, scope, tried, err);
}

fn_status fn_google_token_get(fn_google *g, fn_store *store, const char *scope, fn_err *err) {
  if (g->token && fn_clock_unix_ms() > g->renew_ms) forget(g);
  if (g->token) return FN_OK;
  FN_AUTO_BUF fn_buf tried;
  fn_buf_init(&tried, 4096);
  const fn_status status = look_up(g, store, scope, &tried, err);
  if (status != FN_OK) return fn_store_no_credentials(store, status, "Google", err);
  if (g->token) return FN_OK;
  return fn_err_set(
      err, FN_E_INVALID,
      "%.200s: no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth "
      "application-default login`; tried: %.600s",
      store->uri, tried.data ? tried.data : "");
}
