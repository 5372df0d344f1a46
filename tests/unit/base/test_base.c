#include "../test.h"
#include "base/base.h"

#include <math.h>

static void test_status(void **state) {
  (void)state;
  assert_int_equal(fn_status_exit_code(FN_OK), 0);
  assert_int_equal(fn_status_exit_code(FN_E_INVALID), 2);
  assert_int_equal(fn_status_exit_code(FN_E_PARTIAL), 3);
  assert_int_equal(fn_status_exit_code((fn_status)99), fn_status_exit_code(FN_E_INTERNAL));
  fn_err err = {0};
  assert_status(fn_err_set(&err, FN_E_INVALID, "a %d", 1), FN_E_INVALID);
  assert_status(fn_err_prefix(&err, FN_E_INVALID, "file:%d", 7), FN_E_INVALID);
  assert_string_equal(err.message, "file:7: a 1");
  assert_status(fn_err_set(NULL, FN_E_IO, "nobody listens"), FN_E_IO);
  char big[3000];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = 0;
  (void)fn_err_set(&err, FN_E_IO, "%s", big);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  (void)fn_err_prefix(&err, FN_E_IO, "%s", big);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  (void)fn_err_set(&err, FN_E_IO, "tensor \"%s\"\n  é", "\x1b[2J\x07\x7f"); /* nothing a terminal would obey */
  assert_string_equal(err.message, "tensor \"?[2J??\"\n  é");
}

static void test_numbers(void **state) {
  (void)state;
  int64_t i;
  double d;
  assert_true(fn_str_to_int64(&i, fn_str_from("-9223372036854775808")) && i == INT64_MIN);
  assert_true(fn_str_to_int64(&i, fn_str_from("9223372036854775807")) && i == INT64_MAX);
  assert_false(fn_str_to_int64(&i, fn_str_from("9223372036854775808")));
  assert_false(fn_str_to_int64(&i, fn_str_from("12 ")));
  assert_false(fn_str_to_int64(&i, fn_str_from("")));
  assert_false(fn_str_to_int64(&i, fn_str_from("-")));
  assert_true(fn_str_to_double(&d, fn_str_from("5e-5")) && d == 5e-5);
  assert_true(fn_str_to_double(&d, fn_str_from("-inf")) && isinf(d));
  assert_false(fn_str_to_double(&d, fn_str_from("0x10")));
  assert_false(fn_str_to_double(&d, fn_str_from("1,5")));
  assert_false(fn_str_to_double(&d, fn_str_from("fast")));
  assert_false(fn_str_to_double(&d, fn_str_from("infinity")));
}

static void test_utf8(void **state) {
  (void)state;
  for (uint32_t c = 1; c <= 0x10FFFF; c++) {
    if (c >= 0xD800 && c < 0xE000) continue;
    char bytes[4];
    uint32_t back = 0;
    size_t n = fn_utf8_encode(bytes, c);
    assert_int_equal(fn_utf8_decode(&back, bytes, n), n);
    assert_int_equal(back, c);
    assert_int_equal(fn_utf8_decode(NULL, bytes, n - 1), 0);
  }
  static const char *const bad[] = {"\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x80\x80",
                                    "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                                    "\xFF",         "\xE2\x28\xA1"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) assert_int_equal(fn_utf8_decode(NULL, bad[i], strlen(bad[i])), 0);
  size_t at = 0;
  assert_false(fn_utf8_valid(fn_str_from("0123456789abc\xFFz"), &at));
  assert_int_equal(at, 13);
  assert_true(fn_utf8_valid(fn_str_from("na\xC3\xAFve caf\xC3\xA9 \xF0\x9F\x93\xB0"), NULL));
  static const struct {
    const char *text;
    size_t columns;
  } cases[] = {{"", 0},
               {"abc", 3},
               {"\u00e9\u0416", 2},
               {"e\u0301", 1},
               {"\u65b0\u95fb", 4},
               {"\U0001f389x", 3},
               {"\uff21\uac00", 4},
               {"\xff\xe6\x96", 3},
               {"\u2026\u2192", 2},
               {"\u2728\ufe0f", 2},
               {"\U00020000", 2}};
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++)
    assert_int_equal(fn_utf8_columns(fn_str_from(cases[i].text)), cases[i].columns);
}

static void test_buf(void **state) {
  (void)state;
  fn_err err = {0};
  fn_buf buf;
  fn_buf_init(&buf, 64);
  fn_buf_append_json(&buf, fn_str_make("a\"\\\n\x01\xFF\xC3\xA9", 8));
  assert_string_equal(buf.data, "\"a\\\"\\\\\\n\\u0001\xEF\xBF\xBD\xC3\xA9\"");
  fn_buf_reset(&buf);
  fn_buf_append_utf8(&buf, fn_str_make("\xFF"
                                       "a\xC3\xA9\xF0\x9F",
                                       6));
  assert_string_equal(buf.data, "\xEF\xBF\xBD"
                                "a\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD");
  fn_buf_reset(&buf);
  fn_buf_append_html(&buf, fn_str_make("<&\"'>\t\x01\xFF\0", 9));
  assert_string_equal(buf.data, "&lt;&amp;&quot;&#39;&gt;\t\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  fn_buf_reset(&buf);
  for (int i = 0; i < 100; i++) fn_buf_append_str(&buf, "0123456789");
  assert_status(fn_buf_check(&buf, "test", &err), FN_E_LIMIT);
  assert_true(buf.length <= 64);
  fn_buf_deinit(&buf);
  fn_buf_init(&buf, 0);
  fn_rng rng = fn_rng_make(3, 0);
  for (int i = 0; i < 2000; i++) { /* every double comes back from its text */
    uint64_t bits = fn_rng_u64(&rng);
    double x, y;
    memcpy(&x, &bits, 8);
    if (!isfinite(x)) continue;
    fn_buf_reset(&buf);
    fn_buf_append_double(&buf, x);
    assert_true(fn_str_to_double(&y, fn_buf_str(&buf)));
    assert_true(x == y);
  }
  for (int i = 0; i < 4000;
       i++) { /* as printf writes it: usual magnitudes, few digits, the ends of what is done here */
    char text[40];
    double x = pow(10, 26 * fn_rng_uniform(&rng) - 9);
    if (i % 4 == 1) x = (double)(fn_rng_u64(&rng) % 100000) / (double)(1u << fn_rng_u64(&rng) % 20);
    if (i % 4 == 2) x = nextafter(pow(10, (double)(fn_rng_u64(&rng) % 26) - 9), i % 8 == 2 ? 0 : 1e30);
    if (i % 4 == 3) x = round(x * 1e4) / 1e4;
    if (i % 3 == 0) x = -x;
    for (int digits = 15; digits <= 17; digits++) {
      snprintf(text, sizeof text, "%.*g", digits, x);
      if (strtod(text, NULL) == x) break;
    }
    fn_buf_reset(&buf);
    fn_buf_append_double(&buf, x);
    assert_string_equal(buf.data, x == 0 && signbit(x) ? "-0.0" : text);
  }
  fn_buf_reset(&buf);
  fn_buf_append_double(&buf, 0.94);
  fn_buf_append_double(&buf, (double)NAN);
  assert_string_equal(buf.data, "0.94null");
  fn_buf_deinit(&buf);
}

/* Known answers of the Random123 distribution (kat_vectors, philox4x32 10). */
static void test_philox(void **state) {
  (void)state;
  uint32_t out[4];
  fn_philox(out, (uint32_t[4]){0, 0, 0, 0}, (uint32_t[2]){0, 0});
  assert_memory_equal(out, ((uint32_t[4]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}), 16);
  fn_philox(out, (uint32_t[4]){~0u, ~0u, ~0u, ~0u}, (uint32_t[2]){~0u, ~0u});
  assert_memory_equal(out, ((uint32_t[4]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}), 16);
  fn_philox(out, (uint32_t[4]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, (uint32_t[2]){0xa4093822, 0x299f31d0});
  assert_memory_equal(out, ((uint32_t[4]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}), 16);
}

static void test_rng(void **state) {
  (void)state;
  fn_rng rng = fn_rng_make(1, 2);
  double sum = 0, squares = 0;
  int counts[7] = {0};
  for (int i = 0; i < 70000; i++) {
    double x = fn_rng_normal(&rng);
    sum += x;
    squares += x * x;
    counts[fn_rng_below(&rng, 7)]++;
  }
  assert_true(fabs(sum / 70000) < 4 / sqrt(70000.0));
  assert_true(fabs(squares / 70000 - 1) < 0.03);
  for (int i = 0; i < 7; i++) assert_true(abs(counts[i] - 10000) < 400);
  fn_rng copy = rng;
  assert_true(fn_rng_u64(&rng) == fn_rng_u64(&copy));
  uint32_t order[100];
  bool seen[100] = {false};
  for (uint32_t i = 0; i < 100; i++) order[i] = i;
  fn_rng_shuffle(&rng, order, 100);
  for (int i = 0; i < 100; i++) seen[order[i]] = true;
  for (int i = 0; i < 100; i++) assert_true(seen[i]);
}

/* Every kind of value, and every kind of refusal with its place. */
static void test_json_read(void **state) {
  (void)state;
  fn_json_error e;
  json_t *value = NULL, *expected = NULL;
  static const char good[] = " { \"a\" : [1, -2.5e3, 0, true, false, null, \"\\u00e9\\ud83d\\ude42\\n\\/\"] ,\n"
                             "\"\\u0062\": {}, \"c\": [ ] } ";
  assert_int_equal(fn_json_read(&value, fn_str_from(good), 0, &e), FN_OK);
  expected =
      json_pack("{s:[i,f,i,b,b,n,s],s:{},s:[]}", "a", 1, -2500.0, 0, 1, 0, "\xc3\xa9\xf0\x9f\x99\x82\n/", "b", "c");
  assert_true(expected && json_equal(value, expected));
  json_decref(value);
  json_decref(expected);
  static const char large[] = "1000000000000000000000000000000";
  assert_int_equal(fn_json_read(&value, fn_str_from(large), FN_JSON_LARGE_AS_REAL, &e), FN_OK);
  assert_true(json_real_value(value) == 1e30);
  json_decref(value);
  const struct {
    const char *text, *what;
    int line, column;
  } bad[] = {
      {"", "a value is missing", 1, 1},
      {"{", "a key in quotes", 1, 1},
      {"[1,\n 2 3]", "',' or ']'", 2, 4},
      {"{\"\xc3\xa9\": 1 x}", "',' or '}'", 1, 9},
      {"{\"a\": 1, \"a\": 2}", "duplicate object key", 1, 10},
      {"{\"a\" 1}", "':' is missing", 1, 6},
      {"{\"\\u0000\": 1}", "NUL", 1, 2},
      {"[01]", "',' or ']'", 1, 3},
      {"-", "not a number", 1, 1},
      {"1.", "digits after its point", 1, 2},
      {"1e", "digits in its exponent", 1, 2},
      {"1e999", "too large", 1, 1},
      {large, "too big integer", 1, 1},
      {"\"a", "does not end", 1, 2},
      {"\"a\nb\"", "control character", 1, 3},
      {"\"\\x\"", "unknown escape", 1, 3},
      {"\"\\ud800\"", "surrogate", 1, 8},
      {"\"\\udc00\"", "surrogate", 1, 8},
      {"\"\\u12g4\"", "hexadecimal", 1, 4},
      {"\"\xff\"", "not valid UTF-8", 1, 2},
      {"nul", "a value is missing", 1, 1},
      {"1 2", "more follows", 1, 3},
  };
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    value = NULL;
    assert_int_equal(fn_json_read(&value, fn_str_from(bad[i].text), 0, &e), FN_E_INVALID);
    assert_null(value);
    assert_contains(e.what, bad[i].what);
    if (e.line != bad[i].line || e.column != bad[i].column) fail_msg("%s: at %d:%d", bad[i].text, e.line, e.column);
  }
  FN_AUTO_BUF fn_buf deep = {0};
  for (int i = 0; i < 2049; i++) fn_buf_append_char(&deep, '[');
  assert_int_equal(fn_json_read(&value, fn_buf_str(&deep), 0, &e), FN_E_INVALID);
  assert_contains(e.what, "nested too deeply");
}

static void test_json(void **state) {
  (void)state;
  fn_err err = {0};
  json_t *value = NULL;
  assert_status(fn_json_parse(&value, fn_str_from("{\"a\": 1,\n \"a\": 2}"), "x.json", &err), FN_E_INVALID);
  assert_contains(err.message, "x.json:2");
  assert_null(value);
  assert_ok(fn_json_parse(&value, fn_str_from("{\"n\": 12, \"p\": 0.5, \"s\": \"t\", \"b\": true}"), "x.json", &err));
  int64_t n = 0, fallback = 7;
  assert_ok(fn_json_get_int(&n, value, "n", 1, 12, NULL, "x.json", &err));
  assert_int_equal(n, 12);
  assert_status(fn_json_get_int(&n, value, "n", 1, 11, NULL, "x.json", &err), FN_E_INVALID);
  assert_contains(err.message, "accepted are 1 to 11");
  assert_status(fn_json_get_int(&n, value, "s", 1, 11, NULL, "x.json", &err), FN_E_INVALID);
  assert_contains(err.message, "must be an integer, not a string");
  assert_status(fn_json_get_int(&n, value, "none", 1, 11, NULL, "x.json", &err), FN_E_INVALID);
  assert_ok(fn_json_get_int(&n, value, "none", 1, 11, &fallback, "x.json", &err));
  assert_int_equal(n, 7);
  json_decref(value);

  fn_buf buf;
  fn_buf_init(&buf, 0);
  fn_json_writer w;
  fn_json_begin(&w, &buf, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "a", 1);
  fn_json_array(&w, "b");
  fn_json_double(&w, NULL, 0.25);
  fn_json_null(&w, NULL);
  fn_json_end(&w);
  fn_json_object(&w, "c");
  fn_json_end(&w);
  fn_json_text(&w, "d", "x\ty");
  fn_json_end(&w);
  assert_string_equal(buf.data, "{\"a\": 1, \"b\": [0.25, null], \"c\": {}, \"d\": \"x\\ty\"}");
  fn_buf_deinit(&buf);
}

static void test_memory(void **state) {
  (void)state;
  fn_err err = {0};
  size_t r = 5;
  assert_false(fn_size_mul(&r, SIZE_MAX, 2));
  assert_false(fn_size_add(&r, SIZE_MAX, 1));
  assert_int_equal(r, 5);
  assert_null(fn_mem_calloc(SIZE_MAX, 2));
  int *array = NULL;
  size_t capacity = 0;
  assert_ok(fn_mem_grow((void **)&array, &capacity, 9, sizeof *array, 100, "numbers", &err));
  assert_true(capacity >= 9 && capacity <= 100);
  assert_status(fn_mem_grow((void **)&array, &capacity, 101, sizeof *array, 100, "numbers", &err), FN_E_LIMIT);
  free(array);
  fn_arena arena;
  fn_arena_init(&arena);
  for (size_t i = 1; i < 3000; i += 7) {
    unsigned char *p = fn_arena_alloc(&arena, i, 3);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    assert_true(p[0] == 0 && p[i * 3 - 1] == 0);
    memset(p, 0xAA, i * 3);
  }
  assert_null(fn_arena_alloc(&arena, SIZE_MAX, 1));
  fn_arena_deinit(&arena);
  void *slab = fn_mem_slab(100);
  assert_int_equal((uintptr_t)slab % 64, 0);
  free(slab);
}

static void test_text(void **state) {
  (void)state;
  assert_int_equal(fn_str_distance("train.epoch", "train.epochs"), 1);
  assert_int_equal(fn_str_distance("", "abc"), 3);
  assert_true(fn_str_is(fn_str_trim(fn_str_from(" \t a b\r\n")), "a b"));
  assert_true(fn_str_equal_nocase(fn_str_from("ReAl"), fn_str_from("rEaL")));
  assert_false(fn_str_ends_with(fn_str_from("x"), "xx"));
  char out[21];
  fn_clock_format(out, 1795353637000);
  assert_string_equal(out, "2026-11-22T13:20:37Z");
}

static void test_wrapping(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t column, indent, width;
    const char *expected;
  } cases[] = {
      {"", 0, 0, 10, ""},
      {"one two three", 0, 0, 7, "one two\nthree"},
      {"one two three", 4, 2, 7, "one\n  two\n  three"},
      {"longer", 4, 2, 7, "\n  longer"},
      {"unbreakable is short", 0, 1, 5, "unbreakable\n is\n short"},
      {"fünf äöü x", 0, 0, 8, "fünf äöü\nx"}, /* columns, not bytes */
      {"a [--flag VALUE] b", 0, 0, 9, "a\n[--flag VALUE]\nb"},
      {"in [0,1) and on", 0, 0, 8, "in [0,1)\nand on"},
      {"two  spaces", 0, 0, 20, "two spaces"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_buf buf;
    fn_buf_init(&buf, 0);
    fn_buf_append_str(&buf, "");
    fn_buf_append_wrapped(&buf, cases[i].text, cases[i].column, cases[i].indent, cases[i].width);
    assert_string_equal(buf.data ? buf.data : "", cases[i].expected);
    fn_buf_deinit(&buf);
  }
}

/* FIPS 180-4's examples, RFC 4231's for HMAC; every way to cut the input in two. */
static void test_sha256(void **state) {
  (void)state;
  static const struct {
    const char *text, *hex;
  } cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrst"
       "u",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
  };
  unsigned char digest[FN_SHA256_BYTES];
  char hex[2 * FN_SHA256_BYTES + 1];
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    const size_t length = strlen(cases[i].text);
    for (size_t cut = 0; cut <= length; cut++) {
      fn_sha256 sha;
      fn_sha256_init(&sha);
      fn_sha256_add(&sha, cases[i].text, cut);
      fn_sha256_add(&sha, cases[i].text + cut, length - cut);
      fn_sha256_get(&sha, digest);
      fn_hex_format(hex, digest, sizeof digest);
      assert_string_equal(hex, cases[i].hex);
    }
  }
  fn_hmac_sha256(digest, fn_str_from("Jefe"), fn_str_from("what do ya want for nothing?"));
  fn_hex_format(hex, digest, sizeof digest);
  assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  char key[131];
  memset(key, 0xaa, sizeof key);
  fn_hmac_sha256(digest, fn_str_make(key, sizeof key),
                 fn_str_from("Test Using Larger Than Block-Size Key - Hash Key First"));
  fn_hex_format(hex, digest, sizeof digest);
  assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  assert_true(fn_equal_constant_time("abc", "abc", 3) && !fn_equal_constant_time("abc", "abd", 3));
  unsigned char a[32], b[32];
  fn_err err = {0};
  assert_ok(fn_random_bytes(a, sizeof a, &err));
  assert_ok(fn_random_bytes(b, sizeof b, &err));
  assert_memory_not_equal(a, b, sizeof a);
}

static void test_hasher(void **state) {
  (void)state;
  static unsigned char bytes[5000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 7 + i / 256);
  static const size_t lengths[] = {0, 1, 16, 17, 128, 240, 241, 1024, 5000};
  for (size_t k = 0; k < FN_COUNT_OF(lengths); k++) {
    fn_hasher *hasher = fn_hasher_create(0);
    assert_non_null(hasher);
    for (size_t at = 0; at < lengths[k]; at += 113)
      fn_hasher_add(hasher, bytes + at, lengths[k] - at < 113 ? lengths[k] - at : 113);
    fn_hash128 whole = fn_hash_bytes(bytes, lengths[k]), pieces = fn_hasher_get128(hasher);
    assert_true(whole.high == pieces.high && whole.low == pieces.low);
    assert_true(fn_hasher_get(hasher) == fn_hash64(bytes, lengths[k], 0));
    fn_hasher_destroy(hasher);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_status),    cmocka_unit_test(test_numbers), cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_buf),       cmocka_unit_test(test_philox),  cmocka_unit_test(test_rng),
      cmocka_unit_test(test_json),      cmocka_unit_test(test_memory),  cmocka_unit_test(test_wrapping),
      cmocka_unit_test(test_json_read), cmocka_unit_test(test_text),    cmocka_unit_test(test_hasher),
      cmocka_unit_test(test_sha256),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
