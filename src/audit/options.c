#include "audit/options.h"

#define AT(member) offsetof(fn_audit_options, member)

static const fn_option options[] = {
    {"audit.after_prepare", FN_OPTION_BOOL, AT(after_prepare), "true", NULL, false, false,
     "`data prepare` ends with the short form of `data audit`: what gives the label away, and what to try."},
    {"audit.train_rows", FN_OPTION_INT, AT(train_rows), "40000", "[100,1000000]", false, false,
     "Rows of train that probes are fitted on, at most, with 2,400 bytes a row on average; more are drawn evenly."},
    {"audit.test_rows", FN_OPTION_INT, AT(test_rows), "20000", "[100,1000000]", false, false,
     "Rows of test that probes are judged on, and of validation and test that are looked for in train; the same "
     "holds."},
    {"audit.seed", FN_OPTION_INT, AT(seed), "2018", "[0,)", false, false,
     "Seed of the draw where a split has more rows."},
};

const fn_option_table fn_audit_option_table = {
    .title = "Audit",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_audit_options),
};
