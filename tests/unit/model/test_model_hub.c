/* Names of models: directories, the local Hub cache, misses that say how to download. */
#include "../test.h"
#include "model/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[64];

static const char *under(const char *tail) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", root, tail);
  return path;
}

static void put(const char *tail, const char *text) {
  char dir[512];
  fn_err err = {0};
  snprintf(dir, sizeof dir, "%s", under(tail));
  *strrchr(dir, '/') = '\0';
  assert_int_equal(fn_dir_create(dir, &err), FN_OK);
  assert_int_equal(fn_file_write(under(tail), text, strlen(text), &err), FN_OK);
}

static int set_up(void **state) {
  (void)state;
  snprintf(root, sizeof root, "/tmp/fn-hub-XXXXXX");
  if (!mkdtemp(root)) return 1;
  static const char *const snapshots[] = {"hub/models--o--n/snapshots/abc123", "hub/models--plain/snapshots/def",
                                          "hub/models--o--old/snapshots/e1"};
  for (size_t i = 0; i < FN_COUNT_OF(snapshots); i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/config.json", snapshots[i]);
    put(path, "{}");
    snprintf(path, sizeof path, "%s/%s", snapshots[i], i == 1 ? "model.safetensors.index.json" : "model.safetensors");
    put(path, "");
    snprintf(path, sizeof path, "%s/%s", snapshots[i], i == 1 ? "vocab.txt" : "tokenizer.json");
    put(path, "");
  }
  put("hub/models--o--n/refs/main", "abc123\n");
  put("hub/models--o--n/refs/refs/pr/1", "abc123");
  put("hub/models--plain/refs/main", "def");
  put("hub/models--o--half/refs/main", "f0");
  put("hub/models--o--half/snapshots/f0/config.json", "{}");
  put("hub/models--o--evil/refs/main", "../../models--o--n/snapshots/abc123");
  put("file", "");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  fn_err err = {0};
  return fn_dir_remove(root, &err) == FN_OK ? 0 : 1;
}

static void finds(const char *name, const char *tail) {
  char hub[128];
  snprintf(hub, sizeof hub, "%s/hub", root);
  char *dir = NULL;
  fn_err err = {0};
  if (fn_hub_resolve(&dir, name, hub, &err) != FN_OK) fail_msg("%s: %s", name, err.message);
  assert_string_equal(dir, under(tail));
  free(dir);
}

static void misses(const char *name, fn_status expected, const char *says) {
  char hub[128];
  snprintf(hub, sizeof hub, "%s/hub", root);
  char *dir = NULL;
  fn_err err = {0};
  fn_status status = fn_hub_resolve(&dir, name, hub, &err);
  if (status != expected || !strstr(err.message, says))
    fail_msg("%s gives %s: %s\n  expected … %s", name, fn_status_name(status), err.message, says);
  assert_null(dir);
}

static void test_directory(void **state) {
  (void)state;
  char path[128];
  snprintf(path, sizeof path, "%s/hub", root);
  finds(path, "hub");
  snprintf(path, sizeof path, "%s/file", root);
  misses(path, FN_E_INVALID, "a file; accepted is a Hugging Face directory");
}

static void test_cache(void **state) {
  (void)state;
  finds("o/n", "hub/models--o--n/snapshots/abc123");
  finds("plain", "hub/models--plain/snapshots/def");
  finds("o/n@main", "hub/models--o--n/snapshots/abc123");
  finds("o/n@refs/pr/1", "hub/models--o--n/snapshots/abc123");
  finds("o/n@abc123", "hub/models--o--n/snapshots/abc123");
  finds("o/old@e1", "hub/models--o--old/snapshots/e1");
}

static void test_misses_say_how_to_download(void **state) {
  (void)state;
  misses("o/none", FN_E_NOT_FOUND, "\n  hf download o/none config.json model.safetensors tokenizer.json");
  misses("o/none", FN_E_NOT_FOUND, "o/none: neither a directory nor a model in the local Hub cache (looked in /tmp/");
  misses("o/n@v2", FN_E_NOT_FOUND, "hf download o/n --revision v2 config.json");
  misses("o/old", FN_E_NOT_FOUND, "hf download o/old config.json"); /* a snapshot, but not as main */
  misses("o/half", FN_E_NOT_FOUND, "not complete in the local Hub cache");
}

static void test_never_leaves_the_cache(void **state) {
  (void)state;
  static const char *const names[] = {"../n", "o/..", "o/n/more", "/nonexistent", "./o",  "o/n@../x",
                                      "o/n@", "",     "o//n",     "o/n\nx",       "-o/n", "o/n@a//b"};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) misses(names[i], FN_E_NOT_FOUND, "no such directory; accepted is");
  misses("o/evil", FN_E_INVALID, "must hold the name of a commit");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_directory),
      cmocka_unit_test(test_cache),
      cmocka_unit_test(test_misses_say_how_to_download),
      cmocka_unit_test(test_never_leaves_the_cache),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
