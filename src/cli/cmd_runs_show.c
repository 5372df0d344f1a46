/* fakenews runs show: all that is known of a run. */
#include "cli/runs_document.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct page {
  const fn_cli *cli;
  fn_tracking *tracking;
  fn_buf out;
  bool json, text_curves;
  const fn_run_view *run;
  fn_runs_curve *curves; /* [run->n_metrics] */
} page;

/* ---- as text ---- */

static size_t page_width(const page *p) {
  return p->cli->tty_out ? (size_t)fn_cli_width(STDOUT_FILENO) : SIZE_MAX;
}

static void heading(page *p, const char *text) {
  const bool color = p->cli->color && p->cli->tty_out;
  fn_buf_printf(&p->out, "\n%s%s%s\n", color ? "\033[1m" : "", text, color ? "\033[0m" : "");
}

static void line(page *p, const char *name, const char *value) {
  if (!value || !*value) return;
  const int width = p->cli->tty_out ? fn_cli_width(STDOUT_FILENO) : 1000;
  fn_buf_printf(&p->out, "  %-12s ", name);
  fn_print_line(&p->out, fn_str_from(value), width > 20 ? (size_t)width - 16 : 20);
  fn_buf_append_char(&p->out, '\n');
}

static fn_status metric_row(const page *p, fn_table *table, size_t i, fn_err *err) {
  const fn_run_metric *m = &p->run->metrics[i];
  const double numbers[] = {m->min, m->max, p->curves[i].first};
  const int64_t counts[] = {m->last_step, m->n};
  char text[32];
  FN_TRY(fn_table_cell(table, m->key, err));
  FN_TRY(fn_table_cell(table, fn_runs_number(text, m->last), err));
  if (p->text_curves) {
    FN_AUTO_BUF fn_buf drawn;
    fn_buf_init(&drawn, 1024);
    fn_runs_draw(&drawn, &p->curves[i]);
    FN_TRY(fn_table_cell(table, drawn.data ? drawn.data : "", err));
  }
  for (size_t k = 0; k < FN_COUNT_OF(numbers); k++) FN_TRY(fn_table_cell(table, fn_runs_number(text, numbers[k]), err));
  for (size_t k = 0; k < FN_COUNT_OF(counts); k++) {
    snprintf(text, sizeof text, "%lld", (long long)counts[k]);
    FN_TRY(fn_table_cell(table, text, err));
  }
  return FN_OK;
}

static fn_status metrics_table(page *p, fn_err *err) {
  static const char *const titles[] = {"min", "max", "first", "step", "points"};
  const fn_run_view *run = p->run;
  fn_arena arena;
  fn_table table;
  fn_status status = FN_OK;
  if (run->n_metrics == 0) return FN_OK;
  heading(p, "Metrics");
  fn_arena_init(&arena);
  fn_table_init(&table, &arena);
  fn_table_column(&table, "metric", false);
  fn_table_column(&table, "last", true);
  if (p->text_curves) fn_table_column(&table, "curve", false);
  for (size_t i = 0; i < FN_COUNT_OF(titles); i++) fn_table_column(&table, titles[i], true);
  for (int of_machine = 0; of_machine < 2; of_machine++) /* what the model is worth before what the machine did */
    for (size_t i = 0; i < run->n_metrics && status == FN_OK; i++)
      if ((strncmp(run->metrics[i].key, "system/", 7) == 0) == of_machine) status = metric_row(p, &table, i, err);
  if (status == FN_OK) fn_table_format(&p->out, &table, page_width(p), 2, 0, p->cli->color && p->cli->tty_out);
  fn_table_deinit(&table);
  fn_arena_deinit(&arena);
  return status;
}

static fn_status pairs_table(page *p, const char *title, const fn_track_pair *pairs, size_t n, fn_err *err) {
  fn_arena arena;
  fn_table table;
  fn_status status = FN_OK;
  if (n == 0) return FN_OK;
  heading(p, title);
  fn_arena_init(&arena);
  fn_table_init(&table, &arena);
  fn_table_column(&table, "name", false);
  fn_table_column(&table, "value", false);
  for (size_t i = 0; i < n && status == FN_OK; i++) {
    status = fn_table_cell(&table, pairs[i].key, err);
    if (status == FN_OK) status = fn_table_cell(&table, pairs[i].value, err);
  }
  if (status == FN_OK) fn_table_format(&p->out, &table, page_width(p), 2, 1, p->cli->color && p->cli->tty_out);
  fn_table_deinit(&table);
  fn_arena_deinit(&arena);
  return status;
}

static fn_status text_artifact(void *arg, const fn_artifact *a, fn_err *err) {
  fn_table *table = arg;
  char bytes[32], sha256[13];
  snprintf(bytes, sizeof bytes, "%lld", (long long)a->n_bytes);
  snprintf(sha256, sizeof sha256, "%.12s", a->sha256);
  FN_TRY(fn_table_cell(table, a->path, err));
  FN_TRY(fn_table_cell(table, bytes, err));
  return fn_table_cell(table, sha256, err);
}

static fn_status files_table(page *p, fn_err *err) {
  char owner[64];
  fn_arena arena;
  fn_table table;
  fn_arena_init(&arena);
  fn_table_init(&table, &arena);
  fn_table_column(&table, "path", false);
  fn_table_column(&table, "bytes", true);
  fn_table_column(&table, "SHA-256", false);
  snprintf(owner, sizeof owner, "run:%s", p->run->info.id);
  const fn_status status = fn_tracking_list(p->tracking, owner, "", text_artifact, &table, err);
  if (status == FN_OK && table.n_rows) {
    heading(p, "Files");
    fn_table_format(&p->out, &table, page_width(p), 2, 0, p->cli->color && p->cli->tty_out);
  }
  fn_table_deinit(&table);
  fn_arena_deinit(&arena);
  return status;
}

static fn_status version_line(void *arg, const char *model, int64_t version, fn_err *err) {
  char text[320];
  (void)err;
  snprintf(text, sizeof text, "%s, version %lld", model, (long long)version);
  line(arg, "became", text);
  return FN_OK;
}

/* From the data to what came of them. */
static fn_status lineage(page *p, fn_err *err) {
  const fn_run_view *r = p->run;
  const char *data = fn_runs_pair(r->tags, r->n_tags, "fakenews.data.name");
  const char *hash = fn_runs_pair(r->tags, r->n_tags, "fakenews.data.hash");
  const char *init = fn_runs_pair(r->params, r->n_params, "init");
  const char *commit = fn_runs_pair(r->tags, r->n_tags, "mlflow.source.git.commit");
  char text[400];
  heading(p, "Lineage");
  if (data) {
    snprintf(text, sizeof text, "%s (%.12s)", data, hash ? hash : "");
    line(p, "data", text);
  }
  line(p, "started from", init);
  line(p, "program", fn_runs_pair(r->tags, r->n_tags, "fakenews.version"));
  line(p, "source", commit);
  line(p, "command", fn_runs_pair(r->tags, r->n_tags, "fakenews.command"));
  line(p, "run", r->info.id);
  return fn_tracking_versions(p->tracking, r->info.id, version_line, p, err);
}

static fn_status text_page(page *p, fn_err *err) {
  const fn_run_info *info = &p->run->info;
  const bool color = p->cli->color && p->cli->tty_out;
  const char *kept = fn_runs_pair(p->run->tags, p->run->n_tags, "fakenews.best_step");
  char text[32], time[40], model[80];
  if (color) fn_buf_append_str(&p->out, "\033[1m");
  fn_print_line(&p->out, fn_str_from(info->name), 250);
  fn_buf_append_str(&p->out, color ? "\033[0m\n" : "\n");
  line(p, "id", info->id);
  line(p, "status", fn_run_status_names[info->status]);
  if (info->deleted) line(p, "deleted", "yes");
  line(p, "experiment", info->experiment_name);
  snprintf(time, sizeof time, "%s UTC", fn_runs_time(text, info->start_ms));
  line(p, "started", info->start_ms ? time : NULL);
  line(p, "took", fn_runs_took(text, info));
  snprintf(model, sizeof model, "that of step %.20s, which test/… measures", kept ? kept : "");
  if (kept) line(p, "model kept", model);
  line(p, "user", info->user);
  line(p, "parent", info->parent);
  line(p, "folder", info->folder);
  FN_TRY(metrics_table(p, err));
  FN_TRY(pairs_table(p, "Parameters", p->run->params, p->run->n_params, err));
  FN_TRY(pairs_table(p, "Tags", p->run->tags, p->run->n_tags, err));
  FN_TRY(files_table(p, err));
  return lineage(p, err);
}

static fn_status show_run(void *arg, const fn_run_view *run, fn_err *err) {
  page *p = arg;
  p->run = run;
  FN_AUTO_FREE fn_runs_curve *curves = fn_mem_calloc(run->n_metrics, sizeof *curves);
  if (!curves) return fn_err_no_memory(err, "a run");
  p->curves = curves;
  FN_TRY(fn_runs_curves(curves, p->tracking, run, err));
  return p->json ? fn_runs_document(&p->out, p->tracking, run, curves, err) : text_page(p, err);
}

static fn_status show(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  char id[FN_RUN_ID_LENGTH];
  fn_cli_runs runs;
  if (args->n_rest != 1)
    return fn_err_set(
        err, FN_E_INVALID,
        "runs show takes one run: an id or its first digits, a name, a folder, or latest (which began last)");
  FN_TRY(fn_cli_runs_open(&runs, cli, FN_CLI_OPEN_READ, err));
  page p = {
      .cli = cli, .tracking = runs.tracking, .json = fn_cli_get(args, "--json") != NULL, .text_curves = cli->tty_out};
  fn_buf_init(&p.out, 0);
  fn_status status = fn_tracking_find(id, runs.tracking, args->rest[0], err);
  if (status == FN_OK) status = fn_tracking_get_run(runs.tracking, id, show_run, &p, err);
  if (status == FN_OK) status = fn_buf_check(&p.out, "a run", err);
  if (status == FN_OK) status = fn_cli_print(fn_buf_str(&p.out), err);
  fn_buf_deinit(&p.out);
  fn_cli_runs_close(&runs);
  return status;
}

static const fn_cli_flag show_flags[] = {
    {.name = "--json", .help = "as JSON"},
    {0},
};

const fn_verb fn_verb_runs_show = {
    .name = "runs",
    .sub = "show",
    .summary =
        "one run: metrics, parameters, tags, files and lineage; named by an id, a name, a folder, or latest (which "
        "began last)",
    .usage = "RUN [--json] [key=value …]",
    .flags = show_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews runs show latest\n"
                "  fakenews runs show 3f2a91c4\n",
    .run = show,
};
