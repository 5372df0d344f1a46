/* state.json of a checkpoint: any bytes end with a verdict; a state that was accepted is written and read back the
 * same.
 */
#include "file.h"
#include "train/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  char path[32];
  fn_train_state state, again;
  fn_err err = {0};
  if (fd < 0) fd = fuzz_memory_file();
  fuzz_memory_path(path, fd);
  fuzz_memory_set(fd, data, size);
  const fn_status status = fn_train_state_load(&state, path, &err);
  if (status != FN_OK) {
    FUZZ_CHECK(err.status == status && strncmp(err.message, path, strlen(path)) == 0);
    return 0;
  }
  FUZZ_CHECK(state.step >= 1 && state.steps_per_epoch >= 1 && state.seed >= 0 && state.metrics_bytes >= 0);
  FN_AUTO_BUF fn_buf text = {0}, second = {0};
  fn_train_state_format(&text, &state);
  FUZZ_CHECK(fn_buf_check(&text, "state", &err) == FN_OK);
  fuzz_memory_set(fd, text.data, text.length);
  FUZZ_CHECK(fn_train_state_load(&again, path, &err) == FN_OK);
  fn_train_state_format(&second, &again);
  FUZZ_CHECK(fn_str_equal(fn_buf_str(&text), fn_buf_str(&second)));
  FUZZ_CHECK(fn_train_identity_check(&state.identity, &again.identity, "run", &err) == FN_OK);
  return 0;
}
