/* The n-th allocation fails, n = 1, 2, …, through writing, opening, indexing, caching and batching a dataset: every
 * time the call says so, gives nothing out, and (under the address sanitizer) leaks nothing. */
#include "../failing.h"
#include "rows.h"

enum { N_ROWS = 3 };

static fn_status write_rows(const char *dir, fn_err *err) {
  fn_dataset_writer *writer = NULL;
  fn_status status = fn_dataset_writer_create(&writer, dir, err);
  for (size_t i = 0; status == FN_OK && i < N_ROWS; i++) {
    made_row made;
    make_row(&made, 1, i);
    status = fn_dataset_writer_append(writer, (fn_split)i, &made.row, err);
  }
  if (status == FN_OK) status = fn_dataset_writer_finish(writer, NULL, err);
  fn_dataset_writer_destroy(writer);
  return status;
}

static fn_status open_dataset(const char *dir, fn_err *err) {
  fn_dataset *dataset = NULL;
  fn_status status = fn_dataset_open(&dataset, dir, err);
  if (status != FN_OK) assert_null(dataset);
  fn_dataset_close(dataset);
  return status;
}

/* Five tokens for any text. */
static fn_status encode_five(fn_tokens *tokens, const void *arg, fn_str text, fn_err *err) {
  (void)arg;
  (void)text;
  FN_TRY(fn_mem_grow((void **)&tokens->ids, &tokens->capacity, 5, sizeof *tokens->ids, 8, "tokens", err));
  for (int32_t i = 0; i < 5; i++) tokens->ids[i] = i;
  tokens->n = 5;
  return FN_OK;
}

static fn_dataset *opened; /* for the rounds below */

static fn_status make_cache(const char *dir, fn_err *err) {
  (void)dir;
  fn_encoder encoder = {encode_five, NULL, {1, 2}, 10};
  fn_token_cache *cache = NULL;
  fn_status status = fn_token_cache_open_with(&cache, opened, &encoder, NULL, err);
  if (status == FN_OK)
    assert_int_equal(fn_token_cache_n_ids(cache), 10 * N_ROWS);
  else
    assert_null(cache);
  fn_token_cache_close(cache);
  return status;
}

static fn_status index_rows(const char *dir, fn_err *err) {
  (void)dir;
  fn_row_index index = {0};
  fn_status status = fn_row_index_build(&index, opened, FN_SPLIT_TRAIN, NULL, err);
  if (status == FN_OK) fn_row_index_deinit(&index);
  return status;
}

static fn_status append_sequences(const char *dir, fn_err *err) {
  (void)dir;
  static const int32_t ids[30] = {0};
  const fn_tokenizer_info info = {.vocab_size = 10, .cls_id = 1, .sep_id = 2};
  const fn_sequence_options options = {FN_TEXT_TITLE_TEXT, 64};
  fn_batch batch;
  fn_batch_init(&batch);
  fn_status status = FN_OK;
  for (int32_t i = 0; status == FN_OK && i < 20; i++) {
    status = fn_batch_append(&batch, &info, &(fn_article_ids){ids, ids, 30, 30}, 0, &options, 0, 1, 0, 0, err);
    assert_int_equal(batch.B, i + (status == FN_OK));
    assert_int_equal(batch.T, 63 * batch.B);
  }
  fn_batch_deinit(&batch);
  return status;
}

/* Lets allocation 1, 2, … of `call` fail until it passes without one. clean: the folder is made anew each round.
 * tolerant: a failure need not become the call's, as when only the cache's file is not kept. */
static void torture(fn_status (*call)(const char *dir, fn_err *err), char *dir, bool clean, bool tolerant) {
  for (size_t n = 1;; n++) {
    fn_err err = {0};
    n_failed = 0;
    countdown = n;
    fn_status status = call(dir, &err);
    countdown = 0;
    if (n_failed == 0) {
      assert_ok(status);
      assert_true(n > 1); /* something was allocated at all */
      return;
    }
    if (!tolerant || status != FN_OK) {
      assert_status(status, FN_E_NO_MEMORY);
      assert_true(err.message[0] != 0);
    }
    if (clean) {
      remove_folder(dir);
      make_quick_folder(dir);
    }
    assert_true(n < 10000);
  }
}

static void test_torture(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[64], path[256];
  make_quick_folder(dir);
  torture(write_rows, dir, true, false);
  torture(open_dataset, dir, false, false);
  assert_ok(fn_dataset_open(&opened, dir, &err));
  torture(index_rows, dir, false, false);
  torture(append_sequences, dir, false, false);
  torture(make_cache, dir, false, true);
  assert_ok(fn_dir_remove(in_folder(path, dir, "cache"), &err));
  write_text(dir, "cache", "no folder"); /* the ids stay in memory */
  torture(make_cache, dir, false, true);
  fn_dataset_close(opened);
  remove_folder(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_torture)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
