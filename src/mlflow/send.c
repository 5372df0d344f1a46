#include "mlflow/send.h"

#include "base/backoff.h"
#include "mlflow/logged.h"
#include "net/net.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_LINES = 1000 };

/* Parts of a line that is a parameter, a tag or a metric, gathered for one batch. */
typedef struct gathered {
  fn_track_pair params[MAX_LINES], tags[2 * MAX_LINES];
  fn_metric_point metrics[MAX_LINES];
  size_t n_params, n_tags, n_metrics;
} gathered;

/* What the tags fakenews.data.… and the parameter rows.train say of the data set. */
typedef struct data_tags {
  char *name, *hash, *path, *context;
  int64_t n_rows;
} data_tags;

struct fn_mlflow_sender {
  fn_mlflow *mlflow;
  fn_journal *journal;
  const char *asked_experiment; /* NULL: what the journal says counts */
  bool known, was_known;        /* the run was seen at the server since the sender was made; or since it was lost */
  char experiment[64];          /* of the run; "": not known yet */
  char status[16];              /* of the run, when it was seen */
  json_t *given;                /* the run as it was found, when it is one that was there before ours; else NULL */
  fn_buf lines;
  fn_track_event events[MAX_LINES];
  json_t *owners[MAX_LINES];
  size_t bytes[MAX_LINES]; /* up to and with the line */
  size_t n_events;
  gathered batch;
  data_tags data;
  char parent[FN_RUN_ID_LENGTH + 32]; /* the parent's id at the server; "": not known */
  char missing[FN_RUN_ID_LENGTH]; /* our id of a parent that the server did not have when it was told of; "": none */
  /* files */
  bool at_file, gave_way;
  uint64_t n_put_back; /* in a row */
  uint64_t n_waiting_then, n_file_failures, next_file_ns;
  fn_err file_failure;
  fn_mlflow_failure file_reason;
  fn_mlflow_log_progress model;
  char rejection[sizeof((fn_err *)0)->message];
};

fn_status fn_mlflow_sender_create(fn_mlflow_sender **sender_out, fn_mlflow *mlflow, fn_journal *journal,
                                  const char *experiment, fn_err *err) {
  fn_mlflow_sender *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "a sender");
  s->mlflow = mlflow;
  s->journal = journal;
  s->asked_experiment = experiment;
  fn_buf_init(&s->lines, 0);
  *sender_out = s;
  return FN_OK;
}

static void drop_events(fn_mlflow_sender *s) {
  for (size_t i = 0; i < s->n_events; i++) json_decref(s->owners[i]);
  s->n_events = 0;
}

void fn_mlflow_sender_destroy(fn_mlflow_sender *s) {
  if (!s) return;
  drop_events(s);
  fn_buf_deinit(&s->lines);
  json_decref(s->given);
  free(s->data.name);
  free(s->data.hash);
  free(s->data.path);
  free(s->data.context);
  fn_mlflow_log_progress_deinit(&s->model);
  free(s);
}

const char *fn_mlflow_sender_rejection(const fn_mlflow_sender *s) {
  return s->rejection;
}

/* ---- the run over there ---- */

/* Whether the run is one that somebody else made and named for us. */
static bool is_given(const fn_mlflow_sender *s, const char *run_id) {
  return !s->asked_experiment && *run_id && strcmp(fn_journal_head_of(s->journal)->run_id, run_id) == 0;
}

static void keep_text(char **out, const char *text) {
  char *copy = fn_str_dup(fn_str_from(text));
  if (!copy) return; /* memory is short: the data set is not told */
  free(*out);
  *out = copy;
}

/* What an event or the run over there says of the data set; see send_data. */
static void see_data(fn_mlflow_sender *s, const char *key, const char *value) {
  const char *prefix = "fakenews.data.";
  if (strcmp(key, "rows.train") == 0) s->data.n_rows = strtoll(value, NULL, 10);
  if (strncmp(key, prefix, strlen(prefix)) != 0) return;
  key += strlen(prefix);
  if (strcmp(key, "name") == 0) keep_text(&s->data.name, value);
  if (strcmp(key, "hash") == 0) keep_text(&s->data.hash, value);
  if (strcmp(key, "path") == 0) keep_text(&s->data.path, value);
  if (strcmp(key, "context") == 0) keep_text(&s->data.context, value);
}

/* What a sender before this one told of the data set and of the parent, before it could tell the whole. */
static void recall(fn_mlflow_sender *s, const json_t *run) {
  char parent[sizeof s->missing] = "";
  bool has_parent = false;
  static const char *const lists[] = {"params", "tags"};
  for (size_t i = 0; i < FN_COUNT_OF(lists); i++) {
    const json_t *pairs = json_object_get(json_object_get(run, "data"), lists[i]);
    for (size_t j = 0; j < json_array_size(pairs); j++) {
      const json_t *pair = json_array_get(pairs, j);
      const char *key = fn_mlflow_text(pair, "key"), *value = fn_mlflow_text(pair, "value");
      see_data(s, key, value);
      if (strcmp(key, "fakenews.parent_run_id") == 0) (void)snprintf(parent, sizeof parent, "%s", value);
      has_parent = has_parent || strcmp(key, "mlflow.parentRunId") == 0;
    }
  }
  if (!has_parent) memcpy(s->missing, parent, sizeof parent);
}

static fn_status adopt(fn_mlflow_sender *s, const fn_mlflow_run *run, fn_err *err) {
  (void)snprintf(s->experiment, sizeof s->experiment, "%s", run->experiment_id);
  (void)snprintf(s->status, sizeof s->status, "%s", run->status);
  if (is_given(s, run->id) && !s->given) s->given = json_incref(run->json);
  if (!s->known) recall(s, run->json);
  fn_journal_remote *r = fn_journal_remote_of(s->journal);
  char *uri = fn_str_dup(fn_str_from(fn_mlflow_uri(s->mlflow))), *id = fn_str_dup(fn_str_from(run->id)),
       *artifacts = fn_str_dup(fn_str_from(run->artifact_uri));
  if (!uri || !id || !artifacts) {
    free(uri);
    free(id);
    free(artifacts);
    return fn_err_no_memory(err, "a run");
  }
  free(r->uri);
  free(r->run_id);
  free(r->artifact_uri);
  r->uri = uri;
  r->run_id = id;
  r->artifact_uri = artifacts;
  fn_journal_note(s->journal);
  return FN_OK;
}

typedef struct found {
  fn_mlflow_sender *sender;
  bool any;
  char *id_out; /* NULL: the run is adopted */
  size_t size;
} found;

static fn_status on_found(void *arg, const fn_mlflow_run *run, fn_err *err) {
  found *f = arg;
  f->any = true;
  if (!f->id_out) return adopt(f->sender, run, err);
  (void)snprintf(f->id_out, f->size, "%s", run->id);
  return FN_OK;
}

/* The run with our id in its tag, of a request whose answer was lost. */
static fn_status find_run(found *f, const char *experiment, const char *id, fn_err *err) {
  char filter[128];
  (void)snprintf(filter, sizeof filter, "tags.`fakenews.run_id` = '%s'", id);
  return fn_mlflow_run_search(f->sender->mlflow, experiment, filter, 1, on_found, f, err);
}

/* Of what was asked for in the place of a new run or experiment: when it is not to be had, how to go on. */
static fn_status explain_given(const fn_mlflow_sender *s, fn_status status, const char *what, const char *id,
                               const char *why, fn_err *err) {
  const bool is_access = fn_mlflow_last_failure(s->mlflow)->refused_access;
  if (is_access || (status != FN_E_INVALID && status != FN_E_NOT_FOUND)) return fn_err_set(err, status, "%s", why);
  return fn_err_set(err, FN_E_INVALID,
                    "%s; %s=%s was asked for: `fakenews runs sync %s track.experiment=NAME` sends to a new "
                    "run instead",
                    why, what, id, fn_journal_folder(s->journal));
}

/* The id of the experiment in which the run is, or is to be made. */
static fn_status find_experiment(char **id_out, fn_mlflow_sender *s, fn_err *err) {
  const fn_journal_head *head = fn_journal_head_of(s->journal);
  if (!*s->experiment && !s->asked_experiment && *head->experiment_id) {
    fn_err why = {0};
    const fn_status status = fn_mlflow_experiment_check(s->mlflow, head->experiment_id, head->experiment, &why);
    if (status != FN_OK) return explain_given(s, status, "MLFLOW_EXPERIMENT_ID", head->experiment_id, why.message, err);
  }
  const char *name = s->asked_experiment ? s->asked_experiment : head->experiment;
  const char *id = *s->experiment ? s->experiment : s->asked_experiment ? "" : head->experiment_id;
  if (!*id) return fn_mlflow_experiment(id_out, s->mlflow, name, true, err);
  *id_out = fn_str_dup(fn_str_from(id));
  return *id_out ? FN_OK : fn_err_no_memory(err, "an experiment");
}

/* Takes the run that MLFLOW_RUN_ID named; our tag finds it from now on. */
static fn_status take_given(fn_mlflow_sender *s, fn_err *err) {
  const fn_journal_head *head = fn_journal_head_of(s->journal);
  fn_mlflow_run run;
  fn_err why = {0};
  fn_status status = fn_mlflow_run_get(&run, s->mlflow, head->run_id, &why);
  if (status != FN_OK) return explain_given(s, status, "MLFLOW_RUN_ID", head->run_id, why.message, err);
  const fn_track_pair tag = {"fakenews.run_id", head->id};
  if (run.deleted) {
    (void)fn_err_set(&why, FN_E_INVALID, "%s: the run is deleted there", fn_mlflow_uri(s->mlflow));
    status = explain_given(s, FN_E_INVALID, "MLFLOW_RUN_ID", head->run_id, why.message, err);
  } else {
    status = fn_mlflow_log_batch(NULL, s->mlflow, run.id, NULL, 0, &tag, 1, NULL, 0, err);
    if (status == FN_OK) status = adopt(s, &run, err);
  }
  fn_mlflow_run_deinit(&run);
  return status;
}

static fn_status make_run(fn_mlflow_sender *s, fn_err *err) {
  const fn_journal_head *head = fn_journal_head_of(s->journal);
  FN_AUTO_FREE char *experiment = NULL;
  fn_mlflow_run run;
  if (*head->run_id && !s->asked_experiment) return take_given(s, err);
  FN_TRY(find_experiment(&experiment, s, err));
  found f = {.sender = s};
  FN_TRY(find_run(&f, experiment, head->id, err));
  if (f.any) return FN_OK;
  const fn_track_pair tags[] = {{"fakenews.run_id", head->id}, {"mlflow.user", head->user}};
  FN_TRY(fn_mlflow_run_create(&run, s->mlflow, experiment, head->name, head->start_ms, tags, *head->user ? 2 : 1, err));
  fn_status status =
      run.deleted ? fn_err_set(err, FN_E_INVALID, "%s: the run %s is deleted there", fn_mlflow_uri(s->mlflow), run.id)
                  : adopt(s, &run, err);
  fn_mlflow_run_deinit(&run);
  return status;
}

static fn_status refuse_deleted(const fn_mlflow_sender *s, const char *how, fn_err *err) {
  const char *id = fn_journal_remote_of(s->journal)->run_id;
  return fn_err_set(
      err, FN_E_NOT_FOUND,
      "%s: the run %s %s; restore it (mlflow runs restore --run-id %s), or remove track/mlflow.sent in the "
      "run's folder to begin a new one with the events that wait",
      fn_mlflow_uri(s->mlflow), id, how, id);
}

/* Whether the run can still be written: FN_E_NOT_FOUND says what to do. */
static fn_status check_run(fn_mlflow_sender *s, fn_err *err) {
  fn_mlflow_run run;
  fn_status status = fn_mlflow_run_get(&run, s->mlflow, fn_journal_remote_of(s->journal)->run_id, err);
  if (status == FN_E_NOT_FOUND) return refuse_deleted(s, "is not there any more", err);
  FN_TRY(status);
  const bool deleted = run.deleted;
  if (!deleted) status = adopt(s, &run, err); /* the server says where files go, not what stands in the folder */
  fn_mlflow_run_deinit(&run);
  return deleted ? refuse_deleted(s, "is deleted there", err) : status;
}

static void note_status(fn_mlflow_sender *s, const char *name) {
  fn_journal_remote *r = fn_journal_remote_of(s->journal);
  (void)snprintf(r->status, sizeof r->status, "%.15s", name);
  fn_journal_note(s->journal);
}

static fn_status ensure_run(fn_mlflow_sender *s, fn_err *err) {
  if (s->known) return FN_OK;
  const fn_journal_remote *r = fn_journal_remote_of(s->journal);
  if (r->uri && strcmp(r->uri, fn_mlflow_uri(s->mlflow)) != 0)
    return fn_err_set(
        err, FN_E_INVALID,
        "%s: this run is kept at %s, not at %s; go on with the first (track.uri, MLFLOW_TRACKING_URI), or "
        "remove track/mlflow.sent there to send what waits to the other one",
        fn_journal_folder(s->journal), r->uri, fn_mlflow_uri(s->mlflow));
  const bool is_new = r->run_id == NULL;
  FN_TRY(is_new ? make_run(s, err) : check_run(s, err));
  if (is_new) note_status(s, "RUNNING");
  s->known = true;
  return FN_OK;
}

/* ---- events ---- */

static fn_status read_events(fn_mlflow_sender *s, fn_err *err) {
  drop_events(s);
  FN_TRY(fn_journal_read(&s->lines, s->journal, MAX_LINES, err));
  size_t at = 0;
  while (at < s->lines.length && s->n_events < MAX_LINES) {
    const char *end = memchr(s->lines.data + at, '\n', s->lines.length - at);
    const size_t length = end ? (size_t)(end - s->lines.data) - at : 0;
    const size_t i = s->n_events;
    fn_status status = fn_journal_parse(&s->events[i], &s->owners[i], fn_str_make(s->lines.data + at, length), err);
    if (status == FN_E_NO_MEMORY) return status;
    if (status != FN_OK) { /* damaged: stands as an event that says nothing, and is counted when its turn is over */
      s->events[i] = (fn_track_event){.kind = FN_TRACK_TAG};
      s->owners[i] = NULL;
    }
    at += length + 1;
    s->bytes[i] = at;
    s->n_events++;
  }
  return FN_OK;
}

static void reject(fn_mlflow_sender *s, const char *why) {
  fn_journal_remote_of(s->journal)->n_rejected++;
  (void)snprintf(s->rejection, sizeof s->rejection, "%s", why);
}

/* Whether the server refuses what is said, not who says it or when. */
static bool is_refusal(const fn_mlflow_sender *s, fn_status status) {
  const fn_mlflow_failure *f = fn_mlflow_last_failure(s->mlflow);
  return status == FN_E_INVALID && f->http >= 400 && f->http < 500 && !f->refused_access && !f->temporary;
}

/* mlflow.parentRunId names a run by our id, which the server knows by its own, or else by the server's. The parent may
 * be of another experiment, or not be told yet: s->parent stays "" then. */
static fn_status find_parent(fn_mlflow_sender *s, const char *id, fn_err *err) {
  FN_AUTO_FREE char *experiment = NULL;
  found f = {.sender = s, .id_out = s->parent, .size = sizeof s->parent};
  FN_TRY(find_experiment(&experiment, s, err));
  FN_TRY(find_run(&f, experiment, id, err));
  if (f.any) return FN_OK;
  fn_mlflow_run run;
  fn_err why = {0};
  const fn_status status = fn_mlflow_run_get(&run, s->mlflow, id, &why);
  if (status == FN_OK) {
    (void)snprintf(s->parent, sizeof s->parent, "%s", run.id);
    fn_mlflow_run_deinit(&run);
    return FN_OK;
  }
  if (status != FN_E_NOT_FOUND && !is_refusal(s, status)) return fn_err_set(err, status, "%s", why.message);
  return find_run(&f, NULL, id, err);
}

/* *out NULL: the server does not have it (yet). */
static fn_status parent_of(const char **out, fn_mlflow_sender *s, const char *id, fn_err *err) {
  *out = id;
  if (!fn_run_id_is_valid(id)) return FN_OK;
  if (!s->parent[0]) FN_TRY(find_parent(s, id, err));
  memcpy(s->missing, s->parent[0] ? "" : id, s->parent[0] ? 1 : sizeof s->missing);
  *out = s->parent[0] ? s->parent : NULL;
  return FN_OK;
}

/* At the run's end the parent may have been told as well. */
static fn_status tell_missing_parent(fn_mlflow_sender *s, fn_err *err) {
  if (!s->missing[0]) return FN_OK;
  const char *id = NULL;
  FN_TRY(parent_of(&id, s, s->missing, err));
  const fn_track_pair tag = {"mlflow.parentRunId", id};
  if (!id) return FN_OK;
  return fn_mlflow_log_batch(NULL, s->mlflow, fn_journal_remote_of(s->journal)->run_id, NULL, 0, &tag, 1, NULL, 0, err);
}

/* Whoever made a run that was given has named it, and perhaps said where it comes from: that stays. */
static bool stays_theirs(const fn_mlflow_sender *s, const char *key) {
  if (!s->given || (strcmp(key, "mlflow.runName") != 0 && strcmp(key, "mlflow.user") != 0 &&
                    !fn_str_starts_with(fn_str_from(key), "mlflow.source.")))
    return false;
  const json_t *tags = json_object_get(json_object_get(s->given, "data"), "tags");
  for (size_t i = 0; i < json_array_size(tags); i++)
    if (strcmp(fn_mlflow_text(json_array_get(tags, i), "key"), key) == 0) return true;
  return false;
}

static fn_status gather(fn_mlflow_sender *s, size_t from, size_t to, fn_err *err) {
  gathered *b = &s->batch;
  b->n_params = b->n_tags = b->n_metrics = 0;
  for (size_t i = from; i < to; i++) {
    const fn_track_event *e = &s->events[i];
    if (e->kind == FN_TRACK_METRIC) {
      b->metrics[b->n_metrics++] = (fn_metric_point){e->key, e->number, e->step, e->time_ms};
    } else if (e->kind == FN_TRACK_PARAM) {
      see_data(s, e->key, e->value);
      b->params[b->n_params++] = (fn_track_pair){e->key, e->value};
    } else if (e->key && !stays_theirs(s, e->key)) {
      const char *value = e->value;
      if (strcmp(e->key, "mlflow.parentRunId") == 0) {
        FN_TRY(parent_of(&value, s, e->value, err));
        b->tags[b->n_tags++] = (fn_track_pair){"fakenews.parent_run_id", e->value};
      }
      see_data(s, e->key, e->value);
      if (value) b->tags[b->n_tags++] = (fn_track_pair){e->key, value};
    }
  }
  return FN_OK;
}

static fn_status send_range(fn_mlflow_sender *s, size_t from, size_t to, fn_err *err) {
  const gathered *b = &s->batch;
  FN_TRY(gather(s, from, to, err));
  return fn_mlflow_log_batch(NULL, s->mlflow, fn_journal_remote_of(s->journal)->run_id, b->params, b->n_params, b->tags,
                             b->n_tags, b->metrics, b->n_metrics, err);
}

/* Servers before 3.x do not see that a NaN is the NaN they have, and tell what their database said. */
static bool is_there_already(const fn_track_event *e, const char *why) {
  return e->kind == FN_TRACK_METRIC && (strstr(why, "UNIQUE constraint failed: metrics.") || strstr(why, "metric_pk"));
}

/* Sends events; of those that are refused together, halves, until the single ones that are refused are left out. */
static fn_status send_values(fn_mlflow_sender *s, size_t from, size_t to, fn_err *err) {
  if (from == to) return FN_OK;
  fn_err why = {0};
  fn_status status = send_range(s, from, to, &why);
  if (status == FN_OK) return FN_OK;
  const bool refused = is_refusal(s, status);
  if (refused || status == FN_E_NOT_FOUND) FN_TRY(check_run(s, err)); /* of a run that is gone everything is refused */
  if (!refused) return fn_err_set(err, status, "%s", why.message);
  if (to - from == 1) {
    if (!is_there_already(&s->events[from], why.message)) reject(s, why.message);
    return FN_OK;
  }
  const size_t middle = from + (to - from) / 2;
  FN_TRY(send_values(s, from, middle, err));
  return send_values(s, middle, to, err);
}

/* The server keeps of a data set what it is told first: the hash comes last, and with it everything is known. */
static fn_status send_data(fn_mlflow_sender *s, fn_err *err) {
  data_tags *d = &s->data;
  if (!d->name || !d->hash) return FN_OK;
  FN_AUTO_BUF fn_buf source;
  fn_buf_init(&source, 64 * 1024);
  fn_buf_append_str(&source, "{\"uri\":");
  fn_buf_append_json(&source, fn_str_from(d->path ? d->path : d->name));
  fn_buf_append_str(&source, "}");
  FN_TRY(fn_buf_check(&source, "a data set", err));
  const fn_mlflow_dataset set = {d->name,  d->hash, "local", source.data, d->context ? d->context : "training",
                                 d->n_rows};
  fn_err why = {0};
  fn_status status = fn_mlflow_log_inputs(s->mlflow, fn_journal_remote_of(s->journal)->run_id, &set, 1, &why);
  if (status != FN_OK && !is_refusal(s, status) && status != FN_E_UNSUPPORTED)
    return fn_err_set(err, status, "%s", why.message);
  free(d->name);
  d->name = NULL; /* told */
  return FN_OK;
}

/* ---- files ---- */

static const double FIRST_WAIT_S = 0.5, LAST_WAIT_S = 60;

double fn_mlflow_wait_s(double first_s, double last_s, uint64_t n_failures, double asked_s) {
  return fn_backoff_s(first_s, last_s, asked_s > 0 ? 1 : (int64_t)n_failures, asked_s);
}

void fn_mlflow_sender_hurry(fn_mlflow_sender *s) {
  s->next_file_ns = 0;
}

bool fn_mlflow_sender_gives_way(fn_mlflow_sender *s, double still_s) {
  if (!s->at_file || fn_mlflow_still_s(s->mlflow) < still_s) return false;
  s->gave_way = fn_journal_n_unsent(s->journal) > s->n_waiting_then;
  return s->gave_way;
}

/* FN_E_INVALID: a file that will never be sent, because it is gone, or no file inside the run's folder: a folder that
 * comes from elsewhere must not have other files of this machine sent. */
static fn_status find_file(char **path_out, const fn_mlflow_sender *s, const fn_track_event *e, fn_err *err) {
  const char *why = "";
  if (!fn_name_is_inside(fn_str_from(e->key), &why)) return fn_err_set(err, FN_E_INVALID, "%s: %s", e->key, why);
  FN_AUTO_FREE char *path = fn_path_join(fn_journal_folder(s->journal), e->value);
  if (!path) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(path)) return fn_err_set(err, FN_E_INVALID, "%s is not there any more", path);
  FN_AUTO_FREE char *folder = NULL;
  FN_AUTO_FREE char *real = NULL;
  FN_TRY(fn_path_real(&folder, fn_journal_folder(s->journal), err));
  FN_TRY(fn_path_real(&real, path, err));
  const size_t n = strlen(folder);
  struct stat st;
  if (strncmp(real, folder, n) != 0 || real[n] != '/' || stat(real, &st) != 0 || !S_ISREG(st.st_mode))
    return fn_err_set(err, FN_E_INVALID, "%s is no file inside the run's folder, and is not sent", path);
  *path_out = FN_STEAL(real);
  return FN_OK;
}

/* The folder of `path`, which is inside the run's. */
static fn_status find_model(fn_mlflow_log_source *source, char *path, char **scratch_out, fn_mlflow_sender *s,
                            const fn_track_event *e, fn_err *err) {
  *scratch_out = fn_path_join(fn_journal_folder(s->journal), "track/files");
  if (!*scratch_out) return fn_err_no_memory(err, "a path");
  path[strlen(path) - strlen(fn_path_base(path)) - 1] = '\0';
  *source = (fn_mlflow_log_source){
      .name = e->key, .dir = path, .scratch = *scratch_out, .run_id = fn_journal_head_of(s->journal)->id};
  return fn_mlflow_log_prepare(&s->model, source, err);
}

static fn_status put_event(fn_mlflow_sender *s, const fn_track_event *e, const char *path,
                           const fn_mlflow_log_source *model, fn_err *err) {
  const fn_journal_remote *r = fn_journal_remote_of(s->journal);
  return e->kind == FN_TRACK_MODEL ? fn_mlflow_log_model(&s->model, s->mlflow, r->run_id, model, err)
                                   : fn_mlflow_put(s->mlflow, r->artifact_uri, e->key, path, err);
}

/* FN_OK also for a file that is left out for good. */
static fn_status send_file(fn_mlflow_sender *s, const fn_track_event *e, fn_err *err) {
  FN_AUTO_FREE char *path = NULL, *scratch = NULL;
  fn_mlflow_log_source model;
  fn_err failure = {0};
  fn_status status = find_file(&path, s, e, &failure);
  if (status == FN_OK && e->kind == FN_TRACK_MODEL) status = find_model(&model, path, &scratch, s, e, &failure);
  bool for_good = status == FN_E_INVALID;
  if (status == FN_OK) {
    s->at_file = true;
    s->gave_way = false;
    s->n_waiting_then = fn_journal_n_unsent(s->journal);
    status = put_event(s, e, path, &model, &failure);
    s->at_file = false;
    for_good = is_refusal(s, status);
  }
  if (status == FN_OK) return FN_OK;
  if (status == FN_E_CANCELLED && s->gave_way)
    return fn_err_set(err, FN_E_IO, "%s: nothing moves on the way of the file %s", fn_mlflow_uri(s->mlflow), e->key);
  if (!for_good) return fn_err_set(err, status, "%s", failure.message);
  reject(s, failure.message);
  return FN_OK;
}

/* How many bytes the line of event i has. */
static size_t line_bytes(const fn_mlflow_sender *s, size_t i) {
  return s->bytes[i] - (i > 0 ? s->bytes[i - 1] : 0);
}

/* To the end of what waits. A crash in between sends the file twice, which replaces itself. */
static fn_status put_back(fn_mlflow_sender *s, size_t i, fn_err *err) {
  return fn_journal_put_back(s->journal, &s->events[i], line_bytes(s, i), err);
}

static fn_status tell_file_failure(fn_mlflow_sent *sent, const fn_mlflow_sender *s, fn_err *err) {
  const uint64_t now = fn_clock_ns();
  sent->only_files = true;
  sent->temporary = s->file_reason.temporary;
  sent->moved = s->file_reason.moved;
  sent->asked_s = s->file_reason.retry_after_s;
  sent->wait_s = s->next_file_ns > now ? (double)(s->next_file_ns - now) / 1e9 : 0;
  return fn_err_set(err, s->file_failure.status, "%s", s->file_failure.message);
}

static bool has_file(const fn_mlflow_sender *s) {
  for (size_t i = 0; i < s->n_events; i++)
    if (s->events[i].kind == FN_TRACK_ARTIFACT) return true;
  return false;
}

/* Nothing but files waits: the first of them. */
static fn_status send_next_file(fn_mlflow_sent *sent, fn_mlflow_sender *s, fn_err *err) {
  s->n_put_back = 0;
  if (s->events[0].kind == FN_TRACK_MODEL && has_file(s)) { /* last: whoever sees the model sees the rest as well */
    sent->more = true;
    return put_back(s, 0, err);
  }
  if (fn_clock_ns() < s->next_file_ns) return tell_file_failure(sent, s, err);
  const size_t n_so_far = s->model.n_so_far;
  const fn_status status = send_file(s, &s->events[0], &s->file_failure);
  sent->progress = s->model.n_so_far > n_so_far;
  if (sent->progress) s->n_file_failures = 0;
  if (status == FN_OK) {
    s->n_file_failures = s->next_file_ns = 0;
    FN_TRY(fn_journal_advance(s->journal, s->bytes[0], 1, err));
    sent->n_events = 1;
    sent->more = true;
    return FN_OK;
  }
  sent->only_files = true;
  if (status == FN_E_CANCELLED || status == FN_E_NO_MEMORY)
    return fn_err_set(err, status, "%s", s->file_failure.message);
  fn_mlflow_failure *f = &s->file_reason;
  *f = *fn_mlflow_last_failure(s->mlflow);
  s->n_file_failures++;
  const double wait =
      fn_mlflow_wait_s(FIRST_WAIT_S, LAST_WAIT_S, s->n_file_failures, fmin(f->retry_after_s, LAST_WAIT_S));
  f->temporary = f->temporary || (status == FN_E_IO && s->gave_way);
  s->next_file_ns = fn_clock_ns() + (uint64_t)(wait * 1e9);
  FN_TRY(put_back(s, 0, err));
  return tell_file_failure(sent, s, err);
}

/* ---- states, and all of it ---- */

static fn_status send_status(fn_mlflow_sender *s, const fn_track_event *e, fn_err *err) {
  const bool goes_on = e->status == FN_RUN_RUNNING || e->status == FN_RUN_SCHEDULED;
  const char *name = fn_run_status_names[e->status == FN_RUN_INTERRUPTED ? FN_RUN_KILLED : e->status];
  fn_err why = {0};
  if (!goes_on) FN_TRY(tell_missing_parent(s, err));
  fn_status status =
      fn_mlflow_run_update(s->mlflow, fn_journal_remote_of(s->journal)->run_id, name, goes_on ? 0 : e->time_ms, &why);
  if (status == FN_OK) note_status(s, name);
  if (status == FN_OK) return FN_OK;
  const bool refused = is_refusal(s, status);
  if (refused || status == FN_E_NOT_FOUND) FN_TRY(check_run(s, err));
  if (!refused) return fn_err_set(err, status, "%s", why.message);
  reject(s, why.message);
  return FN_OK;
}

static bool is_value(const fn_track_event *e) {
  return e->kind == FN_TRACK_METRIC || e->kind == FN_TRACK_PARAM || e->kind == FN_TRACK_TAG;
}

static bool is_file(const fn_track_event *e) {
  return e->kind == FN_TRACK_ARTIFACT || e->kind == FN_TRACK_MODEL;
}

static bool is_end(const char *status) {
  static const fn_run_status ends[] = {FN_RUN_FINISHED, FN_RUN_FAILED, FN_RUN_KILLED};
  for (size_t i = 0; i < FN_COUNT_OF(ends); i++)
    if (strcmp(status, fn_run_status_names[ends[i]]) == 0) return true;
  return false;
}

fn_status fn_mlflow_send_killed(bool *told_out, fn_mlflow_sender *s, fn_err *err) {
  *told_out = false;
  if (strcmp(fn_journal_remote_of(s->journal)->status, fn_run_status_names[FN_RUN_RUNNING]) != 0) return FN_OK;
  FN_TRY(ensure_run(s, err));
  /* the end was told, and could not be noted */
  if (is_end(s->status)) {
    note_status(s, s->status);
    return FN_OK;
  }
  const fn_track_event e = {
      .kind = FN_TRACK_STATUS, .status = FN_RUN_KILLED, .time_ms = fn_journal_time_ms(s->journal)};
  FN_TRY(send_status(s, &e, err));
  *told_out = true;
  return FN_OK;
}

static void count_damaged(fn_mlflow_sender *s, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    if (!s->owners[i]) reject(s, "a line of track/mlflow.jsonl is no event (it is damaged)");
}

/* Values as far as they stand together, or one state, or a file that is put back. */
static fn_status send_next(size_t *next_out, fn_mlflow_sent *sent, fn_mlflow_sender *s, size_t at, fn_err *err) {
  const fn_track_event *e = &s->events[at];
  size_t end = at;
  while (end < s->n_events && is_value(&s->events[end])) end++;
  *next_out = end > at ? end : at + 1;
  if (is_file(e)) {
    s->n_put_back++;
    return put_back(s, at, err);
  }
  s->n_put_back = 0;
  if (end > at) {
    FN_TRY(send_values(s, at, end, err));
    FN_TRY(send_data(s, err));
    count_damaged(s, at, end);
  } else {
    FN_TRY(send_status(s, e, err));
  }
  FN_TRY(
      fn_journal_advance(s->journal, s->bytes[*next_out - 1] - (at > 0 ? s->bytes[at - 1] : 0), *next_out - at, err));
  sent->n_events += *next_out - at;
  return FN_OK;
}

static bool are_files(const fn_mlflow_sender *s) {
  for (size_t i = 0; i < s->n_events; i++)
    if (!is_file(&s->events[i])) return false;
  return true;
}

fn_status fn_mlflow_send_some(fn_mlflow_sent *sent, fn_mlflow_sender *s, fn_err *err) {
  *sent = (fn_mlflow_sent){0};
  FN_TRY(read_events(s, err));
  if (s->n_events == 0) return FN_OK;
  fn_status status = ensure_run(s, err);
  sent->progress = s->known && !s->was_known;
  s->was_known = s->was_known || s->known;
  const uint64_t n_waiting = fn_journal_n_unsent(s->journal);
  if (status == FN_OK && are_files(s) && (s->n_events == n_waiting || s->n_put_back >= n_waiting))
    return send_next_file(sent, s, err);
  for (size_t at = 0; status == FN_OK && at < s->n_events;) status = send_next(&at, sent, s, at, err);
  if (status == FN_E_NOT_FOUND) s->known = false;
  sent->more = status == FN_OK;
  const fn_mlflow_failure *f = fn_mlflow_last_failure(s->mlflow);
  sent->temporary = f->temporary;
  sent->moved = f->moved;
  sent->asked_s = f->retry_after_s;
  return status;
}
