#include "registry/options.h"

#define AT(member) offsetof(fn_registry_options, member)

static const fn_option options[] = {
    {"registry.uri", FN_OPTION_STRING, AT(uri), "null", NULL, true, true,
     "Where models:/NAME@ALIAS is looked up. null: in the store of runs (track.url); http(s)://…: the registry of an "
     "MLflow server. MLFLOW_REGISTRY_URI sets it too."},
    {"registry.mirror", FN_OPTION_STRING, AT(mirror), "null", NULL, true, true,
     "MLflow server (http(s)://…) whose registry gets each version that is added, and each alias and tag as it is "
     "here. null: the server of track.uri where that is set (MLFLOW_TRACKING_URI alone is not enough); none: no "
     "server."},
    {"registry.follow_s", FN_OPTION_FLOAT, AT(follow_s), "30", "[0.1,86400]", false, false,
     "`serve --model models:/NAME@ALIAS` asks so often (seconds, a fifth more or less at random) where the alias "
     "stands."},
    {"registry.gate_metric", FN_OPTION_ENUM, AT(gate_metric), "f1_weighted", "f1_weighted|f1_macro|accuracy|roc_auc",
     false, false, "Metric of the test split that registry.gate_min and registry.gate_max_drop are about."},
    {"registry.gate_min", FN_OPTION_FLOAT, AT(gate_min), "0.6", "[0,1]", true, false,
     "`registry promote`: the metric is no smaller. null: not asked."},
    {"registry.gate_max_drop", FN_OPTION_FLOAT, AT(gate_max_drop), "0.01", "[0,1]", true, false,
     "`registry promote`: the metric is smaller by no more than this than that of the version which has the alias now, "
     "when both were measured on the same rows. null: not asked."},
    {"registry.gate_max_ece", FN_OPTION_FLOAT, AT(gate_max_ece), "0.15", "[0,1]", true, false,
     "`registry promote`: the calibration error on the test split is no greater. null: not asked."},
    {"registry.gate_max_flips", FN_OPTION_FLOAT, AT(gate_max_flips), "2", "[0,100]", true, false,
     "`registry promote`: packing changes the label of no more than so many percent of the test rows. null: not "
     "asked."},
    {"registry.gate_max_auc_loss", FN_OPTION_FLOAT, AT(gate_max_auc_loss), "0.01", "[0,1]", true, false,
     "`registry promote`: packing takes no more than this from the ROC AUC. null: not asked."},
    {"registry.gate_max_mb", FN_OPTION_FLOAT, AT(gate_max_mb), "null", "[0,1000000]", true, false,
     "`registry promote`: the packed file has no more megabytes. null: not asked."},
    {"registry.gate_max_p95_ms", FN_OPTION_FLOAT, AT(gate_max_p95_ms), "null", "[0,1000000]", true, false,
     "`registry promote`: 95 of 100 answers take no more milliseconds, on the machine that made the version. null: not "
     "asked."},
};

const fn_option_table fn_registry_option_table = {
    .title = "Registry of models",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_registry_options),
};
