#include "store/aws_profile.h"

#include "store/ini.h"

enum { MAX_FILE = 1 << 20, MAX_VALUE = 1 << 14, MAX_CHAIN = 8 };

/* ---- the two files */

/* The path that a variable names, or the usual one below the home folder; NULL when there is neither. */
static char *file_path(const fn_store *store, const char *name, const char *usual) {
  const char *given = fn_store_variable(store, name);
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

void fn_aws_profile_forget(fn_aws *aws) {
  fn_buf_deinit(&aws->config);
  fn_buf_deinit(&aws->credentials);
  aws->has_files = false;
}

/* In ~/.aws/config all sections but "default" are called "profile NAME". */
static void config_section(char out[300], const fn_aws *aws, const char *profile) {
  snprintf(out, 300, "profile %.280s", profile);
  if (strcmp(profile, "default") == 0 && !fn_ini_has_section(fn_buf_str(&aws->config), out))
    memcpy(out, "default", sizeof "default");
}

bool fn_aws_config_value(fn_buf *out, fn_aws *aws, const fn_store *store, const char *section, const char *outer,
                         const char *key) {
  read_files(aws, store);
  return fn_ini_find_below(out, fn_buf_str(&aws->config), section, outer, key);
}

bool fn_aws_profile_value(fn_buf *out, fn_aws *aws, const fn_store *store, const char *profile, const char *key) {
  char section[300];
  read_files(aws, store);
  config_section(section, aws, profile);
  return fn_ini_find(out, fn_buf_str(&aws->credentials), profile, key) ||
         fn_ini_find(out, fn_buf_str(&aws->config), section, key);
}

static bool has_value(fn_aws *aws, const fn_store *store, const char *profile, const char *key) {
  FN_AUTO_BUF fn_buf value;
  fn_buf_init(&value, MAX_VALUE);
  return fn_aws_profile_value(&value, aws, store, profile, key);
}

static bool is_there(fn_aws *aws, const fn_store *store, const char *profile) {
  char section[300];
  read_files(aws, store);
  config_section(section, aws, profile);
  return fn_ini_has_section(fn_buf_str(&aws->credentials), profile) ||
         fn_ini_has_section(fn_buf_str(&aws->config), section);
}

/* ---- ways to keys */

typedef struct walk {
  fn_aws *aws;
  fn_store *store;
  fn_buf *source, *tried;
  const char *visited[MAX_CHAIN]; /* profiles that lead here */
  size_t n;
} walk;

static fn_status follow(fn_aws_found *found, walk *w, const char *profile, fn_err *err);

static void say_source(walk *w, const char *way, const char *profile) {
  fn_buf_reset(w->source);
  fn_buf_printf(w->source, "%s of profile %.100s", way, profile);
}

static fn_status from_section(fn_aws_found *found, walk *w, fn_str text, const char *section, const char *path,
                              fn_err *err) {
  FN_AUTO_BUF fn_buf id, secret, token;
  fn_buf_init(&id, MAX_FILE), fn_buf_init(&secret, MAX_FILE), fn_buf_init(&token, MAX_FILE);
  if (!path) return fn_buf_append_str(w->tried, ", ~/.aws (no home folder)"), FN_OK;
  const bool has_id = fn_ini_find(&id, text, section, "aws_access_key_id");
  const bool has_secret = fn_ini_find(&secret, text, section, "aws_secret_access_key");
  const bool has_token = fn_ini_find(&token, text, section, "aws_session_token") ||
                         fn_ini_find(&token, text, section, "aws_security_token"); /* its older name */
  if (has_id && has_secret) {
    fn_buf_reset(w->source);
    fn_buf_printf(w->source, "%.250s [%.100s]", path, section);
    return fn_aws_found_set(found, id.data, secret.data, has_token ? token.data : "", INT64_MAX, err);
  }
  if (has_id) /* as in the environment: no other account in its place */
    return fn_err_set(err, FN_E_INVALID, "%.250s: [%.100s] has aws_access_key_id and no aws_secret_access_key", path,
                      section);
  const char *why = !fn_path_exists(path) ? "no such file" : text.length == 0 ? "it is empty or cannot be read" : NULL;
  if (why)
    fn_buf_printf(w->tried, ", %.200s (%s)", path, why);
  else if (!fn_ini_has_section(text, section))
    fn_buf_printf(w->tried, ", %.200s (no section [%.100s])", path, section);
  else
    fn_buf_printf(w->tried, ", %.200s (no aws_access_key_id in [%.100s])", path, section);
  return FN_OK;
}

static fn_status from_credentials(fn_aws_found *found, walk *w, const char *profile, fn_err *err) {
  FN_AUTO_FREE char *path = credentials_path(w->store);
  read_files(w->aws, w->store);
  return from_section(found, w, fn_buf_str(&w->aws->credentials), profile, path, err);
}

static fn_status from_config(fn_aws_found *found, walk *w, const char *profile, fn_err *err) {
  char section[300];
  FN_AUTO_FREE char *path = config_path(w->store);
  read_files(w->aws, w->store);
  config_section(section, w->aws, profile);
  return from_section(found, w, fn_buf_str(&w->aws->config), section, path, err);
}

/* The variables belong to the profile in use, not to those that it leads to. */
static fn_status from_web_identity(fn_aws_found *found, walk *w, const char *profile, fn_err *err) {
  FN_AUTO_BUF fn_buf file, role, session, region, url;
  fn_buf_init(&file, MAX_FILE), fn_buf_init(&role, MAX_FILE), fn_buf_init(&session, MAX_FILE);
  fn_buf_init(&region, MAX_FILE), fn_buf_init(&url, FN_URL_MAX);
  const bool own = w->n == 1;
  const char *from_file = own ? fn_store_variable(w->store, "AWS_WEB_IDENTITY_TOKEN_FILE") : NULL;
  const char *arn = own ? fn_store_variable(w->store, "AWS_ROLE_ARN") : NULL;
  const char *name = own ? fn_store_variable(w->store, "AWS_ROLE_SESSION_NAME") : NULL;
#define VALUE(out, key) fn_aws_profile_value(out, w->aws, w->store, profile, key)
  if (!from_file && VALUE(&file, "web_identity_token_file")) from_file = file.data;
  if (!arn && VALUE(&role, "role_arn")) arn = role.data;
  if (!name && VALUE(&session, "role_session_name")) name = session.data;
#undef VALUE
  if (!from_file) return fn_buf_append_str(w->tried, ", web identity (AWS_WEB_IDENTITY_TOKEN_FILE is not set)"), FN_OK;
  if (!arn) return fn_buf_append_str(w->tried, ", web identity (AWS_ROLE_ARN is not set)"), FN_OK;
  fn_aws_region(&region, w->aws, w->store);
  FN_TRY(fn_buf_check(&region, "a region", err));
  FN_TRY(fn_aws_service_url(&url, w->aws, w->store, &fn_aws_sts, region.data, err));
  const fn_aws_identity identity = {.file = from_file, .role = arn, .session = name, .url = url.data};
  FN_TRY(fn_aws_from_web_identity(found, w->store, &identity, err));
  fn_buf_reset(w->source);
  fn_buf_append_str(w->source, "web identity");
  return FN_OK;
}

/* ---- roles */

static fn_status from_source(fn_aws_found *found, walk *w, const char *profile, const char *source, fn_err *err) {
  if (!is_there(w->aws, w->store, source))
    return fn_err_set(err, FN_E_INVALID, "profile %.100s: its source_profile %.100s is not there", profile, source);
  /* A profile may be its own source, with keys that stand in it. */
  if (strcmp(source, profile) == 0) {
    FN_TRY(from_credentials(found, w, profile, err));
    if (!found->id) FN_TRY(from_config(found, w, profile, err));
  } else {
    for (size_t i = 0; i < w->n; i++)
      if (strcmp(w->visited[i], source) == 0)
        return fn_err_set(err, FN_E_INVALID, "profile %.100s: source_profile leads in a circle to %.100s", profile,
                          source);
    FN_TRY(follow(found, w, source, err));
  }
  if (found->id) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "profile %.100s: its source_profile %.100s has no keys", profile, source);
}

static fn_status from_service(fn_aws_found *found, walk *w, const char *profile, const char *name, fn_err *err) {
  const fn_str given = fn_str_from(name);
  if (fn_str_equal_nocase(given, fn_str_from("Environment"))) {
    const char *id = fn_store_variable(w->store, "AWS_ACCESS_KEY_ID"),
               *secret = fn_store_variable(w->store, "AWS_SECRET_ACCESS_KEY");
    const char *token = fn_store_variable(w->store, "AWS_SESSION_TOKEN");
    if (id && secret) return fn_aws_found_set(found, id, secret, token ? token : "", INT64_MAX, err);
  } else if (fn_str_equal_nocase(given, fn_str_from("EcsContainer"))) {
    FN_TRY(fn_aws_from_container(found, w->store, w->tried, err));
  } else if (fn_str_equal_nocase(given, fn_str_from("Ec2InstanceMetadata"))) {
    FN_TRY(fn_aws_from_instance(found, w->store, w->tried, err));
  } else {
    return fn_err_set(err, FN_E_INVALID,
                      "profile %.100s: credential_source \"%.60s\"; Environment, EcsContainer and Ec2InstanceMetadata "
                      "are known",
                      profile, name);
  }
  if (found->id) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "profile %.100s: its credential_source %.60s has no keys", profile, name);
}

static fn_status from_role(fn_aws_found *found, walk *w, const char *profile, fn_err *err) {
  FN_AUTO_BUF fn_buf arn, from, service, session, external, seconds, region, url;
  fn_buf *const all[] = {&arn, &from, &service, &session, &external, &seconds, &region, &url};
  for (size_t i = 0; i < FN_COUNT_OF(all); i++) fn_buf_init(all[i], MAX_VALUE);
#define VALUE(out, key) fn_aws_profile_value(out, w->aws, w->store, profile, key)
  if (!VALUE(&arn, "role_arn")) return FN_OK;
  const bool has_profile = VALUE(&from, "source_profile"), has_service = VALUE(&service, "credential_source");
  if (!has_profile && !has_service) return FN_OK; /* web identity, or nothing that could assume it */
  if (has_profile && has_service)
    return fn_err_set(err, FN_E_INVALID, "profile %.100s has both source_profile and credential_source", profile);
  if (has_value(w->aws, w->store, profile, "mfa_serial"))
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "profile %.100s needs a code of a device (mfa_serial), which is not asked for: `aws configure "
                      "export-credentials --profile %.100s --format env` asks, and gives keys for the environment",
                      profile, profile);
  fn_aws_found base = {0};
  fn_status status =
      has_profile ? from_source(&base, w, profile, from.data, err) : from_service(&base, w, profile, service.data, err);
  fn_aws_role role = {.arn = arn.data, .skew_ms = &w->aws->skew_ms};
  if (VALUE(&session, "role_session_name")) role.session = session.data;
  if (VALUE(&external, "external_id")) role.external_id = external.data;
  if (VALUE(&seconds, "duration_seconds")) role.seconds = seconds.data;
#undef VALUE
  fn_aws_region(&region, w->aws, w->store);
  if (status == FN_OK) status = fn_buf_check(&region, "a region", err);
  if (status == FN_OK) status = fn_aws_service_url(&url, w->aws, w->store, &fn_aws_sts, region.data, err);
  role.region = region.data;
  role.url = url.data;
  if (status == FN_OK) status = fn_aws_from_role(found, w->store, &role, &base, err);
  fn_aws_found_deinit(&base);
  if (status != FN_OK) return status;
  fn_buf_reset(w->source);
  fn_buf_printf(w->source, "role %.150s of profile %.100s", arn.data, profile);
  return FN_OK;
}

/* ---- a profile */

static fn_status from_login(fn_aws_found *found, walk *w, const char *profile, fn_err *err) {
  bool used;
  FN_TRY(fn_aws_from_sso(&used, found, w->aws, w->store, profile, err));
  if (used) say_source(w, "SSO", profile);
  if (!used &&
      (has_value(w->aws, w->store, profile, "sso_session") || has_value(w->aws, w->store, profile, "sso_start_url")))
    fn_buf_printf(w->tried, ", SSO of profile %.100s (no sso_account_id and sso_role_name)", profile);
  return FN_OK;
}

static fn_status from_program(fn_aws_found *found, walk *w, const char *profile, fn_err *err) {
  FN_AUTO_BUF fn_buf command;
  fn_buf_init(&command, MAX_VALUE);
  if (!fn_aws_profile_value(&command, w->aws, w->store, profile, "credential_process")) return FN_OK;
  FN_TRY(fn_aws_from_process(found, w->store, profile, command.data, err));
  say_source(w, "credential_process", profile);
  return FN_OK;
}

static fn_status follow(fn_aws_found *found, walk *w, const char *profile, fn_err *err) {
  if (w->n == MAX_CHAIN)
    return fn_err_set(err, FN_E_LIMIT, "profile %.100s: source_profile leads over more than %d profiles", profile,
                      MAX_CHAIN);
  w->visited[w->n++] = profile;
  /* A source that has keys is no role, even if it names one. */
  const bool has_keys = w->n > 1 && has_value(w->aws, w->store, profile, "aws_access_key_id");
  if (!has_keys) FN_TRY(from_role(found, w, profile, err));
  if (!found->id) FN_TRY(from_web_identity(found, w, profile, err));
  if (!found->id) FN_TRY(from_login(found, w, profile, err));
  if (!found->id) FN_TRY(from_credentials(found, w, profile, err));
  if (!found->id) FN_TRY(from_program(found, w, profile, err));
  if (!found->id) FN_TRY(from_config(found, w, profile, err));
  w->n--;
  return FN_OK;
}

fn_status fn_aws_from_profile(fn_aws_found *found, fn_buf *source, fn_aws *aws, fn_store *store, const char *profile,
                              fn_buf *tried, fn_err *err) {
  walk w = {.aws = aws, .store = store, .source = source, .tried = tried};
  const fn_status status = follow(found, &w, profile, err);
  if (status != FN_OK || found->id) return status;
  /* Who named a profile wants its account, and no other that happens to be at hand. */
  const bool named = fn_store_variable(store, "AWS_PROFILE") || fn_store_variable(store, "AWS_DEFAULT_PROFILE");
  if (!named || is_there(aws, store, profile)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "there is no profile %.100s (AWS_PROFILE); tried: %.600s", profile,
                    tried->data ? tried->data : "");
}
