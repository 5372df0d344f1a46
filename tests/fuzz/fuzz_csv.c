/* CSV: any bytes end with a verdict, the same one whatever pieces they come in; records that are accepted are valid
 * UTF-8 without NUL, and written by us they are read back the same.
 */
#include "data/csv.h"
#include "fuzz.h"

#include <string.h>

typedef struct reading {
  fn_buf log;  /* every record and verdict */
  fn_buf copy; /* accepted records as we write them */
  size_t n_accepted;
  bool all_accepted;
} reading;

static void take(reading *r, const fn_record *record) {
  fn_buf_printf(&r->log, "%d %d %d %s:", (int)record->status, (int)record->line, (int)record->error_line,
                record->message);
  FUZZ_CHECK((record->status == FN_OK) == (record->message[0] == 0));
  if (record->status != FN_OK) {
    r->all_accepted = false;
    return;
  }
  FUZZ_CHECK(record->n_fields > 0 && record->error_line >= record->line);
  for (size_t i = 0; i < record->n_fields; i++) {
    fn_str field = record->fields[i];
    FUZZ_CHECK(fn_utf8_valid(field, NULL) && !(field.length && memchr(field.data, 0, field.length)));
    fn_buf_printf(&r->log, "%zu=", field.length);
    fn_buf_append(&r->log, field.data, field.length);
  }
  fn_csv_append_record(&r->copy, record->fields, record->n_fields);
  r->n_accepted++;
}

static void read_all(reading *r, const char *data, size_t size, size_t piece) {
  fn_err err = {0};
  fn_csv *csv;
  fn_record record;
  fn_record_event event = FN_RECORD_READY;
  const fn_record_limits limits = {200, 400, 12};
  *r = (reading){.all_accepted = true};
  FUZZ_CHECK(fn_csv_create(&csv, &limits, &err) == FN_OK);
  for (size_t at = 0; at < size;) {
    size_t n = size - at < piece ? size - at : piece, used = 0;
    FUZZ_CHECK(fn_csv_feed(&event, &record, &used, csv, data + at, n, &err) == FN_OK);
    FUZZ_CHECK(used > 0 && used <= n && (event == FN_RECORD_READY || used == n));
    at += used;
    if (event != FN_RECORD_READY) continue;
    if (r->n_accepted == 0 && record.status == FN_OK) fn_csv_expect_fields(csv, record.n_fields);
    take(r, &record);
  }
  for (event = FN_RECORD_READY; event == FN_RECORD_READY;) {
    fn_status status = fn_csv_finish(&event, &record, csv, &err);
    FUZZ_CHECK(status == FN_OK || status == FN_E_INVALID);
    if (status != FN_OK) {
      fn_buf_append_str(&r->log, err.message);
      r->all_accepted = false;
      break;
    }
    if (event == FN_RECORD_READY) take(r, &record);
  }
  fn_csv_destroy(csv);
}

static void release(reading *r) {
  fn_buf_deinit(&r->log);
  fn_buf_deinit(&r->copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > 1 << 16) return 0;
  reading whole, pieces, again;
  const char *text = (const char *)data + 1;
  read_all(&whole, text, size - 1, size);
  read_all(&pieces, text, size - 1, 1 + data[0] % 16);
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&whole.log), fn_buf_str(&pieces.log)));
  read_all(&again, whole.copy.data, whole.copy.length, 7);
  FUZZ_CHECK(again.all_accepted && again.n_accepted == whole.n_accepted);
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&whole.copy), fn_buf_str(&again.copy)));
  release(&whole);
  release(&pieces);
  release(&again);
  return 0;
}
