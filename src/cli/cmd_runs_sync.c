/* fakenews runs sync: brings what an MLflow server, the store of runs and the store of files missed of trainings to
 * them. */
#include "base/backoff.h"
#include "cli/runs_sync_files.h"
#include "cli/runs_sync_rows.h"
#include "mlflow/environment.h"
#include "mlflow/send.h"
#include "track/journal.h"

#include <stdlib.h>

enum { MAX_RUNS = 100000 };

typedef struct sync_job {
  const fn_cli *cli;
  fn_cli_stores stores;
  fn_track_options options;
  bool json;
  char **folders;
  size_t n, capacity;
  fn_buf out;
  fn_status worst;
  fn_err first; /* failure */
} sync_job;

/* ---- which runs ---- */

static fn_status add_folder(sync_job *job, const char *folder, fn_err *err) {
  char *real = NULL;
  FN_TRY(fn_path_real(&real, folder, err));
  bool known = false;
  for (size_t i = 0; i < job->n && !known; i++) known = strcmp(job->folders[i], real) == 0;
  fn_status status = known ? FN_OK
                           : fn_mem_grow((void **)&job->folders, &job->capacity, job->n + 1, sizeof *job->folders,
                                         MAX_RUNS, "runs", err);
  if (status != FN_OK || known) {
    free(real);
    return status;
  }
  job->folders[job->n++] = real;
  return FN_OK;
}

static bool has_journal(const char *folder) {
  FN_AUTO_FREE char *path = fn_path_join(folder, "track/mlflow.jsonl");
  return path && fn_path_exists(path);
}

static bool waits(const char *folder) {
  return fn_cli_rows_wait(folder) ||
         (has_journal(folder) && (fn_journal_waits(folder, "mlflow") || fn_journal_was_killed(folder, "mlflow"))) ||
         fn_file_listing_exists(folder);
}

static fn_status on_run(void *arg, const fn_run_view *run, fn_err *err) {
  sync_job *job = arg;
  const char *folder = run->info.folder;
  return *folder && waits(folder) ? add_folder(job, folder, err) : FN_OK;
}

/* A folder, or what names a run in the store. */
static fn_status add_named(sync_job *job, const char *name, fn_err *err) {
  if (has_journal(name) || fn_file_listing_exists(name) || fn_cli_rows_wait(name)) return add_folder(job, name, err);
  FN_AUTO_FREE char *identity = fn_path_join(name, "track/run.json");
  if (identity == NULL) return fn_err_no_memory(err, "a path");
  if (fn_path_exists(identity)) {
    fn_cli_note(job->cli, "%s: nothing waits", name);
    return FN_OK;
  }
  fn_cli_runs runs;
  char id[FN_RUN_ID_LENGTH];
  fn_err why = {0};
  if (fn_cli_runs_open(&runs, job->cli, FN_CLI_OPEN_READ, &why) != FN_OK)
    return fn_err_set(err, FN_E_NOT_FOUND, "%.300s: is no run folder that something waits in (%s)", name, why.message);
  const size_t before = job->n;
  fn_status status = fn_tracking_find(id, runs.tracking, name, err);
  if (status == FN_OK) status = fn_tracking_get_run(runs.tracking, id, on_run, job, err);
  fn_cli_runs_close(&runs);
  if (status == FN_OK && job->n == before) fn_cli_note(job->cli, "%s: nothing waits", name);
  return status;
}

/* Every run of the store and of the folder runs/ that has something to send. */
static fn_status add_all(sync_job *job, fn_err *err) {
  fn_cli_runs runs;
  fn_err why = {0};
  const fn_run_query query = {.bare = true, .deleted = true};
  if (fn_cli_runs_open(&runs, job->cli, FN_CLI_OPEN_READ, &why) == FN_OK) {
    const fn_status status = fn_tracking_search(runs.tracking, &query, on_run, job, err);
    fn_cli_runs_close(&runs);
    FN_TRY(status);
  }
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  if (!fn_path_is_dir("runs")) return FN_OK;
  FN_TRY(fn_dir_list(&names, &n, "runs", err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *folder = fn_path_join("runs", names[i]);
    if (!folder) return fn_err_no_memory(err, "a path");
    if (waits(folder)) FN_TRY(add_folder(job, folder, err));
  }
  return FN_OK;
}

/* ---- sending ---- */

typedef struct outcome {
  uint64_t n_sent, n_waiting;
  bool killed; /* the server was told that the run is */
  int64_t n_rejected;
  char uri[512], rejection[sizeof((fn_err *)0)->message];
} outcome;

static bool still_waits(const void *arg) {
  (void)arg;
  return !fn_cli_stop_requested();
}

/* False when somebody asked to stop, or the server asks for longer than net.max_wait_s. */
static bool wait_a_while(const fn_net_options *net, int64_t n_failures, const fn_mlflow_failure *f) {
  if (f->retry_after_s > net->max_wait_s) return false;
  return fn_backoff_sleep(fn_mlflow_wait_s(net->backoff_s, net->max_wait_s, (uint64_t)n_failures, f->retry_after_s),
                          still_waits, NULL);
}

/* Whether another attempt is made after a failure, of which the first is told: what follows may take a minute, without
 * a word. Each file that waits has one attempt at least. */
static bool is_tried_again(const fn_cli *cli, const fn_err *why, fn_mlflow_sender *sender, const fn_mlflow_sent *sent,
                           int64_t *n_failures, uint64_t *n_files_failed, uint64_t n_waiting, const fn_mlflow *mlflow,
                           const fn_net_options *net) {
  if (fn_cli_stop_requested()) return false;
  if (sent->only_files && !sent->temporary) {
    fn_mlflow_sender_hurry(sender);
    return ++*n_files_failed < n_waiting;
  }
  if (!sent->temporary || *n_failures >= net->retries) return false;
  if (++*n_failures == 1 && why) fn_cli_note(cli, "%s; %lld further attempts", why->message, (long long)net->retries);
  fn_mlflow_sender_hurry(sender);
  return wait_a_while(net, *n_failures, fn_mlflow_last_failure(mlflow));
}

static fn_status send_all(outcome *o, const sync_job *job, fn_journal *journal, fn_mlflow *mlflow, fn_err *err) {
  const fn_net_options *net = &job->stores.net;
  const bool is_elsewhere = fn_config_layer_of(job->cli->config, "track.experiment") == FN_CONFIG_OVERRIDE;
  const char *known = fn_journal_remote_of(journal)->run_id;
  if (is_elsewhere && known)
    fn_cli_note(job->cli, "%s: is run %s there already; track.experiment does not move it", fn_journal_folder(journal),
                known);
  fn_mlflow_sender *sender = NULL;
  fn_status status =
      fn_mlflow_sender_create(&sender, mlflow, journal, is_elsewhere && !known ? job->options.experiment : NULL, err);
  int64_t n_failures = 0;
  uint64_t n_files_failed = 0;
  fn_mlflow_sent sent = {0};
  for (bool more = true; status == FN_OK && more;) {
    status = fn_mlflow_send_some(&sent, sender, err);
    o->n_sent += sent.n_events;
    more = sent.more;
    if (sent.n_events > 0 || sent.progress) n_failures = 0, n_files_failed = 0;
    if (status != FN_OK && is_tried_again(job->cli, err, sender, &sent, &n_failures, &n_files_failed,
                                          fn_journal_n_waiting(journal), mlflow, net)) {
      status = FN_OK;
      more = true;
    }
    if (status == FN_OK && fn_cli_stop_requested()) status = fn_err_set(err, FN_E_CANCELLED, "stopped");
  }
  /* the lock is ours, so nobody works on the run; files that wait do not hold this up either */
  fn_err why = {0};
  if (sender && (status == FN_OK || sent.only_files)) {
    const fn_status told = fn_mlflow_send_killed(&o->killed, sender, &why);
    if (status == FN_OK && told != FN_OK) status = fn_err_set(err, told, "%s", why.message);
  }
  if (sender) (void)snprintf(o->rejection, sizeof o->rejection, "%s", fn_mlflow_sender_rejection(sender));
  fn_mlflow_sender_destroy(sender);
  return status;
}

/* What was meant for one server goes to another only when that is said here and now. */
static fn_status check_server(const sync_job *job, fn_journal *journal, const fn_mlflow *mlflow, fn_err *err) {
  const char *meant = fn_journal_head_of(journal)->uri;
  if (!*meant || fn_journal_remote_of(journal)->uri || strcmp(meant, fn_mlflow_uri(mlflow)) == 0 ||
      fn_config_layer_of(job->cli->config, "track.uri") == FN_CONFIG_OVERRIDE)
    return FN_OK;
  return fn_err_set(
      err, FN_E_INVALID,
      "%s: these events are meant for %s, and the settings or MLFLOW_TRACKING_URI name %s; say which it is "
      "to be: fakenews runs sync %s track.uri=…",
      fn_journal_folder(journal), meant, fn_mlflow_uri(mlflow), fn_journal_folder(journal));
}

static fn_status sync_run(outcome *o, const sync_job *job, const char *folder, fn_err *err) {
  const fn_journal_options where = {
      .folder = folder, .name = "mlflow", .max_bytes = (uint64_t)job->options.spool_mb << 20};
  fn_journal *journal = NULL;
  fn_mlflow *mlflow = NULL;
  fn_mlflow_options server;
  FN_TRY(fn_cli_mlflow_options(&server, job->options.uri, &job->options, &job->stores, err));
  FN_TRY(fn_journal_open(&journal, &where, err));
  if (fn_journal_mended(journal)) fn_cli_warn(job->cli, "%s: %s", folder, fn_journal_mended(journal));
  const char *known = fn_journal_remote_of(journal)->uri;
  const bool is_given = server.uri != NULL;
  if (!is_given && fn_mlflow_from_folder(&server, known ? known : fn_journal_head_of(journal)->uri) && *server.uri)
    fn_cli_note(job->cli, "%s is named by %s alone, and gets no credentials; set MLFLOW_TRACKING_URI", server.uri,
                folder);
  server.tick = fn_cli_goes_on;
  server.once = true; /* further attempts begin with looking at what is there */
  fn_status status = *server.uri ? fn_mlflow_open(&mlflow, &server, err)
                                 : fn_err_set(err, FN_E_INVALID,
                                              "no MLflow server is given: set track.uri or "
                                              "MLFLOW_TRACKING_URI");
  if (mlflow) (void)snprintf(o->uri, sizeof o->uri, "%.511s", fn_mlflow_uri(mlflow));
  if (mlflow && *fn_journal_head_of(journal)->workspace)
    status = fn_mlflow_use_workspace(mlflow, fn_journal_head_of(journal)->workspace, err);
  if (status == FN_OK && is_given) status = check_server(job, journal, mlflow, err);
  const int64_t rejected = fn_journal_remote_of(journal)->n_rejected;
  if (status == FN_OK) status = send_all(o, job, journal, mlflow, err);
  if (status == FN_OK) status = fn_journal_save_rest(journal, err);
  o->n_waiting = fn_journal_n_waiting(journal);
  o->n_rejected = fn_journal_remote_of(journal)->n_rejected - rejected;
  fn_mlflow_close(mlflow);
  fn_journal_close(journal);
  return status;
}

static void show(sync_job *job, const char *folder, const outcome *o, fn_status status, const fn_err *err) {
  fn_buf *out = &job->out;
  if (!job->json) {
    fn_buf_printf(out, "%s: %llu events sent to %s, %llu wait", folder, (unsigned long long)o->n_sent, o->uri,
                  (unsigned long long)o->n_waiting);
    if (o->n_rejected) fn_buf_printf(out, ", %lld refused: %s", (long long)o->n_rejected, o->rejection);
    fn_buf_append_str(out, o->killed ? "; the training was killed, and the server is told\n" : "\n");
    return;
  }
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "run", folder);
  fn_json_text(&w, "uri", o->uri);
  fn_json_int(&w, "sent", (int64_t)o->n_sent);
  fn_json_int(&w, "waiting", (int64_t)o->n_waiting);
  fn_json_int(&w, "refused", o->n_rejected);
  if (o->killed) fn_json_bool(&w, "killed", true);
  if (o->n_rejected) fn_json_text(&w, "refusal", o->rejection);
  if (status != FN_OK) fn_json_text(&w, "error", err->message);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

static void note_failure(sync_job *job, const char *folder, fn_status status, const fn_err *why) {
  if (status == FN_OK) return;
  if (job->worst == FN_OK)
    job->worst = status, job->first = *why;
  else
    fn_cli_warn(job->cli, "%s: %s", folder, why->message);
}

static void sync_events(sync_job *job, const char *folder) {
  outcome o = {0};
  fn_err why = {0};
  const fn_status status = sync_run(&o, job, folder, &why);
  if (status == FN_E_REFUSED) {
    fn_cli_note(job->cli, "%s", why.message); /* its training sends itself */
    return;
  }
  show(job, folder, &o, status, &why);
  note_failure(job, folder, status, &why);
}

/* False: they could not be brought, and nothing else can be brought to a run that is not there. */
static bool sync_rows(sync_job *job, const char *folder) {
  fn_cli_rows_sync o = {.cli = job->cli, .stores = &job->stores, .options = &job->options, .folder = folder};
  fn_err why = {0};
  const fn_status status = fn_cli_sync_rows(&o, &why);
  if (status == FN_E_REFUSED) {
    fn_cli_note(job->cli, "%s", why.message); /* its training writes them itself */
    return false;
  }
  fn_cli_sync_rows_show(&job->out, &o, job->json, status == FN_OK ? NULL : why.message);
  note_failure(job, folder, status, &why);
  return status == FN_OK;
}

static void sync_files(sync_job *job, const char *folder) {
  fn_cli_files_sync o = {.cli = job->cli, .stores = &job->stores, .options = &job->options, .folder = folder};
  fn_err why = {0};
  const fn_status status = fn_cli_sync_files(&o, &why);
  if (status == FN_E_REFUSED) {
    fn_cli_note(job->cli, "%s", why.message); /* its training stores them itself */
    return;
  }
  fn_cli_sync_files_show(&job->out, &o, job->json, status == FN_OK ? NULL : why.message);
  note_failure(job, folder, status, &why);
}

/* By their names, which begin with the time: a run's parent is told before it. */
static int compare_names(const void *a, const void *b) {
  const char *const *x = a, *const *y = b;
  const int order = strcmp(fn_path_base(*x), fn_path_base(*y));
  return order ? order : strcmp(*x, *y);
}

static fn_status sync_all(sync_job *job, fn_err *err) {
  if (job->n > 1) qsort(job->folders, job->n, sizeof *job->folders, compare_names);
  for (size_t i = 0; i < job->n && !fn_cli_stop_requested(); i++) {
    const bool has_run = !fn_cli_rows_wait(job->folders[i]) || sync_rows(job, job->folders[i]);
    if (has_run && fn_file_listing_exists(job->folders[i])) sync_files(job, job->folders[i]);
    if (has_journal(job->folders[i]) && !fn_cli_stop_requested()) sync_events(job, job->folders[i]);
  }
  FN_TRY(fn_buf_check(&job->out, "runs", err));
  FN_TRY(fn_cli_print(fn_buf_str(&job->out), err));
  return job->worst == FN_OK ? FN_OK : fn_err_set(err, job->worst, "%s", job->first.message);
}

static fn_status sync_runs(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  sync_job job = {.cli = cli, .json = fn_cli_get(args, "--json") != NULL || !cli->tty_out};
  fn_buf_init(&job.out, 0);
  fn_status status = fn_config_fill(&job.options, cli->config, &fn_track_option_table, err);
  if (status == FN_OK) status = fn_cli_stores_init(&job.stores, cli, err);
  if (status == FN_OK) fn_cli_stores_show(&job.stores, cli);
  for (size_t i = 0; status == FN_OK && i < args->n_rest; i++) status = add_named(&job, args->rest[i], err);
  if (status == FN_OK && args->n_rest == 0) {
    status = add_all(&job, err);
    if (status == FN_OK && job.n == 0) fn_cli_note(cli, "nothing waits");
  }
  if (status == FN_OK) status = sync_all(&job, err);
  for (size_t i = 0; i < job.n; i++) free(job.folders[i]);
  free(job.folders);
  fn_buf_deinit(&job.out);
  return status;
}

static const fn_cli_flag sync_flags[] = {
    {.name = "--json", .help = "a JSON object a line; the default where stdout is no terminal"},
    {0},
};

const fn_verb fn_verb_runs_sync = {
    .name = "runs",
    .sub = "sync",
    .summary = "bring a store or an MLflow server what it missed of runs",
    .usage = "[RUN …] [key=value …]",
    .flags = sync_flags,
    .options = "track. net. store.",
    .takes_rest = true,
    .examples = "  fakenews runs sync\n"
                "  fakenews runs sync runs/tiny track.uri=https://mlflow.example.org\n",
    .run = sync_runs,
};
