/* Lets Python drive track/mlflow_client.h: one action a process, an answer of JSON on one line.
 *
 *   mlflow_probe URI [user U password P | token T] [net.KEY VALUE]… ACTION ARGUMENT…
 */
#include "mlflow/mlflow.h"
#include "store/store.h"

#include <stdio.h>

typedef struct probe {
  fn_mlflow *mlflow;
  fn_buf out;
  char **args;
  int n;
} probe;

static const char *at(const probe *p, int i) {
  return i < p->n ? p->args[i] : NULL;
}

static fn_status text_out(probe *p, fn_status status, char *text) {
  if (status == FN_OK && text) fn_buf_append_json(&p->out, fn_str_from(text));
  free(text);
  return status;
}

static void json_out(probe *p, const json_t *json) {
  char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
  if (p->out.length > 0) fn_buf_append_char(&p->out, ' ');
  fn_buf_append_str(&p->out, text ? text : "null");
  free(text);
}

static fn_status run_out(void *arg, const fn_mlflow_run *run, fn_err *err) {
  (void)err;
  json_out(arg, run->json);
  return FN_OK;
}

static fn_status version_out(void *arg, const fn_mlflow_model_version *version, fn_err *err) {
  (void)err;
  json_out(arg, version->json);
  return FN_OK;
}

static fn_status file_out(void *arg, const char *path, uint64_t n_bytes, fn_err *err) {
  (void)err;
  probe *p = arg;
  fn_buf_printf(&p->out, "%s%s %llu", p->out.length ? "\n" : "", path, (unsigned long long)n_bytes);
  return FN_OK;
}

/* Lines "m KEY VALUE STEP MS", "p KEY VALUE", "t KEY VALUE" of a file, by tabs. */
enum { MAX_LINES = 20000 };
static fn_status batch(probe *p, fn_err *err) {
  fn_metric_point *metrics = fn_mem_calloc(MAX_LINES, sizeof *metrics);
  fn_track_pair *params = fn_mem_calloc(MAX_LINES, sizeof *params), *tags = fn_mem_calloc(MAX_LINES, sizeof *tags);
  size_t n_metrics = 0, n_params = 0, n_tags = 0, n_sent = 0;
  fn_buf text;
  fn_buf_init(&text, 0);
  fn_status status = fn_file_read(&text, at(p, 1), 64u << 20, err);
  char *rest = text.data, *line;
  while (status == FN_OK && (line = strsep(&rest, "\n")) && *line && n_metrics + n_params + n_tags < MAX_LINES) {
    char *kind = strsep(&line, "\t"), *key = strsep(&line, "\t"), *value = strsep(&line, "\t");
    if (*kind == 'p') params[n_params++] = (fn_track_pair){key, value};
    if (*kind == 't') tags[n_tags++] = (fn_track_pair){key, value};
    if (*kind == 'm')
      metrics[n_metrics++] =
          (fn_metric_point){key, strtod(value, NULL), atoll(strsep(&line, "\t")), atoll(strsep(&line, "\t"))};
  }
  if (status == FN_OK)
    status = fn_mlflow_log_batch(&n_sent, p->mlflow, at(p, 0), params, n_params, tags, n_tags, metrics, n_metrics, err);
  fn_buf_printf(&p->out, "%zu", n_sent);
  fn_buf_deinit(&text);
  free(metrics);
  free(params);
  free(tags);
  return status;
}

static fn_status act(probe *p, const char *action, fn_err *err) {
  fn_mlflow *m = p->mlflow;
  char *text = NULL, *id = NULL;
  fn_mlflow_run run = {0};
  fn_mlflow_model_version version = {0};
  fn_status status;
  if (!strcmp(action, "version")) {
    const char *v = "";
    status = fn_mlflow_version(&v, m, err);
    fn_buf_append_json(&p->out, fn_str_from(v));
  } else if (!strcmp(action, "experiment")) {
    status = fn_mlflow_experiment(&text, m, at(p, 0), at(p, 1) != NULL, err);
  } else if (!strcmp(action, "create")) {
    const fn_track_pair tag = {"probe", "yes"};
    status = fn_mlflow_run_create(&run, m, at(p, 0), at(p, 1), 1234, &tag, 1, err);
  } else if (!strcmp(action, "run")) {
    status = fn_mlflow_run_get(&run, m, at(p, 0), err);
  } else if (!strcmp(action, "update")) {
    status = fn_mlflow_run_update(m, at(p, 0), at(p, 1), at(p, 2) ? atoll(at(p, 2)) : 0, err);
  } else if (!strcmp(action, "search")) {
    status = fn_mlflow_run_search(m, at(p, 0), at(p, 1), (size_t)(at(p, 2) ? atoi(at(p, 2)) : 0), run_out, p, err);
  } else if (!strcmp(action, "batch")) {
    status = batch(p, err);
  } else if (!strcmp(action, "inputs")) {
    const fn_mlflow_dataset data = {at(p, 1), at(p, 2), "local", "{\"uri\":\"x.csv\"}", "training", 0};
    status = fn_mlflow_log_inputs(m, at(p, 0), &data, 1, err);
  } else if (!strcmp(action, "put")) {
    status = fn_mlflow_put(m, at(p, 0), at(p, 1), at(p, 2), err);
  } else if (!strcmp(action, "list")) {
    status = fn_mlflow_list(m, at(p, 0), at(p, 1), file_out, p, err);
  } else if (!strcmp(action, "get")) {
    status = fn_mlflow_get(m, at(p, 0), at(p, 1), at(p, 2), err);
  } else if (!strcmp(action, "model")) {
    status = fn_mlflow_model_create(m, at(p, 0), at(p, 1), err);
  } else if (!strcmp(action, "model-put")) {
    status = fn_mlflow_model_put(&text, &id, m, at(p, 0), at(p, 1), at(p, 2), NULL, at(p, 3), err);
  } else if (!strcmp(action, "model-tag")) {
    status = fn_mlflow_model_tag(m, at(p, 0), at(p, 1), at(p, 2), err);
  } else if (!strcmp(action, "model-delete")) {
    status = fn_mlflow_model_delete(m, at(p, 0), err);
  } else if (!strcmp(action, "version-create")) {
    const fn_track_pair tag = {"size", "small"};
    status =
        fn_mlflow_version_create(&version, m, at(p, 0), at(p, 1), at(p, 2), at(p, 3), "a description", &tag, 1, err);
  } else if (!strcmp(action, "version-get")) {
    status = fn_mlflow_version_get(&version, m, at(p, 0), atoll(at(p, 1)), err);
  } else if (!strcmp(action, "version-list")) {
    status = fn_mlflow_version_list(m, at(p, 0), version_out, p, err);
  } else if (!strcmp(action, "version-files")) {
    status = fn_mlflow_version_files(&text, m, at(p, 0), atoll(at(p, 1)), err);
  } else if (!strcmp(action, "version-describe")) {
    status = fn_mlflow_version_describe(m, at(p, 0), atoll(at(p, 1)), at(p, 2), err);
  } else if (!strcmp(action, "version-tag")) {
    status = fn_mlflow_version_tag(m, at(p, 0), atoll(at(p, 1)), at(p, 2), at(p, 3), err);
  } else if (!strcmp(action, "version-delete")) {
    status = fn_mlflow_version_delete(m, at(p, 0), atoll(at(p, 1)), err);
  } else if (!strcmp(action, "alias-get")) {
    status = fn_mlflow_alias_get(&version, m, at(p, 0), at(p, 1), err);
  } else if (!strcmp(action, "alias-set")) {
    status = fn_mlflow_alias_set(m, at(p, 0), at(p, 1), atoll(at(p, 2)), err);
  } else if (!strcmp(action, "alias-delete")) {
    status = fn_mlflow_alias_delete(m, at(p, 0), at(p, 1), err);
  } else {
    status = fn_err_set(err, FN_E_INVALID, "no such action: %s", action);
  }
  if (run.json) json_out(p, run.json);
  if (version.json) json_out(p, version.json);
  fn_mlflow_run_deinit(&run);
  fn_mlflow_model_version_deinit(&version);
  status = text_out(p, status, text);
  if (id) fn_buf_printf(&p->out, " \"%s\"", id);
  free(id);
  return status;
}

int main(int argc, char **argv) {
  fn_err err = {0};
  fn_config *config = NULL;
  const fn_option_table *const tables[] = {&fn_net_option_table};
  if (fn_config_create(&config, tables, FN_COUNT_OF(tables), NULL, &err) != FN_OK || argc < 3) return 64;
  fn_mlflow_options options = {.uri = argv[1], .once = true, .timeout_s = 120};
  int i = 2;
  fn_status status = FN_OK;
  for (; i + 1 < argc && status == FN_OK; i += 2) {
    if (!strcmp(argv[i], "user"))
      options.user = argv[i + 1];
    else if (!strcmp(argv[i], "password"))
      options.password = argv[i + 1];
    else if (!strcmp(argv[i], "token"))
      options.token = argv[i + 1];
    else if (!strncmp(argv[i], "net.", 4))
      status = fn_config_set(config, FN_CONFIG_OVERRIDE, argv[i], fn_str_from(argv[i + 1]), "test", &err);
    else
      break;
  }
  fn_net_options net;
  if (status == FN_OK) status = fn_config_fill(&net, config, &fn_net_option_table, &err);
  fn_store_options store = {.net = &net};
  options.net = &net;
  options.store = &store;
  probe p = {.args = argv + i + 1, .n = argc - i - 1};
  fn_buf_init(&p.out, 0);
  if (status == FN_OK) status = fn_mlflow_open(&p.mlflow, &options, &err);
  if (status == FN_OK) status = act(&p, i < argc ? argv[i] : "", &err);
  if (p.out.length > 0) printf("%s\n", p.out.data);
  if (status != FN_OK) {
    const fn_mlflow_failure none = {0}, *f = p.mlflow ? fn_mlflow_last_failure(p.mlflow) : &none;
    fprintf(stderr, "%s [http %d, code %s%s%s]: %s\n", fn_status_name(status), f->http, f->code,
            f->temporary ? ", temporary" : "", f->refused_access ? ", refused" : "", err.message);
  }
  fn_mlflow_close(p.mlflow);
  fn_buf_deinit(&p.out);
  fn_config_destroy(config);
  return fn_status_exit_code(status);
}
