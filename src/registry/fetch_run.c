/* runs:/RUN/PATH: a file or folder of a run. */
#include "registry/model_copy.h"
#include "registry/model_fetch.h"

#include <stdlib.h>

static fn_status keep_folder(void *arg, const fn_run_view *run, fn_err *err) {
  char **folder = arg;
  free(*folder);
  *folder = fn_str_dup(fn_str_from(run->info.folder ? run->info.folder : ""));
  return *folder ? FN_OK : fn_err_no_memory(err, "a path");
}

static fn_status add_artifact(void *arg, const fn_artifact *a, fn_err *err) {
  (void)err;
  fn_buf_printf(arg, "%s %s\n", a->sha256, a->path);
  return FN_OK;
}

static fn_status get_run(char **path, fn_tracking *tracking, const fn_model_uri *u, const fn_model_source *s,
                         fn_err *err) {
  char id[FN_RUN_ID_LENGTH], owner[64], key[17];
  FN_AUTO_BUF fn_buf list;
  fn_buf_init(&list, 0);
  FN_TRY(fn_model_fetch_check_cache(s, u->text, err));
  FN_TRY(fn_tracking_find(id, tracking, u->name, err));
  snprintf(owner, sizeof owner, "run:%s", id);
  FN_TRY(fn_tracking_list(tracking, owner, u->path, add_artifact, &list, err));
  FN_TRY(fn_buf_check(&list, "artifacts", err));
  if (list.length == 0) { /* its folder may still be there */
    FN_AUTO_FREE char *folder = NULL;
    FN_TRY(fn_tracking_get_run(tracking, id, keep_folder, &folder, err));
    FN_AUTO_FREE char *local = folder && *folder ? fn_path_join(folder, u->path) : NULL;
    if (local && fn_path_exists(local)) return *path = FN_STEAL(local), FN_OK;
    if (folder && fn_path_is_dir(folder))
      return fn_err_set(err, FN_E_NOT_FOUND, "run %s has no artifact %.200s, and nor has its folder %.400s", id,
                        u->path, folder);
    return fn_err_set(
        err, FN_E_NOT_FOUND,
        "run %s has no artifact %.200s, and its folder is not here; track.log_model=true stores the model", id,
        u->path);
  }
  fn_model_fetch_digits(key, list.data);
  FN_AUTO_FREE char *folder = NULL, *copy = NULL;
  FN_TRY(fn_model_fetch_join(&folder, s->cache, "runs", id, err));
  FN_TRY(fn_model_fetch_join(&copy, folder, key, u->path, err));
  bool whole;
  FN_TRY(fn_copy_check(&whole, copy, err));
  fn_model_fetch_artifacts wanted = {.tracking = tracking, .owner = owner, .part = u->path};
  if (!whole) FN_TRY(fn_copy_make(copy, fn_model_fetch_get_artifacts, &wanted, err));
  fn_copy_tidy(folder);
  *path = FN_STEAL(copy);
  return FN_OK;
}

fn_status fn_model_fetch_run(fn_model_place *place, const fn_model_uri *u, const fn_model_source *s, fn_err *err) {
  fn_tracking *tracking = NULL;
  fn_status status = fn_model_fetch_open_tracking(&tracking, s, err);
  if (status == FN_OK) status = get_run(&place->path, tracking, u, s, err);
  fn_tracking_close(tracking);
  return status;
}
