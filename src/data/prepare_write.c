/* The folder of a prepared dataset: written beside its place, put there by rename. */
#include "data/prepare_internal.h"
#include "data/prepare_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *without_slashes(const char *path) {
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  return fn_str_dup(fn_str_make(path, n));
}

static char *beside(const char *path, const char *what) {
  fn_buf name = {0};
  fn_buf_printf(&name, "%s.%s-%ld", path, what, (long)getpid());
  if (name.failed) fn_buf_deinit(&name);
  return name.data;
}

static fn_status is_prepared(bool *yes_out, const char *dir, fn_err *err) {
  FN_AUTO_FREE char *json = fn_path_join(dir, "prepare.json");
  if (!json) return fn_err_no_memory(err, dir);
  *yes_out = fn_path_exists(json);
  return FN_OK;
}

fn_status fn_prepare_check_out(const fn_prepare_request *request, fn_err *err) {
  const char *out = request->out;
  struct stat st;
  if (out[0] == 0) return fn_err_set(err, FN_E_INVALID, "--out needs the name of a folder");
  if (lstat(out, &st) != 0) return errno == ENOENT || errno == ENOTDIR ? FN_OK : fn_err_errno(err, errno, "%s", out);
  if (!fn_path_is_dir(out))
    return fn_err_set(err, FN_E_INVALID, "%s: there is a file of that name; a new folder is accepted", out);
  char **names;
  size_t n;
  FN_TRY(fn_dir_list(&names, &n, out, err));
  free(names);
  if (n == 0) return FN_OK;
  bool prepared = false;
  FN_TRY(is_prepared(&prepared, out, err));
  if (!prepared)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: the folder is not empty and no prepared dataset; a new folder is accepted", out);
  if (!request->replace)
    return fn_err_set(err, FN_E_INVALID, "%s: there is a prepared dataset already; --replace overwrites it", out);
  return FN_OK;
}

static fn_status write_json(const fn_prepared *p, const char *dir, fn_err *err) {
  FN_AUTO_BUF fn_buf json;
  fn_buf_init(&json, (size_t)64 << 20);
  fn_prepare_format_json(&json, p->request->version, p->options, &p->report);
  FN_TRY(fn_buf_check(&json, "prepare.json", err));
  FN_AUTO_FREE char *path = fn_path_join(dir, "prepare.json");
  if (!path) return fn_err_no_memory(err, "a path");
  return fn_file_write(path, json.data, json.length, err);
}

/* What stands at `out` is looked at again: another process may have put its own there since. */
static fn_status publish(const fn_prepare_request *request, const char *temporary, const char *out, fn_err *err) {
  FN_TRY(fn_prepare_check_out(request, err));
  bool prepared = false;
  FN_TRY(is_prepared(&prepared, out, err));
  if (!prepared) return fn_path_rename(temporary, out, err); /* nothing there, or an empty folder */
  FN_AUTO_FREE char *old = beside(out, "old");
  if (!old) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_path_rename(out, old, err));
  fn_status status = fn_path_rename(temporary, out, err);
  if (status != FN_OK) {
    fn_err unused = {0};
    fn_status back = fn_path_rename(old, out, &unused);
    (void)back; /* the first error is the one to tell */
    return status;
  }
  return fn_dir_remove(old, err);
}

static char *parent_of(const char *out) {
  const char *base = fn_path_base(out);
  return base == out ? fn_str_dup(fn_str_from(".")) : fn_str_dup(fn_str_make(out, (size_t)(base - out)));
}

/* Where the folder goes: a link to one is followed, so that it leads to the new dataset afterwards. */
static fn_status target_of(char **target_out, const char *out, fn_err *err) {
  FN_AUTO_FREE char *path = without_slashes(out);
  if (!path) return fn_err_no_memory(err, "a path");
  struct stat st;
  if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) return fn_path_real(target_out, path, err);
  *target_out = FN_STEAL(path);
  return FN_OK;
}

fn_status fn_prepare_write(fn_prepared *p, fn_err *err) {
  FN_AUTO_FREE char *out = NULL;
  FN_TRY(target_of(&out, p->request->out, err));
  FN_AUTO_FREE char *temporary = beside(out, "partial");
  FN_AUTO_FREE char *parent = parent_of(out);
  if (!temporary || !parent) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(temporary, err));
  fn_prepare_progress(p, "writing", 0);
  fn_status status = fn_prepare_write_rows(p, temporary, err);
  if (status == FN_OK) status = write_json(p, temporary, err);
  if (status == FN_OK) status = fn_prepare_check_stop(p, err);
  if (status == FN_OK) status = fn_dir_sync(temporary, err);
  if (status == FN_OK) status = publish(p->request, temporary, out, err);
  if (status != FN_OK) {
    fn_err unused = {0};
    fn_status removed = fn_dir_remove(temporary, &unused);
    (void)removed; /* the first error is the one to tell */
    return status;
  }
  return fn_dir_sync(parent, err);
}
