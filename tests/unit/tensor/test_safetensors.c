/* safetensors: every rule of the format, hostile headers, writing in the reference's order, conversions. */
#include "../test.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file in memory: length, header, n_data bytes 0, 1, 2 … Exactly as long as it claims, so that a sanitizer sees any
 * byte read past the end. */
static unsigned char *make_file(size_t *length_out, const char *header, size_t n_data) {
  size_t n = strlen(header), length = 8 + n + n_data;
  unsigned char *file = malloc(length);
  assert_non_null(file);
  for (size_t i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)n >> (8 * i));
  memcpy(file + 8, header, n);
  for (size_t i = 0; i < n_data; i++) file[8 + n + i] = (unsigned char)i;
  *length_out = length;
  return file;
}

static fn_status parse(fn_safetensors **file_out, unsigned char **bytes_out, const char *header, size_t n_data,
                       fn_err *err) {
  size_t length;
  *bytes_out = make_file(&length, header, n_data);
  return fn_safetensors_parse(file_out, *bytes_out, length, "x.safetensors", err);
}

static void refuses(const char *header, size_t n_data, fn_status expected, const char *says) {
  fn_safetensors *file = NULL;
  unsigned char *bytes;
  fn_err err = {0};
  fn_status status = parse(&file, &bytes, header, n_data, &err);
  if (status != expected || !strstr(err.message, says) || strncmp(err.message, "x.safetensors: ", 15) != 0)
    fail_msg("%s\n  gives %s: %s\n  expected %s: … %s", header, fn_status_name(status), err.message,
             fn_status_name(expected), says);
  assert_null(file);
  free(bytes);
}

static void test_reads(void **state) {
  (void)state;
  fn_safetensors *file;
  unsigned char *bytes;
  fn_err err = {0};
  const char *header = "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"caf\\u00e9\"},"
                       "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[2,26]},"
                       "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                       "\"scalar\":{\"dtype\":\"I16\",\"shape\":[],\"data_offsets\":[26,28],\"extra\":1}} \n\t";
  assert_int_equal(parse(&file, &bytes, header, 28, &err), FN_OK);
  assert_int_equal(fn_safetensors_n(file), 3);
  assert_string_equal(fn_safetensors_get(file, 0)->name, "a");
  assert_string_equal(fn_safetensors_get(file, 2)->name, "scalar");
  const fn_tensor_view *b = fn_safetensors_find(file, "b");
  assert_non_null(b);
  assert_int_equal(b->dtype, FN_F32);
  assert_int_equal(b->n_dims, 2);
  assert_int_equal(b->shape[1], 3);
  assert_int_equal(b->n, 6);
  assert_int_equal(b->size_bytes, 24);
  assert_int_equal(*(const unsigned char *)b->data, 2);
  assert_int_equal(fn_safetensors_find(file, "scalar")->n, 1);
  assert_null(fn_safetensors_find(file, "c"));
  assert_string_equal(fn_safetensors_metadata(file, "format"), "pt");
  assert_string_equal(fn_safetensors_metadata(file, "note"), "caf\xc3\xa9");
  assert_null(fn_safetensors_metadata(file, "none"));
  assert_string_equal(fn_safetensors_path(file), "x.safetensors");
  fn_safetensors_close(file);
  free(bytes);
}

/* What the reference accepts and a careless reader does not. */
static void test_corners_accepted(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t n_data;
  } cases[] = {
      {"{}", 0},
      {"  \n{}  ", 0},
      {"{\"__metadata__\":{}}", 0},
      {"{\"e\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}", 0},
      {"{\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[1,1]},"
       "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
       "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
       2},
      {"{\"h\":{\"dtype\":\"F4\",\"shape\":[3,2],\"data_offsets\":[0,3]}}", 3},
      {"{\"h\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3},
      {"{\"h\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8},
      {"{\"\":{\"dtype\":\"BOOL\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_safetensors *file = NULL;
    unsigned char *bytes;
    fn_err err = {0};
    if (parse(&file, &bytes, cases[i].header, cases[i].n_data, &err) != FN_OK)
      fail_msg("%s: %s", cases[i].header, err.message);
    fn_safetensors_close(file);
    free(bytes);
  }
}

#define ONE(dtype, shape, offsets) "{\"w\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void test_refuses_headers(void **state) {
  (void)state;
  refuses("", 0, FN_E_INVALID, "not valid JSON");
  refuses("[]", 0, FN_E_INVALID, "must be a JSON object");
  refuses("{\"w\":1}", 0, FN_E_INVALID, "tensor \"w\" must be an object");
  refuses("{\"a\xff\":1}", 0, FN_E_INVALID, "not valid JSON");
  refuses("{\"w\":{}}trailing", 0, FN_E_INVALID, "not valid JSON");
  refuses("{\"w", 0, FN_E_INVALID, "not valid JSON");
  refuses("{\"w\\u0000x\":{}}", 0, FN_E_INVALID, "not valid JSON");
  refuses("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
          "\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
          1, FN_E_INVALID, "duplicate");
  refuses("{\"__metadata__\":[]}", 0, FN_E_INVALID, "\"__metadata__\" must be an object");
  refuses("{\"__metadata__\":{\"a\":1}}", 0, FN_E_INVALID, "value of \"a\" must be a text");
}

static void test_refuses_types_and_shapes(void **state) {
  (void)state;
  refuses("{\"w\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, FN_E_INVALID, "\"dtype\" must be");
  refuses(ONE("F128", "[1]", "[0,16]"), 16, FN_E_UNSUPPORTED, "\"w\": dtype \"F128\" is not known");
  refuses(ONE("f32", "[1]", "[0,4]"), 4, FN_E_UNSUPPORTED, "\"f32\"");
  refuses(ONE("U8\\u0000", "[1]", "[0,1]"), 1, FN_E_UNSUPPORTED, "is not known");
  refuses(ONE("U8", "1", "[0,1]"), 1, FN_E_INVALID, "\"shape\" must be a list");
  refuses(ONE("U8", "[1.0]", "[0,1]"), 1, FN_E_INVALID, "whole numbers");
  refuses(ONE("U8", "[-1]", "[0,1]"), 1, FN_E_INVALID, "whole numbers");
  refuses(ONE("U8", "[\"1\"]", "[0,1]"), 1, FN_E_INVALID, "whole numbers");
  refuses(ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, FN_E_UNSUPPORTED, "9 dimensions, at most 8");
  refuses(ONE("F32", "[2]", "[0,4]"), 4, FN_E_INVALID, "ask for 8 bytes, \"data_offsets\" give it 4");
  refuses(ONE("F4", "[3]", "[0,1]"), 1, FN_E_INVALID, "do not fill whole bytes");
  /* Products of sizes that leave 64 bits, once in elements, once in bits; 2^63 itself is no JSON integer here. */
  refuses(ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, FN_E_INVALID, "shape is impossible");
  refuses(ONE("F32", "[9223372036854775807,2]", "[0,4]"), 4, FN_E_INVALID, "shape is impossible");
  refuses(ONE("F64", "[288230376151711744]", "[0,0]"), 0, FN_E_INVALID, "shape is impossible");
  refuses(ONE("F32", "[9223372036854775808]", "[0,4]"), 4, FN_E_INVALID, "too big integer");
}

static void test_refuses_offsets(void **state) {
  (void)state;
  refuses("{\"w\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, FN_E_INVALID, "\"data_offsets\" must be [begin, end]");
  refuses(ONE("U8", "[1]", "[0]"), 1, FN_E_INVALID, "must be [begin, end]");
  refuses(ONE("U8", "[1]", "[0,1,2]"), 1, FN_E_INVALID, "must be [begin, end]");
  refuses(ONE("U8", "[1]", "[0,1.5]"), 1, FN_E_INVALID, "within the 1 bytes");
  refuses(ONE("U8", "[1]", "[-1,0]"), 1, FN_E_INVALID, "within the 1 bytes");
  refuses(ONE("U8", "[4]", "[0,4]"), 3, FN_E_INVALID, "within the 3 bytes");
  refuses(ONE("U8", "[4]", "[9223372036854775803,9223372036854775807]"), 4, FN_E_INVALID, "within the 4 bytes");
  refuses(ONE("U8", "[0]", "[2,1]"), 2, FN_E_INVALID, "end before they begin");
  refuses(ONE("U8", "[1]", "[1,2]"), 2, FN_E_INVALID, "leaves a hole: it must begin at 0");
  refuses(ONE("U8", "[1]", "[0,1]"), 2, FN_E_INVALID, "take 1 bytes, but 2 follow");
  refuses("{}", 1, FN_E_INVALID, "take 0 bytes, but 1 follow");
  /* Two tensors over the same bytes: the reference's "json attack" makes thousands of them. */
  refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
          "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
          2, FN_E_INVALID, "tensor \"b\" begins at byte 0 of the data, inside the one before");
  refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
          "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
          3, FN_E_INVALID, "inside the one before: it must begin at 2");
}

static void test_refuses_lengths(void **state) {
  (void)state;
  static const struct {
    unsigned char bytes[8];
    size_t length;
    fn_status status;
    const char *says;
  } cases[] = {
      {{0}, 0, FN_E_INVALID, "0 bytes long"},
      {{2, 0, 0, 0, 0, 0, 0}, 7, FN_E_INVALID, "7 bytes long"},
      {{2, 0, 0, 0, 0, 0, 0, 0}, 8, FN_E_INVALID, "takes 2 bytes, the file has only 0"},
      {{0, 0xe1, 0xf5, 5, 0, 0, 0, 0}, 8, FN_E_INVALID, "takes 100000000 bytes"},
      {{1, 0xe1, 0xf5, 5, 0, 0, 0, 0}, 8, FN_E_LIMIT, "100000001 bytes long, at most 100000000"},
      {{0, 0, 0, 0, 0, 0, 0, 0x80}, 8, FN_E_LIMIT, "9223372036854775808 bytes long"},
      {{255, 255, 255, 255, 255, 255, 255, 255}, 8, FN_E_LIMIT, "18446744073709551615 bytes long"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    unsigned char *bytes = malloc(cases[i].length + 1);
    assert_non_null(bytes);
    memcpy(bytes, cases[i].bytes, cases[i].length);
    fn_safetensors *file = NULL;
    fn_err err = {0};
    assert_int_equal(fn_safetensors_parse(&file, bytes, cases[i].length, "x.safetensors", &err), cases[i].status);
    if (!strstr(err.message, cases[i].says)) fail_msg("%s: lacks %s", err.message, cases[i].says);
    assert_null(file);
    free(bytes);
  }
}

/* Every file cut at every byte is refused, never read past its end. */
static void test_refuses_every_cut(void **state) {
  (void)state;
  size_t length;
  unsigned char *whole = make_file(&length, ONE("F32", "[2,2]", "[0,16]"), 16);
  for (size_t cut = 0; cut < length; cut++) {
    unsigned char *part = malloc(cut + 1);
    assert_non_null(part);
    memcpy(part, whole, cut);
    fn_safetensors *file = NULL;
    fn_err err = {0};
    assert_int_equal(fn_safetensors_parse(&file, part, cut, "x", &err), FN_E_INVALID);
    assert_null(file);
    free(part);
  }
  free(whole);
}

/* A header that is all brackets would cost a hundred times its size as parsed JSON. */
static void test_bounds_memory(void **state) {
  (void)state;
  size_t n = (size_t)16 << 20;
  char *header = malloc(n + 1);
  assert_non_null(header);
  memset(header, '[', n);
  header[0] = '{';
  header[n] = '\0';
  refuses(header, 0, FN_E_LIMIT, "at most 262144 tensors");
  free(header);
}

static char *temporary_path(char *buffer, size_t size) {
  const char *dir = getenv("TMPDIR");
  snprintf(buffer, size, "%s/fn-safetensors-%ld", dir ? dir : "/tmp", (long)getpid());
  return buffer;
}

static void test_writes(void **state) {
  (void)state;
  char path[512];
  temporary_path(path, sizeof path);
  static const float f[6] = {1, -2, 3.5f, 0, -0.0f, 1e-40f};
  static const int64_t i64[1] = {-7};
  static const unsigned char u8[3] = {1, 2, 3};
  const fn_tensor_view tensors[] = {
      {.name = "u", .dtype = FN_U8, .n_dims = 1, .shape = {3}, .data = u8},
      {.name = "z", .dtype = FN_F32, .n_dims = 2, .shape = {2, 3}, .data = f},
      {.name = "a \"q\"", .dtype = FN_F32, .n_dims = 1, .shape = {2}, .data = f},
      {.name = "i", .dtype = FN_I64, .n_dims = 0, .data = i64},
      {.name = "none", .dtype = FN_F32, .n_dims = 1, .shape = {0}, .data = NULL},
  };
  static const char *const metadata[][2] = {{"format", "pt"}};
  fn_err err = {0};
  assert_int_equal(fn_safetensors_write(path, tensors, 5, metadata, 1, &err), FN_OK);
  fn_safetensors *file;
  assert_int_equal(fn_safetensors_open(&file, path, &err), FN_OK);
  static const char *const order[] = {"i", "a \"q\"", "none", "z", "u"};
  /* `none` is empty, so among equal places it comes first when read. */
  assert_int_equal(fn_safetensors_n(file), 5);
  assert_string_equal(fn_safetensors_get(file, 0)->name, order[0]);
  assert_string_equal(fn_safetensors_get(file, 4)->name, order[4]);
  const fn_tensor_view *z = fn_safetensors_find(file, "z");
  assert_memory_equal(z->data, f, sizeof f);
  assert_int_equal((uintptr_t)fn_safetensors_get(file, 0)->data % 8, 0);
  assert_string_equal(fn_safetensors_metadata(file, "format"), "pt");
  fn_safetensors_close(file);

  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  assert_int_equal(fn_file_read(&text, path, 1 << 20, &err), FN_OK);
  const char *expected =
      "{\"__metadata__\":{\"format\":\"pt\"},\"i\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
      "\"a \\\"q\\\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},"
      "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[16,16]},"
      "\"z\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[16,40]},"
      "\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[40,43]}}";
  assert_int_equal((unsigned char)text.data[0] % 8, 0);
  assert_memory_equal(text.data + 8, expected, strlen(expected));
  unlink(path);
}

static void test_write_refuses(void **state) {
  (void)state;
  char path[512];
  temporary_path(path, sizeof path);
  static const unsigned char u8[3] = {1, 2, 3};
  fn_tensor_view tensors[2] = {
      {.name = "u", .dtype = FN_U8, .n_dims = 1, .shape = {3}, .data = u8},
      {.name = "u", .dtype = FN_I8, .n_dims = 1, .shape = {3}, .data = u8},
  };
  fn_err err = {0};
  assert_int_equal(fn_safetensors_write(path, tensors, 2, NULL, 0, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "two tensors are named \"u\""));
  tensors[1].name = "__metadata__";
  assert_int_equal(fn_safetensors_write(path, tensors, 2, NULL, 0, &err), FN_E_INVALID);
  tensors[1].name = "v";
  tensors[1].shape[0] = -1;
  assert_int_equal(fn_safetensors_write(path, tensors, 2, NULL, 0, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "tensor \"v\""));
  assert_false(fn_path_exists(path));
  assert_int_equal(fn_safetensors_write("/nonexistent/x", tensors, 1, NULL, 0, &err), FN_E_NOT_FOUND);
}

/* /dev/full takes the place of a full disk: writing fails, the error is exit code 1, nothing appears. */
static void test_write_disk_full(void **state) {
  (void)state;
  if (access("/dev/full", W_OK) != 0) {
    print_message("skipped: no /dev/full here\n");
    skip();
  }
  static unsigned char data[1 << 16];
  const fn_tensor_view tensor = {.name = "u", .dtype = FN_U8, .n_dims = 1, .shape = {sizeof data}, .data = data};
  fn_err err = {0};
  fn_writer writer = {.file = fopen("/dev/full", "wb"),
                      .path = fn_str_dup(fn_str_from("model.safetensors")),
                      .temporary = fn_str_dup(fn_str_from("/nonexistent/never"))};
  assert_non_null(writer.file);
  fn_status status = fn_safetensors_append(&writer, &tensor, 1, NULL, 0, &err);
  if (status == FN_OK) status = fn_writer_commit(&writer, &err);
  assert_int_equal(status, FN_E_IO);
  assert_int_equal(fn_status_exit_code(status), 1);
  assert_non_null(strstr(err.message, "model.safetensors"));
  fn_writer_abort(&writer);
}

static float f16_value(unsigned bits) {
  double sign = bits & 0x8000u ? -1 : 1;
  unsigned exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
  if (exponent == 31) return fraction ? NAN : (float)sign * INFINITY;
  if (exponent == 0) return (float)(sign * ldexp(fraction, -24));
  return (float)(sign * ldexp(1024.0 + fraction, (int)exponent - 25));
}

static void test_converts(void **state) {
  (void)state;
  static uint16_t half[65536];
  static float out[65536];
  for (unsigned i = 0; i < 65536; i++) half[i] = (uint16_t)i;
  fn_tensor_view view = {.name = "w", .dtype = FN_F16, .n = 65536, .data = half, .size_bytes = sizeof half};
  fn_err err = {0};
  assert_int_equal(fn_tensor_view_to_f32(out, &view, &err), FN_OK);
  for (unsigned i = 0; i < 65536; i++) {
    float expected = f16_value(i);
    if (isnan(expected)) {
      assert_true(isnan(out[i]));
    } else {
      assert_true(out[i] == expected && signbit(out[i]) == signbit(expected));
    }
  }
  view.dtype = FN_BF16;
  assert_int_equal(fn_tensor_view_to_f32(out, &view, &err), FN_OK);
  assert_true(out[0x3f80] == 1.0f && out[0xc000] == -2.0f && out[0x0001] == 0x1p-133f && isinf(out[0x7f80]));
  /* Odd addresses: views need not be aligned. */
  static unsigned char bytes[33];
  static const double doubles[4] = {1.0 / 3.0, -0.0, 1e300, -1e-300};
  memcpy(bytes + 1, doubles, sizeof doubles);
  view = (fn_tensor_view){.name = "w", .dtype = FN_F64, .n = 4, .data = bytes + 1, .size_bytes = 32};
  assert_int_equal(fn_tensor_view_to_f32(out, &view, &err), FN_OK);
  assert_true(out[0] == 1.0f / 3.0f && signbit(out[1]) && isinf(out[2]) && out[3] == 0.0f);
  view.dtype = FN_I64;
  assert_int_equal(fn_tensor_view_to_f32(out, &view, &err), FN_E_UNSUPPORTED);
  assert_non_null(strstr(err.message, "\"w\" is I64; weights may be F32"));
}

static void test_dtypes(void **state) {
  (void)state;
  assert_string_equal(fn_dtype_name(FN_BF16), "BF16");
  assert_int_equal(fn_dtype_size(FN_F64), 8);
  assert_int_equal(fn_dtype_size(FN_F4), 0);
  assert_int_equal(fn_dtype_bits(FN_F6_E3M2), 6);
}

static void test_open_missing(void **state) {
  (void)state;
  fn_safetensors *file = NULL;
  fn_err err = {0};
  assert_int_equal(fn_safetensors_open(&file, "/nonexistent/m.safetensors", &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "/nonexistent/m.safetensors"));
  assert_int_equal(fn_safetensors_open(&file, "/", &err), FN_E_INVALID);
  assert_null(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_corners_accepted),
      cmocka_unit_test(test_refuses_headers),
      cmocka_unit_test(test_refuses_types_and_shapes),
      cmocka_unit_test(test_refuses_offsets),
      cmocka_unit_test(test_refuses_lengths),
      cmocka_unit_test(test_refuses_every_cut),
      cmocka_unit_test(test_bounds_memory),
      cmocka_unit_test(test_writes),
      cmocka_unit_test(test_write_refuses),
      cmocka_unit_test(test_write_disk_full),
      cmocka_unit_test(test_converts),
      cmocka_unit_test(test_dtypes),
      cmocka_unit_test(test_open_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
