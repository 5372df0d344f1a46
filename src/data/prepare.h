/* From files of articles to a prepared dataset: read, label, drop what is empty, cut boilerplate, find duplicates,
 * divide, write. Every row that is read is accounted for in the report and in DIR/prepare.json. */
#ifndef FN_DATA_PREPARE_H
#define FN_DATA_PREPARE_H

#include "data/dataset.h"
#include "data/options.h"

/* Why a row that was read is not in the dataset. */
#define FN_DROP_LIST(X)                                                                                                \
  X(FN_DROP_NO_LABEL, "no_label", "the label is empty or missing")                                                     \
  X(FN_DROP_LABEL_MAP, "label_map", "data.label_map says drop")                                                        \
  X(FN_DROP_EMPTY, "empty", "nothing in what data.text names")                                                         \
  X(FN_DROP_EMPTY_AFTER_RULES, "empty_after_rules", "nothing but boilerplate")                                         \
  X(FN_DROP_CONFLICT_EXACT, "conflicting_exact", "copies with both labels")                                            \
  X(FN_DROP_CONFLICT_NEAR, "conflicting_near", "near copies, both labels")                                             \
  X(FN_DROP_EXACT, "exact_duplicate", "an exact copy is kept")                                                         \
  X(FN_DROP_TRAIN_COPY, "copy_in_train", "kept in validation or test")                                                 \
  X(FN_DROP_VALIDATION_COPY, "copy_in_validation", "a copy in test is kept")
typedef enum fn_drop {
#define FN_DROP_ENUM(code, name, meaning) code,
  FN_DROP_LIST(FN_DROP_ENUM)
#undef FN_DROP_ENUM
      FN_DROP_COUNT
} fn_drop;
const char *fn_drop_name(fn_drop drop);
const char *fn_drop_meaning(fn_drop drop);

/* One input. LABEL:FILE sets label for all of its rows; else label is FN_LABEL_UNKNOWN and the label column is read. */
typedef struct fn_prepare_input {
  const char *path;
  int label;         /* fn_label */
  const char *given; /* the label as it was written, or NULL */
} fn_prepare_input;

/* Takes "[LABEL:]FILE" apart; *input_out points into argument, its label's text into *arena. A file that exists under
 * the whole name is taken as such. FN_E_INVALID when what stands before the colon is no label. */
FN_NODISCARD fn_status fn_prepare_parse_input(fn_prepare_input *input_out, fn_arena *arena, const char *argument,
                                              const fn_data_options *options, fn_err *err);

/* Counts; pairs are [real, fake]. */
typedef struct fn_prepare_file {
  const char *name; /* base name */
  const char *format;
  const char *encoding;  /* as fn_encoding_name */
  const char *delimiter; /* of CSV, as data.delimiter takes it; else NULL */
  const char *label;     /* "real", "fake" or NULL */
  const char *source;    /* address that `data download` fetched it from; NULL: not known */
  const char *license;   /* NULL: not known */
  uint64_t n_bytes, n_rows;
  fn_hash128 hash;
} fn_prepare_file;
typedef struct fn_prepare_value {
  fn_str value; /* of the label column, in lower case, trimmed; or the LABEL of LABEL:FILE */
  int label;    /* fn_label */
  uint64_t n_rows;
} fn_prepare_value;
typedef struct fn_prepare_rule {
  const char *name;
  uint64_t n_rows[2]; /* rows in which it cut something */
} fn_prepare_rule;
typedef struct fn_prepare_set {
  fn_str name;
  uint64_t n_rows[FN_SPLIT_COUNT][2];
} fn_prepare_set;

typedef struct fn_prepare_report {
  const fn_prepare_file *files;
  size_t n_files;
  uint64_t n_read, n_kept;
  uint64_t dropped[FN_DROP_COUNT];             /* all rows */
  uint64_t dropped_by_label[FN_DROP_COUNT][2]; /* those with a label */
  const fn_prepare_value *values;              /* by first appearance; at most 64 */
  size_t n_values;
  uint64_t n_no_title[2], n_no_text[2]; /* kept rows without one of the two */
  const fn_prepare_rule *rules;
  size_t n_rules;
  fn_hash128 rules_hash;
  uint64_t n_exact_groups;                               /* sets of exact copies */
  uint64_t n_near_clusters, n_near_rows, n_near_largest; /* clusters of two or more different rows, before dropping */
  uint64_t n_near_candidates, n_near_pairs, n_near_skipped;
  uint64_t n_groups; /* of data.split=group; 0 otherwise */
  uint64_t n_split[FN_SPLIT_COUNT][2];
  const fn_prepare_set *sets; /* by first appearance */
  size_t n_sets;
  fn_str examples[2][2]; /* two titles per class (begin of the text where there is none); "" when there are fewer */
  fn_hash128 dataset_hash;
} fn_prepare_report;

typedef struct fn_prepare_request {
  const fn_prepare_input *inputs;
  size_t n_inputs;
  const char *out;               /* folder to make; a leftover of an earlier run beside it does no harm */
  bool replace;                  /* an older prepared dataset at `out` gives way; anything else there is an error */
  const char *version;           /* of the program, for prepare.json */
  const fn_tokenizer *tokenizer; /* also makes the token cache; NULL: none */
  fn_pool *pool;                 /* NULL: one thread; results do not depend on it */
  bool (*stop)(void);            /* asked now and then; NULL: never stops. FN_E_CANCELLED */
  void (*progress)(void *arg, const char *stage, uint64_t n_done); /* NULL: none. Rows done in this stage */
  void *progress_arg;
} fn_prepare_request;

typedef struct fn_prepared fn_prepared;

/* Does it all. `out` appears by rename when everything is in it; on failure nothing is left behind. The same inputs,
 * settings and version give the same bytes. Errors: FN_E_INVALID / FN_E_NOT_FOUND with file, line and setting, when the
 * input is refused, when `out` is in the way, when a split comes out empty or without one class; FN_E_IO. */
FN_NODISCARD fn_status fn_prepare_run(fn_prepared **prepared_out, const fn_prepare_request *request,
                                      const fn_data_options *options, fn_err *err);
const fn_prepare_report *fn_prepared_report(const fn_prepared *prepared); /* lives as long as prepared */
void fn_prepared_destroy(fn_prepared *prepared);

#endif
