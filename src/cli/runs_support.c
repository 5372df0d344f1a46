#include "cli/runs_support.h"

#include <stdlib.h>

fn_status fn_cli_runs_open(fn_cli_runs *runs_out, const fn_cli *cli, fn_cli_open_mode mode, fn_err *err) {
  FN_TRY(fn_cli_stores_init(&runs_out->stores, cli, err));
  fn_cli_stores_show(&runs_out->stores, cli);
  return fn_cli_open_tracking(&runs_out->tracking, cli, &runs_out->stores, mode, err);
}

void fn_cli_runs_close(fn_cli_runs *runs) {
  fn_tracking_close(runs->tracking);
}

/* ---- tables ---- */

enum { GAP = 2, MAX_CELL = 200, MIN_CUT = 6 };

void fn_table_init(fn_table *t, fn_arena *arena) {
  *t = (fn_table){.arena = arena};
}

void fn_table_deinit(fn_table *t) {
  free(t->cells);
}

void fn_table_column(fn_table *t, const char *title, bool right) {
  if (t->n_columns == FN_TABLE_MAX_COLUMNS) return;
  t->titles[t->n_columns] = title;
  t->right[t->n_columns++] = right;
}

fn_status fn_table_cell(fn_table *t, const char *text, fn_err *err) {
  FN_AUTO_BUF fn_buf line;
  void *list = t->cells;
  fn_buf_init(&line, 0);
  fn_print_line(&line, fn_str_from(text), MAX_CELL);
  FN_TRY(fn_mem_grow(&list, &t->capacity, t->n_rows + 1, sizeof *t->cells, (size_t)1 << 28, "a table", err));
  t->cells = list;
  const char *copy = fn_arena_strndup(t->arena, line.data ? line.data : "", line.length);
  if (!copy) return fn_err_no_memory(err, "a table");
  t->cells[t->n_rows++] = copy; /* counts cells; rows are made of them below */
  return FN_OK;
}

static size_t width_of(const char *text) {
  return fn_utf8_columns(fn_str_from(text));
}

static void append_cell(fn_buf *out, const char *text, size_t width, bool right, bool last) {
  const size_t n = width_of(text), begin = out->length;
  if (n > width) {
    fn_print_line(out, fn_str_from(text), width - 1); /* a space may come on top */
    const size_t shown = width_of(out->data + begin);
    if (shown < width && !last) fn_buf_printf(out, "%*s", (int)(width - shown), "");
    if (!last) fn_buf_printf(out, "%*s", GAP, "");
    return;
  }
  if (right) fn_buf_printf(out, "%*s", (int)(width - n), "");
  fn_buf_append_str(out, text);
  if (!last) fn_buf_printf(out, "%*s", (int)((right ? 0 : width - n) + GAP), "");
}

static size_t total_of(const size_t *widths, size_t n) {
  size_t total = n ? GAP * (n - 1) : 0;
  for (size_t c = 0; c < n; c++) total += widths[c];
  return total;
}

/* Takes from one column what is too much. */
static void shrink(size_t *widths, size_t n, size_t width, size_t column) {
  const size_t total = total_of(widths, n), over = total > width ? total - width : 0;
  if (over == 0 || column >= n) return;
  widths[column] = widths[column] > over + MIN_CUT ? widths[column] - over : MIN_CUT;
}

void fn_table_format(fn_buf *out, const fn_table *t, size_t width, size_t keep, size_t cut, bool color) {
  size_t widths[FN_TABLE_MAX_COLUMNS], n = t->n_columns;
  const size_t n_rows = n ? t->n_rows / n : 0;
  for (size_t c = 0; c < n; c++) {
    widths[c] = width_of(t->titles[c]);
    for (size_t r = 0; r < n_rows; r++) {
      const size_t w = width_of(t->cells[r * t->n_columns + c]);
      if (w > widths[c]) widths[c] = w;
    }
  }
  while (n > keep && total_of(widths, n) > width) n--;
  shrink(widths, n, width, cut);
  shrink(widths, n, width, 0);
  if (color) fn_buf_append_str(out, "\033[2m");
  for (size_t c = 0; c < n; c++) append_cell(out, t->titles[c], widths[c], t->right[c], c + 1 == n);
  fn_buf_append_str(out, color ? "\033[0m\n" : "\n");
  for (size_t r = 0; r < n_rows; r++) {
    for (size_t c = 0; c < n; c++) append_cell(out, t->cells[r * t->n_columns + c], widths[c], t->right[c], c + 1 == n);
    fn_buf_append_char(out, '\n');
  }
}

/* ---- texts ---- */

const char *fn_runs_number(char out[32], double value) {
  snprintf(out, 32, "%.5g", value);
  return out;
}

const char *fn_runs_given_name(const char *name) {
  return strlen(name) > 21 && name[10] == 'T' && strncmp(name + 19, "Z-", 2) == 0 ? name + 21 : name;
}

const char *fn_runs_time(char out[32], int64_t ms) {
  char time[21];
  fn_clock_format(time, ms);
  snprintf(out, 32, "%.10s %.5s", time, time + 11);
  return ms ? out : "";
}

const char *fn_runs_took(char out[32], const fn_run_info *info) {
  const int64_t end = info->end_ms ? info->end_ms : fn_clock_unix_ms();
  return fn_cli_duration(out, end > info->start_ms ? (double)(end - info->start_ms) / 1000 : 0);
}

const fn_run_metric *fn_runs_metric(const fn_run_view *run, const char *key) {
  for (size_t i = 0; i < run->n_metrics; i++)
    if (strcmp(run->metrics[i].key, key) == 0) return &run->metrics[i];
  return NULL;
}

const char *fn_runs_pair(const fn_track_pair *pairs, size_t n, const char *key) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(pairs[i].key, key) == 0) return pairs[i].value;
  return NULL;
}

/* ---- JSON ---- */

static void append_pairs(fn_json_writer *w, const char *key, const fn_track_pair *pairs, size_t n) {
  fn_json_object(w, key);
  for (size_t i = 0; i < n; i++) fn_json_text(w, pairs[i].key, pairs[i].value);
  fn_json_end(w);
}

void fn_runs_json(fn_json_writer *w, const char *key, const fn_run_view *run) {
  const fn_run_info *info = &run->info;
  fn_json_object(w, key);
  fn_json_text(w, "run_id", info->id);
  fn_json_text(w, "name", info->name);
  fn_json_text(w, "experiment", info->experiment_name);
  fn_json_text(w, "status", fn_run_status_names[info->status]);
  fn_cli_json_time(w, "started", info->start_ms);
  fn_cli_json_time(w, "ended", info->end_ms);
  fn_json_int(w, "start_ms", info->start_ms);
  fn_json_int(w, "end_ms", info->end_ms);
  fn_json_text(w, "user", info->user);
  fn_json_text(w, "parent", info->parent[0] ? info->parent : NULL);
  fn_json_text(w, "folder", info->folder[0] ? info->folder : NULL);
  if (info->deleted) fn_json_bool(w, "deleted", true);
  append_pairs(w, "params", run->params, run->n_params);
  fn_json_object(w, "metrics");
  for (size_t i = 0; i < run->n_metrics; i++) fn_json_double(w, run->metrics[i].key, run->metrics[i].last);
  fn_json_end(w);
  append_pairs(w, "tags", run->tags, run->n_tags);
  fn_json_end(w);
}
