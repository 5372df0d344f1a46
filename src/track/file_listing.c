/* RUN/track/files.jsonl: files of a run that are not in the store yet. */
#include "track/file_queue.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_BYTES = 256 << 20, MAX_FILES = 1 << 20 };

static char *listing_path(const char *folder) {
  return fn_path_join(folder, "track/files.jsonl");
}

bool fn_file_listing_exists(const char *folder) {
  FN_AUTO_FREE char *path = listing_path(folder);
  return path && fn_path_exists(path);
}

static bool is_below(const char *path, const char *folder) {
  const size_t n = strlen(folder);
  return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* A run folder may be somebody else's: it does not get at other files of this machine. */
static bool is_allowed(const char *key, const char *real, const char *folder) {
  return is_below(real, folder) ||
         (strcmp(key, "data/prepare.json") == 0 && strcmp(fn_path_base(real), "prepare.json") == 0);
}

void fn_listed_file_hash(char out[33], const char *path) {
  fn_hash128 hash;
  out[0] = '\0';
  if (fn_hash_file(&hash, path, NULL) == FN_OK) fn_hash_format(out, hash);
}

bool fn_listed_file_is_changed(const fn_listed_file *file) {
  char now[33] = "";
  if (file->hash[0]) fn_listed_file_hash(now, file->path);
  return now[0] && strcmp(now, file->hash) != 0;
}

static fn_status leave_out(fn_file_listing *l, const char *path, fn_err *err) {
  if (l->n_gone++ > 0) return FN_OK;
  l->gone = fn_arena_strndup(&l->arena, path, strlen(path));
  return l->gone ? FN_OK : fn_err_no_memory(err, "files");
}

static fn_status take_file(fn_file_listing *l, size_t *capacity, const json_t *line, const char *folder, fn_err *err) {
  const char *key = json_string_value(json_object_get(line, "key"));
  const char *path = json_string_value(json_object_get(line, "path"));
  const char *hash = json_string_value(json_object_get(line, "hash"));
  if (!key || !*key || !path || !*path) return FN_OK;
  FN_AUTO_FREE char *joined = fn_path_join(folder, path);
  FN_AUTO_FREE char *real = NULL;
  if (!joined) return fn_err_no_memory(err, "a path");
  if (fn_path_real(&real, joined, NULL) != FN_OK || !is_allowed(key, real, folder)) return leave_out(l, joined, err);
  void *list = l->list;
  FN_TRY(fn_mem_grow(&list, capacity, l->n + 1, sizeof *l->list, MAX_FILES, "files", err));
  l->list = list;
  fn_listed_file f = {.key = fn_arena_strndup(&l->arena, key, strlen(key)),
                      .path = fn_arena_strndup(&l->arena, real, strlen(real))};
  if (!f.key || !f.path) return fn_err_no_memory(err, "files");
  if (hash && strlen(hash) == sizeof f.hash - 1 && strspn(hash, "0123456789abcdef") == sizeof f.hash - 1)
    memcpy(f.hash, hash, sizeof f.hash);
  const json_t *number = json_object_get(l->numbers, key);
  if (number) { /* told of again: the latest counts */
    l->list[json_integer_value(number)] = f;
    return FN_OK;
  }
  if (json_object_set_new(l->numbers, key, json_integer((json_int_t)l->n)) != 0) return fn_err_no_memory(err, "files");
  l->list[l->n++] = f;
  return FN_OK;
}

static fn_status take_head(fn_file_listing *l, const json_t *line, const char *path, fn_err *err) {
  const char *run = json_string_value(json_object_get(line, "run"));
  const char *artifacts = json_string_value(json_object_get(line, "artifacts"));
  if (!run || strlen(run) != FN_RUN_ID_LENGTH - 1 || !artifacts)
    return fn_err_set(err, FN_E_INVALID, "%s: the first line names no run", path);
  memcpy(l->run, run, FN_RUN_ID_LENGTH);
  l->artifacts = fn_arena_strndup(&l->arena, artifacts, strlen(artifacts));
  return l->artifacts ? FN_OK : fn_err_no_memory(err, path);
}

/* A line that is no JSON was cut off by the end of its process: the file that it named is in the run folder only. */
static fn_status take_lines(fn_file_listing *l, fn_str text, const char *path, const char *folder, fn_err *err) {
  size_t capacity = 0;
  for (size_t at = 0, n; at < text.length; at += n + 1) {
    const char *end = memchr(text.data + at, '\n', text.length - at);
    FN_AUTO_JSON json_t *line = NULL;
    fn_json_error error;
    n = end ? (size_t)(end - text.data) - at : text.length - at;
    const bool read = fn_json_read(&line, fn_str_make(text.data + at, n), 0, &error) == FN_OK;
    if (at == 0 && !read) return fn_err_set(err, FN_E_INVALID, "%s: the first line is no JSON", path);
    if (at == 0)
      FN_TRY(take_head(l, line, path, err));
    else if (read)
      FN_TRY(take_file(l, &capacity, line, folder, err));
  }
  return FN_OK;
}

static fn_status load(fn_file_listing *l, const char *folder, fn_err *err) {
  FN_AUTO_FREE char *path = listing_path(folder);
  FN_AUTO_FREE char *real = NULL;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_BYTES);
  if (!path) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(path)) return FN_OK;
  FN_TRY(fn_path_real(&real, folder, err));
  FN_TRY(fn_file_read(&text, path, MAX_BYTES, err));
  return take_lines(l, fn_buf_str(&text), path, real, err);
}

fn_status fn_file_listing_load(fn_file_listing *out, const char *folder, fn_err *err) {
  *out = (fn_file_listing){.n = 0};
  fn_arena_init(&out->arena);
  out->numbers = json_object();
  const fn_status status = out->numbers ? load(out, folder, err) : fn_err_no_memory(err, "files");
  json_decref(out->numbers);
  out->numbers = NULL;
  if (status != FN_OK) fn_file_listing_deinit(out);
  return status;
}

void fn_file_listing_deinit(fn_file_listing *l) {
  fn_arena_deinit(&l->arena);
  free(l->list);
  *l = (fn_file_listing){.n = 0};
  fn_arena_init(&l->arena);
}

static void append_file(fn_buf *text, const char *folder, const fn_listed_file *file) {
  const char *path = is_below(file->path, folder) ? file->path + strlen(folder) + 1 : file->path;
  fn_buf_append_str(text, "{\"key\": ");
  fn_buf_append_json(text, fn_str_from(file->key));
  fn_buf_append_str(text, ", \"path\": ");
  fn_buf_append_json(text, fn_str_from(path));
  if (file->hash[0]) fn_buf_printf(text, ", \"hash\": \"%s\"", file->hash);
  fn_buf_append_str(text, "}\n");
}

static void append_head(fn_buf *text, const char *run, const char *artifacts) {
  fn_buf_printf(text, "{\"format\": 1, \"run\": \"%s\", \"artifacts\": ", run);
  fn_buf_append_json(text, fn_str_from(artifacts));
  fn_buf_append_str(text, "}\n");
}

fn_status fn_file_listing_save(const char *folder, const char *run, const char *artifacts, const fn_listed_file *files,
                               size_t n, fn_err *err) {
  FN_AUTO_FREE char *path = listing_path(folder);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_BYTES);
  if (!path) return fn_err_no_memory(err, "a path");
  if (n == 0) return unlink(path) == 0 || errno == ENOENT ? FN_OK : fn_err_errno(err, errno, "%s", path);
  append_head(&text, run, artifacts);
  for (size_t i = 0; i < n; i++) append_file(&text, folder, &files[i]);
  FN_TRY(fn_buf_check(&text, path, err));
  return fn_file_write(path, text.data, text.length, err);
}

fn_status fn_file_listing_append(const char *folder, const char *run, const char *artifacts, const fn_listed_file *file,
                                 fn_err *err) {
  FN_AUTO_FREE char *path = listing_path(folder);
  FN_AUTO_FREE char *parent = fn_path_join(folder, "track");
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  if (!path || !parent) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(parent, err));
  FILE *out = fopen(path, "ae");
  if (!out) return fn_err_errno(err, errno, "%s", path);
  if (ftello(out) == 0) append_head(&text, run, artifacts);
  append_file(&text, folder, file);
  fn_status status = fn_buf_check(&text, path, err);
  if (status == FN_OK && fwrite(text.data, 1, text.length, out) != text.length)
    status = fn_err_errno(err, errno, "%s", path);
  if (fclose(out) != 0 && status == FN_OK) status = fn_err_errno(err, errno, "%s", path);
  return status;
}
