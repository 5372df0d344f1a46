#include "rows.h"

#include "data/token_cache.h"

#include <stdatomic.h>

enum { VOCABULARY = 5000 };

/* An invented tokenizer: words at spaces, the id a hash of the word. */
typedef struct word_hasher {
  atomic_size_t calls;
  int32_t shift;           /* added to ids */
  const char *refuse_text; /* FN_E_LIMIT on this text */
} word_hasher;

static fn_status encode_words(fn_tokens *tokens, const void *arg, fn_str text, fn_err *err) {
  word_hasher *hasher = (word_hasher *)(uintptr_t)arg;
  atomic_fetch_add(&hasher->calls, 1);
  if (hasher->refuse_text && fn_str_is(text, hasher->refuse_text))
    return fn_err_set(err, FN_E_LIMIT, "a text that is refused");
  tokens->n = 0;
  for (size_t begin = 0, end; begin < text.length; begin = end + 1) {
    for (end = begin; end < text.length && text.data[end] != ' '; end++) continue;
    if (end == begin) continue;
    FN_TRY(fn_mem_grow((void **)&tokens->ids, &tokens->capacity, tokens->n + 1, 4, SIZE_MAX / 8, "tokens", err));
    tokens->ids[tokens->n++] = (int32_t)(fn_hash64(text.data + begin, end - begin, 0) % VOCABULARY) + hasher->shift;
  }
  return FN_OK;
}

static fn_encoder make_encoder(const word_hasher *hasher) {
  return (fn_encoder){encode_words, hasher, {0x0123456789abcdefULL, 0xfedcba9876543210ULL}, VOCABULARY};
}

static void assert_ids(const fn_token_cache *cache, const fn_dataset *dataset) {
  fn_err err = {0};
  word_hasher hasher = {0};
  fn_tokens tokens = {0};
  size_t all = 0;
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < fn_dataset_n_rows(dataset, (fn_split)s); i++) {
      fn_row row;
      fn_article_ids ids;
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      fn_token_cache_get(&ids, cache, (fn_split)s, i);
      assert_ok(encode_words(&tokens, &hasher, row.title, &err));
      assert_int_equal(ids.n_title, tokens.n);
      if (tokens.n) assert_memory_equal(ids.title, tokens.ids, 4 * tokens.n);
      all += tokens.n;
      assert_ok(encode_words(&tokens, &hasher, row.text, &err));
      assert_int_equal(ids.n_text, tokens.n);
      if (tokens.n) assert_memory_equal(ids.text, tokens.ids, 4 * tokens.n);
      all += tokens.n;
    }
  assert_int_equal(fn_token_cache_n_ids(cache), all);
  fn_tokens_deinit(&tokens);
}

#define FILE_NAME "cache/tokens-0123456789abcdeffedcba9876543210.bin"

/* Opens with a fresh hasher, checks every id, and returns how the cache came about. */
static fn_token_cache_origin open_and_check(const fn_dataset *dataset, fn_pool *pool) {
  fn_err err = {0};
  word_hasher hasher = {0};
  fn_encoder encoder = make_encoder(&hasher);
  fn_token_cache *cache;
  assert_ok(fn_token_cache_open_with(&cache, dataset, &encoder, pool, &err));
  assert_ids(cache, dataset);
  fn_token_cache_origin origin = fn_token_cache_get_origin(cache);
  size_t rows = made_counts[0] + made_counts[1] + made_counts[2];
  assert_int_equal(atomic_load(&hasher.calls), origin == FN_TOKEN_CACHE_FOUND ? 0 : 2 * rows);
  fn_token_cache_close(cache);
  return origin;
}

static fn_dataset *open_made(char *dir, uint64_t seed) {
  fn_err err = {0};
  fn_dataset *dataset;
  write_dataset(make_folder(dir), seed);
  assert_ok(fn_dataset_open(&dataset, dir, &err));
  return dataset;
}

static void test_made_then_found(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  fn_dataset *dataset = open_made(dir, 30);
  fn_buf bytes[3];
  const int threads[3] = {1, 2, 5};
  in_folder(path, dir, FILE_NAME);
  for (size_t i = 0; i < 3; i++) {
    fn_pool *pool;
    assert_ok(fn_pool_create(&pool, threads[i], &err));
    assert_int_equal(open_and_check(dataset, pool), FN_TOKEN_CACHE_WRITTEN);
    assert_int_equal(open_and_check(dataset, pool), FN_TOKEN_CACHE_FOUND);
    fn_pool_destroy(pool);
    fn_buf_init(&bytes[i], 0);
    assert_ok(fn_file_read(&bytes[i], path, 64 << 20, &err));
    assert_true(fn_str_equal(fn_buf_str(&bytes[i]), fn_buf_str(&bytes[0]))); /* the same at any number of threads */
    assert_ok(fn_dir_remove(path, &err));
  }
  for (size_t i = 0; i < 3; i++) fn_buf_deinit(&bytes[i]);
  fn_dataset_close(dataset);
  remove_folder(dir);
}

/* The file as token_cache.h describes it, read here without its code. */
static void test_format(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  fn_dataset *dataset = open_made(dir, 31);
  assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_WRITTEN);
  FN_AUTO_BUF fn_buf bytes;
  fn_buf_init(&bytes, 0);
  assert_ok(fn_file_read(&bytes, in_folder(path, dir, FILE_NAME), 64 << 20, &err));
  uint64_t words[16];
  memcpy(words, bytes.data, 128);
  fn_hash128 hash = fn_dataset_hash(dataset);
  assert_memory_equal(bytes.data, "FNTOKENS", 8);
  assert_true(words[1] == ((uint64_t)128 << 32 | 1));
  assert_true(words[2] == 0x0123456789abcdefULL && words[3] == 0xfedcba9876543210ULL);
  assert_true(words[4] == hash.high && words[5] == hash.low);
  assert_true(words[6] == 1050 && words[7] == 0 && words[8] == 120);
  assert_true(words[10] == VOCABULARY && words[11] == 0 && words[14] == 0);
  size_t begins = 2 * 1170 + 1;
  assert_int_equal(bytes.length, 128 + 8 * begins + 4 * words[9]);
  assert_true(words[15] == fn_hash64(bytes.data + 128, bytes.length - 128, fn_hash64(bytes.data, 120, 0)));
  uint64_t last;
  memcpy(&last, bytes.data + 128 + 8 * (begins - 1), 8);
  assert_true(last == words[9]);
  fn_dataset_close(dataset);
  remove_folder(dir);
}

/* Whatever happened to the file, the ids that come out are right. */
static void test_damaged(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  fn_dataset *dataset = open_made(dir, 32);
  in_folder(path, dir, FILE_NAME);
  assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_WRITTEN);
  FN_AUTO_BUF fn_buf bytes;
  fn_buf_init(&bytes, 0);
  assert_ok(fn_file_read(&bytes, path, 64 << 20, &err));
  const size_t flips[] = {0, 8, 40, 72, 80, 120, 140, bytes.length - 1};
  for (size_t i = 0; i < FN_COUNT_OF(flips); i++) {
    bytes.data[flips[i]] = (char)(bytes.data[flips[i]] ^ 0x10);
    write_bytes(path, bytes.data, bytes.length);
    bytes.data[flips[i]] = (char)(bytes.data[flips[i]] ^ 0x10);
    assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_WRITTEN);
  }
  const size_t lengths[] = {0, 127, 128, bytes.length - 4};
  for (size_t i = 0; i < FN_COUNT_OF(lengths); i++) {
    write_bytes(path, bytes.data, lengths[i]);
    assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_WRITTEN);
  }
  assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_FOUND);
  fn_dataset_close(dataset);
  remove_folder(dir);
}

/* A checksum is no proof of origin: ranges are checked behind it. */
static void test_forged(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  fn_dataset *dataset = open_made(dir, 33);
  in_folder(path, dir, FILE_NAME);
  assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_WRITTEN);
  FN_AUTO_BUF fn_buf bytes, forged;
  fn_buf_init(&bytes, 0);
  fn_buf_init(&forged, 0);
  assert_ok(fn_file_read(&bytes, path, 64 << 20, &err));
  const uint64_t huge = UINT64_MAX / 2;
  const int32_t ids[] = {VOCABULARY, -1};
  for (size_t i = 0; i < 5; i++) {
    fn_buf_reset(&forged);
    fn_buf_append(&forged, bytes.data, bytes.length);
    if (i < 2) memcpy(forged.data + bytes.length - 4 * (i + 1), &ids[i], 4);
    if (i == 2) memcpy(forged.data + 128, &huge, 8);      /* first begin */
    if (i == 3) memcpy(forged.data + 128 + 80, &huge, 8); /* one in between */
    if (i == 4) memcpy(forged.data + 72, &huge, 8);       /* number of ids */
    uint64_t checksum = fn_hash64(forged.data + 128, forged.length - 128, fn_hash64(forged.data, 120, 0));
    memcpy(forged.data + 120, &checksum, 8);
    write_bytes(path, forged.data, forged.length);
    assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_WRITTEN);
  }
  fn_dataset_close(dataset);
  remove_folder(dir);
}

/* The file of another dataset under the right name. */
static void test_other_rows(void **state) {
  (void)state;
  fn_err err = {0};
  char first_dir[64], second_dir[64], path[256], other[256];
  fn_dataset *first = open_made(first_dir, 34), *second = open_made(second_dir, 35);
  assert_int_equal(open_and_check(first, NULL), FN_TOKEN_CACHE_WRITTEN);
  assert_int_equal(open_and_check(second, NULL), FN_TOKEN_CACHE_WRITTEN);
  assert_ok(fn_path_rename(in_folder(path, first_dir, FILE_NAME), in_folder(other, second_dir, FILE_NAME), &err));
  assert_int_equal(open_and_check(second, NULL), FN_TOKEN_CACHE_WRITTEN);
  fn_dataset_close(first);
  fn_dataset_close(second);
  remove_folder(first_dir);
  remove_folder(second_dir);
}

/* No place for the file (tests may run as root, whom no permission stops: a file stands where the folder would be). */
static void test_no_place(void **state) {
  (void)state;
  char dir[64];
  fn_dataset *dataset = open_made(dir, 36);
  write_text(dir, "cache", "not a folder");
  assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_MEMORY);
  assert_int_equal(open_and_check(dataset, NULL), FN_TOKEN_CACHE_MEMORY);
  fn_dataset_close(dataset);
  remove_folder(dir);
}

static void test_errors(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  fn_dataset *dataset = open_made(dir, 37);
  fn_row row;
  fn_dataset_get(&row, dataset, FN_SPLIT_TEST, 100);
  FN_AUTO_FREE char *text = fn_str_dup(row.text);
  word_hasher refuser = {.refuse_text = text}, shifted = {.shift = VOCABULARY};
  fn_encoder encoder = make_encoder(&refuser);
  fn_token_cache *cache = NULL;
  assert_status(fn_token_cache_open_with(&cache, dataset, &encoder, NULL, &err), FN_E_LIMIT);
  assert_contains(err.message, "/test: row 100: a text that is refused");
  encoder = make_encoder(&shifted);
  assert_status(fn_token_cache_open_with(&cache, dataset, &encoder, NULL, &err), FN_E_INTERNAL);
  assert_contains(err.message, "vocabulary has 5000");
  assert_null(cache);
  assert_false(fn_path_exists(in_folder(path, dir, FILE_NAME)));
  fn_dataset_close(dataset);
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_made_then_found), cmocka_unit_test(test_format),     cmocka_unit_test(test_damaged),
      cmocka_unit_test(test_forged),          cmocka_unit_test(test_other_rows), cmocka_unit_test(test_no_place),
      cmocka_unit_test(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
