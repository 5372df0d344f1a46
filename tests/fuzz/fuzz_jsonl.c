/* JSON lines: any bytes end with a verdict, the same one whatever pieces they come in; an accepted record has one field
 * per known column, valid UTF-8 without NUL, and what is no string is JSON.
 */
#include "data/jsonl.h"
#include "fuzz.h"

#include <string.h>

static void take(fn_buf *log, const fn_record *record, const fn_jsonl *jsonl) {
  fn_buf_printf(log, "%d %d %s:", (int)record->status, (int)record->line, record->message);
  FUZZ_CHECK((record->status == FN_OK) == (record->message[0] == 0));
  if (record->status != FN_OK) return;
  size_t n;
  const fn_str *columns = fn_jsonl_columns(jsonl, &n);
  FUZZ_CHECK(record->n_fields == n);
  for (size_t i = 0; i < n; i++) {
    fn_str field = record->fields[i];
    FUZZ_CHECK(fn_utf8_valid(field, NULL) && !(field.length && memchr(field.data, 0, field.length)));
    FUZZ_CHECK(record->kinds[i] != FN_VALUE_MISSING || field.length == 0);
    fn_buf_append(log, columns[i].data, columns[i].length);
    fn_buf_printf(log, "=%d:", (int)record->kinds[i]);
    fn_buf_append(log, field.data, field.length);
    if (record->kinds[i] != FN_VALUE_OTHER) continue;
    json_t *value = json_loadb(field.data, field.length, JSON_DECODE_ANY, NULL);
    FUZZ_CHECK(value && !json_is_string(value) && !json_is_null(value));
    json_decref(value);
  }
}

static void read_all(fn_buf *log, const char *data, size_t size, size_t piece) {
  fn_err err = {0};
  fn_jsonl *jsonl;
  fn_record record;
  fn_record_event event;
  const fn_record_limits limits = {200, 400, 12};
  FUZZ_CHECK(fn_jsonl_create(&jsonl, &limits, &err) == FN_OK);
  for (size_t at = 0; at < size;) {
    size_t n = size - at < piece ? size - at : piece, used = 0;
    FUZZ_CHECK(fn_jsonl_feed(&event, &record, &used, jsonl, data + at, n, &err) == FN_OK);
    FUZZ_CHECK(used > 0 && used <= n && (event == FN_RECORD_READY || used == n));
    at += used;
    if (event == FN_RECORD_READY) take(log, &record, jsonl);
  }
  do {
    FUZZ_CHECK(fn_jsonl_finish(&event, &record, jsonl, &err) == FN_OK);
    if (event == FN_RECORD_READY) take(log, &record, jsonl);
  } while (event == FN_RECORD_READY);
  fn_jsonl_destroy(jsonl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > 1 << 16) return 0;
  fn_buf whole = {0}, pieces = {0};
  read_all(&whole, (const char *)data + 1, size - 1, size);
  read_all(&pieces, (const char *)data + 1, size - 1, 1 + data[0] % 16);
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&whole), fn_buf_str(&pieces)));
  fn_buf_deinit(&whole);
  fn_buf_deinit(&pieces);
  return 0;
}
