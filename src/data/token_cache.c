#include "data/token_cache_internal.h"

#include "data/flatbuf.h"

#include <assert.h>
#include <stdlib.h>

enum { BLOCK_ROWS = 128 };
_Static_assert(sizeof(fn_tokens_header) == FN_TOKENS_HEADER &&
                   offsetof(fn_tokens_header, checksum) == FN_TOKENS_CHECKSUM_AT,
               "as token_cache.h says");

struct fn_token_cache {
  fn_map map;   /* the file, or empty */
  void *memory; /* its bytes, when there is no file */
  fn_token_cache_origin origin;
  const uint64_t *begins; /* [2N+1] */
  const int32_t *ids;     /* [M] */
  size_t n_ids;
  size_t first_row[FN_SPLIT_COUNT], n_rows[FN_SPLIT_COUNT];
};

static uint64_t make_checksum(const fn_tokens_header *header, const void *payload, size_t length) {
  return fn_hash64(payload, length, fn_hash64(header, FN_TOKENS_CHECKSUM_AT, 0));
}

fn_tokens_header fn_tokens_make_header(fn_hash128 dataset, const size_t n_rows[FN_SPLIT_COUNT], fn_hash128 tokenizer,
                                       int32_t vocab_size) {
  fn_tokens_header h = {.magic = {'F', 'N', 'T', 'O', 'K', 'E', 'N', 'S'},
                        .version = FN_TOKENS_VERSION,
                        .size = FN_TOKENS_HEADER,
                        .tokenizer = {tokenizer.high, tokenizer.low},
                        .dataset = {dataset.high, dataset.low},
                        .vocab_size = (uint32_t)vocab_size};
  for (int s = 0; s < FN_SPLIT_COUNT; s++) h.n_rows[s] = n_rows[s];
  return h;
}

/* What the header of a matching cache says, checksum and number of ids apart. */
static fn_tokens_header make_header(const fn_dataset *dataset, const fn_encoder *encoder) {
  size_t n_rows[FN_SPLIT_COUNT];
  for (int s = 0; s < FN_SPLIT_COUNT; s++) n_rows[s] = fn_dataset_n_rows(dataset, (fn_split)s);
  return fn_tokens_make_header(fn_dataset_hash(dataset), n_rows, encoder->hash, encoder->vocab_size);
}

char *fn_tokens_path(const char *dir, fn_hash128 tokenizer) {
  char name[64] = "cache/tokens-", hash[33];
  fn_hash_format(hash, tokenizer);
  memcpy(name + 13, hash, 32);
  memcpy(name + 45, ".bin", 5);
  return fn_path_join(dir, name);
}

static size_t count_rows(const fn_tokens_header *h) {
  return (size_t)(h->n_rows[0] + h->n_rows[1] + h->n_rows[2]);
}

/* Points the cache at the bytes of a file (or an image of one) whose header was checked. */
static void bind(fn_token_cache *cache, const unsigned char *data, const fn_tokens_header *h) {
  cache->begins = (const uint64_t *)(const void *)(data + FN_TOKENS_HEADER);
  cache->ids = (const int32_t *)(const void *)(cache->begins + 2 * count_rows(h) + 1);
  cache->n_ids = (size_t)h->n_ids;
  size_t row = 0;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    cache->first_row[s] = row;
    cache->n_rows[s] = (size_t)h->n_rows[s];
    row += cache->n_rows[s];
  }
}

/* A file is used only when it is what this dataset and tokenizer would give, to the last byte. The checksum finds
 * accidents; the ranges are checked besides, for a bad id would become a read outside the embedding. */
static bool is_valid(const fn_map *map, const fn_tokens_header *expected) {
  fn_tokens_header h;
  if (map->length < sizeof h) return false;
  memcpy(&h, map->data, sizeof h);
  fn_tokens_header same = *expected;
  same.n_ids = h.n_ids;
  same.checksum = h.checksum;
  size_t n_begins = 2 * count_rows(expected) + 1, begin_bytes, id_bytes, length;
  if (memcmp(&h, &same, sizeof h) != 0 || h.n_ids > SIZE_MAX / 4 || !fn_size_mul(&begin_bytes, n_begins, 8) ||
      !fn_size_mul(&id_bytes, (size_t)h.n_ids, 4) || !fn_size_add(&length, begin_bytes, id_bytes) ||
      length != map->length - sizeof h || make_checksum(&h, map->data + sizeof h, length) != h.checksum)
    return false;
  const unsigned char *begins = map->data + sizeof h, *ids = begins + begin_bytes;
  uint64_t before = 0;
  for (size_t i = 0; i < n_begins; i++) {
    uint64_t begin = fn_load_u64(begins + 8 * i);
    if (begin < before || (i == 0 && begin != 0)) return false;
    before = begin;
  }
  if (before != h.n_ids) return false;
  uint32_t too_large = 0;
  for (size_t i = 0; i < (size_t)h.n_ids; i++) too_large |= fn_load_u32(ids + 4 * i) >= h.vocab_size;
  return !too_large;
}

/* Maps the file when it is valid. */
static bool try_open(fn_token_cache *cache, const char *path, const fn_tokens_header *expected) {
  fn_map map;
  if (!fn_path_exists(path) || fn_map_open(&map, path, NULL) != FN_OK) return false;
  if (!is_valid(&map, expected)) {
    fn_map_close(&map);
    return false;
  }
  fn_tokens_header h;
  memcpy(&h, map.data, sizeof h);
  cache->map = map;
  bind(cache, map.data, &h);
  return true;
}

/* BLOCK_ROWS rows on their way: the unit of work, whatever the number of threads. */
typedef struct row_block {
  int32_t *ids;
  size_t n_ids, capacity;
  uint64_t lengths[2 * BLOCK_ROWS]; /* of title and text of each row */
  fn_status status;
  fn_err err;
} row_block;

typedef struct cache_build {
  const fn_dataset *dataset;
  const fn_encoder *encoder;
  size_t n_rows, n_blocks;
  row_block *blocks;
  fn_tokens *scratch; /* [threads] */
} cache_build;

static void get_row(fn_row *row_out, const fn_dataset *dataset, size_t row, fn_split *split_out, size_t *index_out) {
  int s = 0;
  while (row >= fn_dataset_n_rows(dataset, (fn_split)s)) row -= fn_dataset_n_rows(dataset, (fn_split)s++);
  *split_out = (fn_split)s;
  *index_out = row;
  fn_dataset_get(row_out, dataset, *split_out, row);
}

static fn_status encode_text(row_block *block, const cache_build *build, fn_tokens *tokens, fn_str text,
                             uint64_t *length_out, fn_err *err) {
  FN_TRY(build->encoder->encode(tokens, build->encoder->arg, text, err));
  for (size_t i = 0; i < tokens->n; i++)
    if (tokens->ids[i] < 0 || tokens->ids[i] >= build->encoder->vocab_size)
      return fn_err_set(err, FN_E_INTERNAL, "the tokenizer gave id %d; its vocabulary has %d entries", tokens->ids[i],
                        build->encoder->vocab_size);
  FN_TRY(fn_mem_grow((void **)&block->ids, &block->capacity, block->n_ids + tokens->n, sizeof *block->ids, SIZE_MAX / 8,
                     "token ids", err));
  if (tokens->n > 0) memcpy(block->ids + block->n_ids, tokens->ids, tokens->n * sizeof *block->ids);
  block->n_ids += tokens->n;
  *length_out = tokens->n;
  return FN_OK;
}

static void encode_block(void *arg, size_t task, int worker) {
  cache_build *build = arg;
  row_block *block = &build->blocks[task];
  fn_tokens *tokens = &build->scratch[worker];
  size_t first = task * BLOCK_ROWS, last = first + BLOCK_ROWS < build->n_rows ? first + BLOCK_ROWS : build->n_rows;
  for (size_t r = first; r < last && block->status == FN_OK; r++) {
    fn_row row;
    fn_split split;
    size_t index;
    get_row(&row, build->dataset, r, &split, &index);
    uint64_t *lengths = &block->lengths[2 * (r - first)];
    block->status = encode_text(block, build, tokens, row.title, &lengths[0], &block->err);
    if (block->status == FN_OK) block->status = encode_text(block, build, tokens, row.text, &lengths[1], &block->err);
    if (block->status != FN_OK)
      (void)fn_err_prefix(&block->err, block->status, "%s/%s: row %zu", fn_dataset_dir(build->dataset),
                          fn_split_name(split), index);
  }
}

/* The bytes of the file, from the blocks, which are released on the way. */
static fn_status assemble(void **image_out, size_t *length_out, fn_tokens_header *h, cache_build *build, fn_err *err) {
  size_t n_ids = 0, id_bytes, begin_bytes = (2 * build->n_rows + 1) * 8, length;
  for (size_t b = 0; b < build->n_blocks; b++) n_ids += build->blocks[b].n_ids;
  unsigned char *image = NULL;
  if (fn_size_mul(&id_bytes, n_ids, 4) && fn_size_add(&length, id_bytes, FN_TOKENS_HEADER + begin_bytes))
    image = fn_mem_alloc(length, 1);
  if (!image) return fn_err_no_memory(err, "the token ids of a dataset");
  uint64_t *begins = (uint64_t *)(void *)(image + FN_TOKENS_HEADER), at = 0;
  int32_t *ids = (int32_t *)(void *)(begins + 2 * build->n_rows + 1);
  *begins++ = 0;
  for (size_t b = 0; b < build->n_blocks; b++) {
    row_block *block = &build->blocks[b];
    if (block->n_ids > 0) memcpy(ids + at, block->ids, block->n_ids * sizeof *ids);
    size_t rows = build->n_rows - b * BLOCK_ROWS < BLOCK_ROWS ? build->n_rows - b * BLOCK_ROWS : BLOCK_ROWS;
    for (size_t i = 0; i < 2 * rows; i++) *begins++ = at += block->lengths[i];
    free(block->ids);
    block->ids = NULL;
  }
  h->n_ids = n_ids;
  h->checksum = make_checksum(h, image + FN_TOKENS_HEADER, length - FN_TOKENS_HEADER);
  memcpy(image, h, sizeof *h);
  *image_out = image;
  *length_out = length;
  return FN_OK;
}

static fn_status make(void **image_out, size_t *length_out, fn_tokens_header *h, const fn_dataset *dataset,
                      const fn_encoder *encoder, fn_pool *pool, fn_err *err) {
  size_t n_rows = count_rows(h), n_threads = (size_t)fn_pool_n_threads(pool);
  cache_build build = {dataset, encoder, n_rows, (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS, NULL, NULL};
  build.blocks = fn_mem_calloc(build.n_blocks, sizeof *build.blocks);
  build.scratch = fn_mem_calloc(n_threads, sizeof *build.scratch);
  fn_status status = build.blocks && build.scratch ? FN_OK : fn_err_no_memory(err, "the token ids of a dataset");
  if (status == FN_OK) fn_pool_run(pool, build.n_blocks, encode_block, &build);
  for (size_t b = 0; status == FN_OK && b < build.n_blocks; b++)
    if (build.blocks[b].status != FN_OK) {
      status = build.blocks[b].status;
      if (err) *err = build.blocks[b].err;
    }
  if (status == FN_OK) status = assemble(image_out, length_out, h, &build, err);
  for (size_t b = 0; build.blocks && b < build.n_blocks; b++) free(build.blocks[b].ids);
  for (size_t t = 0; build.scratch && t < n_threads; t++) fn_tokens_deinit(&build.scratch[t]);
  free(build.blocks);
  free(build.scratch);
  return status;
}

/* Makes the ids; keeps them in the folder when that works, which is no matter when it does not. */
static fn_status fill(fn_token_cache *cache, const char *dir, const char *path, fn_tokens_header *h,
                      const fn_dataset *dataset, const fn_encoder *encoder, fn_pool *pool, fn_err *err) {
  void *image = NULL;
  size_t length = 0;
  FN_TRY(make(&image, &length, h, dataset, encoder, pool, err));
  if (fn_dir_create(dir, NULL) == FN_OK && fn_file_write(path, image, length, NULL) == FN_OK &&
      try_open(cache, path, h)) {
    cache->origin = FN_TOKEN_CACHE_WRITTEN;
    free(image);
    return FN_OK;
  }
  cache->origin = FN_TOKEN_CACHE_MEMORY;
  cache->memory = image;
  bind(cache, image, h);
  return FN_OK;
}

fn_status fn_token_cache_open_with(fn_token_cache **cache_out, const fn_dataset *dataset, const fn_encoder *encoder,
                                   fn_pool *pool, fn_err *err) {
  FN_AUTO_FREE char *dir = fn_path_join(fn_dataset_dir(dataset), "cache");
  FN_AUTO_FREE char *path = dir ? fn_tokens_path(fn_dataset_dir(dataset), encoder->hash) : NULL;
  fn_token_cache *cache = fn_mem_calloc(1, sizeof *cache);
  if (!path || !cache) {
    free(cache);
    return fn_err_no_memory(err, "a token cache");
  }
  fn_tokens_header expected = make_header(dataset, encoder);
  if (!try_open(cache, path, &expected)) {
    fn_status status = fill(cache, dir, path, &expected, dataset, encoder, pool, err);
    if (status != FN_OK) {
      fn_token_cache_close(cache);
      return status;
    }
  }
  *cache_out = cache;
  return FN_OK;
}

static fn_status encode_with_tokenizer(fn_tokens *tokens, const void *arg, fn_str text, fn_err *err) {
  return fn_tokenizer_encode(tokens, arg, text, 0, err);
}

fn_status fn_token_cache_open(fn_token_cache **cache_out, const fn_dataset *dataset, const fn_tokenizer *tokenizer,
                              fn_pool *pool, fn_err *err) {
  const fn_tokenizer_info *info = fn_tokenizer_get_info(tokenizer);
  fn_encoder encoder = {encode_with_tokenizer, tokenizer, info->hash, info->vocab_size};
  return fn_token_cache_open_with(cache_out, dataset, &encoder, pool, err);
}

void fn_token_cache_close(fn_token_cache *cache) {
  if (!cache) return;
  if (cache->map.data) fn_map_close(&cache->map);
  free(cache->memory);
  free(cache);
}

void fn_token_cache_get(fn_article_ids *article_out, const fn_token_cache *cache, fn_split split, size_t i) {
  assert(i < cache->n_rows[split]);
  const uint64_t *begins = cache->begins + 2 * (cache->first_row[split] + i);
  *article_out = (fn_article_ids){cache->ids + begins[0], cache->ids + begins[1], (size_t)(begins[1] - begins[0]),
                                  (size_t)(begins[2] - begins[1])};
}

size_t fn_token_cache_n_ids(const fn_token_cache *cache) {
  return cache->n_ids;
}
fn_token_cache_origin fn_token_cache_get_origin(const fn_token_cache *cache) {
  return cache->origin;
}
