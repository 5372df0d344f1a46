/* Bodies through the handlers of all routes that take one, with a small model behind them: the first byte chooses the
 * route, the rest is the body. Whatever it holds, there is one answer, no failure of ours, and JSON that is JSON. */
#include "../unit/infer/models.h"
#include "fuzz.h"
#include "linear/linear.h"
#include "model/config.h"
#include "serve/openapi.h"
#include "serve/serve.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static char root[] = "/tmp/fn-fuzz-body-XXXXXX";
static fn_server *server;
static fn_serve_options serve;
static fn_predictions_options predictions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t rung = PTHREAD_COND_INITIALIZER;
static bool is_complete;

static void complete(fn_exchange *x) {
  (void)x;
  pthread_mutex_lock(&lock);
  is_complete = true;
  pthread_cond_signal(&rung);
  pthread_mutex_unlock(&lock);
}

static void remove_folder(void) {
  fn_server_destroy(server);
  (void)!fn_dir_remove(root, NULL);
}

static void start(void) {
  static const fn_infer_options infer = FN_INFER_OPTIONS_INIT;
  static const fn_explain_options explain = {.max_forwards = 4, .ngrams = 4};
  static const fn_tensor_options tensor = {.cpu_level = FN_CPU_AMX, .n_threads = 1};
  static const fn_option_table *const tables[] = {&fn_serve_option_table, &fn_predictions_option_table};
  static const fn_embedded no_groups[] = {{0}};
  fn_config *config = NULL;
  fn_err err = {0};
  FUZZ_CHECK(mkdtemp(root) != NULL);
  char *model = fn_path_join(root, "bert");
  FUZZ_CHECK(make_bert(model, true));
  FUZZ_CHECK(fn_config_create(&config, tables, 2, no_groups, &err) == FN_OK);
  FUZZ_CHECK(fn_config_fill(&serve, config, &fn_serve_option_table, &err) == FN_OK);
  FUZZ_CHECK(fn_config_fill(&predictions, config, &fn_predictions_option_table, &err) == FN_OK);
  serve.workers = 1;
  serve.max_items = 8;
  serve.max_upload_rows = 8;
  predictions.url = "none";
  const fn_server_options options = {.serve = &serve,
                                     .infer = &infer,
                                     .explain = &explain,
                                     .tensor = &tensor,
                                     .predictions = &predictions,
                                     .model = model,
                                     .version = "0"};
  FUZZ_CHECK(fn_server_create(&server, &options, &err) == FN_OK);
  fn_config_destroy(config);
  free(model);
  atexit(remove_folder);
}

/* Row i of those that take a body, the one that opens files apart. */
static const fn_route *choose(size_t i) {
  size_t n = 0;
  for (int round = 0; round < 2; round++) {
    for (const fn_route *r = fn_routes; r->path != NULL; r++) {
      if (r->body == FN_BODY_NONE || r->role == FN_ROLE_ADMIN) continue;
      if (round == 1 && i-- == 0) return r;
      n++;
    }
    if (round == 0) i %= n;
  }
  return NULL;
}

static void check(const fn_exchange *x) {
  const fn_response *r = &x->response;
  fn_json_error error;
  json_t *value = NULL;
  FUZZ_CHECK(r->status >= 200 && r->status < 500);
  if (r->content_type == NULL || strcmp(r->content_type, "application/json") != 0) return;
  FUZZ_CHECK(fn_json_read(&value, fn_buf_str(&r->body), 0, &error) == FN_OK);
  json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (server == NULL) start();
  if (size == 0 || size > 4096) return 0;
  const fn_route *route = choose(data[0]);
  char type[80], path[160];
  snprintf(type, sizeof type, "%s%s", fn_route_media_type(route),
           strncmp(fn_route_media_type(route), "multipart", 9) == 0 ? "; boundary=XX" : "");
  snprintf(path, sizeof path, "%s",
           strncmp(route->path, "/v2/models/{name}/infer", 20) == 0 ? "/v2/models/fakenews/infer" : route->path);
  const fn_field header = {fn_str_from("Content-Type"), fn_str_from(type)};
  fn_exchange x;
  fn_exchange_init(&x, server);
  x.complete = complete;
  x.request.method = FN_METHOD_POST;
  x.request.path = fn_str_from(path);
  x.request.headers = &header;
  x.request.n_headers = 1;
  x.request.body = fn_str_make((const char *)data + 1, size - 1);
  fn_exchange_count(&x);
  is_complete = false;
  if (fn_exchange_begin(&x) == FN_EXCHANGE_PENDING) {
    pthread_mutex_lock(&lock);
    while (!is_complete) pthread_cond_wait(&rung, &lock);
    pthread_mutex_unlock(&lock);
  }
  check(&x);
  fn_exchange_finish(&x, size, x.response.body.length);
  fn_exchange_deinit(&x);
  return 0;
}
