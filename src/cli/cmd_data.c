/* fakenews data prepare | stats */
#include "cli/audit_print.h"
#include "cli/cli.h"
#include "cli/data_print.h"
#include "cli/loading.h"
#include "data/prepare_json.h"
#include "tensor/options.h"

#include <stdlib.h>

typedef struct shown {
  const fn_cli *cli;
  uint64_t begin_ns;
} shown;

/* One line on a terminal that is overwritten; elsewhere nothing, since the summary tells all. */
static void show_progress(void *arg, const char *stage, uint64_t n_done) {
  const shown *s = arg;
  if (s->cli->quiet || !s->cli->tty_err) return;
  FN_AUTO_BUF fn_buf count;
  fn_buf_init(&count, 64);
  fn_print_count(&count, n_done);
  fn_cli_progress(s->cli, "%s %s rows, %.1f s", stage, count.data ? count.data : "",
                  (double)(fn_clock_ns() - s->begin_ns) / 1e9);
}

static fn_status make_pool(fn_pool **pool_out, const fn_cli *cli, fn_err *err) {
  fn_tensor_options device;
  FN_TRY(fn_config_fill(&device, cli->config, &fn_tensor_option_table, err));
  return fn_pool_create(pool_out, device.n_threads ? (int)device.n_threads : fn_cpu_available(), err);
}

static fn_status print_prepared(const fn_cli *cli, const fn_prepare_request *request, const fn_data_options *options,
                                const fn_prepare_report *report, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  if (!cli->quiet) {
    fn_print_prepare(&text, report, options);
    FN_TRY(fn_cli_audit_brief(&text, cli, request->out, request->pool, err));
  }
  fn_buf_printf(&text, "%s\n", request->out);
  FN_TRY(fn_buf_check(&text, "the summary", err));
  return fn_cli_print(fn_buf_str(&text), err);
}

static fn_status run_prepare(const fn_cli *cli, const fn_prepare_request *asked, const fn_data_options *options,
                             fn_err *err) {
  shown progress = {cli, fn_clock_ns()};
  fn_prepare_request request = *asked;
  request.version = cli->version;
  request.stop = fn_cli_stop_requested;
  request.progress = show_progress;
  request.progress_arg = &progress;
  fn_prepared *prepared;
  fn_status status = fn_prepare_run(&prepared, &request, options, err);
  fn_cli_progress_end(cli);
  FN_TRY(status);
  const fn_prepare_report *report = fn_prepared_report(prepared);
  if (report->n_near_skipped)
    fn_cli_note(cli, "%llu pairs of rows in crowded bands were not compared; see duplicates in prepare.json",
                (unsigned long long)report->n_near_skipped);
  status = print_prepared(cli, &request, options, report, err);
  fn_prepared_destroy(prepared);
  return status;
}

/* A folder or file, or the name of a model in the local Hub cache. */
static fn_status load_tokenizer(fn_tokenizer **tokenizer_out, const fn_cli *cli, const char *name, fn_err *err) {
  char *dir;
  FN_TRY(fn_cli_find_directory(&dir, cli, name, err));
  fn_status status = fn_tokenizer_load(tokenizer_out, dir, err);
  free(dir);
  return status;
}

static fn_status prepare(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_data_options options;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_data_option_table, err));
  fn_arena FN_CLEANUP(fn_arena_deinit) arena;
  fn_arena_init(&arena);
  size_t n;
  const char *const *paths = fn_cli_get_all(args, "--input", &n);
  fn_prepare_input *inputs = fn_arena_alloc(&arena, n, sizeof *inputs);
  if (!inputs) return fn_err_no_memory(err, "inputs");
  for (size_t i = 0; i < n; i++) FN_TRY(fn_prepare_parse_input(&inputs[i], &arena, paths[i], &options, err));
  fn_prepare_request request = {
      .inputs = inputs,
      .n_inputs = n,
      .out = fn_cli_get(args, "--out"),
      .replace = fn_cli_get(args, "--replace") != NULL,
  };
  fn_tokenizer *tokenizer = NULL;
  const char *tokenizer_dir = fn_cli_get(args, "--tokenizer");
  if (tokenizer_dir) FN_TRY(load_tokenizer(&tokenizer, cli, tokenizer_dir, err));
  request.tokenizer = tokenizer;
  fn_status status = make_pool(&request.pool, cli, err);
  if (status == FN_OK) {
    status = run_prepare(cli, &request, &options, err);
    fn_pool_destroy(request.pool);
  }
  if (tokenizer) fn_tokenizer_destroy(tokenizer);
  return status;
}

static const fn_cli_flag prepare_flags[] = {
    {.name = "--input",
     .value = "[LABEL:]FILE",
     .help = "CSV or JSON lines, plain, .gz or .zst; LABEL: (real, fake) labels the whole file",
     .repeats = true,
     .required = true},
    {.name = "--out", .value = "DIR", .help = "folder to make; opens with datasets.load_from_disk", .required = true},
    {.name = "--tokenizer", .value = "DIR", .help = "tokenizer.json or vocab.txt: also makes its token cache"},
    {.name = "--replace", .help = "overwrite a prepared dataset at DIR"},
    {0},
};

const fn_verb fn_verb_data_prepare = {
    .name = "data",
    .sub = "prepare",
    .summary = "clean, deduplicate and split articles into a dataset",
    .usage = "--input [LABEL:]FILE … --out DIR [--tokenizer DIR] [--replace] [key=value …]",
    .flags = prepare_flags,
    .options = "data. !data.leave_out audit. device.threads",
    .examples = "  fakenews data prepare --input news.csv --out data/news data.columns.text=body\n"
                "  fakenews data prepare --input fake:Fake.csv real:True.csv --out data/isot\n"
                "  fakenews data prepare --input liar.csv --out data/liar data.split=given "
                "data.label_map={true:real,false:fake,half-true:drop}\n",
    .run = prepare,
};

/* prepare.json, when it is there and of a form that we know; a dataset without it is fine. */
static json_t *load_history(const fn_cli *cli, const char *dir) {
  FN_AUTO_FREE char *path = fn_path_join(dir, "prepare.json");
  if (!path || !fn_path_exists(path)) return NULL;
  json_t *json = NULL;
  fn_err err = {0};
  if (fn_json_load(&json, path, (size_t)64 << 20, &err) != FN_OK) {
    fn_cli_warn(cli, "%s", err.message);
    return NULL;
  }
  if (json_integer_value(json_object_get(json, "format")) == FN_PREPARE_FORMAT) return json;
  fn_cli_warn(cli, "%s: written by another version, not shown", path);
  json_decref(json);
  return NULL;
}

static fn_status stats(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  if (args->n_rest != 1)
    return fn_err_set(err, FN_E_INVALID, "data stats takes one folder, as written by `fakenews data prepare`");
  const char *dir = args->rest[0];
  bool table = fn_cli_get(args, "--table") || (cli->tty_out && !fn_cli_get(args, "--json"));
  fn_dataset_stats *computed;
  FN_TRY(fn_dataset_stats_compute(&computed, dir, err));
  FN_AUTO_JSON json_t *history = table ? load_history(cli, dir) : NULL;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, (size_t)64 << 20);
  const fn_stats_report *report = fn_dataset_stats_report(computed);
  if (table)
    fn_print_stats(&text, report, history, 10);
  else
    fn_dataset_stats_format_json(&text, report, 10);
  fn_dataset_stats_destroy(computed);
  FN_TRY(fn_buf_check(&text, "statistics", err));
  return fn_cli_print(fn_buf_str(&text), err);
}

static const fn_cli_flag stats_flags[] = {
    {.name = "--json", .help = "one JSON object (what a pipe gets)"},
    {.name = "--table", .help = "a table (what a terminal gets)"},
    {0},
};

const fn_verb fn_verb_data_stats = {
    .name = "data",
    .sub = "stats",
    .summary = "counts, lengths, duplicates and sources of a dataset",
    .usage = "DIR [--json | --table]",
    .flags = stats_flags,
    .takes_rest = true,
    .examples = "  fakenews data stats data/news\n",
    .run = stats,
};
