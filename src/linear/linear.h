/* Facade of src/linear: the linear family. Hashed word and character n-grams, sublinear TF-IDF, L2 logistic
 * regression. Trains in seconds and stands beside every figure of a transformer. Binary: 0 real, 1 fake. */
#ifndef FN_LINEAR_LINEAR_H
#define FN_LINEAR_LINEAR_H

#include "base/base.h"
#include "config/config.h"
#include "data/batch.h"
#include "linear/options.h"

#define FN_LINEAR_MODEL_TYPE "fakenews-linear" /* model_type in config.json */

typedef struct fn_linear fn_linear; /* immutable after training or loading; may be shared by threads */

/* One article. Text is UTF-8 (a bad byte reads as U+FFFD); which halves are used is the model's fn_text_mode. */
typedef struct fn_linear_row {
  fn_str title, text;
  int32_t label; /* 0 or 1 */
  double weight; /* of the row's loss, ≥ 0 and finite; only ratios matter: weights are scaled to mean 1 */
} fn_linear_row;

/* Weights that make every (group, label) count the same in sum: weight of a row = n / (cells · rows of its cell);
 * mean 1. groups[n] names the row's group ("" is a group as well), e.g. its dataset. Sets rows[i].weight. */
FN_NODISCARD fn_status fn_linear_weights_even(fn_linear_row *rows, const fn_str *groups, size_t n, fn_err *err);

/* One value of C tried for one family. */
typedef struct fn_linear_trial {
  const char *family; /* "word" or "char" */
  double c;
  double validation_loss;       /* weighted mean cross-entropy in nats; NaN without validation rows */
  double train_loss;            /* same on the training rows, without the penalty */
  int32_t n_newton, n_products; /* outer steps; products with the Hessian */
  bool converged;               /* gradient below linear.tolerance before linear.max_iterations */
  double seconds;
} fn_linear_trial;
/* Called after each trial on the caller's thread; false stops training with FN_E_CANCELLED. */
typedef bool (*fn_linear_progress)(void *arg, const fn_linear_trial *trial);

/* Trains on n rows; C is chosen on the validation rows by cross-entropy among options' grid (ascending, each solution
 * started from the one before; the rest of the grid is skipped after two rises in a row). n_validation = 0 is allowed
 * with a single value in the grid. progress may be NULL. Errors (FN_E_INVALID): a class without rows, a label or weight
 * outside its range. Memory: about 5 bytes per different n-gram of each article. The same rows give the same bits with
 * any number of threads. */
FN_NODISCARD fn_status fn_linear_train(fn_linear **linear_out, const fn_linear_row *train, size_t n_train,
                                       const fn_linear_row *validation, size_t n_validation, fn_text_mode mode,
                                       const fn_linear_options *options, fn_linear_progress progress,
                                       void *progress_arg, fn_pool *pool, fn_err *err);
void fn_linear_destroy(fn_linear *linear);

/* dir/linear.safetensors (weights, idf) + dir/config.json (model_type "fakenews-linear"); dir must exist. Format:
 * docs/linear.md. A damaged or foreign file is refused with file and key. */
FN_NODISCARD fn_status fn_linear_save(const fn_linear *linear, const char *dir, fn_err *err);
FN_NODISCARD fn_status fn_linear_load(fn_linear **linear_out, const char *dir, fn_err *err);

typedef struct fn_linear_info {
  fn_text_mode mode;
  const char *labels[2]; /* "real", "fake"; owned by the model */
  int32_t hash_bits;
  int32_t word_min, word_max, char_min, char_max; /* n-gram orders; 0, 0: family not used */
  double word_c, char_c;                          /* chosen; 0: family not used */
} fn_linear_info;
void fn_linear_get_info(fn_linear_info *info_out, const fn_linear *linear);

/* Logit of class fake for one article; thread-safe with one scratch per thread. The same bits wherever it is called. */
typedef struct fn_linear_scratch fn_linear_scratch;
FN_NODISCARD fn_status fn_linear_scratch_create(fn_linear_scratch **scratch_out, const fn_linear *linear, fn_err *err);
void fn_linear_scratch_destroy(fn_linear_scratch *scratch);
FN_NODISCARD fn_status fn_linear_predict(double *logit_out, const fn_linear *linear, fn_linear_scratch *scratch,
                                         fn_str title, fn_str text, fn_err *err);
/* How usual an article is for the model; found on the way, at next to no cost. */
typedef struct fn_linear_facts {
  int64_t n_ngrams; /* different word n-grams (character n-grams where the model has no words) */
  double novelty;   /* mean over them of idf / the model's largest idf, 1 for those that training never saw: in [0,1], 0
                     * without n-grams. Hashing gives most unseen n-grams the place of a rare one, so rareness is what can
                     * be measured, not having been seen. */
} fn_linear_facts;
FN_NODISCARD fn_status fn_linear_predict_facts(double *logit_out, fn_linear_facts *facts_out, const fn_linear *linear,
                                               fn_linear_scratch *scratch, fn_str title, fn_str text, fn_err *err);
/* A word n-gram's part in the logit, exactly: the logit is the model's constant + Σ over all different word and
 * character n-grams. */
typedef struct fn_linear_ngram {
  bool in_title;
  size_t begin, end;   /* bytes of the title or text where it stands first */
  double contribution; /* to the logit, positive towards fake; of all its occurrences together */
} fn_linear_ngram;
/* The max word n-grams with the greatest |contribution|, falling; returns how many. Character n-grams are not listed:
 * they are many, and say nothing to a reader. An n-gram over the end of the title is listed with its part in the text.
 * title and text as for fn_linear_predict, which must have accepted them. */
size_t fn_linear_explain(fn_linear_ngram *ngrams_out, size_t max, const fn_linear *linear, fn_linear_scratch *scratch,
                         fn_str title, fn_str text);
/* Words, and other marks one by one, that the model reads of an article. */
size_t fn_linear_count_tokens(const fn_linear *linear, fn_str title, fn_str text);

/* A model as a packed file keeps it, 2 bytes a bucket instead of 8: weight = weight_scale · q · |q|, idf = idf_scale ·
 * u (0 stays 0: never seen in training). The square spends the 255 steps where most weights are, near 0. */
typedef struct fn_linear_table {
  const int8_t *weight; /* [n] */
  const uint8_t *idf;   /* [n] */
  size_t n;             /* buckets; 0: family not used */
  double weight_scale, idf_scale;
} fn_linear_table;
enum { FN_LINEAR_WORD_TABLE, FN_LINEAR_CHAR_TABLE, FN_LINEAR_N_TABLES };
/* tables[i].weight and idf are one malloc'd block each, released by the caller (through a cast). Appends to *json what
 * else makes the model up (an object, as text). The model must not be a packed one itself. */
FN_NODISCARD fn_status fn_linear_pack(fn_linear_table tables_out[FN_LINEAR_N_TABLES], fn_buf *json,
                                      const fn_linear *linear, fn_err *err);
/* The tables must outlive the model; scales are read from json. name stands in errors. */
FN_NODISCARD fn_status fn_linear_open_packed(fn_linear **linear_out, const fn_linear_table tables[FN_LINEAR_N_TABLES],
                                             fn_str json, const char *name, fn_err *err);

#endif
