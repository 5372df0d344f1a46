/* The kinds of sinks that track.sinks names. */
#include "cli/track_support.h"
#include "track/sink_local.h"

static fn_status make_local(fn_sink *sink_out, const fn_cli_track_context *c, fn_err *err) {
  const fn_local_sink_options options = {
      .store = {.url = fn_cli_track_url(c->options),
                .artifacts = fn_cli_track_artifacts(c->options),
                .store = &c->stores->options},
      .run = c->run,
      .resume_step = c->resume_step,
  };
  return fn_local_sink_create(sink_out, &options, err);
}

const fn_cli_sink_kind fn_cli_sink_kinds[] = {
    {"local", make_local},
    {NULL, NULL},
};
