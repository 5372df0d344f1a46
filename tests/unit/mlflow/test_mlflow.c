/* The journal, what servers answer, and the sink with nobody at the other end. Makes threads (the sink's:
 * pthread_create).
 */
#include "../test.h"
#include "mlflow/environment.h"
#include "mlflow/internal.h"
#include "mlflow/logged.h"
#include "mlflow/send.h"
#include "mlflow/sink.h"
#include "net/net.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static fn_run_info run = {.name = "a run", .experiment_name = "news", .user = "me", .start_ms = 5};

static int set_up(void **state) {
  (void)state;
  (void)snprintf(folder, sizeof folder, "/tmp/fn-mlflow-XXXXXX");
  fn_run_id_make(run.id, (const unsigned char *)"0123456789abcdef");
  return mkdtemp(folder) ? 0 : 1;
}

static int tear_down(void **state) {
  (void)state;
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static fn_journal *open_journal(uint64_t max_bytes) {
  fn_err err = {0};
  fn_journal *journal = NULL;
  const fn_journal_options options = {
      .folder = folder, .name = "mlflow", .run = &run, .uri = "http://h", .max_bytes = max_bytes};
  assert_ok(fn_journal_open(&journal, &options, &err));
  return journal;
}

static void append_metrics(fn_journal *journal, const char *key, int n) {
  fn_err err = {0};
  for (int i = 0; i < n; i++) {
    const fn_track_event e = {.kind = FN_TRACK_METRIC, .key = key, .number = i, .step = i, .time_ms = i};
    assert_ok(fn_journal_append(journal, &e, 1, &err));
  }
}

static off_t size_of_journal(void) {
  char path[128];
  struct stat st;
  (void)snprintf(path, sizeof path, "%s/track/mlflow.jsonl", folder);
  assert_int_equal(stat(path, &st), 0);
  return st.st_size;
}

static void events_survive(void **state) {
  (void)state;
  fn_err err = {0};
  char file[128];
  (void)snprintf(file, sizeof file, "%s/model/x", folder);
  const fn_track_event events[] = {
      {.kind = FN_TRACK_PARAM, .key = "lr", .value = "\"quoted\"\n\x01 \xC3\xA4"},
      {.kind = FN_TRACK_TAG, .key = "t", .value = ""},
      {.kind = FN_TRACK_METRIC, .key = "nan", .number = (double)NAN, .step = -1, .time_ms = INT64_MAX},
      {.kind = FN_TRACK_METRIC, .key = "inf", .number = -(double)INFINITY, .step = INT64_MIN, .time_ms = 0},
      {.kind = FN_TRACK_METRIC, .key = "small", .number = 5e-324, .step = 1, .time_ms = 2},
      {.kind = FN_TRACK_ARTIFACT, .key = "model/x", .value = file},
      {.kind = FN_TRACK_STATUS, .status = FN_RUN_INTERRUPTED, .time_ms = 7},
  };
  fn_journal *journal = open_journal(1 << 20);
  assert_ok(fn_journal_append(journal, events, FN_COUNT_OF(events), &err));
  fn_journal_close(journal);
  journal = open_journal(1 << 20);
  assert_int_equal(fn_journal_n_waiting(journal), FN_COUNT_OF(events));
  FN_AUTO_BUF fn_buf lines;
  fn_buf_init(&lines, 0);
  assert_ok(fn_journal_read(&lines, journal, 1000, &err));
  const char *at = lines.data;
  for (size_t i = 0; i < FN_COUNT_OF(events); i++) {
    const char *end = strchr(at, '\n');
    assert_non_null(end);
    FN_AUTO_JSON json_t *json = NULL;
    fn_track_event e;
    assert_ok(fn_journal_parse(&e, &json, fn_str_make(at, (size_t)(end - at)), &err));
    assert_int_equal(e.kind, events[i].kind);
    assert_int_equal(e.step, events[i].step);
    assert_int_equal(e.time_ms, events[i].time_ms);
    assert_int_equal(e.status, events[i].status);
    if (e.kind == FN_TRACK_METRIC)
      assert_true(memcmp(&e.number, &events[i].number, sizeof e.number) == 0 || isnan(e.number));
    if (e.kind == FN_TRACK_PARAM) assert_string_equal(e.value, events[i].value);
    if (e.kind == FN_TRACK_ARTIFACT) assert_string_equal(e.value, "model/x"); /* below the run's folder */
    at = end + 1;
  }
  assert_string_equal(fn_journal_head_of(journal)->experiment, "news");
  assert_string_equal(fn_journal_head_of(journal)->uri, "http://h");
  fn_journal *second = NULL;
  const fn_journal_options options = {.folder = folder, .name = "mlflow"};
  assert_status(fn_journal_open(&second, &options, &err), FN_E_REFUSED);
  fn_journal_close(journal);
}

static void what_was_sent_is_remembered_and_cut_off(void **state) {
  (void)state;
  fn_err err = {0};
  fn_journal *journal = open_journal(1u << 30);
  char key[201];
  memset(key, 'k', 200);
  key[200] = '\0';
  append_metrics(journal, key, 30000); /* 7 MB */
  const off_t before = size_of_journal();
  FN_AUTO_BUF fn_buf lines;
  fn_buf_init(&lines, 0);
  size_t n = 0;
  for (; n < 29500; n += 500) {
    assert_ok(fn_journal_read(&lines, journal, 500, &err));
    assert_ok(fn_journal_advance(journal, lines.length, 500, &err));
  }
  assert_true(size_of_journal() < before / 2);
  assert_int_equal(fn_journal_n_waiting(journal), 500);
  fn_journal_close(journal);
  journal = open_journal(1u << 30);
  assert_int_equal(fn_journal_n_waiting(journal), 500);
  assert_ok(fn_journal_read(&lines, journal, 1, &err));
  assert_contains(lines.data, ",29500,29500]");
  assert_true(fn_journal_waits(folder, "mlflow"));
  assert_ok(fn_journal_read(&lines, journal, 1000, &err));
  assert_ok(fn_journal_advance(journal, lines.length, 500, &err));
  fn_journal_close(journal);
  assert_false(fn_journal_waits(folder, "mlflow"));
}

static void next_is(fn_journal *journal, const char *text, size_t n_lines) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf lines;
  fn_buf_init(&lines, 0);
  assert_ok(fn_journal_read(&lines, journal, n_lines, &err));
  assert_string_equal(lines.length ? lines.data : "", text);
  assert_ok(fn_journal_advance(journal, lines.length, n_lines, &err));
}

/* Blocks of the file that a disk lost cost the lines that stood there, not those behind them. */
static void a_long_damaged_stretch_is_passed_over(void **state) {
  (void)state;
  char path[128], *zeros = calloc(1, 2500000);
  fn_journal *journal = open_journal(1u << 30);
  append_metrics(journal, "m", 1);
  fn_journal_close(journal);
  (void)snprintf(path, sizeof path, "%s/track/mlflow.jsonl", folder);
  FILE *file = fopen(path, "ab");
  assert_non_null(zeros);
  assert_non_null(file);
  assert_int_equal(fwrite(zeros, 1, 2500000, file), 2500000);
  (void)fputs("x]\n", file);
  assert_int_equal(fclose(file), 0);
  free(zeros);
  journal = open_journal(1u << 30);
  append_metrics(journal, "n", 1);
  assert_int_equal(fn_journal_n_waiting(journal), 3);
  next_is(journal, "[\"m\",\"m\",0,0,0]\n", 1);
  next_is(journal, "]\n", 1);
  next_is(journal, "[\"m\",\"n\",0,0,0]\n", 1);
  next_is(journal, "", 0);
  fn_journal_close(journal);
}

/* The disk has nothing more: what it does not take is read from memory, and goes to the disk after all only as far as
 * it was not read. */
static void what_is_held_is_read(void **state) {
  (void)state;
  fn_err err = {0};
  const fn_track_event events[] = {{.kind = FN_TRACK_TAG, .key = "a", .value = "1"},
                                   {.kind = FN_TRACK_TAG, .key = "b", .value = "2"},
                                   {.kind = FN_TRACK_TAG, .key = "c", .value = "3"}};
  const char *const lines[] = {"[\"t\",\"a\",\"1\"]\n", "[\"t\",\"b\",\"2\"]\n", "[\"t\",\"c\",\"3\"]\n"};
  fn_journal *journal = open_journal(1u << 30);
  append_metrics(journal, "m", 1);
  fn_journal_hold(journal, events, 3);
  assert_int_equal(fn_journal_n_unsent(journal), 4);
  next_is(journal, "[\"m\",\"m\",0,0,0]\n", 1);
  next_is(journal, lines[0], 1);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  assert_ok(fn_journal_read(&text, journal, 1, &err));
  assert_ok(fn_journal_put_back(journal, &events[1], text.length, &err));
  assert_int_equal(fn_journal_n_held(journal), 2);
  assert_ok(fn_journal_read(&text, journal, 1, &err)); /* c is on its way when the disk takes what is held */
  assert_string_equal(text.data, lines[2]);
  assert_ok(fn_journal_append(journal, NULL, 0, &err));
  assert_ok(fn_journal_advance(journal, text.length, 1, &err));
  assert_int_equal(fn_journal_n_held(journal), 0);
  next_is(journal, lines[2], 1); /* once more, for nobody knows there */
  next_is(journal, lines[1], 1);
  next_is(journal, "", 0);
  fn_journal_close(journal);
}

static void metrics_are_thinned_and_nothing_else(void **state) {
  (void)state;
  fn_err err = {0};
  fn_journal *journal = open_journal(20000);
  append_metrics(journal, "train/loss", 5000);
  const off_t full = size_of_journal();
  assert_true(full >= 20000 && full < 21000);
  const fn_track_event tag = {.kind = FN_TRACK_TAG, .key = "t", .value = "kept"};
  assert_ok(fn_journal_append(journal, &tag, 1, &err));
  assert_true(size_of_journal() > full);
  assert_true(fn_journal_n_thinned(journal) > 4000);
  assert_int_equal(fn_journal_n_thinned(journal) + fn_journal_n_waiting(journal), 5001);
  fn_journal_close(journal);
}

/* Metrics that are told once are kept, whatever they share a counter with (of 2,000 keys hundreds share one). */
static void the_only_point_is_kept(void **state) {
  (void)state;
  fn_journal *journal = open_journal(1 << 19);
  while (fn_journal_n_thinned(journal) == 0) append_metrics(journal, "train/loss", 100); /* over half */
  const uint64_t n = fn_journal_n_waiting(journal);
  for (int i = 0; i < 2000; i++) {
    char key[32];
    (void)snprintf(key, sizeof key, "kept/%d", i);
    append_metrics(journal, key, 1);
  }
  assert_int_equal(fn_journal_n_waiting(journal), n + 2000);
  fn_journal_close(journal);
}

static void answers_are_judged(void **state) {
  (void)state;
  static const struct {
    int http;
    const char *body;
    fn_status status;
    bool temporary, refused;
    const char *words;
  } cases[] = {
      {200, "{}", FN_OK, false, false, ""},
      {404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"no run\"}", FN_E_NOT_FOUND, false, false,
       "no run"},
      {400, "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"Registered model alias x not found.\"}",
       FN_E_NOT_FOUND, false, false, "alias x"},
      {400, "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"bad\"}", FN_E_INVALID, false, false, "bad"},
      {404, "<!doctype html><title>404</title>", FN_E_UNSUPPORTED, false, false, "no MLflow server at this address"},
      {501, "{\"error_code\":\"NOT_IMPLEMENTED\",\"message\":\"\"}", FN_E_UNSUPPORTED, false, false, "501"},
      {401, "You are not authenticated", FN_E_INVALID, false, true, "MLFLOW_TRACKING_TOKEN"},
      {403, "Invalid Host header - possible DNS rebinding attack detected", FN_E_INVALID, false, true,
       "--allowed-hosts"},
      {429, "{\"error_code\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"slow\"}", FN_E_IO, true, false, "slow"},
      {500, "a\x1b[31mb\nc", FN_E_IO, true, false, "a [31mb c"},
      {413, "", FN_E_INVALID, false, false, "proxy"},
      {201, "{}", FN_E_IO, true, false, "201"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_mlflow_failure failure;
    fn_err err = {0};
    assert_status(fn_mlflow_judge(&failure, cases[i].http, fn_str_from(cases[i].body), "runs/get", false, &err),
                  cases[i].status);
    assert_int_equal(failure.temporary, cases[i].temporary);
    assert_int_equal(failure.refused_access, cases[i].refused);
    assert_contains(err.message, cases[i].words);
  }
}

static const char *variable(void *arg, const char *name) {
  const char *const *pairs = arg;
  for (; *pairs; pairs += 2)
    if (strcmp(pairs[0], name) == 0) return pairs[1];
  return NULL;
}

static void the_environment_is_read(void **state) {
  (void)state;
  fn_err err = {0};
  fn_mlflow_options o;
  const char *set[] = {"MLFLOW_TRACKING_URI", "https://e", "MLFLOW_TRACKING_TOKEN", "t", NULL};
  fn_environment environment = {.get = variable, .arg = set};
  assert_ok(fn_mlflow_from_environment(&o, NULL, &environment, &err));
  assert_string_equal(o.uri, "https://e");
  assert_string_equal(o.token, "t");
  assert_ok(fn_mlflow_from_environment(&o, "http://given", &environment, &err));
  assert_string_equal(o.uri, "http://given");
  assert_status(fn_mlflow_from_environment(&o, "databricks", &environment, &err), FN_E_INVALID);
  const char *both[] = {
      "MLFLOW_TRACKING_USERNAME", "u", "MLFLOW_TRACKING_PASSWORD", "p", "MLFLOW_TRACKING_TOKEN", "t", NULL};
  environment.arg = both;
  assert_ok(fn_mlflow_from_environment(&o, NULL, &environment, &err));
  assert_null(o.uri);
  assert_null(o.token);
  assert_string_equal(o.user, "u");
  const char *half[] = {"MLFLOW_TRACKING_PASSWORD", "p", NULL};
  environment.arg = half;
  assert_status(fn_mlflow_from_environment(&o, NULL, &environment, &err), FN_E_INVALID);
  const char *unsafe[][3] = {{"MLFLOW_TRACKING_INSECURE_TLS", "true"}, {"MLFLOW_TRACKING_INSECURE_TLS", "TRUE"},
                             {"MLFLOW_TRACKING_INSECURE_TLS", "1"},    {"MLFLOW_TRACKING_CLIENT_CERT_PATH", "/c.pem"},
                             {"MLFLOW_TRACKING_AWS_SIGV4", "True"},    {"MLFLOW_TRACKING_AUTH", "plugin"}};
  for (size_t i = 0; i < FN_COUNT_OF(unsafe); i++) {
    environment.arg = unsafe[i];
    assert_status(fn_mlflow_from_environment(&o, NULL, &environment, &err), FN_E_INVALID);
    assert_contains(err.message, unsafe[i][0]);
  }
  const char *safe[] = {"MLFLOW_TRACKING_INSECURE_TLS", "False", "MLFLOW_TRACKING_SERVER_CERT_PATH", "/ca.pem", NULL};
  environment.arg = safe;
  assert_ok(fn_mlflow_from_environment(&o, NULL, &environment, &err));
  assert_string_equal(o.ca_file, "/ca.pem");
}

static void the_place_of_a_run_is_read(void **state) {
  (void)state;
  static const struct {
    const char *name, *id, *run;
    bool is_set;
    const char *experiment, *experiment_id; /* NULL, NULL: refused */
  } cases[] = {
      {NULL, NULL, NULL, false, "given", NULL},
      {"env", NULL, NULL, false, "env", NULL},
      {"env", "3", NULL, true, "given", NULL},
      {NULL, "3", "ab-1", false, "", "3"},
      {"env", "3", "0123456789abcdef", false, "env", "3"},
      {NULL, "news", NULL, false, NULL, NULL},
      {NULL, NULL, "../x", false, NULL, NULL},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    const char *pairs[7] = {NULL};
    size_t n = 0;
    if (cases[i].name) pairs[n++] = "MLFLOW_EXPERIMENT_NAME", pairs[n++] = cases[i].name;
    if (cases[i].id) pairs[n++] = "MLFLOW_EXPERIMENT_ID", pairs[n++] = cases[i].id;
    if (cases[i].run) pairs[n++] = "MLFLOW_RUN_ID", pairs[n++] = cases[i].run;
    const fn_environment environment = {.get = variable, .arg = pairs};
    fn_mlflow_place place;
    fn_err err = {0};
    const fn_status status = fn_mlflow_place_from_environment(&place, "given", cases[i].is_set, &environment, &err);
    if (!cases[i].experiment) {
      assert_status(status, FN_E_INVALID);
      continue;
    }
    assert_ok(status);
    assert_string_equal(place.experiment, cases[i].experiment);
    assert_true(place.run_id == cases[i].run);
    assert_true(place.experiment_id == cases[i].experiment_id ||
                strcmp(place.experiment_id, cases[i].experiment_id) == 0);
  }
}

static fn_config *default_net(fn_net_options *net) {
  fn_err err = {0};
  fn_config *config = NULL;
  const fn_option_table *const tables[] = {&fn_net_option_table};
  assert_ok(fn_config_create(&config, tables, 1, NULL, &err));
  assert_ok(fn_config_fill(net, config, &fn_net_option_table, &err));
  return config;
}

/* The port is closed: the sink takes everything at once, ends on time and says what waits. */
static void nobody_is_there(void **state) {
  (void)state;
  fn_err err = {0};
  fn_net_options net;
  fn_config *config = default_net(&net);
  const fn_mlflow_sink_options options = {.server = {.uri = "http://127.0.0.1:9", .token = "secret-token", .net = &net},
                                          .run = &run,
                                          .folder = folder,
                                          .resume_step = -1,
                                          .max_bytes = 1 << 20};
  fn_sink sink;
  assert_ok(fn_mlflow_sink_create(&sink, &options, &err));
  for (int i = 0; i < 200; i++) {
    const fn_track_event e = {.kind = FN_TRACK_METRIC, .key = "loss", .number = i, .step = i, .time_ms = i};
    const uint64_t begin = fn_clock_ns();
    (void)!sink.log(sink.self, &e, 1, NULL);
    assert_true(fn_clock_ns() - begin < 15000000000u); /* half of what a server is waited for */
    if (i % 50 == 0) usleep(20000);
  }
  for (int i = 0; i < 6000 && sink.log(sink.self, NULL, 0, &err) == FN_OK; i++) usleep(10000);
  assert_status(sink.log(sink.self, NULL, 0, &err), FN_E_IO); /* the sender has failed by now */
  assert_contains(err.message, "the events wait in the run's folder");
  const uint64_t begin = fn_clock_ns();
  assert_status(sink.close(sink.self, begin + 100000000u, &err), FN_E_IO);
  assert_true(fn_clock_ns() - begin < 15000000000u);
  assert_contains(err.message, "200 events wait for http://127.0.0.1:9");
  assert_null(strstr(err.message, "secret-token"));
  sink.destroy(sink.self);
  fn_config_destroy(config);
}

/* No file may grow any more, as on a full disk. */
static void limit_files(rlim_t n_bytes) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = n_bytes;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Events that the disk does not take are held, in their order, and those that never get there are counted and told. */
static void full_disk(void **state) {
  (void)state;
  fn_err err = {0};
  fn_net_options net;
  fn_config *config = default_net(&net);
  const fn_mlflow_sink_options options = {.server = {.uri = "http://127.0.0.1:9", .net = &net},
                                          .run = &run,
                                          .folder = folder,
                                          .resume_step = -1,
                                          .max_bytes = 1u << 28};
  fn_sink sink;
  signal(SIGXFSZ, SIG_IGN);
  assert_ok(fn_mlflow_sink_create(&sink, &options, &err));
  static char long_value[6001];
  memset(long_value, 'x', sizeof long_value - 1);
  const fn_track_event param = {.kind = FN_TRACK_PARAM, .key = "p", .value = long_value};
  const fn_track_event end = {.kind = FN_TRACK_STATUS, .status = FN_RUN_FINISHED, .time_ms = 7};
  limit_files((rlim_t)size_of_journal() + 100); /* half a line fits */
  assert_status(sink.log(sink.self, &param, 1, &err), FN_E_IO);
  assert_contains(err.message, "held in memory (16 MiB) until it does: ");
  assert_contains(err.message, "mlflow.jsonl: File too large");
  for (int i = 0; i < 1000; i++) {
    const fn_track_event e = {.kind = FN_TRACK_METRIC, .key = "m", .number = i, .step = i, .time_ms = i};
    assert_status(sink.log(sink.self, &e, 1, &err), FN_E_IO);
  }
  limit_files(RLIM_INFINITY);
  (void)!sink.log(sink.self, NULL, 0, NULL); /* the tracker looks in now and then */
  const off_t whole = size_of_journal();
  assert_true(whole > 6000 + 1000 * 10);
  limit_files((rlim_t)whole);
  assert_status(sink.log(sink.self, &end, 1, &err), FN_E_IO);
  assert_status(sink.close(sink.self, fn_clock_ns(), &err), FN_E_IO);
  assert_contains(err.message, "1001 events wait for http://127.0.0.1:9");
  assert_contains(err.message, "1 events are lost, for the run's folder did not take them (");
  sink.destroy(sink.self);
  limit_files(RLIM_INFINITY);
  fn_journal *journal = open_journal(1u << 28);
  FN_AUTO_BUF fn_buf lines;
  fn_buf_init(&lines, 0);
  assert_ok(fn_journal_read(&lines, journal, 1, &err));
  assert_true(fn_str_starts_with(fn_buf_str(&lines), "[\"p\",\"p\",\"xxx"));
  assert_ok(fn_journal_advance(journal, lines.length, 1, &err));
  assert_ok(fn_journal_read(&lines, journal, 1, &err));
  assert_string_equal(lines.data, "[\"m\",\"m\",0,0,0]\n");
  fn_journal_close(journal);
  fn_config_destroy(config);
}

/* A server that says when is asked then, however often it said so before. */
static void wishes_of_servers_count(void **state) {
  (void)state;
  for (uint64_t n = 1; n < 20; n++) assert_true(fn_mlflow_wait_s(0.5, 60, n, 1) == 1);
  assert_true(fn_mlflow_wait_s(0.5, 60, 20, 0) >= 30);
}

/* A model's directory is read once, unless a file of it was written since. */
static void models_are_hashed_once(void **state) {
  (void)state;
  fn_err err = {0};
  char config[128];
  fn_mlflow_log_progress p = {0};
  const fn_mlflow_log_source source = {.name = "model", .dir = folder};
  (void)snprintf(config, sizeof config, "%s/config.json", folder);
  assert_ok(fn_file_write(config, "{}", 2, &err));
  assert_ok(fn_mlflow_log_prepare(&p, &source, &err));
  (void)snprintf(p.hash, sizeof p.hash, "as before");
  assert_ok(fn_mlflow_log_prepare(&p, &source, &err));
  assert_string_equal(p.hash, "as before");
  assert_ok(fn_file_write(config, "{ }", 3, &err));
  assert_ok(fn_mlflow_log_prepare(&p, &source, &err));
  assert_int_equal(strlen(p.hash), 32);
  fn_mlflow_log_progress_deinit(&p);
  assert_int_equal(unlink(config), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(events_survive, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_was_sent_is_remembered_and_cut_off, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_long_damaged_stretch_is_passed_over, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_held_is_read, set_up, tear_down),
      cmocka_unit_test_setup_teardown(metrics_are_thinned_and_nothing_else, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_only_point_is_kept, set_up, tear_down),
      cmocka_unit_test(answers_are_judged),
      cmocka_unit_test(wishes_of_servers_count),
      cmocka_unit_test_setup_teardown(models_are_hashed_once, set_up, tear_down),
      cmocka_unit_test(the_environment_is_read),
      cmocka_unit_test(the_place_of_a_run_is_read),
      cmocka_unit_test_setup_teardown(nobody_is_there, set_up, tear_down),
      cmocka_unit_test_setup_teardown(full_disk, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
