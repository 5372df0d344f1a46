#include "registry/model_uri.h"

#include "net/url.h"
#include "registry/registry.h"
#include "store/store.h"

#include <stdlib.h>

static fn_status bad_registry(const char *text, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID,
                    "%.200s: a model of the registry is models:/NAME@ALIAS, models:/NAME/3 or models:/NAME/latest",
                    text);
}

static fn_status parse_registry(fn_model_uri *u, const char *rest, fn_err *err) {
  while (*rest == '/') rest++; /* models:///name is read too, as MLflow does */
  const size_t n = strcspn(rest, "@/");
  if (n == 0 || n >= sizeof u->name || !rest[n] || !rest[n + 1]) return bad_registry(u->text, err);
  memcpy(u->name, rest, n);
  u->name[n] = '\0';
  FN_TRY(fn_registry_check_name(u->name, err));
  const char *which = rest + n + 1;
  if (rest[n] == '@') {
    FN_TRY(fn_registry_check_alias(which, err));
    snprintf(u->alias, sizeof u->alias, "%s", which);
    return FN_OK;
  }
  if (fn_str_equal_nocase(fn_str_from(which), fn_str_from("latest"))) {
    snprintf(u->alias, sizeof u->alias, "latest");
    return FN_OK;
  }
  if (!fn_str_to_int64(&u->version, fn_str_from(which)) || u->version < 1) return bad_registry(u->text, err);
  return FN_OK;
}

static fn_status parse_run(fn_model_uri *u, const char *rest, fn_err *err) {
  while (*rest == '/') rest++;
  const size_t n = strcspn(rest, "/");
  if (n == 0 || n >= sizeof u->name)
    return fn_err_set(err, FN_E_INVALID, "%.200s: a run's file is runs:/RUN/PATH; runs:/RUN is its model", u->text);
  memcpy(u->name, rest, n);
  u->name[n] = '\0';
  u->path = rest[n] && rest[n + 1] ? rest + n + 1 : "model";
  const char *why = "";
  if (fn_name_is_inside(fn_str_from(u->path), &why)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%.200s: the path of a file inside a run %s", u->text, why);
}

fn_status fn_model_uri_parse(fn_model_uri *uri_out, const char *text, fn_err *err) {
  fn_model_uri u = {.form = FN_MODEL_PATH, .text = text, .path = ""};
  const fn_str s = fn_str_from(text);
  if (fn_str_starts_with(s, "models:")) {
    u.form = FN_MODEL_REGISTRY;
    FN_TRY(parse_registry(&u, text + strlen("models:"), err));
  } else if (fn_str_starts_with(s, "runs:")) {
    u.form = FN_MODEL_RUN;
    FN_TRY(parse_run(&u, text + strlen("runs:"), err));
  } else if (fn_store_is_uri(text)) {
    u.form = FN_MODEL_STORE;
  }
  *uri_out = u;
  return FN_OK;
}

void fn_model_place_deinit(fn_model_place *place) {
  free(place->path);
  *place = (fn_model_place){0};
}
