#include "cli/track_support.h"

#include "mlflow/environment.h"

#include <stdlib.h>

static const char *get_variable(void *arg, const char *name) {
  (void)arg;
  return getenv(name);
}

extern char **environ; /* POSIX: no header has it */

static fn_environment environment(void) {
  return (fn_environment){.get = get_variable, .home = getenv("HOME"), .variables = environ};
}

fn_status fn_cli_stores_init(fn_cli_stores *s, const fn_cli *cli, fn_err *err) {
  *s = (fn_cli_stores){.environment = environment()};
  fn_cli_watch_stuck();
  FN_TRY(fn_config_fill(&s->net, cli->config, &fn_net_option_table, err));
  FN_TRY(fn_config_fill(&s->buckets, cli->config, &fn_bucket_option_table, err));
  s->options =
      (fn_store_options){.net = &s->net, .buckets = &s->buckets, .environment = &s->environment, .state = cli->state};
  return FN_OK;
}

void fn_cli_stores_show(fn_cli_stores *s, const fn_cli *cli) {
  s->transfer = (fn_cli_transfer){.cli = cli, .brief = true, .begin_ns = fn_clock_ns()};
  s->options.sink = fn_cli_transfer_sink(&s->transfer);
}

const char *fn_cli_track_url(const fn_track_options *options) {
  return options->url ? options->url : "runs/tracking.db";
}

const char *fn_cli_track_artifacts(fn_cli_place out, const fn_track_options *options) {
  fn_sql_kind kind;
  const char *url = fn_cli_track_url(options);
  if (options->artifacts) return options->artifacts;
  if (!fn_sql_kind_of(&kind, url) || kind != FN_SQL_SQLITE) return "runs/artifacts";
  url = fn_sql_path(url);
  snprintf(out, sizeof(fn_cli_place), "%.*sartifacts", (int)(fn_path_base(url) - url), url);
  return out;
}

static bool is_file(const char *url) {
  fn_sql_kind kind;
  return fn_sql_kind_of(&kind, url) && kind == FN_SQL_SQLITE;
}

static bool is_missing(const char *url) {
  return is_file(url) && !fn_path_exists(fn_sql_path(url));
}

fn_status fn_cli_open_tracking(fn_tracking **tracking_out, const fn_cli *cli, const fn_cli_stores *stores,
                               fn_cli_open_mode mode, fn_err *err) {
  fn_track_options options;
  fn_cli_place artifacts;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_track_option_table, err));
  fn_tracking_options o = {.url = fn_cli_track_url(&options),
                           .artifacts = fn_cli_track_artifacts(artifacts, &options),
                           .store = stores ? &stores->options : NULL};
  if (mode != FN_CLI_OPEN_MAKE && is_missing(o.url))
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "%s: no runs are kept here (track.url); `fakenews train` in this folder begins the first", o.url);
  const fn_status status = fn_tracking_open(tracking_out, &o, err);
  if (mode != FN_CLI_OPEN_READ || status != FN_E_IO || !is_file(o.url)) return status;
  o.read_only = true; /* a folder that may only be read */
  return fn_tracking_open(tracking_out, &o, err);
}

fn_status fn_cli_mlflow_options(fn_mlflow_options *out, const char *uri, const fn_track_options *options,
                                const fn_cli_stores *stores, fn_err *err) {
  FN_TRY(fn_mlflow_from_environment(out, uri, &stores->environment, err));
  out->net = &stores->net;
  out->store = &stores->options;
  out->local_roots = options->artifact_roots.items;
  out->n_local_roots = options->artifact_roots.n;
  return FN_OK;
}
