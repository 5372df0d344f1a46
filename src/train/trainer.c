#include "train/trainer_internal.h"

#include <stdlib.h>

enum { MIN_EVALUATION_ROWS = 64, MIN_EVALUATION_TOKENS = 2048 };

void fn_trainer_destroy(fn_trainer *t) {
  if (!t) return;
  fn_optimiser_deinit(&t->optimiser);
  fn_sampler_destroy(t->sampler);
  fn_batch_deinit(&t->batch);
  fn_micro_plan_deinit(&t->plan);
  free(t->rows);
  free(t->lengths);
  free(t);
}

const fn_train_state *fn_trainer_state(const fn_trainer *t) {
  return &t->state;
}
const fn_batching *fn_trainer_batching(const fn_trainer *t) {
  return &t->batching;
}
const fn_metrics *fn_trainer_best(const fn_trainer *t) {
  return t->best_metrics.n > 0 ? &t->best_metrics : NULL;
}

static fn_status check(const fn_trainer_setup *s, fn_err *err) {
  const fn_model_config *config = fn_model_get_config(s->model);
  if (config->num_labels != 2)
    return fn_err_set(err, FN_E_UNSUPPORTED, "the model has %d labels; 2 are handled (real, fake)", config->num_labels);
  if (s->sequence.max_tokens > config->max_position_embeddings)
    return fn_err_set(err, FN_E_INVALID,
                      "train.max_tokens: %d is over the %d positions of the model (max_position_embeddings)",
                      s->sequence.max_tokens, config->max_position_embeddings);
  if (fn_tokenizer_get_info(s->tokenizer)->vocab_size > config->vocab_size)
    return fn_err_set(err, FN_E_INVALID,
                      "the tokenizer has ids up to %d, the model embeddings for %d tokens (vocab_size); they do not "
                      "belong together",
                      fn_tokenizer_get_info(s->tokenizer)->vocab_size - 1, config->vocab_size);
  if (s->options->mask_tokens > 0 && fn_tokenizer_get_info(s->tokenizer)->mask_id < 0)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "train.mask_tokens: the tokenizer has no token [MASK]; only 0 works with it");
  return FN_OK;
}

static fn_status make_sampler(fn_trainer *t, fn_err *err) {
  const fn_examples *train = t->setup.train;
  const fn_train_options *o = t->setup.options;
  const fn_sampler_options options = {
      .sampling = o->sampling == FN_TRAIN_SAMPLING_EVEN ? FN_SAMPLING_EVEN : FN_SAMPLING_RANDOM,
      .seed = (uint64_t)o->seed,
      .n_rows = train->n,
      .batch_size = (size_t)o->batch_size,
      .groups = train->groups,
      .n_groups = train->n_groups,
  };
  return fn_sampler_create(&t->sampler, &options, err);
}

static fn_status plan_steps(fn_trainer *t, fn_err *err) {
  const fn_train_options *o = t->setup.options;
  fn_train_state *s = &t->state;
  s->steps_per_epoch = (int64_t)fn_sampler_steps_per_epoch(t->sampler);
  if (__builtin_mul_overflow(s->steps_per_epoch, o->epochs, &s->n_steps))
    return fn_err_set(err, FN_E_LIMIT, "train.epochs: too many steps");
  if (o->max_steps > 0 && o->max_steps < s->n_steps) s->n_steps = o->max_steps;
  t->schedule = fn_schedule_make((fn_schedule_kind)o->schedule, o->warmup, s->n_steps);
  return FN_OK;
}

/* config.json of what is saved: real and fake, and how articles are given to the model. */
static fn_model_config saved_config(const fn_trainer_setup *s) {
  fn_model_config c = *fn_model_get_config(s->model);
  snprintf(c.labels[0], sizeof c.labels[0], "real");
  snprintf(c.labels[1], sizeof c.labels[1], "fake");
  fn_model_usage *u = &c.usage;
  *u = (fn_model_usage){.known = true, .text = s->sequence.mode, .max_tokens = s->sequence.max_tokens};
  memcpy(u->data_hash, s->identity->data_hash, sizeof u->data_hash);
  memcpy(u->tokenizer_hash, s->identity->tokenizer_hash, sizeof u->tokenizer_hash);
  snprintf(u->version, sizeof u->version, "%s", s->identity->build);
  return c;
}

static fn_status init(fn_trainer *t, fn_err *err) {
  const fn_trainer_setup *s = &t->setup;
  const fn_train_options *o = s->options;
  FN_TRY(check(s, err));
  t->config = saved_config(s);
  FN_TRY(fn_class_weights_parse(t->class_weights, o->class_weights, s->train->counts, err));
  FN_TRY(make_sampler(t, err));
  FN_TRY(plan_steps(t, err));
  FN_TRY(fn_optimiser_init(&t->optimiser, s->model, s->device, o, err));
  const int64_t longest = s->sequence.max_tokens;
  /* No step has more tokens than all its rows at full length: activations beyond them would only take memory. */
  int64_t max_T = o->batch_size * longest > MIN_EVALUATION_TOKENS ? o->batch_size * longest : MIN_EVALUATION_TOKENS;
  if (max_T > o->micro_batch_tokens) max_T = o->micro_batch_tokens;
  if (max_T < longest) max_T = longest;
  const int64_t max_B = o->batch_size > MIN_EVALUATION_ROWS ? o->batch_size : MIN_EVALUATION_ROWS;
  t->batching = (fn_batching){fn_tokenizer_get_info(s->tokenizer), s->sequence, (size_t)max_T, (size_t)max_B};
  t->rows = fn_mem_calloc((size_t)o->batch_size, sizeof *t->rows);
  t->lengths = fn_mem_calloc((size_t)o->batch_size, sizeof *t->lengths);
  if (!t->rows || !t->lengths) return fn_err_no_memory(err, "the rows of a step");
  return fn_model_plan(s->model, (int32_t)max_T, (int32_t)max_B, (int32_t)longest, true, err);
}

fn_status fn_trainer_create(fn_trainer **trainer_out, const fn_trainer_setup *setup, fn_err *err) {
  fn_trainer *t = fn_mem_calloc(1, sizeof *t);
  if (!t) return fn_err_no_memory(err, "the trainer");
  t->setup = *setup;
  t->state = (fn_train_state){.best = FN_BEST_INIT, .seed = setup->options->seed, .identity = *setup->identity};
  fn_batch_init(&t->batch);
  const fn_status status = init(t, err);
  if (status != FN_OK) {
    fn_trainer_destroy(t);
    return status;
  }
  *trainer_out = t;
  return FN_OK;
}

fn_status fn_trainer_restore(fn_trainer *t, const char *path, fn_err *err) {
  fn_train_state saved;
  const fn_checkpoint c = {t->setup.model, t->setup.tokenizer, &t->config, t->optimiser.m, t->optimiser.v, &saved};
  FN_TRY(fn_checkpoint_read(&c, path, err));
  if (saved.steps_per_epoch != t->state.steps_per_epoch || saved.seed != t->state.seed)
    return fn_err_set(err, FN_E_INVALID, "%s: has %lld steps per epoch and seed %lld, this run %lld and %lld", path,
                      (long long)saved.steps_per_epoch, (long long)saved.seed, (long long)t->state.steps_per_epoch,
                      (long long)t->state.seed);
  if (saved.step > t->state.n_steps)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: is at step %lld already; train.epochs and train.max_steps now ask for %lld", path,
                      (long long)saved.step, (long long)t->state.n_steps);
  FN_TRY(fn_train_identity_check(&saved.identity, t->setup.identity, path, err));
  saved.n_steps = t->state.n_steps; /* more epochs are allowed */
  saved.stopped = fn_best_exhausted(&saved.best, t->setup.options->patience);
  if (t->setup.run) FN_TRY(fn_run_dir_cut(t->setup.run, saved.metrics_bytes, err));
  t->state = saved;
  t->saved = true;
  return FN_OK;
}

/* Event with the fields that all share. */
static fn_train_event make_event(const fn_trainer *t, fn_train_event_kind kind) {
  const fn_train_state *s = &t->state;
  const int64_t n_epochs = (s->n_steps + s->steps_per_epoch - 1) / s->steps_per_epoch;
  const int64_t epoch = s->step == 0 ? 1 : (s->step - 1) / s->steps_per_epoch + 1;
  return (fn_train_event){.kind = kind, .step = s->step, .n_steps = s->n_steps, .epoch = epoch, .n_epochs = n_epochs};
}

static void report(fn_trainer *t, const fn_train_event *event) {
  if (!fn_train_report(&t->setup.sink, event)) t->cancelled = true;
}

static void begin_line(fn_json_writer *w, fn_buf *line, const fn_trainer *t) {
  fn_buf_init(line, 1 << 16);
  fn_json_begin(w, line, 0);
  fn_json_object(w, NULL);
  fn_json_int(w, "step", t->state.step);
  fn_json_double(w, "epoch", (double)t->state.step / (double)t->state.steps_per_epoch);
}

/* A line of training loss, and one with the time in the other file. */
static fn_status log_step(fn_trainer *t, const fn_step_report *r, fn_err *err) {
  fn_log_sums *sums = &t->state.log;
  sums->loss += r->loss_sum;
  sums->weight += r->weight_sum;
  sums->n_steps++;
  const int64_t step = t->state.step;
  if (step % t->setup.options->log_every != 0 && step % t->state.steps_per_epoch != 0 && step != t->state.n_steps)
    return FN_OK;
  FN_AUTO_BUF fn_buf line;
  fn_json_writer w;
  begin_line(&w, &line, t);
  fn_json_double(&w, "train/loss", sums->loss / sums->weight);
  fn_json_double(&w, "train/learning_rate", r->learning_rate);
  fn_json_double(&w, "train/gradient_norm", r->gradient_norm);
  fn_json_end(&w);
  *sums = (fn_log_sums){0};
  if (!t->setup.run) return FN_OK;
  FN_TRY(fn_buf_check(&line, "a line of the log", err));
  FN_TRY(fn_run_dir_metric(t->setup.run, fn_buf_str(&line), err));
  return fn_run_dir_stamp(t->setup.run, "step", step, err);
}

static bool keep_going(void *arg, size_t n_done) {
  fn_trainer *t = arg;
  fn_train_event event = make_event(t, FN_TRAIN_EVALUATION);
  event.split = "val";
  event.n_rows = (int64_t)n_done;
  event.n_rows_all = (int64_t)t->setup.validation->n;
  report(t, &event);
  return !t->cancelled;
}

/* The evaluation that is due. Until it has been done in full the state says so: a run that is stopped before takes it
 * up again when it goes on. */
static fn_status evaluate(fn_trainer *t, fn_err *err) {
  fn_metrics metrics;
  FN_TRY(fn_examples_evaluate(&metrics, t->setup.model, t->setup.validation, &t->batching, keep_going, t, err));
  if (!isfinite(metrics.log_loss))
    return fn_err_set(err, FN_E_DIVERGED, "step %lld: the validation loss is not a finite number",
                      (long long)t->state.step);
  const bool best = fn_best_update(&t->state.best, metrics.log_loss, t->state.step);
  if (best) t->best_metrics = metrics;
  t->state.stopped = fn_best_exhausted(&t->state.best, t->setup.options->patience);
  t->state.evaluation_due = false;
  t->saved = false;
  if (t->setup.run) {
    FN_AUTO_BUF fn_buf line;
    fn_json_writer w;
    begin_line(&w, &line, t);
    fn_metrics_write(&w, "val", &metrics);
    fn_json_end(&w);
    FN_TRY(fn_buf_check(&line, "a line of the log", err));
    FN_TRY(fn_run_dir_metric(t->setup.run, fn_buf_str(&line), err));
    FN_TRY(fn_run_dir_stamp(t->setup.run, "evaluation", t->state.step, err));
  }
  fn_train_event event = make_event(t, FN_TRAIN_EVALUATION);
  event.split = "val";
  event.metrics = &metrics;
  event.n_rows = metrics.n;
  event.best = best;
  report(t, &event);
  return FN_OK;
}

static fn_status save(fn_trainer *t, fn_err *err) {
  fn_run_dir *run = t->setup.run;
  if (!run || t->saved) return FN_OK;
  fn_train_event event = make_event(t, FN_TRAIN_SAVING);
  report(t, &event);
  FN_TRY(fn_run_dir_sync(run, err));
  t->state.metrics_bytes = run->metrics_bytes;
  const fn_checkpoint c = {t->setup.model, t->setup.tokenizer, &t->config, t->optimiser.m, t->optimiser.v, &t->state};
  FN_AUTO_FREE char *path = NULL;
  FN_TRY(fn_checkpoint_write(&path, &c, run->checkpoints, err));
  t->saved = true;
  FN_TRY(fn_checkpoint_prune(run->checkpoints, t->state.step, t->state.best.step, t->setup.options->keep, err));
  FN_TRY(fn_run_dir_stamp(run, "checkpoint", t->state.step, err));
  event = make_event(t, FN_TRAIN_CHECKPOINT);
  event.path = path;
  report(t, &event);
  return FN_OK;
}

static bool every(int64_t step, int64_t n) {
  return n > 0 && step % n == 0;
}

/* One step with its line in the log; true in *due when a checkpoint is due. */
static fn_status advance(bool *due, fn_trainer *t, fn_err *err) {
  const fn_train_options *o = t->setup.options;
  fn_step_report r = {0};
  FN_TRY(fn_trainer_step(&r, t, err));
  t->saved = false;
  FN_TRY(log_step(t, &r, err));
  fn_train_event event = make_event(t, FN_TRAIN_STEP);
  event.loss = r.loss;
  event.learning_rate = r.learning_rate;
  event.gradient_norm = r.gradient_norm;
  event.n_tokens = r.n_tokens;
  event.n_rows = r.n_rows;
  report(t, &event);
  const int64_t step = t->state.step;
  const bool epoch_end = step % t->state.steps_per_epoch == 0;
  if (epoch_end) {
    event = make_event(t, FN_TRAIN_EPOCH);
    report(t, &event);
  }
  t->state.evaluation_due = epoch_end || step == t->state.n_steps || every(step, o->evaluate_every);
  *due = t->state.evaluation_due || every(step, o->save_every);
  return FN_OK;
}

fn_status fn_trainer_run(fn_trainer *t, fn_err *err) {
  for (;;) {
    bool due = t->state.evaluation_due;
    if (!due) {
      if (t->state.step >= t->state.n_steps || t->state.stopped) return FN_OK;
      FN_TRY(advance(&due, t, err));
    }
    if (t->state.evaluation_due && !t->cancelled) {
      const fn_status status = evaluate(t, err);
      if (status != FN_OK && status != FN_E_CANCELLED) return status;
    }
    if (due || t->cancelled) FN_TRY(save(t, err));
    if (t->cancelled)
      return fn_err_set(err, FN_E_CANCELLED, "stopped after step %lld of %lld", (long long)t->state.step,
                        (long long)t->state.n_steps);
  }
}
