/* fakenews bench: how fast a model answers here, and how near that is to what the processor can do. */
#include "cli/loading.h"
#include "infer/speed.h"
#include "tensor/options.h"

enum { MAX_LENGTHS = 32 };
#define SECONDS 1.0

typedef struct bench {
  const fn_cli *cli;
  int32_t tokens[MAX_LENGTHS];
  size_t n;
  bool lengths_given;
  fn_speed speeds[MAX_LENGTHS];
  fn_classifier *classifier;
  fn_device *device;
  fn_infer_options options;
} bench;

static fn_status read_lengths(bench *b, const char *list, fn_err *err) {
  b->lengths_given = list != NULL;
  fn_str rest = fn_str_from(list ? list : "16,128,256,512");
  for (;;) {
    const char *comma = rest.length ? memchr(rest.data, ',', rest.length) : NULL;
    size_t length = comma ? (size_t)(comma - rest.data) : rest.length;
    int64_t value;
    if (b->n == MAX_LENGTHS) return fn_err_set(err, FN_E_LIMIT, "--tokens takes at most %d lengths", MAX_LENGTHS);
    if (!fn_str_to_int64(&value, fn_str_make(rest.data, length)) || value < 8 || value > 65536)
      return fn_err_set(err, FN_E_INVALID, "--tokens takes lengths from 8 to 65536 separated by commas, not \"%.60s\"",
                        list);
    b->tokens[b->n++] = (int32_t)value;
    if (!comma) return FN_OK;
    rest = fn_str_make(comma + 1, rest.length - length - 1);
  }
}

static fn_status measure(bench *b, fn_err *err) {
  const fn_classifier_info *info = fn_classifier_get_info(b->classifier);
  size_t n = 0;
  for (size_t i = 0; i < b->n; i++) {
    fn_cli_progress(b->cli, "%d tokens", (int)b->tokens[i]);
    if (fn_cli_stop_requested()) return fn_err_set(err, FN_E_CANCELLED, "stopped");
    /* Of the usual lengths, those that a model does not take are left out. */
    if (!b->lengths_given && info->has_encoder && b->tokens[i] > info->positions) continue;
    fn_status status =
        fn_speed_measure(&b->speeds[n], b->classifier, &b->options, b->device, b->tokens[i], SECONDS, err);
    if (status != FN_OK) return status;
    n++;
  }
  b->n = n;
  fn_cli_progress_end(b->cli);
  return n > 0 ? FN_OK : fn_err_set(err, FN_E_INVALID, "--tokens: name lengths that the model takes");
}

static void write_json(fn_buf *out, const bench *b) {
  const fn_classifier_info *info = fn_classifier_get_info(b->classifier);
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "model", info->id);
  fn_json_text(&w, "device", b->speeds[0].device);
  fn_json_text(&w, "version", b->cli->version);
  fn_json_array(&w, "results");
  for (size_t i = 0; i < b->n; i++) {
    const fn_speed *s = &b->speeds[i];
    fn_json_object(&w, NULL);
    fn_json_int(&w, "tokens", s->tokens);
    fn_json_int(&w, "runs", (int64_t)s->n_runs);
    fn_json_double(&w, "p50_ms", s->p50_ms);
    fn_json_double(&w, "p99_ms", s->p99_ms);
    fn_json_double(&w, "tokens_per_s", s->tokens_per_s);
    fn_json_double(&w, "ceiling_gops", s->peak_gops);
    fn_json_double(&w, "share_of_ceiling", s->share_of_peak);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

static void show(fn_buf *out, const bench *b) {
  fn_buf_printf(out, "%s\n%s\n\n%8s%10s%10s%12s%18s\n", fn_classifier_get_info(b->classifier)->id, b->speeds[0].device,
                "tokens", "p50 ms", "p99 ms", "tokens/s", "share of ceiling");
  for (size_t i = 0; i < b->n; i++) {
    const fn_speed *s = &b->speeds[i];
    fn_buf_printf(out, "%8d%10.3f%10.3f%12.0f", (int)s->tokens, s->p50_ms, s->p99_ms, s->tokens_per_s);
    if (s->share_of_peak == s->share_of_peak)
      fn_buf_printf(out, "%16.0f %%\n", 100.0 * s->share_of_peak);
    else
      fn_buf_printf(out, "%18s\n", "-");
  }
  fn_buf_append_str(out,
                    "\nOne article at a time, from text to probability. The ceiling: the same multiplications from "
                    "registers alone.\n");
}

static fn_status bench_all(bench *b, const fn_cli_args *args, fn_err *err) {
  fn_tensor_options tensor;
  FN_AUTO_FREE char *path = NULL;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1 << 20);
  FN_TRY(fn_config_fill(&tensor, b->cli->config, &fn_tensor_option_table, err));
  FN_TRY(fn_config_fill(&b->options, b->cli->config, &fn_infer_option_table, err));
  FN_TRY(read_lengths(b, fn_cli_get(args, "--tokens"), err));
  FN_TRY(fn_cli_find_model(&path, b->cli, fn_cli_get(args, "--model"), err));
  FN_TRY(fn_classifier_load(&b->classifier, path, err));
  const fn_device_options options = fn_tensor_options_device(&tensor);
  FN_TRY(fn_device_create(&b->device, &options, err));
  FN_TRY(measure(b, err));
  if (fn_cli_get(args, "--json"))
    write_json(&out, b);
  else
    show(&out, b);
  FN_TRY(fn_buf_check(&out, "figures", err));
  return fn_cli_print(fn_buf_str(&out), err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  bench b = {.cli = cli};
  fn_status status = bench_all(&b, args, err);
  fn_cli_progress_end(cli);
  fn_device_destroy(b.device);
  fn_classifier_destroy(b.classifier);
  return status;
}

static const fn_cli_flag flags[] = {
    FN_CLI_MODEL_FLAG,
    {.name = "--tokens", .value = "N,N,…", .help = "lengths of the article (default: 16,128,256,512)"},
    {.name = "--json", .help = "figures as JSON: model, device, results"},
    {0},
};

const fn_verb fn_verb_bench = {
    .name = "bench",
    .summary = "how long one article takes on this machine, by length; and how near that is to the processor's ceiling",
    .usage = "[--model FILE|DIR] [--tokens 16,128,256,512] [--threads N] [--json] [key=value …]",
    .flags = flags,
    .options = "infer.part infer.text device.",
    .examples = "  fakenews bench --tokens 256 --threads 1\n",
    .run = run,
};
