/* safetensors: whatever the bytes, parsing ends with a verdict, and what it accepts may be read to the last byte. */
#include "fuzz.h"
#include "tensor/safetensors.h"

#include <string.h>

static void read_all(const fn_safetensors *file, const uint8_t *data, size_t size) {
  size_t n = fn_safetensors_n(file), total = 0;
  for (size_t i = 0; i < n; i++) {
    const fn_tensor_view *view = fn_safetensors_get(file, i);
    FUZZ_CHECK(fn_safetensors_find(file, view->name) == view);
    FUZZ_CHECK((const uint8_t *)view->data >= data && (const uint8_t *)view->data + view->size_bytes <= data + size);
    total += view->size_bytes;
    if (view->n > (1u << 16)) continue;
    float *values = malloc(view->n * sizeof *values + 1);
    if (!values) continue;
    fn_err err = {0};
    fn_status status = fn_tensor_view_to_f32(values, view, &err);
    FUZZ_CHECK(status == FN_OK || status == FN_E_UNSUPPORTED);
    free(values);
  }
  FUZZ_CHECK(total <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fn_safetensors *file = NULL;
  fn_err err = {0};
  fn_status status = fn_safetensors_parse(&file, data, size, "input", &err);
  if (status == FN_OK) {
    read_all(file, data, size);
    fn_safetensors_close(file);
  } else {
    FUZZ_CHECK(!file && err.status == status && strstr(err.message, "input") == err.message);
  }
  return 0;
}
