#include "cli/secrets.h"

#include "cli/track_support.h"
#include "store/secret.h"

enum { MAX_VALUE = 1 << 16 };

/* The text in quotes, so that it is taken as it stands. */
static void quote(fn_buf *out, fn_str text) {
  fn_buf_append_char(out, '"');
  for (size_t i = 0; i < text.length; i++) {
    if (text.data[i] == '"' || text.data[i] == '\\') fn_buf_append_char(out, '\\');
    fn_buf_append_char(out, text.data[i]);
  }
  fn_buf_append_char(out, '"');
}

/* The reference that a setting's text is, in quotes or not; NULL when it is none. */
static char *reference_of(const char *text) {
  if (!text) return NULL;
  const size_t n = strlen(text);
  const bool quoted = n > 2 && (text[0] == '"' || text[0] == '\'') && text[n - 1] == text[0];
  char *copy = fn_str_dup(fn_str_make(text + quoted, n - 2 * quoted));
  if (copy && fn_secret_is_reference(copy)) return copy;
  free(copy);
  return NULL;
}

/* Whether a value can be what an address is: a password alone, say, would be taken for the path of a database, which
 * messages show. */
static bool fits(const char *key, const char *value) {
  static const char *const addresses[] = {".url", ".uri", ".mirror"};
  static const char *const begins[] = {"/", "sqlite:", "postgresql://", "postgres://", "http://", "https://"};
  const char *dot = strrchr(key, '.');
  bool address = false, good = false;
  for (size_t i = 0; i < FN_COUNT_OF(addresses); i++) address = address || (dot && strcmp(dot, addresses[i]) == 0);
  for (size_t i = 0; i < FN_COUNT_OF(begins); i++) good = good || strncmp(value, begins[i], strlen(begins[i])) == 0;
  return good || !address;
}

static fn_status resolve(const fn_cli *cli, fn_config *config, const fn_option *option, const char *reference,
                         fn_err *err) {
  if (strncmp(option->key, "net.http", 8) == 0)
    return fn_err_set(err, FN_E_INVALID, "%s: a proxy cannot be named by a secret: it is needed to fetch that",
                      option->key);
  fn_cli_stores stores;
  FN_AUTO_BUF fn_buf value, quoted;
  fn_buf_init(&value, MAX_VALUE), fn_buf_init(&quoted, 2 * MAX_VALUE + 2);
  FN_TRY(fn_cli_stores_init(&stores, cli, err));
  const fn_status status = fn_secret_get(&value, reference, &stores.options, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "%s", option->key);
  if (!fits(option->key, value.data ? value.data : ""))
    return fn_err_set(err, FN_E_INVALID,
                      "%s: what %.300s holds is no address: postgresql://…, https://…, sqlite:PATH and /PATH are",
                      option->key, reference);
  quote(&quoted, fn_buf_str(&value));
  FN_TRY(fn_buf_check(&quoted, option->key, err));
  /* What is wrong with a value quotes it: the message is ours. */
  if (fn_config_set(config, FN_CONFIG_OVERRIDE, option->key, fn_buf_str(&quoted), reference, NULL) == FN_OK)
    return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: what %.300s holds is no value for it", option->key, reference);
}

/* Verbs that load models find those of the registry by track.url, which is none of their own settings. */
static bool is_read(const char *key, const char *prefixes) {
  if (!prefixes) return false;
  return fn_config_is_asked(key, prefixes) ||
         (strcmp(key, "track.url") == 0 && fn_config_is_asked("infer.text", prefixes));
}

fn_status fn_cli_resolve_secrets(const fn_cli *cli, fn_config *config, const char *prefixes, fn_err *err) {
  for (size_t i = 0; i < fn_cli_n_tables; i++)
    for (size_t j = 0; j < fn_cli_tables[i]->n_options; j++) {
      const fn_option *option = &fn_cli_tables[i]->options[j];
      if (!option->secret || option->type != FN_OPTION_STRING) continue;
      if (!is_read(option->key, prefixes)) continue;
      FN_AUTO_FREE char *reference = reference_of(fn_config_value(config, option->key));
      if (reference) FN_TRY(resolve(cli, config, option, reference, err));
    }
  return FN_OK;
}
