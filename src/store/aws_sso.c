/* IAM Identity Center: `aws sso login` leaves a token, which is exchanged for keys of a role
 * (https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html). */
#include "store/aws_profile.h"
#include "store/when.h"

enum { MAX_CACHE = 1 << 18, MAX_VALUE = 4096 };

typedef struct sso {
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
    there = fn_aws_config_value(&s->url, aws, store, section, "sso_start_url") &&
            fn_aws_config_value(&s->region, aws, store, section, "sso_region");
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

/* The token that is kept under the SHA-1 of the session's name, or of the start page's address. */
static fn_status read_token(fn_buf *token, const sso *s, const fn_store *store, fn_err *err) {
  const char *home = store->options.environment ? store->options.environment->home : NULL;
  char digest[41], name[64], time[64];
  if (!home) return fn_err_set(err, FN_E_INVALID, "SSO: there is no home folder to look for a token in");
  FN_TRY(fn_digest_sha1(digest, fn_buf_str(s->session.length ? &s->session : &s->url), err));
  snprintf(name, sizeof name, ".aws/sso/cache/%s.json", digest);
  FN_AUTO_FREE char *path = fn_path_join(home, name);
  FN_AUTO_JSON json_t *value = NULL;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_CACHE);
  fn_json_error wrong;
  const char *held, *ends;
  int64_t ends_ms;
  if (!path) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(path)) return log_in(s, "nobody is signed in", err);
  FN_TRY(fn_file_read(&text, path, MAX_CACHE - 1, err));
  if (fn_json_read(&value, fn_buf_str(&text), 0, &wrong) != FN_OK || !json_is_object(value) ||
      fn_json_get_string(&held, value, "accessToken", "", path, NULL) != FN_OK || !*held ||
      fn_json_get_string(&ends, value, "expiresAt", "", path, NULL) != FN_OK)
    return fn_err_set(err, FN_E_INVALID, "%.300s holds no token", path);
  /* Older versions wrote "2020-06-10T19:09:03UTC". */
  const size_t n = strlen(ends);
  snprintf(time, sizeof time, "%s", ends);
  if (n > 3 && n < sizeof time && strcmp(time + n - 3, "UTC") == 0) memcpy(time + n - 3, "Z", 2);
  if (!fn_when_parse(&ends_ms, time) || ends_ms <= fn_clock_unix_ms())
    return log_in(s, "the SSO session has ended", err);
  fn_buf_append_str(token, held);
  return fn_buf_check(token, "a token", err);
}

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
  FN_AUTO_BUF fn_buf token, url;
  fn_buf_init(&token, 1 << 16), fn_buf_init(&url, FN_URL_MAX);
  FN_TRY(read_token(&token, s, store, err));
  FN_TRY(fn_aws_service_url(&url, store, "AWS_ENDPOINT_URL_SSO", "portal.sso", s->region.data, err));
  while (url.length && url.data[url.length - 1] == '/') url.data[--url.length] = 0;
  fn_buf_append_str(&url, "/federation/credentials");
  FN_TRY(fn_buf_check(&url, "an address", err));
  const fn_call_pair query[] = {{"role_name", s->role.data}, {"account_id", s->account.data}};
  const fn_call_pair secret = {"x-amz-sso_bearer_token", token.data};
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
  sso s = {.profile = profile};
  fn_buf *const all[] = {&s.session, &s.url, &s.region, &s.account, &s.role};
  for (size_t i = 0; i < FN_COUNT_OF(all); i++) fn_buf_init(all[i], MAX_VALUE);
  fn_status status = read_settings(used_out, &s, aws, store, err);
  if (status == FN_OK && *used_out) status = ask(found, &s, store, err);
  release(&s);
  return status == FN_OK ? FN_OK : fn_err_prefix(err, status, "profile %.100s", profile);
}
