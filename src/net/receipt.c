#include "net/receipt.h"

#include "net/url.h"

#include <sys/stat.h>

enum { FORMAT = 1, MAX_BYTES = 64 << 20 };

void fn_receipt_deinit(fn_receipt *receipt) {
  for (size_t i = 0; i < receipt->n_files; i++) free(receipt->files[i].name);
  free(receipt->files);
  free(receipt->url);
  *receipt = (fn_receipt){0};
}

fn_status fn_receipt_add(fn_receipt *receipt, const char *name, uint64_t size_bytes, const char *sha256, fn_err *err) {
  size_t bytes;
  if (!fn_size_mul(&bytes, receipt->n_files + 1, sizeof *receipt->files)) return fn_err_no_memory(err, name);
  fn_receipt_file *files = realloc(receipt->files, bytes);
  if (!files) return fn_err_no_memory(err, name);
  receipt->files = files;
  fn_receipt_file file = {.name = fn_str_dup(fn_str_from(name)), .size_bytes = size_bytes};
  if (!file.name) return fn_err_no_memory(err, name);
  memcpy(file.sha256, sha256, sizeof file.sha256 - 1);
  files[receipt->n_files++] = file;
  return FN_OK;
}

/* One digest member: empty or n digits. */
static fn_status read_digest(char *out, size_t n, const json_t *object, const char *key, const char *name,
                             fn_err *err) {
  const char *text;
  FN_TRY(fn_json_get_string(&text, object, key, NULL, name, err));
  if (!fn_digest_is_hex(text, n)) return fn_err_set(err, FN_E_INVALID, "%s: %s is no checksum", name, key);
  memcpy(out, text, n + 1);
  return FN_OK;
}

static fn_status read_receipt(fn_receipt *receipt, const json_t *entry, const char *path, fn_err *err) {
  const char *url, *name, *why;
  int64_t size;
  FN_TRY(fn_json_get_string(&url, entry, "url", NULL, path, err));
  FN_TRY(fn_json_get_int(&size, entry, "size_bytes", 0, INT64_MAX, NULL, path, err));
  FN_TRY(fn_json_get_int(&receipt->fetched_ms, entry, "fetched_unix_ms", INT64_MIN, INT64_MAX, NULL, path, err));
  FN_TRY(read_digest(receipt->digests.md5, 32, entry, "md5", path, err));
  FN_TRY(read_digest(receipt->digests.sha256, 64, entry, "sha256", path, err));
  receipt->size_bytes = (uint64_t)size;
  receipt->url = fn_str_dup(fn_str_from(url));
  if (!receipt->url) return fn_err_no_memory(err, path);
  const json_t *files = json_object_get(entry, "files");
  for (size_t i = 0; i < json_array_size(files); i++) {
    const json_t *file = json_array_get(files, i);
    char sha256[65];
    FN_TRY(fn_json_get_string(&name, file, "name", NULL, path, err));
    FN_TRY(fn_json_get_int(&size, file, "size_bytes", 0, INT64_MAX, NULL, path, err));
    FN_TRY(read_digest(sha256, 64, file, "sha256", path, err));
    if (!fn_name_is_inside(fn_str_from(name), &why))
      return fn_err_set(err, FN_E_INVALID, "%s: the file name \"%.100s\" %s", path, name, why);
    FN_TRY(fn_receipt_add(receipt, name, (uint64_t)size, sha256, err));
  }
  return FN_OK;
}

/* The parsed file, or NULL when there is none. */
static fn_status load_all(json_t **all_out, const char *path, fn_err *err) {
  *all_out = NULL;
  if (!fn_path_exists(path)) return FN_OK;
  json_t *all;
  FN_TRY(fn_json_load(&all, path, MAX_BYTES, err));
  if (json_integer_value(json_object_get(all, "format")) != FORMAT ||
      !json_is_array(json_object_get(all, "downloads"))) {
    json_decref(all);
    return fn_err_set(err, FN_E_INVALID,
                      "%s: not a list of downloads as this program writes it; move it away, or choose "
                      "another folder",
                      path);
  }
  *all_out = all;
  return FN_OK;
}

/* Index of the entry for url, or the number of entries. */
static size_t find(const json_t *downloads, const char *url) {
  size_t i = 0;
  for (; i < json_array_size(downloads); i++) {
    const char *text = json_string_value(json_object_get(json_array_get(downloads, i), "url"));
    if (text && strcmp(text, url) == 0) break;
  }
  return i;
}

/* Index of the entry that has a file of this name, or the number of entries. */
static size_t find_file(const json_t *downloads, const char *name) {
  size_t i = 0;
  for (; i < json_array_size(downloads); i++) {
    const json_t *files = json_object_get(json_array_get(downloads, i), "files");
    for (size_t k = 0; k < json_array_size(files); k++) {
      const char *text = json_string_value(json_object_get(json_array_get(files, k), "name"));
      if (text && strcmp(text, name) == 0) return i;
    }
  }
  return i;
}

static fn_status load_entry(fn_receipt *receipt_out, bool *found_out, const char *folder,
                            size_t (*find_entry)(const json_t *downloads, const char *what), const char *what,
                            fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(folder, FN_RECEIPT_NAME);
  if (!path) return fn_err_no_memory(err, folder);
  FN_AUTO_JSON json_t *all = NULL;
  FN_TRY(load_all(&all, path, err));
  const json_t *downloads = json_object_get(all, "downloads");
  const json_t *entry = json_array_get(downloads, find_entry(downloads, what));
  fn_receipt receipt = {0};
  fn_status status = entry ? read_receipt(&receipt, entry, path, err) : FN_OK;
  if (status != FN_OK) {
    fn_receipt_deinit(&receipt);
    return status;
  }
  *receipt_out = receipt;
  *found_out = entry != NULL;
  return FN_OK;
}

fn_status fn_receipt_load(fn_receipt *receipt_out, bool *found_out, const char *folder, const char *url, fn_err *err) {
  return load_entry(receipt_out, found_out, folder, find, url, err);
}

fn_status fn_receipt_find(fn_receipt *receipt_out, bool *found_out, const char *folder, const char *name, fn_err *err) {
  return load_entry(receipt_out, found_out, folder, find_file, name, err);
}

static void write_receipt(fn_json_writer *w, const fn_receipt *r) {
  char time[21];
  fn_clock_format(time, r->fetched_ms);
  fn_json_object(w, NULL);
  fn_json_text(w, "url", r->url);
  fn_json_text(w, "fetched", time);
  fn_json_int(w, "fetched_unix_ms", r->fetched_ms);
  fn_json_int(w, "size_bytes", (int64_t)r->size_bytes);
  fn_json_text(w, "md5", r->digests.md5);
  fn_json_text(w, "sha256", r->digests.sha256);
  fn_json_array(w, "files");
  for (size_t i = 0; i < r->n_files; i++) {
    fn_json_object(w, NULL);
    fn_json_text(w, "name", r->files[i].name);
    fn_json_int(w, "size_bytes", (int64_t)r->files[i].size_bytes);
    fn_json_text(w, "sha256", r->files[i].sha256);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}

static fn_status write_all(fn_buf *text, const json_t *downloads, const fn_receipt *receipt, const char *path,
                           fn_err *err) {
  fn_json_writer w;
  fn_json_begin(&w, text, 2);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "format", FORMAT);
  fn_json_array(&w, "downloads");
  size_t mine = find(downloads, receipt->url);
  for (size_t i = 0; i < json_array_size(downloads); i++) {
    if (i == mine) continue;
    fn_receipt other = {0};
    fn_status status = read_receipt(&other, json_array_get(downloads, i), path, err);
    if (status == FN_OK) write_receipt(&w, &other);
    fn_receipt_deinit(&other);
    FN_TRY(status);
  }
  write_receipt(&w, receipt);
  fn_json_end(&w);
  fn_json_end(&w);
  return fn_buf_check(text, path, err);
}

fn_status fn_receipt_save(const char *folder, const fn_receipt *receipt, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(folder, FN_RECEIPT_NAME);
  if (!path) return fn_err_no_memory(err, folder);
  FN_AUTO_JSON json_t *all = NULL;
  FN_TRY(load_all(&all, path, err));
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_BYTES);
  FN_TRY(write_all(&text, json_object_get(all, "downloads"), receipt, path, err));
  return fn_file_write(path, text.data, text.length, err);
}

fn_status fn_receipt_holds(bool *holds_out, const char *folder, const fn_receipt *receipt, fn_digest_progress progress,
                           void *arg, fn_err *err) {
  bool holds = receipt->n_files > 0;
  for (size_t i = 0; i < receipt->n_files && holds; i++) {
    const fn_receipt_file *file = &receipt->files[i];
    FN_AUTO_FREE char *path = fn_path_join(folder, file->name);
    if (!path) return fn_err_no_memory(err, file->name);
    struct stat st;
    holds = stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == file->size_bytes;
    if (!holds) break;
    fn_digests digests;
    FN_TRY(fn_digest_file(&digests, path, progress, arg, err));
    holds = fn_digest_equal(digests.sha256, file->sha256);
  }
  *holds_out = holds;
  return FN_OK;
}
