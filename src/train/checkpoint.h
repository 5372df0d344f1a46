/* Checkpoints: immutable folders checkpoints/step-N/ that appear by rename, whole or not at all.
 *   model/                 a Hugging Face directory with its tokenizer: all that is ever shipped
 *   optimiser.safetensors  m.<parameter> and v.<parameter>, F32
 *   state.json             train/state.h
 * Links checkpoints/last and checkpoints/best are replaced by rename after the folder is there. */
#ifndef FN_TRAIN_CHECKPOINT_H
#define FN_TRAIN_CHECKPOINT_H

#include "model/model.h"
#include "train/state.h"

/* What a checkpoint holds; all borrowed. m, v: slabs as the model's values. */
typedef struct fn_checkpoint {
  const fn_model *model;
  const fn_tokenizer *tokenizer;
  const fn_model_config *config; /* what config.json says: the model's, with labels and usage */
  float *m, *v;
  fn_train_state *state;
} fn_checkpoint;

/* Writes dir/step-<state->step> (dir = RUN/checkpoints) and sets `last`, and `best` when state's best step is this one.
 * A failure (full disk) leaves dir as it was and is FN_E_IO. path_out (may be NULL) is malloc'd. */
FN_NODISCARD fn_status fn_checkpoint_write(char **path_out, const fn_checkpoint *checkpoint, const char *dir,
                                           fn_err *err);
/* Fills m, v and *state from a checkpoint's folder. The model was loaded from <path>/model. */
FN_NODISCARD fn_status fn_checkpoint_read(const fn_checkpoint *checkpoint, const char *path, fn_err *err);

/* Step that dir/<link> points at; 0 when there is no such link. */
FN_NODISCARD fn_status fn_checkpoint_link_step(int64_t *step_out, const char *dir, const char *link, fn_err *err);
/* Makes dir what it was when the saving of last_step was done: removes half-written and later folders, points `best` at
 * best_step, removes what fn_checkpoint_prune would. last_step 0: there is no link `last`; FN_E_INVALID when there are
 * several checkpoints all the same. */
FN_NODISCARD fn_status fn_checkpoint_recover(const char *dir, int64_t last_step, int64_t best_step, int64_t keep,
                                             fn_err *err);
/* Removes folders but best, last and the `keep` newest others. */
FN_NODISCARD fn_status fn_checkpoint_prune(const char *dir, int64_t last_step, int64_t best_step, int64_t keep,
                                           fn_err *err);
/* dir/step-N; malloc'd, NULL when memory is short. */
char *fn_checkpoint_path(const char *dir, int64_t step);

#endif
