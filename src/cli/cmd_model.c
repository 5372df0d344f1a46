/* fakenews model info: what a model is, where it comes from and what it was measured to do. */
#include "cli/loading.h"
#include "infer/packed.h"

#include <sys/stat.h>

enum { MAX_TEXT = 1 << 22 };

static const char *const mode_names[] = {"title", "text", "title+text"};

typedef struct model_info {
  const fn_cli *cli;
  const fn_classifier_info *info;
  fn_model_config config; /* with an encoder */
  fn_packed *packed;      /* of a packed file, else NULL */
  json_t *card, *calibration;
  uint64_t file_bytes;
  bool verified;
} model_info;

static uint64_t size_of(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 ? (uint64_t)s.st_size : 0;
}

static fn_status read_packed(model_info *m, fn_err *err) {
  FN_TRY(fn_packed_open(&m->packed, m->info->dir, err));
  FN_TRY(fn_packed_verify(m->packed, err));
  m->verified = true;
  const fn_packed_info *p = fn_packed_get_info(m->packed);
  if (p->has_encoder) m->config = *fn_packed_config(m->packed);
  m->file_bytes = size_of(m->info->dir);
  if (p->card) FN_TRY(fn_json_parse(&m->card, fn_str_from(p->card), "card", err));
  if (p->calibration) FN_TRY(fn_json_parse(&m->calibration, fn_str_from(p->calibration), "calibration", err));
  return FN_OK;
}

static fn_status read_directory(model_info *m, fn_err *err) {
  static const char *const names[] = {"model.safetensors", "linear.safetensors"};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    FN_AUTO_FREE char *path = fn_path_join(m->info->dir, names[i]);
    if (path == NULL) return fn_err_no_memory(err, "path");
    m->file_bytes += size_of(path);
  }
  return m->info->has_encoder ? fn_model_config_load(&m->config, m->info->dir, err) : FN_OK;
}

static int64_t n_parameters(const fn_model_config *c) {
  int64_t C = c->hidden_size, F = c->intermediate_size, L = c->num_hidden_layers, K = c->num_labels;
  int64_t embeddings = (int64_t)(c->vocab_size + c->max_position_embeddings + c->type_vocab_size) * C + 2 * C;
  int64_t layer = 4 * (C * C + C) + 2 * C * F + F + C + 4 * C;
  int64_t head = c->head_size > 0 ? (C + 1) * c->head_size + (c->head_size + 1) * K : (C + 1) * K;
  return embeddings + L * layer + C * C + C + head;
}

static void write_json(fn_buf *out, const model_info *m) {
  const fn_classifier_info *i = m->info;
  const fn_model_config *c = &m->config;
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "id", i->id);
  fn_json_text(&w, "path", i->dir);
  fn_json_text(&w, "checksum", i->checksum);
  fn_json_bool(&w, "packed", i->packed);
  fn_json_bool(&w, "verified", m->verified);
  fn_json_text(&w, "family", i->family);
  fn_json_int(&w, "size_bytes", (int64_t)m->file_bytes);
  fn_json_array(&w, "labels");
  for (int32_t k = 0; k < i->n_labels; k++) fn_json_text(&w, NULL, i->labels[k]);
  fn_json_end(&w);
  fn_json_text(&w, "reads", i->usage_known ? mode_names[i->mode] : NULL);
  fn_json_text(&w, "data_hash", *i->data_hash ? i->data_hash : NULL);
  if (i->has_encoder) {
    fn_json_object(&w, "encoder");
    fn_json_text(&w, "dtype", m->packed ? (fn_packed_get_info(m->packed)->int8 ? "int8" : "f32") : "f32");
    fn_json_int(&w, "parameters", n_parameters(c));
    fn_json_int(&w, "layers", c->num_hidden_layers);
    fn_json_int(&w, "hidden_size", c->hidden_size);
    fn_json_int(&w, "attention_heads", c->num_attention_heads);
    fn_json_int(&w, "intermediate_size", c->intermediate_size);
    fn_json_int(&w, "vocab_size", c->vocab_size);
    fn_json_int(&w, "positions", c->max_position_embeddings);
    fn_json_int(&w, "max_tokens", c->usage.max_tokens);
    fn_json_end(&w);
  }
  fn_json_bool(&w, "linear", i->has_linear);
  if (m->calibration)
    fn_json_value(&w, "calibration", m->calibration);
  else
    fn_json_null(&w, "calibration");
  if (m->card)
    fn_json_value(&w, "card", m->card);
  else
    fn_json_null(&w, "card");
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

/* A card's value, for people: nested objects are indented. */
static void show_value(fn_buf *out, const char *key, const json_t *value, int depth) {
  if (json_is_object(value)) {
    fn_buf_printf(out, "%*s", 2 * depth, "");
    fn_print_line(out, fn_str_from(key), 60);
    fn_buf_append_char(out, '\n');
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member) show_value(out, name, member, depth + 1);
    return;
  }
  fn_buf_printf(out, "%*s", 2 * depth, "");
  size_t from = out->length;
  fn_print_line(out, fn_str_from(key), 60);
  fn_buf_append_str(out, "  ");
  while (!out->failed && out->length - from < 22 - 2 * (size_t)(depth < 9 ? depth : 9)) fn_buf_append_char(out, ' ');
  if (json_is_string(value)) {
    FN_AUTO_BUF fn_buf line;
    fn_buf_init(&line, 1 << 12);
    fn_print_line(&line, fn_str_make(json_string_value(value), json_string_length(value)), 1000);
    size_t column = 22 + 2 * (size_t)(depth > 9 ? depth : 0);
    fn_buf_append_wrapped(out, line.data ? line.data : "", column, column, fn_cli_help_width());
    fn_buf_append_char(out, '\n');
    return;
  }
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_value(&w, NULL, value);
  fn_buf_append_char(out, '\n');
}

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "-";
}

/* One line a fit: from which probability on it gives a verdict, on how many articles, how often it is right. */
static void show_calibration(fn_buf *out, const json_t *calibration) {
  const json_t *sets = json_object_get(calibration, "sets");
  fn_buf_printf(out, "%-20s  judged by leaving each %s out; read as %s, %s\n", "calibration",
                text_of(calibration, "grouped_by"), text_of(calibration, "text"), text_of(calibration, "long"));
  fn_buf_printf(out, "  %-9s%-10s%13s%10s%8s%8s%10s\n", "part", "input", "verdict from", "articles", "right", "ECE",
                "target");
  for (size_t i = 0; i < json_array_size(sets); i++) {
    const json_t *s = json_array_get(sets, i);
    fn_buf_printf(out, "  %-9.9s%-10.10s%13.3f%9.0f%%%7.0f%%%8.3f%10s\n", text_of(s, "part"), text_of(s, "input"),
                  fn_json_number(s, "unsure_below"), 100.0 * fn_json_number(s, "coverage"),
                  100.0 * fn_json_number(s, "accuracy"), fn_json_number(json_object_get(s, "after"), "ece"),
                  json_is_true(json_object_get(s, "target_reached")) ? "reached" : "missed");
  }
}

/* What packing cost, over all rows. */
static void show_packing(fn_buf *out, const json_t *packing) {
  static const char *const parts[] = {"encoder", "linear", "both"};
  fn_buf_printf(out, "packing\n  %-9s%8s%9s%20s%20s\n", "part", "rows", "flipped", "accuracy", "AUC");
  for (size_t i = 0; i < FN_COUNT_OF(parts); i++) {
    const json_t *all = json_object_get(json_object_get(packing, parts[i]), "all");
    const json_t *accuracy = json_object_get(all, "accuracy"), *auc = json_object_get(all, "roc_auc");
    if (all == NULL) continue;
    fn_buf_printf(out, "  %-9s%8.0f%9.0f     %.4f to %.4f    %.4f to %.4f\n", parts[i], fn_json_number(all, "n"),
                  fn_json_number(all, "flipped"), json_number_value(json_array_get(accuracy, 0)),
                  json_number_value(json_array_get(accuracy, 1)), json_number_value(json_array_get(auc, 0)),
                  json_number_value(json_array_get(auc, 1)));
  }
}

static void show(fn_buf *out, const model_info *m) {
  const fn_classifier_info *i = m->info;
  const fn_model_config *c = &m->config;
  fn_buf_printf(out, "%-20s  %s\n", "model", i->id);
  fn_buf_printf(out, "%-20s  %s, %.1f MB%s\n", i->packed ? "file" : "directory", i->dir, (double)m->file_bytes / 1e6,
                m->verified ? ", checksums hold" : "");
  fn_buf_printf(out, "%-20s  %s\n", "checksum", i->checksum);
  if (i->has_encoder) {
    fn_buf_printf(out, "%-20s  %s, %d layers, width %d, %d heads, ", "encoder", c->family, (int)c->num_hidden_layers,
                  (int)c->hidden_size, (int)c->num_attention_heads);
    fn_print_count(out, (uint64_t)n_parameters(c));
    fn_buf_printf(out, " parameters, %s\n", m->packed && fn_packed_get_info(m->packed)->int8 ? "int8" : "fp32");
  }
  if (i->has_linear) fn_buf_printf(out, "%-20s  word and character n-grams\n", "linear half");
  fn_buf_printf(out, "%-20s  ", "labels");
  for (int32_t k = 0; k < i->n_labels; k++) fn_buf_printf(out, "%s%s", k ? ", " : "", i->labels[k]);
  fn_buf_append_char(out, '\n');
  fn_buf_printf(out, "%-20s  %s", "reads", i->usage_known ? mode_names[i->mode] : "not said: title and text");
  if (i->has_encoder && c->usage.max_tokens > 0) fn_buf_printf(out, ", %d tokens", (int)c->usage.max_tokens);
  fn_buf_printf(out, "\n%-20s  %s\n", "trained on data", *i->data_hash ? i->data_hash : "not known");
  if (m->calibration)
    show_calibration(out, m->calibration);
  else
    fn_buf_printf(out, "%-20s  none: probabilities are the model's own\n", "calibration");
  const char *key;
  json_t *value;
  if (m->card == NULL) return;
  json_object_foreach(m->card, key, value) {
    if (strcmp(key, "packing") == 0)
      show_packing(out, value);
    else
      show_value(out, key, value, 0);
  }
}

static fn_status inform(model_info *m, const fn_classifier *classifier, bool json, fn_err *err) {
  m->info = fn_classifier_get_info(classifier);
  FN_TRY(m->info->packed ? read_packed(m, err) : read_directory(m, err));
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, MAX_TEXT);
  if (json)
    write_json(&out, m);
  else
    show(&out, m);
  FN_TRY(fn_buf_check(&out, "description", err));
  return fn_cli_print(fn_buf_str(&out), err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  if (args->n_rest > 1) return fn_err_set(err, FN_E_INVALID, "one FILE or DIR is expected, not %zu", args->n_rest);
  model_info m = {.cli = cli};
  FN_AUTO_FREE char *path = NULL;
  fn_classifier *classifier = NULL;
  FN_TRY(fn_cli_find_model(&path, cli, args->n_rest ? args->rest[0] : NULL, err));
  fn_status status = fn_classifier_load(&classifier, path, err);
  if (status == FN_OK) status = inform(&m, classifier, fn_cli_get(args, "--json") != NULL, err);
  fn_classifier_destroy(classifier);
  fn_packed_close(m.packed);
  json_decref(m.card);
  json_decref(m.calibration);
  return status;
}

static const fn_cli_flag flags[] = {{.name = "--json", .help = "everything as one JSON object"}, {0}};

const fn_verb fn_verb_model_info = {
    .name = "model",
    .sub = "info",
    .summary = "architecture, size, labels, provenance, figures of a model; its checksums are checked",
    .usage = "[FILE|DIR] [--json]",
    .flags = flags,
    .takes_rest = true,
    .examples = "  fakenews model info news.fnm\n",
    .run = run,
};
