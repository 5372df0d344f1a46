#include "train/evaluate.h"
#include "train/job_internal.h"
#include "train/resume.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

void fn_job_note(const fn_job *j, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  const fn_train_event event = {.kind = FN_TRAIN_NOTE, .text = text};
  (void)fn_train_report(&j->job->sink, &event);
}

static fn_status write_config(const fn_job *j, fn_err *err) {
  FN_AUTO_FREE char *path = fn_run_dir_file(&j->run, "config.yaml");
  if (!path) return fn_err_no_memory(err, "a path");
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  fn_config_format_yaml(&text, j->config, true);
  FN_TRY(fn_buf_check(&text, path, err));
  return fn_file_write(path, text.data, text.length, err);
}

static const char *run_name(const fn_job *j) {
  static const char *const families[] = {[FN_FAMILY_BERT] = "bert", [FN_FAMILY_LINEAR] = "linear"};
  return j->options.name ? j->options.name : families[j->options.family];
}

static fn_status create_folder(fn_job *j, fn_err *err) {
  FN_AUTO_BUF fn_buf config, record;
  fn_buf_init(&config, 1 << 20);
  fn_buf_init(&record, 1 << 20);
  fn_config_format_yaml(&config, j->config, true);
  fn_run_record_format(&record, &j->record);
  FN_TRY(fn_buf_check(&config, "the settings", err));
  FN_TRY(fn_buf_check(&record, "the run's record", err));
  const fn_run_file files[] = {{"config.yaml", fn_buf_str(&config)}, {"run.json", fn_buf_str(&record)}};
  FN_TRY(fn_run_dir_create(&j->run, j->job->out, j->job->runs, run_name(j), j->job->now_ms, files, FN_COUNT_OF(files),
                           err));
  return j->job->out ? FN_OK : fn_run_dir_set_latest(&j->run, j->job->runs, err);
}

fn_status fn_job_begin(fn_job *j, int64_t step, int64_t n_steps, fn_err *err) {
  if (!j->resuming)
    FN_TRY(create_folder(j, err));
  else if (j->config_changed)
    FN_TRY(write_config(j, err));
  FN_TRY(fn_run_dir_stamp(&j->run, j->resuming ? "resume" : "begin", step, err));
  char text[160];
  const fn_run_record *r = &j->record;
  int n = snprintf(text, sizeof text, "%lld rows to train on, %lld to validate", (long long)r->n_train,
                   (long long)r->n_validation);
  if (r->n_parameters > 0 && r->n_parameters < 100000 && n > 0)
    snprintf(text + n, sizeof text - (size_t)n, ", %lld parameters", (long long)r->n_parameters);
  else if (r->n_parameters > 0 && n > 0)
    snprintf(text + n, sizeof text - (size_t)n, ", %.1f million parameters", (double)r->n_parameters / 1e6);
  const fn_train_event event = {
      .kind = FN_TRAIN_BEGIN, .path = j->run.path, .step = step, .n_steps = n_steps, .text = text};
  (void)fn_train_report(&j->job->sink, &event);
  return FN_OK;
}

fn_status fn_job_metrics(fn_job *j, const char *split, int64_t step, const fn_metrics *metrics, fn_err *err) {
  FN_AUTO_BUF fn_buf line;
  fn_json_writer w;
  fn_buf_init(&line, 1 << 16);
  fn_json_begin(&w, &line, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "step", step);
  fn_metrics_write(&w, split, metrics);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&line, "a line of the log", err));
  FN_TRY(fn_run_dir_metric(&j->run, fn_buf_str(&line), err));
  const fn_train_event event = {.kind = FN_TRAIN_EVALUATION,
                                .step = step,
                                .n_steps = j->result.n_steps,
                                .split = split,
                                .metrics = metrics,
                                .n_rows = metrics->n};
  (void)fn_train_report(&j->job->sink, &event);
  return FN_OK;
}

static void metrics_object(fn_json_writer *w, const char *key, const fn_metrics *m) {
  if (m->n == 0) {
    fn_json_null(w, key);
    return;
  }
  const fn_metrics_entry entry = {.name = key, .metrics = m};
  fn_metrics_format_json(w, key, &entry);
}

fn_status fn_job_end(fn_job *j, fn_err *err) {
  const fn_train_result *r = &j->result;
  FN_AUTO_FREE char *path = fn_run_dir_file(&j->run, "result.json");
  if (!path) return fn_err_no_memory(err, "a path");
  FN_AUTO_BUF fn_buf text;
  fn_json_writer w;
  fn_buf_init(&text, 1 << 20);
  fn_json_begin(&w, &text, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "family", j->record.family);
  fn_json_text(&w, "model", "model");
  fn_json_int(&w, "n_steps", r->n_steps);
  fn_json_int(&w, "best_step", r->best_step);
  fn_json_bool(&w, "stopped_early", r->stopped_early);
  metrics_object(&w, "val", &r->validation);
  metrics_object(&w, "test", &r->test);
  metrics_object(&w, "left_out", &r->left_out);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&text, path, err));
  FN_TRY(fn_run_dir_sync(&j->run, err));
  FN_TRY(fn_file_write(path, text.data, text.length, err));
  FN_TRY(fn_run_dir_stamp(&j->run, "done", r->n_steps, err));
  const fn_train_event event = {.kind = FN_TRAIN_DONE,
                                .path = j->run.path,
                                .step = r->n_steps,
                                .n_steps = r->n_steps,
                                .best_step = r->best_step,
                                .stopped_early = r->stopped_early};
  (void)fn_train_report(&j->job->sink, &event);
  return FN_OK;
}

fn_status fn_job_rows(fn_job *j, const fn_token_cache *cache, fn_err *err) {
  const char *leave_out = j->options.leave_out;
  const fn_row_filter without = {.without = leave_out}, only = {.only = leave_out};
  fn_examples *const lists[FN_SPLIT_COUNT] = {&j->train, &j->validation, &j->test};
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    const fn_status status = fn_examples_add(lists[s], j->dataset, cache, (fn_split)s, &without, err);
    if (status != FN_OK) return leave_out ? fn_err_prefix(err, status, "data.leave_out") : status;
    if (leave_out) FN_TRY(fn_examples_add(&j->left_out, j->dataset, cache, (fn_split)s, &only, err));
  }
  const size_t *counts = j->train.counts;
  if (counts[0] == 0 || counts[1] == 0)
    return fn_err_set(
        err, FN_E_INVALID, "%s: training needs rows of both classes; its split train%s%s has %zu real and %zu fake",
        fn_dataset_dir(j->dataset), leave_out ? " without " : "", leave_out ? leave_out : "", counts[0], counts[1]);
  if (j->validation.n == 0)
    return fn_err_set(err, FN_E_INVALID, "%s: the split validation has no rows%s%s; the best model is chosen by it",
                      fn_dataset_dir(j->dataset), leave_out ? " without " : "", leave_out ? leave_out : "");
  j->record.n_train = (int64_t)j->train.n;
  j->record.n_validation = (int64_t)j->validation.n;
  j->record.n_test = (int64_t)j->test.n;
  j->record.n_left_out = (int64_t)j->left_out.n;
  return FN_OK;
}

/* Folder of the run to resume: `latest` and other links are followed one step, so that messages name the run. */
static fn_status find_run(char **path_out, const fn_train_job *job, fn_err *err) {
  const bool latest = strcmp(job->resume, "latest") == 0;
  FN_AUTO_FREE char *path = latest ? fn_path_join(job->runs, "latest") : fn_str_dup(fn_str_from(job->resume));
  if (!path) return fn_err_no_memory(err, "a path");
  char target[PATH_MAX];
  const ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0) {
    if (latest && errno == ENOENT) return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no run yet", path);
    *path_out = FN_STEAL(path);
    return FN_OK;
  }
  target[n] = '\0';
  const size_t folder = (size_t)(fn_path_base(path) - path);
  FN_AUTO_FREE char *parent = fn_str_dup(fn_str_make(path, folder));
  *path_out = parent ? fn_path_join(parent, target) : NULL;
  return *path_out ? FN_OK : fn_err_no_memory(err, "a path");
}

static fn_status open_run(fn_job *j, fn_err *err) {
  FN_AUTO_FREE char *path = NULL;
  FN_TRY(find_run(&path, j->job, err));
  FN_TRY(fn_run_dir_open(&j->run, path, err));
  FN_TRY(fn_train_resume_config(&j->own_config, &j->config_changed, j->job, path, err));
  j->config = j->own_config;
  FN_AUTO_FREE char *record = fn_run_dir_file(&j->run, "run.json");
  if (!record) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_run_record_load(&j->record, record, err));
  j->resuming = true;
  return FN_OK;
}

static fn_status fill_options(fn_job *j, fn_err *err) {
  FN_TRY(fn_config_fill(&j->options, j->config, &fn_train_option_table, err));
  FN_TRY(fn_config_fill(&j->data_options, j->config, &fn_data_option_table, err));
  return fn_config_fill(&j->tensor_options, j->config, &fn_tensor_option_table, err);
}

static fn_status absolute(char **out, const char *path, fn_err *err) {
  char *real;
  FN_TRY(fn_path_real(&real, path, err));
  free(*out);
  *out = real;
  return FN_OK;
}

/* Build, device and data: what decides the numbers, apart from settings. */
static fn_status identify(fn_job *j, fn_train_identity *id, fn_err *err) {
  snprintf(id->build, sizeof id->build, "%s", j->job->build);
  fn_device_describe(id->device, sizeof id->device, j->device);
  char *threads = strrchr(id->device, ',');
  if (threads) *threads = '\0';
  fn_hash_format(id->data_hash, fn_dataset_hash(j->dataset));
  if (j->resuming) {
    snprintf(id->tokenizer_hash, sizeof id->tokenizer_hash, "%s", j->record.identity.tokenizer_hash);
    return fn_train_identity_check(&j->record.identity, id, j->run.path, err);
  }
  return FN_OK;
}

static fn_status open_all(fn_job *j, fn_err *err) {
  j->config = j->job->config;
  if (j->job->resume) FN_TRY(open_run(j, err));
  FN_TRY(fill_options(j, err));
  const char *data = j->job->data ? j->job->data : j->record.data;
  if (!data) return fn_err_set(err, FN_E_INVALID, "--data is missing: the folder that `data prepare` made");
  if (!j->resuming) FN_TRY(fn_run_dir_check(j->job->out, run_name(j), err));
  const fn_device_options device = fn_tensor_options_device(&j->tensor_options);
  FN_TRY(fn_device_create(&j->device, &device, err));
  FN_TRY(fn_dataset_open(&j->dataset, data, err));
  fn_train_identity identity = {0};
  FN_TRY(identify(j, &identity, err));
  j->record.identity = identity;
  return absolute(&j->record.data, data, err);
}

fn_status fn_train(fn_train_result *result_out, const fn_train_job *job, fn_err *err) {
  fn_job j = {.job = job, .run = FN_RUN_DIR_INIT};
  fn_status status = open_all(&j, err);
  if (status == FN_OK) {
    const bool linear = j.options.family == FN_FAMILY_LINEAR;
    snprintf(j.record.family, sizeof j.record.family, "%s", linear ? "linear" : "bert");
    status = linear ? fn_job_linear(&j, err) : fn_job_bert(&j, err);
  }
  if (j.run.path) j.result.run = fn_str_dup(fn_str_from(j.run.path));
  *result_out = j.result;
  fn_run_dir_close(&j.run);
  fn_run_record_deinit(&j.record);
  fn_examples_deinit(&j.train);
  fn_examples_deinit(&j.validation);
  fn_examples_deinit(&j.test);
  fn_examples_deinit(&j.left_out);
  fn_dataset_close(j.dataset);
  fn_device_destroy(j.device);
  fn_config_destroy(j.own_config);
  return status;
}
