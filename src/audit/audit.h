/* Facade of src/audit: whether a prepared dataset gives its labels away. Which single word, length, mark or publisher
 * predicts the label, what a linear model over words keeps without the worst of them, and what the splits share.
 *
 * Everything is fitted or chosen on train and judged on test (validation where test lacks a class). The intervals of
 * all single probes hold together: each is a 1 - 0.05/m interval, m probes judged (Bonferroni), so that the best of
 * many is not praised for its luck. Rows are taken as independent.
 *
 * Work and memory are bounded: probes read a drawn part of the rows (audit.train_rows, audit.test_rows), and of each
 * article the first FN_AUDIT_MAX_BYTES; the overlap reads all rows of train once and remembers only keys of the drawn
 * rows of the other splits. The same bytes with any number of threads. */
#ifndef FN_AUDIT_AUDIT_H
#define FN_AUDIT_AUDIT_H

#include "audit/options.h"
#include "data/dataset.h"

#define FN_AUDIT_FORMAT 1

/* Words take part from this many rows of train on; longer texts are read up to here; a row's share of the byte budget.
 */
enum { FN_AUDIT_MIN_ROWS = 5, FN_AUDIT_MAX_BYTES = 1 << 16, FN_AUDIT_ROW_BYTES = 2400 };

/* Balanced accuracy on test from which a single feature, or style as a whole, is called so. The lower end of the
 * interval must lie above 0.5 as well. */
#define FN_AUDIT_GIVES_AWAY 0.90
#define FN_AUDIT_STRONG     0.75
#define FN_AUDIT_WEAK       0.60

typedef enum fn_audit_kind { FN_AUDIT_WORD, FN_AUDIT_STYLE, FN_AUDIT_SOURCE, FN_AUDIT_DATASET } fn_audit_kind;
typedef enum fn_audit_field { FN_AUDIT_TITLE, FN_AUDIT_TEXT, FN_AUDIT_ROW } fn_audit_field;
const char *fn_audit_kind_name(fn_audit_kind kind);    /* "word" … */
const char *fn_audit_field_name(fn_audit_field field); /* "title", "text", "row" */

/* One feature and the rule made of it on train. Words: side where the word occurs. Style: side where value > threshold.
 * Source, dataset: the class that is the more frequent one there, as a share of its class, in train; side and threshold
 * mean nothing. */
typedef struct fn_audit_probe {
  fn_audit_kind kind;
  fn_audit_field field;
  fn_str name;      /* the word, cased; the feature's name (style.h) */
  const char *unit; /* what style counts: "characters", "share of letters" …; "" otherwise */
  int side;         /* class that the rule says above the threshold: 0 real, 1 fake */
  double threshold;
  double coverage; /* share of test rows where it occurs (value > 0); source: where train knows it */
  double train;    /* balanced accuracy of the rule on train */
  double balanced_accuracy, low, high; /* on test, with the interval */
  double accuracy, auc;
  bool is_found;       /* low > 0.5 and balanced_accuracy ≥ 0.55: worth a line */
  int32_t folded_into; /* index of the better probe of the same field that says nearly the same (phi ≥ 0.7 on
                        * train), or -1 */
  const fn_str *with;  /* [n_with] further words of the field that say nearly the same, best first */
  size_t n_with;
} fn_audit_probe;

/* A linear model: L2 logistic regression, C = 10, classes weighted evenly. Words: presence, title and text apart,
 * weighted by idf, rows of length 1, without the `removed` words that alone give the most on train. Style: all features
 * cut into tenths. */
typedef struct fn_audit_model {
  const char *name; /* "words", "style" */
  size_t removed, n_features;
  double balanced_accuracy, accuracy, low, high; /* on test; Wilson interval of accuracy */
  double auc;
} fn_audit_model;

/* What rows of one split share with another one. */
typedef enum fn_audit_share {
  FN_AUDIT_SHARE_ROW,      /* hash of title and text */
  FN_AUDIT_SHARE_TEXT,     /* same words in the same order, text only */
  FN_AUDIT_SHARE_HALF,     /* at least half of its sentences */
  FN_AUDIT_SHARE_SENTENCE, /* at least one sentence of 8 or more words */
  FN_AUDIT_SHARE_TITLE,    /* same title of 3 or more words */
  FN_AUDIT_SHARE_HEAD,     /* first 8 words of the text */
  FN_AUDIT_SHARE_TAIL,     /* last 8 words */
  FN_AUDIT_SHARE_CLUSTER,  /* near-duplicate cluster, as prepared */
  FN_AUDIT_SHARE_SOURCE,   /* publisher */
  FN_AUDIT_N_SHARES
} fn_audit_share;
const char *fn_audit_share_name(fn_audit_share share);
const char *fn_audit_share_meaning(fn_audit_share share);
typedef struct fn_audit_shared {
  uint64_t n;            /* drawn rows that have such a thing (a title, a sentence …) */
  uint64_t n_hit;        /* of these, it occurs in train */
  uint64_t n_same_label; /* of the hits, most rows of train that have it carry the label of the row */
} fn_audit_shared;

/* A sentence that stands in train and test. */
typedef struct fn_audit_sentence {
  uint64_t hash, n_words;
  uint64_t n_train[2]; /* times in train, by class */
  fn_str begin;        /* at most its first 5 words, as one row of test has them */
} fn_audit_sentence;

typedef enum fn_audit_level { FN_AUDIT_NOTE, FN_AUDIT_WARNING, FN_AUDIT_ALARM } fn_audit_level;
const char *fn_audit_level_name(fn_audit_level level);
/* code is stable and documented in docs/data.md; text is a sentence, setting what to try. */
typedef struct fn_audit_finding {
  fn_audit_level level;
  const char *code;
  const char *text, *setting;
} fn_audit_finding;

typedef struct fn_audit_report {
  fn_hash128 dataset_hash;
  fn_split judged_on;
  uint64_t n_rows[FN_SPLIT_COUNT][2]; /* all rows */
  uint64_t n_drawn[FN_SPLIT_COUNT];   /* read for probes (train, the judging split) and for the overlap (the others) */
  uint64_t n_judged[2];               /* drawn rows of the judging split */
  double majority;                    /* share of its larger class: accuracy of always saying that of train */
  const fn_audit_probe *probes;       /* best on train first */
  size_t n_probes, n_words;           /* n_words: words that took part */
  const fn_audit_model *models;       /* words without 0, 1, 5, 20, 100; then style */
  size_t n_models;
  uint64_t n_sources, n_sources_both_classes,
      n_sources_both_splits;                            /* among the drawn rows of train and judging split */
  uint64_t n_rows_with_source, n_rows_one_class_source; /* drawn rows; of these in sources of two or more, one class */
  uint64_t n_datasets;
  fn_audit_shared shared[FN_SPLIT_COUNT][FN_AUDIT_N_SHARES]; /* [split of the drawn rows] against train */
  fn_audit_shared between[FN_AUDIT_N_SHARES];                /* test against validation */
  const fn_audit_sentence *sentences;                        /* most frequent in train first */
  size_t n_sentences;
  const fn_audit_finding *findings; /* worst first */
  size_t n_findings;
  const char *verdict; /* a sentence */
  fn_audit_level level;
  double worst;                      /* largest balanced accuracy of a single probe that is found; 0.5 without one */
  const fn_audit_probe *worst_probe; /* NULL without one */
} fn_audit_report;

typedef struct fn_audit fn_audit;

typedef struct fn_audit_request {
  const char *dir;    /* a prepared dataset */
  bool brief;         /* the short form: a tenth of the rows, fewer models */
  fn_pool *pool;      /* NULL: one thread */
  bool (*stop)(void); /* NULL: never stops. FN_E_CANCELLED */
} fn_audit_request;

/* FN_E_INVALID / FN_E_NOT_FOUND: no prepared dataset, or train, or both of test and validation, lack a class. */
FN_NODISCARD fn_status fn_audit_run(fn_audit **audit_out, const fn_audit_request *request,
                                    const fn_audit_options *options, fn_err *err);
const fn_audit_report *fn_audit_get_report(const fn_audit *audit); /* lives as long as audit */
void fn_audit_destroy(fn_audit *audit);

/* Appends what a probe looks at: "the word "x" in the text", "the title's capitals (> 14.6 %)", "the publisher". */
void fn_audit_describe(fn_buf *out, const fn_audit_probe *probe);
/* "> 14.6 %" for a probe of style, "" for others. */
void fn_audit_describe_limit(fn_buf *out, const fn_audit_probe *probe);

/* Appends one JSON object and a line break. docs/schemas/data-audit.schema.json. */
void fn_audit_format_json(fn_buf *out, const fn_audit_report *report);

#endif
