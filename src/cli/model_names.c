#include "cli/model_names.h"

#include <stdlib.h>

static void on_note(void *arg, const char *text) {
  fn_cli_warn(arg, "%s", text);
}

/* registry: a name of one is looked up. Other programs set MLFLOW_REGISTRY_URI to what ours does not take; that is in
 * nobody's way who names a run or an address. */
static fn_status init(fn_cli_model_source *s, const fn_cli *cli, bool registry, fn_err *err) {
  *s = (fn_cli_model_source){.cache = NULL};
  FN_TRY(fn_config_fill(&s->track, cli->config, &fn_track_option_table, err));
  FN_TRY(fn_config_fill(&s->registry, cli->config, &fn_registry_option_table, err));
  FN_TRY(fn_cli_stores_init(&s->stores, cli, err));
  s->tracking = (fn_tracking_options){.url = fn_cli_track_url(&s->track),
                                      .artifacts = fn_cli_track_artifacts(s->artifacts, &s->track),
                                      .store = &s->stores.options,
                                      .read_only = true};
  const char *uri =
      s->registry.uri ? s->registry.uri : fn_environment_get(&s->stores.environment, "MLFLOW_REGISTRY_URI");
  const bool is_server = uri && strncmp(uri, "http", 4) == 0;
  if (registry && uri && *uri && !is_server)
    return fn_err_set(
        err, FN_E_INVALID,
        "registry.uri (MLFLOW_REGISTRY_URI): the address of an MLflow server, http(s)://…, is expected; the "
        "registry of a database is named by track.url");
  if (is_server) {
    FN_TRY(fn_cli_mlflow_options(&s->mlflow, uri, &s->track, &s->stores, err));
    s->mlflow.tick = fn_cli_goes_on;
  }
  if (cli->cache) {
    s->cache = fn_path_join(cli->cache, "models");
    if (s->cache == NULL) return fn_err_no_memory(err, "a path");
  }
  s->source = (fn_model_source){.tracking = &s->tracking,
                                .mlflow = is_server ? &s->mlflow : NULL,
                                .store = &s->stores.options,
                                .cache = s->cache,
                                .note = on_note,
                                .arg = (void *)(uintptr_t)cli};
  return FN_OK;
}

fn_status fn_cli_model_source_init(fn_cli_model_source *s, const fn_cli *cli, fn_err *err) {
  return init(s, cli, true, err);
}

void fn_cli_model_source_deinit(fn_cli_model_source *s) {
  free(s->cache);
  s->cache = NULL;
}

fn_status fn_cli_fetch_model(char **path_out, const fn_cli *cli, const char *name, fn_model_want want, fn_err *err) {
  fn_model_uri uri;
  fn_cli_model_source source;
  fn_model_place place = {0};
  FN_TRY(fn_model_uri_parse(&uri, name, err));
  if (uri.form == FN_MODEL_PATH) {
    *path_out = fn_str_dup(fn_str_from(name));
    return *path_out ? FN_OK : fn_err_no_memory(err, "path of the model");
  }
  fn_status status = init(&source, cli, uri.form == FN_MODEL_REGISTRY, err);
  fn_cli_stores_show(&source.stores, cli);
  if (status == FN_OK) status = fn_model_fetch(&place, &uri, want, &source.source, err);
  fn_cli_model_source_deinit(&source);
  FN_TRY(status);
  *path_out = place.path;
  return FN_OK;
}
