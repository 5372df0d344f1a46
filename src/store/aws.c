#include "store/aws.h"

#include "store/aws_remote.h"
#include "store/ini.h"

enum { MAX_FILE = 1 << 20, REFRESH_MS = 300000 };

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
  fn_buf_deinit(&aws->config);
  fn_buf_deinit(&aws->credentials);
  *aws = (fn_aws){0};
}

bool fn_aws_keys_forget(fn_aws *aws) {
  /* A session token of ~/.aws has no date, and other programs write a new one there. */
  const bool of_file = aws->token && aws->has_files;
  const bool can_expire = aws->id && (aws->expires_ms != INT64_MAX || of_file);
  if (!can_expire) return false;
  forget(aws);
  fn_buf_deinit(&aws->config);
  fn_buf_deinit(&aws->credentials);
  aws->has_files = false;
  return true;
}

static const char *variable(const fn_store *store, const char *name) {
  return fn_environment_get(store->options.environment, name);
}

static const char *profile(const fn_store *store) {
  const char *name = variable(store, "AWS_PROFILE");
  if (!name) name = variable(store, "AWS_DEFAULT_PROFILE");
  return name ? name : "default";
}

/* The path that a variable names, or the usual one below the home folder; NULL when there is neither. */
static char *file_path(const fn_store *store, const char *name, const char *usual) {
  const char *given = variable(store, name);
  const char *home = store->options.environment ? store->options.environment->home : NULL;
  if (given && strncmp(given, "~/", 2) == 0 && home) return fn_path_join(home, given + 2);
  if (given) return fn_str_dup(fn_str_from(given));
  return home ? fn_path_join(home, usual) : NULL;
}

static char *credentials_path(const fn_store *store) {
  return file_path(store, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
}

static char *config_path(const fn_store *store) {
  return file_path(store, "AWS_CONFIG_FILE", ".aws/config");
}

/* A file that cannot be read counts as one that is not there; the list of what was tried says so. */
static void read_file(fn_buf *out, char *path) {
  fn_buf_init(out, MAX_FILE);
  if (path && fn_file_read(out, path, MAX_FILE, NULL) != FN_OK) fn_buf_reset(out);
  free(path);
}

static void read_files(fn_aws *aws, const fn_store *store) {
  if (aws->has_files) return;
  aws->has_files = true;
  read_file(&aws->credentials, credentials_path(store));
  read_file(&aws->config, config_path(store));
}

/* In ~/.aws/config all sections but "default" are called "profile NAME". */
static bool find_in_config(fn_buf *out, const fn_aws *aws, const fn_store *store, const char *key) {
  char section[256];
  snprintf(section, sizeof section, "profile %s", profile(store));
  if (fn_ini_find(out, fn_buf_str(&aws->config), section, key)) return true;
  return strcmp(profile(store), "default") == 0 && fn_ini_find(out, fn_buf_str(&aws->config), "default", key);
}

bool fn_aws_profile_find(fn_buf *out, fn_aws *aws, const fn_store *store, const char *key) {
  read_files(aws, store);
  return fn_ini_find(out, fn_buf_str(&aws->credentials), profile(store), key) || find_in_config(out, aws, store, key);
}

void fn_aws_region(fn_buf *out, fn_aws *aws, const fn_store *store) {
  const char *given = store->buckets.s3_region;
  if (!given) given = variable(store, "AWS_REGION");
  if (!given) given = variable(store, "AWS_DEFAULT_REGION");
  if (given) fn_buf_append_str(out, given);
  if (!given && !fn_aws_profile_find(out, aws, store, "region")) fn_buf_append_str(out, "us-east-1");
}

/* ---- where keys are looked for; each says in `tried` why it has none */

static fn_status keep(fn_aws *aws, const char *id, const char *secret, const char *token, const char *source,
                      fn_err *err) {
  forget(aws);
  aws->id = fn_str_dup(fn_str_from(id));
  aws->secret = fn_str_dup(fn_str_from(secret));
  aws->token = token && *token ? fn_str_dup(fn_str_from(token)) : NULL;
  aws->source = fn_str_dup(fn_str_from(source));
  if (aws->id && aws->secret && aws->source && (aws->token || !token || !*token)) return FN_OK;
  forget(aws);
  return fn_err_no_memory(err, "credentials");
}

static fn_status from_environment(fn_aws *aws, const fn_store *store, fn_buf *tried, fn_err *err) {
  const char *id = variable(store, "AWS_ACCESS_KEY_ID"), *secret = variable(store, "AWS_SECRET_ACCESS_KEY");
  if (id && secret) return keep(aws, id, secret, variable(store, "AWS_SESSION_TOKEN"), "environment", err);
  fn_buf_printf(tried, "environment (%s is not set)", id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
  return FN_OK;
}

static fn_status from_section(fn_aws *aws, fn_str text, const char *section, const char *path, fn_buf *tried,
                              fn_err *err) {
  FN_AUTO_BUF fn_buf id, secret, token;
  fn_buf_init(&id, MAX_FILE), fn_buf_init(&secret, MAX_FILE), fn_buf_init(&token, MAX_FILE);
  if (!path) return fn_buf_append_str(tried, ", ~/.aws (no home folder)"), FN_OK;
  const bool has_id = fn_ini_find(&id, text, section, "aws_access_key_id");
  const bool has_secret = fn_ini_find(&secret, text, section, "aws_secret_access_key");
  (void)fn_ini_find(&token, text, section, "aws_session_token");
  if (has_id && has_secret) {
    char source[400];
    snprintf(source, sizeof source, "%.250s [%.100s]", path, section);
    return keep(aws, id.data, secret.data, token.length ? token.data : NULL, source, err);
  }
  const char *why = !fn_path_exists(path) ? "no such file" : text.length == 0 ? "it is empty or cannot be read" : NULL;
  if (why)
    fn_buf_printf(tried, ", %.200s (%s)", path, why);
  else if (!fn_ini_has_section(text, section))
    fn_buf_printf(tried, ", %.200s (no section [%.100s])", path, section);
  else
    fn_buf_printf(tried, ", %.200s (no %s in [%.100s])", path, has_id ? "aws_secret_access_key" : "aws_access_key_id",
                  section);
  return FN_OK;
}

/* Ways of a profile that are not followed are named, so that nobody looks for a mistake of theirs. */
static void name_unknown_ways(const fn_aws *aws, const fn_store *store, fn_buf *tried) {
  static const char *const keys[] = {"credential_process", "sso_session", "sso_start_url", "source_profile",
                                     "credential_source"};
  for (size_t i = 0; i < FN_COUNT_OF(keys); i++) {
    FN_AUTO_BUF fn_buf value;
    fn_buf_init(&value, MAX_FILE);
    if (find_in_config(&value, aws, store, keys[i]))
      fn_buf_printf(tried, ", %s of profile %.100s (not supported; `aws configure export-credentials` gives keys)",
                    keys[i], profile(store));
  }
}

static fn_status from_files(fn_aws *aws, const fn_store *store, fn_buf *tried, fn_err *err) {
  read_files(aws, store);
  FN_AUTO_FREE char *credentials = credentials_path(store);
  FN_AUTO_FREE char *config = config_path(store);
  FN_TRY(from_section(aws, fn_buf_str(&aws->credentials), profile(store), credentials, tried, err));
  if (aws->id) return FN_OK;
  char section[256];
  snprintf(section, sizeof section, "profile %s", profile(store));
  const bool plain = strcmp(profile(store), "default") == 0 && !fn_ini_has_section(fn_buf_str(&aws->config), section);
  FN_TRY(from_section(aws, fn_buf_str(&aws->config), plain ? "default" : section, config, tried, err));
  if (!aws->id) name_unknown_ways(aws, store, tried);
  return FN_OK;
}

/* Web identity: from the variables, else from the profile. */
static fn_status from_web_identity(fn_aws *aws, fn_store *store, fn_buf *tried, fn_err *err) {
  FN_AUTO_BUF fn_buf file, role, session, region;
  fn_buf_init(&file, MAX_FILE), fn_buf_init(&role, MAX_FILE), fn_buf_init(&session, MAX_FILE);
  fn_buf_init(&region, MAX_FILE);
  const char *from_file = variable(store, "AWS_WEB_IDENTITY_TOKEN_FILE"), *arn = variable(store, "AWS_ROLE_ARN");
  const char *name = variable(store, "AWS_ROLE_SESSION_NAME");
  if (!from_file && fn_aws_profile_find(&file, aws, store, "web_identity_token_file")) from_file = file.data;
  if (!arn && fn_aws_profile_find(&role, aws, store, "role_arn")) arn = role.data;
  if (!name && fn_aws_profile_find(&session, aws, store, "role_session_name")) name = session.data;
  if (!from_file) return fn_buf_append_str(tried, ", web identity (AWS_WEB_IDENTITY_TOKEN_FILE is not set)"), FN_OK;
  if (!arn) return fn_buf_append_str(tried, ", web identity (AWS_ROLE_ARN is not set)"), FN_OK;
  fn_aws_region(&region, aws, store);
  FN_TRY(fn_buf_check(&region, "a region", err));
  const fn_aws_identity identity = {.file = from_file, .role = arn, .session = name, .region = region.data};
  fn_aws_found found = {0};
  fn_status status = fn_aws_from_web_identity(&found, store, &identity, err);
  if (status == FN_OK) status = keep(aws, found.id, found.secret, found.token, "web identity", err);
  if (status == FN_OK) aws->expires_ms = found.expires_ms;
  fn_aws_found_deinit(&found);
  return status;
}

static fn_status from_service(fn_aws *aws, fn_store *store, fn_buf *tried, const char *source,
                              fn_status (*ask)(fn_aws_found *, fn_store *, fn_buf *, fn_err *), fn_err *err) {
  fn_aws_found found = {0};
  fn_status status = ask(&found, store, tried, err);
  if (status == FN_OK && found.id) {
    status = keep(aws, found.id, found.secret, found.token, source, err);
    if (status == FN_OK) aws->expires_ms = found.expires_ms;
  }
  fn_aws_found_deinit(&found);
  return status;
}

static fn_status look_up(fn_aws *aws, fn_store *store, fn_buf *tried, fn_err *err) {
  FN_TRY(from_environment(aws, store, tried, err));
  if (!aws->id) FN_TRY(from_web_identity(aws, store, tried, err));
  if (!aws->id) FN_TRY(from_files(aws, store, tried, err));
  if (!aws->id) FN_TRY(from_service(aws, store, tried, "container", fn_aws_from_container, err));
  if (!aws->id) FN_TRY(from_service(aws, store, tried, "instance metadata", fn_aws_from_instance, err));
  return FN_OK;
}

fn_status fn_aws_keys_get(fn_aws_keys *keys_out, fn_aws *aws, fn_store *store, fn_err *err) {
  if (aws->id && aws->expires_ms != INT64_MAX && fn_clock_unix_ms() > aws->expires_ms - REFRESH_MS) forget(aws);
  if (!aws->id) {
    FN_AUTO_BUF fn_buf tried;
    fn_buf_init(&tried, 4096);
    aws->expires_ms = INT64_MAX;
    fn_status status = look_up(aws, store, &tried, err);
    if (status != FN_OK) return fn_store_no_credentials(store, status, "AWS", err);
    if (!aws->id)
      return fn_err_set(err, FN_E_INVALID,
                        "%.200s: no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
                        "or store.anonymous=true for a public bucket; tried: %.650s",
                        store->uri, tried.data ? tried.data : "");
  }
  *keys_out = (fn_aws_keys){aws->id, aws->secret, aws->token};
  return FN_OK;
}
