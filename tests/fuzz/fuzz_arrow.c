/* Arrow streams: any bytes end with a verdict, and every value of what was accepted lies inside the bytes. */
#include "data/arrow.h"
#include "fuzz.h"

static const fn_arrow_field fields[] = {{"title", FN_ARROW_UTF8}, {"n", FN_ARROW_INT64}};

static volatile int64_t keep; /* so that no read is optimised away */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fn_arrow_reader *reader = NULL;
  fn_err err = {0};
  if (fn_arrow_reader_parse(&reader, data, size, "input", fields, FN_COUNT_OF(fields), &err) != FN_OK) {
    FUZZ_CHECK(!reader && err.message[0]);
    return 0;
  }
  size_t n = fn_arrow_reader_n_rows(reader), step = n / 1000 + 1;
  for (size_t i = 0; i < n; i += step) {
    fn_arrow_place place = fn_arrow_reader_find(reader, i);
    fn_str text = fn_arrow_reader_text(reader, 0, place);
    int64_t sum = fn_arrow_reader_int64(reader, 1, place);
    for (size_t k = 0; k < text.length; k += text.length / 100 + 1) sum ^= (unsigned char)text.data[k];
    if (text.length > 0) sum ^= (unsigned char)text.data[text.length - 1];
    keep = sum;
  }
  fn_arrow_reader_close(reader);
  return 0;
}
