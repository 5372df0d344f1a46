/* Lets Python drive artifact stores; variables come from its environment.
 *
 *   store_probe VERB URI [ARGUMENT]… [SETTING VALUE]…    one line of JSON: outcome, message, output, events
 *       get KEY PATH [SHA256]   put KEY PATH [SHA256]   read KEY   write KEY TEXT   list FOLDER   stat KEY   remove KEY
 *       SETTING: net.…, store.…, state FOLDER, cancel N (the N-th event), cancel_wait N (N-th question), repeat N (the
 * verb is done N times, also after a failure; the last one's outcome is told) store_probe sigv4 < LINES signs requests:
 * lines of JSON with method, path, query and headers as lists of pairs, payload, region, service, time, id, secret,
 * token; answers lines with canonical, to_sign, authorization, query
 */
#include "store/sigv4.h"
#include "store/store.h"

#include "store/options.h"

#include <stdio.h>

enum { MAX_ARGUMENTS = 4, MAX_INPUT = 1 << 20 };

extern char **environ;

typedef struct job {
  const char *verb, *uri, *arguments[MAX_ARGUMENTS];
  int n_arguments;
  fn_config *config;
  fn_store_options options;
  long cancel_at, cancel_wait, n_events, n_waits, repeat;
  fn_buf output, events;
  uint64_t last_data;
} job;

static const char *get_variable(void *arg, const char *name) {
  (void)arg;
  return getenv(name);
}

static bool on_event(void *arg, const fn_download_event *e) {
  static const char *const names[] = {"begin", "data", "retry", "note", "check", "unpack", "wait"};
  job *j = arg;
  const bool shown = e->kind == FN_DOWNLOAD_BEGIN || e->kind == FN_DOWNLOAD_RETRY || e->kind == FN_DOWNLOAD_NOTE;
  if (shown) fn_buf_printf(&j->events, "%s %s\n", names[e->kind], e->text ? e->text : "");
  if (e->kind == FN_DOWNLOAD_DATA) j->last_data = e->n_bytes;
  if (e->kind == FN_DOWNLOAD_WAIT && ++j->n_waits == j->cancel_wait) return false;
  return j->cancel_at == 0 || e->kind == FN_DOWNLOAD_WAIT || ++j->n_events < j->cancel_at;
}

static fn_status on_entry(void *arg, const fn_store_entry *e, fn_err *err) {
  (void)err;
  job *j = arg;
  fn_buf_printf(&j->output, "%s %llu %lld\n", e->key, (unsigned long long)e->size_bytes, (long long)e->modified_ms);
  return FN_OK;
}

static fn_status act(job *j, fn_store *store, fn_err *err) {
  const char *const *a = j->arguments;
  fn_store_entry entry;
  const char *v = j->verb;
  if (!strcmp(v, "get")) return fn_store_get(store, a[0], a[1], a[2], err);
  if (!strcmp(v, "put")) return fn_store_put(store, a[0], a[1], a[2], err);
  if (!strcmp(v, "read")) return fn_store_read(&j->output, store, a[0], MAX_INPUT, err);
  if (!strcmp(v, "write")) return fn_store_write(store, a[0], fn_str_from(a[1]), err);
  if (!strcmp(v, "list")) return fn_store_list(store, a[0] ? a[0] : "", on_entry, j, err);
  if (!strcmp(v, "remove")) return fn_store_remove(store, a[0], err);
  if (strcmp(v, "stat") != 0) return fn_err_set(err, FN_E_INVALID, "unknown verb %s", v);
  FN_TRY(fn_store_stat(&entry, store, a[0], err));
  fn_buf_printf(&j->output, "%llu %lld %s", (unsigned long long)entry.size_bytes, (long long)entry.modified_ms,
                entry.sha256);
  return FN_OK;
}

static fn_status run(job *j, int argc, char **argv, fn_err *err) {
  static const fn_option_table *const tables[] = {&fn_net_option_table, &fn_bucket_option_table};
  static const fn_environment no_environment;
  fn_net_options net;
  fn_bucket_options buckets;
  fn_environment environment = no_environment;
  int64_t number = 0;
  FN_TRY(fn_config_create(&j->config, tables, 2, NULL, err));
  for (int i = 3; i < argc; i++) {
    const bool setting = strncmp(argv[i], "net.", 4) == 0 || strncmp(argv[i], "store.", 6) == 0;
    if (setting && i + 1 < argc) {
      FN_TRY(fn_config_set(j->config, FN_CONFIG_OVERRIDE, argv[i], fn_str_from(argv[i + 1]), "test", err));
      i++;
    } else if (strcmp(argv[i], "state") == 0 && i + 1 < argc) {
      j->options.state = argv[++i];
    } else if ((strcmp(argv[i], "cancel") == 0 || strcmp(argv[i], "repeat") == 0) && i + 1 < argc) {
      if (!fn_str_to_int64(&number, fn_str_from(argv[i + 1]))) return fn_err_set(err, FN_E_INVALID, "no number");
      if (argv[i++][0] == 'c')
        j->cancel_at = (long)number;
      else
        j->repeat = (long)number;
    } else if (strcmp(argv[i], "cancel_wait") == 0 && i + 1 < argc) {
      if (!fn_str_to_int64(&number, fn_str_from(argv[++i]))) return fn_err_set(err, FN_E_INVALID, "no number");
      j->cancel_wait = (long)number;
    } else if (j->n_arguments < MAX_ARGUMENTS) {
      j->arguments[j->n_arguments++] = argv[i];
    }
  }
  FN_TRY(fn_config_fill(&net, j->config, &fn_net_option_table, err));
  FN_TRY(fn_config_fill(&buckets, j->config, &fn_bucket_option_table, err));
  environment = (fn_environment){get_variable, NULL, getenv("HOME"), environ};
  j->options.net = &net;
  j->options.buckets = &buckets;
  j->options.environment = &environment;
  j->options.sink = (fn_download_sink){on_event, j};
  fn_store *store;
  FN_TRY(fn_store_open(&store, j->uri, &j->options, err));
  fn_status status = FN_OK;
  for (long i = 0; i < j->repeat; i++) status = act(j, store, err);
  fn_store_close(store);
  return status;
}

static void print(job *j, fn_status status, const fn_err *err) {
  fn_buf out;
  fn_json_writer w;
  fn_buf_init(&out, 0);
  fn_json_begin(&w, &out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "outcome", fn_status_name(status));
  fn_json_text(&w, "message", err->message);
  fn_json_str(&w, "output", fn_buf_str(&j->output));
  fn_json_str(&w, "events", fn_buf_str(&j->events));
  fn_json_int(&w, "last_data", (int64_t)j->last_data);
  fn_json_end(&w);
  printf("%s\n", out.data);
  fn_buf_deinit(&out);
}

/* ---- signatures */

static size_t read_pairs(fn_call_pair *pairs, const json_t *list) {
  size_t n = 0;
  for (; n < json_array_size(list) && n < FN_SIGV4_PAIRS; n++)
    pairs[n] = (fn_call_pair){json_string_value(json_array_get(json_array_get(list, n), 0)),
                              json_string_value(json_array_get(json_array_get(list, n), 1))};
  return n;
}

static fn_status sign_line(const char *line, fn_err *err) {
  FN_AUTO_JSON json_t *v = NULL;
  FN_TRY(fn_json_parse(&v, fn_str_from(line), "line", err));
#define TEXT(name) json_string_value(json_object_get(v, name))
  fn_call_pair query[FN_SIGV4_PAIRS], headers[FN_SIGV4_PAIRS];
  const fn_sigv4 r = {.method = TEXT("method"),
                      .path = TEXT("path"),
                      .query = query,
                      .n_query = read_pairs(query, json_object_get(v, "query")),
                      .headers = headers,
                      .n_headers = read_pairs(headers, json_object_get(v, "headers")),
                      .payload_sha256 = TEXT("payload"),
                      .region = TEXT("region"),
                      .service = TEXT("service"),
                      .time = TEXT("time")};
  const fn_aws_keys keys = {TEXT("id"), TEXT("secret"), NULL};
#undef TEXT
  FN_AUTO_BUF fn_buf canonical, to_sign, authorization, sent, out;
  fn_buf_init(&canonical, 0), fn_buf_init(&to_sign, 0), fn_buf_init(&authorization, 0), fn_buf_init(&sent, 0);
  fn_buf_init(&out, 0);
  fn_sigv4_canonical(&canonical, &r);
  fn_sigv4_to_sign(&to_sign, &r);
  fn_sigv4_query(&sent, &r);
  FN_TRY(fn_sigv4_authorization(&authorization, &r, &keys, err));
  fn_json_writer w;
  fn_json_begin(&w, &out, 0);
  fn_json_object(&w, NULL);
  fn_json_str(&w, "canonical", fn_buf_str(&canonical));
  fn_json_str(&w, "to_sign", fn_buf_str(&to_sign));
  fn_json_str(&w, "authorization", fn_buf_str(&authorization));
  fn_json_str(&w, "query", fn_buf_str(&sent));
  fn_json_end(&w);
  printf("%s\n", out.data);
  return FN_OK;
}

static int sign_lines(void) {
  char *line = NULL;
  size_t capacity = 0;
  fn_err err = {0};
  fn_status status = FN_OK;
  while (status == FN_OK && getline(&line, &capacity, stdin) > 0) status = sign_line(line, &err);
  free(line);
  if (status != FN_OK) fprintf(stderr, "%s\n", err.message);
  return status != FN_OK;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "sigv4") == 0) return sign_lines();
  if (argc < 3) return 2;
  job j = {.verb = argv[1], .uri = argv[2], .repeat = 1};
  fn_buf_init(&j.output, 0);
  fn_buf_init(&j.events, 0);
  fn_err err = {0};
  const fn_status status = run(&j, argc, argv, &err);
  print(&j, status, &err);
  fn_buf_deinit(&j.output);
  fn_buf_deinit(&j.events);
  fn_config_destroy(j.config);
  return 0;
}
