/* Lets Python feed a sink of a run (track/tracker.h) without a training.
 *
 *   sink_probe wandb FOLDER [dir DIR] [project P] [entity E] [group G] [tag T]… [wid ID] [resume STEP] [close MS]
 *   sink_probe frames FILE LENGTH…    no sink: a W&B file with records of these lengths, of the byte 'x'
 *   sink_probe mlflow FOLDER [uri URI] [token T | user U password P] [run ID] [experiment NAME] [eid ID] [workspace
 * NAME] [max BYTES] [roots FOLDER] [resume STEP] [close MS] [net.KEY VALUE]…
 *
 * Reads events from stdin, a line each, parts by tabs: m KEY VALUE STEP MS, p KEY VALUE, t KEY VALUE, a PATH FILE,
 * s STATUS MS, sleep MS, await FILE (until it is there). Lines go to the sink in batches, up to an empty line, a pause
 * or the end. Answers one line of JSON: what log and close said, and the milliseconds that the slowest log and close
 * took; of a log without those in which it waited for a processor, where the kernel counts them.
 */
#include "mlflow/sink.h"
#include "store/store.h"
#include "wandb/log.h"
#include "wandb/wandb.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_BATCH = 100000 };

typedef struct probe {
  fn_sink sink;
  fn_track_event *events;
  char **texts;
  size_t n;
  fn_buf said;
  double slowest_ms;
} probe;

static void say(probe *p, const fn_err *err) {
  fn_buf_append_str(&p->said, p->said.length ? "," : "");
  fn_buf_append_json(&p->said, fn_str_from(err->message));
}

/* Time in which this thread could have run, but others did. */
static double waited_ms(void) {
  unsigned long long ran, waited = 0;
  FILE *f = fopen("/proc/thread-self/schedstat", "r");
  if (!f) return 0;
  const bool known = fscanf(f, "%llu %llu", &ran, &waited) == 2;
  (void)fclose(f);
  return known ? (double)waited / 1e6 : 0;
}

static void flush(probe *p) {
  if (p->n == 0) return;
  fn_err err = {0};
  const double waited = waited_ms();
  const uint64_t begin = fn_clock_ns();
  if (p->sink.log(p->sink.self, p->events, p->n, &err) != FN_OK) say(p, &err);
  const double ms = (double)(fn_clock_ns() - begin) / 1e6 - (waited_ms() - waited);
  if (ms > p->slowest_ms) p->slowest_ms = ms;
  for (size_t i = 0; i < p->n; i++) free(p->texts[i]);
  p->n = 0;
}

static fn_run_status status_of(const char *name) {
  for (int i = 0; i < FN_N_RUN_STATUSES; i++)
    if (!strcmp(name, fn_run_status_names[i])) return (fn_run_status)i;
  return FN_RUN_FAILED;
}

static void take(probe *p, const char *line) {
  char *text = fn_str_dup(fn_str_from(line)), *rest = text;
  const char *kind = strsep(&rest, "\t"), *a = rest ? strsep(&rest, "\t") : "", *b = rest ? strsep(&rest, "\t") : "";
  fn_track_event e = {.key = a, .value = b};
  if (*kind == 'm') {
    e.kind = FN_TRACK_METRIC;
    e.number = strtod(b, NULL);
    e.step = atoll(strsep(&rest, "\t"));
    e.time_ms = atoll(strsep(&rest, "\t"));
  } else if (*kind == 's') {
    e = (fn_track_event){.kind = FN_TRACK_STATUS, .status = status_of(a), .time_ms = atoll(b)};
  } else {
    e.kind = *kind == 'p' ? FN_TRACK_PARAM : *kind == 't' ? FN_TRACK_TAG : FN_TRACK_ARTIFACT;
  }
  p->texts[p->n] = text;
  p->events[p->n++] = e;
  if (p->n == MAX_BATCH) flush(p);
}

static void pause_for(long ms) {
  const struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&wait, NULL);
}

static void feed(probe *p) {
  char *line = NULL;
  size_t capacity = 0;
  ssize_t n;
  while ((n = getline(&line, &capacity, stdin)) > 0) {
    if (line[n - 1] == '\n') line[--n] = 0;
    const long ms = strncmp(line, "sleep\t", 6) == 0 ? atol(line + 6) : 0;
    const char *file = strncmp(line, "await\t", 6) == 0 ? line + 6 : NULL;
    if (n == 0 || ms > 0 || file)
      flush(p);
    else
      take(p, line);
    if (ms > 0) pause_for(ms);
    while (file && access(file, F_OK) != 0) pause_for(10);
  }
  free(line);
  flush(p);
}

static int frames(int argc, char **argv) {
  fn_err err = {0};
  fn_wandb_log *log = NULL;
  fn_status status = fn_wandb_log_create(&log, argv[2], &err);
  for (int i = 3; i < argc && status == FN_OK; i++) {
    const size_t n = strtoull(argv[i], NULL, 10);
    char *text = malloc(n + 1);
    if (!text) return 1;
    memset(text, 'x', n);
    fn_wandb_log_add(log, fn_str_make(text, n));
    free(text);
    if (i % 2) status = fn_wandb_log_flush(log, &err);
  }
  if (status == FN_OK) status = fn_wandb_log_close(log, &err);
  if (status != FN_OK) fprintf(stderr, "%s: %s\n", fn_status_name(status), err.message);
  return fn_status_exit_code(status);
}

int main(int argc, char **argv) {
  fn_err err = {0};
  if (argc > 2 && !strcmp(argv[1], "frames")) return frames(argc, argv);
  fn_config *config = NULL;
  const fn_option_table *const tables[] = {&fn_net_option_table};
  if (fn_config_create(&config, tables, FN_COUNT_OF(tables), NULL, &err) != FN_OK || argc < 3) return 64;
  char folder[4096];
  fn_run_info run = {.experiment_name = "probe", .name = "probe run", .user = "tester", .start_ms = 1700000000000};
  fn_run_id_make(run.id, (const unsigned char *)"0123456789abcdef");
  if (!realpath(argv[2], folder)) return 64;
  fn_mlflow_sink_options o = {.run = &run, .folder = folder, .resume_step = -1, .max_bytes = 64 << 20};
  const char *tags[16];
  fn_wandb_sink_options w = {.run = &run, .dir = folder, .version = "1.2.3", .tags = tags, .resume_step = -1};
  double close_ms = 5000;
  fn_status status = FN_OK;
  for (int i = 3; i + 1 < argc && status == FN_OK; i += 2) {
    const char *word = argv[i], *value = argv[i + 1];
    if (!strcmp(word, "uri")) o.server.uri = value;
    if (!strcmp(word, "token")) o.server.token = value;
    if (!strcmp(word, "user")) o.server.user = value;
    if (!strcmp(word, "password")) o.server.password = value;
    if (!strcmp(word, "roots")) o.server.local_roots = (const char *const *)argv + i + 1, o.server.n_local_roots = 1;
    if (!strcmp(word, "run")) o.run_id = value;
    if (!strcmp(word, "experiment")) run.experiment_name = value;
    if (!strcmp(word, "eid")) o.experiment_id = value;
    if (!strcmp(word, "workspace")) o.server.workspace = value;
    if (!strcmp(word, "id")) (void)snprintf(run.id, sizeof run.id, "%s", value);
    if (!strcmp(word, "dir")) w.dir = value;
    if (!strcmp(word, "project")) w.project = value;
    if (!strcmp(word, "entity")) w.entity = value;
    if (!strcmp(word, "group")) w.group = value;
    if (!strcmp(word, "wid")) w.id = value;
    if (!strcmp(word, "tag") && w.n_tags < FN_COUNT_OF(tags)) tags[w.n_tags++] = value;
    if (!strcmp(word, "resume")) w.resume_step = o.resume_step = atoll(value);
    if (!strcmp(word, "max")) o.max_bytes = strtoull(value, NULL, 10);
    if (!strcmp(word, "close")) close_ms = strtod(value, NULL);
    if (!strncmp(word, "net.", 4))
      status = fn_config_set(config, FN_CONFIG_OVERRIDE, word, fn_str_from(value), "test", &err);
  }
  fn_net_options net;
  if (status == FN_OK) status = fn_config_fill(&net, config, &fn_net_option_table, &err);
  fn_store_options store = {.net = &net};
  o.server.net = &net;
  o.server.store = &store;
  probe p = {.events = fn_mem_calloc(MAX_BATCH, sizeof *p.events), .texts = fn_mem_calloc(MAX_BATCH, sizeof *p.texts)};
  fn_buf_init(&p.said, 0);
  if (status == FN_OK)
    status =
        strcmp(argv[1], "wandb") ? fn_mlflow_sink_create(&p.sink, &o, &err) : fn_wandb_sink_create(&p.sink, &w, &err);
  if (status == FN_OK) {
    feed(&p);
    const uint64_t begin = fn_clock_ns();
    fn_err closing = {0};
    status = p.sink.close(p.sink.self, begin + (uint64_t)(close_ms * 1e6), &closing);
    printf("{\"slowest_ms\":%.3f,\"close_ms\":%.1f,\"said\":[%s],\"close\":", p.slowest_ms,
           (double)(fn_clock_ns() - begin) / 1e6, p.said.length ? p.said.data : "");
    fn_buf_reset(&p.said);
    fn_buf_append_json(&p.said, fn_str_from(closing.message));
    printf("%s}\n", p.said.data);
    p.sink.destroy(p.sink.self);
  } else {
    fprintf(stderr, "%s: %s\n", fn_status_name(status), err.message);
  }
  fn_buf_deinit(&p.said);
  free(p.events);
  free(p.texts);
  fn_config_destroy(config);
  return fn_status_exit_code(status);
}
