#include "cli/registry_make.h"

#include "cli/loading.h"
#include "registry/version_add.h"
#include "tensor/options.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct add {
  const fn_cli *cli;
  fn_cli_registry *r;
  fn_version_source source;
  fn_infer_options infer;
  fn_pack_options pack;
  fn_calibrate_options calibrate;
  fn_eval_options eval;
  fn_linear_options linear;
  fn_dataset *dataset;
  char *folder;  /* run folder, or the model's directory */
  char *model;   /* its model, without links */
  char *fetched; /* copy of a run whose folder is not here, below a folder that is removed at the end */
  char *scratch; /* temporary folder; NULL: none yet */
  char run_id[FN_RUN_ID_LENGTH], run_name[FN_CLI_RUN_NAME], revision[64], machine[160];
} add;

static bool on_progress(void *arg, const char *what, double share) {
  const add *a = arg;
  fn_cli_bar(a->cli, what, "", share);
  return !fn_cli_stop_requested();
}

static void on_note(void *arg, const char *text) {
  const add *a = arg;
  fn_cli_progress_end(a->cli);
  fn_cli_note(a->cli, "the version is not calibrated: %s", text);
}

/* ---- which model ---- */

static fn_status keep_run(void *arg, const fn_run_view *run, fn_err *err) {
  add *a = arg;
  snprintf(a->run_name, sizeof a->run_name, "%s", run->info.name ? run->info.name : "");
  for (size_t i = 0; i < run->n_tags; i++)
    if (strcmp(run->tags[i].key, "mlflow.source.git.commit") == 0)
      snprintf(a->revision, sizeof a->revision, "%s", run->tags[i].value);
  if (a->folder == NULL && run->info.folder && *run->info.folder) {
    a->folder = fn_str_dup(fn_str_from(run->info.folder));
    if (a->folder == NULL) return fn_err_no_memory(err, "a path");
  }
  return FN_OK;
}

bool fn_cli_is_folder_of(const char *folder, const char *id) {
  FN_AUTO_FREE char *path = fn_path_join(folder, "track/run.json");
  FN_AUTO_JSON json_t *root = NULL;
  if (path == NULL || !fn_path_exists(path) || fn_json_load(&root, path, 1 << 16, NULL) != FN_OK) return false;
  const char *own = json_string_value(json_object_get(root, "id"));
  return own != NULL && strcmp(own, id) == 0;
}

static bool is_run_folder(const char *path) {
  FN_AUTO_FREE char *record = fn_path_join(path, "run.json");
  return record != NULL && fn_path_exists(record);
}

static bool has_model(const char *folder) {
  FN_AUTO_FREE char *model = folder ? fn_path_join(folder, "model") : NULL;
  return model != NULL && fn_path_is_dir(model);
}

static fn_status count_file(void *arg, const fn_artifact *artifact, fn_err *err) {
  (void)artifact, (void)err;
  ++*(size_t *)arg;
  return FN_OK;
}

static fn_status is_stored(bool *stored, const fn_cli_registry *r, const char *id, fn_err *err) {
  char owner[64];
  size_t n = 0;
  snprintf(owner, sizeof owner, "run:%s", id);
  FN_TRY(fn_tracking_list(r->tracking, owner, "model", count_file, &n, err));
  *stored = n > 0;
  return FN_OK;
}

static fn_status no_model(const char *name, fn_err *err) {
  return fn_err_set(err, FN_E_NOT_FOUND, "%s: the run has no model (it did not end, or track.log_model was off)", name);
}

static fn_status check_here(void *arg, const fn_run_view *run, fn_err *err) {
  const char *folder = run->info.folder;
  (void)err;
  *(bool *)arg = folder && fn_cli_is_folder_of(folder, run->info.id) && has_model(folder);
  return FN_OK;
}

fn_status fn_cli_check_run(const fn_cli_registry *r, const char *id, fn_err *err) {
  bool here = false;
  FN_TRY(fn_tracking_get_run(r->tracking, id, check_here, &here, err));
  if (!here) FN_TRY(is_stored(&here, r, id, err));
  return here ? FN_OK : no_model(id, err);
}

/* Its folder is gone, or its model from it: what was stored of it. */
static fn_status fetch_run(add *a, fn_err *err) {
  char owner[64];
  snprintf(owner, sizeof owner, "run:%s", a->run_id);
  a->fetched = fn_path_join(a->scratch, "run");
  if (a->fetched == NULL) return fn_err_no_memory(err, "a path");
  const fn_status status = fn_tracking_get(a->r->tracking, owner, "", a->fetched, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "the folder of run %s is not here any more", a->run_id);
  free(a->folder);
  a->folder = fn_str_dup(fn_str_from(a->fetched));
  return a->folder ? FN_OK : fn_err_no_memory(err, "a path");
}

/* Several runs may have had this folder, one after the other: which one is in it now stands there. */
static fn_status find_id(char id_out[FN_RUN_ID_LENGTH], const add *a) {
  FN_AUTO_FREE char *path = fn_path_join(a->folder, "track/run.json");
  FN_AUTO_JSON json_t *root = NULL;
  if (path == NULL || !fn_path_exists(path)) return fn_tracking_find(id_out, a->r->tracking, a->folder, NULL);
  FN_TRY(fn_json_load(&root, path, 1 << 16, NULL));
  const char *own = json_string_value(json_object_get(root, "id"));
  return fn_tracking_find(id_out, a->r->tracking, own ? own : "", NULL);
}

static bool is_packed_file(const char *name) {
  return fn_str_ends_with(fn_str_from(name), ".fnm") && fn_path_exists(name) && !fn_path_is_dir(name);
}

static fn_status find_run(add *a, const char *name, fn_err *err) {
  if (is_packed_file(name)) return fn_path_real(&a->folder, name, err);
  if (fn_path_is_dir(name)) {
    FN_TRY(fn_path_real(&a->folder, name, err));
    if (!is_run_folder(a->folder)) return FN_OK; /* a directory of a model */
    snprintf(a->run_name, sizeof a->run_name, "%s", fn_path_base(a->folder));
    if (find_id(a->run_id, a) != FN_OK) return a->run_id[0] = '\0', FN_OK;
    return fn_tracking_get_run(a->r->tracking, a->run_id, keep_run, a, err);
  }
  const fn_status status = fn_tracking_find(a->run_id, a->r->tracking, name, err);
  if (status == FN_E_NOT_FOUND)
    return fn_err_set(err, status,
                      "no run \"%.100s\": accepted are an id or its first digits, a name, a run folder, latest (which "
                      "began last), the "
                      "Hugging Face directory of a model, or a packed file (.fnm)",
                      name);
  FN_TRY(status);
  FN_TRY(fn_tracking_get_run(a->r->tracking, a->run_id, keep_run, a, err));
  if (!a->folder || !fn_cli_is_folder_of(a->folder, a->run_id)) return fetch_run(a, err);
  bool stored = false;
  if (!has_model(a->folder)) FN_TRY(is_stored(&stored, a->r, a->run_id, err));
  return stored ? fetch_run(a, err) : FN_OK;
}

/* A folder with a packed file and no model is meant for its file. */
static fn_status check_directory(const char *folder, fn_err *err) {
  FN_AUTO_FREE char *config = fn_path_join(folder, "config.json");
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  if (config == NULL) return fn_err_no_memory(err, "a path");
  if (is_packed_file(folder) || fn_path_exists(config)) return FN_OK;
  FN_TRY(fn_dir_list(&names, &n, folder, err));
  for (size_t i = 0; i < n; i++)
    if (fn_str_ends_with(fn_str_from(names[i]), ".fnm"))
      return fn_err_set(err, FN_E_INVALID,
                        "%s: no model's directory (no config.json in it); the packed file %s/%s is "
                        "accepted",
                        folder, folder, names[i]);
  return fn_err_set(err, FN_E_NOT_FOUND,
                    "%s: no config.json in it; accepted are a run, the Hugging Face directory of a "
                    "model, or a packed file (.fnm)",
                    folder);
}

static fn_status find_model(add *a, fn_err *err) {
  if (is_packed_file(a->folder) || (!is_run_folder(a->folder) && a->fetched == NULL)) {
    FN_TRY(check_directory(a->folder, err));
    a->model = fn_str_dup(fn_str_from(a->folder));
    return a->model ? FN_OK : fn_err_no_memory(err, "a path");
  }
  FN_AUTO_FREE char *path = fn_path_join(a->folder, "model");
  if (path == NULL) return fn_err_no_memory(err, "a path");
  return fn_path_is_dir(path) ? fn_path_real(&a->model, path, err) : no_model(path, err);
}

/* ---- data ---- */

static fn_status data_of_run(char **out, const add *a, fn_err *err) {
  FN_AUTO_JSON json_t *record = NULL;
  FN_AUTO_FREE char *path = fn_path_join(a->folder, "run.json");
  if (path == NULL) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(path)) return FN_OK;
  FN_TRY(fn_json_load(&record, path, 1 << 20, err));
  const char *data = json_string_value(json_object_get(record, "data"));
  if (data == NULL || !fn_path_is_dir(data)) return FN_OK;
  *out = fn_str_dup(fn_str_from(data));
  return *out ? FN_OK : fn_err_no_memory(err, "a path");
}

static fn_status open_data(add *a, const char *given, fn_err *err) {
  FN_AUTO_FREE char *own = NULL;
  if (given == NULL) FN_TRY(data_of_run(&own, a, err));
  const char *data = given ? given : own;
  if (data == NULL) {
    fn_cli_note(a->cli, "the data of the run is not here; name it with --data: without it nothing is measured, and no "
                        "gate that asks for a figure is passed");
    return FN_OK;
  }
  return fn_dataset_open(&a->dataset, data, err);
}

/* ---- */

static fn_status fill(add *a, fn_err *err) {
  const fn_config *config = a->cli->config;
  FN_TRY(fn_config_fill(&a->infer, config, &fn_infer_option_table, err));
  FN_TRY(fn_config_fill(&a->pack, config, &fn_pack_option_table, err));
  FN_TRY(fn_config_fill(&a->calibrate, config, &fn_calibrate_option_table, err));
  FN_TRY(fn_config_fill(&a->eval, config, &fn_eval_option_table, err));
  return fn_config_fill(&a->linear, config, &fn_linear_option_table, err);
}

static fn_status make_scratch_below(add *a, const char *folder, fn_err *err) {
  enum { DAY_MS = 24 * 3600 * 1000 };
  FN_AUTO_FREE char *parent = fn_path_join(folder, "registry-add");
  FN_AUTO_FREE char *place = parent ? fn_path_join(parent, "work") : NULL;
  if (place == NULL) return fn_err_no_memory(err, "a path");
  fn_dir_sweep(parent, fn_clock_unix_ms() - DAY_MS);
  return fn_dir_create_beside(&a->scratch, place, err);
}

/* It takes the model twice: beside the copies of models where that can be written to, not in a /tmp that may be memory.
 * What adds that were killed left there a day ago goes. */
static fn_status make_scratch(add *a, fn_err *err) {
  const char *tmp = getenv("TMPDIR");
  if (a->cli->cache && make_scratch_below(a, a->cli->cache, NULL) == FN_OK) return FN_OK;
  const fn_status status = make_scratch_below(a, tmp && *tmp ? tmp : "/tmp", err);
  return status == FN_OK ? FN_OK : fn_err_prefix(err, status, "no temporary folder can be made (TMPDIR)");
}

static fn_status make(add *a, const char *name, fn_device *device, int64_t *version, bool *found, fn_err *err) {
  snprintf(a->machine, sizeof a->machine, "%ld cores, %s", sysconf(_SC_NPROCESSORS_ONLN), a->cli->level);
  a->source = (fn_version_source){.name = name,
                                  .model = a->model,
                                  .run_folder = is_run_folder(a->folder) ? a->folder : NULL,
                                  .run_id = a->run_id,
                                  .run_name = a->run_name,
                                  .revision = a->revision,
                                  .dataset = a->dataset,
                                  .program = a->cli->version,
                                  .machine = a->machine,
                                  .infer = &a->infer,
                                  .pack = &a->pack,
                                  .calibrate = &a->calibrate,
                                  .eval = &a->eval,
                                  .linear = &a->linear,
                                  .registry = &a->r->options,
                                  .device = device,
                                  .speed_s = 1.0,
                                  .progress = on_progress,
                                  .note = on_note,
                                  .arg = a};
  const fn_status status = fn_version_add(version, found, a->r->registry, a->r->tracking, &a->source, a->scratch, err);
  fn_cli_progress_end(a->cli);
  return status;
}

/* ---- */

/* One that is there already, and nobody can use. */
static fn_status check_found(const add *a, const char *name, int64_t version, fn_err *err) {
  char damage[FN_TRACKING_DAMAGE];
  FN_TRY(fn_cli_check_files(damage, a->r, name, version, err));
  if (!damage[0]) return FN_OK;
  return fn_err_set(err, FN_E_IO,
                    "%s/%lld is this model, and damaged (%s): retire it (`fakenews registry rm %s/%lld`), then add the "
                    "model again",
                    name, (long long)version, damage, name, (long long)version);
}

static fn_status add_version(int64_t *version, bool *found, add *a, const char *run, const char *name, const char *data,
                             fn_err *err) {
  fn_tensor_options tensor;
  fn_device *device;
  FN_TRY(fill(a, err));
  FN_TRY(make_scratch(a, err));
  FN_TRY(find_run(a, run, err));
  FN_TRY(find_model(a, err));
  FN_TRY(open_data(a, data, err));
  FN_TRY(fn_config_fill(&tensor, a->cli->config, &fn_tensor_option_table, err));
  const fn_device_options options = fn_tensor_options_device(&tensor);
  FN_TRY(fn_device_create(&device, &options, err));
  const fn_status status = make(a, name, device, version, found, err);
  fn_device_destroy(device);
  return status == FN_OK && *found ? check_found(a, name, *version, err) : status;
}

fn_status fn_cli_add_version(int64_t *version_out, bool *found_out, fn_cli_registry *r, const char *run,
                             const char *name, const char *data, fn_err *err) {
  FN_AUTO_FREE add *a = fn_mem_calloc(1, sizeof *a);
  if (a == NULL) return fn_err_no_memory(err, "a version");
  a->cli = r->cli;
  a->r = r;
  const fn_status status = add_version(version_out, found_out, a, run, name, data, err);
  fn_cli_progress_end(a->cli);
  if (a->scratch && fn_dir_remove(a->scratch, NULL) != FN_OK) fn_cli_warn(a->cli, "%s: cannot be removed", a->scratch);
  fn_dataset_close(a->dataset);
  free(a->folder);
  free(a->model);
  free(a->fetched);
  free(a->scratch);
  return status;
}
