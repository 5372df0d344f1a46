#include "model/config.h"
#include "model/hub.h"
#include "model/weights.h"
#include "train/job_internal.h"
#include "train/trainer.h"

#include <stdlib.h>

enum { SCRATCH_MIN_FREQUENCY = 2 };

/* What belongs to a transformer's job, beside what both families share. */
typedef struct bert_job {
  fn_job *j;
  fn_model_options model_options;
  char *dir; /* where weights and tokenizer come from: the init directory or a checkpoint's model; NULL: scratch */
  char *checkpoint; /* to go on from; NULL: from the beginning */
  bool own_dir;     /* dir is this run's own checkpoint: nothing may be missing */
  fn_tokenizer *tokenizer;
  fn_token_cache *cache;
  fn_model *model;
  fn_trainer *trainer;
} bert_job;

/* Texts of the training rows, for a vocabulary. */
typedef struct text_feed {
  const fn_job *j;
  size_t i;
  bool second; /* the title of row i was given already */
} text_feed;

static bool next_text(void *arg, fn_str *text_out) {
  text_feed *f = arg;
  const int mode = f->j->data_options.text;
  while (f->i < fn_dataset_n_rows(f->j->dataset, FN_SPLIT_TRAIN)) {
    fn_row row;
    fn_dataset_get(&row, f->j->dataset, FN_SPLIT_TRAIN, f->i);
    const bool title = !f->second;
    f->i += f->second;
    f->second = !f->second;
    if (f->j->options.leave_out && fn_str_is(row.dataset, f->j->options.leave_out)) continue;
    if (mode == (title ? FN_TEXT_TEXT : FN_TEXT_TITLE)) continue;
    *text_out = title ? row.title : row.text;
    return true;
  }
  return false;
}

static fn_status find_checkpoint(bert_job *b, fn_err *err) {
  const fn_job *j = b->j;
  int64_t last = 0;
  if (!j->resuming) return FN_OK;
  FN_TRY(fn_checkpoint_link_step(&last, j->run.checkpoints, "last", err));
  if (last == 0) {
    fn_job_note(j, "%s: stopped before its first checkpoint; it begins again", j->run.path);
    return fn_checkpoint_recover(j->run.checkpoints, 0, 0, 0, err);
  }
  b->checkpoint = fn_checkpoint_path(j->run.checkpoints, last);
  b->dir = b->checkpoint ? fn_path_join(b->checkpoint, "model") : NULL;
  b->own_dir = true;
  return b->dir ? FN_OK : fn_err_no_memory(err, "a path");
}

/* Directory to start from; the run's record says which one when it begins again. */
static fn_status find_init(bert_job *b, fn_err *err) {
  fn_job *j = b->j;
  const char *init = j->resuming ? j->record.init : j->job->init;
  if (b->dir) return FN_OK;
  if (!init)
    return fn_err_set(
        err, FN_E_INVALID,
        "--init is missing: a Hugging Face directory or owner/name to start from, or --init scratch for a "
        "small new model with a vocabulary of its own");
  if (strcmp(init, "scratch") == 0) {
    free(j->record.init);
    j->record.init = fn_str_dup(fn_str_from("scratch"));
    return j->record.init ? FN_OK : fn_err_no_memory(err, "a path");
  }
  FN_TRY(fn_hub_resolve(&b->dir, init, j->job->hub_cache ? j->job->hub_cache : "", err));
  char *real;
  FN_TRY(fn_path_real(&real, b->dir, err));
  free(j->record.init);
  j->record.init = real;
  fn_hash128 hash;
  char hex[33];
  FN_TRY(fn_weights_hash(&hash, b->dir, err));
  fn_hash_format(hex, hash);
  if (j->resuming && strcmp(hex, j->record.init_hash) != 0)
    return fn_err_set(err, FN_E_INVALID, "%s: not the weights that the run %s was started from", b->dir, j->run.path);
  memcpy(j->record.init_hash, hex, sizeof hex);
  return FN_OK;
}

static fn_status get_tokenizer(bert_job *b, fn_err *err) {
  fn_job *j = b->j;
  if (b->dir) {
    FN_TRY(fn_tokenizer_load(&b->tokenizer, b->dir, err));
  } else {
    text_feed feed = {.j = j};
    const fn_status status =
        fn_tokenizer_train(&b->tokenizer, next_text, &feed, fn_model_options_vocab_size(&b->model_options),
                           SCRATCH_MIN_FREQUENCY, true, err);
    const char *leave_out = j->options.leave_out;
    if (status != FN_OK)
      return fn_err_prefix(err, status, "%s: its split train%s%s", fn_dataset_dir(j->dataset),
                           leave_out ? " without " : "", leave_out ? leave_out : "");
  }
  char hex[33];
  fn_hash_format(hex, fn_tokenizer_get_info(b->tokenizer)->hash);
  fn_train_identity now = j->record.identity;
  memcpy(now.tokenizer_hash, hex, sizeof hex);
  if (j->resuming) return fn_train_identity_check(&j->record.identity, &now, j->run.path, err);
  j->record.identity = now;
  return FN_OK;
}

/* The architecture first: a vocabulary that does not fit is told before weights are read. */
static fn_status get_config(fn_model_config *config_out, const bert_job *b, fn_err *err) {
  const fn_tokenizer_info *info = fn_tokenizer_get_info(b->tokenizer);
  if (!b->dir) return fn_model_options_scratch(config_out, &b->model_options, info->vocab_size, err);
  fn_model_config c;
  FN_TRY(fn_model_config_load(&c, b->dir, err));
  if (b->own_dir) { /* as trained so far: settings are in it */
    *config_out = c;
    return FN_OK;
  }
  FN_TRY(fn_model_options_override(&c, &b->model_options, b->dir, err));
  FN_TRY(fn_model_check_tokenizer(&c, info, b->dir, b->dir, err));
  c.num_labels = 2; /* a head for another task gives way to a new one */
  snprintf(c.labels[0], sizeof c.labels[0], "real");
  snprintf(c.labels[1], sizeof c.labels[1], "fake");
  *config_out = c;
  return FN_OK;
}

static fn_status get_model(bert_job *b, fn_err *err) {
  fn_job *j = b->j;
  fn_model_config config;
  bool new_head = false;
  const uint64_t seed = (uint64_t)j->options.seed;
  FN_TRY(get_config(&config, b, err));
  if (j->options.max_tokens > config.max_position_embeddings)
    return fn_err_set(err, FN_E_INVALID, "train.max_tokens: %lld is over the %d positions of the model (%s%s)",
                      (long long)j->options.max_tokens, config.max_position_embeddings,
                      b->dir ? b->dir : "model.max_position_embeddings", b->dir ? "/config.json" : "");
  if (b->dir)
    FN_TRY(fn_model_load(&b->model, b->dir, &config, !b->own_dir, seed, j->device, &new_head, err));
  else
    FN_TRY(fn_model_create(&b->model, &config, j->device, seed, err));
  if (!b->dir && fn_config_layer_of(j->config, "train.learning_rate") == FN_CONFIG_DEFAULT)
    fn_job_note(j, "train.learning_rate=%g suits a pretrained model; from scratch take more, such as 5e-4",
                j->options.learning_rate);
  if (new_head)
    fn_job_note(j, "%s has no head for the labels real and fake: a new one starts from random weights", b->dir);
  j->record.n_parameters = 0;
  for (size_t i = 0; i < fn_model_n_parameters(b->model); i++)
    j->record.n_parameters += (int64_t)fn_model_parameter(b->model, i)->n;
  return FN_OK;
}

static fn_status make_trainer(bert_job *b, fn_err *err) {
  fn_job *j = b->j;
  const fn_trainer_setup setup = {
      .model = b->model,
      .device = j->device,
      .tokenizer = b->tokenizer,
      .train = &j->train,
      .validation = &j->validation,
      .sequence = {(fn_text_mode)j->data_options.text, (int32_t)j->options.max_tokens},
      .options = &j->options,
      .identity = &j->record.identity,
      .run = &j->run,
      .sink = j->job->sink,
  };
  return fn_trainer_create(&b->trainer, &setup, err);
}

static fn_status prepare(bert_job *b, fn_err *err) {
  fn_job *j = b->j;
  if (j->resuming && (j->job->init || j->job->out))
    return fn_err_set(err, FN_E_INVALID, "--resume goes on with a run as it is: leave out %s",
                      j->job->init ? "--init" : "--out");
  FN_TRY(fn_config_fill(&b->model_options, j->config, &fn_model_option_table, err));
  FN_TRY(find_checkpoint(b, err));
  FN_TRY(find_init(b, err));
  FN_TRY(get_tokenizer(b, err));
  FN_TRY(fn_token_cache_open(&b->cache, j->dataset, b->tokenizer, fn_device_pool(j->device), err));
  FN_TRY(fn_job_rows(j, b->cache, err));
  FN_TRY(get_model(b, err));
  FN_TRY(make_trainer(b, err));
  if (b->checkpoint)
    FN_TRY(fn_trainer_restore(b->trainer, b->checkpoint, err));
  else if (j->resuming)
    FN_TRY(fn_run_dir_cut(&j->run, 0, err));
  const fn_train_state *state = fn_trainer_state(b->trainer);
  if (b->checkpoint)
    FN_TRY(fn_checkpoint_recover(j->run.checkpoints, state->step, state->best.step, j->options.keep, err));
  return fn_job_begin(j, state->step, state->n_steps, err);
}

typedef struct measuring {
  const fn_train_sink *sink;
  const char *split;
  int64_t step, n_rows;
} measuring;

static bool keep_measuring(void *arg, size_t n_done) {
  const measuring *m = arg;
  const fn_train_event event = {.kind = FN_TRAIN_EVALUATION,
                                .step = m->step,
                                .n_steps = m->step,
                                .split = m->split,
                                .n_rows = (int64_t)n_done,
                                .n_rows_all = m->n_rows};
  return fn_train_report(m->sink, &event);
}

static fn_status measure(fn_job *j, const char *split, const fn_examples *rows, fn_metrics *out, fn_model *model,
                         const fn_batching *batching, fn_err *err) {
  if (rows->n == 0) return FN_OK;
  measuring m = {&j->job->sink, split, j->result.n_steps, (int64_t)rows->n};
  FN_TRY(fn_examples_evaluate(out, model, rows, batching, keep_measuring, &m, err));
  return fn_job_metrics(j, split, j->result.best_step, out, err);
}

/* Puts the best checkpoint's weights in place of the last ones. */
static fn_status reload_best(bert_job *b, fn_err *err) {
  fn_job *j = b->j;
  FN_AUTO_FREE char *path = fn_checkpoint_path(j->run.checkpoints, j->result.best_step);
  FN_AUTO_FREE char *dir = path ? fn_path_join(path, "model") : NULL;
  if (!dir) return fn_err_no_memory(err, "a path");
  fn_trainer_destroy(b->trainer);
  b->trainer = NULL;
  fn_model_destroy(b->model);
  b->model = NULL;
  return fn_model_load(&b->model, dir, NULL, false, 0, j->device, NULL, err);
}

/* The best checkpoint on the test split, once, and on the set that was left out. */
static fn_status finish(bert_job *b, fn_err *err) {
  fn_job *j = b->j;
  fn_train_result *r = &j->result;
  const fn_train_state state = *fn_trainer_state(b->trainer);
  const fn_batching batching = *fn_trainer_batching(b->trainer);
  const fn_metrics *best = fn_trainer_best(b->trainer);
  r->stopped_early = state.stopped;
  r->n_steps = state.step;
  r->best_step = state.best.step;
  if (best) r->validation = *best;
  if (state.best.step != state.step) FN_TRY(reload_best(b, err));
  FN_TRY(fn_model_plan(b->model, (int32_t)batching.max_tokens, (int32_t)batching.max_rows, batching.sequence.max_tokens,
                       false, err));
  if (!best) FN_TRY(fn_examples_evaluate(&r->validation, b->model, &j->validation, &batching, NULL, NULL, err));
  FN_TRY(measure(j, "test", &j->test, &r->test, b->model, &batching, err));
  FN_TRY(measure(j, "left_out", &j->left_out, &r->left_out, b->model, &batching, err));
  FN_AUTO_FREE char *link = fn_run_dir_file(&j->run, "model");
  if (!link) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_link_replace(link, "checkpoints/best/model", err));
  return fn_job_end(j, err);
}

fn_status fn_job_bert(fn_job *j, fn_err *err) {
  bert_job b = {.j = j};
  fn_status status = prepare(&b, err);
  if (status == FN_OK) status = fn_trainer_run(b.trainer, err);
  if (status == FN_OK) status = finish(&b, err);
  fn_trainer_destroy(b.trainer);
  fn_model_destroy(b.model);
  fn_token_cache_close(b.cache);
  fn_tokenizer_destroy(b.tokenizer);
  free(b.dir);
  free(b.checkpoint);
  return status;
}
