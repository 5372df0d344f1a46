/* Working state of fn_prepare_run, passed from stage to stage:
 *   prepare_read.c    files → articles
 *   prepare_clean.c   boilerplate, empty rows
 *   prepare_copies.c  exact and near duplicates, conflicting labels
 *   prepare_split.c   splits, copies across them
 *   prepare_write.c   the folder and prepare.json */
#ifndef FN_DATA_PREPARE_INTERNAL_H
#define FN_DATA_PREPARE_INTERNAL_H

#include "data/labels.h"
#include "data/names.h"
#include "data/prepare.h"
#include "data/rules.h"

enum { KEPT = 255, NO_SPLIT = 255 };

typedef struct article {
  fn_str title, text, source; /* in the arena */
  uint32_t dataset;           /* name in prepare.datasets */
  uint32_t group;             /* name in prepare.groups (data.split=group) */
  int64_t row;                /* over all files, refused and dropped rows counted */
  fn_hash128 hash;            /* of title and text */
  fn_hash128 key;             /* of what data.text reads */
  uint32_t cluster;           /* smallest article of its near-duplicate cluster */
  uint32_t same;              /* smallest article with the same text */
  int8_t label;
  uint8_t split; /* fn_split or NO_SPLIT */
  uint8_t drop;  /* fn_drop or KEPT */
} article;

struct fn_prepared {
  const fn_prepare_request *request;
  const fn_data_options *options;
  double fractions[FN_SPLIT_COUNT];
  fn_rules *rules;
  fn_arena arena;  /* texts as read, names, parts of the report */
  fn_buf *cleaned; /* [n_cleaned] texts that rules changed, one buffer per chunk of articles */
  size_t n_cleaned;
  fn_names datasets, groups;
  article *articles; /* rows with a label and some text; in order of input */
  size_t n_articles, capacity;
  fn_prepare_report report;
  fn_prepare_file *files;
  fn_prepare_value *values;
  fn_prepare_rule *rule_counts;
  fn_prepare_set *sets;
};

/* Before anything is read: what can be refused at once. */
FN_NODISCARD fn_status fn_prepare_check_out(const fn_prepare_request *request, fn_err *err);
FN_NODISCARD fn_status fn_prepare_start_rules(fn_prepared *p, fn_err *err);

FN_NODISCARD fn_status fn_prepare_read(fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_prepare_clean(fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_prepare_copies(fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_prepare_split(fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_prepare_write(fn_prepared *p, fn_err *err);

/* Takes an article out and counts it. */
void fn_prepare_drop(fn_prepared *p, article *a, fn_drop why);
/* Whether what data.text asks for is empty. */
bool fn_prepare_is_empty(const fn_prepared *p, fn_str title, fn_str text);
void fn_prepare_progress(const fn_prepared *p, const char *stage, uint64_t n_done);
FN_NODISCARD fn_status fn_prepare_check_stop(const fn_prepared *p, fn_err *err);

#endif
