#include "eval/options.h"

#define AT(member) offsetof(fn_eval_options, member)

static const fn_option options[] = {
    {"eval.resamples", FN_OPTION_INT, AT(resamples), "1000", "[0,1000000]", false, false,
     "Bootstrap resamples behind each 95 % interval; whole sources (or near-duplicate clusters where the source is "
     "unknown) are drawn. 0: no intervals."},
    {"eval.seed", FN_OPTION_INT, AT(seed), "2018", "[0,)", false, false, "Seed of the bootstrap."},
    {"eval.baselines", FN_OPTION_BOOL, AT(baselines), "true", NULL, false, false,
     "Sets the majority class and a model of the linear family, trained on the training split in seconds, beside the "
     "model."},
};

const fn_option_table fn_eval_option_table = {
    .title = "Evaluation",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_eval_options),
};
