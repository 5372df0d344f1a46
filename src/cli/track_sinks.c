/* The kinds of sinks that track.sinks names. */
#include "cli/track_support.h"
#include "mlflow/environment.h"
#include "mlflow/sink.h"
#include "track/journal.h"
#include "track/sink_local.h"
#include "wandb/wandb.h"

#include <stdlib.h>
#include <strings.h>

/* ---- local ---- */

static fn_status make_local(fn_sink *sink_out, const fn_cli_track_context *c, fn_err *err) {
  fn_cli_place artifacts;
  char place[512];
  fn_sql_describe(place, sizeof place, fn_cli_track_url(c->options));
  const fn_local_sink_options options = {
      .store = {.url = fn_cli_track_url(c->options),
                .artifacts = fn_cli_track_artifacts(artifacts, c->options),
                .store = &c->stores->options},
      .run = c->run,
      .resume_step = c->resume_step,
      .place = place,
      .journal_bytes = (uint64_t)c->options->spool_mb << 20,
  };
  return fn_local_sink_create(sink_out, &options, err);
}

/* ---- mlflow ---- */

/* Now, or when a training that goes on began. */
static bool is_experiment_set(const fn_cli *cli, const fn_track_options *options) {
  return fn_config_layer_of(cli->config, "track.experiment") != FN_CONFIG_DEFAULT ||
         strcmp(options->experiment, "Default") != 0;
}

static fn_status check_mlflow(const fn_cli *cli, const fn_track_options *options, const fn_environment *environment,
                              bool resume, fn_err *err) {
  fn_mlflow_options server;
  fn_mlflow_place place;
  const char *id = fn_environment_get(environment, "MLFLOW_EXPERIMENT_ID");
  FN_TRY(
      fn_mlflow_place_from_environment(&place, options->experiment, is_experiment_set(cli, options), environment, err));
  if (id && !place.experiment_id && !resume)
    fn_cli_note(cli, "MLFLOW_EXPERIMENT_ID=%.40s is not used: track.experiment says \"%.100s\"", id, place.experiment);
  FN_TRY(fn_mlflow_from_environment(&server, options->uri, environment, err));
  if (server.uri || resume) return FN_OK; /* a run that goes on knows where it was told of */
  return fn_err_set(err, FN_E_INVALID,
                    "track.sinks names mlflow, but no server is given: set track.uri=http://HOST:5000 or "
                    "MLFLOW_TRACKING_URI");
}

/* The name that was given, where one was: the time before it, which MLflow shows beside anyway, would fill its tables.
 */
static const char *plain_name(const fn_cli *cli, const char *name) {
  enum { TIME = sizeof "2026-11-27T00-07-09Z-" - 1 };
  const bool is_given = fn_config_layer_of(cli->config, "name") != FN_CONFIG_DEFAULT;
  const bool has_time = strlen(name) > TIME && name[4] == '-' && name[TIME - 2] == 'Z' && name[TIME - 1] == '-';
  return is_given && has_time ? name + TIME : name;
}

static fn_status make_mlflow(fn_sink *sink_out, const fn_cli_track_context *c, fn_err *err) {
  const fn_environment *environment = &c->stores->environment;
  FN_AUTO_FREE char *known = NULL;
  fn_run_info run = *c->run;
  fn_mlflow_sink_options options = {.run = &run,
                                    .folder = c->folder,
                                    .resume_step = c->resume_step,
                                    .max_bytes = (uint64_t)c->options->spool_mb << 20,
                                    .interrupted = fn_cli_stop_requested};
  FN_TRY(fn_cli_mlflow_options(&options.server, c->options->uri, c->options, c->stores, err));
  if (!options.server.uri) {
    if (fn_journal_uri(&known, c->folder, "mlflow", NULL) != FN_OK)
      return fn_err_set(err, FN_E_INVALID,
                        "no server is given, and this run was told to none before: set track.uri=http://HOST:5000 or "
                        "MLFLOW_TRACKING_URI");
    if (fn_mlflow_from_folder(&options.server, known))
      fn_cli_note(c->cli, "%s is named by the run's folder alone, and gets no credentials; set MLFLOW_TRACKING_URI",
                  known);
  }
  fn_mlflow_place place;
  FN_TRY(fn_mlflow_place_from_environment(&place, c->options->experiment, is_experiment_set(c->cli, c->options),
                                          environment, err));
  run.experiment_name = place.experiment;
  run.name = plain_name(c->cli, run.name);
  options.experiment_id = place.experiment_id;
  options.run_id = place.run_id;
  FN_AUTO_FREE char *is_in = fn_journal_run_of(c->folder, "mlflow");
  if (is_in && place.run_id && strcmp(is_in, place.run_id) != 0)
    fn_cli_note(c->cli, "MLFLOW_RUN_ID=%s is not used: this training began as run %s there, and goes on in it",
                place.run_id, is_in);
  return fn_mlflow_sink_create(sink_out, &options, err);
}

/* ---- wandb ---- */

static fn_status take_nothing(void *self, const fn_track_event *events, size_t n, fn_err *err) {
  (void)self, (void)events, (void)n, (void)err;
  return FN_OK;
}

static fn_status close_nothing(void *self, uint64_t deadline_ns, fn_err *err) {
  (void)self, (void)deadline_ns, (void)err;
  return FN_OK;
}

static void destroy_nothing(void *self) {
  (void)self;
}

/* WANDB_TAGS: words parted by commas, cut in place. */
enum { MAX_TAGS = 64 };
static size_t split_tags(const char *tags[MAX_TAGS], char *text) {
  size_t n = 0;
  for (char *rest = text, *tag; text && n < MAX_TAGS && (tag = strsep(&rest, ","));) {
    const fn_str trimmed = fn_str_trim(fn_str_from(tag));
    if (trimmed.length == 0) continue;
    tag += trimmed.data - tag;
    tag[trimmed.length] = '\0';
    tags[n++] = tag;
  }
  return n;
}

/* What the variables say, as far as W&B reads them itself. */
typedef struct wandb_words {
  fn_wandb_sink_options options;
  const char *tags[MAX_TAGS];
  char *text; /* of the tags; to be freed */
} wandb_words;

/* *words stays where it is: options points into it. */
static fn_status read_wandb(wandb_words *words, const fn_environment *e, fn_err *err) {
  const char *given = fn_environment_get(e, "WANDB_TAGS");
  words->text = given ? fn_str_dup(fn_str_from(given)) : NULL;
  if (given && !words->text) return fn_err_no_memory(err, "WANDB_TAGS");
  words->options = (fn_wandb_sink_options){.id = fn_environment_get(e, "WANDB_RUN_ID"),
                                           .project = fn_environment_get(e, "WANDB_PROJECT"),
                                           .entity = fn_environment_get(e, "WANDB_ENTITY"),
                                           .name = fn_environment_get(e, "WANDB_NAME"),
                                           .group = fn_environment_get(e, "WANDB_RUN_GROUP"),
                                           .job_type = fn_environment_get(e, "WANDB_JOB_TYPE"),
                                           .notes = fn_environment_get(e, "WANDB_NOTES"),
                                           .tags = words->tags,
                                           .n_tags = split_tags(words->tags, words->text)};
  return FN_OK;
}

/* WANDB_DISABLED is what users of transformers set. */
static bool is_wandb_off(const fn_environment *environment) {
  const char *mode = fn_environment_get(environment, "WANDB_MODE");
  const char *off = fn_environment_get(environment, "WANDB_DISABLED");
  return (mode && strcmp(mode, "disabled") == 0) || (off && (strcasecmp(off, "true") == 0 || strcmp(off, "1") == 0));
}

static fn_status check_wandb(const fn_cli *cli, const fn_track_options *options, const fn_environment *environment,
                             bool resume, fn_err *err) {
  const char *mode = fn_environment_get(environment, "WANDB_MODE");
  const fn_run_info run = {.experiment_name = resume ? NULL : options->experiment};
  wandb_words words;
  if (is_wandb_off(environment)) return FN_OK;
  FN_TRY(read_wandb(&words, environment, err));
  words.options.run = &run;
  const fn_status status = fn_wandb_check(&words.options, err);
  free(words.text);
  if (status != FN_OK) return status;
  if (!mode || strcmp(mode, "offline") == 0 || strcmp(mode, "dryrun") == 0) return FN_OK;
  if (strcmp(mode, "online") != 0 && strcmp(mode, "run") != 0 && strcmp(mode, "shared") != 0)
    return fn_err_set(err, FN_E_INVALID, "WANDB_MODE: \"%.40s\" is none of offline, online, disabled", mode);
  fn_cli_note(cli, "WANDB_MODE=%s: nothing is sent to W&B as the training runs; `wandb sync` brings its folder there",
              mode);
  return FN_OK;
}

static fn_status make_wandb(fn_sink *sink_out, const fn_cli_track_context *c, fn_err *err) {
  const fn_environment *e = &c->stores->environment;
  const char *dir = c->options->wandb_dir ? c->options->wandb_dir : fn_environment_get(e, "WANDB_DIR");
  wandb_words words;
  if (is_wandb_off(e)) {
    *sink_out = (fn_sink){.name = "wandb", .log = take_nothing, .close = close_nothing, .destroy = destroy_nothing};
    return FN_OK;
  }
  FN_TRY(read_wandb(&words, e, err));
  words.options.run = c->run;
  words.options.dir = dir ? dir : ".";
  words.options.version = c->cli->version;
  words.options.resume_step = c->resume_step;
  const fn_status status = fn_wandb_sink_create(sink_out, &words.options, err);
  free(words.text);
  return status;
}

const fn_cli_sink_kind fn_cli_sink_kinds[] = {
    {"local", make_local, NULL},
    {"mlflow", make_mlflow, check_mlflow},
    {"wandb", make_wandb, check_wandb},
    {NULL, NULL, NULL},
};
