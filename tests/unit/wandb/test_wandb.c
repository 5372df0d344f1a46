/* The file that the wandb package reads: its frames, and a record by its bytes. The package itself judges in
 * tests/judge/test_wandb.py. */
#include "../test.h"
#include "wandb/log.h"
#include "wandb/records.h"
#include "wandb/wandb.h"

#include <math.h>
#include <unistd.h>
#include <zlib.h>

static char path[] = "/tmp/fn-wandb-XXXXXX";

/* Reads the records of a file as a strict reader would; their lengths in order. */
static size_t read_lengths(size_t lengths[16], const fn_buf *file) {
  const unsigned char *bytes = (const unsigned char *)file->data;
  size_t n = 0, at = FN_WANDB_HEAD, record = 0;
  while (at < file->length) {
    const size_t room = FN_WANDB_BLOCK - at % FN_WANDB_BLOCK;
    if (room < 7) {
      for (size_t i = 0; i < room; i++) assert_int_equal(bytes[at + i], 0);
      at += room;
      continue;
    }
    const unsigned char *head = bytes + at;
    const size_t length = (size_t)head[4] | (size_t)head[5] << 8;
    const unsigned long said = (unsigned long)head[0] | (unsigned long)head[1] << 8 | (unsigned long)head[2] << 16 |
                               (unsigned long)head[3] << 24;
    assert_true(length + 7 <= room && at + 7 + length <= file->length);
    assert_int_equal(crc32(crc32(0, head + 6, 1), head + 7, (unsigned)length), said);
    assert_int_equal(head[6] == 1 || head[6] == 2, record == 0); /* FULL and FIRST begin one */
    record += length;
    at += 7 + length;
    if (head[6] != 1 && head[6] != 4) continue;
    lengths[n++] = record;
    record = 0;
  }
  assert_int_equal(record, 0);
  return n;
}

/* Records that end just before, at and after a block's end, an empty one, and one of several blocks. */
static void test_frames(void **state) {
  (void)state;
  static const size_t wanted[] = {FN_WANDB_BLOCK - FN_WANDB_HEAD - 7 - 3, 100, 0, FN_WANDB_BLOCK - 7, 100000, 1};
  fn_err err = {0};
  fn_wandb_log *log;
  size_t lengths[16];
  char *text = fn_mem_calloc(1, 100000);
  fn_buf file;
  fn_buf_init(&file, 0);
  close(mkstemp(path));
  assert_status(fn_wandb_log_create(&log, path, &err), FN_E_IO); /* it is there */
  assert_int_equal(unlink(path), 0);
  assert_ok(fn_wandb_log_create(&log, path, &err));
  for (size_t i = 0; i < FN_COUNT_OF(wanted); i++) {
    memset(text, (int)('a' + i), wanted[i]);
    fn_wandb_log_add(log, fn_str_make(text, wanted[i]));
    if (i % 2) assert_ok(fn_wandb_log_flush(log, &err));
  }
  assert_ok(fn_wandb_log_flush(log, &err));
  assert_ok(fn_wandb_log_close(log, &err));
  assert_ok(fn_file_read(&file, path, 1 << 20, &err));
  assert_memory_equal(file.data, ":W&B\xE1\xBE\0", FN_WANDB_HEAD);
  assert_int_equal(read_lengths(lengths, &file), FN_COUNT_OF(wanted));
  assert_memory_equal(lengths, wanted, sizeof wanted);
  unlink(path);
  fn_buf_deinit(&file);
  free(text);
}

/* Record{num: 3, history: {item: [{nested_key: ["train/loss"], value_json: "0.5"}], step: {num: 7}}} in protobuf's
 * encoding, written out by hand. */
static void test_history(void **state) {
  (void)state;
  const char *const key[] = {"train/loss"};
  const fn_wandb_item item = {.path = key, .n_path = 1, .json = "0.5"};
  fn_buf out;
  fn_buf_init(&out, 0);
  fn_wandb_put_history(&out, 3, &item, 1, 7);
  assert_false(out.failed);
  static const char expected[] = "\x08\x03" /* num */
                                 "\x12\x18" /* history, 24 bytes */
                                 "\x0A\x12" /* item, 18 bytes */
                                 "\x12\x0A"
                                 "train/loss"
                                 "\x82\x01\x03"
                                 "0.5"
                                 "\x12\x02\x08\x07"; /* step */
  assert_int_equal(out.length, sizeof expected - 1);
  assert_memory_equal(out.data, expected, sizeof expected - 1);
  fn_buf_deinit(&out);
}

/* ---- the sink ---- */

static fn_sink begin_sink(const char *dir, int64_t resume_step) {
  fn_err err = {0};
  fn_sink sink;
  fn_run_info run = {.name = "probe", .start_ms = 5, .folder = dir};
  fn_run_id_make(run.id, (const unsigned char *)"0123456789abcdef");
  const fn_wandb_sink_options options = {.run = &run, .dir = dir, .id = "unit", .resume_step = resume_step};
  assert_ok(fn_wandb_sink_create(&sink, &options, &err));
  return sink;
}

static void tell(const fn_sink *sink, const fn_track_event *event) {
  fn_err err = {0};
  assert_ok(sink->log(sink->self, event, 1, &err));
}

static void tell_metric(const fn_sink *sink, const char *key, double value, int64_t step) {
  const fn_track_event e = {.kind = FN_TRACK_METRIC, .key = key, .number = value, .step = step, .time_ms = 1000 + step};
  tell(sink, &e);
}

/* Whether the file of the latest folder holds a text. */
static bool holds(const char *dir, const char *text) {
  fn_err err = {0};
  char file[128];
  fn_buf bytes;
  fn_buf_init(&bytes, 0);
  (void)snprintf(file, sizeof file, "%s/wandb/latest-run/run-unit.wandb", dir);
  assert_ok(fn_file_read(&bytes, file, 1 << 20, &err));
  bool found = false;
  for (size_t i = 0; i + strlen(text) <= bytes.length && !found; i++)
    found = memcmp(bytes.data + i, text, strlen(text)) == 0;
  fn_buf_deinit(&bytes);
  return found;
}

/* The first look at the machine comes before all else; the last row stands in no file when the process is killed. */
static void test_nothing_is_lost(void **state) {
  (void)state;
  fn_err err = {0};
  char dir[] = "/tmp/fn-wandb-XXXXXX", row[64];
  assert_non_null(mkdtemp(dir));
  (void)snprintf(row, sizeof row, "%s/track", dir);
  assert_ok(fn_dir_create(row, &err));
  (void)snprintf(row, sizeof row, "%s/track/wandb.row", dir);
  fn_sink sink = begin_sink(dir, -1);
  const fn_track_event parameter = {.kind = FN_TRACK_PARAM, .key = "lr", .value = "0.25"};
  tell_metric(&sink, "system/cpu_utilization_percentage", 77.125, 0);
  tell(&sink, &parameter);
  tell_metric(&sink, "train/loss", 0.5, 7);
  tell_metric(&sink, "train/loss", 0.625, 8);
  tell_metric(&sink, "train/odd", (double)NAN, 8);
  sink.destroy(sink.self); /* as if it were killed: never closed */
  assert_true(holds(dir, "77.125") && holds(dir, "0.5") && !holds(dir, "0.625"));

  sink = begin_sink(dir, 7); /* from a checkpoint before it: the step comes again */
  tell_metric(&sink, "train/loss", 0.75, 8);
  tell_metric(&sink, "train/loss", 0.875, 9);
  assert_true(holds(dir, "0.75") && !holds(dir, "0.625"));
  sink.destroy(sink.self);
  sink = begin_sink(dir, 9);
  tell_metric(&sink, "train/loss", 0.9375, 10);
  assert_true(holds(dir, "0.875") && !holds(dir, "0.9375"));
  assert_ok(sink.close(sink.self, UINT64_MAX, &err));
  sink.destroy(sink.self);
  assert_true(holds(dir, "0.9375") && !fn_path_exists(row));
  assert_ok(fn_dir_remove(dir, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames), cmocka_unit_test(test_history),
                                     cmocka_unit_test(test_nothing_is_lost)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
