/* Drives src/tensor's safetensors from tests in other languages.
 *   safetensors_probe check FILE…    one line per file: its status name, a tab, the message
 *   safetensors_probe copy IN OUT    reads IN, writes the same tensors and metadata to OUT
 *   safetensors_probe float IN OUT   the same with every tensor converted to F32 */
#include "tensor/safetensors.h"

#include <stdio.h>
#include <stdlib.h>

static int check(int n, char **paths) {
  for (int i = 0; i < n; i++) {
    fn_err err = {0};
    fn_safetensors *file = NULL;
    fn_status status = fn_safetensors_open(&file, paths[i], &err);
    for (char *c = err.message; *c; c++) { /* names come from the file: keep to one line */
      if ((unsigned char)*c < ' ') *c = ' ';
    }
    printf("%s\t%s\n", fn_status_name(status), err.message);
    fn_safetensors_close(file);
  }
  return 0;
}

static fn_status copy(const char *in, const char *out, bool as_float, fn_err *err) {
  FN_AUTO_SAFETENSORS fn_safetensors *file = NULL;
  FN_TRY(fn_safetensors_open(&file, in, err));
  size_t n = fn_safetensors_n(file);
  FN_AUTO_FREE fn_tensor_view *views = fn_mem_calloc(n, sizeof *views);
  fn_arena arena;
  fn_arena_init(&arena);
  fn_status status = views ? FN_OK : fn_err_no_memory(err, in);
  for (size_t i = 0; i < n && status == FN_OK; i++) {
    views[i] = *fn_safetensors_get(file, n - 1 - i); /* any order in, one order out */
    if (!as_float) continue;
    float *values = fn_arena_alloc(&arena, views[i].n, sizeof *values);
    status = values ? fn_tensor_view_to_f32(values, &views[i], err) : fn_err_no_memory(err, in);
    views[i].data = values;
    views[i].dtype = FN_F32;
  }
  const char *format = fn_safetensors_metadata(file, "format");
  const char *const metadata[1][2] = {{"format", format}};
  if (status == FN_OK) status = fn_safetensors_write(out, views, n, metadata, format ? 1 : 0, err);
  fn_arena_deinit(&arena);
  return status;
}

int main(int argc, char **argv) {
  if (argc >= 2 && strcmp(argv[1], "check") == 0) return check(argc - 2, argv + 2);
  if (argc != 4) {
    fprintf(stderr, "usage: safetensors_probe check FILE… | copy IN OUT | float IN OUT\n");
    return 2;
  }
  fn_err err = {0};
  fn_status status = copy(argv[2], argv[3], strcmp(argv[1], "float") == 0, &err);
  if (status != FN_OK) fprintf(stderr, "%s\n", err.message);
  return fn_status_exit_code(status);
}
