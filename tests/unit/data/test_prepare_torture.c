/* The n-th allocation fails, n = 1, 2, …, through a whole `data prepare`: every time the call says so, nothing is left
 * in the folder, and (under the address sanitizer) nothing leaks. */
#include "../failing.h"
#include "data/labels.h"
#include "data/prepare.h"
#include "data/stats.h"
#include "rows.h"

static void write_inputs(const char *dir) {
  fn_buf FN_AUTO_BUF csv = {0}, lines = {0};
  fn_buf_append_str(&csv, "title,text,label,source\n");
  for (int i = 0; i < 24; i++) fn_buf_printf(&csv, "t%d,TOWN (Reuters) - he is %d,%d,s%d\n", i, i * 7, i % 2, i % 5);
  for (int i = 0; i < 12; i++)
    fn_buf_printf(&lines, "{\"title\":\"j%d\",\"text\":\"%d and more\",\"label\":%d,\"source\":\"s%d\"}\n", i, i * 3,
                  i % 2, i % 5);
  write_text(dir, "a.csv", csv.data);
  write_text(dir, "b.jsonl", lines.data);
}

static size_t count_names(const char *dir) {
  fn_err err = {0};
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, dir, &err));
  free(names);
  return n;
}

static void preparing(fn_split_mode mode) {
  char dir[64], a[256], b[256], out[256];
  make_quick_folder(dir);
  write_inputs(dir);
  const fn_prepare_input inputs[] = {{in_folder(a, dir, "a.csv"), FN_LABEL_UNKNOWN, NULL},
                                     {in_folder(b, dir, "b.jsonl"), FN_LABEL_UNKNOWN, NULL}};
  const fn_prepare_request request = {
      .inputs = inputs, .n_inputs = 2, .out = in_folder(out, dir, "out"), .version = "torture"};
  fn_err err = {0};
  fn_arena arena;
  fn_arena_init(&arena);
  fn_data_options options;
  assert_ok(fn_options_default(&options, &arena, &fn_data_option_table, &err));
  options.split = (int)mode;
  fn_prepared *prepared = NULL;
  size_t n = 1;
  for (;; n++) {
    countdown = n;
    fn_status status = fn_prepare_run(&prepared, &request, &options, &err);
    bool reached = countdown == 0;
    countdown = 0;
    if (!reached) {
      assert_ok(status);
      break;
    }
    if (status == FN_OK) { /* an allocation that can be done without: the names in a message, a folder's listing */
      fn_prepared_destroy(prepared);
      assert_ok(fn_dir_remove(out, &err));
      continue;
    }
    if (fn_status_exit_code(status) != 1) fail_msg("allocation %zu: %s: %s", n, fn_status_name(status), err.message);
    assert_int_equal(count_names(dir), 2);
  }
  assert_true(n > 100);
  fn_prepared_destroy(prepared);
  fn_dataset_stats *stats = NULL;
  for (n = 1;; n++) {
    countdown = n;
    fn_status status = fn_dataset_stats_compute(&stats, out, &err);
    bool reached = countdown == 0;
    countdown = 0;
    if (status == FN_OK) fn_dataset_stats_destroy(stats);
    if (!reached) break;
  }
  fn_arena_deinit(&arena);
  remove_folder(dir);
}

static void random_split(void **state) {
  (void)state;
  preparing(FN_SPLIT_RANDOM);
}
static void group_split(void **state) {
  (void)state;
  preparing(FN_SPLIT_GROUP);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_split),
      cmocka_unit_test(group_split),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
