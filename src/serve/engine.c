#include "serve/engine.h"

#include <math.h>
#include <stdatomic.h>

struct fn_engine {
  atomic_size_t n_refs;
  fn_classifier *classifier;
  char *path;
  int64_t loaded_ms;
  size_t n_workers;
  fn_device **devices;   /* [n_workers] */
  fn_session **sessions; /* [n_workers] */
};

static void destroy(fn_engine *e) {
  for (size_t i = 0; i < e->n_workers; i++) {
    if (e->sessions != NULL) fn_session_destroy(e->sessions[i]);
    if (e->devices != NULL) fn_device_destroy(e->devices[i]);
  }
  fn_classifier_destroy(e->classifier);
  free(e->sessions);
  free(e->devices);
  free(e->path);
  free(e);
}

/* A model that answers nonsense must not replace one that works. */
static fn_status test_answer(fn_engine *e, fn_err *err) {
  static const char text[] = "The council approved the budget on Tuesday by seven votes to four, the minutes show.";
  const fn_article article = {.title = fn_str_from("Council approves budget"), .text = fn_str_from(text)};
  const fn_classifier_info *info = fn_engine_get_info(e);
  fn_prediction p = {0};
  FN_TRY(fn_session_classify(&p, e->sessions[0], &article, 1, err));
  if (p.status != FN_OK) return fn_err_set(err, p.status, "%s: self-test: %s", e->path, p.message);
  double sum = 0.0;
  for (int32_t k = 0; k < info->n_labels; k++) sum += p.probabilities[k];
  if (!(fabs(sum - 1.0) < 1e-6))
    return fn_err_set(err, FN_E_INVALID, "%s: self-test: the model's probabilities are no numbers", e->path);
  return FN_OK;
}

static fn_status start(fn_engine *e, const fn_engine_options *o, fn_err *err) {
  FN_TRY(fn_classifier_load(&e->classifier, e->path, err));
  FN_TRY(fn_classifier_verify(e->classifier, err));
  fn_device_options device = fn_tensor_options_device(o->tensor);
  device.n_threads = 1;
  for (; e->n_workers < o->n_workers; e->n_workers++) {
    const size_t i = e->n_workers;
    FN_TRY(fn_device_create(&e->devices[i], &device, err));
    fn_status status = fn_session_create(&e->sessions[i], e->classifier, o->infer, e->devices[i], err);
    if (status != FN_OK) {
      fn_device_destroy(e->devices[i]);
      return status;
    }
  }
  for (size_t i = 0; i < e->n_workers && o->embeddings; i++)
    FN_TRY(fn_session_keep_embeddings(e->sessions[i], true, err));
  return test_answer(e, err);
}

fn_status fn_engine_open(fn_engine **engine_out, const char *path, const fn_engine_options *options, fn_err *err) {
  fn_engine *e = fn_mem_calloc(1, sizeof *e);
  if (e == NULL) return fn_err_no_memory(err, "a model in service");
  atomic_init(&e->n_refs, 1);
  e->path = fn_str_dup(fn_str_from(path));
  e->devices = fn_mem_calloc(options->n_workers, sizeof(fn_device *));
  e->sessions = fn_mem_calloc(options->n_workers, sizeof(fn_session *));
  e->loaded_ms = fn_clock_unix_ms();
  fn_status status = e->path != NULL && e->devices != NULL && e->sessions != NULL
                         ? start(e, options, err)
                         : fn_err_no_memory(err, "a model in service");
  if (status != FN_OK) {
    destroy(e);
    return status;
  }
  *engine_out = e;
  return FN_OK;
}

fn_engine *fn_engine_ref(fn_engine *e) {
  atomic_fetch_add_explicit(&e->n_refs, 1, memory_order_relaxed);
  return e;
}

void fn_engine_unref(fn_engine *e) {
  if (e != NULL && atomic_fetch_sub_explicit(&e->n_refs, 1, memory_order_acq_rel) == 1) destroy(e);
}

const fn_classifier_info *fn_engine_get_info(const fn_engine *e) {
  return fn_classifier_get_info(e->classifier);
}
const char *fn_engine_path(const fn_engine *e) {
  return e->path;
}
int64_t fn_engine_loaded_ms(const fn_engine *e) {
  return e->loaded_ms;
}
fn_session *fn_engine_session(fn_engine *e, size_t worker) {
  return e->sessions[worker];
}
