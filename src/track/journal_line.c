#include "track/journal_line.h"

#include <limits.h>
#include <math.h>

/* A text is cut where the receiver would cut it, and so that a line keeps its bound. */
static void add_text(fn_buf *out, const char *text, size_t max) {
  fn_buf_append_char(out, ',');
  fn_buf_append_json(out, fn_utf8_head(text ? text : "", max));
}

static const char *relative(const char *file, const char *folder) {
  const size_t n = strlen(folder);
  return strncmp(file, folder, n) == 0 && file[n] == '/' && file[n + 1] ? file + n + 1 : file;
}

void fn_journal_write_line(fn_buf *out, const fn_track_event *e, const char *folder) {
  static const char letters[] = {
      [FN_TRACK_PARAM] = 'p', [FN_TRACK_TAG] = 't',    [FN_TRACK_METRIC] = 'm', [FN_TRACK_ARTIFACT] = 'a',
      [FN_TRACK_MODEL] = 'l', [FN_TRACK_STATUS] = 's', [FN_TRACK_RESUME] = 'r'};
  fn_buf_printf(out, "[\"%c\"", letters[e->kind]);
  switch (e->kind) {
  case FN_TRACK_METRIC:
    add_text(out, e->key, FN_TRACK_MAX_KEY);
    fn_buf_append_char(out, ',');
    if (isnan(e->number))
      fn_buf_append_str(out, "\"NaN\"");
    else if (isinf(e->number))
      fn_buf_append_str(out, e->number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
      fn_buf_append_double(out, e->number);
    fn_buf_printf(out, ",%lld,%lld", (long long)e->step, (long long)e->time_ms);
    break;
  case FN_TRACK_PARAM:
  case FN_TRACK_TAG:
    add_text(out, e->key, FN_TRACK_MAX_KEY);
    add_text(out, e->value, e->kind == FN_TRACK_TAG ? FN_TRACK_MAX_TAG : FN_TRACK_MAX_PARAM);
    break;
  case FN_TRACK_ARTIFACT:
  case FN_TRACK_MODEL:
    add_text(out, e->key, PATH_MAX);
    add_text(out, relative(e->value, folder), PATH_MAX);
    break;
  case FN_TRACK_STATUS:
    add_text(out, fn_run_status_names[e->status], 32);
    fn_buf_printf(out, ",%lld", (long long)e->time_ms);
    break;
  case FN_TRACK_RESUME: fn_buf_printf(out, ",%lld,%lld", (long long)e->step, (long long)e->time_ms); break;
  }
  fn_buf_append_str(out, "]\n");
}

/* ---- reading ---- */

static bool get_number(double *out, const json_t *value) {
  if (json_is_number(value)) {
    *out = json_number_value(value);
    return true;
  }
  const char *text = json_string_value(value);
  if (!text) return false;
  const bool known = strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0;
  *out = text[0] == 'N' ? (double)NAN : text[0] == 'I' ? HUGE_VAL : -HUGE_VAL;
  return known;
}

static bool get_status(fn_run_status *out, const char *text) {
  for (int i = 0; text && i < FN_N_RUN_STATUSES; i++)
    if (strcmp(text, fn_run_status_names[i]) == 0) {
      *out = (fn_run_status)i;
      return true;
    }
  return false;
}

static bool read_resume(fn_track_event *e, const json_t *line) {
  const json_t *step = json_array_get(line, 1), *time = json_array_get(line, 2);
  e->kind = FN_TRACK_RESUME;
  e->step = json_integer_value(step);
  e->time_ms = json_integer_value(time);
  return json_array_size(line) == 3 && json_is_integer(step) && json_is_integer(time) && e->step >= 0;
}

static bool read_event(fn_track_event *e, const json_t *line) {
  const char *kind = json_string_value(json_array_get(line, 0)), *first = json_string_value(json_array_get(line, 1)),
             *second = json_string_value(json_array_get(line, 2));
  const size_t n = json_array_size(line);
  if (kind && strcmp(kind, "r") == 0) return read_resume(e, line);
  if (!kind || !first || !kind[0] || kind[1]) return false;
  e->key = first;
  e->value = second;
  switch (kind[0]) {
  case 'm':
    e->kind = FN_TRACK_METRIC;
    e->step = json_integer_value(json_array_get(line, 3));
    e->time_ms = json_integer_value(json_array_get(line, 4));
    return n == 5 && *first && get_number(&e->number, json_array_get(line, 2)) &&
           json_is_integer(json_array_get(line, 3)) && json_is_integer(json_array_get(line, 4));
  case 'p': e->kind = FN_TRACK_PARAM; return n == 3 && second && *first;
  case 't': e->kind = FN_TRACK_TAG; return n == 3 && second && *first;
  case 'a':
  case 'l': e->kind = kind[0] == 'a' ? FN_TRACK_ARTIFACT : FN_TRACK_MODEL; return n == 3 && second && *first && *second;
  case 's':
    e->kind = FN_TRACK_STATUS;
    e->time_ms = json_integer_value(json_array_get(line, 2));
    return n == 3 && json_is_integer(json_array_get(line, 2)) && get_status(&e->status, first);
  default: return false;
  }
}

fn_status fn_journal_parse(fn_track_event *event_out, json_t **json_out, fn_str line, fn_err *err) {
  FN_AUTO_JSON json_t *json = NULL;
  fn_json_error where;
  fn_track_event event = {0};
  fn_status status = fn_json_read(&json, line, FN_JSON_REFUSE_NUL, &where);
  if (status == FN_E_NO_MEMORY) return fn_err_no_memory(err, "an event");
  if (status != FN_OK || !json_is_array(json) || !read_event(&event, json))
    return fn_err_set(err, FN_E_INVALID, "a line of the journal is no event");
  *event_out = event;
  *json_out = FN_STEAL(json);
  return FN_OK;
}
