/* What an MLflow server answers, and a line of the journal: any bytes end with a verdict, and what is shown of a
 * stranger's words has no control characters. First byte: which of them. */
#include "fuzz.h"

#include "mlflow/internal.h"
#include "track/journal.h"
#include "track/journal_line.h"

static void check_shown(const char *text) {
  for (; *text; text++) FUZZ_CHECK((unsigned char)*text >= 0x20 && *text != 0x7F);
}

static void error_answer(int http, fn_str body) {
  fn_mlflow_failure failure;
  fn_err err = {0};
  fn_status status = fn_mlflow_judge(&failure, http, body, "runs/get", http % 2, &err);
  FUZZ_CHECK(status == FN_OK ? http == 200 : err.status == status);
  FUZZ_CHECK(failure.temporary == (status == FN_E_IO) && fn_utf8_valid(fn_str_from(err.message), NULL));
  check_shown(err.message);
  check_shown(failure.code);
}

static void answer(fn_str body) {
  FN_AUTO_JSON json_t *object = NULL;
  fn_err err = {0};
  if (fn_mlflow_parse(&object, body, "runs/get", &err) != FN_OK) {
    FUZZ_CHECK(err.status == FN_E_IO);
    return;
  }
  FUZZ_CHECK(json_is_object(object));
  fn_mlflow_run run;
  if (fn_mlflow_read_run(&run, json_incref(object), NULL) == FN_OK) {
    FUZZ_CHECK(strlen(run.id) <= 64 && run.name && run.status && run.artifact_uri && run.experiment_id);
    fn_mlflow_run_deinit(&run);
  }
  fn_mlflow_model_version version;
  if (fn_mlflow_read_version(&version, json_incref(object), NULL) == FN_OK) {
    FUZZ_CHECK(version.version >= 1 && *version.name && version.source && version.run_id);
    fn_mlflow_model_version_deinit(&version);
  }
  const json_t *files = NULL;
  if (fn_mlflow_read_files(&files, object, &err) == FN_OK) {
    for (size_t i = 0; i < json_array_size(files); i++) {
      const char *name = fn_mlflow_text(json_array_get(files, i), "path");
      FUZZ_CHECK(*name && !strchr(name, '/') && strcmp(name, "..") != 0 && strcmp(name, ".") != 0);
    }
  }
}

/* A line that is an event is written and read back the same. */
static void line(fn_str text) {
  FN_AUTO_JSON json_t *json = NULL;
  FN_AUTO_JSON json_t *again = NULL;
  fn_track_event event, second;
  if (fn_journal_parse(&event, &json, text, NULL) != FN_OK) return;
  FUZZ_CHECK(event.kind == FN_TRACK_STATUS || (event.key && *event.key));
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  fn_journal_write_line(&out, &event, "/nowhere");
  if (out.failed) return;
  FUZZ_CHECK(out.length <= FN_JOURNAL_MAX_LINE && out.data[out.length - 1] == '\n');
  FUZZ_CHECK(fn_journal_parse(&second, &again, fn_str_make(out.data, out.length - 1), NULL) == FN_OK);
  FUZZ_CHECK(second.kind == event.kind && second.step == event.step && second.time_ms == event.time_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int codes[] = {200, 201, 302, 400, 401, 403, 404, 405, 413, 429, 500, 501, 503};
  if (size == 0) return 0;
  const fn_str body = fn_str_make((const char *)data + 1, size - 1);
  if (data[0] == 'l')
    line(body);
  else if (data[0] == 'a')
    answer(body);
  else
    error_answer(codes[data[0] % FN_COUNT_OF(codes)], body);
  return 0;
}
