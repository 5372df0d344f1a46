/* Files that stand beside a run or a copy of a model, and that another process, a crash or another person may have
 * written: the journal of what a server has not got, the listing of files that are not stored, the seal of a copy.
 * First byte: which of them. Whatever they hold, reading ends with a verdict and stays in its folder. */
#include "fuzz.h"

#include "registry/model_copy.h"
#include "track/file_queue.h"
#include "track/journal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "in.txt" as the copy holds it. */
#define HELLO     "hello\n"
#define HELLO_SHA "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static const char *const names[] = {"track/mlflow.jsonl",
                                    "track/mlflow.sent",
                                    "track/mlflow.lock",
                                    "track/files.jsonl",
                                    "in.txt",
                                    "in.txt.checked",
                                    "track"};
static char folder[64];

static const char *inside(const char *name) {
  static char paths[2][128];
  static int turn;
  turn = !turn;
  snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
  return paths[turn];
}

static void remove_folder(void) {
  for (size_t i = 0; i + 1 < FN_COUNT_OF(names); i++) unlink(inside(names[i]));
  rmdir(inside("track"));
  rmdir(folder);
}

static void make_folder(void) {
  /* in memory where that is possible: each input writes its files anew */
  snprintf(folder, sizeof folder, "%s/fn-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  FUZZ_CHECK(mkdtemp(folder) && atexit(remove_folder) == 0);
  FUZZ_CHECK(fn_dir_create(inside("track"), NULL) == FN_OK);
}

static void put(const char *name, fn_str text) {
  FILE *file = fopen(inside(name), "wbe");
  FUZZ_CHECK(file && fwrite(text.data, 1, text.length, file) == text.length && fclose(file) == 0);
}

/* ---- the journal ---- */

/* All that waits, in pieces of up to 3 lines of which all but the last line are acknowledged first. Returns the lines.
 */
static size_t read_all(fn_journal *j) {
  FN_AUTO_BUF fn_buf lines;
  fn_buf_init(&lines, 0);
  size_t n_read = 0;
  for (;;) {
    const uint64_t waiting = fn_journal_n_waiting(j);
    if (fn_journal_read(&lines, j, 3, NULL) != FN_OK) return n_read; /* a line beyond its bound */
    if (lines.length == 0) {
      FUZZ_CHECK(waiting == 0);
      return n_read;
    }
    FUZZ_CHECK(lines.data[lines.length - 1] == '\n' && waiting > 0);
    size_t n = 0, first = 0;
    for (size_t at = 0; at < lines.length;) {
      const char *end = memchr(lines.data + at, '\n', lines.length - at);
      FN_AUTO_JSON json_t *json = NULL;
      fn_track_event event;
      const size_t length = (size_t)(end - lines.data) - at;
      if (fn_journal_parse(&event, &json, fn_str_make(lines.data + at, length), NULL) == FN_OK)
        FUZZ_CHECK(event.kind <= FN_TRACK_STATUS);
      at += length + 1;
      if (++n == 1) first = at;
    }
    FUZZ_CHECK(n <= 3);
    FUZZ_CHECK(fn_journal_advance(j, n > 1 ? first : lines.length, 1, NULL) == FN_OK);
    n_read++;
  }
}

static void journal(fn_str file, fn_str sent, bool has_sent) {
  fn_journal *j = NULL;
  char *uri = NULL;
  fn_err err = {0};
  const fn_journal_options options = {.folder = folder, .name = "mlflow", .max_bytes = 1 << 20};
  const fn_track_event event = {.kind = FN_TRACK_METRIC, .key = "train/loss", .number = 0.5, .step = 3, .time_ms = 4};
  put("track/mlflow.jsonl", file);
  unlink(inside("track/mlflow.sent"));
  if (has_sent) put("track/mlflow.sent", sent);
  FUZZ_CHECK(has_sent || fn_journal_waits(folder, "mlflow"));
  (void)fn_journal_was_killed(folder, "mlflow");
  if (fn_journal_uri(&uri, folder, "mlflow", NULL) == FN_OK) FUZZ_CHECK(*uri);
  free(uri);
  if (fn_journal_open(&j, &options, &err) != FN_OK) {
    FUZZ_CHECK(err.message[0]);
    return;
  }
  const fn_journal_head *head = fn_journal_head_of(j);
  FUZZ_CHECK(strlen(head->id) == FN_RUN_ID_LENGTH - 1 && head->name && head->experiment && head->user && head->uri);
  const uint64_t waiting = fn_journal_n_waiting(j);
  if (read_all(j) < waiting) { /* a line that is too long stops it for good */
    fn_journal_close(j);
    return;
  }
  FUZZ_CHECK(fn_journal_append(j, &event, 1, NULL) == FN_OK && fn_journal_n_waiting(j) == 1);
  fn_journal_close(j);
  FUZZ_CHECK(fn_journal_waits(folder, "mlflow"));
  FUZZ_CHECK(fn_journal_open(&j, &options, &err) == FN_OK); /* what was sent is known again: only this one waits */
  FUZZ_CHECK(fn_journal_n_waiting(j) == 1 && read_all(j) == 1);
  fn_journal_close(j);
  FUZZ_CHECK(!fn_journal_waits(folder, "mlflow"));
}

/* ---- the others ---- */

static void listing(fn_str text) {
  fn_file_listing first, again;
  put("track/files.jsonl", text);
  if (fn_file_listing_load(&first, folder, NULL) != FN_OK) return;
  const size_t n = strlen(folder);
  for (size_t i = 0; i < first.n; i++) {
    const fn_listed_file *file = &first.list[i];
    FUZZ_CHECK((strncmp(file->path, folder, n) == 0 && file->path[n] == '/') ||
               strcmp(fn_path_base(file->path), "prepare.json") == 0);
  }
  if (first.n > 0) {
    FUZZ_CHECK(fn_file_listing_save(folder, first.run, first.artifacts, first.list, first.n, NULL) == FN_OK);
    FUZZ_CHECK(fn_file_listing_load(&again, folder, NULL) == FN_OK && again.n == first.n);
    fn_file_listing_deinit(&again);
  }
  fn_file_listing_deinit(&first);
}

static bool holds(fn_str text, const char *part) {
  const size_t n = strlen(part);
  for (size_t i = 0; i + n <= text.length; i++)
    if (memcmp(text.data + i, part, n) == 0) return true;
  return false;
}

/* A seal that does not name the bytes' own hash never passes. */
static void seal(fn_str text) {
  bool whole = false;
  put("in.txt.checked", text);
  if (fn_copy_check(&whole, inside("in.txt"), NULL) == FN_OK && whole) FUZZ_CHECK(holds(text, HELLO_SHA));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 1 << 16) return 0;
  if (!*folder) make_folder();
  const fn_str text = fn_str_make((const char *)data + 1, size - 1);
  put("in.txt", fn_str_from(HELLO));
  if (data[0] == 'f') {
    listing(text);
  } else if (data[0] == 's') {
    seal(text);
  } else {
    const char *stop = memchr(text.data, 0xFF, text.length); /* never part of UTF-8 */
    const size_t n = stop ? (size_t)(stop - text.data) : text.length;
    journal(fn_str_make(text.data, n), stop ? fn_str_make(stop + 1, text.length - n - 1) : fn_str_make("", 0), stop);
  }
  return 0;
}
