/* run.json: any bytes end with a verdict; a record that was accepted is written and read back the same. */
#include "file.h"
#include "train/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  char path[32];
  fn_run_record record, again;
  fn_err err = {0};
  if (fd < 0) fd = fuzz_memory_file();
  fuzz_memory_path(path, fd);
  fuzz_memory_set(fd, data, size);
  const fn_status status = fn_run_record_load(&record, path, &err);
  if (status != FN_OK) {
    FUZZ_CHECK(err.status == status && strncmp(err.message, path, strlen(path)) == 0);
    return 0;
  }
  FN_AUTO_BUF fn_buf text = {0}, second = {0};
  fn_run_record_format(&text, &record);
  FUZZ_CHECK(fn_buf_check(&text, "record", &err) == FN_OK);
  fuzz_memory_set(fd, text.data, text.length);
  FUZZ_CHECK(fn_run_record_load(&again, path, &err) == FN_OK);
  fn_run_record_format(&second, &again);
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&text), fn_buf_str(&second)));
  fn_run_record_deinit(&record);
  fn_run_record_deinit(&again);
  return 0;
}
