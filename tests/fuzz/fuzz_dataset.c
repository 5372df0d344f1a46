/* The JSON files of a prepared dataset: any bytes end with a verdict; of a dataset that was accepted every row can be
 * read. Input: dataset_dict.json, 0xFF, train/state.json, 0xFF, train/dataset_info.json, 0xFF, train/a.arrow. An empty
 * or missing part stands for a good one.
 */
#include "data/dataset.h"
#include "data/dataset_writer.h"
#include "file.h"

enum { DICT, STATE, INFO, ARROW, N_FILES };
static const char *const names[N_FILES] = {"dataset_dict.json", "train/state.json", "train/dataset_info.json",
                                           "train/data-00000-of-00001.arrow"};

typedef struct world {
  char dir[64];
  fn_buf good[N_FILES];
  int fds[N_FILES];
} world;
static world w;

static void remove_all(void) {
  const fn_status removed = fn_dir_remove(w.dir, NULL);
  (void)removed;
  for (int i = 0; i < N_FILES; i++) fn_buf_deinit(&w.good[i]);
}

/* A dataset of two rows, then a file in memory in place of each of its files. */
static void make_world(void) {
  fn_err err = {0};
  fn_dataset_writer *writer = NULL;
  snprintf(w.dir, sizeof w.dir, "/tmp/fn-fuzz-XXXXXX");
  FUZZ_CHECK(mkdtemp(w.dir) != NULL && atexit(remove_all) == 0);
  FUZZ_CHECK(fn_dataset_writer_create(&writer, w.dir, &err) == FN_OK);
  for (int i = 0; i < 2; i++) {
    const fn_row row = {.title = fn_str_from("title"),
                        .text = fn_str_from("some text"),
                        .dataset = fn_str_from("alpha"),
                        .source = fn_str_from(""),
                        .label = i,
                        .cluster = i,
                        .row = i,
                        .hash = fn_str_from("0123456789abcdef0123456789abcdef")};
    FUZZ_CHECK(fn_dataset_writer_append(writer, FN_SPLIT_TRAIN, &row, &err) == FN_OK);
  }
  FUZZ_CHECK(fn_dataset_writer_finish(writer, NULL, &err) == FN_OK);
  fn_dataset_writer_destroy(writer);
  for (int i = 0; i < N_FILES; i++) {
    char path[160], target[32];
    snprintf(path, sizeof path, "%s/%s", w.dir, names[i]);
    FUZZ_CHECK(fn_file_read(&w.good[i], path, 1 << 20, &err) == FN_OK);
    w.fds[i] = fuzz_memory_file();
    fuzz_memory_path(target, w.fds[i]);
    FUZZ_CHECK(unlink(path) == 0 && symlink(target, path) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 14) return 0;
  if (!w.dir[0]) make_world();
  for (int i = 0; i < N_FILES; i++) {
    size_t length = size;
    const uint8_t *part = i < ARROW ? fuzz_take(&length, &data, &size) : data;
    if (length > 0)
      fuzz_memory_set(w.fds[i], part, length);
    else
      fuzz_memory_set(w.fds[i], w.good[i].data, w.good[i].length);
  }
  fn_dataset *dataset = NULL;
  fn_err err = {0};
  const fn_status status = fn_dataset_open(&dataset, w.dir, &err);
  FUZZ_CHECK(status == FN_OK ? dataset != NULL : !dataset && strncmp(err.message, w.dir, strlen(w.dir)) == 0);
  if (!dataset) return 0;
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < fn_dataset_n_rows(dataset, (fn_split)s); i++) {
      fn_row row;
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      FUZZ_CHECK((row.label == 0 || row.label == 1) && row.hash.length == 32);
    }
  fn_dataset_close(dataset);
  return 0;
}
