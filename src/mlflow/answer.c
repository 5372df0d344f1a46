/* What a server answers, read strictly: the part of the client that a stranger's bytes reach. */
#include "mlflow/internal.h"
#include "net/net.h"

const char *fn_mlflow_text(const json_t *object, const char *key) {
  const json_t *member = json_object_get(object, key);
  const char *text = member ? json_string_value(member) : NULL;
  return text ? text : "";
}

/* A number, also written as text ("3"); fallback when it is not there or none. */
static int64_t whole(const json_t *object, const char *key, int64_t fallback) {
  const json_t *member = json_object_get(object, key);
  int64_t value;
  if (json_is_integer(member)) return json_integer_value(member);
  if (json_is_string(member) && fn_str_to_int64(&value, fn_str_from(json_string_value(member)))) return value;
  return fallback;
}

fn_status fn_mlflow_parse(json_t **answer_out, fn_str body, const char *what, fn_err *err) {
  if (fn_str_trim(body).length == 0) {
    json_t *empty = json_object();
    if (!empty) return fn_err_no_memory(err, "an answer of MLflow");
    *answer_out = empty;
    return FN_OK;
  }
  FN_AUTO_JSON json_t *object = NULL;
  fn_json_error where;
  fn_status status = fn_json_read(&object, body, FN_JSON_LARGE_AS_REAL, &where);
  if (status == FN_E_NO_MEMORY) return fn_err_no_memory(err, "an answer of MLflow");
  if (status != FN_OK)
    return fn_err_set(
        err, FN_E_IO,
        "MLflow, %s: the answer is no JSON (line %d, column %d: %s): is an MLflow server at this address?", what,
        where.line, where.column, where.what);
  if (!json_is_object(object)) return fn_err_set(err, FN_E_IO, "MLflow, %s: the answer is no JSON object", what);
  *answer_out = FN_STEAL(object);
  return FN_OK;
}

void fn_mlflow_clean(char *out, size_t size, fn_str text) {
  size_t n = 0;
  bool space = true, tag = false;
  for (size_t i = 0; i < text.length && n + 5 < size;) {
    uint32_t c = 0;
    size_t length = fn_utf8_decode(&c, text.data + i, text.length - i);
    if (length == 0) c = 0xFFFD;
    bool control = c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) ||
                   (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    if (c == '<' && i + 1 < text.length &&
        (text.data[i + 1] == '/' || text.data[i + 1] == '!' || (text.data[i + 1] | 32) >= 'a'))
      tag = true;
    if (tag || control || c == ' ') {
      if (!space) out[n++] = ' ';
      space = true;
    } else {
      n += fn_utf8_encode(out + n, c);
      space = false;
    }
    if (c == '>') tag = false;
    i += length ? length : 1;
  }
  while (n > 0 && out[n - 1] == ' ') n--;
  out[n] = '\0';
}

static const char *advice(int http, bool json, bool with_credentials, const char *text) {
  if (http == 401)
    return with_credentials ? ": the server refuses the credentials it was given (an expired token?); set "
                              "MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, anew"
                            : ": the server asks who is there; set MLFLOW_TRACKING_TOKEN, or "
                              "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD";
  if (http == 403 && strstr(text, "Host header"))
    return ": the server does not answer to this name; it must be in its --allowed-hosts";
  if (http == 403) return ": the user may not do that there";
  if (http == 404 && !json) return ": no MLflow server at this address, or an older one";
  if (http == 413) return ": a proxy before the server allows less";
  return "";
}

static fn_status status_of(int http, const char *code, bool json, const char *message) {
  if (http == 408 || http == 425 || http == 429 || (http >= 500 && http != 501)) return FN_E_IO;
  if (http == 501) return FN_E_UNSUPPORTED;
  if (strcmp(code, "RESOURCE_DOES_NOT_EXIST") == 0 || strcmp(code, "NOT_FOUND") == 0) return FN_E_NOT_FOUND;
  if (strcmp(code, "ENDPOINT_NOT_FOUND") == 0 || strcmp(code, "NOT_IMPLEMENTED") == 0) return FN_E_UNSUPPORTED;
  /* a missing alias is an invalid value to MLflow */
  if (http == 400 && fn_str_starts_with(fn_str_from(message), "Registered model alias ") &&
      strstr(message, " not found"))
    return FN_E_NOT_FOUND;
  if ((http == 404 || http == 405) && !json) return FN_E_UNSUPPORTED;
  if (http == 404) return FN_E_NOT_FOUND;
  return http >= 400 && http < 500 ? FN_E_INVALID : FN_E_IO;
}

fn_status fn_mlflow_judge(fn_mlflow_failure *failure, int http, fn_str body, const char *what, bool with_credentials,
                          fn_err *err) {
  *failure = (fn_mlflow_failure){.http = http};
  if (http == 200) return FN_OK;
  FN_AUTO_JSON json_t *object = NULL;
  fn_json_error where;
  bool json = body.length > 0 && fn_json_read(&object, body, FN_JSON_LARGE_AS_REAL, &where) == FN_OK &&
              json_is_string(json_object_get(object, "error_code"));
  const char *code = json ? fn_mlflow_text(object, "error_code") : "", *message = fn_mlflow_text(object, "message");
  char text[400], shown[sizeof failure->code];
  fn_mlflow_clean(shown, sizeof shown, fn_str_from(code));
  fn_mlflow_clean(text, sizeof text, json ? fn_str_from(message) : body);
  memcpy(failure->code, shown, sizeof shown);
  failure->refused_access = http == 401 || http == 403;
  fn_status status = status_of(http, code, json, message);
  failure->temporary = status == FN_E_IO;
  return fn_err_set(err, status, "MLflow, %s: %d%s%s%s%s%s", what, http, *shown ? " " : "", shown, *text ? ": " : "",
                    text, advice(http, json, with_credentials, text));
}

void fn_mlflow_run_deinit(fn_mlflow_run *run) {
  json_decref(run->json);
  *run = (fn_mlflow_run){0};
}

static bool is_run_id(const char *text) {
  size_t n = strspn(text, "0123456789abcdefABCDEF-_");
  return n > 0 && n <= 64 && text[n] == '\0';
}

fn_status fn_mlflow_read_run(fn_mlflow_run *run_out, json_t *object, fn_err *err) {
  FN_AUTO_JSON json_t *owned = object;
  const json_t *info = json_object_get(owned, "info");
  fn_mlflow_run run = {.id = fn_mlflow_text(info, "run_id"),
                       .experiment_id = fn_mlflow_text(info, "experiment_id"),
                       .name = fn_mlflow_text(info, "run_name"),
                       .status = fn_mlflow_text(info, "status"),
                       .artifact_uri = fn_mlflow_text(info, "artifact_uri"),
                       .start_ms = whole(info, "start_time", 0),
                       .end_ms = whole(info, "end_time", 0),
                       .deleted = strcmp(fn_mlflow_text(info, "lifecycle_stage"), "deleted") == 0};
  if (!*run.id) run.id = fn_mlflow_text(info, "run_uuid");
  if (!is_run_id(run.id))
    return fn_err_set(err, FN_E_IO, "MLflow: the answer is none of MLflow's: it has no run with an id");
  run.json = FN_STEAL(owned);
  *run_out = run;
  return FN_OK;
}

void fn_mlflow_model_version_deinit(fn_mlflow_model_version *version) {
  json_decref(version->json);
  *version = (fn_mlflow_model_version){0};
}

fn_status fn_mlflow_read_version(fn_mlflow_model_version *version_out, json_t *object, fn_err *err) {
  FN_AUTO_JSON json_t *owned = object;
  fn_mlflow_model_version version = {.name = fn_mlflow_text(owned, "name"),
                                     .source = fn_mlflow_text(owned, "source"),
                                     .run_id = fn_mlflow_text(owned, "run_id"),
                                     .description = fn_mlflow_text(owned, "description"),
                                     .status = fn_mlflow_text(owned, "status"),
                                     .version = whole(owned, "version", 0)};
  if (!*version.name || version.version < 1)
    return fn_err_set(err, FN_E_IO, "MLflow: the answer is none of MLflow's: it has no model version");
  version.json = FN_STEAL(owned);
  *version_out = version;
  return FN_OK;
}

fn_status fn_mlflow_read_files(const json_t **files_out, const json_t *answer, fn_err *err) {
  const json_t *files = json_object_get(answer, "files");
  if (files && !json_is_array(files)) return fn_err_set(err, FN_E_IO, "MLflow: \"files\" is no list");
  for (size_t i = 0; i < json_array_size(files); i++) {
    const char *name = fn_mlflow_text(json_array_get(files, i), "path"), *why = "it has more than one part";
    if (strchr(name, '/') || !fn_name_is_inside(fn_str_from(name), &why)) {
      char shown[120];
      fn_mlflow_clean(shown, sizeof shown, fn_str_from(name));
      return fn_err_set(err, FN_E_INVALID, "MLflow: the server lists a file with the name \"%s\": %s", shown, why);
    }
  }
  *files_out = files;
  return FN_OK;
}
