/* The model that a training leaves in its run's folder, as a logged model of its run. */
#include "mlflow/logged.h"
#include "mlflow/mlmodel.h"

/* JSON is YAML, which is what MLflow reads. */
static fn_status save_mlmodel(const char *scratch, const fn_mlflow_logged *l, const char *run_id,
                              const char *model_class, const char *name, fn_err *err) {
  FN_AUTO_BUF fn_buf out;
  fn_json_writer w;
  fn_buf_init(&out, 1 << 16);
  fn_json_begin(&w, &out, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "artifact_path", l->root);
  fn_json_object(&w, "flavors");
  fn_json_object(&w, "fakenews");
  fn_json_text(&w, "model", FN_MLMODEL_FOLDER);
  if (!*model_class)
    fn_json_text(&w, "note",
                 "A model of the linear family is no transformers model, and python_function is not offered: the "
                 "program fakenews answers with it.");
  fn_json_end(&w);
  if (*model_class) fn_mlmodel_write_flavors(&w, model_class, name);
  fn_json_end(&w);
  fn_json_text(&w, "model_id", l->id);
  fn_json_text(&w, "model_uuid", l->id);
  fn_json_text(&w, "run_id", run_id);
  if (*model_class) fn_mlmodel_write_signature(&w);
  fn_mlmodel_write_origin(&w);
  fn_json_end(&w);
  fn_buf_append_char(&out, '\n');
  FN_TRY(fn_dir_create(scratch, err));
  if (*model_class) FN_TRY(fn_mlmodel_save_environment(scratch, err));
  return fn_mlmodel_save_text(scratch, "MLmodel", &out, err);
}

/* Puts a file unless an earlier attempt did. */
static fn_status put(fn_mlflow_log_progress *p, fn_mlflow *m, const fn_mlflow_logged *l, const char *folder,
                     const char *name, const char *source, fn_err *err) {
  FN_AUTO_FREE char *path = *folder ? fn_path_join(folder, name) : fn_str_dup(fn_str_from(name));
  FN_AUTO_FREE char *file = fn_path_join(source, name);
  if (!path || !file) return fn_err_no_memory(err, "a path");
  if (json_object_get(p->there, path)) return FN_OK;
  FN_TRY(fn_mlflow_put(m, l->root, path, file, err));
  p->n_so_far++;
  return json_object_set_new_nocheck(p->there, path, json_true()) == 0 ? FN_OK : fn_err_no_memory(err, "a file");
}

/* MLmodel last: what has one is whole. */
static fn_status put_files(fn_mlflow_log_progress *p, fn_mlflow *m, const fn_mlflow_logged *l, const char *dir,
                           const char *scratch, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  const bool has_class = *p->model_class;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, dir, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *file = fn_path_join(dir, names[i]);
    if (!file) return fn_err_no_memory(err, "a path");
    if (!fn_mlmodel_is_plain_file(file)) continue;
    FN_TRY(put(p, m, l, FN_MLMODEL_FOLDER, names[i], dir, err));
    if (has_class && fn_mlmodel_is_tokenizer_file(names[i]))
      FN_TRY(put(p, m, l, FN_MLMODEL_COMPONENTS, names[i], dir, err));
  }
  if (has_class) FN_TRY(put(p, m, l, "", "requirements.txt", scratch, err));
  if (has_class) FN_TRY(put(p, m, l, "", "python_env.yaml", scratch, err));
  return put(p, m, l, "", "MLmodel", scratch, err);
}

/* What was hashed is what was sent, or the model is not called ready: another attempt makes one of what is there now.
 */
static fn_status check_unchanged(const fn_mlflow_log_progress *p, fn_mlflow *m, const fn_mlflow_log_source *s,
                                 fn_err *err) {
  uint64_t stamp = 0;
  FN_TRY(fn_mlmodel_stamp(&stamp, s->dir, err));
  if (stamp == p->stamp) return FN_OK;
  FN_TRY(fn_mlflow_logged_fail(m, p->id, err));
  return fn_err_set(err, FN_E_IO, "%s was changed while it was sent", s->dir);
}

static fn_status log_to(fn_mlflow_log_progress *p, fn_mlflow *m, const fn_mlflow_run *run,
                        const fn_mlflow_log_source *s, fn_err *err) {
  fn_mlflow_logged l = {0};
  fn_err why = {0};
  fn_status status = fn_mlflow_logged_find(&l, m, run, p->hash, NULL, &why);
  if (status == FN_E_UNSUPPORTED) return FN_OK; /* before 3.x: the model is files of the run */
  if (status != FN_OK) return fn_err_set(err, status, "%s", why.message);
  const fn_track_pair tags[] = {{FN_LOGGED_HASH, p->hash}, {"fakenews.run_id", s->run_id}};
  if (!l.id) status = fn_mlflow_logged_create(&l, m, run, s->name, tags, FN_COUNT_OF(tags), err);
  if (status == FN_OK && !l.ready) {
    if (strcmp(p->id, l.id) != 0) json_object_clear(p->there);
    (void)snprintf(p->id, sizeof p->id, "%s", l.id);
    status = save_mlmodel(s->scratch, &l, run->id, p->model_class, s->name, err);
    if (status == FN_OK) status = put_files(p, m, &l, s->dir, s->scratch, err);
    if (status == FN_OK) status = check_unchanged(p, m, s, err);
  }
  /* One that is ready is of a training that went on, and kept the model that it had: its metrics are later ones. But a
   * version stays as it was registered. */
  if (status == FN_OK && !(l.ready && l.is_version)) status = fn_mlflow_logged_finish(m, &l, run, err);
  fn_mlflow_logged_deinit(&l);
  return status;
}

void fn_mlflow_log_progress_deinit(fn_mlflow_log_progress *p) {
  json_decref(p->there);
  *p = (fn_mlflow_log_progress){0};
}

fn_status fn_mlflow_log_prepare(fn_mlflow_log_progress *p, const fn_mlflow_log_source *s, fn_err *err) {
  uint64_t stamp = 0;
  if (!p->there && !(p->there = json_object())) return fn_err_no_memory(err, "files of a model");
  FN_TRY(fn_mlmodel_stamp(&stamp, s->dir, err));
  if (stamp == p->stamp) return FN_OK;
  p->stamp = 0;
  p->id[0] = '\0';
  FN_TRY(fn_mlmodel_hash(p->hash, s->dir, err));
  FN_TRY(fn_mlmodel_class(p->model_class, s->dir, err));
  p->stamp = stamp;
  return FN_OK;
}

fn_status fn_mlflow_log_model(fn_mlflow_log_progress *progress, fn_mlflow *m, const char *run_id,
                              const fn_mlflow_log_source *source, fn_err *err) {
  fn_mlflow_run run;
  FN_TRY(fn_mlflow_run_get(&run, m, run_id, err));
  const fn_status status = log_to(progress, m, &run, source, err);
  fn_mlflow_run_deinit(&run);
  return status;
}
