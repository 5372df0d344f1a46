#include "registry/model_fetch.h"
#include "base/hash.h"
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fn_model_fetch_digits(char out[17], const char *text) {
  char all[33];
  fn_hash_format(all, fn_hash_bytes(text, strlen(text)));
  memcpy(out, all, 16);
  out[16] = '\0';
}

fn_status fn_model_fetch_join(char **path_out, const char *a, const char *b, const char *c, fn_err *err) {
  FN_AUTO_FREE char *ab = fn_path_join(a, b);
  char *abc = ab ? fn_path_join(ab, c) : NULL;
  if (abc == NULL) return fn_err_no_memory(err, "a path");
  *path_out = abc;
  return FN_OK;
}

fn_status fn_model_fetch_check_cache(const fn_model_source *s, const char *text, fn_err *err) {
  if (s->cache != NULL) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%.200s: there is no folder for copies of models; set XDG_CACHE_HOME or HOME",
                    text);
}

fn_status fn_model_fetch_open_tracking(fn_tracking **tracking_out, const fn_model_source *s, fn_err *err) {
  fn_tracking_options options = *s->tracking;
  options.read_only = true;
  options.store = s->store;
  return fn_tracking_open(tracking_out, &options, err);
}

void fn_model_fetch_tell(const fn_model_source *s, const char *format, ...) {
  char text[1200];
  va_list args;
  if (s->note == NULL) return;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  s->note(s->arg, text);
}

fn_status fn_model_fetch_get_artifacts(void *artifacts, const char *target, fn_err *err) {
  const fn_model_fetch_artifacts *a = artifacts;
  return fn_tracking_get(a->tracking, a->owner, a->part, target, err);
}

const fn_model_source *fn_model_fetch_hurried(fn_model_fetch_hurry *out, const fn_model_source *s) {
  enum { MAX_RETRIES = 2, MAX_S = 10 };
  out->source = *s;
  if (s->store == NULL || s->store->net == NULL) return s;
  out->net = *s->store->net;
  if (out->net.retries > MAX_RETRIES) out->net.retries = MAX_RETRIES;
  out->store = *s->store;
  out->store.net = &out->net;
  out->source.store = &out->store;
  if (s->mlflow == NULL) return &out->source;
  out->mlflow = *s->mlflow;
  out->mlflow.net = &out->net;
  out->mlflow.store = &out->store;
  out->mlflow.timeout_s = MAX_S;
  out->source.mlflow = &out->mlflow;
  return &out->source;
}

fn_status fn_model_fetch(fn_model_place *place_out, const fn_model_uri *u, fn_model_want want, const fn_model_source *s,
                         fn_err *err) {
  fn_model_place place = {0};
  fn_status status;
  if (u->form == FN_MODEL_REGISTRY)
    status = fn_model_fetch_version(&place, u, want, s, err);
  else if (u->form == FN_MODEL_RUN)
    status = fn_model_fetch_run(&place, u, s, err);
  else
    status = fn_model_fetch_store(&place, u, s, err);
  if (status != FN_OK) {
    free(place.path);
    place.path = NULL;
  }
  *place_out = place;
  return status;
}
