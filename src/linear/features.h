/* Private to src/linear: text → counts of hashed n-grams.
 *
 * A document is the title, the text, or title + "\n" + text (fn_text_mode), read as Unicode code points; a byte that is
 * not part of valid UTF-8 reads as U+FFFD. Two families, each with 2^hash_bits buckets of its own:
 *
 * word  tokens are runs of word characters (chars.h) and every other character that is not white space on its own; case
 *       is kept. Features are runs of word_min … word_max neighbouring tokens. In scikit-learn: analyzer="word",
 *       token_pattern=r"\w+|[^\w\s]", lowercase=False.
 * char  the document is cut at white space, each piece gets a space on both sides; features are its runs of
 *       char_min … char_max characters, and the whole piece where it is shorter than char_min. In scikit-learn:
 *       analyzer="char_wb", lowercase=False.
 *
 * Hash (part of the file format), 64-bit arithmetic modulo 2^64, K = 0x9E3779B97F4A7C15:
 *   chain(x_1 … x_k) : h_0 = seed, h_i = (h_{i-1} xor x_i)·K      mix(h): finaliser of MurmurHash3 (fmix64)
 *   token            : t = mix(chain over its code points from first to last), seed 1
 *   word n-gram      : mix(chain over its tokens' t from last to first), seed 2
 *   char n-gram      : mix(chain over its code points from last to first), seed 3
 *   bucket           : the top hash_bits bits
 * (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"; here without the random sign, since
 * counts of colliding n-grams add up before the logarithm.) */
#ifndef FN_LINEAR_FEATURES_H
#define FN_LINEAR_FEATURES_H

#include "base/base.h"
#include "data/batch.h"
#include "linear/options.h"

enum { FN_FAMILY_WORD, FN_FAMILY_CHAR, FN_N_FAMILIES };
#define FN_WORD_MAX_ORDER 5
#define FN_CHAR_MAX_ORDER 8

typedef struct fn_feature_spec {
  fn_text_mode mode;
  int32_t hash_bits;
  int32_t min[FN_N_FAMILIES], max[FN_N_FAMILIES]; /* orders; 0, 0: family not used */
} fn_feature_spec;

/* Checks the options' ranges; errors name the key. */
FN_NODISCARD fn_status fn_feature_spec_make(fn_feature_spec *spec_out, fn_text_mode mode,
                                            const fn_linear_options *options, fn_err *err);
static inline size_t fn_feature_spec_n_buckets(const fn_feature_spec *spec) {
  return (size_t)1 << spec->hash_bits;
}

/* One thread's counts. */
typedef struct fn_feature_counter {
  uint32_t *counts;  /* [buckets], all 0 between documents; saturates */
  uint32_t *touched; /* [n] buckets that occur, in order of first occurrence */
  size_t n;
} fn_feature_counter;
FN_NODISCARD fn_status fn_feature_counter_init(fn_feature_counter *counter_out, const fn_feature_spec *spec,
                                               fn_err *err);
void fn_feature_counter_deinit(fn_feature_counter *counter);
/* Adds one document's n-grams of one family; the counter must be clear. */
void fn_feature_counter_add(fn_feature_counter *counter, const fn_feature_spec *spec, int family, fn_str title,
                            fn_str text);
/* Tokens of the document, as the word family cuts it. */
size_t fn_feature_count_tokens(const fn_feature_spec *spec, fn_str title, fn_str text);
/* Calls see with the bucket and place of every word n-gram of a document, in order of their ends; begin and end are
 * bytes of the title or of the text. One that begins in the title and ends in the text begins at byte 0 of the text. */
typedef void (*fn_feature_see)(void *arg, uint32_t bucket, bool in_title, size_t begin, size_t end);
void fn_feature_each_word_ngram(const fn_feature_spec *spec, fn_str title, fn_str text, fn_feature_see see, void *arg);
/* Clears what the last document touched. */
void fn_feature_counter_clear(fn_feature_counter *counter);

#endif
