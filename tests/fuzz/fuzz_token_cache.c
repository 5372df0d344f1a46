/* The file of a token cache: whatever bytes it has, opening ends with ids that are the tokenizer's or, when the check
 * sum agrees, at least within the vocabulary and the file. Input: a byte that chooses, then the file from byte 72 on
 * (number of ids, vocabulary size, …); with bit 0 the whole file. Without bit 1 the check sum is made right, which no
 * random input would do.
 */
#include "data/dataset_writer.h"
#include "data/token_cache.h"
#include "file.h"

enum { RAW = 1, KEEP_CHECKSUM = 2, N_ROWS = 2, VOCABULARY = 10, PREFIX = 72, CHECKSUM_AT = 120, HEADER = 128 };

typedef struct world {
  char dir[64], path[160];
  fn_dataset *dataset;
  uint8_t prefix[PREFIX]; /* of a good file */
} world;
static world w;

static fn_status encode(fn_tokens *tokens, const void *arg, fn_str text, fn_err *err) {
  (void)arg;
  (void)text;
  FN_TRY(fn_mem_grow((void **)&tokens->ids, &tokens->capacity, 2, sizeof *tokens->ids, 8, "tokens", err));
  tokens->ids[0] = 1;
  tokens->ids[1] = 2;
  tokens->n = 2;
  return FN_OK;
}
static const fn_encoder encoder = {encode, NULL, {1, 2}, VOCABULARY};

static void remove_all(void) {
  fn_dataset_close(w.dataset);
  const fn_status removed = fn_dir_remove(w.dir, NULL);
  (void)removed;
}

static void make_world(void) {
  fn_err err = {0};
  fn_dataset_writer *writer = NULL;
  fn_token_cache *cache = NULL;
  snprintf(w.dir, sizeof w.dir, "/dev/shm/fn-fuzz-XXXXXX");
  FUZZ_CHECK(mkdtemp(w.dir) != NULL && atexit(remove_all) == 0);
  FUZZ_CHECK(fn_dataset_writer_create(&writer, w.dir, &err) == FN_OK);
  for (int i = 0; i < N_ROWS; i++) {
    const fn_row row = {.title = fn_str_from("title"),
                        .text = fn_str_from("text"),
                        .label = i,
                        .hash = fn_str_from("0123456789abcdef0123456789abcdef")};
    FUZZ_CHECK(fn_dataset_writer_append(writer, FN_SPLIT_TRAIN, &row, &err) == FN_OK);
  }
  FUZZ_CHECK(fn_dataset_writer_finish(writer, NULL, &err) == FN_OK);
  fn_dataset_writer_destroy(writer);
  FUZZ_CHECK(fn_dataset_open(&w.dataset, w.dir, &err) == FN_OK);
  FUZZ_CHECK(fn_token_cache_open_with(&cache, w.dataset, &encoder, NULL, &err) == FN_OK);
  FUZZ_CHECK(fn_token_cache_get_origin(cache) == FN_TOKEN_CACHE_WRITTEN);
  fn_token_cache_close(cache);
  char hash[33];
  fn_hash_format(hash, encoder.hash);
  snprintf(w.path, sizeof w.path, "%s/cache/tokens-%s.bin", w.dir, hash);
  FN_AUTO_BUF fn_buf good = {0};
  FUZZ_CHECK(fn_file_read(&good, w.path, 1 << 16, &err) == FN_OK && good.length > HEADER);
  memcpy(w.prefix, good.data, PREFIX);
}

/* The file that the input stands for. */
static void put_file(const uint8_t *data, size_t size) {
  const int kind = data[0];
  FN_AUTO_BUF fn_buf file = {0};
  if (!(kind & RAW)) fn_buf_append(&file, w.prefix, PREFIX);
  fn_buf_append(&file, data + 1, size - 1);
  if (!(kind & KEEP_CHECKSUM) && file.length >= HEADER) {
    const uint64_t sum = fn_hash64(file.data + HEADER, file.length - HEADER, fn_hash64(file.data, CHECKSUM_AT, 0));
    memcpy(file.data + CHECKSUM_AT, &sum, sizeof sum);
  }
  FILE *out = fopen(w.path, "wb");
  FUZZ_CHECK(out && fwrite(file.data, 1, file.length, out) == file.length && fclose(out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > 1 << 12) return 0;
  if (!w.dir[0]) make_world();
  put_file(data, size);
  fn_token_cache *cache = NULL;
  fn_err err = {0};
  FUZZ_CHECK(fn_token_cache_open_with(&cache, w.dataset, &encoder, NULL, &err) == FN_OK);
  const bool found = fn_token_cache_get_origin(cache) == FN_TOKEN_CACHE_FOUND;
  size_t total = 0;
  for (size_t i = 0; i < N_ROWS; i++) {
    fn_article_ids a;
    fn_token_cache_get(&a, cache, FN_SPLIT_TRAIN, i);
    FUZZ_CHECK(found || (a.n_title == 2 && a.n_text == 2));
    for (size_t k = 0; k < a.n_title; k++) FUZZ_CHECK(a.title[k] >= 0 && a.title[k] < VOCABULARY);
    for (size_t k = 0; k < a.n_text; k++) FUZZ_CHECK(a.text[k] >= 0 && a.text[k] < VOCABULARY);
    total += a.n_title + a.n_text;
  }
  FUZZ_CHECK(total == fn_token_cache_n_ids(cache));
  fn_token_cache_close(cache);
  return 0;
}
