/* fakenews serve: the model behind HTTP until a signal comes. */
#include "cli/loading.h"
#include "cli/serve_follow.h"
#include "cli/serve_lambda.h"
#include "cli/serve_stop.h"
#include "cli/serve_wait.h"
#include "serve/access_log.h"
#include "serve/auth.h"
#include "serve/http.h"
#include "serve/openapi.h"
#include "serve/systemd.h"
#include "tensor/options.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct serve {
  const fn_cli *cli;
  fn_serve_options serve;
  fn_infer_options infer;
  fn_explain_options explain;
  fn_tensor_options tensor;
  fn_predictions_options predictions;
  char *model;
  fn_access_log *log;
  fn_serve_follow follow;
  fn_server *server;
  fn_http *http, *operation; /* the second: serve.metrics_port */
} serve;

static fn_status open_log(serve *s, fn_err *err) {
  const bool json = s->serve.log_format == FN_LOG_JSON || (s->serve.log_format == FN_LOG_AUTO && !s->cli->tty_err);
  fn_severity level = (fn_severity)s->serve.log_level;
  if (s->cli->quiet && level < FN_SEVERITY_WARNING) level = FN_SEVERITY_WARNING;
  const fn_access_log_options options = {.fd = STDERR_FILENO,
                                         .format = json ? FN_LOG_JSON : FN_LOG_TEXT,
                                         .level = level,
                                         .requests = (fn_log_requests)s->serve.log_requests,
                                         .trace_project = getenv("GOOGLE_CLOUD_PROJECT")};
  return fn_access_log_open(&s->log, &options, err);
}

/* Signals are taken by sigtimedwait in the main thread; all threads that are started from here on leave them alone. */
static void block_signals(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* Each connection is a descriptor; the soft limit is often 1,024. */
static void raise_limit(const fn_cli *cli, int64_t n_connections) {
  struct rlimit limit;
  const rlim_t wanted = (rlim_t)n_connections + 64;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
    fn_cli_warn(cli, "only %llu files may be open (ulimit -n): serve.max_connections=%lld cannot be reached",
                (unsigned long long)limit.rlim_cur, (long long)n_connections);
}

static fn_status fill(serve *s, fn_err *err) {
  const fn_config *config = s->cli->config;
  FN_TRY(fn_config_fill(&s->serve, config, &fn_serve_option_table, err));
  FN_TRY(fn_config_fill(&s->infer, config, &fn_infer_option_table, err));
  FN_TRY(fn_config_fill(&s->predictions, config, &fn_predictions_option_table, err));
  FN_TRY(fn_config_fill(&s->explain, config, &fn_explain_option_table, err));
  return fn_config_fill(&s->tensor, config, &fn_tensor_option_table, err);
}

/* A container of Vertex AI is told in its environment where it will be asked. Routes that are set come first. */
static fn_status take_environment(serve *s, fn_err *err) {
  const char *port = getenv("AIP_HTTP_PORT");
  int64_t number;
  if (s->serve.predict_route == NULL) s->serve.predict_route = getenv("AIP_PREDICT_ROUTE");
  if (s->serve.health_route == NULL) s->serve.health_route = getenv("AIP_HEALTH_ROUTE");
  /* These two platforms ask who calls before they pass a call on to the container. */
  if (s->serve.auth == FN_AUTH_AUTO && (port != NULL || getenv("SAGEMAKER_BIND_TO_PORT") != NULL))
    s->serve.auth = FN_AUTH_NONE;
  if (port == NULL || getenv("PORT") != NULL) return FN_OK;
  if (!fn_str_to_int64(&number, fn_str_from(port)) || number < 0 || number > 65535)
    return fn_err_set(err, FN_E_INVALID, "AIP_HTTP_PORT=%.40s is no port: a number up to 65535", port);
  s->serve.port = number;
  return FN_OK;
}

/* Containers are asked from outside: on Cloud Run (PORT), Vertex AI, SageMaker. */
static const char *host_of(const serve *s) {
  static const char *const signs[] = {"PORT", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"};
  if (s->serve.host != NULL) return s->serve.host;
  for (size_t i = 0; i < FN_COUNT_OF(signs); i++) {
    if (getenv(signs[i]) != NULL) return "0.0.0.0";
  }
  return "127.0.0.1";
}

static fn_status create_server(serve *s, fn_err *err) {
  const fn_server_options options = {.serve = &s->serve,
                                     .infer = &s->infer,
                                     .explain = &s->explain,
                                     .tensor = &s->tensor,
                                     .predictions = &s->predictions,
                                     .state_folder = s->cli->state,
                                     .model = s->model,
                                     .version = s->cli->version,
                                     .tmp_dir = getenv("TMPDIR"),
                                     .events = {fn_access_log_event, s->log}};
  return fn_server_create(&s->server, &options, err);
}

static fn_status open_server(serve *s, const char *model, fn_err *err) {
  fn_err why = {0};
  FN_TRY(fn_serve_follow_find(&s->model, &s->follow, s->cli, model, err));
  fn_status status = create_server(s, &why);
  if (status != FN_OK && fn_serve_follow_fall_back(&s->model, &s->follow, &why)) status = create_server(s, &why);
  if (status != FN_OK) return fn_err_set(err, status, "%s", why.message);
  return fn_serve_follow_start(&s->follow, s->server, err);
}

/* An address of a database may hold a password. */
static const char *log_place(const serve *s) {
  const char *url = s->predictions.url;
  if (!fn_predictions_enabled(&s->predictions)) return "none";
  if (url == NULL) return s->cli->state;
  return strncmp(url, "postgres", 8) == 0 ? "PostgreSQL" : url;
}

static void tell_start(const serve *s, const char *where) {
  fn_engine *engine = fn_server_engine(s->server);
  fn_server_event(s->server, FN_SEVERITY_INFO, "started", NULL,
                  "%s, model %s, prediction log: %s; bodies up to %lld bytes, %lld connections, %lld ms for an answer",
                  where, fn_engine_get_info(engine)->id, log_place(s), (long long)s->serve.max_body_bytes,
                  (long long)s->serve.max_connections, (long long)s->serve.timeout_ms);
  fn_engine_unref(engine);
}

static fn_status listen_http(serve *s, bool only_checks, fn_err *err) {
  int fd;
  FN_TRY(fn_systemd_socket(&fd, getenv("LISTEN_PID"), getenv("LISTEN_FDS"), err));
  if (fd < 0) FN_TRY(fn_http_listen(&fd, host_of(s), (uint16_t)s->serve.port, err));
  char where[160] = "listening at ";
  fn_http_format_url(where + strlen(where), fd, s->serve.tls_cert != NULL);
  const bool exposed = !fn_http_is_loopback(fd);
  const fn_status status = exposed ? fn_server_expose(s->server, err) : FN_OK;
  if (status != FN_OK) {
    close(fd);
    return status;
  }
  FN_TRY(fn_http_start(&s->http, s->server, fd, FN_HTTP_ALL, err));
  if (s->serve.metrics_port > 0) {
    FN_TRY(fn_http_listen(&fd, host_of(s), (uint16_t)s->serve.metrics_port, err));
    FN_TRY(fn_http_start(&s->operation, s->server, fd, FN_HTTP_OPERATION, err));
  }
  if (only_checks) FN_TRY(fn_server_check(s->server, err)); /* before anything is said to run */
  tell_start(s, where);
  if (exposed && s->serve.auth == FN_AUTH_NONE)
    fn_server_event(s->server, FN_SEVERITY_WARNING, "open_to_all", NULL,
                    "other machines can reach this server and need no key (serve.auth=none)");
  return FN_OK;
}

/* Answers what was begun, then takes everything apart; a batch that does not end in time is left to the kernel. */
static void stop(serve *s, int why, const sigset_t *set) {
  int signal_number = 0;
  const fn_serve_end end = fn_serve_drain(&signal_number, s->server, s->http, set);
  if (end == FN_SERVE_ENDED) {
    fn_server_event(s->server, FN_SEVERITY_INFO, "ended", NULL, "%s came, and nothing waits for an answer",
                    why == SIGINT   ? "SIGINT"
                    : why == SIGHUP ? "SIGHUP"
                                    : "SIGTERM");
    return;
  }
  fn_server_event(s->server, FN_SEVERITY_WARNING, "cut_off", NULL, "%zu requests were cut off: %s",
                  fn_http_n_open(s->http),
                  end == FN_SERVE_URGED ? "a second signal came" : "serve.shutdown_timeout_s is over");
  _exit(end == FN_SERVE_URGED ? 128 + signal_number : 0);
}

static fn_status run_http(serve *s, bool only_checks, const sigset_t *set, fn_err *err) {
  const fn_status status = listen_http(s, only_checks, err);
  if (status == FN_OK && !only_checks) {
    fn_systemd_notify(getenv("NOTIFY_SOCKET"), "READY=1\nSTATUS=answering");
    const int why = fn_serve_wait(s->server, set, s->cli->tty_err);
    fn_systemd_notify(getenv("NOTIFY_SOCKET"), "STOPPING=1");
    stop(s, why, set);
  }
  fn_http_stop(s->operation);
  fn_http_stop(s->http);
  return status;
}

static fn_status print_routes(fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_routes_markdown(&text);
  FN_TRY(fn_buf_check(&text, "the table of routes", err));
  return fn_cli_print(fn_buf_str(&text), err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  serve s = {.cli = cli};
  sigset_t set;
  if (fn_cli_get(args, "--routes") != NULL) return print_routes(err);
  block_signals(&set);
  fn_cli_forget_hangup();
  if (fn_cli_stop_requested()) return fn_err_set(err, FN_E_CANCELLED, "stopped"); /* the handler has taken it already */
  FN_TRY(fill(&s, err));
  FN_TRY(take_environment(&s, err));
  FN_TRY(open_log(&s, err));
  const bool only_checks = fn_cli_get(args, "--check") != NULL;
  const char *lambda = getenv("AWS_LAMBDA_RUNTIME_API");
  fn_status status = open_server(&s, fn_cli_get(args, "--model"), err);
  if (lambda == NULL) {
    raise_limit(cli, s.serve.max_connections);
    if (status == FN_OK) status = run_http(&s, only_checks, &set, err);
  } else if (status != FN_OK) {
    fn_serve_lambda_report(lambda, err);
  } else if (only_checks) {
    status = fn_server_check(s.server, err);
  } else {
    tell_start(&s, "answering AWS Lambda");
    status = fn_serve_lambda(s.server, lambda, &set, err);
  }
  fn_serve_follow_stop(&s.follow);
  fn_server_destroy(s.server);
  fn_access_log_close(s.log);
  free(s.model);
  return status;
}

static const fn_cli_flag flags[] = {
    {"--model", "MODEL",
     "packed file, model directory, run folder, owner/name in the local Hub cache, or models:/NAME@ALIAS, which is "
     "followed: when the alias moves, the model is swapped; default: the bundled model",
     false, false},
    {"--routes", NULL, "print the table of routes as Markdown, and end", false, false},
    {"--check", NULL, "start everything, say what is wrong, end without serving", false, false},
    {NULL, NULL, NULL, false, false},
};

const fn_verb fn_verb_serve = {
    .name = "serve",
    .summary = "answer over HTTP: API, web page, metrics",
    .usage = "[--model MODEL] [--check] [--routes] [key=value …]",
    .flags = flags,
    .options = "serve. predictions. infer. explain. registry. track.url track.artifacts device.",
    .examples = "fakenews serve\n"
                "fakenews serve --model detector.fnm serve.port=9000\n"
                "fakenews serve --model models:/fake-news@best\n"
                "curl -s localhost:8080/v1/classify -H 'Content-Type: application/json' \\\n"
                "  -d '{\"title\": \"Moon is rented\"}'\n",
    .run = run,
};
