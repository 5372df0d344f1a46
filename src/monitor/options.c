#include "monitor/options.h"

#define AT(member) offsetof(fn_predictions_options, member)

const char *const fn_predictions_text_names[3] = {"hash", "full", "none"};

static const fn_option options[] = {
    {"predictions.url", FN_OPTION_STRING, AT(url), "null", NULL, true, true,
     "Database of the prediction log, of feedback and of API keys: a path, sqlite:PATH or postgresql://…. DATABASE_URL "
     "sets it too, and PGHOST, PGSERVICE or PGDATABASE stand for postgresql://. null: predictions.db in the state "
     "folder "
     "(STATE_DIRECTORY, else XDG_STATE_HOME/fakenews, else ~/.local/state/fakenews). none: nothing is logged."},
    {"predictions.durable", FN_OPTION_ENUM, AT(durable), "answer", "answer|async", false, false,
     "`answer`: an answer is given when its row is on the disk, so that it survives `kill -9` and power loss. `async`: "
     "at once; rows of the last predictions.flush_ms may be lost."},
    {"predictions.flush_ms", FN_OPTION_INT, AT(flush_ms), "200", "[1,60000]", false, false,
     "With predictions.durable=async: milliseconds that a row waits at most before it is written."},
    {"predictions.text", FN_OPTION_ENUM, AT(text), "hash", "hash|full|none", false, false,
     "What the log keeps of title and text: their SHA-256, the texts themselves (needed by `log replay` and `log "
     "export "
     "--with-feedback`), or neither."},
    {"predictions.keep_days", FN_OPTION_INT, AT(keep_days), "90", "[1,36500]", true, false,
     "Days after which a prediction and its feedback are deleted. null: never."},
    {"predictions.spool_mb", FN_OPTION_INT, AT(spool_mb), "64", "[0,65536]", false, false,
     "Size in MiB of the file in the state folder that takes rows while the database cannot be reached. 0: none; rows "
     "then fail."},
    {"predictions.queue_rows", FN_OPTION_INT, AT(queue_rows), "4096", "[1,1000000]", false, false,
     "Rows that wait to be written at most; beyond that a request is refused with 503."},
};

const fn_option_table fn_predictions_option_table = {
    .title = "Prediction log",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_predictions_options),
};

bool fn_predictions_enabled(const fn_predictions_options *o) {
  return !o->url || strcmp(o->url, "none") != 0;
}
