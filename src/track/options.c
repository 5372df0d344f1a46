#include "track/options.h"

#define AT(member) offsetof(fn_track_options, member)

static const fn_option options[] = {
    {"track.sinks", FN_OPTION_LIST, AT(sinks), "[local]", NULL, false, false,
     "Where a training is told of, as it runs: local (the store of track.url and track.artifacts), mlflow (the server "
     "of "
     "track.uri), wandb (a run folder for `wandb sync`). []: nowhere; the run folder alone is written."},
    {"track.url", FN_OPTION_STRING, AT(url), "null", NULL, true, true,
     "Database of runs and of the registry: a path, sqlite:PATH or postgresql://…. null: runs/tracking.db in the "
     "working folder."},
    {"track.artifacts", FN_OPTION_STRING, AT(artifacts), "null", NULL, true, false,
     "Where the files of runs and of model versions are kept, each content once: a folder, s3://… or gs://…. null: "
     "the folder artifacts beside a SQLite database; with PostgreSQL runs/artifacts in the working folder, which "
     "others that use the database do not see."},
    {"track.experiment", FN_OPTION_STRING, AT(experiment), "Default", NULL, false, false,
     "Experiment that a training belongs to; it is made when it is not there."},
    {"track.tags", FN_OPTION_MAP, AT(tags), "{}", NULL, false, false,
     "Tags of the run, as {team: desk, ticket: \"42\"}."},
    {"track.parent", FN_OPTION_STRING, AT(parent), "null", NULL, true, false,
     "Id of the run that this one is a part of: the single trainings of a search."},
    {"track.system_metrics", FN_OPTION_BOOL, AT(system_metrics), "true", NULL, false, false,
     "Whether the use of processor, memory, disk, network and GPU is tracked, under system/…."},
    {"track.system_interval_s", FN_OPTION_INT, AT(system_interval_s), "10", "[1,86400]", false, false,
     "Seconds between two looks at them."},
    {"track.log_model", FN_OPTION_BOOL, AT(log_model), "true", NULL, false, false,
     "Whether the model that a training ends with is put into the store. It takes what its folder takes (91 MB for "
     "all-MiniLM-L6-v2); a file that is there already is not stored again."},
    {"track.flush_ms", FN_OPTION_INT, AT(flush_ms), "2000", "[10,600000]", false, false,
     "Milliseconds that what is told waits at most until it is written."},
    {"track.queue_mb", FN_OPTION_INT, AT(queue_mb), "64", "[1,65536]", false, false,
     "MiB that wait to be written at most; beyond that metrics are left out, and a warning says how many."},
    {"track.required", FN_OPTION_BOOL, AT(required), "false", NULL, false, false,
     "What happens when the local store cannot be opened. false: a warning, and the training goes on without it. true: "
     "the training is refused."},
    {"track.uri", FN_OPTION_STRING, AT(uri), "null", NULL, true, true,
     "Address of the MLflow server that the sink mlflow tells: http[s]://…. null: MLFLOW_TRACKING_URI."},
    {"track.artifact_roots", FN_OPTION_LIST, AT(artifact_roots), "[]", NULL, false, false,
     "Folders of this machine (mounts that are shared with the server) in which an MLflow server elsewhere may have "
     "files "
     "of runs put, as absolute paths. A server on this machine may name any; none may through symbolic links."},
    {"track.spool_mb", FN_OPTION_INT, AT(spool_mb), "256", "[1,1048576]", false, false,
     "MiB of events that wait in the run folder for a store of runs or an MLflow server that is away. From half of it "
     "on, not every point "
     "of a metric is kept; parameters, tags and files always are. The file may take twice as much before what has "
     "arrived "
     "is cut off."},
    {"track.close_timeout_s", FN_OPTION_INT, AT(close_timeout_s), "30", "[0,86400]", false, false,
     "Seconds that the end of a training waits at most for what is still to be told; `fakenews runs sync` brings the "
     "rest to an MLflow server."},
    {"track.wandb_dir", FN_OPTION_STRING, AT(wandb_dir), "null", NULL, true, false,
     "Folder in which the sink wandb makes wandb/offline-run-…. null: WANDB_DIR, or the working folder."},
};

const fn_option_table fn_track_option_table = {
    .title = "Tracking",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_track_options),
};

bool fn_track_has_sink(const fn_track_options *o, const char *name) {
  for (size_t i = 0; i < o->sinks.n; i++)
    if (strcmp(o->sinks.items[i], name) == 0) return true;
  return false;
}
