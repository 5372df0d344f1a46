#include "store/aws_remote.h"

#include "store/sigv4.h"
#include "store/when.h"
#include "store/xml.h"

static const double METADATA_TIMEOUT_S = 2;
enum { MAX_TOKEN = 1 << 16 };

void fn_aws_found_deinit(fn_aws_found *found) {
  free(found->id);
  free(found->secret);
  free(found->token);
  *found = (fn_aws_found){0};
}

fn_status fn_aws_found_set(fn_aws_found *found, const char *id, const char *secret, const char *token,
                           int64_t expires_ms, fn_err *err) {
  fn_aws_found_deinit(found);
  found->id = fn_str_dup(fn_str_from(id));
  found->secret = fn_str_dup(fn_str_from(secret));
  found->token = fn_str_dup(fn_str_from(token));
  found->expires_ms = expires_ms;
  if (found->id && found->secret && found->token) return FN_OK;
  fn_aws_found_deinit(found);
  return fn_err_no_memory(err, "credentials");
}

static fn_status keep(fn_aws_found *found, const char *id, const char *secret, const char *token, const char *expires,
                      const char *who, fn_err *err) {
  int64_t expires_ms;
  if (!id || !*id || !secret || !*secret)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer without AccessKeyId and SecretAccessKey", who);
  /* Without a time they are asked for again after an hour. */
  if (!fn_when_parse(&expires_ms, expires ? expires : "")) expires_ms = fn_clock_unix_ms() + 3600000;
  return fn_aws_found_set(found, id, secret, token ? token : "", expires_ms, err);
}

bool fn_aws_clock_of(int64_t *skew_ms_out, const fn_call_answer *answer) {
  enum { SAME_MS = 60000 };
  fn_str date;
  int64_t there_ms;
  if (!fn_call_header(&date, answer, "date") || !fn_when_parse_http(&there_ms, date)) return false;
  *skew_ms_out = there_ms - fn_clock_unix_ms();
  return *skew_ms_out > SAME_MS || *skew_ms_out < -SAME_MS;
}

/* What editors put behind a token. */
static void trim_end(fn_buf *text) {
  while (text->length && strchr("\r\n\t ", text->data[text->length - 1])) text->data[--text->length] = 0;
}

/* ---- STS */

static void append_parameter(fn_buf *body, const char *name, const char *value) {
  fn_buf_printf(body, "%s%s=", body->length ? "&" : "", name);
  fn_url_encode(body, fn_str_from(value), "");
}

static fn_status read_sts(fn_aws_found *found, fn_str xml, const char *who, fn_err *err) {
#define AT "*/*/Credentials/"
  FN_AUTO_BUF fn_buf id, secret, token, expires;
  fn_buf_init(&id, MAX_TOKEN), fn_buf_init(&secret, MAX_TOKEN);
  fn_buf_init(&token, MAX_TOKEN), fn_buf_init(&expires, MAX_TOKEN);
  (void)fn_xml_find(&id, xml, AT "AccessKeyId");
  (void)fn_xml_find(&secret, xml, AT "SecretAccessKey");
  (void)fn_xml_find(&token, xml, AT "SessionToken");
  (void)fn_xml_find(&expires, xml, AT "Expiration");
#undef AT
  return keep(found, id.data, secret.data, token.data, expires.data, who, err);
}

fn_status fn_aws_from_web_identity(fn_aws_found *found, fn_store *store, const fn_aws_identity *identity, fn_err *err) {
  FN_AUTO_BUF fn_buf token, body;
  fn_buf_init(&token, MAX_TOKEN), fn_buf_init(&body, 4 * MAX_TOKEN);
  fn_status status = fn_file_read(&token, identity->file, MAX_TOKEN - 1, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "AWS_WEB_IDENTITY_TOKEN_FILE");
  trim_end(&token);
  if (token.length == 0)
    return fn_err_set(err, FN_E_INVALID, "AWS_WEB_IDENTITY_TOKEN_FILE: %.300s is empty", identity->file);
  append_parameter(&body, "Action", "AssumeRoleWithWebIdentity");
  append_parameter(&body, "Version", "2011-06-15");
  append_parameter(&body, "RoleArn", identity->role);
  append_parameter(&body, "RoleSessionName", identity->session ? identity->session : "fakenews");
  append_parameter(&body, "WebIdentityToken", token.data);
  FN_TRY(fn_buf_check(&body, "a request", err));
  static const fn_call_pair headers[] = {{"Content-Type", "application/x-www-form-urlencoded"}};
  const fn_call_request request = {.method = "POST",
                                   .url = identity->url,
                                   .headers = headers,
                                   .n_headers = 1,
                                   .body = fn_buf_str(&body),
                                   .secret_body = {token.data}};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  return read_sts(found, fn_buf_str(&answer.body), answer.url, err);
}

/* Signs a POST of a form as STS wants it, with keys of somebody else. */
static fn_status sign_form(fn_call_pair headers[2], fn_call_pair secrets[2], fn_buf *authorization, char time[17],
                           const fn_url *url, const fn_buf *body, const fn_aws_role *role, const fn_aws_found *keys,
                           fn_err *err) {
  const bool usual = url->port == (url->scheme == FN_URL_HTTPS ? 443 : 80);
  char host[512];
  fn_sums sums;
  snprintf(host, sizeof host, usual ? "%.400s" : "%.400s:%d", url->host, url->port);
  FN_TRY(fn_sums_bytes(&sums, fn_buf_str(body), FN_SUM_SHA256, err));
  fn_sigv4_time(time, fn_clock_unix_ms() + *role->skew_ms);
  headers[0] = (fn_call_pair){"Content-Type", "application/x-www-form-urlencoded"};
  headers[1] = (fn_call_pair){"X-Amz-Date", time};
  const fn_call_pair all[] = {
      {"content-type", headers[0].value}, {"host", host}, {"x-amz-date", time}, {"x-amz-security-token", keys->token}};
  const fn_sigv4 r = {.method = "POST",
                      .path = url->path,
                      .headers = all,
                      .n_headers = *keys->token ? 4 : 3,
                      .payload_sha256 = sums.sha256,
                      .region = role->region,
                      .service = "sts",
                      .time = time};
  const fn_aws_keys signer = {keys->id, keys->secret, *keys->token ? keys->token : NULL};
  FN_TRY(fn_sigv4_authorization(authorization, &r, &signer, err));
  secrets[0] = (fn_call_pair){"Authorization", authorization->data};
  secrets[1] = (fn_call_pair){"X-Amz-Security-Token", keys->token};
  return FN_OK;
}

/* Whether the answer says that the time of the signature is wrong, and what time it is. */
static bool take_clock(const fn_aws_role *role, const fn_call_answer *answer) {
  static const char *const codes[] = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"};
  int64_t skew_ms;
  FN_AUTO_BUF fn_buf code, message;
  fn_buf_init(&code, MAX_TOKEN), fn_buf_init(&message, MAX_TOKEN);
  if ((answer->status != 400 && answer->status != 403) || !fn_aws_clock_of(&skew_ms, answer)) return false;
  (void)fn_xml_find(&code, fn_buf_str(&answer->body), "*/Error/Code");
  (void)fn_xml_find(&message, fn_buf_str(&answer->body), "*/Error/Message");
  /* STS: SignatureDoesNotMatch, "Signature expired: …" or "Signature not yet current: …" */
  const char *said = message.data ? message.data : "";
  bool late = strstr(said, "Signature expired") || strstr(said, "Signature not yet current");
  for (size_t i = 0; i < FN_COUNT_OF(codes); i++) late = late || fn_str_is(fn_buf_str(&code), codes[i]);
  if (late) *role->skew_ms = skew_ms;
  return late;
}

static fn_status ask_once(fn_call_answer *answer, fn_store *store, const fn_url *url, const fn_buf *body,
                          const fn_aws_role *role, const fn_aws_found *keys, bool last, fn_err *err) {
  fn_call_pair headers[2], secrets[2];
  char time[17];
  FN_AUTO_BUF fn_buf authorization;
  fn_buf_init(&authorization, 1 << 14);
  FN_TRY(sign_form(headers, secrets, &authorization, time, url, body, role, keys, err));
  const fn_call_request request = {.method = "POST",
                                   .url = url->text,
                                   .headers = headers,
                                   .n_headers = 2,
                                   .secret_headers = secrets,
                                   .n_secret_headers = *keys->token ? 2 : 1,
                                   .body = fn_buf_str(body)};
  FN_TRY(fn_store_ask(answer, store, &request, err));
  return !last && take_clock(role, answer) ? FN_OK : fn_call_check(answer, &request, err);
}

static fn_status ask_role(fn_aws_found *found, fn_store *store, const fn_url *url, const fn_buf *body,
                          const fn_aws_role *role, const fn_aws_found *keys, fn_err *err) {
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(ask_once(&answer, store, url, body, role, keys, false, err));
  if (answer.status != 200) FN_TRY(ask_once(&answer, store, url, body, role, keys, true, err)); /* by its clock */
  return read_sts(found, fn_buf_str(&answer.body), answer.url, err);
}

fn_status fn_aws_from_role(fn_aws_found *found, fn_store *store, const fn_aws_role *role, const fn_aws_found *keys,
                           fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, MAX_TOKEN);
  append_parameter(&body, "Action", "AssumeRole");
  append_parameter(&body, "Version", "2011-06-15");
  append_parameter(&body, "RoleArn", role->arn);
  append_parameter(&body, "RoleSessionName", role->session ? role->session : "fakenews");
  if (role->external_id) append_parameter(&body, "ExternalId", role->external_id);
  if (role->seconds) append_parameter(&body, "DurationSeconds", role->seconds);
  FN_TRY(fn_buf_check(&body, "a request", err));
  fn_url url;
  FN_TRY(fn_url_parse(&url, role->url, err));
  const fn_status status = ask_role(found, store, &url, &body, role, keys, err);
  fn_url_deinit(&url);
  return status;
}

/* ---- JSON of the metadata services */

static fn_status read_json(fn_aws_found *found, const fn_call_answer *answer, fn_err *err) {
  FN_AUTO_JSON json_t *value = NULL;
  const char *id, *secret, *token, *expires;
  if (fn_json_parse(&value, fn_buf_str(&answer->body), answer->url, NULL) != FN_OK)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer that is no JSON", answer->url);
  FN_TRY(fn_json_get_string(&id, value, "AccessKeyId", "", answer->url, err));
  FN_TRY(fn_json_get_string(&secret, value, "SecretAccessKey", "", answer->url, err));
  FN_TRY(fn_json_get_string(&token, value, "Token", "", answer->url, err));
  FN_TRY(fn_json_get_string(&expires, value, "Expiration", "", answer->url, err));
  /* A role that the machine may not have: {"Code": "AssumeRoleUnauthorizedAccess", "Message": …} */
  const char *code = json_string_value(json_object_get(value, "Code"));
  const char *message = json_string_value(json_object_get(value, "Message"));
  if (!*id && code && strcmp(code, "Success") != 0) {
    char said[2][201];
    fn_str_clean(said[0], sizeof said[0], fn_str_from(code));
    fn_str_clean(said[1], sizeof said[1], fn_str_from(message ? message : ""));
    return fn_err_set(err, FN_E_INVALID, "%.300s: %s%s%s", answer->url, said[0], *said[1] ? ": " : "", said[1]);
  }
  return keep(found, id, secret, token, expires, answer->url, err);
}

/* ---- container: ECS, EKS Pod Identity */

/* Plain http is spoken by this machine and by the agents' fixed addresses. */
static bool is_agent(const char *url) {
  static const char *const allowed[] = {"https://",
                                        "http://169.254.170.2/",
                                        "http://169.254.170.2:",
                                        "http://169.254.170.23/",
                                        "http://169.254.170.23:",
                                        "http://[fd00:ec2::23]/",
                                        "http://localhost/",
                                        "http://localhost:",
                                        "http://127.0.0.1/",
                                        "http://127.0.0.1:",
                                        "http://[::1]/",
                                        "http://[::1]:"};
  for (size_t i = 0; i < FN_COUNT_OF(allowed); i++)
    if (strncmp(url, allowed[i], strlen(allowed[i])) == 0) return strchr(url, '@') == NULL;
  return false;
}

fn_status fn_aws_from_container(fn_aws_found *found, fn_store *store, fn_buf *tried, fn_err *err) {
  const char *relative = fn_store_variable(store, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const char *full = fn_store_variable(store, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  const char *token = fn_store_variable(store, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  const char *file = fn_store_variable(store, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (!relative && !full)
    return fn_buf_append_str(tried, ", container (AWS_CONTAINER_CREDENTIALS_* is not set)"), FN_OK;
  FN_AUTO_BUF fn_buf url, held;
  fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&held, MAX_TOKEN);
  if (relative) fn_buf_printf(&url, "http://169.254.170.2%s%s", *relative == '/' ? "" : "/", relative);
  if (!relative) fn_buf_append_str(&url, full);
  FN_TRY(fn_buf_check(&url, "an address", err));
  if (!is_agent(url.data)) {
    char shown[301];
    (void)fn_url_show(shown, url.data);
    return fn_err_set(err, FN_E_INVALID,
                      "AWS_CONTAINER_CREDENTIALS_FULL_URI: %.*s: only https://, this machine and the agents' own "
                      "addresses are asked for credentials",
                      (int)strcspn(shown, "?"), shown);
  }
  if (file) {
    FN_TRY(fn_file_read(&held, file, MAX_TOKEN - 1, err));
    trim_end(&held);
    token = held.length ? held.data : NULL;
  }
  const fn_call_pair secret = {"Authorization", token ? token : ""};
  const fn_call_request request = {.url = url.data,
                                   .secret_headers = &secret,
                                   .n_secret_headers = token ? 1 : 0,
                                   .timeout_s = METADATA_TIMEOUT_S,
                                   .machine_service = true};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  return read_json(found, &answer, err);
}

/* ---- instance metadata, version 2 */

fn_status fn_aws_from_instance(fn_aws_found *found, fn_store *store, fn_buf *tried, fn_err *err) {
  const char *disabled = fn_store_variable(store, "AWS_EC2_METADATA_DISABLED");
  const char *given = fn_store_variable(store, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (disabled && fn_str_equal_nocase(fn_str_from(disabled), fn_str_from("true")))
    return fn_buf_append_str(tried, ", instance metadata (AWS_EC2_METADATA_DISABLED)"), FN_OK;
  FN_AUTO_BUF fn_buf base, url, role;
  fn_buf_init(&base, FN_URL_MAX), fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&role, 1024);
  const char *mode = fn_store_variable(store, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
  const bool v6 = mode && fn_str_equal_nocase(fn_str_from(mode), fn_str_from("ipv6"));
  fn_buf_append_str(&base, given ? given : v6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
  while (base.length && base.data[base.length - 1] == '/') base.data[--base.length] = 0;
  fn_buf_printf(&url, "%s/latest/api/token", base.data);
  FN_TRY(fn_buf_check(&url, "an address", err));
  static const fn_call_pair lifetime[] = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
  fn_call_request request = {.method = "PUT",
                             .url = url.data,
                             .headers = lifetime,
                             .n_headers = 1,
                             .timeout_s = METADATA_TIMEOUT_S,
                             .machine_service = true};
  FN_AUTO_ANSWER fn_call_answer token = {0}, answer = {0};
  /* Most machines have no such service: one short attempt. */
  const fn_status reached = fn_call_run(&token, store->http, &request, err);
  if (reached == FN_E_CANCELLED || reached == FN_E_NO_MEMORY) return reached;
  if (reached != FN_OK || token.status != 200) {
    fn_buf_printf(tried, ", instance metadata (%s)", reached != FN_OK ? "no answer" : "no token");
    return FN_OK;
  }
  const fn_call_pair secret = {"X-aws-ec2-metadata-token", token.body.data ? token.body.data : ""};
  request = (fn_call_request){.url = url.data,
                              .secret_headers = &secret,
                              .n_secret_headers = 1,
                              .timeout_s = METADATA_TIMEOUT_S,
                              .machine_service = true};
  fn_buf_reset(&url);
  fn_buf_printf(&url, "%s/latest/meta-data/iam/security-credentials/", base.data);
  request.url = url.data;
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  if (answer.status == 404) return fn_buf_append_str(tried, ", instance metadata (no role)"), FN_OK;
  FN_TRY(fn_call_check(&answer, &request, err));
  const char *name = answer.body.data ? answer.body.data : "";
  fn_buf_append(&role, name, strcspn(name, "\r\n"));
  if (role.length == 0) return fn_buf_append_str(tried, ", instance metadata (no role)"), FN_OK;
  fn_url_encode(&url, fn_buf_str(&role), "");
  FN_TRY(fn_buf_check(&url, "an address", err));
  request.url = url.data;
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  return read_json(found, &answer, err);
}
