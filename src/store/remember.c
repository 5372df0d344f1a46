#include "store/remember.h"

#include "base/lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_STATE = 1 << 16 };

/* STATE/<digest of address and key>.json; NULL without a folder. */
static char *path_of(const fn_store *store, const fn_upload *u) {
  if (!store->options.state) return NULL;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_STATE);
  fn_buf_printf(&text, "%s\n%s", u->uri, u->key);
  unsigned char digest[FN_SHA256_BYTES];
  char name[2 * 16 + 6];
  fn_sha256_bytes(digest, fn_buf_str(&text));
  fn_hex_format(name, digest, 16);
  memcpy(name + 32, ".json", 6);
  return text.failed ? NULL : fn_path_join(store->options.state, name);
}

void fn_upload_claim(fn_upload *u, const fn_store *store) {
  FN_AUTO_FREE char *path = path_of(store, u);
  u->fd = -1;
  if (!path || fn_dir_create(store->options.state, NULL) != FN_OK) return;
  /* Made private before anything stands in it. Without it nothing is remembered. */
  if (fn_lock_open(&u->fd, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, NULL) != FN_OK) u->fd = -1;
}

void fn_upload_release(fn_upload *u, const fn_store *store) {
  struct stat st;
  if (u->fd < 0) return;
  if (fstat(u->fd, &st) == 0 && st.st_size == 0) fn_upload_forget(store, u); /* nothing was kept */
  close(u->fd);
  u->fd = -1;
}

bool fn_upload_is_kept(const fn_store *store, const char *key) {
  const fn_upload u = {.uri = store->uri, .key = key};
  FN_AUTO_FREE char *path = path_of(store, &u);
  return path && fn_path_exists(path);
}

char *fn_upload_recall(char **other_out, const fn_store *store, const fn_upload *u) {
  *other_out = NULL;
  FN_AUTO_FREE char *path = path_of(store, u);
  FN_AUTO_JSON json_t *state = NULL;
  const char *uri, *key, *sha256, *id;
  int64_t length, part;
  if (u->fd < 0 || !path || !fn_path_exists(path) || fn_json_load(&state, path, MAX_STATE, NULL) != FN_OK) return NULL;
  if (fn_json_get_string(&uri, state, "uri", NULL, "", NULL) != FN_OK ||
      fn_json_get_string(&key, state, "key", NULL, "", NULL) != FN_OK ||
      fn_json_get_string(&sha256, state, "sha256", NULL, "", NULL) != FN_OK ||
      fn_json_get_string(&id, state, "id", NULL, "", NULL) != FN_OK ||
      fn_json_get_int(&length, state, "size_bytes", 0, INT64_MAX, NULL, "", NULL) != FN_OK ||
      fn_json_get_int(&part, state, "part_bytes", 0, INT64_MAX, NULL, "", NULL) != FN_OK)
    return NULL;
  if (strcmp(uri, u->uri) != 0 || strcmp(key, u->key) != 0) return NULL;
  const bool same =
      u->sha256 && strcmp(sha256, u->sha256) == 0 && (uint64_t)length == u->length && (uint64_t)part == u->part_bytes;
  char *copy = fn_str_dup(fn_str_from(id));
  if (same) return copy;
  *other_out = copy;
  return NULL;
}

void fn_upload_keep(const fn_upload *u, const char *id) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_STATE);
  fn_json_writer w;
  if (u->fd < 0) return;
  fn_json_begin(&w, &text, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "uri", u->uri);
  fn_json_text(&w, "key", u->key);
  fn_json_text(&w, "sha256", u->sha256);
  fn_json_int(&w, "size_bytes", (int64_t)u->length);
  fn_json_int(&w, "part_bytes", (int64_t)u->part_bytes);
  fn_json_text(&w, "id", id);
  fn_json_end(&w);
  if (text.failed) return;
  /* A cut file is no JSON, and recalls nothing. */
  const bool written = ftruncate(u->fd, 0) == 0 && pwrite(u->fd, text.data, text.length, 0) == (ssize_t)text.length;
  if (!written && ftruncate(u->fd, 0) != 0) return;
}

void fn_upload_forget(const fn_store *store, const fn_upload *u) {
  FN_AUTO_FREE char *path = path_of(store, u);
  if (u->fd >= 0 && path) unlink(path);
}
