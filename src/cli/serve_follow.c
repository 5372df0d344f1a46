#include "cli/serve_follow.h"

#include "cli/loading.h"

#include <stdlib.h>

/* A server whose registry cannot be used starts with what it had. One that answers and has no such model is believed.
 */
static fn_status take_last(fn_serve_follow *f, fn_status status, const fn_err *why, fn_err *err) {
  if (!f->place.away || fn_model_last(&f->place, &f->uri, FN_WANT_ANSWERS, &f->source.source, NULL) != FN_OK)
    return fn_err_set(err, status, "%s", why->message);
  f->place.stale = true;
  return FN_OK;
}

/* ---- the first fetch ---- */

static bool tick(void *arg) {
  fn_serve_follow *f = arg;
  if (f->deadline_ns && fn_clock_ns() > f->deadline_ns) f->late = true;
  return !f->late && !fn_cli_stop_requested();
}

static bool on_event(void *arg, const fn_download_event *event) {
  (void)event;
  return tick(arg);
}

/* With a copy to answer with, a start does not wait for a store that hangs. */
static void set_deadline(fn_serve_follow *f) {
  enum { LEAST_S = 2 };
  fn_model_place last;
  if (fn_model_last(&last, &f->uri, FN_WANT_ANSWERS, &f->source.source, NULL) != FN_OK) return;
  fn_model_place_deinit(&last);
  const double s = f->source.registry.follow_s > LEAST_S ? f->source.registry.follow_s : LEAST_S;
  f->deadline_ns = fn_clock_ns() + (uint64_t)(s * 1e9);
}

static fn_status fetch_first(fn_serve_follow *f, fn_err *err) {
  set_deadline(f);
  f->source.stores.options.sink = (fn_download_sink){on_event, f};
  f->source.mlflow.tick = tick;
  f->source.mlflow.tick_arg = f;
  const fn_status status = fn_model_fetch(&f->place, &f->uri, FN_WANT_ANSWERS, &f->source.source, err);
  f->source.stores.options.sink = (fn_download_sink){NULL, NULL}; /* the follower has its own */
  f->source.mlflow.tick = NULL;
  if (status == FN_OK || !f->late || fn_cli_stop_requested()) return status;
  f->place.away = true;
  return fn_err_set(err, FN_E_IO, "%s: not fetched within registry.follow_s", f->uri.text);
}

fn_status fn_serve_follow_find(char **path_out, fn_serve_follow *f, const fn_cli *cli, const char *name, fn_err *err) {
  *f = (fn_serve_follow){.server = NULL};
  if (name == NULL) return fn_cli_find_model(path_out, cli, name, err);
  FN_TRY(fn_model_uri_parse(&f->uri, name, err));
  if (f->uri.form != FN_MODEL_REGISTRY) return fn_cli_find_model(path_out, cli, name, err);
  fn_err why = {0};
  FN_TRY(fn_cli_model_source_init(&f->source, cli, err));
  f->source.source.note = NULL;
  f->source.source.unproven = true;
  const fn_status status = fetch_first(f, &why);
  if (status != FN_OK && fn_cli_stop_requested())
    return fn_err_set(err, FN_E_CANCELLED, "stopped while %s was fetched", name);
  if (status != FN_OK) FN_TRY(take_last(f, status, &why, err));
  if (f->place.stale)
    snprintf(f->why, sizeof f->why, "%.560s", why.message[0] ? why.message : "the registry does not answer");
  *path_out = fn_str_dup(fn_str_from(f->place.path));
  return *path_out ? FN_OK : fn_err_no_memory(err, "path of the model");
}

bool fn_serve_follow_fall_back(char **path_out, fn_serve_follow *f, const fn_err *why) {
  fn_model_place last;
  if (f->uri.form != FN_MODEL_REGISTRY || f->place.stale) return false;
  if (fn_model_last(&last, &f->uri, FN_WANT_ANSWERS, &f->source.source, NULL) != FN_OK) return false;
  char *path = strcmp(last.path, f->place.path) == 0 ? NULL : fn_str_dup(fn_str_from(last.path));
  if (path == NULL) {
    fn_model_place_deinit(&last);
    return false;
  }
  fn_model_place_deinit(&f->place);
  f->place = last;
  f->place.stale = true;
  snprintf(f->why, sizeof f->why, "%.560s", why->message);
  free(*path_out);
  *path_out = path;
  return true;
}

static void set_origin(const fn_serve_follow *f, const fn_follow_state *state) {
  fn_server_origin origin = {.version = state->version,
                             .asked_ms = state->asked_ms,
                             .asked_ns = state->asked_ns,
                             .n_failures = state->n_failures};
  memcpy(origin.name, f->uri.name, sizeof origin.name);
  memcpy(origin.alias, f->uri.alias, sizeof origin.alias);
  fn_server_set_origin(f->server, &origin);
}

static fn_status take(void *arg, const char *path, fn_err *err) {
  const fn_serve_follow *f = arg;
  return fn_server_reload(f->server, path, NULL, err);
}

static void tell(void *arg, fn_follow_what what, const fn_follow_state *state, const char *text) {
  const fn_serve_follow *f = arg;
  static const struct {
    fn_severity severity;
    const char *code, *meaning;
  } events[] = {
      [FN_FOLLOW_MOVED] = {FN_SEVERITY_INFO, "registry_moved", "has moved"},
      [FN_FOLLOW_AWAY] = {FN_SEVERITY_WARNING, "registry_away", "cannot be followed for now"},
      [FN_FOLLOW_BACK] = {FN_SEVERITY_INFO, "registry_back", "can be followed again"},
      [FN_FOLLOW_FETCH] = {FN_SEVERITY_ERROR, "registry_fetch", "has moved to a version that cannot be fetched"},
      [FN_FOLLOW_REFUSED] = {FN_SEVERITY_ERROR, "registry_refused", "has moved to a version that is no good"},
  };
  set_origin(f, state);
  if (text == NULL) return;
  fn_server_event(f->server, events[what].severity, events[what].code, NULL, "%s@%s %s; version %lld answers%s%s",
                  f->uri.name, f->uri.alias, events[what].meaning, (long long)state->version, text[0] ? ": " : "",
                  text);
}

/* A cache that cannot be written to is used all the same. */
static void remember(const fn_serve_follow *f) {
  fn_err why = {0};
  if (fn_model_remember(&f->uri, &f->place, &f->source.source, &why) != FN_OK)
    fn_cli_warn(f->source.source.arg, "where %s leads is not remembered: %.900s", f->uri.text, why.message);
}

fn_status fn_serve_follow_start(fn_serve_follow *f, fn_server *server, fn_err *err) {
  if (f->uri.form != FN_MODEL_REGISTRY) return FN_OK;
  f->server = server;
  const fn_follow_state state = fn_follow_first(&f->place);
  set_origin(f, &state);
  if (f->place.stale)
    tell(f, FN_FOLLOW_AWAY, &state, f->why);
  else
    remember(f);
  if (!f->uri.alias[0]) return FN_OK; /* a number does not move */
  const fn_follow_options options = {.uri = &f->uri,
                                     .source = &f->source.source,
                                     .every_ms = (int64_t)(f->source.registry.follow_s * 1e3),
                                     .take = take,
                                     .tell = tell,
                                     .arg = f};
  return fn_follow_start(&f->follow, &options, &f->place, err);
}

void fn_serve_follow_stop(fn_serve_follow *f) {
  fn_follow_stop(f->follow);
  f->follow = NULL;
  fn_model_place_deinit(&f->place);
  fn_cli_model_source_deinit(&f->source);
}
