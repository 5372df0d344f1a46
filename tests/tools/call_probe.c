/* Lets Python make one request of net/call.h.
 *
 *   call_probe METHOD URL [WORD VALUE]…    answers one line of JSON
 *       header "Name: value", secret "Name: value", bearer TOKEN, user NAME, password TEXT, query NAME=VALUE
 *       body TEXT, file PATH, offset N, length N    what is sent
 *       follow 1, take 1, retry 1, sink 1, max N, timeout S, cancel N    N: false from the N-th tick on
 *       net.KEY VALUE    a setting
 */
#include "net/net.h"

#include <fcntl.h>
#include <stdio.h>

enum { MAX_PAIRS = 16 };

typedef struct seen {
  fn_buf sunk, notes;
  long ticks, cancel_at;
} seen;

static fn_status on_data(void *arg, const fn_call_answer *head, const void *data, size_t length, fn_err *err) {
  seen *s = arg;
  if (head->status < 200 || head->status > 299) return fn_err_set(err, FN_E_INTERNAL, "the sink got an error's body");
  fn_buf_append(&s->sunk, data, length);
  return FN_OK;
}

static bool on_tick(void *arg, uint64_t n_sent, uint64_t n_received) {
  (void)n_sent, (void)n_received;
  seen *s = arg;
  return s->cancel_at == 0 || ++s->ticks < s->cancel_at;
}

static void on_retry(void *arg, const char *why, double wait_s) {
  seen *s = arg;
  fn_buf_printf(&s->notes, "%s (%.3f s)\n", why, wait_s);
}

/* Splits text at the mark, in place. */
static fn_call_pair pair_of(char *text, char mark) {
  char *at = strchr(text, mark);
  if (!at) return (fn_call_pair){text, ""};
  *at++ = 0;
  while (*at == ' ') at++;
  return (fn_call_pair){text, at};
}

static double number(const char *text) {
  double value = 0;
  if (!fn_str_to_double(&value, fn_str_from(text))) fprintf(stderr, "%s is no number\n", text);
  return value;
}

typedef struct job {
  fn_call_request request;
  fn_call_pair query[MAX_PAIRS], headers[MAX_PAIRS], secrets[MAX_PAIRS];
  bool retry;
  fn_config *config;
  seen seen;
} job;

static fn_status take(job *j, const char *word, char *value, fn_err *err) {
  fn_call_request *r = &j->request;
  if (strncmp(word, "net.", 4) == 0)
    return fn_config_set(j->config, FN_CONFIG_OVERRIDE, word, fn_str_from(value), "test", err);
  if (!strcmp(word, "header"))
    j->headers[r->n_headers++ % MAX_PAIRS] = pair_of(value, ':');
  else if (!strcmp(word, "secret"))
    j->secrets[r->n_secret_headers++ % MAX_PAIRS] = pair_of(value, ':');
  else if (!strcmp(word, "query"))
    j->query[r->n_query++ % MAX_PAIRS] = pair_of(value, '=');
  else if (!strcmp(word, "bearer"))
    r->credentials.bearer = value;
  else if (!strcmp(word, "user"))
    r->credentials.user = value;
  else if (!strcmp(word, "password"))
    r->credentials.password = value;
  else if (!strcmp(word, "body"))
    r->body = fn_str_from(value);
  else if (!strcmp(word, "file"))
    r->from_file = true, r->body_file = open(value, O_RDONLY | O_CLOEXEC);
  else if (!strcmp(word, "offset"))
    r->body_offset = (uint64_t)number(value);
  else if (!strcmp(word, "length"))
    r->body_length = (uint64_t)number(value);
  else if (!strcmp(word, "follow"))
    r->redirects = FN_CALL_FOLLOW;
  else if (!strcmp(word, "take"))
    r->redirects = FN_CALL_TAKE;
  else if (!strcmp(word, "retry"))
    j->retry = true;
  else if (!strcmp(word, "sink"))
    r->sink = on_data;
  else if (!strcmp(word, "max"))
    r->max_answer_bytes = (size_t)number(value);
  else if (!strcmp(word, "timeout"))
    r->timeout_s = number(value);
  else if (!strcmp(word, "cancel"))
    j->seen.cancel_at = (long)number(value);
  else
    return fn_err_set(err, FN_E_INVALID, "unknown word %s", word);
  return FN_OK;
}

static void print(const job *j, fn_status status, const fn_call_answer *answer, const fn_err *err) {
  fn_buf out;
  fn_buf_init(&out, 0);
  fn_json_writer w;
  fn_json_begin(&w, &out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "outcome", fn_status_name(status));
  fn_json_text(&w, "message", err->message);
  fn_json_int(&w, "status", answer->status);
  fn_json_str(&w, "headers", fn_buf_str(&answer->headers));
  fn_json_str(&w, "body", fn_buf_str(&answer->body));
  fn_json_str(&w, "sunk", fn_buf_str(&j->seen.sunk));
  fn_json_str(&w, "notes", fn_buf_str(&j->seen.notes));
  fn_str etag;
  const bool found = fn_call_header(&etag, answer, "ETAG");
  fn_json_str(&w, "etag", found ? etag : fn_str_from("none"));
  fn_json_int(&w, "received", (int64_t)answer->n_received);
  fn_json_bool(&w, "retry", answer->retry);
  fn_json_double(&w, "retry_after", answer->retry_after_s);
  fn_err check = {0};
  if (status == FN_OK) status = fn_call_check(answer, &j->request, &check);
  fn_json_text(&w, "check", fn_status_name(status));
  fn_json_text(&w, "check_message", check.message);
  fn_json_end(&w);
  printf("%s\n", out.data);
  fn_buf_deinit(&out);
}

static fn_status run(job *j, int argc, char **argv, fn_call_answer *answer, fn_err *err) {
  static const fn_option_table *const tables[] = {&fn_net_option_table};
  fn_net_options options;
  FN_TRY(fn_config_create(&j->config, tables, 1, NULL, err));
  for (int i = 3; i + 1 < argc; i += 2) FN_TRY(take(j, argv[i], argv[i + 1], err));
  FN_TRY(fn_config_fill(&options, j->config, &fn_net_option_table, err));
  fn_http *http;
  FN_TRY(fn_http_create(&http, &options, "call_probe", err));
  fn_status status = (j->retry ? fn_call_retry : fn_call_run)(answer, http, &j->request, err);
  fn_http_destroy(http);
  return status;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  job j = {.request = {.method = argv[1], .url = argv[2], .tick = on_tick, .on_retry = on_retry}};
  j.request.headers = j.headers, j.request.secret_headers = j.secrets, j.request.query = j.query;
  j.request.arg = &j.seen;
  fn_buf_init(&j.seen.sunk, 0);
  fn_buf_init(&j.seen.notes, 0);
  fn_call_answer answer = {0};
  fn_err err = {0};
  const fn_status status = run(&j, argc, argv, &answer, &err);
  print(&j, status, &answer, &err);
  fn_call_answer_deinit(&answer);
  fn_buf_deinit(&j.seen.sunk);
  fn_buf_deinit(&j.seen.notes);
  fn_config_destroy(j.config);
  return 0;
}
