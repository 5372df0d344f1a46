#include "store/secret.h"

#include "base/base64.h"
#include "store/google.h"

enum { MAX_SECRET = 1 << 16, MAX_PART = 255 };

bool fn_secret_is_reference(const char *text) {
  return text && strncmp(text, "secret:", 7) == 0;
}

/* Letters, digits, '-', '_', and in projects of organisations '.' and ':'. */
static bool is_part(fn_str text) {
  if (text.length == 0 || text.length > MAX_PART) return false;
  for (size_t i = 0; i < text.length; i++) {
    const char c = text.data[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.:", c)))
      return false;
  }
  return text.data[0] != '.';
}

typedef struct reference {
  fn_str project, name, version; /* project and version may be empty */
} reference;

/* The text up to the next '/', which is taken too. */
static fn_str next_part(fn_str *rest) {
  const char *slash = rest->length ? memchr(rest->data, '/', rest->length) : NULL;
  const fn_str part = fn_str_make(rest->data, slash ? (size_t)(slash - rest->data) : rest->length);
  *rest = slash ? fn_str_make(slash + 1, rest->length - part.length - 1) : fn_str_make(NULL, 0);
  return part;
}

static fn_status parse(reference *out, const char *text, fn_err *err) {
  fn_str rest = fn_str_from(text + 7);
  reference r = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  bool good = fn_str_is(next_part(&rest), "gcp");
  r.name = next_part(&rest);
  if (fn_str_is(r.name, "projects") && rest.length) {
    r.project = next_part(&rest);
    good = good && is_part(r.project) && fn_str_is(next_part(&rest), "secrets");
    r.name = next_part(&rest);
  }
  if (rest.length) {
    good = good && fn_str_is(next_part(&rest), "versions");
    r.version = next_part(&rest);
    good = good && is_part(r.version);
  }
  if (!good || rest.length || !is_part(r.name))
    return fn_err_set(err, FN_E_INVALID,
                      "\"%.300s\" names no secret; secret:gcp/NAME and secret:gcp/NAME/versions/3 do", text);
  *out = r;
  return FN_OK;
}

static fn_status read_payload(fn_buf *out, const fn_call_answer *answer, const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *value = NULL;
  FN_AUTO_BUF fn_buf data;
  fn_buf_init(&data, 2 * MAX_SECRET);
  if (fn_json_parse(&value, fn_buf_str(&answer->body), name, NULL) != FN_OK)
    return fn_err_set(err, FN_E_IO, "%.300s: an answer that is no JSON", name);
  const json_t *payload = json_object_get(value, "payload");
  const char *text = json_string_value(json_object_get(payload, "data"));
  const char *crc = json_string_value(json_object_get(payload, "dataCrc32c"));
  int64_t expected;
  if (!text || !fn_base64_decode(&data, fn_str_from(text)))
    return fn_err_set(err, FN_E_IO, "%.300s: an answer without the secret's data", name);
  if (crc &&
      (!fn_str_to_int64(&expected, fn_str_from(crc)) || (uint32_t)expected != fn_crc32c(0, data.data, data.length)))
    return fn_err_set(err, FN_E_IO, "%.300s: the secret was damaged on its way (CRC-32C)", name);
  while (data.length && (data.data[data.length - 1] == '\n' || data.data[data.length - 1] == '\r')) data.length--;
  for (size_t i = 0; i < data.length; i++)
    if (data.data[i] == 0) return fn_err_set(err, FN_E_INVALID, "%.300s: the secret is no text: it holds a NUL", name);
  fn_buf_append(out, data.data, data.length);
  return fn_buf_check(out, name, err);
}

static fn_status ask(fn_buf *out, fn_google *google, fn_store *store, const reference *r, fn_err *err) {
  const fn_environment *e = store->options.environment;
  const char *base = fn_environment_get(e, "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER");
  FN_TRY(fn_google_token_get(google, store, FN_GOOGLE_CLOUD, err));
  fn_str project = r->project;
  if (!project.length) project = fn_str_from(fn_environment_get(e, "GOOGLE_CLOUD_PROJECT"));
  if (!project.length) project = fn_str_from(google->project);
  if (!is_part(project))
    return fn_err_set(err, FN_E_INVALID, "%.300s: no project is known: set GOOGLE_CLOUD_PROJECT", store->uri);
  FN_AUTO_BUF fn_buf url, authorization;
  fn_buf_init(&url, FN_URL_MAX), fn_buf_init(&authorization, 1 << 16);
  fn_buf_append_str(&url, base ? base : "https://secretmanager.googleapis.com/");
  while (url.length && url.data[url.length - 1] == '/') url.data[--url.length] = 0;
  fn_buf_printf(&url, "/v1/projects/%.*s/secrets/%.*s/versions/%.*s:access", (int)project.length, project.data,
                (int)r->name.length, r->name.data, r->version.length ? (int)r->version.length : 6,
                r->version.length ? r->version.data : "latest");
  fn_buf_printf(&authorization, "Bearer %s", google->token);
  FN_TRY(fn_buf_check(&url, "an address", err));
  FN_TRY(fn_buf_check(&authorization, "a token", err));
  const fn_call_pair secret = {"Authorization", authorization.data};
  const fn_call_request request = {
      .url = url.data, .secret_headers = &secret, .n_secret_headers = 1, .max_answer_bytes = 4 * MAX_SECRET};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_ask(&answer, store, &request, err));
  FN_TRY(fn_call_check(&answer, &request, err));
  return read_payload(out, &answer, store->uri, err);
}

fn_status fn_secret_get(fn_buf *out, const char *text, const fn_store_options *options, fn_err *err) {
  reference r = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  FN_TRY(parse(&r, text, err));
  /* Not a store that can be asked for keys, but it has what credentials and attempts need. */
  fn_store store = {.options = *options, .uri = fn_str_dup(fn_str_from(text))};
  if (!store.uri) return fn_err_no_memory(err, text);
  if (!store.options.agent) store.options.agent = "fakenews";
  fn_google google = {0};
  fn_status status = fn_http_create(&store.http, options->net, store.options.agent, err);
  if (status == FN_OK) status = ask(out, &google, &store, &r, err);
  fn_google_deinit(&google);
  fn_http_destroy(store.http);
  free(store.uri);
  return status;
}
