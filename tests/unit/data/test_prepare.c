#include "../test.h"
#include "data/duplicates.h"
#include "data/labels.h"
#include "data/names.h"
#include "data/prepare.h"
#include "rows.h"

/* A folder, settings and one run. */
typedef struct bench {
  char *dir, *out; /* [64], [256] */
  fn_arena arena;
  fn_data_options options;
  fn_prepare_input inputs[4];
  char *paths[4]; /* [256] */
  size_t n_inputs;
  fn_prepared *prepared;
  fn_err err;
} bench;

static void begin(bench *b) {
  fn_err err = {0};
  *b = (bench){.dir = malloc(64), .out = malloc(256)};
  make_folder(b->dir);
  in_folder(b->out, b->dir, "out");
  fn_arena_init(&b->arena);
  assert_ok(fn_options_default(&b->options, &b->arena, &fn_data_option_table, &err));
  b->options.rules = "none";
}

static void end(bench *b) {
  fn_prepared_destroy(b->prepared);
  fn_arena_deinit(&b->arena);
  remove_folder(b->dir);
  free(b->dir);
  free(b->out);
}

static void add_input(bench *b, const char *name, const char *text, int label) {
  write_text(b->dir, name, text);
  char *path = b->paths[b->n_inputs] = fn_arena_alloc(&b->arena, 256, 1);
  in_folder(path, b->dir, name);
  b->inputs[b->n_inputs++] = (fn_prepare_input){path, label, label < 0 ? NULL : fn_label_name(label)};
}

static fn_status run(bench *b) {
  fn_prepare_request request = {.inputs = b->inputs, .n_inputs = b->n_inputs, .out = b->out, .version = "test"};
  fn_prepared_destroy(b->prepared);
  b->prepared = NULL;
  b->err = (fn_err){0};
  return fn_prepare_run(&b->prepared, &request, &b->options, &b->err);
}

static void add_random_rows(bench *b) {
  FN_AUTO_BUF fn_buf csv;
  fn_buf_init(&csv, 1 << 16);
  fn_buf_append_str(&csv, "title,text,label\n");
  for (int i = 0; i < 60; i++) fn_buf_printf(&csv, "t%d,text %d %d,%d\n", i, i, i * 7, i % 2);
  add_input(b, "rows.csv", csv.data, FN_LABEL_UNKNOWN);
}

static void run_ok(bench *b) {
  if (run(b) != FN_OK) fail_msg("%s", b->err.message);
}

/* "title: splits" of the written rows, sorted by row. */
static void check_rows(const bench *b, const char *expected) {
  fn_err err = {0};
  fn_dataset *dataset;
  fn_buf FN_AUTO_BUF got = {0};
  assert_ok(fn_dataset_open(&dataset, b->out, &err));
  for (int64_t want = 0; want < 200; want++)
    for (int s = 0; s < FN_SPLIT_COUNT; s++)
      for (size_t i = 0; i < fn_dataset_n_rows(dataset, (fn_split)s); i++) {
        fn_row row;
        fn_dataset_get(&row, dataset, (fn_split)s, i);
        if (row.row != want) continue;
        fn_buf_printf(&got, "%.*s/%s/%c/%.*s/%d ", (int)row.title.length, row.title.data, row.label ? "fake" : "real",
                      "tvs"[s], (int)row.dataset.length, row.dataset.data, (int)row.cluster);
      }
  fn_dataset_close(dataset);
  if (strcmp(got.data ? got.data : "", expected) != 0) fail_msg("got\n%s\nexpected\n%s", got.data, expected);
}

#define TEXT_A "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
#define TEXT_B "red green blue white black brown pink grey cyan gold silver violet orange yellow purple teal"

/* Copies over given splits: the one in the later split stays, and each row that goes is counted once. */
static void given_splits_and_copies(void **state) {
  (void)state;
  bench b;
  begin(&b);
  b.options.split = FN_SPLIT_GIVEN;
  add_input(&b, "x.csv",
            "title,text,label,split\n"
            "a," TEXT_A ",0,train\n"             /* 0: its near copy is in test */
            "b," TEXT_B ",1,train\n"             /* 1: an exact copy is in validation */
            "b," TEXT_B ",1,val\n"               /* 2: stays */
            "a," TEXT_A " seventeen,0,test\n"    /* 3: stays */
            "c,cc,0,train\n"                     /* 4 */
            "C, cc ,0,train\n"                   /* 5: an exact copy in the same split */
            "d,dd,1,train\n"                     /* 6 */
            "e,ee,0,dev\n"                       /* 7 */
            "f,ff,1,test\n"                      /* 8 */
            "g,gg,0,train\ng,gg,1,test\n"        /* 9, 10: one text, two labels */
            "h," TEXT_A " " TEXT_B ",0,train\n"  /* 11: near copy of the next, other label */
            "h," TEXT_A " " TEXT_B " x,1,test\n" /* 12 */
            ",\" \n\",1,train\n"                 /* 13: empty */
            "i,ii,,train\n",                     /* 14: no label */
            FN_LABEL_UNKNOWN);
  run_ok(&b);
  check_rows(&b, "b/fake/v/x/1 a/real/s/x/0 c/real/t/x/4 d/fake/t/x/6 e/real/v/x/7 f/fake/s/x/8 ");
  const fn_prepare_report *r = fn_prepared_report(b.prepared);
  const uint64_t expected[FN_DROP_COUNT] = {
      [FN_DROP_NO_LABEL] = 1,      [FN_DROP_EMPTY] = 1, [FN_DROP_CONFLICT_EXACT] = 2,
      [FN_DROP_CONFLICT_NEAR] = 2, [FN_DROP_EXACT] = 1, [FN_DROP_TRAIN_COPY] = 2};
  assert_memory_equal(r->dropped, expected, sizeof expected);
  uint64_t sum = r->n_kept;
  for (int d = 0; d < FN_DROP_COUNT; d++) sum += r->dropped[d];
  assert_int_equal(sum, r->n_read);
  assert_int_equal(r->n_read, 15);
  assert_int_equal(r->n_exact_groups, 3);
  assert_int_equal(r->n_near_clusters, 2);
  end(&b);
}

/* In a random split near copies stay, together; exact ones are kept once. */
static void random_splits_keep_clusters_whole(void **state) {
  (void)state;
  bench b;
  begin(&b);
  fn_buf FN_AUTO_BUF csv = {0};
  fn_buf_append_str(&csv, "title,text,label\n");
  for (int i = 0; i < 60; i++) {
    fn_buf_printf(&csv, "t%d,", i / 2);
    for (int w = 0; w < 30; w++) fn_buf_printf(&csv, "w%d ", i / 2 * 100 + w); /* pairs of near copies */
    fn_buf_printf(&csv, "%s,%d\n", i % 2 ? "more" : "", i / 2 % 2);
  }
  fn_buf_append_str(&csv, "t0,x,0\nt0,x,0\n");
  add_input(&b, "x.csv", csv.data, FN_LABEL_UNKNOWN);
  run_ok(&b);
  const fn_prepare_report *r = fn_prepared_report(b.prepared);
  assert_int_equal(r->n_near_clusters, 30);
  assert_int_equal(r->n_near_rows, 60);
  assert_int_equal(r->dropped[FN_DROP_EXACT], 1);
  assert_int_equal(r->n_kept, 61);
  fn_err err = {0};
  fn_dataset *dataset;
  assert_ok(fn_dataset_open(&dataset, b.out, &err));
  int split_of[64];
  memset(split_of, -1, sizeof split_of);
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < fn_dataset_n_rows(dataset, (fn_split)s); i++) {
      fn_row row;
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      assert_true(split_of[row.cluster] < 0 || split_of[row.cluster] == s);
      split_of[row.cluster] = s;
      if (i) {
        fn_row before;
        fn_dataset_get(&before, dataset, (fn_split)s, i - 1);
        assert_true(before.row < row.row); /* in order of input */
      }
    }
  fn_dataset_close(dataset);
  end(&b);
}

/* Rows of one group go to one split, unknown groups of a dataset are one group, and copies across groups are resolved.
 */
static void groups_stay_whole(void **state) {
  (void)state;
  bench b;
  begin(&b);
  b.options.split = FN_SPLIT_GROUP;
  fn_buf FN_AUTO_BUF csv = {0};
  fn_buf_append_str(&csv, "title,text,label,source\n");
  for (int i = 0; i < 120; i++)
    fn_buf_printf(&csv, "t%d,u%d v%d w%d,%d,%s%d\n", i, i, i, i, i / 2 % 2, i < 100 ? "s" : " ", i < 100 ? i / 10 : 0);
  for (int i = 0; i < 20; i++) /* a copy of each of twenty texts under another source */
    fn_buf_printf(&csv, "t%d,u%d v%d w%d,%d,mirror\n", i * 5, i * 5, i * 5, i * 5, i * 5 / 2 % 2);
  for (char *p = csv.data; (p = strstr(p, ", 0\n"));) memmove(p + 1, p + 3, strlen(p + 3) + 1); /* no source */
  add_input(&b, "x.csv", csv.data, FN_LABEL_UNKNOWN);
  run_ok(&b);
  const fn_prepare_report *r = fn_prepared_report(b.prepared);
  assert_int_equal(r->n_groups, 12);
  fn_err err = {0};
  fn_dataset *dataset;
  assert_ok(fn_dataset_open(&dataset, b.out, &err));
  fn_names names;
  fn_names_init(&names);
  int split_of[32], unknown = 0;
  bool title_seen[128] = {0};
  memset(split_of, -1, sizeof split_of);
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < fn_dataset_n_rows(dataset, (fn_split)s); i++) {
      fn_row row;
      uint32_t number;
      int64_t title;
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      assert_ok(fn_names_add(&number, &names, row.source, &err));
      assert_true(split_of[number] < 0 || split_of[number] == s);
      split_of[number] = s;
      unknown += row.source.length == 0;
      /* a text may stand twice in one split (two sources), never in two splits */
      assert_true(fn_str_to_int64(&title, fn_str_make(row.title.data + 1, row.title.length - 1)));
      assert_false(title_seen[title]);
      title_seen[title] = true;
    }
  assert_int_equal(unknown, 20);
  for (int i = 0; i < 120; i++) assert_true(title_seen[i]);
  fn_names_deinit(&names);
  fn_dataset_close(dataset);
  end(&b);
}

/* The text that counts is the one that data.text names. */
static void title_alone(void **state) {
  (void)state;
  bench b;
  begin(&b);
  b.options.split = FN_SPLIT_GIVEN;
  b.options.text = FN_TEXT_TITLE;
  add_input(&b, "x.csv",
            "title,label,split,body\n"
            "same title here,0,train,x\nsame title here,0,test,y\n,1,train,z\nq,1,train,\nr,0,train,\n"
            "k,0,val,\nl,1,val,\nm,1,test,\n",
            FN_LABEL_UNKNOWN);
  run_ok(&b);
  const fn_prepare_report *r = fn_prepared_report(b.prepared);
  assert_int_equal(r->dropped[FN_DROP_EMPTY], 1);
  assert_int_equal(r->dropped[FN_DROP_TRAIN_COPY], 1);
  check_rows(&b, "same title here/real/s/x/0 q/fake/t/x/3 r/real/t/x/4 k/real/v/x/5 l/fake/v/x/6 m/fake/s/x/7 ");
  end(&b);
}

static void labelled_files_are_one_dataset(void **state) {
  (void)state;
  bench b;
  begin(&b);
  fn_buf FN_AUTO_BUF fake = {0}, real = {0};
  fn_buf_append_str(&fake, "title,text\n");
  fn_buf_append_str(&real, "title,text\n");
  for (int i = 0; i < 20; i++) {
    fn_buf_printf(&fake, "f%d,text f%d\n", i, i);
    fn_buf_printf(&real, "r%d,text r%d\n", i, i);
  }
  add_input(&b, "Fake.csv", fake.data, FN_LABEL_FAKE);
  add_input(&b, "True.csv", real.data, FN_LABEL_REAL);
  run_ok(&b);
  const fn_prepare_report *r = fn_prepared_report(b.prepared);
  assert_int_equal(r->n_sets, 1);
  assert_true(fn_str_is(r->sets[0].name, "Fake+True"));
  assert_int_equal(r->n_split[0][0] + r->n_split[1][0] + r->n_split[2][0], 20);
  assert_string_equal(r->files[0].label, "fake");
  assert_int_equal(r->n_values, 2);
  end(&b);
}

/* Same inputs, same bytes, also with other numbers of threads; and nothing is left beside the output. */
static void is_deterministic(void **state) {
  (void)state;
  fn_err err = {0};
  bench b;
  begin(&b);
  fn_buf FN_AUTO_BUF csv = {0};
  fn_buf_append_str(&csv, "title,text,label\n");
  for (int i = 0; i < 700; i++)
    fn_buf_printf(&csv, "t%d,#%d this is text %d of many (Reuters) - x,%d\n", i, i / 3, i / 3, i / 3 % 2);
  add_input(&b, "x.csv", csv.data, FN_LABEL_UNKNOWN);
  b.options.rules = "default";
  fn_buf first[4] = {{0}};
  static const char *const files[] = {"prepare.json", "train/data-00000-of-00001.arrow",
                                      "validation/data-00000-of-00001.arrow", "test/data-00000-of-00001.arrow"};
  for (int threads = 1; threads <= 3; threads++) {
    fn_pool *pool;
    assert_ok(fn_pool_create(&pool, threads, &err));
    fn_prepare_request request = {
        .inputs = b.inputs, .n_inputs = 1, .out = b.out, .version = "v", .pool = pool, .replace = true};
    fn_prepared *prepared;
    assert_ok(fn_prepare_run(&prepared, &request, &b.options, &err));
    fn_prepared_destroy(prepared);
    fn_pool_destroy(pool);
    for (size_t f = 0; f < 4; f++) {
      char path[512];
      fn_buf FN_AUTO_BUF now = {0};
      assert_ok(fn_file_read(&now, in_folder(path, b.out, files[f]), 1 << 24, &err));
      if (threads == 1)
        fn_buf_append(&first[f], now.data, now.length);
      else if (!fn_str_equal(fn_buf_str(&first[f]), fn_buf_str(&now)))
        fail_msg("%s differs with %d threads", files[f], threads);
    }
  }
  for (size_t f = 0; f < 4; f++) fn_buf_deinit(&first[f]);
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, b.dir, &err));
  assert_int_equal(n, 2); /* out, x.csv */
  free(names);
  end(&b);
}

static void refuse(bench *b, fn_status status, const char *message) {
  fn_status got = run(b);
  if (got != status || !strstr(b->err.message, message))
    fail_msg("%s: %s; expected %s: %s", fn_status_name(got), b->err.message, fn_status_name(status), message);
  assert_false(fn_path_exists(b->out));
  fn_err err = {0};
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, b->dir, &err));
  assert_int_equal(n, b->n_inputs);
  free(names);
}

static void refuses(void **state) {
  (void)state;
  bench b;
  begin(&b);
  add_input(&b, "x.csv", "title,text,label\na,b,0\nc,d,maybe\n", FN_LABEL_UNKNOWN);
  refuse(&b, FN_E_INVALID, "x.csv:3: label \"maybe\" (column \"label\") is not known; accepted are 0, 1, real, fake");
  b.options.column_label = "verdict";
  refuse(&b, FN_E_NOT_FOUND, "x.csv:1: no column \"verdict\". The columns are \"title\", \"text\", \"label\"");
  b.options.column_label = "label";
  b.options.column_source = "site";
  refuse(&b, FN_E_NOT_FOUND, "no column \"site\"");
  b.options.column_source = "source";
  b.options.split = FN_SPLIT_GIVEN;
  refuse(&b, FN_E_NOT_FOUND, "no column \"split\"");
  b.options.split = FN_SPLIT_GROUP;
  b.options.group = "author";
  refuse(&b, FN_E_NOT_FOUND, "choose one with data.group=NAME");
  b.options.split = FN_SPLIT_RANDOM;
  const char *keys[] = {"maybe", "0"}, *values[] = {"drop", "fake"};
  b.options.label_map = (fn_config_map){keys, values, 2};
  refuse(&b, FN_E_INVALID, "split train has no real rows (0 real, 1 fake)");
  end(&b);
}

static void refuses_json_lines_without_the_column(void **state) {
  (void)state;
  bench b;
  begin(&b);
  add_input(&b, "x.jsonl", "{\"title\":\"a\",\"txt\":\"b\",\"label\":0}\n{\"title\":\"c\",\"txt\":\"d\",\"label\":1}\n",
            FN_LABEL_UNKNOWN);
  refuse(&b, FN_E_NOT_FOUND, "x.jsonl: no column \"text\", did you mean \"txt\"?");
  end(&b);
  begin(&b);
  add_input(&b, "x.jsonl", "{\"title\":\"a\",\"text\":[\"b\"],\"label\":0}\n", FN_LABEL_UNKNOWN);
  refuse(&b, FN_E_INVALID, "x.jsonl:1: \"text\" is a JSON array; a string is accepted");
  end(&b);
}

static void takes_inputs_apart(void **state) {
  (void)state;
  bench b;
  begin(&b);
  fn_prepare_input in;
  fn_err err = {0};
  assert_ok(fn_prepare_parse_input(&in, &b.arena, "Fake:some/File.csv", &b.options, &err));
  assert_string_equal(in.path, "some/File.csv");
  assert_int_equal(in.label, FN_LABEL_FAKE);
  assert_string_equal(in.given, "Fake");
  assert_ok(fn_prepare_parse_input(&in, &b.arena, "0:File.csv", &b.options, &err));
  assert_int_equal(in.label, FN_LABEL_REAL);
  assert_ok(fn_prepare_parse_input(&in, &b.arena, "a/b:c.csv", &b.options, &err));
  assert_string_equal(in.path, "a/b:c.csv");
  assert_int_equal(in.label, FN_LABEL_UNKNOWN);
  assert_status(fn_prepare_parse_input(&in, &b.arena, "hoax:File.csv", &b.options, &err), FN_E_INVALID);
  assert_contains(err.message, "\"hoax\" is no label");
  const char *keys[] = {"hoax"}, *values[] = {"fake"};
  b.options.label_map = (fn_config_map){keys, values, 1};
  assert_ok(fn_prepare_parse_input(&in, &b.arena, "hoax:File.csv", &b.options, &err));
  assert_int_equal(in.label, FN_LABEL_FAKE);
  end(&b);
}

/* While one run writes, another one finishes at the same place: its dataset is not replaced. */
static void finish_another(void *arg, const char *stage, uint64_t n_done) {
  (void)n_done;
  bench *other = arg;
  if (strcmp(stage, "writing") == 0 && !other->prepared) run_ok(other);
}

static void two_runs_at_one_place(void **state) {
  (void)state;
  fn_err err = {0};
  bench a, b;
  begin(&a);
  begin(&b);
  strcpy(b.out, a.out);
  add_random_rows(&a);
  add_random_rows(&b);
  fn_prepare_request request = {.inputs = a.inputs, .n_inputs = a.n_inputs, .out = a.out, .version = "test"};
  request.progress = finish_another;
  request.progress_arg = &b;
  assert_status(fn_prepare_run(&a.prepared, &request, &a.options, &err), FN_E_INVALID);
  assert_contains(err.message, "there is a prepared dataset already");
  fn_dataset *dataset;
  assert_ok(fn_dataset_open(&dataset, b.out, &err));
  fn_dataset_close(dataset);
  char **names;
  size_t n;
  assert_ok(fn_dir_list(&names, &n, a.dir, &err));
  assert_int_equal(n, 2); /* the input and the other one's dataset */
  free(names);
  end(&b);
  end(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(given_splits_and_copies),
      cmocka_unit_test(random_splits_keep_clusters_whole),
      cmocka_unit_test(groups_stay_whole),
      cmocka_unit_test(title_alone),
      cmocka_unit_test(labelled_files_are_one_dataset),
      cmocka_unit_test(is_deterministic),
      cmocka_unit_test(refuses),
      cmocka_unit_test(refuses_json_lines_without_the_column),
      cmocka_unit_test(takes_inputs_apart),
      cmocka_unit_test(two_runs_at_one_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
