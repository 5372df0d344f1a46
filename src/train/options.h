/* Settings of src/train: family, name, train.*. */
#ifndef FN_TRAIN_OPTIONS_H
#define FN_TRAIN_OPTIONS_H

#include "config/config.h"

typedef enum fn_train_sampling {
  FN_TRAIN_SAMPLING_AUTO,
  FN_TRAIN_SAMPLING_RANDOM,
  FN_TRAIN_SAMPLING_EVEN
} fn_train_sampling;
typedef enum fn_train_crop { FN_TRAIN_CROP_NONE, FN_TRAIN_CROP_RANDOM } fn_train_crop;
typedef enum fn_family { FN_FAMILY_BERT, FN_FAMILY_LINEAR } fn_family;

typedef struct fn_train_options {
  int family;            /* fn_family */
  const char *name;      /* part of the run folder's name; NULL: the family's */
  const char *leave_out; /* dataset whose rows are kept from training; NULL: none */

  int64_t epochs;
  int64_t max_steps; /* INT64_MIN: as epochs say */
  int64_t batch_size;
  int64_t micro_batch_tokens;
  int64_t max_tokens;
  int64_t seed;

  double learning_rate, warmup;
  int schedule; /* fn_schedule_kind */
  double beta1, beta2, epsilon, weight_decay;
  bool decay_all;
  double max_grad_norm; /* NaN: no clipping */
  double label_smoothing;
  const char *class_weights; /* NULL, "balanced" or "[a,b]" */
  int sampling;              /* fn_train_sampling */
  double mask_tokens;        /* share of tokens hidden in training, in [0,1) */
  int crop;                  /* fn_train_crop */
  const char *freeze;        /* "none", "embeddings", "encoder" or a number of layers */

  int64_t patience;       /* INT64_MIN: no early stopping */
  int64_t evaluate_every; /* steps; INT64_MIN: at the end of epochs only */
  int64_t save_every;     /* steps; INT64_MIN: at evaluations only */
  int64_t keep;
  int64_t log_every;
} fn_train_options;

extern const fn_option_table fn_train_option_table;

/* Names known from Hugging Face, Lightning and elsewhere, for "did you mean"; ends with name = NULL. */
extern const fn_option_alias fn_train_option_aliases[];

/* Settings that may differ when a run is resumed, because no earlier number depends on them. Ends with NULL. */
extern const char *const fn_train_resumable_keys[];

/* train.class_weights as numbers. counts[2]: rows per class; "balanced" gives n / (2 · counts[k]), as scikit-learn
 * does. FN_E_INVALID when the text is none of the accepted forms. */
FN_NODISCARD fn_status fn_class_weights_parse(double weights_out[2], const char *text, const size_t counts[2],
                                              fn_err *err);

/* What train.freeze leaves unchanged. */
typedef struct fn_freeze {
  bool embeddings, all; /* all: everything but the head */
  int32_t n_layers;     /* layers 0 … n_layers-1 */
} fn_freeze;
FN_NODISCARD fn_status fn_freeze_parse(fn_freeze *freeze_out, const char *text, int32_t n_layers, fn_err *err);

#endif
