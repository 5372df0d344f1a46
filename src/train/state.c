#include "train/state.h"

#include <math.h>
#include <stdio.h>

enum { FORMAT_VERSION = 1, MAX_STATE_BYTES = 1 << 20 };

bool fn_best_update(fn_best *best, double loss, int64_t step) {
  if (loss < best->loss) {
    *best = (fn_best){loss, step, 0};
    return true;
  }
  best->n_since++;
  return false;
}

bool fn_best_exhausted(const fn_best *best, int64_t patience) {
  return patience >= 1 && best->n_since >= patience;
}

void fn_train_state_format(fn_buf *out, const fn_train_state *s) {
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "format", FORMAT_VERSION);
  fn_json_int(&w, "step", s->step);
  fn_json_int(&w, "steps_per_epoch", s->steps_per_epoch);
  fn_json_int(&w, "seed", s->seed);
  fn_json_object(&w, "best");
  fn_json_double(&w, "loss", s->best.loss);
  fn_json_int(&w, "step", s->best.step);
  fn_json_int(&w, "evaluations_since", s->best.n_since);
  fn_json_end(&w);
  fn_json_bool(&w, "stopped_early", s->stopped);
  fn_json_bool(&w, "evaluation_due", s->evaluation_due);
  fn_json_object(&w, "log");
  fn_json_double(&w, "loss", s->log.loss);
  fn_json_double(&w, "weight", s->log.weight);
  fn_json_int(&w, "n_steps", s->log.n_steps);
  fn_json_end(&w);
  fn_json_int(&w, "metrics_bytes", s->metrics_bytes);
  fn_train_identity_format(&w, "identity", &s->identity);
  fn_json_end(&w);
}

static fn_status get_text(char *out, size_t size, const json_t *object, const char *key, const char *name,
                          fn_err *err) {
  const char *text = NULL;
  FN_TRY(fn_json_get_string(&text, object, key, NULL, name, err));
  if (strlen(text) >= size)
    return fn_err_set(err, FN_E_INVALID, "%s: %s is longer than %zu bytes", name, key, size - 1);
  snprintf(out, size, "%s", text);
  return FN_OK;
}

static fn_status get_object(const json_t **out, const json_t *object, const char *key, const char *name, fn_err *err) {
  *out = json_object_get(object, key);
  if (json_is_object(*out)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: %s must be an object", name, key);
}

static fn_status get_best(fn_best *best, const json_t *root, const char *name, fn_err *err) {
  const json_t *o = NULL;
  FN_TRY(get_object(&o, root, "best", name, err));
  if (json_is_null(json_object_get(o, "loss")))
    best->loss = HUGE_VAL; /* none yet */
  else
    FN_TRY(fn_json_get_double(&best->loss, o, "loss", -HUGE_VAL, HUGE_VAL, NULL, name, err));
  FN_TRY(fn_json_get_int(&best->step, o, "step", 0, INT64_MAX, NULL, name, err));
  return fn_json_get_int(&best->n_since, o, "evaluations_since", 0, INT64_MAX, NULL, name, err);
}

static fn_status get_log(fn_log_sums *log, const json_t *root, const char *name, fn_err *err) {
  const json_t *o = NULL;
  FN_TRY(get_object(&o, root, "log", name, err));
  FN_TRY(fn_json_get_double(&log->loss, o, "loss", -HUGE_VAL, HUGE_VAL, NULL, name, err));
  FN_TRY(fn_json_get_double(&log->weight, o, "weight", 0, HUGE_VAL, NULL, name, err));
  return fn_json_get_int(&log->n_steps, o, "n_steps", 0, INT64_MAX, NULL, name, err);
}

void fn_train_identity_format(fn_json_writer *w, const char *key, const fn_train_identity *id) {
  fn_json_object(w, key);
  fn_json_text(w, "build", id->build);
  fn_json_text(w, "device", id->device);
  fn_json_text(w, "data", id->data_hash);
  fn_json_text(w, "tokenizer", id->tokenizer_hash);
  fn_json_end(w);
}

fn_status fn_train_identity_parse(fn_train_identity *identity_out, const json_t *o, const char *name, fn_err *err) {
  fn_train_identity id = {0};
  if (!json_is_object(o)) return fn_err_set(err, FN_E_INVALID, "%s: identity must be an object", name);
  FN_TRY(get_text(id.build, sizeof id.build, o, "build", name, err));
  FN_TRY(get_text(id.device, sizeof id.device, o, "device", name, err));
  FN_TRY(get_text(id.data_hash, sizeof id.data_hash, o, "data", name, err));
  FN_TRY(get_text(id.tokenizer_hash, sizeof id.tokenizer_hash, o, "tokenizer", name, err));
  *identity_out = id;
  return FN_OK;
}

fn_status fn_train_state_load(fn_train_state *state_out, const char *path, fn_err *err) {
  FN_AUTO_JSON json_t *root = NULL;
  FN_TRY(fn_json_load(&root, path, MAX_STATE_BYTES, err));
  fn_train_state s = {0};
  int64_t format = 0;
  FN_TRY(fn_json_get_int(&format, root, "format", FORMAT_VERSION, FORMAT_VERSION, NULL, path, err));
  FN_TRY(fn_json_get_int(&s.step, root, "step", 1, INT64_MAX, NULL, path, err));
  FN_TRY(fn_json_get_int(&s.steps_per_epoch, root, "steps_per_epoch", 1, INT64_MAX, NULL, path, err));
  FN_TRY(fn_json_get_int(&s.seed, root, "seed", 0, INT64_MAX, NULL, path, err));
  FN_TRY(fn_json_get_bool(&s.stopped, root, "stopped_early", NULL, path, err));
  FN_TRY(fn_json_get_bool(&s.evaluation_due, root, "evaluation_due", NULL, path, err));
  FN_TRY(fn_json_get_int(&s.metrics_bytes, root, "metrics_bytes", 0, INT64_MAX, NULL, path, err));
  FN_TRY(get_best(&s.best, root, path, err));
  FN_TRY(get_log(&s.log, root, path, err));
  FN_TRY(fn_train_identity_parse(&s.identity, json_object_get(root, "identity"), path, err));
  *state_out = s;
  return FN_OK;
}

fn_status fn_train_identity_check(const fn_train_identity *then, const fn_train_identity *now, const char *run,
                                  fn_err *err) {
  const struct {
    const char *what, *then, *now;
  } rows[] = {
      {"build", then->build, now->build},
      {"device", then->device, now->device},
      {"data", then->data_hash, now->data_hash},
      {"tokenizer", then->tokenizer_hash, now->tokenizer_hash},
  };
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 4096);
  for (size_t i = 0; i < FN_COUNT_OF(rows); i++)
    if (strcmp(rows[i].then, rows[i].now) != 0)
      fn_buf_printf(&text, "%s%s was \"%s\" and is \"%s\"", text.length ? "; " : "", rows[i].what, rows[i].then,
                    rows[i].now);
  if (text.length == 0) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: cannot be resumed bit for bit: %s", run, text.data);
}
