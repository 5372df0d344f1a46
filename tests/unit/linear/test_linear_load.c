/* A damaged or foreign model is refused with file and key, and nothing leaks (run under the sanitizers). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "corpus.h"
#include "tensor/safetensors.h"

static char dir[] = "/tmp/fn-linear-XXXXXX";
static fn_buf config, weights; /* of an intact model */

static char *path_of(const char *name) {
  return fn_path_join(dir, name);
}

static void put(const char *name, const void *data, size_t length) {
  char *path = path_of(name);
  fn_err err = {0};
  if (fn_file_write(path, data, length, &err) != FN_OK) fail_msg("%s", err.message);
  free(path);
}

static void restore(void) {
  put("config.json", config.data, config.length);
  put("linear.safetensors", weights.data, weights.length);
}

static int set_up(void **state) {
  (void)state;
  corpus c;
  fn_arena arena;
  fn_linear_options options;
  fn_linear *linear;
  static const char *const one[] = {"1"};
  assert_non_null(mkdtemp(dir));
  corpus_init(&c, 60, 1);
  fn_arena_init(&arena);
  assert_int_equal(fn_options_default(&options, &arena, &fn_linear_option_table, NULL), FN_OK);
  options.hash_bits = 10;
  options.c_grid = (fn_config_list){one, 1};
  assert_int_equal(fn_linear_train(&linear, c.rows, c.n, NULL, 0, FN_TEXT_TITLE_TEXT, &options, NULL, NULL, NULL, NULL),
                   FN_OK);
  assert_int_equal(fn_linear_save(linear, dir, NULL), FN_OK);
  fn_linear_destroy(linear);
  fn_arena_deinit(&arena);
  corpus_deinit(&c);
  char *a = path_of("config.json"), *b = path_of("linear.safetensors");
  fn_buf_init(&config, 0);
  fn_buf_init(&weights, 0);
  assert_int_equal(fn_file_read(&config, a, 1 << 20, NULL), FN_OK);
  assert_int_equal(fn_file_read(&weights, b, 1 << 20, NULL), FN_OK);
  free(a);
  free(b);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  fn_buf_deinit(&config);
  fn_buf_deinit(&weights);
  return fn_dir_remove(dir, NULL) == FN_OK ? 0 : -1;
}

static void refused(fn_status status, const char *message) {
  fn_linear *linear = NULL;
  fn_err err = {0};
  assert_int_equal(fn_linear_load(&linear, dir, &err), status);
  assert_null(linear);
  if (strstr(err.message, message) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.message, message);
  if (strstr(err.message, dir) == NULL) fail_msg("\"%s\" does not name the file", err.message);
}

/* config.json with one piece of text replaced. */
static void with_config(const char *from, const char *to, fn_status status, const char *message) {
  const char *at = strstr(config.data, from);
  if (at == NULL) fail_msg("config.json holds no %s", from);
  fn_buf buf;
  fn_buf_init(&buf, 0);
  fn_buf_append(&buf, config.data, (size_t)(at - config.data));
  fn_buf_append_str(&buf, to);
  fn_buf_append_str(&buf, at + strlen(from));
  put("config.json", buf.data, buf.length);
  refused(status, message);
  fn_buf_deinit(&buf);
  restore();
}

static void test_intact(void **state) {
  (void)state;
  fn_linear *linear = NULL;
  assert_int_equal(fn_linear_load(&linear, dir, NULL), FN_OK);
  fn_linear_destroy(linear);
}

static void test_config(void **state) {
  (void)state;
  with_config("\"fakenews-linear\"", "\"bert\"", FN_E_INVALID, "model_type is \"bert\", not \"fakenews-linear\"");
  with_config("\"format_version\": 1", "\"format_version\": 2", FN_E_UNSUPPORTED, "format_version 2 is not 1");
  with_config("\"format_version\": 1", "\"format_version\": 0", FN_E_INVALID, "format_version");
  with_config("\"hash_bits\": 10", "\"hash_bits\": 63", FN_E_INVALID, "hash_bits");
  with_config("\"hash_bits\": 10", "\"hash_bits\": 11", FN_E_INVALID, "tensor word.weight must be F32 of shape [2048]");
  with_config("\"title+text\"", "\"body\"", FN_E_INVALID, "text is \"body\", not title, text or title+text");
  with_config("\"real\",", "\"fake\",", FN_E_INVALID, "id2label must be");
  with_config("\"word_ngrams\"", "\"word\"", FN_E_INVALID, "word_ngrams must be null or");
  with_config("\"c\": {", "\"d\": {", FN_E_INVALID, "c must be an object");
  with_config("\"word\": 1", "\"word\": -1", FN_E_INVALID, "word");
  with_config("{", "[", FN_E_INVALID, "config.json");
  with_config("\"hash_bits\": 10,", "\"hash_bits\": 10, \"hash_bits\": 10,", FN_E_INVALID, "duplicate object key");
}

static void test_orders(void **state) {
  (void)state;
  /* Written over two lines each; what matters is that a wrong order is seen. */
  char *at = strstr(config.data, "\"char_ngrams\"");
  assert_non_null(at);
  char *three = strchr(at, '3');
  assert_non_null(three);
  *three = '9';
  put("config.json", config.data, config.length);
  refused(FN_E_INVALID, "char_ngrams must be null or [shortest,longest], whole numbers from 1 to 8");
  *three = '3';
  restore();
}

static void test_files(void **state) {
  (void)state;
  char *path = path_of("linear.safetensors");
  assert_int_equal(unlink(path), 0);
  refused(FN_E_NOT_FOUND, "linear.safetensors");
  free(path);
  path = path_of("config.json");
  restore();
  assert_int_equal(unlink(path), 0);
  refused(FN_E_NOT_FOUND, "config.json");
  free(path);
  restore();
  put("config.json", "", 0);
  refused(FN_E_INVALID, "config.json");
  restore();
  for (size_t cut = 0; cut < weights.length; cut += cut < 700 ? 7 : 1000) {
    put("linear.safetensors", weights.data, cut);
    refused(FN_E_INVALID, "linear.safetensors");
  }
  restore();
}

/* Tensors of our own making: what a hostile but well-formed file may hold. */
static void with_tensors(const float *word_weight, const float *idf, fn_dtype dtype, bool bias, const char *message) {
  static const double zero = 0.0;
  const char *const names[] = {"char.idf", "char.weight", "word.idf", "word.weight"};
  static const float zeros[1024];
  fn_tensor_view views[5];
  size_t n = 0;
  for (size_t i = 0; i < 4; i++) {
    const float *data = i == 3 ? word_weight : i == 0 ? idf : zeros;
    views[n++] = (fn_tensor_view){.name = names[i],
                                  .dtype = i == 3 ? dtype : FN_F32,
                                  .n_dims = 1,
                                  .shape = {i == 3 && dtype == FN_F16 ? 2048 : 1024},
                                  .n = i == 3 && dtype == FN_F16 ? 2048 : 1024,
                                  .data = data,
                                  .size_bytes = 4096};
  }
  if (bias) {
    views[n++] = (fn_tensor_view){
        .name = "bias", .dtype = FN_F64, .n_dims = 1, .shape = {1}, .n = 1, .data = &zero, .size_bytes = 8};
  }
  char *path = path_of("linear.safetensors");
  fn_err err = {0};
  if (fn_safetensors_write(path, views, n, NULL, 0, &err) != FN_OK) fail_msg("%s", err.message);
  free(path);
  if (message != NULL) {
    refused(FN_E_INVALID, message);
  } else {
    test_intact(NULL);
  }
  restore();
}

static void test_tensors(void **state) {
  (void)state;
  static float good[1024], bad[1024];
  with_tensors(good, good, FN_F32, true, NULL);
  with_tensors(good, good, FN_F32, false, "tensor bias is missing");
  with_tensors(good, good, FN_F16, true, "tensor word.weight must be F32 of shape [1024], not F16 with 2048 elements");
  bad[700] = -1.0F;
  with_tensors(bad, good, FN_F32, true, NULL); /* weights may be negative */
  with_tensors(good, bad, FN_F32, true, "tensor char.idf element 700: -1 is out of range");
  bad[700] = (float)NAN;
  with_tensors(bad, good, FN_F32, true, "tensor word.weight element 700");
  bad[700] = (float)INFINITY;
  with_tensors(bad, good, FN_F32, true, "tensor word.weight element 700");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_intact), cmocka_unit_test(test_config),  cmocka_unit_test(test_orders),
      cmocka_unit_test(test_files),  cmocka_unit_test(test_tensors),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
