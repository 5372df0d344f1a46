/* fakenews registry add: a version of a run. */
#include "cli/registry_make.h"

#define DEFAULT_NAME "fake-news"

static fn_status report(const fn_cli_registry *r, const char *name, int64_t version, bool found, bool json,
                        fn_err *err) {
  FN_AUTO_BUF fn_buf out;
  fn_gates gates;
  FN_AUTO_JSON json_t *card = NULL;
  fn_buf_init(&out, 0);
  FN_TRY(fn_cli_load_card(&card, r, name, version, err));
  fn_gates_check(&gates, card, NULL, &r->options);
  if (json) {
    fn_json_writer w;
    fn_json_begin(&w, &out, 0);
    fn_json_object(&w, NULL);
    fn_json_text(&w, "name", name);
    fn_json_int(&w, "version", version);
    fn_json_bool(&w, "added", !found);
    fn_gates_format(&w, "gates", &gates);
    fn_json_end(&w);
    fn_buf_append_char(&out, '\n');
  } else {
    fn_buf_printf(&out, "%s/%lld%s\n\n", name, (long long)version,
                  found ? " is this model already, with the same data and settings" : "");
    fn_cli_print_gates(&out, r->cli, &gates);
  }
  FN_TRY(fn_buf_check(&out, "a version", err));
  return fn_cli_print(fn_buf_str(&out), err);
}

/* A folder begins a registry; for the name of a run there must be a store that has it: no file is made for a mistake.
 */
static fn_status open_registry(fn_cli_registry *r, const fn_cli *cli, const char *name, fn_err *err) {
  if (!fn_path_is_dir(name)) {
    fn_tracking *there = NULL;
    FN_TRY(fn_cli_open_tracking(&there, cli, NULL, FN_CLI_OPEN_READ, err));
    fn_tracking_close(there);
  }
  return fn_cli_open_registry(r, cli, FN_CLI_OPEN_MAKE, err);
}

static fn_status add(fn_cli_registry *r, const fn_cli *cli, const fn_cli_args *args, const char *name, fn_err *err) {
  int64_t version = 0;
  bool found = false;
  const bool json = fn_cli_get(args, "--json") != NULL;
  FN_TRY(open_registry(r, cli, args->rest[0], err));
  FN_TRY(fn_cli_add_version(&version, &found, r, args->rest[0], name, fn_cli_get(args, "--data"), err));
  FN_TRY(report(r, name, version, found, json, err));
  return fn_cli_mirror(r, &(fn_mirror_change){.name = name, .version = version}, err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  const char *name = fn_cli_get(args, "--name");
  fn_cli_registry r = {.cli = cli};
  if (args->n_rest != 1)
    return fn_err_set(err, FN_E_INVALID, "registry add takes one run: its id, its name or its folder");
  if (name == NULL) name = DEFAULT_NAME;
  FN_TRY(fn_registry_check_name(name, err));
  const fn_status status = add(&r, cli, args, name, err);
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--name", .value = "NAME", .help = "of the registered model (default: " DEFAULT_NAME ")"},
    {.name = "--data",
     .value = "DIR",
     .help =
         "prepared dataset to calibrate on (validation split) and to measure with (test split); default: the run's"},
    {.name = "--json", .help = "as JSON"},
    {0},
};

const fn_verb fn_verb_registry_add = {
    .name = "registry",
    .sub = "add",
    .summary =
        "make a version of a run; packed, calibrated, measured, with card and gates; what is there already is kept",
    .usage = "RUN [--name NAME] [--data DIR] [--json] [key=value …]",
    .flags = flags,
    .options = "dtype registry.gate_ registry.mirror track.url track.artifacts calibrate. device.threads",
    .more = "eval. infer. linear. device. net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry add runs/latest --name fake-news\n",
    .run = run,
};
