/* GET /v1/model, POST /v1/model/reload. */
#include "serve/background.h"
#include "serve/body.h"
#include "serve/metrics.h"
#include "serve/recording.h"
#include "serve/route_handlers.h"
#include "serve/serve.h"

#include <sys/stat.h>

static void write_json_text(fn_json_writer *w, const char *key, const char *text) {
  json_t *value = NULL;
  fn_json_error error;
  if (text != NULL && fn_json_read(&value, fn_str_from(text), FN_JSON_LARGE_AS_REAL, &error) == FN_OK)
    fn_json_value(w, key, value);
  else
    fn_json_null(w, key);
  json_decref(value);
}

/* What is kept of those who ask. */
static void write_log(fn_json_writer *w, const fn_server *server) {
  const fn_predictions_options *o = fn_server_get_options(server)->predictions;
  fn_json_object(w, "log");
  fn_json_bool(w, "enabled", fn_server_log(server) != NULL);
  fn_json_text(w, "text", fn_predictions_text_names[o->text]);
  if (o->keep_days != INT64_MIN)
    fn_json_int(w, "keep_days", o->keep_days);
  else
    fn_json_null(w, "keep_days");
  fn_json_text(w, "durable", o->durable == FN_DURABLE_ANSWER ? "answer" : "async");
  fn_json_end(w);
}

/* The registry's name of it. */
static void write_origin(fn_json_writer *w, const fn_server *server) {
  fn_server_origin origin;
  char time[21];
  if (!fn_server_get_origin(&origin, server)) {
    fn_json_null(w, "registry");
    return;
  }
  fn_clock_format(time, origin.asked_ms);
  fn_json_object(w, "registry");
  fn_json_text(w, "name", origin.name);
  fn_json_text(w, "alias", origin.alias);
  fn_json_int(w, "version", origin.version);
  fn_json_text(w, "asked_at", origin.asked_ms ? time : NULL);
  fn_json_end(w);
}

void fn_model_json(fn_json_writer *w, fn_server *server, fn_engine *engine) {
  static const char *const reads[] = {"title", "text", "title+text"};
  const fn_classifier_info *info = fn_engine_get_info(engine);
  const fn_session *session = fn_engine_session(engine, 0);
  char time[21];
  uint64_t done, failed;
  fn_server_get_reloads(&done, &failed, server);
  fn_clock_format(time, fn_engine_loaded_ms(engine));
  fn_json_text(w, "id", info->id);
  fn_json_text(w, "checksum", info->checksum);
  fn_json_text(w, "family", info->family);
  fn_json_array(w, "labels");
  for (int32_t k = 0; k < info->n_labels; k++) fn_json_text(w, NULL, info->labels[k]);
  fn_json_end(w);
  fn_json_text(w, "fake", info->fake >= 0 ? info->labels[info->fake] : NULL);
  fn_json_text(w, "reads", reads[fn_session_mode(session)]);
  fn_json_bool(w, "windows", fn_server_get_options(server)->infer->long_texts == FN_INFER_WINDOWS);
  fn_json_int(w, "max_tokens", fn_session_max_tokens(session));
  fn_json_int(w, "max_positions", info->positions);
  write_json_text(w, "calibration", info->calibration);
  write_json_text(w, "card", info->card);
  write_origin(w, server);
  fn_json_text(w, "loaded_at", time);
  fn_json_int(w, "n_reloads", (int64_t)done);
  fn_json_int(w, "n_failed_reloads", (int64_t)failed);
  fn_json_text(w, "version", fn_server_get_options(server)->version);
  write_log(w, server);
}

fn_progress fn_handle_model(fn_exchange *x) {
  fn_json_writer w;
  fn_engine *engine = fn_server_engine(x->server);
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_model_json(&w, x->server, engine);
  fn_json_end(&w);
  fn_engine_unref(engine);
  return fn_exchange_json(x, 200);
}

/* A pipe would be read until somebody writes to it. */
static bool is_file_or_folder(const char *path) {
  struct stat st;
  return stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

/* In the background: reading a model takes longer than anything else here. */
static void try_reload(fn_exchange *x) {
  const char *path = x->state;
  fn_err err = {0};
  char from[288], to[288] = "";
  fn_engine *old = fn_server_engine(x->server);
  snprintf(from, sizeof from, "%s", fn_engine_get_info(old)->id);
  fn_engine_unref(old);
  if (fn_server_reload(x->server, path, to, &err) != FN_OK) {
    const int status = err.status == FN_E_NO_MEMORY || err.status == FN_E_IO ? 500 : 422;
    (void)fn_exchange_fail(x, status, "model_refused", "%s stays in service: %s", from, err.message);
    return;
  }
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "from", from);
  fn_json_text(&w, "to", to);
  fn_json_end(&w);
  (void)fn_exchange_json(x, 200);
}

static void reload(fn_exchange *x) {
  if (x->state != NULL && !is_file_or_folder(x->state))
    (void)fn_exchange_fail(x, 422, "invalid", "path must lead to a file or a folder");
  else
    try_reload(x);
  fn_server_release_reload(x->server);
}

fn_progress fn_handle_reload(fn_exchange *x) {
  static const char *const known[] = {"path", NULL};
  json_t *body = NULL;
  if (x->request.body.length > 0) {
    if (fn_body_json(&body, x, known) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
    const json_t *path = json_object_get(body, "path");
    if (path != NULL && !json_is_string(path)) return fn_exchange_fail(x, 422, "invalid", "path must be a string");
    if (path != NULL) x->state = fn_arena_strndup(&x->arena, json_string_value(path), json_string_length(path));
    if (path != NULL && x->state == NULL) return fn_exchange_no_memory(x);
  }
  if (!fn_server_claim_reload(x->server))
    return fn_exchange_fail(x, 409, "reload_running", "a model is being loaded already; ask again when it is");
  const fn_progress progress = fn_exchange_work(x, reload);
  if (progress == FN_EXCHANGE_DONE) fn_server_release_reload(x->server); /* refused: too much waits */
  return progress;
}
