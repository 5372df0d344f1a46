/* A saved linear model: any bytes end with a verdict, and a model that was accepted gives every article a finite logit.
 * Input: config.json, 0xFF, linear.safetensors. A second part that ends after its header is filled up with zeros to the
 * length that a small model needs, so that inputs can stay short.
 */
#include "file.h"
#include "linear/linear.h"

#include <math.h>

enum { CONFIG, WEIGHTS, N_FILES, FILLED_BYTES = (4 << 10) * 4 + 8 };

static void predict(const fn_linear *linear) {
  fn_linear_scratch *scratch = NULL;
  fn_linear_info info;
  fn_err err = {0};
  double logit = (double)NAN;
  fn_linear_get_info(&info, linear);
  FUZZ_CHECK(info.hash_bits >= 10 && info.hash_bits <= 22);
  FUZZ_CHECK(fn_linear_scratch_create(&scratch, linear, &err) == FN_OK);
  const fn_str title = fn_str_from("A title \xc3\xa9"), text = fn_str_from("Words, 12 of them; \xff and more.");
  FUZZ_CHECK(fn_linear_predict(&logit, linear, scratch, title, text, &err) == FN_OK);
  FUZZ_CHECK(!isnan(logit));
  fn_linear_scratch_destroy(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[N_FILES] = {"config.json", "linear.safetensors"};
  static char dir[64];
  static int fds[N_FILES];
  static const char zeros[FILLED_BYTES];
  if (size > 1 << 16) return 0;
  if (!dir[0]) fuzz_folder_make(dir, fds, names, N_FILES);
  size_t length;
  const uint8_t *config = fuzz_take(&length, &data, &size);
  fuzz_memory_set(fds[CONFIG], config, length);
  fuzz_memory_set(fds[WEIGHTS], data, size);
  uint64_t header = 0;
  if (size >= 8) memcpy(&header, data, 8);
  if (size >= 8 && header == size - 8)
    FUZZ_CHECK(pwrite(fds[WEIGHTS], zeros, sizeof zeros, (off_t)size) == (ssize_t)sizeof zeros);
  fn_linear *linear = NULL;
  fn_err err = {0};
  const fn_status status = fn_linear_load(&linear, dir, &err);
  FUZZ_CHECK(status == FN_OK ? linear != NULL : !linear && strncmp(err.message, dir, strlen(dir)) == 0);
  if (linear) predict(linear);
  fn_linear_destroy(linear);
  return 0;
}
