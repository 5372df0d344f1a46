#include "data/token_cache_internal.h"

#include "data/spill.h"

#include <stdlib.h>

enum { PIECE = 1 << 18 };

struct fn_token_cache_writer {
  char *dir;
  fn_hash128 tokenizer;
  int32_t vocab_size;
  size_t n_rows[FN_SPLIT_COUNT];
  uint64_t n_ids;
  fn_spill ids[FN_SPLIT_COUNT];
  fn_spill lengths[FN_SPLIT_COUNT]; /* two 32-bit numbers a row */
};

fn_status fn_token_cache_writer_create(fn_token_cache_writer **writer_out, const char *dir, const char *folder,
                                       const fn_tokenizer *tokenizer, fn_err *err) {
  const fn_tokenizer_info *info = fn_tokenizer_get_info(tokenizer);
  fn_token_cache_writer *writer = fn_mem_calloc(1, sizeof *writer);
  if (writer) writer->dir = fn_str_dup(fn_str_from(dir));
  fn_status status = writer && writer->dir ? FN_OK : fn_err_no_memory(err, "a token cache");
  for (int s = 0; s < FN_SPLIT_COUNT && status == FN_OK; s++) {
    status = fn_spill_open(&writer->ids[s], folder, err);
    if (status == FN_OK) status = fn_spill_open(&writer->lengths[s], folder, err);
  }
  if (status != FN_OK) {
    fn_token_cache_writer_destroy(writer);
    return status;
  }
  writer->tokenizer = info->hash;
  writer->vocab_size = info->vocab_size;
  *writer_out = writer;
  return FN_OK;
}

void fn_token_cache_writer_destroy(fn_token_cache_writer *writer) {
  if (!writer) return;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    fn_spill_close(&writer->ids[s]);
    fn_spill_close(&writer->lengths[s]);
  }
  free(writer->dir);
  free(writer);
}

fn_status fn_token_cache_writer_append(fn_token_cache_writer *writer, fn_split split, const int32_t *ids,
                                       size_t n_title, size_t n_text, fn_err *err) {
  size_t n = n_title + n_text;
  const uint32_t lengths[2] = {(uint32_t)n_title, (uint32_t)n_text};
  for (size_t i = 0; i < n; i++)
    if (ids[i] < 0 || ids[i] >= writer->vocab_size)
      return fn_err_set(err, FN_E_INTERNAL, "the tokenizer gave id %d; its vocabulary has %d entries", ids[i],
                        writer->vocab_size);
  FN_TRY(fn_spill_append(&writer->ids[split], ids, n * sizeof *ids, err));
  FN_TRY(fn_spill_append(&writer->lengths[split], lengths, sizeof lengths, err));
  writer->n_rows[split]++;
  writer->n_ids += n;
  return FN_OK;
}

/* Bytes to the file and to its checksum. */
typedef struct output {
  fn_writer *file;
  fn_hasher *hasher;
} output;

static fn_status put(const output *out, const void *data, size_t length, fn_err *err) {
  fn_hasher_add(out->hasher, data, length);
  return fn_writer_write(out->file, data, length, err);
}

static fn_status put_begins(const output *out, fn_token_cache_writer *writer, fn_err *err) {
  uint64_t at = 0;
  FN_TRY(put(out, &at, sizeof at, err));
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    fn_spill_cursor FN_CLEANUP(fn_spill_cursor_deinit) cursor = {0};
    FN_TRY(fn_spill_flush(&writer->lengths[s], err));
    FN_TRY(fn_spill_cursor_init(&cursor, &writer->lengths[s], 0, writer->lengths[s].size, PIECE, err));
    for (;;) {
      const void *item;
      bool more;
      uint32_t lengths[2];
      FN_TRY(fn_spill_next(&item, &more, &cursor, sizeof lengths, err));
      if (!more) break;
      memcpy(lengths, item, sizeof lengths);
      const uint64_t ends[2] = {at + lengths[0], at + lengths[0] + lengths[1]};
      FN_TRY(put(out, ends, sizeof ends, err));
      at = ends[1];
    }
  }
  return FN_OK;
}

static fn_status put_ids(const output *out, fn_token_cache_writer *writer, fn_err *err) {
  FN_AUTO_FREE unsigned char *piece = fn_mem_alloc(PIECE, 1);
  if (!piece) return fn_err_no_memory(err, "a token cache");
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    fn_spill *ids = &writer->ids[s];
    FN_TRY(fn_spill_flush(ids, err));
    for (uint64_t at = 0; at < ids->size;) {
      size_t n = ids->size - at < PIECE ? (size_t)(ids->size - at) : PIECE;
      FN_TRY(fn_spill_read(ids, at, piece, n, err));
      FN_TRY(put(out, piece, n, err));
      at += n;
    }
    fn_spill_close(ids); /* its room on the disk is free again */
  }
  return FN_OK;
}

static fn_status write_file(const output *out, fn_token_cache_writer *writer, fn_tokens_header *header, fn_err *err) {
  FN_TRY(fn_writer_write(out->file, header, sizeof *header, err));
  FN_TRY(put_begins(out, writer, err));
  FN_TRY(put_ids(out, writer, err));
  header->checksum = fn_hasher_get(out->hasher);
  FN_TRY(fn_writer_patch(out->file, 0, header, sizeof *header, err));
  return fn_writer_commit(out->file, err);
}

fn_status fn_token_cache_writer_finish(fn_token_cache_writer *writer, fn_hash128 dataset, fn_err *err) {
  fn_tokens_header header = fn_tokens_make_header(dataset, writer->n_rows, writer->tokenizer, writer->vocab_size);
  header.n_ids = writer->n_ids;
  FN_AUTO_FREE char *folder = fn_path_join(writer->dir, "cache");
  FN_AUTO_FREE char *path = fn_tokens_path(writer->dir, writer->tokenizer);
  if (!folder || !path) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(folder, err));
  fn_writer FN_AUTO_WRITER file = {0};
  FN_TRY(fn_writer_open(&file, path, err));
  fn_hasher *hasher = fn_hasher_create(fn_hash64(&header, FN_TOKENS_CHECKSUM_AT, 0));
  if (!hasher) return fn_err_no_memory(err, "a token cache");
  const output out = {&file, hasher};
  fn_status status = write_file(&out, writer, &header, err);
  fn_hasher_destroy(hasher);
  return status;
}
