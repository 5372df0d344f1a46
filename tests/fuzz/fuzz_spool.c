/* The spool of the prediction log: whatever bytes the file has, what is read ends at a whole record, the same bytes up
 * to there are read the same again, and a record is whole or refused. */
#include "fuzz.h"
#include "monitor/record.h"
#include "monitor/spool.h"

typedef struct seen {
  size_t n, n_rows, n_bytes;
} seen;

static bool see(void *arg, fn_str record) {
  seen *s = arg;
  fn_sql_value values[FN_N_COLUMNS];
  s->n++;
  s->n_bytes += record.length;
  if (!fn_record_decode(values, record)) return true;
  fn_stored_prediction *stored = NULL;
  fn_err err = {0};
  s->n_rows++;
  if (fn_record_to_stored(&stored, values, &err) != FN_OK) return true;
  FUZZ_CHECK(strlen(stored->id) >= 1 && strlen(stored->id) <= 64);
  FUZZ_CHECK(stored->n_embedding <= record.length);
  fn_stored_prediction_destroy(stored);
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  seen all = {0}, again = {0};
  const fn_str file = fn_str_make((const char *)data, size);
  const uint64_t length = fn_spool_scan(file, see, &all);
  FUZZ_CHECK(length <= size && (length == 0 || length == 8 + 16 * all.n + all.n_bytes));
  FUZZ_CHECK(fn_spool_scan(fn_str_make(file.data, (size_t)length), see, &again) == length);
  FUZZ_CHECK(again.n == all.n && again.n_rows == all.n_rows);
  fn_sql_value values[FN_N_COLUMNS]; /* a record without its frame, whose checksum few inputs get past */
  if (fn_record_decode(values, file)) {
    fn_stored_prediction *stored = NULL;
    if (fn_record_to_stored(&stored, values, NULL) == FN_OK) fn_stored_prediction_destroy(stored);
  }
  return 0;
}
