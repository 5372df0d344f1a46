/* Sets that are published with figures: what their files are, and how many rows of each class they hold. The figures
 * settle which label means what, where documentations contradict one another. */
#ifndef FN_DATA_PUBLISHED_H
#define FN_DATA_PUBLISHED_H

#include "base/base.h"

typedef struct fn_published_set {
  const char *name;        /* as `data download` takes it */
  const char *zenodo_path; /* of the file, below Zenodo's address */
  const char *kaggle;      /* owner/name */
  const char *file, *md5;  /* of that file */
  const char *license;     /* as its page states it; SPDX's name where there is one */
  uint64_t n_real, n_fake; /* rows, as published */
} fn_published_set;

/* NULL when there is no such set. */
const fn_published_set *fn_published_find(const char *name);
const fn_published_set *fn_published_find_kaggle(const char *owner_name);
/* By the address that it was fetched from, be it of a mirror. */
const fn_published_set *fn_published_find_address(const char *url);
/* "welfake, …" for messages. */
void fn_published_list(fn_buf *out);

/* Rows of a file by the value of its label column. */
typedef struct fn_label_counts {
  uint64_t n_rows, n_refused; /* refused: rows that are no CSV or JSON; part of n_rows */
  uint64_t n[2];              /* label 0, label 1 */
  uint64_t n_other;
} fn_label_counts;

/* Reads a whole CSV or JSON lines file. column: of the label ("label"). Errors of fn_input_open, fn_input_require and
 * fn_input_next; FN_E_CANCELLED when stop (may be NULL) says so. */
FN_NODISCARD fn_status fn_label_counts_read(fn_label_counts *counts_out, const char *path, const char *column,
                                            bool (*stop)(void *arg), void *arg, fn_err *err);

typedef enum fn_label_order {
  FN_LABEL_ORDER_UNPROVED, /* the counts are not the published ones */
  FN_LABEL_ORDER_REAL_0,   /* 0 = real, 1 = fake: this program's own order */
  FN_LABEL_ORDER_FAKE_0,   /* 0 = fake, 1 = real */
} fn_label_order;

/* Needs classes of different size. */
fn_label_order fn_published_label_order(const fn_published_set *set, const fn_label_counts *counts);

#endif
