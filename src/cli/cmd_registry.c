/* fakenews registry alias|rollback|rm|tag|download: changing what the registry says, fetching a version. */
#include "cli/registry_support.h"
#include "registry/version_add.h"

#include <stdlib.h>

/* ---- alias ---- */

static fn_status tell_move(const fn_cli_version_name *v, int64_t from, int64_t to, fn_err *err) {
  char text[640], cells[2][32];
  snprintf(cells[0], sizeof cells[0], from > 0 ? "%lld" : "nowhere", (long long)from);
  snprintf(cells[1], sizeof cells[1], to > 0 ? "%lld" : "nowhere", (long long)to);
  snprintf(text, sizeof text, "%s@%s: %s -> %s\n", v->name, v->alias, cells[0], cells[1]);
  return fn_cli_print(fn_str_from(text), err);
}

static fn_status move(fn_cli_registry *r, const fn_cli_version_name *v, int64_t to, const char *reason, fn_err *err) {
  int64_t from = 0;
  FN_TRY(fn_registry_alias_version(&from, r->registry, v->name, v->alias, err));
  const fn_alias_move m = {
      .name = v->name, .alias = v->alias, .version = to, .expected = from, .action = "alias", .reason = reason};
  if (from != to || to == 0) { /* nothing is recorded of what changes nothing */
    char damage[FN_TRACKING_DAMAGE] = "";
    FN_TRY(fn_registry_move_alias(r->registry, &m, err));
    FN_TRY(tell_move(v, from, to, err));
    if (to > 0) FN_TRY(fn_cli_check_files(damage, r, v->name, to, err));
    if (damage[0]) fn_cli_warn(r->cli, "%s/%lld is damaged, and cannot be loaded: %s", v->name, (long long)to, damage);
  } else {
    fn_version there;
    FN_TRY(fn_registry_get(&there, r->registry, v->name, to, NULL, err));
    fn_version_deinit(&there);
    fn_cli_note(r->cli, "%s@%s stands at %lld already", v->name, v->alias, (long long)to);
  }
  return fn_cli_mirror(r, &(fn_mirror_change){.name = v->name, .version = to, .alias = v->alias}, err);
}

static fn_status alias(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  const bool remove = fn_cli_get(args, "--delete") != NULL;
  fn_cli_version_name v;
  fn_cli_registry r;
  int64_t to = 0;
  if (args->n_rest != (remove ? 1 : 2))
    return fn_err_set(err, FN_E_INVALID, "registry alias takes NAME@ALIAS and a version (or --delete and no version)");
  FN_TRY(fn_cli_parse_version(&v, args->rest[0], err));
  if (!v.alias[0]) return fn_err_set(err, FN_E_INVALID, "%s names no alias: NAME@ALIAS is expected", args->rest[0]);
  if (!remove && (!fn_str_to_int64(&to, fn_str_from(args->rest[1])) || to < 1))
    return fn_err_set(err, FN_E_INVALID, "\"%.40s\" is no version: a number from 1 is expected", args->rest[1]);
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_CHANGE, err);
  if (status == FN_OK) status = move(&r, &v, to, fn_cli_get(args, "--reason"), err);
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag alias_flags[] = {
    {.name = "--delete", .help = "take the alias away"},
    {.name = "--reason", .value = "TEXT", .help = "why, for the record"},
    {0},
};

const fn_verb fn_verb_registry_alias = {
    .name = "registry",
    .sub = "alias",
    .summary = "point an alias at a version, without asking the gates; promote asks them",
    .usage = "NAME@ALIAS VERSION | NAME@ALIAS --delete [--reason TEXT] [key=value …]",
    .flags = alias_flags,
    .options = "registry.mirror track.url track.artifacts",
    .more = "track.uri net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry alias fake-news@staging 3\n",
    .run = alias,
};

/* ---- rollback ---- */

static fn_status roll(fn_cli_registry *r, const fn_cli_version_name *v, const char *reason, fn_err *err) {
  int64_t from, to;
  char damage[FN_TRACKING_DAMAGE];
  FN_TRY(fn_registry_previous(&from, &to, r->registry, v->name, v->alias, err));
  FN_TRY(fn_cli_check_files(damage, r, v->name, to, err));
  if (damage[0])
    return fn_err_set(err, FN_E_REFUSED,
                      "%s@%s stood at version %lld before, which is damaged (%s); it was not moved: `fakenews registry "
                      "alias %s@%s VERSION` moves it to another one",
                      v->name, v->alias, (long long)to, damage, v->name, v->alias);
  const fn_alias_move m = {
      .name = v->name, .alias = v->alias, .version = to, .expected = from, .action = "rollback", .reason = reason};
  FN_TRY(fn_registry_move_alias(r->registry, &m, err));
  FN_TRY(tell_move(v, from, to, err));
  return fn_cli_mirror(r, &(fn_mirror_change){.name = v->name, .version = to, .alias = v->alias}, err);
}

static fn_status rollback(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_version_name v;
  fn_cli_registry r;
  if (args->n_rest != 1)
    return fn_err_set(err, FN_E_INVALID, "registry rollback takes one NAME@ALIAS, or NAME and --alias");
  FN_TRY(fn_cli_parse_alias(&v, args, err));
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_CHANGE, err);
  if (status == FN_OK) status = roll(&r, &v, fn_cli_get(args, "--reason"), err);
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag rollback_flags[] = {
    {.name = "--alias", .value = "ALIAS", .help = "which alias, where it is not written behind the name"},
    {.name = "--reason", .value = "TEXT", .help = "why, for the record"},
    {0},
};

const fn_verb fn_verb_registry_rollback = {
    .name = "registry",
    .sub = "rollback",
    .summary = "put an alias back to the version where it stood before; by the record of changes",
    .usage = "NAME@ALIAS | NAME --alias ALIAS [--reason TEXT] [key=value …]",
    .flags = rollback_flags,
    .options = "registry.mirror track.url track.artifacts",
    .more = "track.uri net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry rollback fake-news@best --reason \"too many complaints\"\n",
    .run = rollback,
};

/* ---- rm, tag ---- */

static fn_status check_number(const fn_cli_version_name *v, const char *text, fn_err *err) {
  if (v->version > 0) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: a version by its number is expected, NAME/3", text);
}

static fn_status retire(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_version_name v;
  fn_cli_registry r;
  FN_TRY(fn_cli_one_version(&v, args, "registry rm takes one version, NAME/3", err));
  FN_TRY(check_number(&v, args->rest[0], err));
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_CHANGE, err);
  const char *reason = fn_cli_get(args, "--reason");
  const bool purge = fn_cli_get(args, "--purge") != NULL;
  if (status == FN_OK)
    status = purge ? fn_version_purge(r.registry, r.tracking, v.name, v.version, reason, err)
                   : fn_registry_retire(r.registry, v.name, v.version, reason, err);
  if (status == FN_OK) {
    fn_cli_note(cli, "version %lld of %s is retired%s; its number is not given again", (long long)v.version, v.name,
                purge ? ", and its files are gone where nothing else has them" : "");
    status = fn_cli_mirror(&r, &(fn_mirror_change){.name = v.name, .version = v.version}, err);
  }
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag rm_flags[] = {
    {.name = "--purge", .help = "its files go too, where no run and no other version has them; also later"},
    {.name = "--reason", .value = "TEXT", .help = "why, for the record"},
    {0},
};

const fn_verb fn_verb_registry_rm = {
    .name = "registry",
    .sub = "rm",
    .summary = "retire a version; it is found no more, its number and record stay; refused while an alias points at it",
    .usage = "NAME/VERSION [--purge] [--reason TEXT] [key=value …]",
    .flags = rm_flags,
    .options = "registry.mirror track.url track.artifacts",
    .more = "track.uri net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry rm fake-news/2 --reason \"trained on a leaked test set\"\n",
    .run = retire,
};

static fn_status tag(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  const char *key = fn_cli_get(args, "--key"), *value = fn_cli_get(args, "--value");
  const bool remove = fn_cli_get(args, "--delete") != NULL;
  fn_cli_version_name v;
  fn_cli_registry r;
  FN_TRY(fn_cli_one_version(&v, args, "registry tag takes one version, NAME/3", err));
  FN_TRY(check_number(&v, args->rest[0], err));
  if (remove == (value != NULL)) return fn_err_set(err, FN_E_INVALID, "give --value TEXT, or --delete");
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_CHANGE, err);
  if (status == FN_OK) status = fn_registry_set_tag(r.registry, v.name, v.version, key, value, err);
  if (status == FN_OK) status = fn_cli_mirror(&r, &(fn_mirror_change){.name = v.name, .version = v.version}, err);
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag tag_flags[] = {
    {.name = "--key", .value = "KEY", .help = "name of the tag", .required = true},
    {.name = "--value", .value = "TEXT", .help = "what it says from now on"},
    {.name = "--delete", .help = "take it away"},
    {0},
};

const fn_verb fn_verb_registry_tag = {
    .name = "registry",
    .sub = "tag",
    .summary = "tags of a version; the one thing of it that may change",
    .usage = "NAME/VERSION --key KEY --value TEXT | --delete [key=value …]",
    .flags = tag_flags,
    .options = "registry.mirror track.url track.artifacts",
    .more = "track.uri net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry tag fake-news/3 --key approved-by --value \"news desk\"\n",
    .run = tag,
};

/* ---- download ---- */

static fn_status fetch(fn_cli_registry *r, const fn_cli_version_name *v, const char *out, fn_err *err) {
  char text[400];
  fn_version_owner owner;
  fn_version found;
  FN_TRY(fn_registry_get(&found, r->registry, v->name, v->version, v->alias[0] ? v->alias : NULL, err));
  const int64_t version = found.info.version;
  fn_version_deinit(&found);
  fn_version_owner_format(owner, v->name, version);
  FN_TRY(fn_tracking_get(r->tracking, owner, "", out, err));
  snprintf(text, sizeof text, "version %lld of %s\n", (long long)version, v->name);
  return fn_cli_print(fn_str_from(text), err);
}

static fn_status download(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_version_name v;
  fn_cli_registry r;
  FN_TRY(fn_cli_one_version(&v, args, "registry download takes one NAME, NAME@ALIAS or NAME/3", err));
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_READ, err);
  if (status == FN_OK) status = fetch(&r, &v, fn_cli_get(args, "--out"), err);
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag download_flags[] = {
    {.name = "--out", .value = "DIR", .help = "folder that appears when all is there and checked", .required = true},
    {0},
};

const fn_verb fn_verb_registry_download = {
    .name = "registry",
    .sub = "download",
    .summary = "all files of a version into a folder; each one's SHA-256 is checked",
    .usage = "NAME[@ALIAS|/VERSION] --out DIR [key=value …]",
    .flags = download_flags,
    .options = "track.url track.artifacts",
    .more = "net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry download fake-news@best --out best\n",
    .run = download,
};
