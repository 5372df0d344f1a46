#include "cli/log_support.h"

#include <stdlib.h>
#include <time.h>

fn_status fn_cli_open_log(fn_sql **sql_out, const fn_cli *cli, bool read_only, fn_err *err) {
  fn_predictions_options options;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_predictions_option_table, err));
  FN_AUTO_FREE char *url = NULL;
  FN_TRY(fn_database_url(&url, &options, cli->state, err));
  const fn_sql_options sql_options = {.read_only = read_only};
  const fn_status status = fn_database_open(sql_out, url, &sql_options, err);
  if (status == FN_E_NOT_FOUND)
    return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no prediction log here (predictions.url)", url);
  return status;
}

static bool parse_ago(int64_t *ms_out, const char *text) {
  static const struct {
    char unit;
    int64_t ms;
  } units[] = {{'d', 86400000}, {'h', 3600000}, {'m', 60000}};
  const size_t n = strlen(text);
  int64_t count;
  for (size_t i = 0; i < FN_COUNT_OF(units); i++) {
    if (n < 2 || text[n - 1] != units[i].unit) continue;
    if (!fn_str_to_int64(&count, fn_str_make(text, n - 1)) || count < 0 || count > 1000000) return false;
    *ms_out = fn_clock_unix_ms() - count * units[i].ms;
    return true;
  }
  return false;
}

/* n digits at *text, which moves on behind them and the mark that must follow (0: none). */
static bool take_digits(int *out, const char **text, int n, char mark) {
  *out = 0;
  for (int i = 0; i < n; i++, (*text)++) {
    if (**text < '0' || **text > '9') return false;
    *out = *out * 10 + (**text - '0');
  }
  if (mark == 0) return true;
  return *(*text)++ == mark;
}

static bool parse_date(int64_t *ms_out, const char *text) {
  struct tm t = {0}, checked;
  if (!take_digits(&t.tm_year, &text, 4, '-') || !take_digits(&t.tm_mon, &text, 2, '-') ||
      !take_digits(&t.tm_mday, &text, 2, 0))
    return false;
  if (*text == 'T' || *text == ' ') {
    text++;
    if (!take_digits(&t.tm_hour, &text, 2, ':') || !take_digits(&t.tm_min, &text, 2, ':') ||
        !take_digits(&t.tm_sec, &text, 2, 'Z'))
      return false;
  }
  if (*text || t.tm_year < 1970) return false;
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  checked = t;
  const time_t seconds = timegm(&checked); /* turns a 31st of June into a July */
  if (checked.tm_mon != t.tm_mon || checked.tm_mday != t.tm_mday || checked.tm_hour != t.tm_hour) return false;
  *ms_out = (int64_t)seconds * 1000;
  return true;
}

fn_status fn_cli_parse_time(int64_t *ms_out, const char *flag, const char *text, fn_err *err) {
  if (!text || parse_ago(ms_out, text) || parse_date(ms_out, text)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%s takes a day (2026-11-26), a time (2026-11-26T13:00:00Z) or how long ago (90d, 12h, 30m), not "
                    "\"%.40s\"",
                    flag, text);
}

fn_status fn_cli_parse_choice(int *out, const char *flag, const char *text, const char *const *names, size_t n,
                              fn_err *err) {
  if (!text) return FN_OK;
  FN_AUTO_BUF fn_buf list;
  fn_buf_init(&list, 4096);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(text, names[i]) == 0) return *out = (int)i, FN_OK;
    fn_buf_printf(&list, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", names[i]);
  }
  return fn_err_set(err, FN_E_INVALID, "%s takes %s, not \"%.40s\"", flag, list.data ? list.data : "", text);
}

fn_status fn_cli_check_ids(const fn_cli_args *args, size_t max, const char *usage, fn_err *err) {
  if (args->n_rest >= 1 && args->n_rest <= max) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s", usage);
}
