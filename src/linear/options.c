#include "linear/options.h"

#define OPTION(key, type, member, value, range, help)                                                                  \
  { "linear." key, type, offsetof(fn_linear_options, member), value, range, false, false, help }

static const fn_option options[] = {
    OPTION("features", FN_OPTION_ENUM, features, "word+char", "word|char|word+char",
           "Families of features: cased words with punctuation, characters within words, or both."),
    OPTION("word_ngrams", FN_OPTION_LIST, word_ngrams, "[1,2]", NULL,
           "Shortest and longest run of words, each in 1 to 5."),
    OPTION("char_ngrams", FN_OPTION_LIST, char_ngrams, "[3,5]", NULL,
           "Shortest and longest run of characters (code points) within a word, each in 1 to 8."),
    OPTION("hash_bits", FN_OPTION_INT, hash_bits, "18", "[10,22]",
           "Each family's n-grams are hashed into 2^hash_bits buckets; a model file holds 8 bytes a bucket."),
    OPTION("c_grid", FN_OPTION_LIST, c_grid, "[1,4,16,64,256]", NULL,
           "Inverse strengths of the L2 penalty to try, ascending; the least validation cross-entropy wins, for each "
           "family."),
    OPTION("tolerance", FN_OPTION_FLOAT, tolerance, "0.001", "(0,1)",
           "Training stops when the gradient's norm has fallen to this share of its norm at weights 0."),
    OPTION("max_iterations", FN_OPTION_INT, max_iterations, "100", "[1,10000]", "Newton steps for one value of C."),
};

const fn_option_table fn_linear_option_table = {"Linear family", options, FN_COUNT_OF(options),
                                                sizeof(fn_linear_options)};
