/* Normalised text that remembers where each byte came from. */
#include "text/tokenizer.h"

#include <stdlib.h>

void fn_aligned_init(fn_aligned *aligned) {
  *aligned = (fn_aligned){0};
  fn_buf_init(&aligned->bytes, SIZE_MAX / 64);
}

void fn_aligned_deinit(fn_aligned *aligned) {
  fn_buf_deinit(&aligned->bytes);
  free(aligned->begin);
  free(aligned->end);
  *aligned = (fn_aligned){0};
}

void fn_aligned_reset(fn_aligned *aligned) {
  fn_buf_reset(&aligned->bytes);
  aligned->failed = false;
}

void fn_aligned_sink(void *arg, uint32_t code_point, uint32_t begin, uint32_t end) {
  fn_aligned *a = arg;
  char utf8[4];
  size_t n = fn_utf8_encode(utf8, code_point), at = a->bytes.length;
  if (a->failed ||
      fn_mem_grow((void **)&a->begin, &a->begin_capacity, at + n, sizeof *a->begin, SIZE_MAX / 64, "normalised text",
                  NULL) != FN_OK ||
      fn_mem_grow((void **)&a->end, &a->end_capacity, at + n, sizeof *a->end, SIZE_MAX / 64, "normalised text", NULL) !=
          FN_OK) {
    a->failed = true;
    return;
  }
  fn_buf_append(&a->bytes, utf8, n);
  a->failed = a->bytes.failed;
  for (size_t i = 0; i < n; i++) {
    a->begin[at + i] = begin;
    a->end[at + i] = end;
  }
}

fn_status fn_normalizer_run(fn_normalizer *normalizer, const char *text, uint32_t begin, uint32_t end, fn_err *err) {
  fn_normalizer_reset(normalizer);
  for (uint32_t at = begin; at < end;) {
    uint32_t c;
    uint32_t n = (uint32_t)fn_char_read(&c, text + at, end - at);
    FN_TRY(fn_normalizer_push(normalizer, c, at, at + n, err));
    at += n;
  }
  return fn_normalizer_flush(normalizer, err);
}
