/* Working state of fn_prepare_run, passed from stage to stage:
 *   prepare_read.c    files → loads of rows
 *   prepare_load.c    loads on their way: read ahead, cleaned and hashed in threads, put into temporary files
 *   prepare_clean.c   boilerplate, empty rows, hashes, keys for near copies
 *   prepare_copies.c  exact and near duplicates, conflicting labels
 *   prepare_split.c   splits, copies across them
 *   prepare_rows.c    the articles that are left, with their token ids, into a folder
 *   prepare_write.c   that folder and prepare.json beside the output's place, then there
 *
 * In memory a row that was taken (an article, numbered in order of input) has one byte of flags and four of its
 * cluster; everything else of it waits in two temporary files, fixed-size records and texts, that are read in order. */
#ifndef FN_DATA_PREPARE_INTERNAL_H
#define FN_DATA_PREPARE_INTERNAL_H

#include "data/duplicates.h"
#include "data/labels.h"
#include "data/names.h"
#include "data/prepare.h"
#include "data/rules.h"

enum { NO_SPLIT = FN_SPLIT_COUNT };

/* Flags of an article. */
enum {
  ARTICLE_FAKE = 1,
  ARTICLE_SPLIT_SHIFT = 1, /* two bits: fn_split or NO_SPLIT */
  ARTICLE_SPLIT = 6,
  ARTICLE_COPY = 8,      /* an exact copy of an article before it */
  ARTICLE_CONFLICT = 16, /* an exact copy has the other label */
  ARTICLE_DROPPED = 32,
};

/* An article as it lies in prepared.records. */
typedef struct article {
  uint64_t at;                  /* of title, text and source, one after the other, in prepared.texts */
  int64_t row;                  /* over all files, refused and dropped rows counted */
  fn_hash128 hash;              /* of title and text */
  uint32_t title, text, source; /* bytes */
  uint32_t dataset;             /* name in prepared.datasets */
  uint32_t group;               /* name in prepared.groups (data.split=group) */
  uint32_t zero;
} article;

/* A row in a load. */
typedef struct load_row {
  size_t at; /* of title, text and source, one after the other, in load.bytes */
  int64_t row;
  uint32_t title, text, source, dataset, group;
  int8_t label;
  uint8_t split;
  /* Made by fn_prepare_clean: */
  bool is_empty, has_keys;
  fn_str clean_title, clean_text;
  fn_hash128 hash, key; /* key: of what data.text reads */
} load_row;

enum { LOAD_ROWS = 4096, LOAD_BYTES = 4 << 20, CLEAN_ROWS = 64 }; /* a load is full at either; rows of a task */

typedef struct fn_load {
  fn_buf bytes;
  load_row *rows; /* [LOAD_ROWS] */
  size_t n;
} fn_load;

struct fn_prepared {
  const fn_prepare_request *request;
  const fn_data_options *options;
  double fractions[FN_SPLIT_COUNT];
  fn_rules *rules;
  fn_arena arena; /* parts of the report */
  fn_names datasets, groups;
  char *folder; /* for temporary files: where the output goes, or the nearest folder above that exists */
  fn_spill records, texts;
  fn_sorter keys;  /* exact copies: upper half of the key's hash → a quarter of it and the article */
  fn_spill copies; /* articles with exact copies: pairs (first of the copies, article); not with data.split=random */
  fn_near *near;   /* NULL: off */
  uint8_t *flags;  /* [n_articles] */
  size_t n_articles, capacity;
  fn_clusters clusters;
  fn_prepare_report report;
  fn_prepare_file *files;
  fn_prepare_value *values;
  fn_prepare_rule *rule_counts;
  fn_prepare_set *sets;
};

/* Before anything is read: what can be refused at once. */
FN_NODISCARD fn_status fn_prepare_check_out(const fn_prepare_request *request, fn_err *err);
FN_NODISCARD fn_status fn_prepare_start_rules(fn_prepared *p, fn_err *err);

/* Rows of all input files, load by load. */
typedef struct fn_prepare_reader fn_prepare_reader;
FN_NODISCARD fn_status fn_prepare_reader_create(fn_prepare_reader **reader_out, fn_prepared *p, fn_err *err);
void fn_prepare_reader_destroy(fn_prepare_reader *reader);
/* Empties the load and fills it; at the end of all files it stays empty. Beside the rows it counts in p->report and
 * adds names. */
FN_NODISCARD fn_status fn_prepare_reader_fill(fn_load *load, fn_prepare_reader *reader, fn_err *err);

/* Scratch memory of one thread. */
typedef struct fn_cleaner {
  fn_rules_scratch rules;
  fn_buf normalised;
  fn_words words;
} fn_cleaner;
void fn_cleaner_deinit(fn_cleaner *cleaner);
/* What cleaning CLEAN_ROWS rows gives beside the rows themselves. */
typedef struct fn_cleaned {
  fn_buf texts; /* those that rules changed */
  uint64_t hits[FN_RULES_MAX][2];
  fn_err err;
} fn_cleaned;
/* Rows [begin, end) of a load; keys[LOAD_ROWS][bands]. */
void fn_prepare_clean(fn_cleaned *cleaned_out, uint64_t *keys, const fn_prepared *p, fn_load *load, size_t begin,
                      size_t end, fn_cleaner *cleaner);

FN_NODISCARD fn_status fn_prepare_load(fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_prepare_copies(fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_prepare_split(fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_prepare_write_rows(fn_prepared *p, const char *dir, fn_err *err);
FN_NODISCARD fn_status fn_prepare_write(fn_prepared *p, fn_err *err);

/* Articles in order. */
FN_NODISCARD fn_status fn_articles_begin(fn_spill_cursor *cursor_out, const fn_prepared *p, fn_err *err);
FN_NODISCARD fn_status fn_articles_next(article *article_out, bool *more_out, fn_spill_cursor *cursor, fn_err *err);
FN_NODISCARD fn_status fn_articles_get(article *article_out, const fn_prepared *p, size_t i, fn_err *err);

/* Counts a row that is taken out; fn_prepare_drop for an article. */
void fn_prepare_count_drop(fn_prepared *p, int label, fn_drop why);
void fn_prepare_drop(fn_prepared *p, size_t i, fn_drop why);
/* Whether what data.text asks for is empty. */
bool fn_prepare_is_empty(const fn_prepared *p, fn_str title, fn_str text);
void fn_prepare_progress(const fn_prepared *p, const char *stage, uint64_t n_done);
FN_NODISCARD fn_status fn_prepare_check_stop(const fn_prepared *p, fn_err *err);

static inline int fn_article_label(uint8_t flags) {
  return flags & ARTICLE_FAKE;
}
static inline int fn_article_split(uint8_t flags) {
  return (flags & ARTICLE_SPLIT) >> ARTICLE_SPLIT_SHIFT;
}
static inline uint8_t fn_article_with_split(uint8_t flags, int split) {
  return (uint8_t)((flags & ~ARTICLE_SPLIT) | split << ARTICLE_SPLIT_SHIFT);
}

#endif
