/* fakenews registry sync: the MLflow server of registry.mirror gets what it lacks. */
#include "cli/registry_support.h"

#include <stdlib.h>

enum { MAX_MODELS = 100000 };

typedef struct models {
  char (*names)[FN_REGISTRY_MAX_NAME + 1];
  size_t n, capacity;
} models;

/* Versions come by name. */
static fn_status note_model(void *arg, const fn_version_info *v, fn_err *err) {
  models *m = arg;
  void *names = m->names;
  if (m->n > 0 && strcmp(m->names[m->n - 1], v->name) == 0) return FN_OK;
  FN_TRY(fn_mem_grow(&names, &m->capacity, m->n + 1, sizeof *m->names, MAX_MODELS, "models", err));
  m->names = names;
  snprintf(m->names[m->n++], sizeof *m->names, "%s", v->name);
  return FN_OK;
}

/* One that fails does not keep the others away. */
static fn_status sync_all(fn_cli_registry *r, const models *m, bool all, fn_err *err) {
  fn_err first = {0};
  size_t n_failed = 0;
  for (size_t i = 0; i < m->n; i++) {
    fn_err why = {0};
    const fn_status status = fn_cli_sync_mirror(r, m->names[i], all, &why);
    if (status == FN_OK) continue;
    if (status == FN_E_INVALID || fn_cli_stop_requested()) return fn_err_set(err, status, "%s", why.message);
    if (n_failed++ == 0) first = why;
  }
  if (n_failed == 0) {
    fn_cli_note(r->cli, "the mirror has every %s of %zu model%s", all ? "version in use" : "alias and its version",
                m->n, m->n == 1 ? "" : "s");
    return FN_OK;
  }
  return fn_err_set(err, FN_E_PARTIAL, "%zu of %zu models did not arrive as they are here: %s", n_failed, m->n,
                    first.message);
}

static fn_status sync(fn_cli_registry *r, const char *name, bool all, fn_err *err) {
  models m = {.n = 0};
  fn_err why = {0};
  const fn_status listed = fn_registry_list(r->registry, name, true, note_model, &m, &why);
  fn_status status = listed == FN_E_PARTIAL ? FN_OK : listed; /* the rest of them go on */
  if (status == FN_OK)
    status = sync_all(r, &m, all, err);
  else
    (void)fn_err_set(err, status, "%s", why.message);
  free(m.names);
  return status == FN_OK && listed == FN_E_PARTIAL ? fn_err_set(err, listed, "%s", why.message) : status;
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_registry r = {.cli = cli};
  if (args->n_rest > 1) return fn_err_set(err, FN_E_INVALID, "registry sync takes one model's name at most");
  if (args->n_rest == 1) FN_TRY(fn_registry_check_name(args->rest[0], err));
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_CHANGE, err);
  if (status == FN_OK) status = sync(&r, args->n_rest ? args->rest[0] : NULL, fn_cli_get(args, "--all") != NULL, err);
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--all", .help = "also the versions in use that no alias points to"},
    {0},
};

const fn_verb fn_verb_registry_sync = {
    .name = "registry",
    .sub = "sync",
    .summary =
        "bring the mirror what it lacks; versions with an alias, aliases, tags; exit code 3 if some did not arrive",
    .usage = "[NAME] [--all] [key=value …]",
    .flags = flags,
    .options = "registry.mirror track.url track.artifacts",
    .more = "track.uri net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry sync fake-news registry.mirror=https://mlflow.example.org\n",
    .run = run,
};
