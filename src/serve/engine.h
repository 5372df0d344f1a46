/* A model in service: its classifier and one session for each worker. Immutable but for the sessions, each of which
 * belongs to its worker; counted, so that a request finishes on the model it began with while a new one takes over. */
#ifndef FN_SERVE_ENGINE_H
#define FN_SERVE_ENGINE_H

#include "infer/infer.h"
#include "tensor/options.h"

typedef struct fn_engine fn_engine;

typedef struct fn_engine_options {
  const fn_infer_options *infer;
  const fn_tensor_options *tensor; /* the level of the CPU; every session has one thread */
  size_t n_workers;                /* [1,256] */
  bool embeddings;                 /* predictions carry them (fn_session_keep_embeddings) */
} fn_engine_options;

/* Opens the model, reads every byte of a packed one (its weights must be those that were written), makes the sessions
 * and lets the first classify a sentence whose answer must be finite. One reference is the caller's. */
FN_NODISCARD fn_status fn_engine_open(fn_engine **engine_out, const char *path, const fn_engine_options *options,
                                      fn_err *err);
fn_engine *fn_engine_ref(fn_engine *engine);
void fn_engine_unref(fn_engine *engine); /* NULL is fine; any thread */

const fn_classifier_info *fn_engine_get_info(const fn_engine *engine);
const char *fn_engine_path(const fn_engine *engine);
int64_t fn_engine_loaded_ms(const fn_engine *engine); /* Unix time */
/* worker in [0, n_workers). */
fn_session *fn_engine_session(fn_engine *engine, size_t worker);

#endif
