#include "cli/runs_sync_files.h"

#include "cli/runs_sync_place.h"

static fn_status take_status(void *arg, const fn_run_view *run, fn_err *err) {
  (void)err;
  *(fn_run_status *)arg = run->info.status;
  return FN_OK;
}

/* Its training, while it goes on, keeps the list. */
static fn_status check_run(fn_tracking *tracking, const fn_file_listing *l, const fn_cli_files_sync *s, fn_err *err) {
  fn_run_status status = FN_RUN_FINISHED;
  const fn_status found = fn_tracking_get_run(tracking, l->run, take_status, &status, err);
  if (found == FN_E_NOT_FOUND)
    return fn_err_set(err, found, "run %.8s is not in this database: name the one of its training with track.url",
                      l->run);
  FN_TRY(found);
  if (status != FN_RUN_RUNNING) return FN_OK;
  return fn_err_set(err, FN_E_REFUSED, "%s: the training goes on and stores its files itself", s->folder);
}

/* What was changed since the training told of it is not the run's any more. */
static void leave_out(fn_cli_files_sync *s, const char *path, const char *why) {
  if (s->n_left_out++ == 0) snprintf(s->left_out, sizeof s->left_out, "%.900s %s", path, why);
}

/* Files that are stored leave the list; what failed first is told. */
static fn_status store_all(fn_cli_files_sync *s, fn_tracking *tracking, fn_file_listing *l, fn_err *err) {
  char owner[64];
  fn_status first = FN_OK;
  size_t n_left = 0;
  snprintf(owner, sizeof owner, "run:%s", l->run);
  for (size_t i = 0; i < l->n; i++) {
    fn_err why = {0};
    const bool stopped = fn_cli_stop_requested() || first == FN_E_IO;
    if (!stopped && fn_listed_file_is_changed(&l->list[i])) {
      leave_out(s, l->list[i].path, "was changed since the training told of it");
      continue;
    }
    const fn_status status =
        stopped ? FN_E_CANCELLED : fn_tracking_put(tracking, owner, l->list[i].key, l->list[i].path, &why);
    if (status == FN_OK)
      s->n_stored++;
    else
      l->list[n_left++] = l->list[i];
    if (status != FN_OK && first == FN_OK)
      first = stopped ? fn_err_set(err, FN_E_CANCELLED, "stopped") : fn_err_set(err, status, "%s", why.message);
  }
  s->n_waiting = n_left;
  if (l->n_gone) leave_out(s, l->gone, "is not there any more");
  if (l->n_gone) s->n_left_out += l->n_gone - 1;
  fn_err why = {0};
  const fn_status saved = fn_file_listing_save(s->folder, l->run, l->artifacts, l->list, n_left, &why);
  return first == FN_OK && saved != FN_OK ? fn_err_set(err, saved, "%s", why.message) : first;
}

static fn_status sync_listed(fn_cli_files_sync *s, fn_file_listing *l, const fn_tracking_options *place, fn_err *err) {
  fn_tracking *tracking = NULL;
  snprintf(s->artifacts, sizeof s->artifacts, "%.4095s", place->artifacts);
  if (l->artifacts && !fn_cli_same_place(l->artifacts, place->artifacts))
    return fn_err_set(err, FN_E_INVALID,
                      "its files belong into %.300s, and track.artifacts is %.300s: give "
                      "track.artifacts=%.300s",
                      l->artifacts, place->artifacts, l->artifacts);
  FN_TRY(fn_tracking_open(&tracking, place, err));
  fn_status status = check_run(tracking, l, s, err);
  if (status == FN_OK) status = store_all(s, tracking, l, err);
  fn_tracking_close(tracking);
  return status;
}

fn_status fn_cli_sync_files(fn_cli_files_sync *s, fn_err *err) {
  fn_file_listing l;
  fn_cli_sync_place place;
  FN_TRY(fn_file_listing_load(&l, s->folder, err));
  s->n_waiting = l.n;
  fn_status status = fn_cli_sync_place_find(&place, s->cli, s->stores, s->options, s->folder, NULL, err);
  if (status == FN_OK) status = sync_listed(s, &l, &place.options, err);
  fn_cli_sync_place_deinit(&place);
  fn_file_listing_deinit(&l);
  return status;
}

void fn_cli_sync_files_show(fn_buf *out, const fn_cli_files_sync *s, bool json, const char *failure) {
  if (!json) {
    fn_buf_printf(out, "%s: %zu files stored in %s, %zu wait", s->folder, s->n_stored, s->artifacts, s->n_waiting);
    if (s->n_left_out) fn_buf_printf(out, ", %zu left out: %s", s->n_left_out, s->left_out);
    fn_buf_append_char(out, '\n');
    return;
  }
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "run", s->folder);
  fn_json_text(&w, "artifacts", s->artifacts);
  fn_json_int(&w, "stored", (int64_t)s->n_stored);
  fn_json_int(&w, "waiting", (int64_t)s->n_waiting);
  if (s->n_left_out) fn_json_int(&w, "left_out", (int64_t)s->n_left_out);
  if (s->n_left_out) fn_json_text(&w, "reason", s->left_out);
  if (failure) fn_json_text(&w, "error", failure);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}
