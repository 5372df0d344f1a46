/* fakenews quantize: model directories into one packed file, and what that costs. */
#include "cli/loading.h"
#include "infer/packing.h"
#include "tensor/options.h"

#include <sys/stat.h>

enum { MAX_CARD = 1 << 20 };

typedef struct quantize {
  const fn_cli *cli;
  const char *out;
  fn_pack_options options;
  fn_classifier *encoder, *linear; /* directories; NULL: not asked for */
  json_t *card;                    /* of --card, or NULL */
  fn_comparison encoder_cost, linear_cost, both_cost;
  char data_hash[33];
  bool compared;
} quantize;

static fn_status load_half(fn_classifier **out, const quantize *q, const char *name, const char *flag, bool linear,
                           fn_err *err) {
  FN_AUTO_FREE char *path = NULL;
  if (name == NULL) return FN_OK;
  FN_TRY(fn_cli_find_directory(&path, q->cli, name, err));
  FN_TRY(fn_classifier_load(out, path, err));
  const fn_classifier_info *info = fn_classifier_get_info(*out);
  if (info->packed)
    return fn_err_set(err, FN_E_INVALID, "%s %s: is packed already; the directory that it was made of is expected",
                      flag, name);
  if (linear && !info->has_linear)
    return fn_err_set(err, FN_E_INVALID, "%s %s: not a model of the linear family", flag, name);
  return FN_OK;
}

static fn_status load_card(quantize *q, const char *path, fn_err *err) {
  if (path == NULL) return FN_OK;
  FN_TRY(fn_json_load(&q->card, path, MAX_CARD, err));
  if (!json_is_object(q->card)) return fn_err_set(err, FN_E_INVALID, "%s: an object is expected", path);
  static const char *const own[] = {"made", "packing"};
  for (size_t i = 0; i < FN_COUNT_OF(own); i++)
    if (json_object_get(q->card, own[i]))
      return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" is filled in by the program", path, own[i]);
  return FN_OK;
}

/* What the file says of itself: the members of --card, then what is known here. */
static fn_status format_card(fn_buf *out, const quantize *q, fn_err *err) {
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  const char *key;
  json_t *value;
  if (q->card != NULL) json_object_foreach(q->card, key, value) fn_json_value(&w, key, value);
  fn_json_object(&w, "made");
  fn_json_text(&w, "by", q->cli->version);
  fn_json_text(&w, "encoder", q->encoder ? fn_classifier_get_info(q->encoder)->id : NULL);
  fn_json_text(&w, "linear", q->linear ? fn_classifier_get_info(q->linear)->id : NULL);
  fn_json_end(&w);
  if (q->compared) {
    fn_json_object(&w, "packing");
    fn_json_text(&w, "data", q->data_hash);
    if (q->encoder) fn_comparison_format_json(&w, "encoder", &q->encoder_cost);
    if (q->linear) fn_comparison_format_json(&w, "linear", &q->linear_cost);
    if (q->encoder && q->linear) fn_comparison_format_json(&w, "both", &q->both_cost);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  return fn_buf_check(out, "card", err);
}

static fn_status write_packed(const quantize *q, const char *name, fn_err *err) {
  FN_AUTO_BUF fn_buf card;
  fn_buf_init(&card, 2 * MAX_CARD);
  FN_TRY(format_card(&card, q, err));
  const fn_packing_source source = {.encoder = q->encoder ? fn_classifier_get_info(q->encoder)->dir : NULL,
                                    .linear = q->linear ? fn_classifier_get_info(q->linear)->dir : NULL,
                                    .int8 = q->options.dtype == FN_PACK_INT8,
                                    .name = name,
                                    .card = card.data};
  return fn_packing_write(q->out, &source, err);
}

static bool show_progress(void *arg, size_t n_done, size_t n_all) {
  const quantize *q = arg;
  fn_cli_bar(q->cli, "comparing", "", (double)n_done / (double)n_all);
  return !fn_cli_stop_requested();
}

/* A directory against the same half of the packed file. */
static fn_status compare_half(fn_comparison *out, quantize *q, const fn_classifier *half, int part,
                              const fn_dataset *dataset, fn_err *err) {
  fn_tensor_options tensor;
  fn_infer_options options;
  fn_device *device;
  FN_TRY(fn_config_fill(&tensor, q->cli->config, &fn_tensor_option_table, err));
  FN_TRY(fn_config_fill(&options, q->cli->config, &fn_infer_option_table, err));
  const fn_device_options device_options = fn_tensor_options_device(&tensor);
  FN_TRY(fn_device_create(&device, &device_options, err));
  const fn_packing_check check = {.directory = fn_classifier_get_info(half)->dir,
                                  .packed = q->out,
                                  .part = part,
                                  .options = &options,
                                  .device = device,
                                  .dataset = dataset,
                                  .splits = FN_COMPARE_ALL,
                                  .progress = show_progress,
                                  .arg = q};
  const fn_status status = fn_packing_compare(out, &check, err);
  fn_device_destroy(device);
  return status;
}

/* The figures go into the file's card, which is written anew with them. */
static fn_status keep_figures(const quantize *q, fn_err *err) {
  fn_packed *packed = NULL;
  FN_AUTO_BUF fn_buf card;
  fn_buf_init(&card, 2 * MAX_CARD);
  FN_TRY(format_card(&card, q, err));
  FN_TRY(fn_packed_open(&packed, q->out, err));
  fn_status status = fn_packed_rewrite(q->out, packed, NULL, card.data, err);
  fn_packed_close(packed);
  return status;
}

/* Closes dataset. */
static fn_status compare_all(quantize *q, fn_dataset *dataset, fn_err *err) {
  fn_hash_format(q->data_hash, fn_dataset_hash(dataset));
  fn_status status = FN_OK;
  if (q->encoder) status = compare_half(&q->encoder_cost, q, q->encoder, FN_INFER_ENCODER, dataset, err);
  if (status == FN_OK && q->linear) status = compare_half(&q->linear_cost, q, q->linear, FN_INFER_LINEAR, dataset, err);
  if (status == FN_OK && q->encoder && q->linear)
    status = fn_comparison_mean(&q->both_cost, &q->encoder_cost, &q->linear_cost, err);
  fn_dataset_close(dataset);
  fn_cli_progress_end(q->cli);
  if (status != FN_OK) return status;
  q->compared = true;
  return keep_figures(q, err);
}

/* ---- what is shown ---- */

static void append_comparison(fn_buf *out, const char *title, const fn_comparison *c) {
  const fn_comparison_part *a = &c->parts[0];
  double n = (double)a->n;
  fn_buf_printf(out, "\n%s: ", title);
  fn_print_count(out, a->n);
  fn_buf_printf(out, " rows\n%-22s%10s%10s\n", "", "before", "after");
  fn_buf_printf(out, "%-22s%10.4f%10.4f\n", "accuracy", a->before.accuracy, a->after.accuracy);
  fn_buf_printf(out, "%-22s%10.4f%10.4f\n", "ROC AUC", a->before.roc_auc, a->after.roc_auc);
  fn_buf_printf(out, "%-22s%10.4f%10.4f\n", "calibration error", a->before.ece, a->after.ece);
  fn_buf_printf(out, "%-22s%10.0f%10.0f\n", "articles per second", n / c->seconds_before, n / c->seconds_after);
  fn_buf_printf(out, "labels flipped        %zu of ", a->n_flipped);
  fn_print_count(out, a->n);
  fn_buf_printf(out, " (%.2f %%)\nlogit moved by        %.3f at most, %.4f on average\n",
                100.0 * (double)a->n_flipped / n, a->worst_logit, a->mean_logit);
  if (c->n_parts < 3) return;
  fn_buf_printf(out, "\n%-22s%8s%9s%12s%9s\n", "by dataset", "rows", "flipped", "AUC before", "after");
  for (size_t i = 1; i < c->n_parts; i++) {
    const fn_comparison_part *p = &c->parts[i];
    fn_buf_printf(out, "%-22.22s%8zu%9zu%12.4f%9.4f\n", *p->name ? p->name : "(no name)", p->n, p->n_flipped,
                  p->before.roc_auc, p->after.roc_auc);
  }
}

/* Bytes of the weights that a directory keeps. */
static double weights_mb(const fn_classifier *half) {
  static const char *const names[] = {"model.safetensors", "linear.safetensors"};
  double sum = 0.0;
  for (size_t i = 0; half != NULL && i < FN_COUNT_OF(names); i++) {
    FN_AUTO_FREE char *path = fn_path_join(fn_classifier_get_info(half)->dir, names[i]);
    struct stat s;
    if (path != NULL && stat(path, &s) == 0) sum += (double)s.st_size;
  }
  return sum / 1e6;
}

static fn_status report(const quantize *q, fn_err *err) {
  struct stat s;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1 << 20);
  double before = weights_mb(q->encoder) + weights_mb(q->linear);
  fn_buf_printf(&out, "%s: %.1f MB", q->out, stat(q->out, &s) == 0 ? (double)s.st_size / 1e6 : 0.0);
  if (before > 0.0) fn_buf_printf(&out, "; the directories' weights take %.1f MB", before);
  fn_buf_append_char(&out, '\n');
  if (q->compared && q->encoder) append_comparison(&out, "encoder", &q->encoder_cost);
  if (q->compared && q->linear) append_comparison(&out, "linear", &q->linear_cost);
  if (q->compared && q->encoder && q->linear) append_comparison(&out, "both, mean of their logits", &q->both_cost);
  FN_TRY(fn_buf_check(&out, "report", err));
  return fn_cli_print(fn_buf_str(&out), err);
}

/* The packed file must not take the place of what it is made of. */
static fn_status check_out(const quantize *q, fn_err *err) {
  static const char *const names[] = {"model.safetensors", "linear.safetensors", "config.json", "tokenizer.json",
                                      "vocab.txt"};
  const fn_classifier *const halves[] = {q->encoder, q->linear};
  struct stat out, source;
  if (stat(q->out, &out) != 0) return FN_OK;
  for (size_t h = 0; h < FN_COUNT_OF(halves); h++)
    for (size_t i = 0; halves[h] != NULL && i < FN_COUNT_OF(names); i++) {
      FN_AUTO_FREE char *path = fn_path_join(fn_classifier_get_info(halves[h])->dir, names[i]);
      if (path == NULL) return fn_err_no_memory(err, "path");
      if (stat(path, &source) == 0 && source.st_dev == out.st_dev && source.st_ino == out.st_ino)
        return fn_err_set(err, FN_E_INVALID, "--out %s is a file of the model that is to be packed", q->out);
    }
  return FN_OK;
}

static fn_status pack(quantize *q, const fn_cli_args *args, fn_err *err) {
  const char *model = fn_cli_get(args, "--model"), *linear = fn_cli_get(args, "--linear");
  const char *name = fn_cli_get(args, "--name"), *data = fn_cli_get(args, "--data");
  FN_TRY(load_half(&q->encoder, q, model, "--model", false, err));
  FN_TRY(load_half(&q->linear, q, linear, "--linear", true, err));
  if (q->encoder && fn_classifier_get_info(q->encoder)->has_linear) { /* --model names a linear one */
    if (q->linear) return fn_err_set(err, FN_E_INVALID, "--model and --linear are both of the linear family");
    q->linear = q->encoder;
    q->encoder = NULL;
  }
  FN_TRY(load_card(q, fn_cli_get(args, "--card"), err));
  FN_AUTO_FREE char *stem = fn_str_dup(fn_str_from(fn_path_base(q->out)));
  if (stem == NULL) return fn_err_no_memory(err, "name");
  char *dot = strrchr(stem, '.');
  if (dot != NULL && dot != stem) *dot = '\0';
  FN_TRY(check_out(q, err));
  fn_dataset *dataset = NULL; /* opened before anything is replaced */
  if (data != NULL) FN_TRY(fn_dataset_open(&dataset, data, err));
  fn_status status = write_packed(q, name ? name : stem, err);
  if (status != FN_OK) {
    fn_dataset_close(dataset);
    return status;
  }
  if (data != NULL)
    FN_TRY(compare_all(q, dataset, err));
  else
    fn_cli_note(q->cli, "without --data nothing says what packing costs in accuracy");
  return report(q, err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  quantize q = {.cli = cli, .out = fn_cli_get(args, "--out")};
  FN_TRY(fn_config_fill(&q.options, cli->config, &fn_pack_option_table, err));
  fn_status status = pack(&q, args, err);
  fn_cli_progress_end(cli);
  fn_comparison_deinit(&q.encoder_cost);
  fn_comparison_deinit(&q.linear_cost);
  fn_comparison_deinit(&q.both_cost);
  json_decref(q.card);
  fn_classifier_destroy(q.encoder);
  fn_classifier_destroy(q.linear);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--model",
     .value = "DIR",
     .required = true,
     .help = "a model directory, a run folder, owner/name in the Hub cache, models:/NAME@ALIAS, runs:/RUN, s3://… or "
             "gs://…"},
    {.name = "--linear", .value = "DIR", .help = "a model of the linear family to stand in the file beside it"},
    {.name = "--out", .value = "FILE", .required = true, .help = "the packed file, which appears when it is whole"},
    {.name = "--data",
     .value = "DIR",
     .help = "a prepared dataset: every row is classified before and after, and the difference reported"},
    {.name = "--name", .value = "NAME", .help = "name of the model in its answers (default: the file's)"},
    {.name = "--card", .value = "FILE", .help = "JSON object that becomes part of the file's model card"},
    {0},
};

const fn_verb fn_verb_quantize = {
    .name = "quantize",
    .summary = "pack a model into one file that starts at once, in int8; report what that costs",
    .usage = "--model DIR [--linear DIR] --out FILE [--data DIR] [--name NAME] [--card FILE] [dtype=int8|f32]",
    .flags = flags,
    .options = "dtype infer.text infer.max_tokens infer.long device.",
    .examples = "  fakenews quantize --model runs/latest --out news.fnm --data data/news\n",
    .run = run,
};
