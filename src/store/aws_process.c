/* credential_process of a profile: a program that prints keys as JSON
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html). */
#include "base/program.h"
#include "store/aws_profile.h"
#include "store/when.h"

enum { MAX_OUTPUT = 1 << 16 };
static const double TIMEOUT_S = 60; /* it may ask for a touch of a key */

static bool go_on(void *arg) {
  const fn_store *store = arg;
  const fn_download_event event = {.kind = FN_DOWNLOAD_WAIT, .text = store->uri, .total = -1};
  return fn_store_tell(store, event, NULL) == FN_OK;
}

/* "" where there is none, or null; NULL: no text. */
static const char *text_of(const json_t *value, const char *key) {
  const json_t *found = json_object_get(value, key);
  return !found || json_is_null(found) ? "" : json_string_value(found);
}

/* No message quotes what it printed. */
static fn_status read_keys(fn_aws_found *found, fn_str text, const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *value = NULL;
  fn_json_error wrong;
  const char *id, *secret, *token, *expires;
  int64_t version;
  const int64_t none = 0;
  if (fn_json_read(&value, text, 0, &wrong) != FN_OK || !json_is_object(value))
    return fn_err_set(err, FN_E_IO, "%.200s: prints no JSON object", name);
  if (fn_json_get_int(&version, value, "Version", INT64_MIN, INT64_MAX, &none, name, NULL) != FN_OK || version != 1)
    return fn_err_set(err, FN_E_IO, "%.200s: prints no \"Version\": 1, which is the one that is known", name);
  id = text_of(value, "AccessKeyId"), secret = text_of(value, "SecretAccessKey");
  token = text_of(value, "SessionToken"), expires = text_of(value, "Expiration");
  if (!id || !secret || !token || !expires || !*id || !*secret)
    return fn_err_set(err, FN_E_IO, "%.200s: prints no AccessKeyId and SecretAccessKey", name);
  int64_t expires_ms = INT64_MAX;
  if (*expires && !fn_when_parse(&expires_ms, expires))
    return fn_err_set(err, FN_E_IO, "%.200s: prints an Expiration that is no time", name);
  if (expires_ms < fn_clock_unix_ms())
    return fn_err_set(err, FN_E_INVALID, "%.200s: prints keys that have expired", name);
  return fn_aws_found_set(found, id, secret, token, expires_ms, err);
}

fn_status fn_aws_from_process(fn_aws_found *found, fn_store *store, const char *profile, const char *command,
                              fn_err *err) {
  const fn_environment *e = store->options.environment;
  if (!e || !e->variables)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "credential_process of profile %.100s: programs are not started here; `aws configure "
                      "export-credentials` gives keys for the environment",
                      profile);
  char **words;
  fn_status status = fn_program_split(&words, command, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "credential_process of profile %.100s", profile);
  fn_buf output;
  fn_buf_init(&output, MAX_OUTPUT);
  const fn_program program = {
      .words = words, .environment = e->variables, .timeout_s = TIMEOUT_S, .go_on = go_on, .arg = store};
  status = fn_program_run(&output, &program, err);
  if (status == FN_OK) status = read_keys(found, fn_buf_str(&output), words[0], err);
  if (output.data) memset(output.data, 0, output.length);
  fn_buf_deinit(&output);
  free(words);
  if (status == FN_OK) return FN_OK;
  return fn_err_prefix(err, status, "credential_process of profile %.100s", profile);
}
