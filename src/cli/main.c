/* The program: finds the verb, gathers the settings, runs it, turns its status into an exit code. */
#include "base/file.h"
#include "cli/args.h"
#include "cli/secrets.h"
#include "tensor/device.h"
#include "train/options.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void say_error(const char *message) {
  fputs("fakenews: ", stderr);
  fn_cli_print_error(message);
}

extern char **environ;
extern const fn_embedded fn_embedded_config[];

#define VERSION FN_VERSION " (" FN_REVISION ")"

/* Written by the handler, read by any thread: stores that are asked whether to go on have threads of their own. */
static atomic_int stop_signal;
static bool stop_is_told; /* set before the handler is */

/* One that waits because the verb has blocked signals (serve takes them itself, once it answers). SIGHUP without a
 * terminal asks serve for its model anew: that waits. */
int fn_cli_untaken_signal(void) {
  static const int all[] = {SIGINT, SIGTERM, SIGHUP};
  sigset_t set;
  if (sigpending(&set) != 0) return 0;
  for (size_t i = 0; i < FN_COUNT_OF(all); i++)
    if (sigismember(&set, all[i]) == 1 && (all[i] != SIGHUP || isatty(STDERR_FILENO) == 1)) return all[i];
  return 0;
}

void fn_cli_forget_hangup(void) {
  if (stop_signal == SIGHUP && isatty(STDERR_FILENO) != 1) stop_signal = 0;
}

bool fn_cli_stop_requested(void) {
  return fn_cli_stop_signal() != 0;
}
bool fn_cli_goes_on(void *arg) {
  (void)arg;
  return !fn_cli_stop_requested();
}
int fn_cli_stop_signal(void) {
  return stop_signal ? stop_signal : fn_cli_untaken_signal();
}

/* The first signal asks a long verb to stop at its next safe point, the second ends the program at once. Whoever
 * pressed Ctrl-C is told so: a training step can take seconds. */
static void on_signal(int n) {
  static const char told[] = "\nstopping at the next safe point; once more to end at once\n";
  if (stop_signal) _exit(128 + n);
  stop_signal = n;
  if (stop_is_told) (void)!write(STDERR_FILENO, told, sizeof told - 1);
}

static void catch_signals(void) {
  stop_is_told = isatty(STDERR_FILENO) == 1;
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  struct sigaction hangup; /* the terminal is closed; under nohup it stays ignored */
  if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_DFL) sigaction(SIGHUP, &action, NULL);
  signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error, reported as one */
  signal(SIGXFSZ, SIG_IGN); /* so is a file over the limit on its size */
}

/* A file that we open must never become descriptor 0, 1 or 2: remarks would end up in a model. What is closed is taken
 * by /dev/null, opened the wrong way round, so that using it is still an error. */
static bool hold_standard_descriptors(void) {
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return false;
  return true;
}

/* The exit code of a text that was printed to standard output. */
static int end_output(void) {
  fn_err err = {0};
  const fn_status status = fn_cli_print(fn_str_make(NULL, 0), &err);
  if (status != FN_OK) say_error(err.message);
  return fn_status_exit_code(status);
}

static const char *level_name(void) {
  return fn_cpu_level_name(fn_cpu_level_detect());
}

static int print_version(void) {
  printf("fakenews " VERSION "\nbuild    %s, %s\nfeatures WordPiece, BERT fp32 training and inference, linear family, "
         "Arrow datasets\ncpu      %s, %d threads\n",
#if defined(__clang__)
         "clang " __clang_version__,
#else
         "gcc " __VERSION__,
#endif
         FN_BUILD_TYPE, level_name(), fn_cpu_available());
  return end_output();
}

/* HF_HUB_CACHE, else HF_HOME/hub, else (XDG_CACHE_HOME or ~/.cache)/huggingface/hub, as huggingface_hub does. */
static char *hub_cache(void) {
  const char *cache = getenv("HF_HUB_CACHE"), *home = getenv("HF_HOME"), *xdg = getenv("XDG_CACHE_HOME");
  if (cache && *cache) return fn_str_dup(fn_str_from(cache));
  if (home && *home) return fn_path_join(home, "hub");
  if (xdg && *xdg) return fn_path_join(xdg, "huggingface/hub");
  const char *user = getenv("HOME");
  return fn_path_join(user && *user ? user : "/", ".cache/huggingface/hub");
}

/* Where Kaggle's own program keeps its credentials. */
static char *kaggle_folder(void) {
  const char *folder = getenv("KAGGLE_CONFIG_DIR"), *user = getenv("HOME");
  if (folder && *folder) return fn_str_dup(fn_str_from(folder));
  return fn_path_join(user && *user ? user : "/", ".kaggle");
}

/* systemd names one folder, or several joined by ':', of which the first is ours. AWS Lambda lets nothing be written
 * outside /tmp, whatever HOME says. */
static char *cache_folder(void) {
  const char *cache = getenv("CACHE_DIRECTORY"), *xdg = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");
  if (cache && *cache) return fn_str_dup(fn_str_make(cache, strcspn(cache, ":")));
  if (getenv("AWS_LAMBDA_RUNTIME_API")) return fn_str_dup(fn_str_from("/tmp/fakenews"));
  if (xdg && *xdg == '/') return fn_path_join(xdg, "fakenews");
  return user && *user ? fn_path_join(user, ".cache/fakenews") : NULL;
}

static char *state_folder(void) {
  const char *state = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *user = getenv("HOME");
  if (state && *state) return fn_str_dup(fn_str_make(state, strcspn(state, ":")));
  if (getenv("AWS_LAMBDA_RUNTIME_API")) return fn_str_dup(fn_str_from("/tmp/fakenews"));
  if (xdg && *xdg == '/') return fn_path_join(xdg, "fakenews"); /* a relative one is to be ignored, says XDG */
  return user && *user ? fn_path_join(user, ".local/state/fakenews") : NULL;
}

/* Variables that other programs know too. A later one wins; http_proxy counts in lower case only, because a web server
 * hands the header "Proxy:" of any visitor to its programs as HTTP_PROXY. */
static const struct {
  const char *variable, *key;
} common_variables[] = {
    {"KAGGLE_USERNAME", "net.kaggle_username"},
    {"KAGGLE_KEY", "net.kaggle_key"},
    {"KAGGLE_API_TOKEN", "net.kaggle_token"},
    {"ALL_PROXY", "net.http_proxy"},
    {"ALL_PROXY", "net.https_proxy"},
    {"all_proxy", "net.http_proxy"},
    {"all_proxy", "net.https_proxy"},
    {"http_proxy", "net.http_proxy"},
    {"HTTPS_PROXY", "net.https_proxy"},
    {"https_proxy", "net.https_proxy"},
    {"NO_PROXY", "net.no_proxy"},
    {"no_proxy", "net.no_proxy"},
    {"SSL_CERT_FILE", "net.ca_file"},
    {"CURL_CA_BUNDLE", "net.ca_file"},
    {"DATABASE_URL", "predictions.url"},
    {"PORT", "serve.port"},
};

/* Whoever sets one of libpq's variables means PostgreSQL; which one it is libpq reads from them itself. */
static fn_status load_pg_variables(fn_config *config, fn_err *err) {
  static const char *const names[] = {"PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    const char *value = getenv(names[i]);
    if (!value || !*value) continue;
    char origin[64];
    snprintf(origin, sizeof origin, "environment %s", names[i]);
    return fn_config_set(config, FN_CONFIG_ENVIRONMENT, "predictions.url", fn_str_from("postgresql://"), origin, err);
  }
  return FN_OK;
}

static fn_status load_common_variables(fn_config *config, fn_err *err) {
  FN_TRY(load_pg_variables(config, err));
  for (size_t i = 0; i < FN_COUNT_OF(common_variables); i++) {
    const char *value = getenv(common_variables[i].variable);
    if (!value || !*value) continue;
    FN_AUTO_BUF fn_buf quoted; /* so that the value is taken as it stands */
    fn_buf_init(&quoted, 1 << 16);
    fn_buf_append_char(&quoted, '"');
    for (const char *p = value; *p; p++) {
      if (*p == '"' || *p == '\\') fn_buf_append_char(&quoted, '\\');
      fn_buf_append_char(&quoted, *p);
    }
    fn_buf_append_char(&quoted, '"');
    FN_TRY(fn_buf_check(&quoted, common_variables[i].variable, err));
    char origin[64];
    snprintf(origin, sizeof origin, "environment %s", common_variables[i].variable);
    FN_TRY(fn_config_set(config, FN_CONFIG_ENVIRONMENT, common_variables[i].key, fn_buf_str(&quoted), origin, err));
  }
  return FN_OK;
}

static fn_status gather_settings(fn_config *config, const fn_cli_common *common, fn_err *err) {
  for (size_t i = 0; i < common->n_configs; i++)
    FN_TRY(fn_config_load_yaml(config, FN_CONFIG_FILE, common->configs[i], err));
  FN_TRY(fn_config_load_dotenv(config, ".env", err));
  FN_TRY(load_common_variables(config, err));
  FN_TRY(fn_config_load_environment(config, (const char *const *)environ, err));
  for (size_t i = 0; i < common->n_overrides; i++) FN_TRY(fn_config_override(config, common->overrides[i], err));
  return FN_OK;
}

static fn_status run_verb(const fn_verb *verb, size_t n, char **argv, fn_arena *arena, fn_err *err) {
  fn_cli_args args;
  fn_cli_common common;
  FN_TRY(fn_cli_parse(&args, &common, arena, verb, n, argv, err));
  fn_config *config;
  FN_TRY(fn_config_create(&config, fn_cli_tables, fn_cli_n_tables, fn_embedded_config, err));
  fn_config_set_aliases(config, fn_train_option_aliases);
  fn_status status = FN_OK;
  if (common.help) {
    fn_cli_help_verb(stdout, verb, config);
    status = fn_cli_print(fn_str_make(NULL, 0), err);
  } else {
    FN_AUTO_FREE char *cache = hub_cache();
    FN_AUTO_FREE char *kaggle = kaggle_folder();
    FN_AUTO_FREE char *state = state_folder(), *cached = cache_folder();
    bool tty_out = isatty(STDOUT_FILENO) == 1, tty_err = isatty(STDERR_FILENO) == 1;
    const char *no_color = getenv("NO_COLOR");
    bool color = strcmp(common.color, "always") == 0 ||
                 (strcmp(common.color, "auto") == 0 && !(no_color && *no_color) && (tty_out || tty_err));
    fn_cli cli = {.config = config,
                  .program = "fakenews",
                  .version = VERSION,
                  .level = level_name(),
                  .quiet = common.quiet,
                  .tty_out = tty_out,
                  .tty_err = tty_err,
                  .color = color,
                  .hub_cache = cache ? cache : "",
                  .kaggle = kaggle,
                  .state = state,
                  .cache = cached};
    status = gather_settings(config, &common, err);
    if (status == FN_OK) status = fn_cli_resolve_secrets(&cli, config, verb->options, err);
    if (status == FN_OK && verb->more) status = fn_cli_resolve_secrets(&cli, config, verb->more, err);
    if (status == FN_OK) status = verb->run(&cli, &args, err);
  }
  fn_config_destroy(config);
  return status;
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c) {
  return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

/* help --man | --completion SHELL: what packages are made of, so it stands in no list of verbs. */
static int print_for_packages(size_t n, char *const *words) {
  fn_err err = {0};
  fn_status status = FN_OK;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 22);
  if (n == 1 && strcmp(words[0], "--man") == 0)
    fn_cli_man(&text, FN_VERSION, FN_DATE);
  else if (n == 2 && strcmp(words[0], "--completion") == 0)
    status = fn_cli_completion(&text, words[1], &err);
  else
    status = fn_err_set(&err, FN_E_INVALID, "help takes VERB, --man, or --completion and one of bash, zsh, fish");
  if (status == FN_OK) status = fn_buf_check(&text, "help", &err);
  if (status == FN_OK) status = fn_cli_print(fn_buf_str(&text), &err);
  if (status != FN_OK) say_error(err.message);
  return fn_status_exit_code(status);
}

/* AWS Lambda starts the file bootstrap of a package, without arguments. */
static bool is_bootstrap(int argc, char *const *argv) {
  return argc == 1 && strcmp(fn_path_base(argv[0]), "bootstrap") == 0;
}

int main(int argc, char **argv) {
  if (!hold_standard_descriptors()) return 1;
  catch_signals();
  char serve[] = "serve", *as_lambda[] = {argv[0], serve, NULL};
  if (is_bootstrap(argc, argv)) {
    argc = 2;
    argv = as_lambda;
  }
  if (argc < 2) {
    fn_cli_help(stderr);
    return 2;
  }
  if (is_one_of(argv[1], "--version", "-V", "version")) return print_version();
  if (argc == 2 && is_one_of(argv[1], "--help", "-h", "help")) {
    fn_cli_help(stdout);
    return end_output();
  }
  char help_flag[] = "--help", *help = help_flag;
  const bool asks_help = is_one_of(argv[1], "--help", "-h", "help");
  char **words = argv + 1 + asks_help;
  const size_t n = (size_t)argc - 1 - asks_help;
  if (strcmp(argv[1], "help") == 0 && words[0][0] == '-') return print_for_packages(n, words);
  size_t used = 0;
  const fn_verb *verb = fn_cli_find_verb(n, words, &used);
  if (!verb && fn_cli_is_group(words[0]) && (asks_help || (n > 1 && is_one_of(words[1], "--help", "-h", "help")))) {
    fn_cli_help_group(stdout, words[0]);
    return end_output();
  }
  if (!verb) {
    fn_cli_unknown_verb(stderr, n, words);
    return 2;
  }
  fn_arena arena;
  fn_arena_init(&arena);
  fn_err err = {0};
  fn_status status =
      asks_help ? run_verb(verb, 1, &help, &arena, &err) : run_verb(verb, n - used, words + used, &arena, &err);
  fn_arena_deinit(&arena);
  if (status == FN_E_CANCELLED && fn_cli_stop_signal()) {
    say_error(err.message[0] ? err.message : "stopped");
    return 128 + fn_cli_stop_signal();
  }
  if (status != FN_OK && err.message[0]) say_error(err.message);
  return fn_status_exit_code(status);
}
