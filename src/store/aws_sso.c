/* IAM Identity Center: `aws sso login` leaves a token, which is refreshed when it ends and exchanged for keys of a
 * role (https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html). */
#include "store/aws_profile.h"
#include "store/when.h"

enum { MAX_CACHE = 1 << 18, MAX_VALUE = 4096, MAX_SECONDS = 366 * 86400 };
static const int64_t WINDOW_MS = 900000; /* a token that ends sooner is refreshed: as botocore does it */

static const fn_aws_service oidc = {"AWS_ENDPOINT_URL_SSO_OIDC", "sso_oidc", "oidc"},
                            portal = {"AWS_ENDPOINT_URL_SSO", "sso", "portal.sso"};

typedef struct sso {
  fn_aws *aws;
  const char *profile;
  fn_buf session, url, region, account, role; /* session: "" in the older form */
} sso;

static void release(sso *s) {
  fn_buf *const all[] = {&s->session, &s->url, &s->region, &s->account, &s->role};
  for (size_t i = 0; i < FN_COUNT_OF(all); i++) fn_buf_deinit(all[i]);
}

static fn_status read_settings(bool *used_out, sso *s, fn_aws *aws, fn_store *store, fn_err *err) {
  const bool has_account = fn_aws_profile_value(&s->account, aws, store, s->profile, "sso_account_id");
  const bool has_role = fn_aws_profile_value(&s->role, aws, store, s->profile, "sso_role_name");
  *used_out = has_account || has_role;
  if (!*used_out) return FN_OK;
  bool there;
  if (fn_aws_profile_value(&s->session, aws, store, s->profile, "sso_session")) {
    char section[300];
    snprintf(section, sizeof section, "sso-session %.250s", s->session.data);
    there = fn_aws_config_value(&s->url, aws, store, section, NULL, "sso_start_url") &&
            fn_aws_config_value(&s->region, aws, store, section, NULL, "sso_region");
    if (!there)
      return fn_err_set(err, FN_E_INVALID, "[%.100s] of ~/.aws/config needs sso_start_url and sso_region", section);
  } else {
    there = fn_aws_profile_value(&s->url, aws, store, s->profile, "sso_start_url") &&
            fn_aws_profile_value(&s->region, aws, store, s->profile, "sso_region");
  }
  if (!there || !has_account || !has_role)
    return fn_err_set(err, FN_E_INVALID,
                      "SSO needs sso_account_id, sso_role_name and sso_session (or sso_start_url and sso_region)");
  if (strspn(s->region.data, "abcdefghijklmnopqrstuvwxyz0123456789-") != s->region.length)
    return fn_err_set(err, FN_E_INVALID, "sso_region \"%.60s\" is no region", s->region.data);
  return FN_OK;
}

static fn_status log_in(const sso *s, const char *why, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID, "%s: run `aws sso login --profile %.100s`", why, s->profile);
}

/* ---- the token of `aws sso login` */

typedef struct sso_token {
  char *path;    /* of the file that keeps it */
  json_t *value; /* its content */
  int64_t ends_ms;
} sso_token;

static void release_token(sso_token *t) {
  free(t->path);
  json_decref(t->value);
  *t = (sso_token){0};
}

static const char *text_of(const sso_token *t, const char *key) {
  const char *text = json_string_value(json_object_get(t->value, key));
  return text && *text ? text : NULL;
}

/* Older versions wrote "2020-06-10T19:09:03UTC". */
static bool read_time(int64_t *unix_ms_out, const char *text) {
  char time[64];
  const size_t n = text ? strlen(text) : 0;
  snprintf(time, sizeof time, "%s", text ? text : "");
  if (n > 3 && n < sizeof time && strcmp(time + n - 3, "UTC") == 0) memcpy(time + n - 3, "Z", 2);
  return fn_when_parse(unix_ms_out, time);
}

/* What the file holds now. */
static fn_status load_token(sso_token *t, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_CACHE);
  fn_json_error wrong;
  json_t *value = NULL;
  FN_TRY(fn_file_read(&text, t->path, MAX_CACHE - 1, err));
  const fn_status status = fn_json_read(&value, fn_buf_str(&text), 0, &wrong);
  json_decref(t->value);
  t->value = value;
  if (status != FN_OK || !text_of(t, "accessToken") || !text_of(t, "expiresAt"))
    return fn_err_set(err, FN_E_INVALID, "%.300s holds no token", t->path);
  if (!read_time(&t->ends_ms, text_of(t, "expiresAt"))) t->ends_ms = 0;
  return FN_OK;
}

/* It is kept under the SHA-1 of the session's name, or of the start page's address. */
static fn_status find_token(sso_token *t, const sso *s, const fn_store *store, fn_err *err) {
  const char *home = store->options.environment ? store->options.environment->home : NULL;
  char digest[41], name[64];
  if (!home) return fn_err_set(err, FN_E_INVALID, "SSO: there is no home folder to look for a token in");
  FN_TRY(fn_digest_sha1(digest, fn_buf_str(s->session.length ? &s->session : &s->url), err));
  snprintf(name, sizeof name, ".aws/sso/cache/%s.json", digest);
  t->path = fn_path_join(home, name);
  if (!t->path) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(t->path)) return log_in(s, "nobody is signed in", err);
  return load_token(t, err);
}

/* ---- a new one for an old one
 * (https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html) */

/* Whether the file has all that it takes: one of the older form has not, nor one whose registration has ended. */
static bool can_refresh(const sso_token *t) {
  int64_t ends_ms;
  return text_of(t, "refreshToken") && text_of(t, "clientId") && text_of(t, "clientSecret") &&
         read_time(&ends_ms, text_of(t, "registrationExpiresAt")) && ends_ms > fn_clock_unix_ms();
}

static fn_status ask_refresh(fn_call_answer *answer, const sso_token *t, const sso *s, fn_store *store, fn_err *err) {
  FN_AUTO_BUF fn_buf url, body;
  fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&body, 2 * MAX_CACHE);
  fn_json_writer w;
  FN_TRY(fn_aws_service_url(&url, s->aws, store, &oidc, s->region.data, err));
  while (url.length && url.data[url.length - 1] == '/') url.data[--url.length] = 0;
  fn_buf_append_str(&url, "/token");
  fn_json_begin(&w, &body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "grantType", "refresh_token");
  fn_json_text(&w, "clientId", text_of(t, "clientId"));
  fn_json_text(&w, "clientSecret", text_of(t, "clientSecret"));
  fn_json_text(&w, "refreshToken", text_of(t, "refreshToken"));
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&url, "an address", err));
  FN_TRY(fn_buf_check(&body, "a request", err));
  static const fn_call_pair headers[] = {{"Content-Type", "application/json"}};
  const fn_call_request request = {.method = "POST",
                                   .url = url.data,
                                   .headers = headers,
                                   .n_headers = 1,
                                   .body = fn_buf_str(&body),
                                   .secret_body = {text_of(t, "clientSecret"), text_of(t, "refreshToken")}};
  FN_TRY(fn_store_ask(answer, store, &request, err));
  return fn_call_check(answer, &request, err);
}

/* The answer into t, which is as before on failure. */
static fn_status take_refreshed(sso_token *t, const sso *s, const fn_call_answer *answer, fn_err *err) {
  FN_AUTO_JSON json_t *value = NULL;
  if (fn_json_parse(&value, fn_buf_str(&answer->body), answer->url, NULL) != FN_OK)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer that is no JSON", answer->url);
  json_t *access = json_object_get(value, "accessToken"), *again = json_object_get(value, "refreshToken");
  const int64_t seconds = json_integer_value(json_object_get(value, "expiresIn"));
  if (!json_string_length(access) || seconds <= 0 || seconds > MAX_SECONDS)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer without a token", answer->url);
  char ends[21];
  t->ends_ms = fn_clock_unix_ms() + seconds * 1000;
  fn_clock_format(ends, t->ends_ms);
  const bool stands = json_object_set(t->value, "accessToken", access) == 0 &&
                      json_object_set_new(t->value, "expiresAt", json_string(ends)) == 0 &&
                      json_object_set_new(t->value, "startUrl", json_string(s->url.data)) == 0 &&
                      json_object_set_new(t->value, "region", json_string(s->region.data)) == 0 &&
                      (!json_string_length(again) || json_object_set(t->value, "refreshToken", again) == 0);
  return stands ? FN_OK : fn_err_no_memory(err, "a token");
}

/* For the AWS command line and the next call. One that cannot be kept (a home that is only read) serves this one. */
static void keep_token(const sso_token *t, const fn_store *store) {
  FN_AUTO_FREE char *text = json_dumps(t->value, JSON_COMPACT);
  fn_err why = {0};
  char note[1200];
  if (text && fn_file_write_private(t->path, text, strlen(text), &why) == FN_OK) return;
  snprintf(note, sizeof note, "the refreshed SSO token is not kept: %s", text ? why.message : "memory is short");
  if (fn_store_tell(store, (fn_download_event){.kind = FN_DOWNLOAD_NOTE, .text = note, .total = -1}, NULL) != FN_OK)
    return; /* the request that follows asks again, and stops */
}

/* Leaves t as it is where it is still good, or as another process left it. */
static fn_status refresh(sso_token *t, const sso *s, fn_store *store, fn_err *err) {
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  fn_err why = {0};
  const int64_t ended_ms = t->ends_ms;
  fn_status status = ask_refresh(&answer, t, s, store, &why);
  if (status == FN_OK) status = take_refreshed(t, s, &answer, &why);
  if (status == FN_OK) {
    keep_token(t, store);
    return FN_OK;
  }
  if (status == FN_E_CANCELLED || status == FN_E_NO_MEMORY) return fn_err_set(err, status, "%s", why.message);
  /* A refresh token serves once: who was faster has left the next one. */
  FN_TRY(load_token(t, err));
  if (t->ends_ms > ended_ms || t->ends_ms > fn_clock_unix_ms()) return FN_OK;
  if (answer.status >= 400 && answer.status < 500 && !answer.retry) return log_in(s, "the SSO session has ended", err);
  return fn_err_set(err, status, "the SSO session cannot be refreshed: %.800s", why.message);
}

static fn_status get_token(sso_token *t, const sso *s, fn_store *store, fn_err *err) {
  FN_TRY(find_token(t, s, store, err));
  const bool soon_ends = t->ends_ms - fn_clock_unix_ms() < WINDOW_MS;
  if (soon_ends && s->session.length && can_refresh(t)) FN_TRY(refresh(t, s, store, err));
  return t->ends_ms > fn_clock_unix_ms() ? FN_OK : log_in(s, "the SSO session has ended", err);
}

/* ---- keys for the token */

static fn_status read_keys(fn_aws_found *found, const fn_call_answer *answer, fn_err *err) {
  FN_AUTO_JSON json_t *value = NULL;
  if (fn_json_parse(&value, fn_buf_str(&answer->body), answer->url, NULL) != FN_OK)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer that is no JSON", answer->url);
  const json_t *keys = json_object_get(value, "roleCredentials");
  const char *id = json_string_value(json_object_get(keys, "accessKeyId"));
  const char *secret = json_string_value(json_object_get(keys, "secretAccessKey"));
  const char *token = json_string_value(json_object_get(keys, "sessionToken"));
  const json_t *ends = json_object_get(keys, "expiration");
  if (!id || !secret || !token || !json_is_integer(ends))
    return fn_err_set(err, FN_E_IO, "%.300s: an answer without keys", answer->url);
  return fn_aws_found_set(found, id, secret, token, json_integer_value(ends), err);
}

static fn_status ask(fn_aws_found *found, const sso *s, fn_store *store, fn_err *err) {
  FN_CLEANUP(release_token) sso_token t = {0};
  FN_AUTO_BUF fn_buf url;
  fn_buf_init(&url, FN_URL_MAX);
  FN_TRY(get_token(&t, s, store, err));
  FN_TRY(fn_aws_service_url(&url, s->aws, store, &portal, s->region.data, err));
  while (url.length && url.data[url.length - 1] == '/') url.data[--url.length] = 0;
  fn_buf_append_str(&url, "/federation/credentials");
  FN_TRY(fn_buf_check(&url, "an address", err));
  const fn_call_pair query[] = {{"role_name", s->role.data}, {"account_id", s->account.data}};
  const fn_call_pair secret = {"x-amz-sso_bearer_token", text_of(&t, "accessToken")};
  const fn_call_request request = {
      .url = url.data, .query = query, .n_query = 2, .secret_headers = &secret, .n_secret_headers = 1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  if (answer.status == 401) return log_in(s, "the SSO session is no longer valid", err);
  FN_TRY(fn_call_check(&answer, &request, err));
  return read_keys(found, &answer, err);
}

fn_status fn_aws_from_sso(bool *used_out, fn_aws_found *found, fn_aws *aws, fn_store *store, const char *profile,
                          fn_err *err) {
  sso s = {.aws = aws, .profile = profile};
  fn_buf *const all[] = {&s.session, &s.url, &s.region, &s.account, &s.role};
  for (size_t i = 0; i < FN_COUNT_OF(all); i++) fn_buf_init(all[i], MAX_VALUE);
  fn_status status = read_settings(used_out, &s, aws, store, err);
  if (status == FN_OK && *used_out) status = ask(found, &s, store, err);
  release(&s);
  return status == FN_OK ? FN_OK : fn_err_prefix(err, status, "profile %.100s", profile);
}
