/* What stands beside the .wandb file, and the model as an artifact. */
#include "net/net.h"
#include "wandb/internal.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 64 * 1024 * 1024 };

static fn_status write_file(const fn_wandb_sink *s, const char *name, const fn_buf *text, fn_err *err) {
  FN_TRY(fn_buf_check(text, name, err));
  FN_AUTO_FREE char *files = fn_path_join(s->folder, "files");
  FN_AUTO_FREE char *path = files ? fn_path_join(files, name) : NULL;
  if (!path) return fn_err_no_memory(err, "a path");
  return fn_file_write(path, text->data ? text->data : "", text->length, err);
}

/* Nests items into one JSON object. */
static fn_status nest(json_t **out, const fn_wandb_item *items, size_t n, fn_err *err) {
  FN_AUTO_JSON json_t *root = json_object();
  for (size_t i = 0; root && i < n; i++) {
    json_t *at = root;
    for (size_t k = 0; at && k + 1 < items[i].n_path; k++) {
      json_t *below = json_object_get(at, items[i].path[k]);
      if (!json_is_object(below)) {
        json_object_set_new(at, items[i].path[k], json_object());
        below = json_object_get(at, items[i].path[k]);
      }
      at = below;
    }
    json_error_t ignored;
    json_t *value = json_loads(items[i].json, JSON_DECODE_ANY, &ignored);
    /* NaN and Infinity have no JSON: their names as text */
    if (!value) value = json_string(items[i].json);
    if (!at || json_object_set_new(at, items[i].path[items[i].n_path - 1], value) != 0)
      return fn_err_no_memory(err, "settings for W&B");
  }
  if (!root) return fn_err_no_memory(err, "settings for W&B");
  *out = FN_STEAL(root);
  return FN_OK;
}

/* JSON is YAML, but for characters, and for YAML 1.1 (PyYAML) 1e-05 is a text and 1.0e-05 a number. */
static void append_yaml(fn_buf *out, fn_str text) {
  FN_AUTO_BUF fn_buf plain;
  fn_buf_init(&plain, 0);
  fn_buf_append_yaml(&plain, text);
  if (plain.failed) out->failed = true;
  const fn_str json = fn_buf_str(&plain);
  bool in_text = false, number = false, dot = false;
  for (size_t i = 0; i < json.length; i++) {
    const char c = json.data[i];
    if (c == '"') in_text = !in_text;
    if (in_text && c == '\\' && i + 1 < json.length) fn_buf_append_char(out, json.data[i++]);
    const bool digit = c >= '0' && c <= '9';
    dot = number && (dot || c == '.');
    if (!in_text && number && (c == 'e' || c == 'E') && !dot) fn_buf_append_str(out, ".0");
    number = !in_text && (digit || (number && c == '.'));
    fn_buf_append_char(out, json.data[i]);
  }
}

/* Each key with desc and value, as W&B has it. */
static fn_status write_config(fn_wandb_sink *s, fn_err *err) {
  fn_arena arena;
  fn_arena_init(&arena);
  fn_wandb_item *items = NULL;
  size_t n = 0;
  FN_AUTO_JSON json_t *root = NULL;
  fn_status status = fn_wandb_settings(&items, &n, s, &arena, false, err);
  if (status == FN_OK) status = nest(&root, items, n, err);
  fn_arena_deinit(&arena);
  FN_TRY(status);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_FILE);
  fn_buf_append_str(&text, "wandb_version: 1\n\n_wandb:\n    desc: null\n    value: {}\n");
  const char *key;
  json_t *value;
  json_object_foreach(root, key, value) {
    fn_buf_append_json(&text, fn_str_from(key));
    fn_buf_append_str(&text, ":\n    desc: null\n    value: ");
    FN_AUTO_BUF fn_buf json;
    fn_buf_init(&json, MAX_FILE);
    fn_json_writer w;
    fn_json_begin(&w, &json, 0);
    fn_json_value(&w, NULL, value);
    FN_TRY(fn_buf_check(&json, "config.yaml", err));
    append_yaml(&text, fn_buf_str(&json));
    fn_buf_append_char(&text, '\n');
  }
  return write_file(s, "config.yaml", &text, err);
}

static const char *tag_of(fn_wandb_sink *s, const char *key) {
  for (size_t i = 0; i < s->tags.n; i++)
    if (strcmp(s->tags.entries[i].key, key) == 0) return s->tags.entries[i].json; /* a JSON string */
  return NULL;
}

static fn_status write_metadata(fn_wandb_sink *s, fn_err *err) {
  static const char *const pairs[][2] = {{"host", "fakenews.host"},         {"username", "mlflow.user"},
                                         {"program", "mlflow.source.name"}, {"command", "fakenews.command"},
                                         {"root", "fakenews.folder"},       {"cpu", "fakenews.cpu"}};
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_FILE);
  char started[21];
  fn_clock_format(started, s->run.start_ms);
  fn_buf_printf(&text, "{\n  \"startedAt\": \"%s\",\n  \"writer\": ", started);
  FN_AUTO_BUF fn_buf writer;
  fn_buf_init(&writer, 256);
  fn_buf_printf(&writer, "fakenews %s", s->version);
  fn_buf_append_json(&text, fn_buf_str(&writer));
  for (size_t i = 0; i < FN_COUNT_OF(pairs); i++) {
    const char *json = tag_of(s, pairs[i][1]);
    if (json) fn_buf_printf(&text, ",\n  \"%s\": %s", pairs[i][0], json);
  }
  if (s->run.commit) {
    fn_buf_append_str(&text, ",\n  \"git\": {\"commit\": ");
    fn_buf_append_json(&text, fn_str_from(s->run.commit));
    fn_buf_append_char(&text, '}');
  }
  fn_buf_append_str(&text, "\n}\n");
  return write_file(s, "wandb-metadata.json", &text, err);
}

static fn_status write_summary(fn_wandb_sink *s, fn_err *err) {
  fn_arena arena;
  fn_arena_init(&arena);
  fn_wandb_item *items = NULL;
  size_t n = 0;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_FILE);
  fn_status status = fn_wandb_summary(&items, &n, s, &arena, err);
  fn_buf_append_char(&text, '{');
  for (size_t i = 0; status == FN_OK && i < n; i++) {
    fn_buf_append_str(&text, i ? ", " : "");
    fn_buf_append_json(&text, fn_str_from(items[i].path[0]));
    fn_buf_printf(&text, ": %s", items[i].json);
  }
  fn_buf_append_str(&text, "}\n");
  fn_arena_deinit(&arena);
  FN_TRY(status);
  return write_file(s, "wandb-summary.json", &text, err);
}

static fn_status note_file(fn_wandb_sink *s, const char *path, fn_err *err) {
  for (size_t i = 0; i < s->n_files; i++)
    if (strcmp(s->files[i], path) == 0) return FN_OK;
  FN_TRY(fn_mem_grow((void **)&s->files, &s->files_capacity, s->n_files + 1, sizeof *s->files, FN_WANDB_MAX_FILES,
                     "files for W&B", err));
  const char *copy = fn_arena_strndup(&s->arena, path, strlen(path));
  if (!copy) return fn_err_no_memory(err, "a path");
  s->files[s->n_files++] = copy;
  return FN_OK;
}

fn_status fn_wandb_write_files(fn_wandb_sink *s, bool last, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1024);
  fn_buf_printf(&text, "# fakenews %s is a native program: this run used no Python packages\n", s->version);
  FN_TRY(write_file(s, "requirements.txt", &text, err));
  FN_TRY(write_config(s, err));
  FN_TRY(write_metadata(s, err));
  FN_TRY(note_file(s, "requirements.txt", err));
  FN_TRY(note_file(s, "config.yaml", err));
  FN_TRY(note_file(s, "wandb-metadata.json", err));
  if (!last) return FN_OK;
  FN_TRY(write_summary(s, err));
  FN_TRY(write_file(s, "output.log", &s->output, err));
  FN_TRY(note_file(s, "wandb-summary.json", err));
  return note_file(s, "output.log", err);
}

fn_status fn_wandb_link_file(fn_wandb_sink *s, const char *path, const char *source, fn_err *err) {
  const char *why = "";
  if (!fn_name_is_inside(fn_str_from(path), &why)) return fn_err_set(err, FN_E_INVALID, "%s: %s", path, why);
  /* the names that W&B's own files have are taken */
  static const char *const own[] = {"config.yaml", "requirements.txt", "output.log", "wandb-metadata.json",
                                    "wandb-summary.json"};
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, 16 * 1024);
  for (size_t i = 0; i < FN_COUNT_OF(own); i++)
    if (strcmp(path, own[i]) == 0) fn_buf_append_str(&name, "fakenews/");
  fn_buf_append_str(&name, path);
  FN_TRY(fn_buf_check(&name, "a path", err));
  FN_AUTO_FREE char *files = fn_path_join(s->folder, "files");
  FN_AUTO_FREE char *link = files ? fn_path_join(files, name.data) : NULL;
  FN_AUTO_FREE char *folder = link ? fn_str_dup(fn_str_make(link, strlen(link) - strlen(fn_path_base(link)))) : NULL;
  if (!folder) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(folder, err));
  FN_TRY(fn_link_replace(link, source, err));
  return note_file(s, name.data, err);
}

/* ---- the model ---- */

/* Base64 of an MD5 that is given in hexadecimal digits, as W&B's manifests have it. */
static void digest_text(fn_buf *out, const char *hex) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const char digits[] = "0123456789abcdef";
  unsigned char bytes[18] = {0};
  for (size_t i = 0; i < 16; i++)
    bytes[i] = (unsigned char)((strchr(digits, hex[2 * i]) - digits) << 4 | (strchr(digits, hex[2 * i + 1]) - digits));
  for (size_t i = 0; i < 18; i += 3) {
    const uint32_t three = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
    for (int k = 18; k >= 0; k -= 6) fn_buf_append_char(out, letters[three >> k & 63]);
  }
  out->length -= 2; /* of 16 bytes the last group has one */
  fn_buf_append_str(out, "==");
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const fn_wandb_artifact_file *)a)->path, ((const fn_wandb_artifact_file *)b)->path);
}

/* One file's entry, and its line of the manifest's digest. */
static fn_status describe(fn_wandb_file *out, fn_buf *manifest, fn_wandb_sink *s, const fn_wandb_artifact_file *f,
                          fn_err *err) {
  fn_digests digests;
  struct stat st;
  FN_TRY(fn_digest_file(&digests, f->source, NULL, NULL, err));
  if (stat(f->source, &st) != 0) return fn_err_errno(err, errno, "%s", f->source);
  FN_AUTO_BUF fn_buf digest, ref;
  fn_buf_init(&digest, 64);
  fn_buf_init(&ref, 64 * 1024);
  digest_text(&digest, digests.md5);
  fn_buf_append_str(&ref, "file://");
  fn_url_encode(&ref, fn_str_from(f->source), "/");
  fn_buf_printf(manifest, "%s:%s\n", f->path, digest.data);
  FN_TRY(fn_buf_check(&ref, "an address", err));
  *out = (fn_wandb_file){f->path, fn_arena_strndup(&s->arena, digest.data, digest.length),
                         fn_arena_strndup(&s->arena, ref.data, ref.length), (uint64_t)st.st_size};
  return out->md5_base64 && out->ref ? FN_OK : fn_err_no_memory(err, "a model for W&B");
}

fn_status fn_wandb_write_model(fn_wandb_sink *s, fn_err *err) {
  if (s->n_model == 0) return FN_OK;
  FN_AUTO_BUF fn_buf manifest;
  fn_buf_init(&manifest, MAX_FILE);
  fn_buf_append_str(&manifest, "wandb-artifact-manifest-v1\n");
  fn_wandb_file *files = fn_arena_alloc(&s->arena, s->n_model, sizeof *files);
  if (!files) return fn_err_no_memory(err, "a model for W&B");
  qsort(s->model, s->n_model, sizeof *s->model, by_path);
  for (size_t i = 0; i < s->n_model; i++) FN_TRY(describe(&files[i], &manifest, s, &s->model[i], err));
  FN_TRY(fn_buf_check(&manifest, "a manifest", err));
  /* the digest's text is kept: it says what the digest is of */
  FN_AUTO_FREE char *path = fn_path_join(s->folder, "logs/model-manifest.txt");
  if (!path) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_file_write(path, manifest.data, manifest.length, err));
  fn_digests digests;
  FN_TRY(fn_digest_file(&digests, path, NULL, NULL, err));
  static const char *const aliases[] = {"latest"};
  const fn_wandb_artifact artifact = {.run_id = s->run.id,
                                      .project = s->run.project,
                                      .entity = s->run.entity,
                                      .type = "model",
                                      .name = s->model_name,
                                      .digest = digests.md5,
                                      .metadata_json = "{}",
                                      .aliases = aliases,
                                      .n_aliases = 1,
                                      .files = files,
                                      .n_files = s->n_model};
  fn_wandb_put_artifact(&s->record, fn_wandb_next(s), &artifact);
  fn_wandb_write(s);
  return FN_OK;
}
