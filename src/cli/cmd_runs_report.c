/* fakenews runs report: runs as a page that stands alone. */
#include "cli/log_support.h"
#include "cli/runs_report_fill.h"
#include "cli/track_command.h"
#include "report/html.h"

#include <unistd.h>

enum { DEFAULT_RUNS = 50, MAX_PAGE_BYTES = 64 << 20 };

typedef struct chosen {
  char (*ids)[FN_RUN_ID_LENGTH];
  size_t n;
} chosen;

static fn_status add(chosen *c, const char *id, fn_err *err) {
  for (size_t i = 0; i < c->n; i++)
    if (strcmp(c->ids[i], id) == 0) return FN_OK;
  if (c->n == FN_REPORT_MAX_RUNS)
    return fn_err_set(err, FN_E_INVALID, "a report takes %d runs at most", (int)FN_REPORT_MAX_RUNS);
  memcpy(c->ids[c->n++], id, FN_RUN_ID_LENGTH);
  return FN_OK;
}

static fn_status add_found(void *arg, const fn_run_view *run, fn_err *err) {
  return add(arg, run->info.id, err);
}

static fn_status read_max(size_t *max_out, const char *text, fn_err *err) {
  int64_t max = DEFAULT_RUNS;
  if (text && (!fn_str_to_int64(&max, fn_str_from(text)) || max < 1 || max > FN_REPORT_MAX_RUNS))
    return fn_err_set(err, FN_E_INVALID, "--max: \"%.40s\" is not a number from 1 to %d", text,
                      (int)FN_REPORT_MAX_RUNS);
  *max_out = (size_t)max;
  return FN_OK;
}

/* Runs by name, in the order given; or by filter, the newest first. */
static fn_status choose(chosen *c, fn_tracking *tracking, const fn_cli_args *args, fn_err *err) {
  const char *filter = fn_cli_get(args, "--filter"), *experiment = fn_cli_get(args, "--experiment");
  size_t max = 0;
  FN_TRY(read_max(&max, fn_cli_get(args, "--max"), err));
  if (args->n_rest > 0 && (filter || experiment))
    return fn_err_set(err, FN_E_INVALID, "runs report takes names of runs, or --filter and --experiment, not both");
  for (size_t i = 0; i < args->n_rest; i++) {
    char id[FN_RUN_ID_LENGTH];
    FN_TRY(fn_tracking_find(id, tracking, args->rest[i], err));
    FN_TRY(add(c, id, err));
  }
  if (args->n_rest > 0) return FN_OK;
  const fn_run_query query = {
      .filter = filter, .experiments = &experiment, .n_experiments = experiment != NULL, .max = max, .bare = true};
  FN_TRY(fn_tracking_search(tracking, &query, add_found, c, err));
  if (c->n == 0) return fn_err_set(err, FN_E_NOT_FOUND, "no run fits; `fakenews runs list` shows those that there are");
  return FN_OK;
}

static bool any_has(const fn_cli_report *f, const char *key) {
  for (size_t r = 0; r < f->n_runs; r++)
    for (size_t i = 0; i < f->runs[r].n_metrics; i++)
      if (strcmp(f->runs[r].metrics[i].key, key) == 0) return true;
  return false;
}

/* What ranks the runs: --metric, else the first of the usual ones that some run has. */
static fn_status choose_metric(fn_runs_report *report, const fn_cli_report *f, const fn_cli_args *args, fn_err *err) {
  static const char *const usual[] = {"val/loss", "test/loss", "val/accuracy", "test/accuracy"};
  static const char *const directions[] = {"lower", "higher"};
  int direction = -1;
  report->metric = fn_cli_get(args, "--metric");
  if (report->metric && !any_has(f, report->metric))
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "--metric: none of these runs has \"%.200s\"; `fakenews runs show RUN` lists what a run has",
                      report->metric);
  for (size_t i = 0; i < FN_COUNT_OF(usual) && !report->metric; i++)
    if (any_has(f, usual[i])) report->metric = usual[i];
  const char *text = fn_cli_get(args, "--best");
  FN_TRY(fn_cli_parse_choice(&direction, "--best", text, directions, 2, err));
  report->direction = text ? direction == 0 ? -1 : 1 : fn_report_direction(report->metric);
  return FN_OK;
}

/* Where the page will lie and where artifacts lie, for links between them. */
static fn_status find_places(fn_cli_report *f, char **folder_out, char **artifacts_out, const char *out, fn_err *err) {
  fn_track_options options;
  FN_TRY(fn_config_fill(&options, f->cli->config, &fn_track_option_table, err));
  fn_cli_place place;
  const char *artifacts = fn_cli_track_artifacts(place, &options);
  if (strncmp(artifacts, "file://", 7) == 0) artifacts += 7;
  if (!strstr(artifacts, "://") && fn_path_is_dir(artifacts)) FN_TRY(fn_path_real(artifacts_out, artifacts, err));
  f->artifacts = *artifacts_out;
  if (strcmp(out, "-") == 0) return FN_OK;
  FN_AUTO_FREE char *folder = fn_str_dup(fn_str_make(out, (size_t)(fn_path_base(out) - out)));
  if (!folder) return fn_err_no_memory(err, "a path");
  const fn_status status = fn_path_real(folder_out, *folder ? folder : ".", err);
  if (status != FN_OK) return fn_err_prefix(err, status, "--out");
  f->page_folder = *folder_out;
  return FN_OK;
}

static fn_status write_out(const fn_cli *cli, const char *path, const fn_buf *page, size_t n_runs, fn_err *err) {
  char size[32];
  if (strcmp(path, "-") == 0) return fn_cli_print(fn_buf_str(page), err);
  FN_TRY(fn_file_write(path, page->data, page->length, err));
  fn_cli_note(cli, "%s: %zu %s, %s; it stands alone in this file", path, n_runs, n_runs == 1 ? "run" : "runs",
              fn_bytes_text(size, (int64_t)page->length));
  return FN_OK;
}

static fn_status make_page(fn_cli_report *f, const chosen *c, const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  const char *out = fn_cli_get(args, "--out");
  FN_AUTO_FREE char *folder = NULL;
  FN_AUTO_FREE char *artifacts = NULL;
  FN_AUTO_BUF fn_buf page, command;
  fn_buf_init(&page, MAX_PAGE_BYTES);
  fn_buf_init(&command, 1 << 16);
  FN_TRY(find_places(f, &folder, &artifacts, out, err));
  FN_TRY(fn_cli_report_fill(f, (const char(*)[FN_RUN_ID_LENGTH])c->ids, c->n, err));
  fn_cli_command_line(&command);
  fn_runs_report report = {.title = fn_cli_get(args, "--title"),
                           .command = command.failed || !command.data ? "" : command.data,
                           .version = cli->version,
                           .made_ms = fn_clock_unix_ms(),
                           .n_keys_without_curve = f->n_hidden_keys,
                           .runs = f->runs,
                           .n_runs = f->n_runs};
  FN_TRY(choose_metric(&report, f, args, err));
  FN_TRY(fn_runs_report_write(&page, &report, err));
  return write_out(cli, out, &page, f->n_runs, err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_runs store;
  chosen c = {.ids = fn_mem_calloc(FN_REPORT_MAX_RUNS, sizeof *c.ids)};
  if (!c.ids) return fn_err_no_memory(err, "runs");
  fn_status status = fn_cli_runs_open(&store, cli, FN_CLI_OPEN_READ, err);
  if (status == FN_OK) {
    fn_cli_report f;
    fn_cli_report_init(&f, cli, store.tracking);
    status = choose(&c, store.tracking, args, err);
    if (status == FN_OK) status = make_page(&f, &c, cli, args, err);
    fn_cli_report_deinit(&f);
    fn_cli_runs_close(&store);
  }
  free(c.ids);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--out", .value = "FILE|-", .help = "the page; - is standard output", .required = true},
    {.name = "--metric", .value = "KEY", .help = "what ranks the runs; default: val/loss"},
    {.name = "--best", .value = "lower|higher", .help = "which is better, where the metric's name does not say it"},
    {.name = "--filter", .value = "TEXT", .help = "runs that fit, instead of names; the newest first"},
    {.name = "--experiment", .value = "NAME", .help = "of this experiment"},
    {.name = "--max", .value = "N", .help = "so many of them at most; default: 50"},
    {.name = "--title", .value = "TEXT", .help = "heading of the page"},
    {0},
};

const fn_verb fn_verb_runs_report = {
    .name = "runs",
    .sub = "report",
    .summary = "runs as a page in one file; curves, differences, test, files",
    .usage = "[RUN …] --out FILE|- [--metric KEY] [--filter TEXT] [key=value …]",
    .flags = flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews runs report latest --out run.html\n"
                "  fakenews runs report --filter \"params.family = 'bert'\" --out page.html\n"
                "  fakenews runs report a1b2 c3d4 --metric test/accuracy --out -\n",
    .run = run,
};
