/* Runs a fuzz target over files and folders of files, without libFuzzer. Fails when there is nothing to run. */
#include "base/base.h"
#include "fuzz.h"

#include <stdio.h>

static size_t replay_file(const char *path) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 64 << 20);
  fn_err err = {0};
  if (fn_file_read(&text, path, 64 << 20, &err) != FN_OK) {
    fprintf(stderr, "%s\n", err.message);
    exit(1);
  }
  /* Exactly as long as the input, so that a sanitizer sees a byte read past its end. */
  uint8_t *data = malloc(text.length > 0 ? text.length : 1);
  if (!data) exit(1);
  if (text.length > 0) memcpy(data, text.data, text.length);
  LLVMFuzzerTestOneInput(data, text.length);
  free(data);
  return 1;
}

static size_t replay(const char *path) {
  if (!fn_path_is_dir(path)) return replay_file(path);
  char **names;
  size_t n, total = 0;
  fn_err err = {0};
  if (fn_dir_list(&names, &n, path, &err) != FN_OK) {
    fprintf(stderr, "%s\n", err.message);
    exit(1);
  }
  for (size_t i = 0; i < n; i++) {
    char *child = fn_path_join(path, names[i]);
    if (!child) exit(1);
    total += replay(child);
    free(child);
  }
  free(names);
  return total;
}

int main(int argc, char **argv) {
  size_t total = 0;
  for (int i = 1; i < argc; i++) total += replay(argv[i]);
  printf("%zu inputs\n", total);
  return total > 0 ? 0 : 1;
}
