#include "train/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMPORARY "writing-"

char *fn_checkpoint_path(const char *dir, int64_t step) {
  char name[48];
  snprintf(name, sizeof name, "step-%" PRId64, step);
  return fn_path_join(dir, name);
}

/* N of "step-N"; -1 for any other name. */
static int64_t step_of(const char *name) {
  const fn_str text = fn_str_from(name);
  int64_t step = -1;
  if (!fn_str_starts_with(text, "step-")) return -1;
  return fn_str_to_int64(&step, fn_str_make(name + 5, text.length - 5)) && step >= 0 ? step : -1;
}

/* Views of the two slabs, tensor by tensor, under the names m.<parameter> and v.<parameter>. */
static fn_tensor_view *optimiser_views(fn_arena *arena, const fn_model *model, const float *m, const float *v) {
  const size_t n = fn_model_n_parameters(model);
  fn_tensor_view *views = fn_arena_alloc(arena, 2 * n, sizeof *views);
  for (size_t i = 0; views && i < 2 * n; i++) {
    const fn_parameter *p = fn_model_parameter(model, i % n);
    const size_t length = strlen(p->name) + 3;
    char *name = fn_arena_alloc(arena, length, 1);
    if (!name) return NULL;
    snprintf(name, length, "%c.%s", i < n ? 'm' : 'v', p->name);
    fn_tensor_view *view = &views[i];
    *view = (fn_tensor_view){.name = name, .dtype = FN_F32, .n_dims = p->n_dims, .n = p->n};
    for (int32_t k = 0; k < p->n_dims; k++) view->shape[k] = p->shape[k];
    view->data = (i < n ? m : v) + p->offset;
    view->size_bytes = p->n * sizeof(float);
  }
  return views;
}

static fn_status write_optimiser(const fn_checkpoint *c, const char *path, fn_err *err) {
  FN_CLEANUP(fn_arena_deinit) fn_arena arena;
  fn_arena_init(&arena);
  const fn_tensor_view *views = optimiser_views(&arena, c->model, c->m, c->v);
  if (!views) return fn_err_no_memory(err, "the optimiser's state");
  static const char *const metadata[][2] = {{"format", "fakenews-optimiser"}};
  return fn_safetensors_write(path, views, 2 * fn_model_n_parameters(c->model), metadata, 1, err);
}

static fn_status write_state(const fn_train_state *state, const char *path, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  fn_train_state_format(&text, state);
  FN_TRY(fn_buf_check(&text, "the training state", err));
  return fn_file_write(path, text.data, text.length, err);
}

static fn_status write_all(const fn_checkpoint *c, const char *dir, fn_err *err) {
  FN_AUTO_FREE char *model = fn_path_join(dir, "model");
  FN_AUTO_FREE char *optimiser = fn_path_join(dir, "optimiser.safetensors");
  FN_AUTO_FREE char *state = fn_path_join(dir, "state.json");
  if (!model || !optimiser || !state) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(model, err));
  FN_TRY(fn_model_save(c->model, model, err));
  FN_TRY(fn_model_config_save(c->config, model, err));
  FN_TRY(fn_tokenizer_save(c->tokenizer, model, err));
  FN_TRY(write_optimiser(c, optimiser, err));
  FN_TRY(write_state(c->state, state, err));
  FN_TRY(fn_dir_sync(model, err));
  return fn_dir_sync(dir, err);
}

static fn_status set_link(const char *dir, const char *link, int64_t step, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(dir, link);
  FN_AUTO_FREE char *target = fn_checkpoint_path(dir, step);
  if (!path || !target) return fn_err_no_memory(err, "a path");
  return fn_link_replace(path, fn_path_base(target), err);
}

/* The folder, under another name until it is whole. */
static fn_status write_folder(const fn_checkpoint *c, const char *path, const char *dir, fn_err *err) {
  char name[64];
  snprintf(name, sizeof name, TEMPORARY "%" PRId64, c->state->step);
  FN_AUTO_FREE char *temporary = fn_path_join(dir, name);
  if (!temporary) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_remove(temporary, err));
  fn_status status = write_all(c, temporary, err);
  if (status == FN_OK) status = fn_path_rename(temporary, path, err);
  if (status == FN_OK) return fn_dir_sync(dir, err);
  const fn_status removed = fn_dir_remove(temporary, NULL); /* the first cause is the one to tell */
  (void)removed;
  return status;
}

fn_status fn_checkpoint_write(char **path_out, const fn_checkpoint *c, const char *dir, fn_err *err) {
  FN_AUTO_FREE char *path = fn_checkpoint_path(dir, c->state->step);
  FN_AUTO_FREE char *state = path ? fn_path_join(path, "state.json") : NULL;
  if (!path || !state) return fn_err_no_memory(err, "a path");
  /* Weights of a step are saved once. When the evaluation came later, only the state is new. */
  if (fn_path_exists(path))
    FN_TRY(write_state(c->state, state, err));
  else
    FN_TRY(write_folder(c, path, dir, err));
  FN_TRY(set_link(dir, "last", c->state->step, err));
  if (c->state->best.step == c->state->step) FN_TRY(set_link(dir, "best", c->state->step, err));
  FN_TRY(fn_dir_sync(dir, err));
  if (path_out) *path_out = FN_STEAL(path);
  return FN_OK;
}

static fn_status read_slab(float *slab, const fn_model *model, const fn_safetensors *file, char which, const char *path,
                           fn_err *err) {
  for (size_t i = 0; i < fn_model_n_parameters(model); i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    char name[256];
    snprintf(name, sizeof name, "%c.%s", which, p->name);
    const fn_tensor_view *view = fn_safetensors_find(file, name);
    if (!view || view->dtype != FN_F32 || view->n != p->n)
      return fn_err_set(err, FN_E_INVALID, "%s: %s is not there as F32 with %zu elements", path, name, p->n);
    FN_TRY(fn_tensor_view_to_f32(slab + p->offset, view, err));
  }
  return FN_OK;
}

static void close_file(fn_safetensors **file) {
  fn_safetensors_close(*file);
}

fn_status fn_checkpoint_read(const fn_checkpoint *c, const char *path, fn_err *err) {
  FN_AUTO_FREE char *optimiser = fn_path_join(path, "optimiser.safetensors");
  FN_AUTO_FREE char *state = fn_path_join(path, "state.json");
  if (!optimiser || !state) return fn_err_no_memory(err, "a path");
  FN_CLEANUP(close_file) fn_safetensors *file = NULL;
  FN_TRY(fn_safetensors_open(&file, optimiser, err));
  FN_TRY(read_slab(c->m, c->model, file, 'm', optimiser, err));
  FN_TRY(read_slab(c->v, c->model, file, 'v', optimiser, err));
  return fn_train_state_load(c->state, state, err);
}

fn_status fn_checkpoint_link_step(int64_t *step_out, const char *dir, const char *link, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(dir, link);
  if (!path) return fn_err_no_memory(err, "a path");
  char target[PATH_MAX];
  const ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0 && errno == ENOENT) {
    *step_out = 0;
    return FN_OK;
  }
  if (n < 0) return fn_err_errno(err, errno, "%s", path);
  target[n] = '\0';
  const int64_t step = step_of(target);
  if (step < 0) return fn_err_set(err, FN_E_INVALID, "%s: points at \"%s\", not at a step-N folder", path, target);
  *step_out = step;
  return FN_OK;
}

static fn_status remove_entry(const char *dir, const char *name, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(dir, name);
  if (!path) return fn_err_no_memory(err, "a path");
  return fn_dir_remove(path, err);
}

static int newest_first(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x < y) - (x > y);
}

fn_status fn_checkpoint_prune(const char *dir, int64_t last_step, int64_t best_step, int64_t keep, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0, n_steps = 0;
  FN_TRY(fn_dir_list(&names, &n, dir, err));
  FN_AUTO_FREE int64_t *steps = fn_mem_calloc(n, sizeof *steps);
  if (!steps) return fn_err_no_memory(err, "the list of checkpoints");
  for (size_t i = 0; i < n; i++) {
    const int64_t step = step_of(names[i]);
    if (step >= 0 && step != last_step && step != best_step) steps[n_steps++] = step;
  }
  qsort(steps, n_steps, sizeof *steps, newest_first);
  for (size_t i = (size_t)keep; i < n_steps; i++) {
    FN_AUTO_FREE char *path = fn_checkpoint_path(dir, steps[i]);
    if (!path) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_dir_remove(path, err));
  }
  return FN_OK;
}

/* Whoever copies a run without its links would lose all of it by going on. */
static fn_status refuse_lost_link(const char *dir, char *const *names, size_t n, fn_err *err) {
  int64_t newest = -1;
  size_t n_steps = 0;
  for (size_t i = 0; i < n; i++) {
    const int64_t step = step_of(names[i]);
    if (step >= 0) n_steps++;
    if (step > newest) newest = step;
  }
  if (n_steps < 2) return FN_OK; /* one: stopped between the first checkpoint and its link */
  return fn_err_set(err, FN_E_INVALID,
                    "%s: %zu checkpoints, but no link `last` to say where to go on; "
                    "ln -s step-%" PRId64 " %s/last goes on from the newest",
                    dir, n_steps, newest, dir);
}

fn_status fn_checkpoint_recover(const char *dir, int64_t last_step, int64_t best_step, int64_t keep, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, dir, err));
  if (last_step == 0) FN_TRY(refuse_lost_link(dir, names, n, err));
  for (size_t i = 0; i < n; i++) {
    const int64_t step = step_of(names[i]);
    const bool link = strcmp(names[i], "best") == 0 || strcmp(names[i], "last") == 0;
    if (!link && (step < 0 || step > last_step)) FN_TRY(remove_entry(dir, names[i], err));
  }
  if (best_step > 0)
    FN_TRY(set_link(dir, "best", best_step, err));
  else
    FN_TRY(remove_entry(dir, "best", err));
  return fn_checkpoint_prune(dir, last_step, best_step, keep, err);
}
