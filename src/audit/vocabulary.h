/* Private to src/audit: which words occur in which of the drawn rows.
 *
 * A word is a run of word characters or a single other mark, as the linear family cuts (linear/chars.h), cased; the
 * same word in a title and in a text are two. Words in fewer than FN_AUDIT_MIN_ROWS rows of train, or longer than
 * FN_AUDIT_MAX_WORD bytes, take no part. They are known by a 64-bit hash. */
#ifndef FN_AUDIT_VOCABULARY_H
#define FN_AUDIT_VOCABULARY_H

#include "audit/sample.h"

enum { FN_AUDIT_MAX_WORD = 64 };

typedef struct fn_audit_word {
  uint64_t hash;
  double score;         /* lower end of the 95 % interval of |share of real rows - share of fake rows| on train */
  uint32_t n_rows[2];   /* of train that hold it, by class */
  uint32_t row, offset; /* where it stands first: drawn row of train, byte in the field */
  uint16_t length;
  uint8_t field; /* fn_audit_field */
} fn_audit_word;

/* Words of each row, rising: row i has ids[begin[i] … begin[i + 1]). */
typedef struct fn_audit_word_rows {
  uint32_t *ids;
  size_t *begin; /* [rows + 1] */
} fn_audit_word_rows;

typedef struct fn_audit_words {
  fn_audit_word *words; /* [n] highest score first: a word's place is its id */
  size_t n;
  fn_audit_word_rows train, test;
} fn_audit_words;

FN_NODISCARD fn_status fn_audit_words_make(fn_audit_words *words_out, const fn_audit_sample *train,
                                           const fn_audit_sample *test, fn_pool *pool, fn_err *err);
void fn_audit_words_deinit(fn_audit_words *words);
fn_str fn_audit_word_str(const fn_audit_word *word, const fn_audit_sample *train);

#endif
