#include "infer/default_model.h"

#include "base/file.h"

#include <limits.h>

#define INSTALLED "share/fakenews/" FN_DEFAULT_MODEL_FILE

/* path without its last part; empty where nothing is left. */
static fn_str parent(fn_str path) {
  while (path.length > 0 && path.data[path.length - 1] != '/') path.length--;
  while (path.length > 0 && path.data[path.length - 1] == '/') path.length--;
  return path;
}

typedef struct search {
  fn_buf looked; /* all places so far, for the error */
  char *found;
  bool failed; /* memory is short */
} search;

/* True ends the search. */
static bool look(search *s, fn_str folder, const char *tail) {
  if (folder.length + strlen(tail) + 2 > PATH_MAX) return false;
  FN_AUTO_BUF fn_buf path;
  fn_buf_init(&path, 0);
  fn_buf_append(&path, folder.data, folder.length);
  fn_buf_printf(&path, "/%s", tail);
  if (!path.failed) fn_buf_printf(&s->looked, "%s%s", s->looked.length > 0 ? ", " : "", path.data);
  s->failed = path.failed || s->looked.failed;
  if (!s->failed && fn_path_exists(path.data)) s->found = FN_STEAL(path.data);
  return s->failed || s->found != NULL;
}

static bool look_everywhere(search *s, const char *base) {
  fn_str folder = parent(fn_str_from(base));
  if (folder.length > 0) {
    fn_str above = parent(folder), top = parent(above);
    if (look(s, above, INSTALLED) || look(s, top, INSTALLED)) return true;
    if (look(s, folder, INSTALLED)) return true; /* as a package of AWS Lambda is laid out */
    bool in_build_tree = fn_str_is(fn_str_make(above.data + top.length, above.length - top.length), "/build");
    if (in_build_tree && look(s, top, "models/default/" FN_DEFAULT_MODEL_FILE)) return true;
  }
  return look(s, fn_str_from(FN_DATA_FOLDER), "fakenews/" FN_DEFAULT_MODEL_FILE);
}

fn_status fn_default_model_find(char **path_out, const char *base, fn_err *err) {
  search s = {0};
  fn_buf_init(&s.looked, 0);
  bool found = look_everywhere(&s, base) && !s.failed;
  if (found)
    *path_out = s.found;
  else if (s.failed)
    fn_err_no_memory(err, "places of the bundled model");
  else
    fn_err_set(err, FN_E_NOT_FOUND, "the bundled model is not installed (looked for %s); name a model", s.looked.data);
  fn_buf_deinit(&s.looked);
  return found ? FN_OK : s.failed ? FN_E_NO_MEMORY : FN_E_NOT_FOUND;
}
