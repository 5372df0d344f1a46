/* fakenews runs export: a run as files that need no store: JSON, every point of its metrics, its artifacts. */
#include "cli/log_support.h"
#include "cli/runs_document.h"

#include <stdlib.h>
#include <unistd.h>

typedef enum export_format { AS_ALL, AS_CSV, AS_JSONL } export_format;

/* Points going somewhere: a file, or standard output. */
typedef struct point_writer {
  export_format format;
  fn_writer *file; /* NULL: standard output */
  fn_buf line;
} point_writer;

static fn_status flush(point_writer *p, fn_err *err) {
  FN_TRY(fn_buf_check(&p->line, "points", err));
  const fn_status status = p->file ? fn_writer_write(p->file, p->line.data ? p->line.data : "", p->line.length, err)
                                   : fn_cli_print(fn_buf_str(&p->line), err);
  fn_buf_reset(&p->line);
  return status;
}

/* Not a finite number: its name in quotes, for JSON has none. */
static void append_value(fn_buf *out, double value, bool json) {
  if (isfinite(value))
    fn_buf_append_double(out, value);
  else
    fn_buf_printf(out, "%s%s%s", json ? "\"" : "",
                  isnan(value) ? "NaN"
                  : value > 0  ? "Infinity"
                               : "-Infinity",
                  json ? "\"" : "");
}

/* A shared database's keys are other people's. What begins like a formula is quoted too, and
 * else left as it is. */
static void append_quoted(fn_buf *out, const char *text) {
  fn_buf_append_char(out, '"');
  for (; *text; text++) fn_buf_append(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
  fn_buf_append_char(out, '"');
}

static bool is_plain(const char *key) {
  const char first = key[0];
  return first && !strchr("=+-@ \t\r", first) && !strpbrk(key, "\",\r\n");
}

static fn_status write_point(void *arg, const fn_metric_point *point, fn_err *err) {
  point_writer *p = arg;
  const bool json = p->format != AS_CSV;
  if (json) {
    fn_buf_append_str(&p->line, "{\"key\": ");
    fn_buf_append_json(&p->line, fn_str_from(point->key));
    fn_buf_printf(&p->line, ", \"step\": %lld, \"time_ms\": %lld, \"value\": ", (long long)point->step,
                  (long long)point->time_ms);
  } else {
    if (is_plain(point->key))
      fn_buf_append_str(&p->line, point->key);
    else
      append_quoted(&p->line, point->key);
    fn_buf_printf(&p->line, ",%lld,%lld,", (long long)point->step, (long long)point->time_ms);
  }
  append_value(&p->line, point->value, json);
  fn_buf_append_str(&p->line, json ? "}\n" : "\n");
  return p->line.length < 1 << 16 ? FN_OK : flush(p, err);
}

static fn_status write_points(fn_tracking *tracking, const char *id, export_format format, fn_writer *file,
                              fn_err *err) {
  point_writer p = {.format = format, .file = file};
  fn_buf_init(&p.line, 1 << 20);
  if (format == AS_CSV) fn_buf_append_str(&p.line, "key,step,time_ms,value\n");
  fn_status status = fn_tracking_history(tracking, id, NULL, write_point, &p, err);
  if (status == FN_OK) status = flush(&p, err);
  fn_buf_deinit(&p.line);
  return status;
}

static fn_status write_points_to(const char *path, fn_tracking *tracking, const char *id, export_format format,
                                 fn_err *err) {
  if (strcmp(path, "-") == 0) return write_points(tracking, id, format, NULL, err);
  FN_AUTO_WRITER fn_writer file = {.file = NULL};
  FN_TRY(fn_writer_open(&file, path, err));
  FN_TRY(write_points(tracking, id, format, &file, err));
  return fn_writer_commit(&file, err);
}

/* ---- everything ---- */

typedef struct documenting {
  fn_buf text;
  fn_tracking *tracking;
} documenting;

static fn_status document_run(void *arg, const fn_run_view *run, fn_err *err) {
  documenting *d = arg;
  FN_AUTO_FREE fn_runs_curve *curves = fn_mem_calloc(run->n_metrics, sizeof *curves);
  if (!curves) return fn_err_no_memory(err, "a run");
  FN_TRY(fn_runs_curves(curves, d->tracking, run, err));
  return fn_runs_document(&d->text, d->tracking, run, curves, err);
}

static fn_status count_one(void *arg, const fn_artifact *artifact, fn_err *err) {
  (void)artifact;
  (void)err;
  ++*(size_t *)arg;
  return FN_OK;
}

static fn_status fill_folder(const char *folder, fn_tracking *tracking, const char *id, fn_str document, fn_err *err) {
  FN_AUTO_FREE char *run = fn_path_join(folder, "run.json");
  FN_AUTO_FREE char *points = fn_path_join(folder, "metrics.jsonl");
  FN_AUTO_FREE char *files = fn_path_join(folder, "artifacts");
  char owner[64];
  size_t n = 0;
  if (!run || !points || !files) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(folder, err));
  FN_TRY(fn_file_write(run, document.data, document.length, err));
  FN_TRY(write_points_to(points, tracking, id, AS_JSONL, err));
  snprintf(owner, sizeof owner, "run:%s", id);
  FN_TRY(fn_tracking_list(tracking, owner, "", count_one, &n, err));
  return n ? fn_tracking_get(tracking, owner, "", files, err) : FN_OK;
}

/* The folder appears when all of it is there. */
static fn_status write_folder(const char *target, fn_tracking *tracking, const char *id, fn_str document, fn_err *err) {
  if (fn_path_exists(target)) return fn_err_set(err, FN_E_INVALID, "%s: exists already; name a new folder", target);
  FN_AUTO_FREE char *temporary = NULL;
  FN_TRY(fn_dir_create_beside(&temporary, target, err));
  fn_status status = fill_folder(temporary, tracking, id, document, err);
  if (status == FN_OK) status = fn_path_rename(temporary, target, err);
  if (status != FN_OK) {
    const fn_status removed = fn_dir_remove(temporary, NULL);
    (void)removed;
  }
  return status;
}

static fn_status write_all(const char *out, fn_tracking *tracking, const char *id, fn_err *err) {
  documenting d = {.tracking = tracking};
  fn_buf_init(&d.text, 0);
  fn_status status = fn_tracking_get_run(tracking, id, document_run, &d, err);
  if (status == FN_OK) status = fn_buf_check(&d.text, "a run", err);
  if (status == FN_OK)
    status = strcmp(out, "-") == 0 ? fn_cli_print(fn_buf_str(&d.text), err)
                                   : write_folder(out, tracking, id, fn_buf_str(&d.text), err);
  fn_buf_deinit(&d.text);
  return status;
}

static fn_status export_run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  static const char *const formats[] = {"all", "csv", "jsonl"};
  int format = AS_ALL;
  char id[FN_RUN_ID_LENGTH];
  fn_cli_runs runs;
  if (args->n_rest != 1)
    return fn_err_set(
        err, FN_E_INVALID,
        "runs export takes one run: an id or its first digits, a name, a folder, or latest (which began last)");
  FN_TRY(fn_cli_parse_choice(&format, "--format", fn_cli_get(args, "--format"), formats, 3, err));
  FN_TRY(fn_cli_runs_open(&runs, cli, FN_CLI_OPEN_READ, err));
  const char *out = fn_cli_get(args, "--out");
  fn_status status = fn_tracking_find(id, runs.tracking, args->rest[0], err);
  if (status == FN_OK)
    status = format == AS_ALL ? write_all(out, runs.tracking, id, err)
                              : write_points_to(out, runs.tracking, id, (export_format)format, err);
  fn_cli_runs_close(&runs);
  return status;
}

static const fn_cli_flag export_flags[] = {
    {.name = "--out",
     .value = "DIR|FILE|-",
     .help = "a new folder for run.json, metrics.jsonl and artifacts/; a file for csv and jsonl; -: standard output",
     .required = true},
    {.name = "--format",
     .value = "all|csv|jsonl",
     .help = "csv, jsonl: every point of every metric alone; default all"},
    {0},
};

const fn_verb fn_verb_runs_export = {
    .name = "runs",
    .sub = "export",
    .summary = "a run as files; JSON, every point of its metrics, its artifacts",
    .usage = "RUN --out DIR|FILE|- [--format all|csv|jsonl] [key=value …]",
    .flags = export_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews runs export latest --out exported\n"
                "  fakenews runs export latest --format csv --out - | head\n",
    .run = export_run,
};
