#include "cli/runs_sync_rows.h"

#include "cli/runs_sync_place.h"
#include "sql/sql.h"
#include "track/event_writer.h"

bool fn_cli_rows_wait(const char *folder) {
  return fn_journal_waits(folder, FN_LOCAL_JOURNAL);
}

static fn_status write_rows(fn_cli_rows_sync *s, fn_journal *journal, fn_tracking *tracking, fn_err *err) {
  const fn_journal_head *head = fn_journal_head_of(journal);
  fn_run_info run = {.experiment_name = head->experiment,
                     .name = head->name,
                     .user = head->user,
                     .folder = s->folder,
                     .start_ms = head->start_ms};
  memcpy(run.id, head->id, sizeof run.id);
  snprintf(run.parent, sizeof run.parent, "%s", head->parent);
  FN_TRY(fn_tracking_run_begin(tracking, &run, err));
  return fn_event_replay(&s->n_written, tracking, &run, journal, err);
}

static fn_status sync_journal(fn_cli_rows_sync *s, fn_journal *journal, const fn_tracking_options *place, fn_err *err) {
  fn_tracking *tracking = NULL;
  fn_sql_describe(s->place, sizeof s->place, place->url);
  fn_status status = fn_tracking_open(&tracking, place, err);
  if (status == FN_OK) status = write_rows(s, journal, tracking, err);
  fn_tracking_close(tracking);
  s->n_waiting = fn_journal_n_waiting(journal);
  if (status == FN_OK && s->n_waiting == 0) fn_journal_remove(journal);
  return status;
}

fn_status fn_cli_sync_rows(fn_cli_rows_sync *s, fn_err *err) {
  const fn_journal_options where = {.folder = s->folder, .name = FN_LOCAL_JOURNAL, .max_bytes = UINT64_MAX};
  fn_journal *journal = NULL;
  fn_cli_sync_place place;
  FN_TRY(fn_journal_open(&journal, &where, err));
  s->n_waiting = fn_journal_n_waiting(journal);
  const char *meant = fn_journal_head_of(journal)->uri;
  fn_status status = fn_cli_sync_place_find(&place, s->cli, s->stores, s->options, s->folder, meant, err);
  if (status == FN_OK) status = sync_journal(s, journal, &place.options, err);
  fn_cli_sync_place_deinit(&place);
  fn_journal_close(journal);
  return status;
}

void fn_cli_sync_rows_show(fn_buf *out, const fn_cli_rows_sync *s, bool json, const char *failure) {
  if (!json) {
    fn_buf_printf(out, "%s: %llu events written to %s, %llu wait\n", s->folder, (unsigned long long)s->n_written,
                  s->place, (unsigned long long)s->n_waiting);
    return;
  }
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "run", s->folder);
  fn_json_text(&w, "store", s->place);
  fn_json_int(&w, "written", (int64_t)s->n_written);
  fn_json_int(&w, "waiting", (int64_t)s->n_waiting);
  if (failure) fn_json_text(&w, "error", failure);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}
