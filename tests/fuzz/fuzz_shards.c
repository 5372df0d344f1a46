/* model.safetensors.index.json: any bytes end with a verdict; only files beside it are opened, and every tensor of an
 * index that was accepted is in the file it names. Input: the index, 0xFF, the one shard "a.safetensors" that is there.
 */
#include "file.h"
#include "model/weights.h"

enum { INDEX, SHARD, N_FILES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[N_FILES] = {"model.safetensors.index.json", "a.safetensors"};
  static char dir[64];
  static int fds[N_FILES];
  if (size > 1 << 14) return 0;
  if (!dir[0]) fuzz_folder_make(dir, fds, names, N_FILES);
  size_t length;
  const uint8_t *index = fuzz_take(&length, &data, &size);
  fuzz_memory_set(fds[INDEX], index, length);
  fuzz_memory_set(fds[SHARD], data, size);
  fn_weights *weights = NULL;
  fn_hash128 hash;
  fn_err err = {0};
  const fn_status status = fn_weights_open(&weights, dir, &err);
  FUZZ_CHECK(status == FN_OK ? weights != NULL : !weights && strncmp(err.message, dir, strlen(dir)) == 0);
  FUZZ_CHECK(fn_weights_hash(&hash, dir, &err) == status);
  if (!weights) return 0;
  for (size_t i = 0; i < fn_weights_n(weights); i++) {
    const fn_tensor_view *view = fn_weights_get(weights, i);
    FUZZ_CHECK(view->size_bytes <= size && fn_weights_find(weights, view->name) < fn_weights_n(weights));
  }
  fn_weights_close(weights);
  return 0;
}
