#include "cli/registry_support.h"

#include "cli/log_support.h"
#include "cli/model_names.h"
#include "cli/track_command.h"
#include "mlflow/environment.h"
#include "registry/model_uri.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

fn_status fn_cli_parse_version(fn_cli_version_name *out, const char *text, fn_err *err) {
  fn_cli_version_name v = {.version = 0};
  FN_AUTO_BUF fn_buf whole;
  fn_model_uri uri;
  fn_buf_init(&whole, 4096);
  const bool is_uri = strncmp(text, "models:", 7) == 0;
  if (!is_uri && strpbrk(text, "@/") == NULL) {
    FN_TRY(fn_registry_check_name(text, err));
    snprintf(v.name, sizeof v.name, "%s", text);
    *out = v;
    return FN_OK;
  }
  fn_buf_printf(&whole, "%s%s", is_uri ? "" : "models:/", text);
  FN_TRY(fn_buf_check(&whole, "a name", err));
  FN_TRY(fn_model_uri_parse(&uri, whole.data, err));
  memcpy(v.name, uri.name, sizeof v.name);
  memcpy(v.alias, uri.alias, sizeof v.alias);
  v.version = uri.version;
  *out = v;
  return FN_OK;
}

fn_status fn_cli_one_version(fn_cli_version_name *out, const fn_cli_args *args, const char *usage, fn_err *err) {
  if (args->n_rest != 1) return fn_err_set(err, FN_E_INVALID, "%s", usage);
  return fn_cli_parse_version(out, args->rest[0], err);
}

fn_status fn_cli_parse_alias(fn_cli_version_name *out, const fn_cli_args *args, fn_err *err) {
  const char *given = fn_cli_get(args, "--alias"), *text = args->rest[0];
  fn_cli_version_name v;
  FN_TRY(fn_cli_parse_version(&v, text, err));
  if (v.version > 0) return fn_err_set(err, FN_E_INVALID, "%s: no version, NAME@ALIAS is expected here", text);
  if (given && v.alias[0] && strcmp(given, v.alias) != 0)
    return fn_err_set(err, FN_E_INVALID, "%s and --alias %s: leave out one of them", text, given);
  if (given) FN_TRY(fn_registry_check_alias(given, err));
  if (given) snprintf(v.alias, sizeof v.alias, "%s", given);
  if (!v.alias[0]) return fn_err_set(err, FN_E_INVALID, "which alias? %s@ALIAS, or --alias ALIAS, is expected", v.name);
  *out = v;
  return FN_OK;
}

fn_status fn_cli_parse_card(json_t **card_out, const fn_version_info *v, fn_err *err) {
  char name[300];
  snprintf(name, sizeof name, "%.255s/%lld, its card", v->name, (long long)v->version);
  return fn_json_parse(card_out, fn_str_from(v->card), name, err);
}

fn_status fn_cli_load_card(json_t **card_out, const fn_cli_registry *r, const char *name, int64_t version,
                           fn_err *err) {
  fn_version v;
  FN_TRY(fn_registry_get(&v, r->registry, name, version, NULL, err));
  const fn_status status = fn_cli_parse_card(card_out, &v.info, err);
  fn_version_deinit(&v);
  return status;
}

fn_status fn_cli_check_files(char damage_out[FN_TRACKING_DAMAGE], const fn_cli_registry *r, const char *name,
                             int64_t version, fn_err *err) {
  fn_version_owner owner;
  fn_err why = {0};
  fn_version_owner_format(owner, name, version);
  const fn_status status = fn_tracking_check_files(damage_out, r->tracking, owner, &why);
  if (status == FN_E_NO_MEMORY || status == FN_E_CANCELLED) return fn_err_set(err, status, "%s", why.message);
  if (status != FN_OK) {
    fn_cli_warn(r->cli, "whether the files of %s/%lld are whole cannot be told: %s", name, (long long)version,
                why.message);
    damage_out[0] = '\0';
  }
  return FN_OK;
}

/* "0.8552", "2.00 %", "-" */
static void format_figure(char out[32], double value, int digits, const char *unit) {
  if (isnan(value))
    snprintf(out, 32, "-");
  else
    snprintf(out, 32, "%.*f%s%s", digits, value, unit[0] ? " " : "", unit);
}

void fn_cli_format_gate(char value_out[32], char limit_out[32], const fn_gate *g) {
  enum { MAX_DIGITS = 13 };
  int digits = g->unit[0] ? 2 : 4;
  do {
    format_figure(value_out, g->value, digits, g->unit);
    format_figure(limit_out, g->limit, digits, g->unit);
  } while (g->verdict == FN_GATE_FAIL && strcmp(value_out, limit_out) == 0 && digits++ < MAX_DIGITS);
}

static void append_verdict(fn_buf *out, const fn_gate *g, bool color) {
  const bool fails = g->verdict == FN_GATE_FAIL;
  const char *name = fn_gate_verdict_names[g->verdict];
  if (!color || g->verdict == FN_GATE_PASS)
    fn_buf_printf(out, "%s\n", name);
  else
    fn_buf_printf(out, "%s%s\033[0m\n", fails ? "\033[1;31m" : "\033[2m", name);
}

static void append_remark(fn_buf *out, const fn_gate *g, const char *indent, size_t width) {
  const size_t column = strlen(indent);
  if (g->verdict != FN_GATE_PASS && g->remark[0]) {
    fn_buf_append_str(out, indent);
    fn_buf_append_wrapped(out, g->remark, column, column, width);
    fn_buf_append_char(out, '\n');
  }
  if (g->verdict == FN_GATE_FAIL) fn_buf_printf(out, "%s(%s)\n", indent, g->key);
}

/* Where a row of the table does not fit: the verdict behind the name, the figures below. */
static void append_narrow(fn_buf *out, const fn_gate *g, size_t width, bool color) {
  char value[32], limit[32];
  const int column = width > 40 ? 32 : 26;
  fn_buf_printf(out, "%-*s", column, g->name);
  append_verdict(out, g, color);
  fn_cli_format_gate(value, limit, g);
  if (!isnan(g->value) || !isnan(g->limit)) fn_buf_printf(out, "  %s", value);
  if (!isnan(g->limit)) fn_buf_printf(out, ", %s %s", g->at_least ? "at least" : "at most", limit);
  if (!isnan(g->value) || !isnan(g->limit)) fn_buf_append_char(out, '\n');
  append_remark(out, g, "  ", width);
}

void fn_cli_print_gates(fn_buf *out, const fn_cli *cli, const fn_gates *gates) {
  enum { TABLE = 74 };
  char value[32], limit[32];
  const size_t width = (size_t)fn_cli_width(STDOUT_FILENO);
  const bool color = cli->color && cli->tty_out;
  if (width >= TABLE) fn_buf_printf(out, "%-28s%12s  %-9s%12s  %s\n", "gate", "value", "must be", "limit", "verdict");
  for (size_t i = 0; i < gates->n; i++) {
    const fn_gate *g = &gates->items[i];
    if (width < TABLE) {
      append_narrow(out, g, width, color);
      continue;
    }
    fn_cli_format_gate(value, limit, g);
    fn_buf_printf(out, "%-28s%12s  %-9s%12s  ", g->name, value, g->at_least ? "at least" : "at most", limit);
    append_verdict(out, g, color);
    append_remark(out, g, "    ", width);
  }
}

fn_status fn_cli_make_scratch(char **path_out, fn_err *err) {
  const char *tmp = getenv("TMPDIR");
  FN_AUTO_FREE char *path = fn_path_join(tmp && *tmp ? tmp : "/tmp", "fakenews-XXXXXX");
  if (path == NULL) return fn_err_no_memory(err, "a path");
  if (mkdtemp(path) == NULL) return fn_err_set(err, FN_E_IO, "%s: no temporary folder can be made (TMPDIR)", path);
  *path_out = FN_STEAL(path);
  return FN_OK;
}

/* ---- the mirror ---- */

/* How the mirror is reached. */
typedef struct mirror_place {
  const char *uri; /* NULL: there is none */
  fn_track_options track;
  fn_mlflow_place place;
  fn_mlflow_options options;
} mirror_place;

/* NULL: there is none. */
static const char *mirror_uri(const fn_cli_registry *r, const fn_track_options *track) {
  const char *uri = r->options.mirror ? r->options.mirror : track->uri;
  return uri && strcmp(uri, "none") == 0 ? NULL : uri;
}

static fn_status find_mirror(mirror_place *m, const fn_cli_registry *r, fn_err *err) {
  *m = (mirror_place){.uri = NULL};
  FN_TRY(fn_config_fill(&m->track, r->cli->config, &fn_track_option_table, err));
  const char *own = r->options.mirror;
  if (own && strcmp(own, "none") != 0 && strncmp(own, "http://", 7) != 0 && strncmp(own, "https://", 8) != 0)
    return fn_err_set(err, FN_E_INVALID, "registry.mirror: the address of an MLflow server, http(s)://…, is expected");
  m->uri = mirror_uri(r, &m->track);
  if (m->uri == NULL) return FN_OK;
  const bool is_set = fn_config_layer_of(r->cli->config, "track.experiment") != FN_CONFIG_DEFAULT;
  FN_TRY(fn_mlflow_place_from_environment(&m->place, m->track.experiment, is_set, &r->stores.environment, err));
  FN_TRY(fn_cli_mlflow_options(&m->options, m->uri, &m->track, &r->stores, err));
  m->options.tick = fn_cli_goes_on;
  return FN_OK;
}

static void on_note(void *arg, bool warning, const char *text) {
  const fn_cli_registry *r = arg;
  if (warning)
    fn_cli_warn(r->cli, "%s", text);
  else
    fn_cli_note(r->cli, "%s", text);
}

static fn_status mirror(fn_cli_registry *r, const mirror_place *place, const fn_mirror_change *change, fn_err *err) {
  FN_AUTO_FREE char *scratch = NULL;
  FN_TRY(fn_cli_make_scratch(&scratch, err));
  fn_mirror m = {.tracking = r->tracking,
                 .registry = r->registry,
                 .experiment = place->place.experiment,
                 .experiment_id = place->place.experiment_id,
                 .scratch = scratch,
                 .note = on_note,
                 .may_go_on = fn_cli_goes_on,
                 .arg = r};
  fn_status status = fn_mlflow_open(&m.mlflow, &place->options, err);
  if (status == FN_OK) status = fn_mirror_bring(&m, change, err);
  fn_mlflow_close(m.mlflow);
  if (fn_dir_remove(scratch, NULL) != FN_OK) fn_cli_warn(r->cli, "%s: cannot be removed", scratch);
  return status;
}

fn_status fn_cli_mirror(fn_cli_registry *r, const fn_mirror_change *change, fn_err *err) {
  fn_err why = {0};
  mirror_place place;
  FN_TRY(find_mirror(&place, r, err));
  if (place.uri == NULL || mirror(r, &place, change, &why) == FN_OK) return FN_OK;
  return fn_err_set(
      err, FN_E_PARTIAL,
      "the registry has the change, its mirror has not: %s (any later change of %s, or `fakenews registry sync %s`, "
      "brings it there)",
      why.message, change->name, change->name);
}

fn_status fn_cli_sync_mirror(fn_cli_registry *r, const char *name, bool all, fn_err *err) {
  mirror_place place;
  FN_TRY(find_mirror(&place, r, err));
  if (place.uri == NULL)
    return fn_err_set(err, FN_E_INVALID, "there is no mirror: registry.mirror=http://… names the MLflow server");
  return mirror(r, &place, &(fn_mirror_change){.name = name, .all = all}, err);
}

/* ---- opening: what is wrong with the mirror's settings is said before anything is changed ---- */

static bool same_address(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  while (n > 0 && a[n - 1] == '/') n--;
  while (m > 0 && b[m - 1] == '/') m--;
  return n == m && memcmp(a, b, n) == 0;
}

/* Names are looked up on a server, and what is changed here would never be seen there. */
static fn_status warn_of_other_registry(const fn_cli_registry *r, fn_err *err) {
  const char *uri = r->options.uri ? r->options.uri : fn_environment_get(&r->stores.environment, "MLFLOW_REGISTRY_URI");
  fn_track_options track;
  FN_TRY(fn_config_fill(&track, r->cli->config, &fn_track_option_table, err));
  const char *mirrored = mirror_uri(r, &track);
  if (!uri || strncmp(uri, "http", 4) != 0 || (mirrored && same_address(uri, mirrored))) return FN_OK;
  fn_cli_warn(r->cli,
              "%s is set: names models:/… are looked up on that MLflow server, while this verb works on the registry "
              "of track.url; registry.mirror set to the same address brings its changes there",
              r->options.uri ? "registry.uri" : "MLFLOW_REGISTRY_URI");
  return FN_OK;
}

fn_status fn_cli_open_registry(fn_cli_registry *r, const fn_cli *cli, fn_cli_open_mode mode, fn_err *err) {
  char host[256] = "", user[256];
  mirror_place place;
  *r = (fn_cli_registry){.cli = cli};
  FN_TRY(fn_config_fill(&r->options, cli->config, &fn_registry_option_table, err));
  FN_TRY(fn_cli_stores_init(&r->stores, cli, err));
  fn_cli_stores_show(&r->stores, cli);
  if (mode != FN_CLI_OPEN_READ) FN_TRY(find_mirror(&place, r, err));
  FN_TRY(warn_of_other_registry(r, err));
  FN_TRY(fn_cli_open_tracking(&r->tracking, cli, &r->stores, mode, err));
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  fn_cli_user_name(user, sizeof user);
  const fn_registry_actor actor = {user, host};
  return fn_registry_open(&r->registry, fn_tracking_sql(r->tracking), &actor, mode != FN_CLI_OPEN_MAKE, err);
}

void fn_cli_close_registry(fn_cli_registry *r) {
  fn_registry_close(r->registry);
  fn_tracking_close(r->tracking);
  r->registry = NULL;
  r->tracking = NULL;
}
