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
