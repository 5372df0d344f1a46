#include "infer/options.h"

#define AT(member) offsetof(fn_infer_options, member)

static const fn_option options[] = {
    {"infer.part", FN_OPTION_ENUM, AT(part), "both", "both|encoder|linear", false, false,
     "Of a packed model with two halves, which one is asked. The linear half alone takes a fraction of a millisecond. "
     "`both` means all that the model has."},
    {"infer.long", FN_OPTION_ENUM, AT(long_texts), "cut", "cut|windows", false, false,
     "What happens to articles beyond infer.max_tokens. `cut`: the rest is not read. `windows`: the text is read in "
     "several passes, the title in each, and their logits are averaged."},
    {"infer.text", FN_OPTION_ENUM, AT(text), "model", "model|title|text|title+text", false, false,
     "What is read of an article. `model`: what the model was trained on, or title and text where it does not say."},
    {"infer.max_tokens", FN_OPTION_INT, AT(max_tokens), "null", "[8,65536]", true, false,
     "Tokens that a transformer reads in one pass, special tokens included. null: as in training, or 256 where the "
     "model does not say."},
    {"infer.max_windows", FN_OPTION_INT, AT(max_windows), "64", "[1,4096]", false, false,
     "With infer.long=windows: passes over one article at most; what lies beyond is not read."},
    {"infer.batch_tokens", FN_OPTION_INT, AT(batch_tokens), "4096", "[1,1048576]", false, false,
     "Tokens that go through a transformer at once; more need more memory. Answers do not depend on it."},
    {"infer.prior", FN_OPTION_FLOAT, AT(prior), "null", "(0,1)", true, false,
     "How common fakes are where the model is used. Probabilities of a calibrated model are corrected for it. null: as "
     "common as in the rows it was calibrated on, each set weighted half and half: 0.5."},
    {"infer.unsure", FN_OPTION_STRING, AT(unsure), "auto", NULL, true, false,
     "The verdict is `unsure` where no label is at least this probable, [0.5,1]. `auto`: as the model's calibration "
     "has "
     "it, never without one. null: never. What is no English, too short or unreadable is `unsure` in any case."},
};

const fn_option_table fn_infer_option_table = {
    .title = "Inference",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_infer_options),
};

static const fn_option pack_options[] = {
    {"dtype", FN_OPTION_ENUM, offsetof(fn_pack_options, dtype), "int8", "int8|f32", false, false,
     "Form of the encoder's weights in a packed file: `int8` is a quarter of the size and several times faster, `f32` "
     "keeps every bit."},
};

const fn_option_table fn_pack_option_table = {
    .title = "Packing",
    .options = pack_options,
    .n_options = FN_COUNT_OF(pack_options),
    .struct_size = sizeof(fn_pack_options),
};

#undef AT
#define AT(member) offsetof(fn_calibrate_options, member)
static const fn_option calibrate_options[] = {
    {"calibrate.groups", FN_OPTION_ENUM, AT(groups), "auto", "auto|dataset|source", false, false,
     "What is left out as a whole when a calibration is judged: fitted on all others, judged on it. `auto`: datasets, "
     "or "
     "sources where there is one dataset only."},
    {"calibrate.even", FN_OPTION_BOOL, AT(even), "true", NULL, false, false,
     "Weights rows so that every (dataset, label) counts the same; probabilities then stand for half of all articles "
     "being fake. false: every row counts once."},
    {"calibrate.target", FN_OPTION_FLOAT, AT(target), "0.9", "[0.5,1]", false, false,
     "Accuracy of verdicts: the threshold of `unsure` is the lowest that reaches it on rows that had no part in the "
     "fit."},
    {"calibrate.min_coverage", FN_OPTION_FLOAT, AT(min_coverage), "0.1", "[0,1]", false, false,
     "Share of articles that get a verdict at least. Where the target cannot be had with it, the threshold is the one "
     "with the best accuracy."},
    {"calibrate.edges", FN_OPTION_LIST, AT(edges), "[64,256]", NULL, false, false,
     "Lengths in tokens at which another temperature begins, rising, at most 7; taken only if that lowers the "
     "cross-fitted "
     "loss. []: one temperature for all."},
    {"calibrate.ridge", FN_OPTION_FLOAT, AT(ridge), "0.001", "(0,)", false, false,
     "Penalty on the weights of a stack of logits, each scaled to size 1."},
    {"calibrate.quantile", FN_OPTION_FLOAT, AT(quantile), "0.01", "[0,0.5]", false, false,
     "Share of the articles calibrated on that the reason unlike_training is set to catch."},
};

const fn_option_table fn_calibrate_option_table = {
    .title = "Calibration",
    .options = calibrate_options,
    .n_options = FN_COUNT_OF(calibrate_options),
    .struct_size = sizeof(fn_calibrate_options),
};

#undef AT
#define AT(member) offsetof(fn_explain_options, member)
static const fn_option explain_options[] = {
    {"explain.max_forwards", FN_OPTION_INT, AT(max_forwards), "64", "[4,4096]", false, false,
     "Passes of the model for one article at most. Where there are more sentences, neighbours are left out together."},
    {"explain.ngrams", FN_OPTION_INT, AT(ngrams), "8", "[0,1000]", false, false,
     "Word n-grams of the linear half that are listed."},
};

const fn_option_table fn_explain_option_table = {
    .title = "Explaining",
    .options = explain_options,
    .n_options = FN_COUNT_OF(explain_options),
    .struct_size = sizeof(fn_explain_options),
};
