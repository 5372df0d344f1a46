#include "cli/runs_sync_place.h"

#include "sql/sql.h"

#include <sys/stat.h>

bool fn_cli_same_place(const char *then, const char *now) {
  struct stat one, other;
  if (fn_store_is_uri(then) || fn_store_is_uri(now)) return strcmp(then, now) == 0;
  if (then[0] != '/') return false;
  if (stat(then, &one) == 0 && stat(now, &other) == 0) return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
  FN_AUTO_FREE char *here = NULL; /* not made yet */
  if (fn_path_real(&here, ".", NULL) != FN_OK) return false;
  FN_AUTO_FREE char *path = fn_path_join(here, now);
  return path && strcmp(then, path) == 0;
}

static fn_status find_url(const char **url, const fn_cli_sync_place *p, const fn_cli *cli, const fn_track_options *o,
                          const char *folder, const char *meant, fn_err *err) {
  const fn_config_layer layer = fn_config_layer_of(cli->config, "track.url");
  const char *now = fn_cli_track_url(o), *then = p->identity.url;
  char shown[512];
  fn_sql_kind kind;
  fn_sql_describe(shown, sizeof shown, now);
  *url = now;
  if (layer == FN_CONFIG_OVERRIDE || !meant || !*meant || strcmp(shown, meant) == 0) {
    if (layer == FN_CONFIG_DEFAULT && then) *url = then;
    return FN_OK;
  }
  if (then && fn_cli_same_place(then, fn_sql_path(now))) return FN_OK;
  if (layer == FN_CONFIG_DEFAULT && then) return *url = then, FN_OK;
  const bool was_file = fn_sql_kind_of(&kind, meant) && kind == FN_SQL_SQLITE;
  if (layer == FN_CONFIG_DEFAULT && was_file) return FN_OK; /* which is gone: the default */
  return fn_err_set(err, FN_E_INVALID,
                    "what waits in %s belongs into %.300s, and the settings name %.300s; say which it is to be: "
                    "fakenews runs sync %s track.url=…",
                    folder, meant, shown, folder);
}

fn_status fn_cli_sync_place_find(fn_cli_sync_place *p, const fn_cli *cli, const fn_cli_stores *stores,
                                 const fn_track_options *options, const char *folder, const char *meant, fn_err *err) {
  fn_track_options here = *options;
  *p = (fn_cli_sync_place){.options = {.store = &stores->options}};
  FN_TRY(fn_cli_identity_load(&p->identity, folder, err));
  FN_TRY(find_url(&here.url, p, cli, options, folder, meant, err));
  p->options.url = here.url;
  const bool is_default = fn_config_layer_of(cli->config, "track.artifacts") == FN_CONFIG_DEFAULT;
  const bool is_there = p->identity.url && fn_cli_same_place(p->identity.url, fn_sql_path(here.url));
  p->options.artifacts = is_default && p->identity.artifacts && (is_there || here.url == p->identity.url)
                             ? p->identity.artifacts
                             : fn_cli_track_artifacts(p->room, &here);
  return FN_OK;
}

void fn_cli_sync_place_deinit(fn_cli_sync_place *p) {
  fn_cli_identity_deinit(&p->identity);
}
