/* fakenews evaluate: a model's figures, with intervals and with the baselines beside them. */
#include "cli/loading.h"
#include "infer/evaluation.h"

#include <stdlib.h>

typedef struct evaluate {
  const fn_cli *cli;
  fn_cli_model model;
  const fn_classifier_info *info;
  fn_data_options data_options;
  fn_eval_options eval_options;
  fn_linear_options linear_options;
  fn_dataset *dataset;  /* --data, when it is a prepared dataset */
  fn_dataset *training; /* where the baselines are trained: --train, or dataset; NULL: none */
  fn_labelled rows;
  fn_evaluation evaluation;
  fn_cli_rows shown;
} evaluate;

static bool on_trial(void *arg, const fn_linear_trial *trial) {
  evaluate *e = arg;
  fn_cli_progress(e->cli, "linear baseline: %s n-grams, C = %g", trial->family, trial->c);
  return !fn_cli_stop_requested();
}

static fn_status open_data(evaluate *e, const char *data, fn_split split, bool split_given, const char *train,
                           fn_err *err) {
  if (fn_path_is_dir(data)) {
    FN_TRY(fn_dataset_open(&e->dataset, data, err));
    FN_TRY(fn_labelled_from_dataset(&e->rows, e->dataset, split, err));
    e->training = e->dataset;
  } else {
    if (split_given)
      return fn_err_set(err, FN_E_INVALID, "--split: %s is a file; only prepared datasets have splits", data);
    FN_TRY(fn_labelled_from_file(&e->rows, data, fn_session_mode(e->model.session), &e->data_options,
                                 fn_cli_rows_refused, &e->shown, err));
  }
  if (train != NULL) FN_TRY(fn_dataset_open(&e->training, train, err));
  return FN_OK;
}

static void remark(const evaluate *e, fn_split split) {
  if (e->rows.n_refused > 0)
    fn_cli_warn(e->cli, "%zu row%s left out", e->rows.n_refused, e->rows.n_refused == 1 ? " was" : "s were");
  if (!e->rows.sources_known) {
    fn_cli_note(e->cli, "no row names its source: intervals take %s",
                e->dataset ? "near-duplicate clusters as groups"
                           : "every row for itself and are too narrow if rows are related");
  }
  if (e->dataset == NULL && e->rows.encoding != FN_ENCODING_UTF8)
    fn_cli_note(e->cli, "the file was read as %s (data.encoding)", fn_encoding_name(e->rows.encoding));
  if (e->dataset == NULL) return;
  if (split == FN_SPLIT_TRAIN) fn_cli_warn(e->cli, "figures on the training split say nothing about new articles");
  char hash[33];
  fn_hash_format(hash, fn_dataset_hash(e->dataset));
  if (e->info->data_hash[0] != '\0' && strcmp(e->info->data_hash, hash) != 0) {
    fn_cli_note(e->cli, "the model was trained on other rows than these; some of them may be in this %s split",
                fn_split_name(split));
  }
}

static fn_status add_model(evaluate *e, fn_err *err) {
  return fn_evaluation_add_model(&e->evaluation, e->model.session, e->info, fn_device_pool(e->model.device),
                                 fn_cli_rows_progress, &e->shown, err);
}

static fn_status add_baselines(evaluate *e, fn_err *err) {
  const bool with_linear = e->model.options.text != FN_INFER_TEXT_MODEL || strcmp(e->info->family, "linear") != 0;
  if (!with_linear) fn_cli_note(e->cli, "the model is of the linear family itself: no other one is trained beside it");
  const fn_evaluation_baselines baselines = {.training = e->training,
                                             .mode = fn_session_mode(e->model.session),
                                             .linear = with_linear ? &e->linear_options : NULL,
                                             .progress = on_trial,
                                             .arg = e};
  return fn_evaluation_add_baselines(&e->evaluation, &baselines, fn_device_pool(e->model.device), err);
}

static bool has_baselines(const evaluate *e) {
  return e->eval_options.baselines && e->training != NULL;
}

static fn_status report(evaluate *e, const char *data, const char *split, const char *json, fn_err *err) {
  char hash[33] = "";
  if (e->dataset) fn_hash_format(hash, fn_dataset_hash(e->dataset));
  const fn_evaluation_subject subject = {.model = e->info,
                                         .data = data,
                                         .data_hash = e->dataset ? hash : NULL,
                                         .split = e->dataset ? split : NULL,
                                         .baselines = has_baselines(e) ? fn_dataset_dir(e->training) : NULL,
                                         .version = e->cli->version,
                                         .mode = fn_session_mode(e->model.session),
                                         .max_tokens = fn_session_max_tokens(e->model.session),
                                         .long_texts =
                                             e->model.options.long_texts == FN_INFER_WINDOWS ? "windows" : "cut"};
  FN_AUTO_BUF fn_buf out, table;
  fn_buf_init(&out, 0);
  fn_buf_init(&table, 0);
  fn_evaluation_format_json(&out, &e->evaluation, &subject);
  FN_TRY(fn_buf_check(&out, "figures", err));
  bool to_output = json != NULL && strcmp(json, "-") == 0;
  if (to_output) return fn_cli_print(fn_buf_str(&out), err);
  if (json != NULL) FN_TRY(fn_file_write(json, out.data, out.length, err));
  fn_evaluation_format_table(&table, &e->evaluation, &subject);
  FN_TRY(fn_buf_check(&table, "figures", err));
  return fn_cli_print(fn_buf_str(&table), err);
}

static fn_status evaluate_all(evaluate *e, const fn_cli_args *args, fn_err *err) {
  const char *data = fn_cli_get(args, "--data"), *split_name = fn_cli_get(args, "--split");
  const char *name = split_name ? split_name : "test";
  fn_split split = FN_SPLIT_TEST;
  FN_TRY(fn_cli_parse_split(&split, name, err));
  FN_TRY(fn_config_fill(&e->data_options, e->cli->config, &fn_data_option_table, err));
  FN_TRY(fn_config_fill(&e->eval_options, e->cli->config, &fn_eval_option_table, err));
  FN_TRY(fn_config_fill(&e->linear_options, e->cli->config, &fn_linear_option_table, err));
  FN_TRY(fn_cli_load_model(&e->model, e->cli, fn_cli_get(args, "--model"), err));
  e->info = fn_classifier_get_info(e->model.classifier);
  FN_TRY(open_data(e, data, split, split_name != NULL, fn_cli_get(args, "--train"), err));
  remark(e, split);
  fn_evaluation_init(&e->evaluation, &e->rows, &e->eval_options);
  FN_TRY(add_model(e, err));
  if (has_baselines(e)) {
    FN_TRY(add_baselines(e, err));
  } else if (e->eval_options.baselines) {
    fn_cli_note(e->cli, "no baselines: %s is a file; name a prepared dataset to train them on with --train", data);
  }
  fn_cli_progress_end(e->cli);
  return report(e, data, name, fn_cli_get(args, "--json"), err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  evaluate e = {.cli = cli, .shown = {.cli = cli}};
  fn_status status = evaluate_all(&e, args, err);
  fn_cli_progress_end(cli);
  fn_evaluation_deinit(&e.evaluation);
  fn_labelled_deinit(&e.rows);
  if (e.training != e.dataset) fn_dataset_close(e.training);
  fn_dataset_close(e.dataset);
  fn_cli_unload_model(&e.model);
  return status;
}

static const fn_cli_flag flags[] = {
    FN_CLI_MODEL_FLAG,
    {.name = "--data",
     .value = "DIR|FILE",
     .required = true,
     .help = "a prepared dataset, or a file of articles with a label column (CSV, JSON lines)"},
    {.name = "--split", .value = "NAME", .help = "train, validation or test of a prepared dataset (default: test)"},
    {.name = "--train",
     .value = "DIR",
     .help = "prepared dataset to train the baselines on (default: --data when it is one)"},
    {.name = "--json",
     .value = "FILE",
     .help = "write all figures to FILE as JSON; - writes them in place of the table"},
    {0},
};

const fn_verb fn_verb_evaluate = {
    .name = "evaluate",
    .summary = "figures of a model on labelled rows, with intervals; beside the majority class and the linear family",
    .usage = "[--model FILE|DIR] --data DIR|FILE [--split test] [--train DIR] [--json FILE] [key=value …]",
    .flags = flags,
    .options = "eval. infer. linear. data.format data.encoding data.delimiter data.columns. !data.columns.split "
               "data.label_map device.",
    .takes_rest = false,
    .examples = "  fakenews evaluate --model runs/latest --data data/news\n"
                "  fakenews evaluate --model runs/latest --data other.csv --train data/news --json figures.json\n",
    .run = run,
};
