#include "store/aws_remote.h"

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

static const char *variable(const fn_store *store, const char *name) {
  return fn_environment_get(store->options.environment, name);
}

static fn_status keep(fn_aws_found *found, fn_str id, fn_str secret, fn_str token, const char *expires, const char *who,
                      fn_err *err) {
  if (id.length == 0 || secret.length == 0)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer without AccessKeyId and SecretAccessKey", who);
  found->id = fn_str_dup(id);
  found->secret = fn_str_dup(secret);
  found->token = fn_str_dup(token);
  /* Without a time they are asked for again after an hour. */
  if (!fn_when_parse(&found->expires_ms, expires)) found->expires_ms = fn_clock_unix_ms() + 3600000;
  if (found->id && found->secret && found->token) return FN_OK;
  fn_aws_found_deinit(found);
  return fn_err_no_memory(err, "credentials");
}

/* ---- STS */

static void append_parameter(fn_buf *body, const char *name, const char *value) {
  fn_buf_printf(body, "%s%s=", body->length ? "&" : "", name);
  fn_url_encode(body, fn_str_from(value), "");
}

static fn_status sts_url(fn_buf *url, const fn_store *store, const char *region, fn_err *err) {
  const char *given = variable(store, "AWS_ENDPOINT_URL_STS");
  if (!given) given = variable(store, "AWS_ENDPOINT_URL");
  if (given)
    fn_buf_append_str(url, given);
  else
    fn_buf_printf(url, "https://sts.%s.amazonaws.com%s/", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
  return fn_buf_check(url, "an address", err);
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
  return keep(found, fn_buf_str(&id), fn_buf_str(&secret), fn_buf_str(&token), expires.length ? expires.data : "", who,
              err);
}

fn_status fn_aws_from_web_identity(fn_aws_found *found, fn_store *store, const fn_aws_identity *identity, fn_err *err) {
  FN_AUTO_BUF fn_buf token, url, body;
  fn_buf_init(&token, MAX_TOKEN), fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&body, 4 * MAX_TOKEN);
  fn_status status = fn_file_read(&token, identity->file, MAX_TOKEN - 1, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "AWS_WEB_IDENTITY_TOKEN_FILE");
  while (token.length && (token.data[token.length - 1] == '\n' || token.data[token.length - 1] == ' '))
    token.data[--token.length] = 0;
  if (token.length == 0)
    return fn_err_set(err, FN_E_INVALID, "AWS_WEB_IDENTITY_TOKEN_FILE: %.300s is empty", identity->file);
  FN_TRY(sts_url(&url, store, identity->region, err));
  append_parameter(&body, "Action", "AssumeRoleWithWebIdentity");
  append_parameter(&body, "Version", "2011-06-15");
  append_parameter(&body, "RoleArn", identity->role);
  append_parameter(&body, "RoleSessionName", identity->session ? identity->session : "fakenews");
  append_parameter(&body, "WebIdentityToken", token.data);
  FN_TRY(fn_buf_check(&body, "a request", err));
  static const fn_call_pair headers[] = {{"Content-Type", "application/x-www-form-urlencoded"}};
  const fn_call_request request = {.method = "POST",
                                   .url = url.data,
                                   .headers = headers,
                                   .n_headers = 1,
                                   .body = fn_buf_str(&body),
                                   .secret_body = {token.data}};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  return read_sts(found, fn_buf_str(&answer.body), answer.url, err);
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
  return keep(found, fn_str_from(id), fn_str_from(secret), fn_str_from(token), expires, answer->url, err);
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
  const char *relative = variable(store, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const char *full = variable(store, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  const char *token = variable(store, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  const char *file = variable(store, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (!relative && !full)
    return fn_buf_append_str(tried, ", container (AWS_CONTAINER_CREDENTIALS_* is not set)"), FN_OK;
  FN_AUTO_BUF fn_buf url, held;
  fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&held, MAX_TOKEN);
  if (relative) fn_buf_printf(&url, "http://169.254.170.2%s%s", *relative == '/' ? "" : "/", relative);
  if (!relative) fn_buf_append_str(&url, full);
  FN_TRY(fn_buf_check(&url, "an address", err));
  if (!is_agent(url.data))
    return fn_err_set(err, FN_E_INVALID,
                      "AWS_CONTAINER_CREDENTIALS_FULL_URI: %.200s: only https://, this machine and the agents' own "
                      "addresses are asked for credentials",
                      url.data);
  if (file) {
    FN_TRY(fn_file_read(&held, file, MAX_TOKEN - 1, err));
    while (held.length && (held.data[held.length - 1] == '\n' || held.data[held.length - 1] == ' '))
      held.data[--held.length] = 0;
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
  const char *disabled = variable(store, "AWS_EC2_METADATA_DISABLED");
  const char *given = variable(store, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (disabled && fn_str_equal_nocase(fn_str_from(disabled), fn_str_from("true")))
    return fn_buf_append_str(tried, ", instance metadata (AWS_EC2_METADATA_DISABLED)"), FN_OK;
  FN_AUTO_BUF fn_buf base, url, role;
  fn_buf_init(&base, FN_URL_MAX), fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&role, 1024);
  fn_buf_append_str(&base, given ? given : "http://169.254.169.254");
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
