#include "cli/loading.h"

#include "cli/model_names.h"
#include "infer/default_model.h"
#include "model/hub.h"
#include "tensor/options.h"

#include <stdlib.h>

static fn_status find(char **path_out, const fn_cli *cli, const char *name, fn_model_want want, fn_err *err) {
  FN_AUTO_FREE char *path = NULL;
  FN_TRY(fn_cli_fetch_model(&path, cli, name, want, err));
  if (!fn_path_exists(path)) return fn_hub_resolve(path_out, path, cli->hub_cache, err);
  *path_out = FN_STEAL(path);
  return FN_OK;
}

fn_status fn_cli_find_model(char **path_out, const fn_cli *cli, const char *name, fn_err *err) {
  if (name == NULL) {
    FN_AUTO_FREE char *program = realpath("/proc/self/exe", NULL);
    return fn_default_model_find(path_out, program, err);
  }
  return find(path_out, cli, name, FN_WANT_ANSWERS, err);
}

fn_status fn_cli_find_directory(char **path_out, const fn_cli *cli, const char *name, fn_err *err) {
  return find(path_out, cli, name, FN_WANT_DIRECTORY, err);
}

fn_status fn_cli_load_model(fn_cli_model *m, const fn_cli *cli, const char *name, fn_err *err) {
  fn_infer_options options;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_infer_option_table, err));
  return fn_cli_load_part(m, cli, name, options.part, err);
}

fn_status fn_cli_load_part(fn_cli_model *m, const fn_cli *cli, const char *name, int part, fn_err *err) {
  *m = (fn_cli_model){0};
  fn_tensor_options tensor;
  FN_TRY(fn_config_fill(&tensor, cli->config, &fn_tensor_option_table, err));
  FN_TRY(fn_config_fill(&m->options, cli->config, &fn_infer_option_table, err));
  m->options.part = part;
  FN_AUTO_FREE char *path = NULL;
  FN_TRY(fn_cli_find_model(&path, cli, name, err));
  FN_TRY(fn_classifier_load(&m->classifier, path, err));
  const fn_device_options options = fn_tensor_options_device(&tensor);
  FN_TRY(fn_device_create(&m->device, &options, err));
  FN_TRY(fn_session_create(&m->session, m->classifier, &m->options, m->device, err));
  const fn_classifier_info *info = fn_classifier_get_info(m->classifier);
  if (!info->usage_known && m->options.text == FN_INFER_TEXT_MODEL) {
    fn_cli_note(cli,
                "%s does not say what it was trained to read: title and text are given to it, %d tokens (infer.text, "
                "infer.max_tokens)",
                info->dir, (int)fn_session_max_tokens(m->session));
  }
  return FN_OK;
}

void fn_cli_unload_model(fn_cli_model *m) {
  fn_session_destroy(m->session);
  fn_classifier_destroy(m->classifier);
  fn_device_destroy(m->device);
  *m = (fn_cli_model){0};
}

fn_status fn_cli_parse_split(fn_split *split_out, const char *name, fn_err *err) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    if (strcmp(name, fn_split_name((fn_split)s)) == 0) return *split_out = (fn_split)s, FN_OK;
  }
  return fn_err_set(err, FN_E_INVALID, "--split takes train, validation or test, not \"%.40s\"", name);
}

bool fn_cli_rows_progress(void *rows, size_t n_done, size_t n_rows) {
  fn_cli_rows *r = rows;
  const uint64_t now = fn_clock_ns();
  if (now - r->shown_ns > 200 * 1000000ull) {
    r->shown_ns = now;
    fn_cli_progress(r->cli, "%zu of %zu rows", n_done, n_rows);
  }
  return !fn_cli_stop_requested();
}

void fn_cli_rows_refused(void *rows, const char *message) {
  enum { SHOWN = 5 };
  fn_cli_rows *r = rows;
  if (r->n_refused++ < SHOWN) fn_cli_warn(r->cli, "%s", message);
}
