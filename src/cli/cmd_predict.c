/* fakenews predict: articles in, one answer a row, in order. */
#include "cli/loading.h"
#include "cli/predict_output.h"

#include <errno.h>
#include <unistd.h>

/* What becomes of a row that cannot be classified. */
typedef enum on_error { ON_ERROR_RECORD, ON_ERROR_NULL, ON_ERROR_FAIL } on_error;

typedef struct predict {
  const fn_cli *cli;
  on_error on_error;
  fn_cli_model model;
  fn_data_options columns;
  fn_input_options reading;
  fn_predict_output output;
  fn_scoring_counts counts;
  bool show_progress;
  uint64_t begin_ns, shown_ns;
  uint64_t n_uncalibrated; /* answers */
} predict;

static fn_status read_standard_input(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  (void)arg;
  ssize_t n;
  do n = read(STDIN_FILENO, buffer, capacity);
  while (n < 0 && errno == EINTR && !fn_cli_stop_requested());
  if (fn_cli_stop_requested()) return fn_err_set(err, FN_E_CANCELLED, "stopped");
  if (n < 0) return fn_err_errno(err, errno, "standard input");
  *n_out = (size_t)n;
  return FN_OK;
}

static bool is_standard_input(const char *path) {
  return strcmp(path, "-") == 0;
}

static fn_status open_input(fn_input **input_out, const predict *p, const char *path, fn_err *err) {
  if (!is_standard_input(path)) return fn_input_open(input_out, path, &p->reading, err);
  return fn_input_open_stream(input_out, read_standard_input, NULL, "standard input", &p->reading, err);
}

static void show_progress(predict *p, bool last) {
  uint64_t now = fn_clock_ns();
  if (!p->show_progress || (!last && now - p->shown_ns < 200 * 1000000ull)) return;
  double seconds = (double)(now - p->begin_ns) * 1e-9;
  p->shown_ns = now;
  fn_cli_progress(p->cli, "%llu row%s  %.0f rows/s", (unsigned long long)p->counts.n_rows,
                  p->counts.n_rows == 1 ? "" : "s", seconds > 0.0 ? (double)p->counts.n_rows / seconds : 0.0);
  if (last) fputc('\n', stderr);
}

static fn_status on_row(void *arg, const fn_scored_row *row, fn_err *err) {
  predict *p = arg;
  if (row->prediction == NULL && p->on_error == ON_ERROR_FAIL)
    return fn_err_set(err, FN_E_INVALID, "%s (--on-error fail)", row->message);
  FN_TRY(fn_predict_output_row(&p->output, row, err));
  p->n_uncalibrated += row->prediction != NULL && !row->prediction->calibrated;
  show_progress(p, false);
  return fn_cli_stop_requested() ? fn_err_set(err, FN_E_CANCELLED, "stopped") : FN_OK;
}

/* The keys of JSON lines are all known only at the end: for CSV output a file is read twice. */
static fn_status read_keys(fn_input *input, const char *path, fn_err *err) {
  if (is_standard_input(path)) {
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "JSON lines from standard input cannot become CSV: its columns are known only at the end; give a "
                      "file, or choose --format jsonl");
  }
  fn_status status = FN_OK;
  for (bool more = true; more && status == FN_OK;) {
    fn_input_row row;
    status = fn_input_next(&row, &more, input, err);
  }
  return status;
}

static fn_status score(predict *p, fn_input *input, const char *path, fn_err *err) {
  size_t n_columns;
  const fn_str *columns = fn_input_columns(input, &n_columns);
  if (p->output.format != FN_PREDICT_CSV || fn_input_get_format(input) != FN_INPUT_JSONL) {
    FN_TRY(fn_predict_output_input(&p->output, path, columns, n_columns, err));
    return fn_score_input(&p->counts, input, p->model.session, &p->columns, on_row, p, err);
  }
  FN_TRY(read_keys(input, path, err));
  columns = fn_input_columns(input, &n_columns);
  FN_TRY(fn_predict_output_input(&p->output, path, columns, n_columns, err));
  fn_input *again;
  FN_TRY(open_input(&again, p, path, err));
  fn_status status = fn_score_input(&p->counts, again, p->model.session, &p->columns, on_row, p, err);
  fn_input_close(again);
  return status;
}

static fn_status take_file(predict *p, const char *path, fn_err *err) {
  fn_input *input;
  FN_TRY(open_input(&input, p, path, err));
  fn_status status = score(p, input, path, err);
  fn_encoding encoding = fn_input_get_encoding(input);
  if (status == FN_OK && encoding != FN_ENCODING_UTF8)
    fn_cli_note(p->cli, "%s: read as %s (data.encoding)", path, fn_encoding_name(encoding));
  fn_input_close(input);
  return status;
}

/* The one article of --title and --text. */
static fn_status take_article(predict *p, const char *title, const char *text, fn_err *err) {
  const fn_str columns[] = {fn_str_from("title"), fn_str_from("text")};
  const fn_str fields[] = {fn_str_from(title), fn_str_from(text)};
  const fn_article article = {.title = fields[0], .text = fields[1]};
  for (size_t i = 0; i < 2; i++) {
    if (fn_utf8_valid(fields[i], NULL)) continue;
    return fn_err_set(err, FN_E_INVALID, "--%.*s is not UTF-8", (int)columns[i].length, columns[i].data);
  }
  fn_prediction prediction;
  FN_TRY(fn_session_classify(&prediction, p->model.session, &article, 1, err));
  if (prediction.status != FN_OK) return fn_err_set(err, prediction.status, "%s", prediction.message);
  FN_TRY(fn_predict_output_input(&p->output, NULL, columns, 2, err));
  const fn_scored_row row = {.title = fields[0],
                             .has_title = title != NULL,
                             .text = fields[1],
                             .n_fields = 2,
                             .fields = fields,
                             .prediction = &prediction,
                             .message = ""};
  p->counts.n_rows++;
  return on_row(p, &row, err);
}

static fn_status choose_format(fn_predict_format *out, const fn_cli *cli, const char *name, const char *path,
                               fn_err *err) {
  static const char *const names[] = {"table", "jsonl", "csv"};
  *out = path == NULL && cli->tty_out ? FN_PREDICT_TABLE : FN_PREDICT_JSONL;
  if (path != NULL && fn_str_ends_with(fn_str_from(path), ".gz"))
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "-o %.200s: answers are not compressed; take a name without .gz, or pipe them to gzip", path);
  if (name == NULL) {
    if (path != NULL && fn_str_ends_with(fn_str_from(path), ".csv")) *out = FN_PREDICT_CSV;
    return FN_OK;
  }
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    if (strcmp(name, names[i]) == 0) return *out = (fn_predict_format)i, FN_OK;
  }
  return fn_err_set(err, FN_E_INVALID, "--format takes table, jsonl or csv, not \"%.40s\"", name);
}

static fn_status choose_on_error(on_error *out, const char *name, fn_err *err) {
  static const char *const names[] = {"record", "null", "fail"};
  *out = ON_ERROR_RECORD;
  for (size_t i = 0; name != NULL && i < FN_COUNT_OF(names); i++) {
    if (strcmp(name, names[i]) == 0) return *out = (on_error)i, FN_OK;
  }
  if (name == NULL) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "--on-error takes record, null or fail, not \"%.40s\"", name);
}

static fn_status take_all(predict *p, const fn_cli_args *args, fn_err *err) {
  const char *title = fn_cli_get(args, "--title"), *text = fn_cli_get(args, "--text");
  if (title != NULL || text != NULL) return take_article(p, title, text, err);
  for (size_t i = 0; i < args->n_rest; i++) FN_TRY(take_file(p, args->rest[i], err));
  return FN_OK;
}

static fn_status check_arguments(const fn_cli_args *args, fn_err *err) {
  bool article = fn_cli_get(args, "--title") != NULL || fn_cli_get(args, "--text") != NULL;
  size_t n_standard = 0;
  if (article && args->n_rest > 0) {
    return fn_err_set(err, FN_E_INVALID, "--text and --title are one article; files (\"%.100s\") are another call",
                      args->rest[0]);
  }
  if (!article && args->n_rest == 0) {
    return fn_err_set(err, FN_E_INVALID,
                      "nothing to classify: give FILE (CSV, JSON lines or text), - for standard input, or --text");
  }
  for (size_t i = 0; i < args->n_rest; i++) n_standard += is_standard_input(args->rest[i]);
  if (n_standard > 1) return fn_err_set(err, FN_E_INVALID, "standard input (-) is given twice");
  return FN_OK;
}

static fn_status classify(predict *p, const fn_cli_args *args, fn_err *err) {
  fn_predict_format format;
  const char *path = fn_cli_get(args, "-o");
  if (path != NULL && (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)) path = NULL; /* standard output */
  FN_TRY(choose_format(&format, p->cli, fn_cli_get(args, "--format"), path, err));
  FN_TRY(choose_on_error(&p->on_error, fn_cli_get(args, "--on-error"), err));
  FN_TRY(fn_cli_load_model(&p->model, p->cli, fn_cli_get(args, "--model"), err));
  FN_TRY(fn_predict_output_open(&p->output, format, path, fn_classifier_get_info(p->model.classifier),
                                fn_cli_width(STDOUT_FILENO), err));
  p->output.no_errors = p->on_error == ON_ERROR_NULL;
  p->show_progress = p->cli->tty_err && !p->cli->quiet && (path != NULL || !p->cli->tty_out) && args->n_rest > 0;
  p->begin_ns = p->shown_ns = fn_clock_ns();
  fn_status status = take_all(p, args, err);
  /* With --on-error fail standard output ends with the row before the bad one. */
  if (status == FN_OK)
    status = fn_predict_output_finish(&p->output, err);
  else if (p->on_error == ON_ERROR_FAIL && path == NULL && fn_predict_output_finish(&p->output, NULL) != FN_OK)
    fn_cli_warn(p->cli, "standard output: the rows before it could not be written");
  if (p->show_progress) show_progress(p, true);
  if (p->n_uncalibrated > 0 && fn_classifier_get_info(p->model.classifier)->calibration != NULL)
    fn_cli_note(p->cli,
                "%llu answer%s not calibrated: the model's calibration is for other settings of infer.long, "
                "infer.max_tokens or infer.text; such verdicts are never `unsure` for want of certainty",
                (unsigned long long)p->n_uncalibrated, p->n_uncalibrated == 1 ? " is" : "s are");
  fn_predict_output_close(&p->output);
  return status;
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  predict p = {.cli = cli};
  FN_TRY(check_arguments(args, err));
  FN_TRY(fn_config_fill(&p.columns, cli->config, &fn_data_option_table, err));
  FN_TRY(fn_input_options_from(&p.reading, &p.columns, err));
  fn_status status = classify(&p, args, err);
  fn_cli_unload_model(&p.model);
  if (status != FN_OK) return status;
  if (p.counts.n_rows == 0) fn_cli_note(cli, "the input holds no rows");
  if (p.counts.n_refused == 0) return FN_OK;
  if (p.on_error == ON_ERROR_NULL) {
    fn_cli_warn(cli, "%llu of %llu rows could not be classified; their answers are null",
                (unsigned long long)p.counts.n_refused, (unsigned long long)p.counts.n_rows);
    return FN_OK;
  }
  return fn_err_set(err, FN_E_PARTIAL, "%llu of %llu rows were refused; each has its reason in the output",
                    (unsigned long long)p.counts.n_refused, (unsigned long long)p.counts.n_rows);
}

static const fn_cli_flag flags[] = {
    FN_CLI_MODEL_FLAG,
    {.name = "--text", .value = "TEXT", .help = "one article instead of files: its text"},
    {.name = "--title", .value = "TEXT", .help = "its title"},
    {.name = "--format",
     .value = "table|jsonl|csv",
     .help = "form of the answers; without it: by the name after -o, a table on a terminal, else JSON lines"},
    {.name = "--on-error",
     .value = "record|null|fail",
     .help =
         "a row that is refused: answered with its error, exit code 3 (record, the default); with null fields alone, "
         "exit code 0 (null); or the end at the first one, exit code 2, and no file after -o (fail)"},
    {.name = "-o", .value = "FILE", .help = "write to FILE, which appears when it is whole"},
    {0},
};

const fn_verb fn_verb_predict = {
    .name = "predict",
    .summary = "classify articles, one answer a row, in order; CSV, JSON lines, text files or standard input",
    .usage = "[--model FILE|DIR] [--text TEXT] [--title TEXT] [FILE …|-] [--format table|jsonl|csv] [--on-error "
             "record|null|fail] [-o FILE] [key=value …]",
    .flags = flags,
    .options = "infer. data.format data.encoding data.delimiter data.columns.title data.columns.text device.",
    .takes_rest = true,
    .examples = "  fakenews predict --model runs/latest --text \"Scientists admit that the moon is rented\"\n"
                "  fakenews predict --model runs/latest news.csv -o answers.csv infer.long=windows\n",
    .run = run,
};
