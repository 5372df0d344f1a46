/* RUN/track/wandb.row: the row of history that is open, for whoever goes on when this process is killed: it stands in
 * no file of W&B's before a later step begins. */
#include "wandb/internal.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_ROW = 64 << 20 };

static char *path_of(const fn_wandb_sink *s, const char *end) {
  FN_AUTO_BUF fn_buf path;
  fn_buf_init(&path, 64 * 1024);
  fn_buf_printf(&path, "%s/track/wandb.row%s", s->run_folder, end);
  return path.failed ? NULL : fn_str_dup(fn_buf_str(&path));
}

static bool write_row(fn_buf *out, const fn_wandb_sink *s) {
  fn_json_writer w;
  fn_arena texts;
  fn_arena_init(&texts);
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "run", s->run_id);
  fn_json_int(&w, "step", s->row_step);
  fn_json_int(&w, "time_ms", s->row_ms);
  fn_json_object(&w, "values");
  for (size_t i = 0; i < s->n_row; i++) {
    const fn_wandb_entry *e = &s->metrics.entries[s->row[i]];
    fn_json_text(&w, e->key, fn_wandb_number(&texts, e->value));
  }
  fn_json_end(&w);
  fn_json_end(&w);
  fn_arena_deinit(&texts);
  return !out->failed;
}

/* Not made to survive power loss, which W&B's file is not either. What fails costs a row after a crash. */
void fn_wandb_keep_row(const fn_wandb_sink *s) {
  if (!s->run_folder || s->n_row == 0) return;
  FN_AUTO_FREE char *path = path_of(s, ""), *temporary = path_of(s, ".tmp");
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_ROW);
  if (!path || !temporary || !write_row(&text, s)) return;
  FILE *file = fopen(temporary, "we");
  if (!file) return;
  const bool whole = fwrite(text.data, 1, text.length, file) == text.length;
  if (fclose(file) != 0 || !whole || rename(temporary, path) != 0) (void)unlink(temporary);
}

void fn_wandb_drop_row(const fn_wandb_sink *s) {
  FN_AUTO_FREE char *path = s->run_folder ? path_of(s, "") : NULL;
  if (path) (void)unlink(path);
}

static fn_status take_value(fn_wandb_sink *s, const char *key, const json_t *value, fn_err *err) {
  const char *text = json_string_value(value);
  double number = (double)NAN;
  if (!text || (strcmp(text, "NaN") != 0 && strcmp(text, "Infinity") != 0 && strcmp(text, "-Infinity") != 0 &&
                !fn_str_to_double(&number, fn_str_from(text))))
    return FN_OK;
  if (strstr(text, "Infinity")) number = *text == '-' ? -(double)INFINITY : (double)INFINITY;
  return fn_wandb_row_add(s, key, number, err);
}

fn_status fn_wandb_take_up_row(fn_wandb_sink *s, int64_t resume_step, fn_err *err) {
  FN_AUTO_FREE char *path = s->run_folder ? path_of(s, "") : NULL;
  FN_AUTO_JSON json_t *row = NULL;
  const char *key, *run = "";
  json_t *value;
  int64_t step = 0, time_ms = 0;
  if (!path || !fn_path_exists(path) || fn_json_load(&row, path, MAX_ROW, NULL) != FN_OK ||
      fn_json_get_string(&run, row, "run", "", path, NULL) != FN_OK || strcmp(run, s->run_id) != 0 ||
      fn_json_get_int(&step, row, "step", 0, INT64_MAX, NULL, path, NULL) != FN_OK || step > resume_step ||
      fn_json_get_int(&time_ms, row, "time_ms", 0, INT64_MAX, NULL, path, NULL) != FN_OK)
    return FN_OK;
  s->row_step = step;
  s->row_ms = time_ms;
  if (time_ms > s->last_ms) s->last_ms = time_ms;
  json_object_foreach(json_object_get(row, "values"), key, value) FN_TRY(take_value(s, key, value, err));
  return FN_OK;
}
