#include "store/aws.h"

#include "store/aws_profile.h"

enum { REFRESH_MS = 300000 };

static void forget(fn_aws *aws) {
  free(aws->id);
  free(aws->secret);
  free(aws->token);
  free(aws->source);
  aws->id = aws->secret = aws->token = aws->source = NULL;
  aws->expires_ms = INT64_MAX;
}

void fn_aws_deinit(fn_aws *aws) {
  forget(aws);
  fn_aws_profile_forget(aws);
  *aws = (fn_aws){0};
}

bool fn_aws_keys_forget(fn_aws *aws) {
  if (aws->forgotten) return true; /* by another connection, just now */
  /* A session token of ~/.aws has no date, and other programs write a new one there. */
  const bool of_file = aws->token && *aws->token && aws->has_files;
  const bool can_expire = aws->id && (aws->expires_ms != INT64_MAX || of_file);
  if (!can_expire) return false;
  forget(aws);
  fn_aws_profile_forget(aws);
  return aws->forgotten = true;
}

static const char *profile(const fn_store *store) {
  const char *name = fn_store_variable(store, "AWS_PROFILE");
  if (!name) name = fn_store_variable(store, "AWS_DEFAULT_PROFILE");
  return name ? name : "default";
}

bool fn_aws_profile_find(fn_buf *out, fn_aws *aws, const fn_store *store, const char *key) {
  return fn_aws_profile_value(out, aws, store, profile(store), key);
}

void fn_aws_region(fn_buf *out, fn_aws *aws, const fn_store *store) {
  const char *given = store->buckets.s3_region;
  if (!given) given = fn_store_variable(store, "AWS_REGION");
  if (!given) given = fn_store_variable(store, "AWS_DEFAULT_REGION");
  if (given) fn_buf_append_str(out, given);
  if (!given && !fn_aws_profile_find(out, aws, store, "region")) fn_buf_append_str(out, "us-east-1");
}

/* ---- addresses of services */

const fn_aws_service fn_aws_sts = {"AWS_ENDPOINT_URL_STS", "sts", "sts"};

static bool says_true(const char *text) {
  return text && fn_str_equal_nocase(fn_str_from(text), fn_str_from("true"));
}

bool fn_aws_endpoint(fn_buf *url, fn_aws *aws, const fn_store *store, const fn_aws_service *service) {
  FN_AUTO_BUF fn_buf ignores, services;
  char section[300];
  fn_buf_init(&ignores, 64), fn_buf_init(&services, 256);
  const char *given = fn_store_variable(store, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  if (!given && fn_aws_profile_find(&ignores, aws, store, "ignore_configured_endpoint_urls")) given = ignores.data;
  if (says_true(given)) return false;
  given = fn_store_variable(store, service->variable);
  if (!given) given = fn_store_variable(store, "AWS_ENDPOINT_URL");
  if (given) return fn_buf_append_str(url, given), true;
  if (fn_aws_profile_find(&services, aws, store, "services")) {
    snprintf(section, sizeof section, "services %.250s", services.data ? services.data : "");
    if (fn_aws_config_value(url, aws, store, section, service->name, "endpoint_url")) return true;
  }
  return fn_aws_profile_find(url, aws, store, "endpoint_url");
}

fn_status fn_aws_service_url(fn_buf *url, fn_aws *aws, const fn_store *store, const fn_aws_service *service,
                             const char *region, fn_err *err) {
  if (!fn_aws_endpoint(url, aws, store, service))
    fn_buf_printf(url, "https://%s.%s.amazonaws.com%s/", service->host, region,
                  strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
  return fn_buf_check(url, "an address", err);
}

/* ---- where keys are looked for; each says in `tried` why it has none */

/* Moves *found, if there is something in it. */
static fn_status keep(fn_aws *aws, fn_aws_found *found, const char *source, fn_err *err) {
  if (!found->id) return FN_OK;
  forget(aws);
  aws->source = fn_str_dup(fn_str_from(source));
  if (!aws->source) return fn_err_no_memory(err, "credentials");
  aws->id = found->id;
  aws->secret = found->secret;
  aws->token = found->token;
  aws->expires_ms = found->expires_ms;
  /* Short-lived ones serve half of their time, so that not every part of a file has them fetched. */
  const bool ends = found->expires_ms != INT64_MAX;
  const int64_t left_ms = ends ? found->expires_ms - fn_clock_unix_ms() - aws->skew_ms : INT64_MAX;
  aws->renew_ms = found->expires_ms - (left_ms > 0 && left_ms < 2 * REFRESH_MS ? left_ms / 2 : REFRESH_MS);
  aws->forgotten = false;
  *found = (fn_aws_found){0};
  return FN_OK;
}

static fn_status from_environment(fn_aws_found *found, const fn_store *store, fn_buf *tried, fn_err *err) {
  const char *id = fn_store_variable(store, "AWS_ACCESS_KEY_ID"),
             *secret = fn_store_variable(store, "AWS_SECRET_ACCESS_KEY");
  const char *token = fn_store_variable(store, "AWS_SESSION_TOKEN");
  if (!token) token = fn_store_variable(store, "AWS_SECURITY_TOKEN"); /* its older name */
  if (id && secret) return fn_aws_found_set(found, id, secret, token ? token : "", INT64_MAX, err);
  if (id) /* who set half of it wants this account, and no other that happens to be at hand */
    return fn_err_set(err, FN_E_INVALID, "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not");
  fn_buf_append_str(tried, "environment (AWS_ACCESS_KEY_ID is not set)");
  return FN_OK;
}

static fn_status look_up(fn_aws_found *found, fn_buf *source, fn_aws *aws, fn_store *store, fn_buf *tried,
                         fn_err *err) {
  fn_buf_append_str(source, "environment");
  FN_TRY(from_environment(found, store, tried, err));
  if (!found->id) FN_TRY(fn_aws_from_profile(found, source, aws, store, profile(store), tried, err));
  if (found->id) return FN_OK;
  fn_buf_reset(source);
  fn_buf_append_str(source, "container");
  FN_TRY(fn_aws_from_container(found, store, tried, err));
  if (found->id) return FN_OK;
  fn_buf_reset(source);
  fn_buf_append_str(source, "instance metadata");
  return fn_aws_from_instance(found, store, tried, err);
}

fn_status fn_aws_keys_get(fn_aws_keys *keys_out, fn_aws *aws, fn_store *store, fn_err *err) {
  if (aws->id && aws->expires_ms != INT64_MAX && fn_clock_unix_ms() + aws->skew_ms > aws->renew_ms) forget(aws);
  if (!aws->id) {
    FN_AUTO_BUF fn_buf tried, source;
    fn_buf_init(&tried, 4096), fn_buf_init(&source, 1024);
    fn_aws_found found = {0};
    fn_status status = look_up(&found, &source, aws, store, &tried, err);
    if (status == FN_OK) status = keep(aws, &found, source.data ? source.data : "", err);
    fn_aws_found_deinit(&found);
    if (status != FN_OK) return fn_store_no_credentials(store, status, "AWS", err);
    if (!aws->id)
      return fn_err_set(err, FN_E_INVALID,
                        "%.200s: no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
                        "or store.anonymous=true for a public bucket; tried: %.650s",
                        store->uri, tried.data ? tried.data : "");
  }
  *keys_out = (fn_aws_keys){aws->id, aws->secret, *aws->token ? aws->token : NULL};
  return FN_OK;
}
