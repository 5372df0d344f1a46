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

/* Puts the next file unless an earlier attempt did; *at counts them. */
static fn_status put(size_t *at, fn_mlflow_log_progress *p, fn_mlflow *m, const fn_mlflow_logged *l, const char *folder,
                     const char *name, const char *source, fn_err *err) {
  if ((*at)++ < p->n_files) return FN_OK;
  FN_AUTO_FREE char *path = *folder ? fn_path_join(folder, name) : fn_str_dup(fn_str_from(name));
  FN_AUTO_FREE char *file = fn_path_join(source, name);
  if (!path || !file) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_mlflow_put(m, l->root, path, file, err));
  p->n_files = *at;
  return FN_OK;
}

/* MLmodel last: what has one is whole. */
static fn_status put_files(fn_mlflow_log_progress *p, fn_mlflow *m, const fn_mlflow_logged *l, const char *dir,
                           const char *scratch, bool has_class, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0, at = 0;
  FN_TRY(fn_dir_list(&names, &n, dir, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *file = fn_path_join(dir, names[i]);
    if (!file) return fn_err_no_memory(err, "a path");
    if (!fn_mlmodel_is_plain_file(file)) continue;
    FN_TRY(put(&at, p, m, l, FN_MLMODEL_FOLDER, names[i], dir, err));
    if (has_class && fn_mlmodel_is_tokenizer_file(names[i]))
      FN_TRY(put(&at, p, m, l, FN_MLMODEL_COMPONENTS, names[i], dir, err));
  }
  if (has_class) FN_TRY(put(&at, p, m, l, "", "requirements.txt", scratch, err));
  if (has_class) FN_TRY(put(&at, p, m, l, "", "python_env.yaml", scratch, err));
  return put(&at, p, m, l, "", "MLmodel", scratch, err);
}

static fn_status log_to(fn_mlflow_log_progress *p, fn_mlflow *m, const fn_mlflow_run *run,
                        const fn_mlflow_log_source *s, fn_err *err) {
  fn_mlflow_logged l = {0};
  fn_err why = {0};
  fn_status status = fn_mlflow_logged_find(&l, m, run, s->hash, NULL, &why);
  if (status == FN_E_UNSUPPORTED) return FN_OK; /* before 3.x: the model is files of the run */
  if (status != FN_OK) return fn_err_set(err, status, "%s", why.message);
  const fn_track_pair tags[] = {{FN_LOGGED_HASH, s->hash}, {"fakenews.run_id", s->run_id}};
  if (!l.id) status = fn_mlflow_logged_create(&l, m, run, s->name, tags, FN_COUNT_OF(tags), err);
  if (status == FN_OK && !l.ready) {
    if (strcmp(p->id, l.id) != 0) p->n_files = 0;
    (void)snprintf(p->id, sizeof p->id, "%s", l.id);
    status = save_mlmodel(s->scratch, &l, run->id, s->model_class, s->name, err);
    if (status == FN_OK) status = put_files(p, m, &l, s->dir, s->scratch, *s->model_class, err);
    if (status == FN_OK) status = fn_mlflow_logged_finish(m, &l, run, err);
  }
  fn_mlflow_logged_deinit(&l);
  return status;
}

fn_status fn_mlflow_log_prepare(fn_mlflow_log_source *s, fn_err *err) {
  FN_TRY(fn_mlmodel_hash(s->hash, s->dir, err));
  return fn_mlmodel_class(s->model_class, s->dir, err);
}

fn_status fn_mlflow_log_model(fn_mlflow_log_progress *progress, fn_mlflow *m, const char *run_id,
                              const fn_mlflow_log_source *source, fn_err *err) {
  fn_mlflow_run run;
  FN_TRY(fn_mlflow_run_get(&run, m, run_id, err));
  const fn_status status = log_to(progress, m, &run, source, err);
  fn_mlflow_run_deinit(&run);
  return status;
}
