/* Tokens of others for tokens of Google: workload identity federation (https://google.aip.dev/auth/4117: a token from a
 * file or an address is exchanged, RFC 8693), and impersonation of a service account
 * (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken). */
#include "store/google.h"
#include "store/when.h"

enum { MAX_SUBJECT = 1 << 18, MAX_HEADERS = 8 };

/* ---- the token of the other side */

/* What a file or an answer holds: the token itself, or a field of JSON. Messages do not quote it. */
static fn_status take_subject(fn_buf *out, fn_str text, const json_t *format, const char *where, fn_err *err) {
  const char *kind = json_string_value(json_object_get(format, "type"));
  if (!kind || strcmp(kind, "text") == 0) {
    text = fn_str_trim(text);
    fn_buf_append(out, text.data, text.length);
  } else {
    FN_AUTO_JSON json_t *value = NULL;
    fn_json_error wrong;
    const char *field = json_string_value(json_object_get(format, "subject_token_field_name"));
    const bool read = fn_json_read(&value, text, 0, &wrong) == FN_OK && field;
    const char *token = read ? json_string_value(json_object_get(value, field)) : NULL;
    if (!token)
      return fn_err_set(err, FN_E_INVALID, "%.300s: no JSON with the text \"%.60s\"", where, field ? field : "");
    fn_buf_append_str(out, token);
  }
  if (out->length == 0) return fn_err_set(err, FN_E_INVALID, "%.300s holds no token", where);
  return fn_buf_check(out, "a token", err);
}

static fn_status ask_address(fn_buf *out, fn_store *store, const char *url, const json_t *source, fn_err *err) {
  fn_call_pair headers[MAX_HEADERS];
  size_t n = 0;
  const char *name;
  json_t *value, *given = json_object_get(source, "headers");
  json_object_foreach(given, name, value) {
    if (n == MAX_HEADERS || !json_is_string(value))
      return fn_err_set(err, FN_E_INVALID, "credential_source.headers: at most %d texts are taken", MAX_HEADERS);
    headers[n++] = (fn_call_pair){name, json_string_value(value)};
  }
  /* The machine's own service speaks plain http. */
  const fn_call_request request = {.url = url,
                                   .secret_headers = headers,
                                   .n_secret_headers = n,
                                   .machine_service = strncmp(url, "http://169.254.169.254/", 23) == 0};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  return take_subject(out, fn_buf_str(&answer.body), json_object_get(source, "format"), answer.url, err);
}

static fn_status find_subject(fn_buf *out, fn_store *store, const json_t *file, const char *path, fn_err *err) {
  const json_t *source = json_object_get(file, "credential_source");
  const char *from = json_string_value(json_object_get(source, "file"));
  const char *url = json_string_value(json_object_get(source, "url"));
  if (json_object_get(source, "environment_id") || json_object_get(source, "executable") ||
      json_object_get(source, "certificate"))
    return fn_err_set(
        err, FN_E_UNSUPPORTED,
        "%.300s: credential_source of AWS, of a program or of a certificate is not followed; \"file\" and "
        "\"url\" are",
        path);
  if (url) return ask_address(out, store, url, source, err);
  if (!from) return fn_err_set(err, FN_E_INVALID, "%.300s: credential_source has no \"file\" and no \"url\"", path);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_SUBJECT);
  FN_TRY(fn_file_read(&text, from, MAX_SUBJECT - 1, err));
  const fn_status status = take_subject(out, fn_buf_str(&text), json_object_get(source, "format"), from, err);
  if (text.data) memset(text.data, 0, text.length);
  return status;
}

/* ---- exchange */

static fn_status exchange(fn_google *g, fn_store *store, const json_t *file, const char *subject, const char *scope,
                          const char *path, fn_err *err) {
  const char *url, *audience, *kind, *id, *secret, *payer;
  FN_TRY(fn_json_get_string(&url, file, "token_url", "https://sts.googleapis.com/v1/token", path, err));
  FN_TRY(fn_json_get_string(&audience, file, "audience", NULL, path, err));
  FN_TRY(fn_json_get_string(&kind, file, "subject_token_type", NULL, path, err));
  FN_TRY(fn_json_get_string(&id, file, "client_id", "", path, err));
  FN_TRY(fn_json_get_string(&secret, file, "client_secret", "", path, err));
  FN_TRY(fn_json_get_string(&payer, file, "workforce_pool_user_project", "", path, err));
  FN_AUTO_BUF fn_buf body, options;
  fn_buf_init(&body, 4 * MAX_SUBJECT), fn_buf_init(&options, 4096);
  fn_google_parameter(&body, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
  fn_google_parameter(&body, "audience", audience);
  fn_google_parameter(&body, "scope", scope);
  fn_google_parameter(&body, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
  fn_google_parameter(&body, "subject_token", subject);
  fn_google_parameter(&body, "subject_token_type", kind);
  if (*payer && !*id) {
    fn_json_writer w;
    fn_json_begin(&w, &options, 0);
    fn_json_object(&w, NULL);
    fn_json_text(&w, "userProject", payer);
    fn_json_end(&w);
    FN_TRY(fn_buf_check(&options, path, err));
    fn_google_parameter(&body, "options", options.data);
  }
  fn_call_request request = {.url = url, .secret_body = {subject}};
  if (*id) request.credentials = (fn_http_credentials){.user = id, .password = secret};
  return fn_google_ask(g, store, &request, &body, err);
}

/* A user who signed in by workforce identity federation: `gcloud auth application-default login` with a login
 * configuration. */
fn_status fn_google_from_workforce_user(fn_google *g, fn_store *store, const json_t *file, const char *path,
                                        fn_err *err) {
  const char *url, *id, *secret, *refresh;
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, MAX_SUBJECT);
  FN_TRY(fn_json_get_string(&url, file, "token_url", "https://sts.googleapis.com/v1/oauthtoken", path, err));
  FN_TRY(fn_json_get_string(&id, file, "client_id", NULL, path, err));
  FN_TRY(fn_json_get_string(&secret, file, "client_secret", NULL, path, err));
  FN_TRY(fn_json_get_string(&refresh, file, "refresh_token", NULL, path, err));
  fn_google_parameter(&body, "grant_type", "refresh_token");
  fn_google_parameter(&body, "refresh_token", refresh);
  const fn_call_request request = {
      .url = url, .credentials = {.user = id, .password = secret}, .secret_body = {refresh}};
  return fn_google_ask(g, store, &request, &body, err);
}

fn_status fn_google_impersonate(fn_google *g, fn_store *store, const json_t *file, const char *scope, const char *path,
                                fn_err *err) {
  const char *url;
  const int64_t hour = 3600;
  int64_t seconds, ends_ms;
  FN_TRY(fn_json_get_string(&url, file, "service_account_impersonation_url", NULL, path, err));
  FN_TRY(fn_json_get_int(&seconds, json_object_get(file, "service_account_impersonation"), "token_lifetime_seconds",
                         600, 43200, &hour, path, err));
  FN_AUTO_BUF fn_buf body, bearer;
  fn_buf_init(&body, 1 << 14), fn_buf_init(&bearer, 1 << 16);
  char lifetime[32];
  fn_json_writer w;
  size_t i;
  json_t *name;
  snprintf(lifetime, sizeof lifetime, "%llds", (long long)seconds);
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  fn_json_array(&w, "delegates");
  json_array_foreach(json_object_get(file, "delegates"), i, name) {
    if (json_is_string(name)) fn_json_text(&w, NULL, json_string_value(name));
  }
  fn_json_end(&w);
  fn_json_array(&w, "scope");
  fn_json_text(&w, NULL, scope);
  fn_json_end(&w);
  fn_json_text(&w, "lifetime", lifetime);
  fn_json_end(&w);
  fn_buf_append_str(&bearer, g->token);
  FN_TRY(fn_buf_check(&body, path, err));
  FN_TRY(fn_buf_check(&bearer, "a token", err));
  static const fn_call_pair headers[] = {{"Content-Type", "application/json"}};
  const fn_call_request request = {.method = "POST",
                                   .url = url,
                                   .headers = headers,
                                   .n_headers = 1,
                                   .credentials = {.bearer = bearer.data},
                                   .body = fn_buf_str(&body)};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_AUTO_JSON json_t *value = NULL;
  const char *token, *ends;
  (void)fn_google_token_forget(g); /* that of the other account is no token for the bucket */
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  if (fn_json_parse(&value, fn_buf_str(&answer.body), answer.url, NULL) != FN_OK ||
      fn_json_get_string(&token, value, "accessToken", "", answer.url, NULL) != FN_OK || !*token ||
      fn_json_get_string(&ends, value, "expireTime", "", answer.url, NULL) != FN_OK || !fn_when_parse(&ends_ms, ends))
    return fn_err_set(err, FN_E_IO, "%.300s: an answer without accessToken and expireTime", answer.url);
  return fn_google_set_token(g, token, ends_ms, err);
}

fn_status fn_google_from_external(fn_google *g, fn_store *store, const json_t *file, const char *scope,
                                  const char *path, fn_err *err) {
  const bool impersonates = json_object_get(file, "service_account_impersonation_url") != NULL;
  FN_AUTO_BUF fn_buf subject;
  fn_buf_init(&subject, MAX_SUBJECT);
  FN_TRY(find_subject(&subject, store, file, path, err));
  const fn_status status = exchange(g, store, file, subject.data, impersonates ? FN_GOOGLE_CLOUD : scope, path, err);
  memset(subject.data, 0, subject.length);
  if (status != FN_OK || !impersonates) return status;
  return fn_google_impersonate(g, store, file, scope, path, err);
}
