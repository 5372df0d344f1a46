#include "track/source_revision.h"

#include <stdlib.h>

enum { MAX_HEAD_BYTES = 4096, MAX_PACKED_BYTES = 64 << 20, MAX_LINKS = 5 };

/* First line of FOLDER/NAME, trimmed; false when there is none. */
static bool read_line(fn_buf *out, const char *folder, const char *name) {
  FN_AUTO_FREE char *path = fn_path_join(folder, name);
  fn_buf_reset(out);
  if (!path || fn_path_is_dir(path) || fn_file_read(out, path, MAX_HEAD_BYTES, NULL) != FN_OK || out->length == 0)
    return false;
  out->length = strcspn(out->data, "\r\n");
  out->data[out->length] = '\0';
  return true;
}

static bool is_commit(fn_str text) {
  if (text.length != 40 && text.length != 64) return false;
  for (size_t i = 0; i < text.length; i++)
    if (!strchr("0123456789abcdef", text.data[i]) || text.data[i] == '\0') return false;
  return true;
}

static bool take_commit(fn_source_revision *out, fn_str text) {
  if (!is_commit(text)) return false;
  memcpy(out->commit, text.data, text.length);
  out->commit[text.length] = '\0';
  return true;
}

/* Lines "COMMIT NAME" of packed-refs. */
static bool find_packed(fn_source_revision *out, const char *folder, const char *name) {
  FN_AUTO_FREE char *path = fn_path_join(folder, "packed-refs");
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_PACKED_BYTES);
  if (!path || fn_file_read(&text, path, MAX_PACKED_BYTES, NULL) != FN_OK || text.length == 0) return false;
  for (const char *line = text.data; *line;) {
    const size_t n = strcspn(line, "\r\n"), digits = strcspn(line, " \r\n");
    if (digits < n && fn_str_is(fn_str_make(line + digits + 1, n - digits - 1), name))
      return take_commit(out, fn_str_make(line, digits));
    line += n + strspn(line + n, "\r\n");
  }
  return false;
}

static bool is_plain_reference(const char *name) {
  return strncmp(name, "refs/", 5) == 0 && !strstr(name, "..") && strlen(name) < 400;
}

/* own: the worktree's folder; shared: of the repository. A reference may stand for another one. */
static void resolve(fn_source_revision *out, const char *own, const char *shared) {
  FN_AUTO_BUF fn_buf line;
  char name[400] = "";
  fn_buf_init(&line, MAX_HEAD_BYTES + 16);
  if (!read_line(&line, own, "HEAD")) return;
  for (int i = 0; i < MAX_LINKS; i++) {
    if (take_commit(out, fn_buf_str(&line)) || strncmp(line.data, "ref: ", 5) != 0) return;
    if (!is_plain_reference(line.data + 5)) return;
    snprintf(name, sizeof name, "%s", line.data + 5);
    if (strncmp(name, "refs/heads/", 11) == 0) snprintf(out->branch, sizeof out->branch, "%.200s", name + 11);
    if (read_line(&line, own, name) || read_line(&line, shared, name)) continue;
    (void)find_packed(out, shared, name);
    return;
  }
}

/* path: FOLDER/.git, a folder or a file "gitdir: …" of a worktree. */
static void look_at(fn_source_revision *out, const char *folder, const char *path) {
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, MAX_HEAD_BYTES + 16);
  if (fn_path_is_dir(path)) {
    resolve(out, path, path);
    return;
  }
  if (!read_line(&line, folder, ".git") || strncmp(line.data, "gitdir: ", 8) != 0) return;
  FN_AUTO_FREE char *own = fn_path_join(folder, line.data + 8);
  if (!own) return;
  FN_AUTO_FREE char *shared =
      read_line(&line, own, "commondir") ? fn_path_join(own, line.data) : fn_str_dup(fn_str_from(own));
  if (shared) resolve(out, own, shared);
}

void fn_source_revision_find(fn_source_revision *out, const char *folder) {
  char *real = NULL;
  *out = (fn_source_revision){.commit = ""};
  if (fn_path_real(&real, folder, NULL) != FN_OK) return;
  FN_AUTO_FREE char *at = real;
  for (;;) {
    FN_AUTO_FREE char *path = fn_path_join(at, ".git");
    if (!path) return;
    if (fn_path_exists(path)) {
      look_at(out, at, path);
      return;
    }
    char *slash = strrchr(at, '/');
    if (!slash || slash == at) return;
    *slash = '\0';
  }
}
