/* fakenews calibrate: what a model's logits are worth, fitted and judged by leaving groups out. */
#include "cli/loading.h"
#include "infer/fitting.h"
#include "infer/packed.h"

#include <math.h>

typedef struct calibrate {
  const fn_cli *cli;
  fn_cli_model model;
  const fn_classifier_info *info;
  fn_data_options data_options;
  fn_calibrate_options options;
  fn_fit_rows rows;
  fn_calibration calibration;
  fn_buf table;
  fn_cli_rows shown;
  bool quiet_training; /* the model's own logits decide nothing */
} calibrate;

static void on_skipped(void *arg, const char *why) {
  calibrate *c = arg;
  fn_cli_progress_end(c->cli);
  fn_cli_note(c->cli, "headlines alone are not calibrated: %s", why);
}

/* ---- table ---- */

static void append_figure(fn_buf *out, const char *name, double before, double after) {
  fn_buf_printf(out, "  %-10s %10.4f  %10.4f\n", name, before, after);
}

static void append_scaling(fn_buf *out, const fn_calibration_set *set) {
  const fn_scaling *s = &set->scaling;
  fn_buf_append_str(out, "  logit      ");
  for (int32_t j = 0; j < s->k; j++) {
    const char *half = set->part == FN_PART_BOTH ? fn_half_names[j] : fn_part_names[set->part];
    fn_buf_printf(out, "%s%.4g * %s", j ? " + " : "", s->weights[j], half);
  }
  if (s->bias != 0.0) fn_buf_printf(out, " %c %.4g", s->bias < 0.0 ? '-' : '+', fabs(s->bias));
  for (int32_t b = 0; b < s->n_buckets && (s->n_buckets > 1 || s->temperatures[0] != 1.0); b++) {
    fn_buf_printf(out, "%s%.4g", b ? ", " : ", temperature ", s->temperatures[b]);
    if (b + 1 < s->n_buckets) fn_buf_printf(out, " below %lld", (long long)s->edges[b]);
  }
  fn_buf_append_str(out, s->n_buckets > 1 ? " tokens and more\n" : "\n");
}

static void append_verdicts(fn_buf *out, const fn_fitted *f) {
  const fn_calibration_set *set = f->set;
  fn_buf_printf(out, "  verdicts   from %.4f on, asked %.1f %% right: %.1f %% of rows, %.1f %% of them right\n",
                set->unsure, 100.0 * set->target, 100.0 * f->band.coverage, 100.0 * f->band.accuracy);
  if (isnan(set->accuracy)) {
    fn_buf_append_str(out, "             with a threshold that the rows had no part in: none\n");
  } else {
    fn_buf_printf(out, "             with a threshold that the rows had no part in: %.1f %% of rows, %.1f %% right\n",
                  100.0 * set->coverage, 100.0 * set->accuracy);
  }
  if (!set->target_reached)
    fn_buf_append_str(out, "             the target is out of reach; this is the best accuracy there is\n");
}

static const char *figure(char out[16], double value) {
  if (isnan(value)) return "-";
  snprintf(out, 16, "%.4f", value);
  return out;
}

static void append_groups(fn_buf *out, const fn_fitted *f) {
  fn_buf_printf(out, "\n  %-24s %7s %6s  %7s %7s  %7s %7s\n", "left out", "rows", "fakes", "AUC", "", "ECE", "");
  for (size_t g = 0; g < f->n_groups; g++) {
    const fn_metrics *b = &f->before[g], *a = &f->after[g];
    char name[64] = "", cells[4][16];
    fn_str group = f->group_names[g];
    snprintf(name, sizeof name, "%.*s", group.length < 24 ? (int)group.length : 24, group.data);
    fn_buf_printf(out, "  %-24s %7lld %6lld  %7s %7s  %7s %7s\n", name, (long long)b->n,
                  (long long)b->by_class[1].support, figure(cells[0], b->roc_auc), figure(cells[1], a->roc_auc),
                  figure(cells[2], b->ece), figure(cells[3], a->ece));
  }
}

static void on_fitted(void *arg, const fn_fitted *f) {
  calibrate *c = arg;
  fn_buf *out = &c->table;
  const fn_calibration_set *set = f->set;
  if (out->length > 0) fn_buf_append_char(out, '\n');
  fn_buf_printf(out, "%s, %s: ", fn_part_names[set->part], set->headline ? "headlines alone" : "articles");
  fn_print_count(out, (uint64_t)set->n_rows);
  fn_buf_printf(out, " rows, %lld groups", (long long)set->n_groups);
  if ((int64_t)f->n_groups < set->n_groups) fn_buf_printf(out, " in %zu parts", f->n_groups);
  fn_buf_printf(out, "\n  %-10s %10s  %10s\n", "", "before", "cross-fit");
  append_figure(out, "log loss", set->before.nll, set->after.nll);
  append_figure(out, "ECE", set->before.ece, set->after.ece);
  append_figure(out, "AUC", set->before.auc, set->after.auc);
  append_figure(out, "accuracy", set->before.accuracy, set->after.accuracy);
  append_scaling(out, set);
  append_verdicts(out, f);
  append_groups(out, f);
}

/* ---- rows ---- */

static fn_status take_labelled(calibrate *c, fn_labelled *labelled, fn_err *err) {
  fn_status status =
      fn_fit_rows_add_session(&c->rows, c->model.session, c->info, labelled, fn_cli_rows_progress, &c->shown, err);
  fn_labelled_deinit(labelled);
  return status;
}

static fn_status take_dataset(calibrate *c, fn_dataset *dataset, fn_err *err) {
  static const fn_split splits[] = {FN_SPLIT_VALIDATION, FN_SPLIT_TEST};
  fn_hash_format(c->calibration.data, fn_dataset_hash(dataset));
  for (size_t i = 0; i < FN_COUNT_OF(splits); i++) {
    fn_labelled labelled;
    if (fn_dataset_n_rows(dataset, splits[i]) == 0) continue;
    FN_TRY(fn_labelled_from_dataset(&labelled, dataset, splits[i], err));
    FN_TRY(take_labelled(c, &labelled, err));
  }
  if (c->rows.n == 0) {
    return fn_err_set(err, FN_E_INVALID, "%s: its validation and test splits have no rows", fn_dataset_dir(dataset));
  }
  if (!c->quiet_training && strcmp(c->info->data_hash, c->calibration.data) == 0) {
    fn_cli_note(c->cli,
                "the model was trained on other rows of the same sets: leaving a set out of the calibration does not "
                "leave it out of the model; out-of-fold logits (--predictions) say more");
  }
  return FN_OK;
}

static fn_status take_file(calibrate *c, const char *path, bool is_table, fn_err *err) {
  fn_hash128 hash;
  FN_TRY(fn_hash_file(&hash, path, err));
  fn_hash_format(c->calibration.data, hash);
  if (is_table) return fn_fit_rows_add_file(&c->rows, path, &c->data_options, err);
  fn_labelled labelled;
  FN_TRY(fn_labelled_from_file(&labelled, path, fn_session_mode(c->model.session), &c->data_options,
                               fn_cli_rows_refused, &c->shown, err));
  return take_labelled(c, &labelled, err);
}

static fn_status take_data(calibrate *c, const char *data, fn_err *err) {
  if (!fn_path_is_dir(data)) return take_file(c, data, false, err);
  fn_dataset *dataset;
  FN_TRY(fn_dataset_open(&dataset, data, err));
  fn_status status = take_dataset(c, dataset, err);
  fn_dataset_close(dataset);
  return status;
}

/* A model that reads titles alone has no other input: they are its articles. */
static void unite_titles(calibrate *c) {
  for (size_t i = 0; c->calibration.mode == FN_TEXT_TITLE && i < c->rows.n; i++) c->rows.rows[i].headline = false;
}

/* Parts that the table has, but the model has not, would be kept for nothing. */
static fn_status check_halves(const calibrate *c, const char *predictions, fn_err *err) {
  for (size_t i = 0; i < c->rows.n; i++) {
    for (int half = 0; half < FN_N_HALVES; half++) {
      if (isnan(c->rows.rows[i].logits[half]) || (half == FN_HALF_ENCODER ? c->info->has_encoder : c->info->has_linear))
        continue;
      return fn_err_set(err, FN_E_INVALID, "%s: has logits of the %s, which %s does not have", predictions,
                        fn_half_names[half], c->info->dir);
    }
  }
  return FN_OK;
}

/* ---- */

static fn_status write_out(calibrate *c, const char *out, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FN_CALIBRATION_MAX_BYTES);
  fn_calibration_format(&text, &c->calibration);
  FN_TRY(fn_buf_check(&text, "a calibration", err));
  if (strcmp(out, "-") == 0) return fn_cli_print(fn_buf_str(&text), err);
  if (!c->info->packed && !fn_str_ends_with(fn_str_from(out), ".json"))
    return fn_err_set(
        err, FN_E_INVALID,
        "--out %s: --model is a directory, so the result is a calibration alone: name it DIR/" FN_CALIBRATION_FILE
        ", or quantize the model first and calibrate the packed file",
        out);
  if (!c->info->packed || fn_str_ends_with(fn_str_from(out), ".json")) {
    FN_TRY(fn_file_write(out, text.data, text.length, err));
    if (!c->info->packed && strcmp(fn_path_base(out), FN_CALIBRATION_FILE) != 0)
      fn_cli_note(c->cli, "%s is used as soon as it lies beside the model's files as " FN_CALIBRATION_FILE, out);
    return FN_OK;
  }
  fn_packed *packed;
  FN_TRY(fn_packed_open(&packed, c->info->dir, err));
  fn_status status = fn_packed_rewrite(out, packed, text.data, NULL, err);
  fn_packed_close(packed);
  return status;
}

/* Logits of a table say nothing of how the model's own reading looks: rows that it reads itself do. */
static fn_status fit(calibrate *c, const char *data, const char *predictions, fn_err *err) {
  if (predictions == NULL) {
    FN_TRY(take_data(c, data, err));
  } else {
    FN_TRY(take_file(c, predictions, true, err));
    unite_titles(c);
  }
  fn_cli_progress_end(c->cli);
  FN_TRY(check_halves(c, predictions ? predictions : data, err));
  FN_TRY(fn_calibration_fit(&c->calibration, &c->rows, &c->options, on_fitted, on_skipped, c, err));
  if (data == NULL || predictions == NULL) return FN_OK;
  char hash[33];
  memcpy(hash, c->calibration.data, sizeof hash);
  fn_fit_rows_deinit(&c->rows);
  fn_arena_init(&c->rows.arena);
  FN_TRY(take_data(c, data, err));
  fn_cli_progress_end(c->cli);
  memcpy(c->calibration.data, hash, sizeof hash); /* what the probabilities come from */
  return fn_calibration_fit_unlike(&c->calibration, &c->rows, &c->options, err);
}

static fn_status calibrate_all(calibrate *c, const fn_cli_args *args, fn_err *err) {
  const char *data = fn_cli_get(args, "--data"), *predictions = fn_cli_get(args, "--predictions");
  const char *out = fn_cli_get(args, "--out");
  if (data == NULL && predictions == NULL)
    return fn_err_set(err, FN_E_INVALID, "give --data or --predictions: rows to read, or logits that are known");
  FN_TRY(fn_config_fill(&c->data_options, c->cli->config, &fn_data_option_table, err));
  FN_TRY(fn_config_fill(&c->options, c->cli->config, &fn_calibrate_option_table, err));
  FN_TRY(fn_cli_load_part(&c->model, c->cli, fn_cli_get(args, "--model"), FN_INFER_BOTH, err));
  c->info = fn_classifier_get_info(c->model.classifier);
  FN_TRY(fn_evaluation_check_labels(c->info, err));
  c->quiet_training = predictions != NULL;
  fn_calibration_describe(&c->calibration, c->model.session, c->info, &c->model.options);
  FN_TRY(fit(c, data, predictions, err));
  FN_TRY(fn_buf_check(&c->table, "a table", err));
  FN_TRY(write_out(c, out, err));
  return strcmp(out, "-") == 0 ? FN_OK : fn_cli_print(fn_buf_str(&c->table), err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  calibrate *c = fn_mem_calloc(1, sizeof *c);
  if (c == NULL) return fn_err_no_memory(err, "a calibration");
  c->cli = c->shown.cli = cli;
  fn_arena_init(&c->rows.arena);
  fn_buf_init(&c->table, 0);
  fn_status status = calibrate_all(c, args, err);
  fn_cli_progress_end(cli);
  fn_fit_rows_deinit(&c->rows);
  fn_buf_deinit(&c->table);
  fn_cli_unload_model(&c->model);
  free(c);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--model",
     .value = "FILE|DIR",
     .required = true,
     .help = "a packed file, a model directory or a run folder"},
    {.name = "--data",
     .value = "DIR|FILE",
     .help = "a prepared dataset, whose validation and test rows are read; or a file of articles with a label column"},
    {.name = "--predictions",
     .value = "FILE",
     .help =
         "logits instead: a table with the columns label, dataset or source, encoder_logit or linear_logit and, where "
         "known, mode (article or title+text; headline or title), n_tokens, novelty, bytes_per_token. Best from models "
         "that had not seen the row's dataset. With --data as well, that says where unlike_training begins"},
    {.name = "--out",
     .value = "FILE",
     .required = true,
     .help = "a copy of the packed file with the calibration in it (it may be the same file); a name in .json, and "
             "whatever belongs to a directory: the calibration alone; - prints that in place of the table"},
    {0},
};

const fn_verb fn_verb_calibrate = {
    .name = "calibrate",
    .summary = "make probabilities honest, find when to say `unsure`; temperature, weights of a model's halves and the "
               "threshold, judged by leaving groups out",
    .usage = "--model FILE|DIR [--data DIR|FILE] [--predictions FILE] --out FILE [key=value …]",
    .flags = flags,
    .options = "calibrate. infer.text infer.long infer.max data.format data.encoding data.delimiter data.columns. "
               "!data.columns.split data.label_map device.",
    .takes_rest = false,
    .examples = "  fakenews calibrate --model detector.fnm --data data/news --out detector.fnm\n"
                "  fakenews calibrate --model runs/latest --data data/news --out runs/latest/model/calibration.json\n",
    .run = run,
};
