/* Lets Python drive the prediction log. URL "-": the default.
 *
 *   log_probe write URL FOLDER KEY=VALUE…
 *       appends rows and prints "ok ID", "failed ID WHY" when done is called; at the end "stats …". Keys:
 *       first=0 rows=100 callers=4 durable=answer text=hash pause_us=0 spool_mb=64 queue=4096 flush_ms=200
 *       keep_days=36500
 *       days=0      how old the rows are
 *       title=0     texts of the rows follow from their number and this one
 *       feedback=1  real and fake by turns
 *       wait=0      seconds to stay open at the end, or until a spool was replayed
 *       purged=0    or until so many rows were deleted for their age
 *       paced=0     1: each row waits for a byte from stdin, up to its end
 *
 *   log_probe bench URL FOLDER KEY=VALUE…
 *       rows a second and the times of appends; seconds=5, and keys as above
 *
 *   log_probe classify URL FOLDER MODEL TITLE TEXT
 *       classifies and appends under text=full; prints the id
 *
 *   log_probe feedback URL FOLDER ID LABEL NAME
 */
#include "monitor/monitor.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

typedef struct settings {
  long feedback, first, rows, callers, days, pause_us, title, wait, purged, paced, seconds;
  fn_predictions_options options;
} settings;

static long number_of(int argc, char **argv, const char *key, long otherwise) {
  const size_t n = strlen(key);
  int64_t value;
  for (int i = 0; i < argc; i++)
    if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=' && fn_str_to_int64(&value, fn_str_from(argv[i] + n + 1)))
      return (long)value;
  return otherwise;
}

static bool has(int argc, char **argv, const char *setting) {
  for (int i = 0; i < argc; i++)
    if (strcmp(argv[i], setting) == 0) return true;
  return false;
}

static settings parse(int argc, char **argv, const char *url) {
  settings s = {.first = number_of(argc, argv, "first", 0),
                .rows = number_of(argc, argv, "rows", 100),
                .callers = number_of(argc, argv, "callers", 4),
                .days = number_of(argc, argv, "days", 0),
                .pause_us = number_of(argc, argv, "pause_us", 0),
                .title = number_of(argc, argv, "title", 0),
                .wait = number_of(argc, argv, "wait", 0),
                .purged = number_of(argc, argv, "purged", 0),
                .paced = number_of(argc, argv, "paced", 0),
                .seconds = number_of(argc, argv, "seconds", 5),
                .feedback = number_of(argc, argv, "feedback", 0)};
  s.options =
      (fn_predictions_options){.url = strcmp(url, "-") == 0 ? NULL : url,
                               .durable = has(argc, argv, "durable=async") ? FN_DURABLE_ASYNC : FN_DURABLE_ANSWER,
                               .flush_ms = number_of(argc, argv, "flush_ms", 200),
                               .text = has(argc, argv, "text=full")   ? FN_TEXT_KEEP_FULL
                                       : has(argc, argv, "text=none") ? FN_TEXT_KEEP_NONE
                                                                      : FN_TEXT_KEEP_HASH,
                               .keep_days = number_of(argc, argv, "keep_days", 36500),
                               .spool_mb = number_of(argc, argv, "spool_mb", 64),
                               .queue_rows = number_of(argc, argv, "queue", 4096)};
  return s;
}

/* One caller at a time waits for one row, as a connection does. */
typedef struct caller {
  const settings *s;
  fn_prediction_log *log;
  long index;
  pthread_mutex_t mutex;
  pthread_cond_t change;
  bool is_done;
  char id[24], title[64], text[800];
  bool quiet;
  double *times; /* of appends, in seconds */
  size_t n_times, capacity;
} caller;

static void on_done(void *arg, fn_status status, const fn_prediction_result *results, const fn_err *err) {
  static const char *const names[] = {"ok", "repeated", "differs"};
  caller *c = arg;
  char line[400];
  int n = status == FN_OK ? snprintf(line, sizeof line, "%s %s\n", names[results[0].outcome], c->id)
                          : snprintf(line, sizeof line, "failed %s %.300s\n", c->id, err->message);
  if (!c->quiet && write(STDOUT_FILENO, line, (size_t)n) != n) _exit(3); /* at once: the process may be killed */
  pthread_mutex_lock(&c->mutex);
  c->is_done = true;
  pthread_cond_signal(&c->change);
  pthread_mutex_unlock(&c->mutex);
}

static fn_prediction_row make_row(caller *c, long n) {
  static float embedding[312];
  static const char answer[] =
      "{\"label\":\"fake\",\"probabilities\":{\"real\":0.25,\"fake\":0.75},\"verdict\":\"fake\","
      "\"calibrated\":true,\"prior\":0.5,\"threshold\":0.75,\"logit\":1.0986122886681098,"
      "\"reasons\":[],\"halves\":{\"encoder\":0.9,\"linear\":1.4},\"n_tokens\":34,"
      "\"max_tokens\":256,\"truncated\":false,\"read_bytes\":1234,\"n_windows\":1,"
      "\"windows\":[{\"begin\":0,\"end\":1234,\"logit\":0.9,\"share\":1.0}]}";
  snprintf(c->id, sizeof c->id, "p_%08ld", n);
  snprintf(c->title, sizeof c->title, "Title %ld", n + c->s->title);
  snprintf(c->text, sizeof c->text, "Text %ld", n + c->s->title);
  for (size_t i = 0; i < FN_COUNT_OF(embedding); i++) embedding[i] = (float)(i % 13) - 6.0f;
  return (fn_prediction_row){.id = fn_str_from(c->id),
                             .time_ms = fn_clock_unix_ms() - c->s->days * 86400000,
                             .request_id = fn_str_from("0123456789abcdef0123456789abcdef"),
                             .route = fn_str_from("/v1/classify"),
                             .client = fn_str_from(""),
                             .model = fn_str_from("fakenews-default@580cadd10274"),
                             .title = fn_str_from(c->title),
                             .text = fn_str_from(c->text),
                             .label = fn_str_from(n % 2 ? "real" : "fake"),
                             .verdict = fn_str_from(n % 2 ? "real" : "fake"),
                             .p_fake = 0.75,
                             .logit = 1.0986122886681098,
                             .prior = 0.5,
                             .calibrated = true,
                             .n_tokens = 34,
                             .n_windows = 1,
                             .embedding = embedding,
                             .n_embedding = 312,
                             .answer = fn_str_from(answer)};
}

static bool put(caller *c, long n) {
  fn_err err = {0};
  const fn_prediction_row row = make_row(c, n);
  const uint64_t begin = fn_clock_ns();
  c->is_done = false;
  const fn_status status = fn_prediction_log_append(c->log, &row, 1, on_done, c, &err);
  if (status != FN_OK) {
    printf("refused %s %s %s\n", c->id, fn_status_name(status), err.message);
    fflush(stdout);
    return false;
  }
  pthread_mutex_lock(&c->mutex);
  while (!c->is_done) pthread_cond_wait(&c->change, &c->mutex);
  pthread_mutex_unlock(&c->mutex);
  if (c->s->feedback) {
    fn_feedback_entry entry;
    const fn_feedback f = {.prediction_id = row.id, .label = n / 2 % 2 ? FN_FEEDBACK_FAKE : FN_FEEDBACK_REAL};
    if (fn_prediction_log_add_feedback(&entry, c->log, &f, &err) != FN_OK) fprintf(stderr, "%s\n", err.message);
  }
  if (c->n_times < c->capacity) c->times[c->n_times++] = (double)(fn_clock_ns() - begin) / 1e9;
  return true;
}

static void *write_some(void *arg) {
  caller *c = arg;
  char byte;
  for (long i = c->index; i < c->s->rows; i += c->s->callers) {
    if (c->s->paced && read(STDIN_FILENO, &byte, 1) != 1) break;
    (void)put(c, c->s->first + i);
    if (c->s->pause_us) usleep((useconds_t)c->s->pause_us);
  }
  return NULL;
}

static void *write_long(void *arg) {
  caller *c = arg;
  const uint64_t end = fn_clock_ns() + (uint64_t)c->s->seconds * 1000000000;
  for (long i = c->index; fn_clock_ns() < end; i += c->s->callers) {
    if (!put(c, c->s->first + i)) usleep(1000);
    if (c->s->pause_us) usleep((useconds_t)c->s->pause_us);
  }
  return NULL;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void report(const settings *s, caller *callers, fn_prediction_log *log, double seconds) {
  static double all[4 << 20];
  size_t n = 0;
  for (long i = 0; i < s->callers; i++)
    for (size_t k = 0; k < callers[i].n_times && n < FN_COUNT_OF(all); k++) all[n++] = callers[i].times[k];
  qsort(all, n, sizeof *all, compare);
  fn_prediction_log_stats stats;
  fn_prediction_log_get_stats(&stats, log);
  const double commits = stats.n_commits ? (double)stats.n_commits : 1;
  printf("callers %ld: %.0f rows/s; append p50 %.3f ms, p99 %.3f ms, max %.3f ms; %.1f rows a commit of %.3f ms; "
         "lost %llu, waiting %zu\n",
         s->callers, (double)n / seconds, n ? all[n / 2] * 1e3 : 0, n ? all[n * 99 / 100] * 1e3 : 0,
         n ? all[n - 1] * 1e3 : 0, (double)stats.n_written / commits, stats.commit_s / commits * 1e3,
         (unsigned long long)stats.n_lost, stats.n_pending);
}

static int run_callers(const settings *s, const char *folder, bool bench) {
  fn_err err = {0};
  fn_prediction_log *log;
  caller callers[64];
  pthread_t threads[64];
  if (s->callers < 1 || s->callers > 64) return 2;
  if (fn_prediction_log_open(&log, &s->options, folder, &err) != FN_OK) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  const uint64_t begin = fn_clock_ns();
  for (long i = 0; i < s->callers; i++) {
    callers[i] = (caller){.s = s, .log = log, .index = i, .quiet = bench, .capacity = bench ? 1 << 20 : 0};
    callers[i].times = fn_mem_calloc(callers[i].capacity, sizeof(double));
    pthread_mutex_init(&callers[i].mutex, NULL);
    pthread_cond_init(&callers[i].change, NULL);
    if (pthread_create(&threads[i], NULL, bench ? write_long : write_some, &callers[i]) != 0) return 1;
  }
  for (long i = 0; i < s->callers; i++) pthread_join(threads[i], NULL);
  if (bench) report(s, callers, log, (double)(fn_clock_ns() - begin) / 1e9);
  for (long i = 0; i < s->callers; i++) free(callers[i].times);
  fn_prediction_log_stats stats = {.n_pending = 1};
  for (int i = 0; !bench && i < 30000 && stats.n_pending > 0; i++) { /* under async rows still wait */
    usleep(1000);
    fn_prediction_log_get_stats(&stats, log);
  }
  for (long i = 0; i < s->wait * 100; i++) {
    fn_prediction_log_get_stats(&stats, log);
    if (stats.n_replayed > 0 && stats.spool_bytes == 0) break;
    if (s->purged > 0 && stats.n_purged >= (uint64_t)s->purged) break;
    usleep(10000);
  }
  fn_prediction_log_get_stats(&stats, log);
  if (!bench)
    printf("stats written %llu repeated %llu spooled %llu replayed %llu lost %llu failed %llu purged %llu spool_bytes "
           "%llu up %d error %s\n",
           (unsigned long long)stats.n_written, (unsigned long long)stats.n_repeated,
           (unsigned long long)stats.n_spooled, (unsigned long long)stats.n_replayed, (unsigned long long)stats.n_lost,
           (unsigned long long)stats.n_failed, (unsigned long long)stats.n_purged,
           (unsigned long long)stats.spool_bytes, stats.database_up, stats.last_error);
  fflush(stdout);
  fn_prediction_log_close(log);
  return 0;
}

static fn_status classify(const settings *s, const char *folder, char **argv, fn_err *err) {
  fn_device_options device_options = FN_DEVICE_OPTIONS_INIT;
  const fn_infer_options infer = FN_INFER_OPTIONS_INIT;
  fn_device *device;
  fn_classifier *classifier;
  fn_session *session;
  fn_prediction_log *log;
  fn_prediction prediction;
  fn_prediction_row row;
  unsigned char random[16];
  char id[40] = "p_";
  device_options.n_threads = 1;
  fn_predictions_options options = s->options;
  options.text = FN_TEXT_KEEP_FULL;
  const fn_article article = {.title = fn_str_from(argv[1]), .text = fn_str_from(argv[2])};
  FN_TRY(fn_device_create(&device, &device_options, err));
  FN_TRY(fn_classifier_load(&classifier, argv[0], err));
  FN_TRY(fn_session_create(&session, classifier, &infer, device, err));
  FN_TRY(fn_session_keep_embeddings(session, true, err));
  FN_TRY(fn_session_classify(&prediction, session, &article, 1, err));
  FN_TRY(fn_random_bytes(random, sizeof random, err));
  fn_hex_format(id + 2, random, sizeof random);
  fn_prediction_row_fill(&row, fn_classifier_get_info(classifier), &article, &prediction,
                         fn_session_embedding_size(session));
  row.id = fn_str_from(id);
  row.route = fn_str_from("/v1/classify");
  row.answer = fn_str_from("{\"label\":\"?\"}");
  FN_TRY(fn_prediction_log_open(&log, &options, folder, err));
  FN_TRY(fn_prediction_log_append(log, &row, 1, NULL, NULL, err));
  fn_prediction_log_close(log);
  fn_session_destroy(session);
  fn_classifier_destroy(classifier);
  fn_device_destroy(device);
  printf("%s\n", id);
  return FN_OK;
}

static fn_status add_feedback(const settings *s, const char *folder, char **argv, fn_err *err) {
  fn_prediction_log *log;
  fn_feedback_entry entry;
  fn_feedback f = {
      .prediction_id = fn_str_from(argv[0]), .name = fn_str_from(argv[2]), .reason = fn_str_from("because")};
  if (!fn_feedback_label_parse(&f.label, fn_str_from(argv[1]))) return fn_err_set(err, FN_E_INVALID, "no such label");
  FN_TRY(fn_prediction_log_open(&log, &s->options, folder, err));
  const fn_status status = fn_prediction_log_add_feedback(&entry, log, &f, err);
  fn_prediction_log_close(log);
  if (status == FN_OK) printf("%s %s\n", entry.id, entry.corrects);
  return status;
}

int main(int argc, char **argv) {
  fn_err err = {0};
  fn_status status = FN_E_INVALID;
  if (argc < 4) return 2;
  signal(SIGXFSZ, SIG_IGN);
  const settings s = parse(argc - 4, argv + 4, argv[2]);
  if (strcmp(argv[1], "write") == 0) return run_callers(&s, argv[3], false);
  if (strcmp(argv[1], "bench") == 0) return run_callers(&s, argv[3], true);
  if (strcmp(argv[1], "classify") == 0 && argc == 7) status = classify(&s, argv[3], argv + 4, &err);
  if (strcmp(argv[1], "feedback") == 0 && argc == 7) status = add_feedback(&s, argv[3], argv + 4, &err);
  if (status != FN_OK) fprintf(stderr, "%s\n", err.message);
  return fn_status_exit_code(status);
}
