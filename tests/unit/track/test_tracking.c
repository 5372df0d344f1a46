/* The local store of runs: what is written is what is read, and what is refused. */
#include "store.h"
#include "track/file_queue.h"
#include "track/process.h"
#include "track/source_revision.h"
#include "track/tracking_internal.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_id_is_32_digits(void **state) {
  (void)state;
  char id[FN_RUN_ID_LENGTH];
  const unsigned char random[16] = {0x00, 0x01, 0x0f, 0x10, 0x9a, 0xab, 0xbc, 0xcd,
                                    0xde, 0xef, 0xf0, 0xff, 0x7f, 0x80, 0x55, 0xaa};
  fn_run_id_make(id, random);
  assert_string_equal(id, "00010f109aabbccddeeff0ff7f8055aa");
}

/* A run as "name status|key=value …|tag=value …|metric=last/min/max/n@step …|". */
static fn_status describe(void *arg, const fn_run_view *run, fn_err *err) {
  fn_buf *out = arg;
  (void)err;
  fn_buf_printf(out, "%s %s|", run->info.name, fn_run_status_names[run->info.status]);
  for (size_t i = 0; i < run->n_params; i++) fn_buf_printf(out, "%s=%s ", run->params[i].key, run->params[i].value);
  fn_buf_append_char(out, '|');
  for (size_t i = 0; i < run->n_tags; i++) fn_buf_printf(out, "%s=%s ", run->tags[i].key, run->tags[i].value);
  fn_buf_append_char(out, '|');
  for (size_t i = 0; i < run->n_metrics; i++) {
    const fn_run_metric *m = &run->metrics[i];
    fn_buf_printf(out, "%s=%g/%g/%g/%d@%d ", m->key, m->last, m->min, m->max, (int)m->n, (int)m->last_step);
  }
  fn_buf_append_char(out, '|');
  return FN_OK;
}

static void assert_run(fn_tracking *tracking, const char *id, const char *expected) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_tracking_get_run(tracking, id, describe, &out, &err));
  assert_string_equal(out.data, expected);
}

static fn_status describe_point(void *arg, const fn_metric_point *p, fn_err *err) {
  (void)err;
  fn_buf_printf(arg, "%s:%d@%d=%g ", p->key, (int)p->step, (int)p->time_ms, p->value);
  return FN_OK;
}

static void assert_history(fn_tracking *tracking, const char *id, const char *key, const char *expected) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_tracking_history(tracking, id, key, describe_point, &out, &err));
  assert_string_equal(out.data ? out.data : "", expected);
}

static void test_what_is_written_is_read(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  const fn_track_pair params[] = {{"train.seed", "1"}, {"lr", "1e-3"}}, tags[] = {{"team", "desk"}, {"x", "é"}};
  store_add(t, ID_A, "first", 5);
  assert_ok(fn_tracking_log_params(t, ID_A, params, 2, &err));
  assert_ok(fn_tracking_set_tags(t, ID_A, tags, 2, &err));
  const fn_track_pair again = {"team", "other"};
  assert_ok(fn_tracking_set_tags(t, ID_A, &again, 1, &err));
  store_metric(t, ID_A, "val/loss", 0.5, 1);
  store_metric(t, ID_A, "val/loss", 0.25, 2);
  assert_run(t, ID_A, "first RUNNING|lr=1e-3 train.seed=1 |team=other x=é |val/loss=0.25/0.25/0.5/2@2 |");
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_FINISHED, 9, &err));
  fn_tracking_close(t);
  t = store_open(store_is_sqlite());
  assert_run(t, ID_A, "first FINISHED|lr=1e-3 train.seed=1 |team=other x=é |val/loss=0.25/0.25/0.5/2@2 |");
  fn_tracking_close(t);
}

static void test_params_are_written_once(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  const fn_track_pair a[] = {{"lr", "1"}}, b[] = {{"new", "x"}, {"lr", "2"}};
  store_add(t, ID_A, "a", 1);
  assert_ok(fn_tracking_log_params(t, ID_A, a, 1, &err));
  assert_ok(fn_tracking_log_params(t, ID_A, a, 1, &err));
  assert_status(fn_tracking_log_params(t, ID_A, b, 2, &err), FN_E_INVALID);
  assert_contains(err.message, "\"lr\"");
  assert_contains(err.message, "was set to \"1\" and cannot become \"2\"");
  assert_run(t, ID_A, "a RUNNING|lr=1 |||");
  fn_tracking_close(t);
}

static void test_values_are_cut(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  char *text = fn_mem_calloc(9001, 1);
  memset(text, 'x', 9000);
  text[FN_TRACK_MAX_PARAM - 1] = (char)0xC3; /* the last character that is kept is an é of two bytes */
  text[FN_TRACK_MAX_PARAM] = (char)0xA9;
  const fn_track_pair pair = {"long", text};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  store_add(t, ID_A, "a", 1);
  assert_ok(fn_tracking_log_params(t, ID_A, &pair, 1, &err));
  assert_ok(fn_tracking_get_run(t, ID_A, describe, &out, &err));
  assert_int_equal(out.length, strlen("a RUNNING|long= |||") + FN_TRACK_MAX_PARAM + 1);
  free(text);
  fn_tracking_close(t);
}

static void test_numbers_that_are_not_finite(void **state) {
  (void)state;
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "a", 1);
  store_metric(t, ID_A, "n", (double)NAN, 1);
  assert_run(t, ID_A, "a RUNNING|||n=nan/nan/nan/1@1 |");
  store_metric(t, ID_A, "n", (double)INFINITY, 2);
  store_metric(t, ID_A, "n", -(double)INFINITY, 3);
  store_metric(t, ID_A, "n", (double)NAN, 4);
  assert_run(t, ID_A, "a RUNNING|||n=nan/-inf/inf/4@4 |");
  assert_history(t, ID_A, "n", "n:1@1001=nan n:2@1002=inf n:3@1003=-inf n:4@1004=nan ");
  fn_tracking_close(t);
}

/* The latest value is that of the highest step, then time, then value; a point that comes twice counts once. */
static void test_points(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  const fn_metric_point points[] = {
      {"a", 5, 3, 30}, {"b", 1, 3, 30}, {"a", 7, 3, 30}, {"a", 6, 3, 30}, {"a", 1, 2, 90}, {"a", 9, 3, 20},
  };
  store_add(t, ID_A, "r", 1);
  assert_ok(fn_tracking_log_metrics(t, ID_A, points, FN_COUNT_OF(points), &err));
  assert_run(t, ID_A, "r RUNNING|||a=7/1/9/5@3 b=1/1/1/1@3 |");
  assert_ok(fn_tracking_log_metrics(t, ID_A, points, FN_COUNT_OF(points), &err));
  assert_run(t, ID_A, "r RUNNING|||a=7/1/9/5@3 b=1/1/1/1@3 |");
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_tracking_history(t, ID_A, "a", describe_point, &out, &err));
  assert_memory_equal(out.data, "a:2@90=1 a:3@20=9 a:3@30=", 25);
  assert_history(t, ID_A, "b", "b:3@30=1 ");
  assert_history(t, ID_A, "none", "");
  fn_tracking_close(t);
}

static void test_cut(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  for (int i = 1; i <= 6; i++) store_metric(t, ID_A, "loss", 7 - i, i);
  store_metric(t, ID_A, "late", 1, 5);
  store_metric(t, ID_A, "system/cpu", 50, 100);
  assert_ok(fn_tracking_cut_metrics(t, ID_A, 4, &err));
  assert_run(t, ID_A, "r RUNNING|||loss=3/3/6/4@4 system/cpu=50/50/50/1@100 |");
  store_metric(t, ID_A, "loss", 2, 5);
  assert_run(t, ID_A, "r RUNNING|||loss=2/2/6/5@5 system/cpu=50/50/50/1@100 |");
  fn_tracking_close(t);
}

static void test_bad_keys(void **state) {
  (void)state;
  static const char *const bad[] = {"", "a\nb", "..", "a/../b", "a//b", "/a", "a/", "a$b", "a\"b", "\xff", "./a"};
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    const fn_track_pair pair = {bad[i], "x"};
    const fn_metric_point point = {bad[i], 1, 1, 1};
    assert_status(fn_tracking_log_params(t, ID_A, &pair, 1, &err), FN_E_INVALID);
    assert_status(fn_tracking_set_tags(t, ID_A, &pair, 1, &err), FN_E_INVALID);
    assert_status(fn_tracking_log_metrics(t, ID_A, &point, 1, &err), FN_E_INVALID);
  }
  const fn_track_pair fine = {"a-b_c.d/e f:é", "x"};
  assert_ok(fn_tracking_set_tags(t, ID_A, &fine, 1, &err));
  fn_tracking_close(t);
}

static void test_deleted_run_takes_nothing(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  const fn_track_pair pair = {"a", "x"};
  store_add(t, ID_A, "r", 1);
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_KILLED, 2, &err));
  assert_ok(fn_tracking_set_deleted(t, ID_A, true, &err));
  assert_status(fn_tracking_log_params(t, ID_A, &pair, 1, &err), FN_E_INVALID);
  assert_contains(err.message, "deleted");
  assert_ok(fn_tracking_set_deleted(t, ID_A, false, &err));
  assert_ok(fn_tracking_log_params(t, ID_A, &pair, 1, &err));
  assert_status(fn_tracking_set_deleted(t, ID_B, true, &err), FN_E_NOT_FOUND);
  fn_tracking_close(t);
}

static void test_experiments(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  int64_t id = -1, same = -1;
  assert_ok(fn_tracking_experiment(&id, t, "Default", false, &err));
  assert_int_equal(id, 0);
  assert_status(fn_tracking_experiment(&id, t, "spring", false, &err), FN_E_NOT_FOUND);
  assert_ok(fn_tracking_experiment(&id, t, "spring", true, &err));
  assert_ok(fn_tracking_experiment(&same, t, "spring", true, &err));
  assert_int_equal(id, same);
  assert_int_not_equal(id, 0);
  fn_tracking_close(t);
}

static void assert_found(fn_tracking *t, const char *name, const char *id) {
  fn_err err = {0};
  char found[FN_RUN_ID_LENGTH];
  assert_ok(fn_tracking_find(found, t, name, &err));
  assert_string_equal(found, id);
}

static void test_find(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  char found[FN_RUN_ID_LENGTH], real[200];
  fn_run_info info = {.id = ID_C,
                      .name = "2026-11-26T21-54-11Z-third",
                      .user = "",
                      .folder = realpath(store_folder, real),
                      .start_ms = 2};
  assert_non_null(info.folder);
  store_add(t, ID_A, "same", 1);
  store_add(t, ID_B, "same", 3);
  assert_ok(fn_tracking_run_begin(t, &info, &err));
  assert_found(t, ID_A, ID_A);
  assert_found(t, "aaaa0", ID_A);
  assert_found(t, "2026-11-26T21-54-11Z-third", ID_C);
  assert_found(t, "third", ID_C);
  assert_found(t, store_folder, ID_C);
  assert_found(t, "latest", ID_B);
  assert_status(fn_tracking_find(found, t, "same", &err), FN_E_INVALID);
  assert_contains(err.message, "fits several runs: bbbb00000000 same, aaaa00000000 same");
  assert_status(fn_tracking_find(found, t, "aaa", &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "no run \"aaa\"");
  /* A name that another run's id begins with: which one is meant is not known. A whole id is. */
  store_add(t, "dddd0000000000000000000000000000", "aaaa", 4);
  assert_status(fn_tracking_find(found, t, "aaaa", &err), FN_E_INVALID);
  assert_contains(err.message, "fits several runs: ");
  assert_found(t, ID_A, ID_A);
  assert_found(t, "aaaa0", ID_A);
  fn_tracking_close(t);
}

/* ---- processes ---- */

static void test_where_a_process_is(void **state) {
  (void)state;
  fn_process self, other;
  fn_process_self(&self);
  assert_int_equal(fn_process_look(&self, &self), FN_PROCESS_ALIVE);
  snprintf(self.space, sizeof self.space, "boot1 pid:[1] machine");
  other = self;
  snprintf(other.space, sizeof other.space,
           "boot0 pid:[1] machine"); /* the same machine, before it was started again */
  assert_int_equal(fn_process_look(&other, &self), FN_PROCESS_GONE);
  snprintf(other.space, sizeof other.space, "boot0 pid:[1] another"); /* another one of the same name */
  assert_int_equal(fn_process_look(&other, &self), FN_PROCESS_ELSEWHERE);
  snprintf(other.space, sizeof other.space, "boot0 pid:[1]"); /* its id is not known */
  assert_int_equal(fn_process_look(&other, &self), FN_PROCESS_ELSEWHERE);
  snprintf(other.space, sizeof other.space, "boot1 pid:[2] machine");
  assert_int_equal(fn_process_look(&other, &self), FN_PROCESS_ELSEWHERE);
}

static fn_status count_run(void *arg, const fn_run_view *run, fn_err *err) {
  (void)run;
  (void)err;
  ++*(int *)arg;
  return FN_OK;
}

static void test_only_ended_runs_are_removed(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "goes on", 1);
  assert_status(fn_tracking_set_deleted(t, ID_A, true, &err), FN_E_INVALID);
  assert_contains(err.message, "goes on");
  assert_status(fn_tracking_purge(t, ID_A, &err), FN_E_INVALID);
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_FINISHED, 5, &err));
  assert_ok(fn_tracking_set_deleted(t, ID_A, true, &err));
  const pid_t child = fork();
  if (child == 0) {
    fn_tracking *mine = store_open(false);
    store_add(mine, ID_B, "killed", 1);
    for (int i = 0; i < 600; i++) { /* with it, as by a power cut */
      const fn_sql_value v[] = {fn_sql_int(i), fn_sql_text(ID_B)};
      if (fn_sql_run(
              mine->sql,
              "INSERT INTO runs (id, parent, experiment, name, author, folder, status, start_ms, end_ms, deleted,"
              " host, space, pid, started, heard_ms) SELECT CAST($1 AS TEXT), parent, experiment, name, author,"
              " folder, status, start_ms, end_ms, deleted, host, space, pid, started, heard_ms FROM runs"
              " WHERE id = $2",
              v, 2, NULL, NULL) != FN_OK)
        _exit(1);
    }
    _exit(0);
  }
  int ended = -1, n_running = 0;
  assert_int_equal(waitpid(child, &ended, 0), child);
  assert_int_equal(ended, 0);
  const fn_run_query running = {.filter = "attributes.status = 'RUNNING'"};
  assert_ok(fn_tracking_search(t, &running, count_run, &n_running, &err)); /* one look is enough */
  assert_int_equal(n_running, 0);
  assert_ok(fn_sql_run(t->sql, "DELETE FROM runs WHERE length(id) < 32", NULL, 0, NULL, &err));
  assert_ok(fn_tracking_purge(t, ID_B, &err)); /* nobody looked at it since */
  assert_ok(fn_tracking_purge(t, ID_A, &err));
  fn_tracking_close(t);
}

static void test_dead_process_is_interrupted(void **state) {
  (void)state;
  int done[2];
  assert_int_equal(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    fn_tracking *t = store_open(false);
    store_add(t, ID_A, "killed", 1);
    (void)!write(done[1], "x", 1);
    for (;;) pause();
  }
  char c;
  assert_int_equal(read(done[0], &c, 1), 1);
  fn_tracking *t = store_open(false);
  assert_run(t, ID_A, "killed RUNNING||||");
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  if (store_is_sqlite()) {
    fn_tracking *reader = store_open(true); /* may not write, and tells the same */
    assert_run(reader, ID_A, "killed INTERRUPTED||||");
    fn_tracking_close(reader);
  }
  assert_run(t, ID_A, "killed INTERRUPTED||||");
  store_add(t, ID_A, "killed", 1); /* it is taken up again */
  assert_run(t, ID_A, "killed RUNNING||||");
  fn_tracking_close(t);
  close(done[0]);
  close(done[1]);
}

static void set_host(fn_tracking *t, const char *host, int64_t heard_ms) {
  fn_err err = {0};
  const fn_sql_value values[] = {fn_sql_text(host), fn_sql_int(heard_ms)};
  assert_ok(
      fn_sql_run(fn_tracking_sql(t), "UPDATE runs SET host = $1, heard_ms = $2, status = 0", values, 2, NULL, &err));
}

static fn_status take_number(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  (void)err;
  if (n == 1) *(int64_t *)arg = v[0].integer;
  return FN_OK;
}

static int64_t number_of(fn_tracking *t, const char *statement) {
  fn_err err = {0};
  int64_t number = -1;
  assert_ok(fn_sql_query(fn_tracking_sql(t), statement, NULL, 0, take_number, &number, &err));
  return number;
}

static void test_run_of_another_machine(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "far", 1);
  set_host(t, "elsewhere", fn_clock_unix_ms());
  assert_run(t, ID_A, "far RUNNING||||");
  set_host(t, "elsewhere", fn_clock_unix_ms() - 3600000);
  assert_run(t, ID_A, "far INTERRUPTED||||");
  assert_ok(fn_tracking_beat(t, ID_A, &err)); /* it was cut off, not dead */
  assert_run(t, ID_A, "far RUNNING||||");
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_KILLED, 7, &err));
  assert_ok(fn_tracking_beat(t, ID_A, &err));
  assert_run(t, ID_A, "far KILLED||||");
  fn_tracking_close(t);
}

/* The clock of its machine is set back while it runs: it is heard of as before, by the clock as it was when the store
 * was opened, and it ends no earlier than it began, whoever ends it. */
static void test_clock_set_back(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  const int64_t now = fn_clock_unix_ms();
  t->clock.set_ms += 3600000;
  store_add(t, ID_A, "back", 5000);
  set_host(t, "elsewhere", now);
  assert_ok(fn_tracking_beat(t, ID_A, &err));
  if (store_is_sqlite()) /* a server's clock is everybody's */
    assert_true(number_of(t, "SELECT heard_ms FROM runs") >= now + 3600000);
  else
    assert_in_range(number_of(t, "SELECT heard_ms FROM runs"), now, now + 3000000);
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_FINISHED, 4000, &err));
  assert_int_equal(number_of(t, "SELECT end_ms FROM runs"), 5000);
  set_host(t, "elsewhere", 4000);
  assert_run(t, ID_A, "back INTERRUPTED||||");
  assert_int_equal(number_of(t, "SELECT end_ms FROM runs"), 5000);
  /* The other way round, it was wrong at the start and was put right. */
  t->clock.set_ms = 0;
  assert_ok(fn_tracking_beat(t, ID_A, &err));
  assert_true(number_of(t, "SELECT heard_ms FROM runs") >= now);
  fn_tracking_close(t);
}

/* Four processes begin, log and end runs of their own at once. */
static void test_many_processes(void **state) {
  (void)state;
  enum { N = 4, POINTS = 50 };
  pid_t children[N];
  fn_tracking *t = store_open(false);
  fn_tracking_close(t);
  for (int c = 0; c < N; c++) {
    children[c] = fork();
    if (children[c] != 0) continue;
    fn_err err = {0};
    char id[FN_RUN_ID_LENGTH];
    snprintf(id, sizeof id, "%032x", (unsigned)c + 1);
    t = store_open(false);
    store_add(t, id, "one of many", c);
    for (int i = 0; i < POINTS; i++) store_metric(t, id, "loss", i, i);
    const fn_status status = fn_tracking_run_end(t, id, FN_RUN_FINISHED, 9, &err);
    fn_tracking_close(t);
    _exit(status == FN_OK ? 0 : 1);
  }
  for (int c = 0; c < N; c++) {
    int status = 1;
    waitpid(children[c], &status, 0);
    assert_int_equal(status, 0);
  }
  t = store_open(false);
  for (int c = 0; c < N; c++) {
    char id[FN_RUN_ID_LENGTH];
    snprintf(id, sizeof id, "%032x", (unsigned)c + 1);
    assert_run(t, id, "one of many FINISHED|||loss=49/0/49/50@49 |");
  }
  fn_tracking_close(t);
}

/* ---- files ---- */

static void write_file(const char *name, const char *text) {
  fn_err err = {0};
  char path[200];
  snprintf(path, sizeof path, "%s/%s", store_folder, name);
  assert_ok(fn_file_write(path, text, strlen(text), &err));
}

static fn_status describe_file(void *arg, const fn_artifact *a, fn_err *err) {
  (void)err;
  fn_buf_printf(arg, "%s:%d:%.4s ", a->path, (int)a->n_bytes, a->sha256);
  return FN_OK;
}

static void assert_files(fn_tracking *t, const char *prefix, const char *expected) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  assert_ok(fn_tracking_list(t, "run:" ID_A, prefix, describe_file, &out, &err));
  assert_string_equal(out.data ? out.data : "", expected);
}

static void assert_content(const char *path, const char *expected) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  assert_ok(fn_file_read(&text, path, 1000, &err));
  assert_string_equal(text.data, expected);
}

static void test_artifacts(void **state) {
  (void)state;
  fn_err err = {0};
  char source[100], target[100], content[200];
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  snprintf(source, sizeof source, "%s/in", store_folder);
  snprintf(content, sizeof content, "%s/sub", source);
  assert_ok(fn_dir_create(content, &err));
  write_file("in/a", "abc");
  write_file("in/sub/b", "abc");
  write_file("in/sub.x", "");
  assert_ok(fn_tracking_put(t, "run:" ID_A, "model", source, &err));
  assert_files(t, "", "model/a:3:ba78 model/sub.x:0:e3b0 model/sub/b:3:ba78 ");
  assert_files(t, "model/sub", "model/sub/b:3:ba78 ");
  snprintf(target, sizeof target, "%s/out", store_folder);
  assert_ok(fn_tracking_get(t, "run:" ID_A, "model", target, &err));
  snprintf(content, sizeof content, "%s/sub/b", target);
  assert_content(content, "abc");
  assert_status(fn_tracking_get(t, "run:" ID_A, "model", target, &err), FN_E_INVALID);
  assert_status(fn_tracking_get(t, "run:" ID_A, "nothing", target, &err), FN_E_NOT_FOUND);
  snprintf(target, sizeof target, "%s/one", store_folder);
  assert_ok(fn_tracking_get(t, "run:" ID_A, "model/a", target, &err));
  assert_content(target, "abc");
  fn_tracking_close(t);
}

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_damaged_artifact_is_named(void **state) {
  (void)state;
  fn_err err = {0};
  char path[200];
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  write_file("a", "abc");
  snprintf(path, sizeof path, "%s/a", store_folder);
  assert_ok(fn_tracking_put(t, "run:" ID_A, "x/a", path, &err));
  snprintf(path, sizeof path, "artifacts/sha256/ba/%s", ABC);
  write_file(path, "abd");
  snprintf(path, sizeof path, "%s/out", store_folder);
  assert_status(fn_tracking_get(t, "run:" ID_A, "x/a", path, &err), FN_E_IO);
  assert_contains(err.message, "x/a");
  assert_contains(err.message, ABC);
  assert_false(fn_path_exists(path));
  fn_tracking_close(t);
}

/* What stands in the store already is looked at before it is relied on. */
static void test_damaged_content_is_put_again(void **state) {
  (void)state;
  fn_err err = {0};
  char path[200];
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  store_add(t, ID_B, "s", 1);
  write_file("a", "abc");
  snprintf(path, sizeof path, "%s/a", store_folder);
  assert_ok(fn_tracking_put(t, "run:" ID_A, "x/a", path, &err));
  char content[200];
  snprintf(content, sizeof content, "artifacts/sha256/ba/%s", ABC);
  write_file(content, "abd");
  assert_ok(fn_tracking_put(t, "run:" ID_B, "x/a", path, &err));
  snprintf(path, sizeof path, "%s/out", store_folder);
  assert_ok(fn_tracking_get(t, "run:" ID_A, "x/a", path, &err));
  assert_content(path, "abc");
  fn_tracking_close(t);
}

static void add_row(const char *path, const char *sha256) {
  fn_err err = {0};
  fn_sql *sql = NULL;
  const fn_sql_value values[] = {fn_sql_text("run:" ID_A), fn_sql_text(path), fn_sql_text(sha256), fn_sql_int(3)};
  assert_ok(fn_sql_open(&sql, store_url, NULL, &err));
  assert_ok(fn_sql_run(sql, "INSERT INTO artifacts (owner, path, sha256, n_bytes) VALUES ($1, $2, $3, $4)", values, 4,
                       NULL, &err));
  fn_sql_close(sql);
}

/* Rows of a shared database are other people's: none leads out of the folder that is asked for. */
static void test_rows_that_lead_elsewhere(void **state) {
  (void)state;
  static const char *const bad[] = {"../evil", "/tmp/fn-evil-of-a-test", "x/../../evil", "./x", "x\\y"};
  fn_err err = {0};
  char source[200], out[200], evil[200];
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  write_file("a", "abc");
  snprintf(source, sizeof source, "%s/a", store_folder);
  snprintf(out, sizeof out, "%s/out", store_folder);
  snprintf(evil, sizeof evil, "%s/evil", store_folder);
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    assert_ok(fn_tracking_put(t, "run:" ID_A, "a", source, &err));
    add_row(bad[i], ABC);
    assert_status(fn_tracking_get(t, "run:" ID_A, "", out, &err), FN_E_INVALID);
    assert_contains(err.message, "run:" ID_A);
    assert_contains(err.message, bad[i]);
    assert_false(fn_path_exists(out));
    assert_false(fn_path_exists(evil));
    assert_ok(fn_tracking_drop_owner(t, "run:" ID_A, &err)); /* and it can be removed */
  }
  add_row("b", "../../../../etc/passwd..........................................");
  assert_status(fn_tracking_get(t, "run:" ID_A, "", out, &err), FN_E_INVALID);
  fn_tracking_close(t);
}

static void test_purge(void **state) {
  (void)state;
  fn_err err = {0};
  char path[200], kept[200];
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  store_add(t, ID_B, "other", 1);
  store_metric(t, ID_A, "loss", 1, 1);
  write_file("a", "abc");
  write_file("b", "only here");
  snprintf(path, sizeof path, "%s/a", store_folder);
  assert_ok(fn_tracking_put(t, "run:" ID_A, "a", path, &err));
  assert_ok(fn_tracking_put(t, "run:" ID_B, "a", path, &err));
  snprintf(path, sizeof path, "%s/b", store_folder);
  assert_ok(fn_tracking_put(t, "run:" ID_A, "b", path, &err));
  assert_status(fn_tracking_purge(t, ID_A, &err), FN_E_INVALID);
  assert_contains(err.message, "goes on");
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_FINISHED, 2, &err));
  assert_ok(fn_tracking_purge(t, ID_A, &err));
  assert_files(t, "", "");
  assert_status(fn_tracking_get_run(t, ID_A, describe, NULL, &err), FN_E_NOT_FOUND);
  snprintf(kept, sizeof kept, "%s/kept", store_folder);
  assert_ok(fn_tracking_get(t, "run:" ID_B, "a", kept, &err));
  snprintf(path, sizeof path, "%s/artifacts/sha256", store_folder);
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0, files = 0;
  assert_ok(fn_dir_list(&names, &n, path, &err));
  for (size_t i = 0; i < n; i++) {
    char below[400];
    char **inside = NULL;
    size_t m = 0;
    snprintf(below, sizeof below, "%s/%s", path, names[i]);
    assert_ok(fn_dir_list(&inside, &m, below, &err));
    free(inside);
    files += m;
  }
  assert_int_equal(files, 1); /* what nobody refers to is gone */
  fn_tracking_close(t);
}

/* Contents that cannot be removed keep the run's name, until they can be. */
static void test_purge_goes_on(void **state) {
  (void)state;
  fn_err err = {0};
  char path[300], content[200];
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  write_file("a", "abc");
  write_file("b", "other");
  snprintf(path, sizeof path, "%s/a", store_folder);
  assert_ok(fn_tracking_put(t, "run:" ID_A, "a", path, &err));
  snprintf(path, sizeof path, "%s/b", store_folder);
  assert_ok(fn_tracking_put(t, "run:" ID_A, "b", path, &err));
  assert_ok(fn_tracking_run_end(t, ID_A, FN_RUN_FINISHED, 2, &err));
  snprintf(content, sizeof content, "%s/artifacts/sha256/ba/" ABC, store_folder);
  assert_int_equal(unlink(content), 0);
  snprintf(path, sizeof path, "%s/in the way", content);
  assert_ok(fn_dir_create(path, &err)); /* as a folder that may only be read */
  assert_status(fn_tracking_purge(t, ID_A, &err), FN_E_INVALID);
  assert_contains(err.message,
                  "run aaaa00000000 is hidden, and not all of its files could be removed; purge it again, or "
                  "with --leave-files: ");
  assert_contains(err.message, ABC);
  assert_files(t, "", "a:3:ba78 b:5:d929 ");
  char id[FN_RUN_ID_LENGTH];
  assert_ok(fn_tracking_find(id, t, "aaaa", &err));
  assert_ok(fn_tracking_find(id, t, "r", &err)); /* a hidden run, as no other has the name */
  assert_ok(fn_dir_remove(content, &err));
  assert_ok(fn_tracking_purge(t, ID_A, &err));
  assert_files(t, "", "");
  assert_status(fn_tracking_get_run(t, ID_A, describe, NULL, &err), FN_E_NOT_FOUND);
  fn_tracking_close(t);
}

static fn_status end_list(void *arg, const fn_artifact *artifact, fn_err *err) {
  (void)err;
  assert_string_equal(artifact->sha256, ABC);
  *(int *)arg = 0;
  return FN_OK;
}

static fn_tracking *open_with(const char *artifacts) {
  fn_err err = {0};
  fn_tracking *t = NULL;
  const fn_tracking_options options = {.url = store_url, .artifacts = artifacts};
  assert_ok(fn_tracking_open(&t, &options, &err));
  return t;
}

static void run_sql(fn_tracking *t, const char *text) {
  fn_err err = {0};
  assert_ok(fn_sql_run(fn_tracking_sql(t), text, NULL, 0, NULL, &err));
}

/* A run that has ended, with one file in store_files. */
static void add_with_file(const char *id, const char *text) {
  fn_err err = {0};
  char path[300], owner[64];
  fn_tracking *t = store_open(false);
  store_add(t, id, "r", 1);
  write_file("a", text);
  snprintf(path, sizeof path, "%s/a", store_folder);
  snprintf(owner, sizeof owner, "run:%s", id);
  assert_ok(fn_tracking_put(t, owner, "a", path, &err));
  assert_ok(fn_tracking_run_end(t, id, FN_RUN_FINISHED, 2, &err));
  fn_tracking_close(t);
}

/* Files are removed from where they were put, whatever track.artifacts says now. */
static void test_purge_elsewhere(void **state) {
  (void)state;
  fn_err err = {0};
  char now[200], content[300], moved[200], target[200];
  snprintf(now, sizeof now, "%s/other artifacts", store_folder);
  snprintf(content, sizeof content, "%s/sha256/ba/" ABC, store_files);
  snprintf(moved, sizeof moved, "%s/moved", store_folder);
  snprintf(target, sizeof target, "%s/target", store_folder);
  add_with_file(ID_A, "abc");
  fn_tracking *t = open_with(now);
  assert_status(fn_tracking_get(t, "run:" ID_A, "a", target, &err), FN_E_IO);
  assert_contains(err.message, "artifact a: it was put into ");
  assert_contains(err.message, store_files);
  assert_ok(fn_tracking_purge(t, ID_A, &err));
  assert_false(fn_path_exists(content));
  assert_files(t, "", "");

  add_with_file(ID_A, "abc"); /* its folder is not there */
  assert_int_equal(rename(store_files, moved), 0);
  assert_status(fn_tracking_purge(t, ID_A, &err), FN_E_IO);
  assert_contains(err.message, "run aaaa00000000 is hidden, and not all of its files could be removed");
  assert_contains(err.message, store_files);
  assert_contains(err.message, "is not to be found there from here: give the command there");
  assert_files(t, "", "a:3:ba78 ");
  assert_int_equal(rename(moved, store_files), 0);

  run_sql(t, "UPDATE places SET host = 'elsewhere.example'"); /* a folder that two machines share */
  assert_ok(fn_tracking_purge(t, ID_A, &err));
  assert_false(fn_path_exists(content));

  add_with_file(ID_A, "abc"); /* a folder of the same name on another machine */
  run_sql(t, "UPDATE places SET host = 'again.example' WHERE host <> 'elsewhere.example'");
  assert_int_equal(unlink(content), 0);
  assert_status(fn_tracking_purge(t, ID_A, &err), FN_E_IO);
  assert_contains(err.message, "of the machine again.example, and is not to be found");
  assert_ok(fn_tracking_forget(t, ID_A, &err));
  assert_files(t, "", "");
  assert_status(fn_tracking_get_run(t, ID_A, describe, NULL, &err), FN_E_NOT_FOUND);
  fn_tracking_close(t);
}

/* What is stored of a version when its process ends is found again. */
static void test_version_is_named_first(void **state) {
  (void)state;
  fn_err err = {0};
  char path[300], content[300];
  int status = 1;
  fn_tracking *t = store_open(false);
  write_file("a", "abc");
  snprintf(path, sizeof path, "%s/a", store_folder);
  snprintf(content, sizeof content, "%s/sha256/ba/" ABC, store_files);
  assert_ok(fn_dir_create(content, &err)); /* in the way: it breaks off while it stores */
  assert_int_not_equal(fn_tracking_put(t, "version:news/1", "a", path, &err), FN_OK);
  assert_ok(fn_dir_remove(content, &err));
  assert_ok(fn_tracking_list(t, "version:news/1", "", end_list, &status, &err));
  assert_int_equal(status, 0);
  write_file("artifacts/sha256/ba/" ABC, "abc");
  assert_ok(fn_tracking_drop_owner(t, "version:news/1", &err));
  assert_false(fn_path_exists(content));
  fn_tracking_close(t);
}

/* A database of before places were recorded: its files are looked for in track.artifacts, as then. */
static void test_older_schema(void **state) {
  (void)state;
  fn_err err = {0};
  char content[300];
  snprintf(content, sizeof content, "%s/sha256/ba/" ABC, store_files);
  add_with_file(ID_A, "abc");
  fn_tracking *t = store_open(false);
  run_sql(t, "ALTER TABLE artifacts DROP COLUMN place");
  run_sql(t, "DROP TABLE places");
  run_sql(t, "UPDATE schema_version SET version = 1 WHERE name = 'tracking'");
  fn_tracking_close(t);
  t = store_open(true); /* where nothing may be changed it is read as it is */
  assert_files(t, "", "a:3:ba78 ");
  fn_tracking_close(t);
  t = store_open(false);
  assert_files(t, "", "a:3:ba78 ");
  assert_ok(fn_tracking_purge(t, ID_A, &err));
  assert_false(fn_path_exists(content));
  fn_tracking_close(t);
  add_with_file(ID_B, "abc");
}

/* A content that one drops while another puts it is there when the other is done. */
static void *put_and_drop(void *arg) {
  fn_err err = {0};
  const char *owner = arg;
  char path[200], target[200];
  snprintf(path, sizeof path, "%s/a", store_folder);
  snprintf(target, sizeof target, "%s/%.7s", store_folder, owner + 4);
  fn_tracking *t = store_open(false);
  for (int i = 0; i < 40; i++) {
    assert_ok(fn_tracking_put(t, owner, "a", path, &err));
    assert_ok(fn_tracking_get(t, owner, "a", target, &err));
    unlink(target);
    assert_ok(fn_tracking_drop_owner(t, owner, &err));
  }
  fn_tracking_close(t);
  return NULL;
}

static void test_purged_while_put(void **state) {
  (void)state;
  pthread_t thread;
  fn_tracking_close(store_open(false));
  write_file("a", "abc");
  assert_int_equal(pthread_create(&thread, NULL, put_and_drop, (char[]){"run:" ID_A}), 0);
  put_and_drop((char[]){"run:" ID_B});
  pthread_join(thread, NULL);
}

/* The same where the one that names a content is not the one that puts it. */
static void test_purged_before_named(void **state) {
  (void)state;
  fn_err err = {0}, why = {0};
  char path[200], content[200];
  fn_tracking *t = store_open(false);
  write_file("a", "abc");
  snprintf(path, sizeof path, "%s/a", store_folder);
  snprintf(content, sizeof content, "%s/artifacts/sha256/ba/" ABC, store_folder);
  fn_file_queue *queue = NULL;
  const fn_file_queue_options options = {.artifacts = store_files, .folder = store_folder, .run = ID_A};
  assert_ok(fn_file_queue_create(&queue, &options, &err));
  assert_ok(fn_file_queue_add(queue, "a", path, &err));
  fn_artifact artifact;
  size_t n_missing = 9;
  assert_true(fn_file_queue_wait(queue));
  assert_true(fn_file_queue_next(&artifact, queue));
  assert_int_equal(unlink(content), 0);
  assert_ok(fn_tracking_link(t, "run:" ID_A, artifact.path, &artifact, &err));
  fn_file_queue_named(queue);
  assert_false(fn_file_queue_wait(queue));
  assert_ok(fn_file_queue_settle(&n_missing, &why, queue, &err));
  assert_int_equal(n_missing, 0);
  assert_content(content, "abc");
  fn_file_queue_destroy(queue);
  fn_tracking_close(t);
}

static void test_bad_artifact_paths(void **state) {
  (void)state;
  static const char *const bad[] = {"", "/a", "../a", "a/../b", "a//b", "a\\b", "a\nb", "."};
  fn_err err = {0};
  char path[200];
  fn_tracking *t = store_open(false);
  store_add(t, ID_A, "r", 1);
  write_file("a", "abc");
  snprintf(path, sizeof path, "%s/a", store_folder);
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++)
    assert_status(fn_tracking_put(t, "run:" ID_A, bad[i], path, &err), FN_E_INVALID);
  assert_status(fn_tracking_put(t, "somebody", "a", path, &err), FN_E_INVALID);
  fn_tracking_close(t);
}

/* ---- what is no store ---- */

static void test_bad_stores(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tracking *t = NULL;
  char path[200];
  snprintf(path, sizeof path, "%s/none.db", store_folder);
  const fn_tracking_options none = {.url = path, .artifacts = store_files, .read_only = true};
  assert_status(fn_tracking_open(&t, &none, &err), FN_E_NOT_FOUND);
  write_file("text.db", "this is a text and no database, of more than a hundred bytes, so that it is looked at "
                        "as if it were one, and refused");
  snprintf(path, sizeof path, "%s/text.db", store_folder);
  const fn_tracking_options text = {.url = path, .artifacts = store_files};
  assert_status(fn_tracking_open(&t, &text, &err), FN_E_INVALID);
  t = store_open(false);
  assert_ok(fn_sql_run(fn_tracking_sql(t), "UPDATE schema_version SET version = 99 WHERE name = 'tracking'", NULL, 0,
                       NULL, &err));
  fn_tracking_close(t);
  const fn_tracking_options newer = {.url = store_url, .artifacts = store_files};
  assert_status(fn_tracking_open(&t, &newer, &err), FN_E_UNSUPPORTED);
}

/* ---- revisions ---- */

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static void test_source_revision(void **state) {
  (void)state;
  fn_err err = {0};
  fn_source_revision r;
  char path[200], deep[200];
  static const char *const folders[] = {"repo/.git/refs/heads", "repo/.git/worktrees/w", "repo/src/deep", "work"};
  for (size_t i = 0; i < FN_COUNT_OF(folders); i++) {
    snprintf(path, sizeof path, "%s/%s", store_folder, folders[i]);
    assert_ok(fn_dir_create(path, &err));
  }
  snprintf(path, sizeof path, "%s/repo", store_folder);
  snprintf(deep, sizeof deep, "%s/repo/src/deep", store_folder);
  write_file("repo/.git/HEAD", COMMIT "\n");
  fn_source_revision_find(&r, deep);
  assert_string_equal(r.commit, COMMIT);
  assert_string_equal(r.branch, "");
  write_file("repo/.git/HEAD", "ref: refs/heads/main\n");
  fn_source_revision_find(&r, path); /* no commit was made yet */
  assert_string_equal(r.commit, "");
  assert_string_equal(r.branch, "main");
  write_file("repo/.git/packed-refs", "# pack-refs with: peeled\n" COMMIT " refs/heads/mainly\n"
                                      "1111111111111111111111111111111111111111 refs/heads/main\n^" COMMIT "\n");
  fn_source_revision_find(&r, path);
  assert_string_equal(r.commit, "1111111111111111111111111111111111111111");
  write_file("repo/.git/refs/heads/main", COMMIT "\n"); /* a loose one wins */
  fn_source_revision_find(&r, path);
  assert_string_equal(r.commit, COMMIT);
  snprintf(deep, sizeof deep, "gitdir: %s/repo/.git/worktrees/w\n", store_folder); /* a worktree */
  write_file("work/.git", deep);
  write_file("repo/.git/worktrees/w/HEAD", "ref: refs/heads/main\n");
  write_file("repo/.git/worktrees/w/commondir", "../..\n");
  snprintf(path, sizeof path, "%s/work", store_folder);
  fn_source_revision_find(&r, path);
  assert_string_equal(r.commit, COMMIT);
  write_file("repo/.git/worktrees/w/HEAD", "ref: refs/heads/../../../etc/passwd\n");
  fn_source_revision_find(&r, path);
  assert_string_equal(r.commit, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_begin, store_end)

/* Of two points of one moment the greater one is the latest, and a NaN never, however they are batched. */
static fn_status take_latest(void *arg, const fn_run_view *view, fn_err *err) {
  (void)err;
  *(double *)arg = view->metrics[0].last;
  return FN_OK;
}

static void test_points_of_one_moment(void **state) {
  (void)state;
  const fn_metric_point points[] = {{"loss", 1, 5, 7}, {"loss", (double)NAN, 5, 7}, {"loss", 0.5, 5, 7}};
  fn_err err = {0};
  fn_tracking *t = store_open(false);
  double together = 0, apart = 0;
  store_add(t, ID_A, "a", 1);
  store_add(t, ID_B, "b", 2);
  assert_ok(fn_tracking_log_metrics(t, ID_A, points, 3, &err));
  for (size_t i = 0; i < 3; i++) assert_ok(fn_tracking_log_metrics(t, ID_B, &points[i], 1, &err));
  assert_ok(fn_tracking_get_run(t, ID_A, take_latest, &together, &err));
  assert_ok(fn_tracking_get_run(t, ID_B, take_latest, &apart, &err));
  assert_true(together >= 1 && together <= 1);
  assert_true(apart >= 1 && apart <= 1);
  fn_tracking_close(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_id_is_32_digits),
      TEST(test_points_of_one_moment),
      TEST(test_what_is_written_is_read),
      TEST(test_params_are_written_once),
      TEST(test_values_are_cut),
      TEST(test_numbers_that_are_not_finite),
      TEST(test_points),
      TEST(test_cut),
      TEST(test_bad_keys),
      TEST(test_deleted_run_takes_nothing),
      TEST(test_experiments),
      TEST(test_find),
      cmocka_unit_test(test_where_a_process_is),
      TEST(test_only_ended_runs_are_removed),
      TEST(test_dead_process_is_interrupted),
      TEST(test_run_of_another_machine),
      TEST(test_clock_set_back),
      TEST(test_many_processes),
      TEST(test_artifacts),
      TEST(test_damaged_artifact_is_named),
      TEST(test_purge),
      TEST(test_purge_goes_on),
      TEST(test_purge_elsewhere),
      TEST(test_older_schema),
      TEST(test_version_is_named_first),
      TEST(test_purged_while_put),
      TEST(test_purged_before_named),
      TEST(test_bad_artifact_paths),
      TEST(test_damaged_content_is_put_again),
      TEST(test_rows_that_lead_elsewhere),
      TEST(test_bad_stores),
      TEST(test_source_revision),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
