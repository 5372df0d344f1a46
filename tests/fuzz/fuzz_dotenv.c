/* .env files and the environment: any bytes end with a verdict, and values stay within their ranges. Input: the file;
 * its lines are also given as variables of an environment.
 */
#include "config/config.h"
#include "file.h"
#include "toy.h"

enum { MAX_VARIABLES = 16 };

/* Another file is read for FAKENEWS_..._FILE; which one is not the parser's matter. */
static bool names_file(const uint8_t *data, size_t size) {
  for (size_t i = 0; i + 5 <= size; i++)
    if (memcmp(data + i, "_FILE", 5) == 0) return true;
  return false;
}

static void read_environment(const uint8_t *data, size_t size) {
  const char *variables[MAX_VARIABLES + 1] = {NULL};
  FN_AUTO_FREE char *copy = fn_str_dup(fn_str_make((const char *)data, size));
  FUZZ_CHECK(copy);
  size_t n = 0;
  for (char *line = copy; line && n < MAX_VARIABLES;) {
    variables[n++] = line;
    line = strchr(line, '\n');
    if (line) *line++ = '\0';
  }
  fn_config *config = toy_create();
  fn_err err = {0};
  const fn_status status = fn_config_load_environment(config, variables, &err);
  FUZZ_CHECK(status == FN_OK || (err.status == status && err.message[0]));
  toy_check(config);
  fn_config_destroy(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  char path[32];
  if (size > 1 << 12 || names_file(data, size)) return 0;
  if (fd < 0) fd = fuzz_memory_file();
  fuzz_memory_path(path, fd);
  fuzz_memory_set(fd, data, size);
  fn_config *config = toy_create();
  fn_err err = {0};
  const fn_status status = fn_config_load_dotenv(config, path, &err);
  FUZZ_CHECK(status == FN_OK || (err.status == status && err.message[0]));
  toy_check(config);
  fn_config_destroy(config);
  read_environment(data, size);
  return 0;
}
