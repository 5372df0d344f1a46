/* The verbs and option tables of the program: the one place where a new one is named. */
#include "audit/options.h"
#include "cli/args.h"
#include "data/options.h"
#include "eval/options.h"
#include "infer/options.h"
#include "linear/options.h"
#include "model/options.h"
#include "monitor/options.h"
#include "net/options.h"
#include "registry/options.h"
#include "serve/options.h"
#include "store/options.h"
#include "tensor/options.h"
#include "track/options.h"
#include "train/options.h"

const fn_verb *const fn_cli_verbs[] = {
    &fn_verb_data_prepare,
    &fn_verb_data_stats,
    &fn_verb_data_audit,
    &fn_verb_data_sample,
    &fn_verb_data_download,
    &fn_verb_train,
    &fn_verb_evaluate,
    &fn_verb_calibrate,
    &fn_verb_quantize,
    &fn_verb_model_info,
    &fn_verb_predict,
    &fn_verb_serve,
    &fn_verb_bench,
    &fn_verb_explain,
    &fn_verb_tokenize,
    &fn_verb_registry_add,
    &fn_verb_registry_list,
    &fn_verb_registry_show,
    &fn_verb_registry_alias,
    &fn_verb_registry_promote,
    &fn_verb_registry_rollback,
    &fn_verb_registry_download,
    &fn_verb_registry_tag,
    &fn_verb_registry_rm,
    &fn_verb_registry_sync,
    &fn_verb_log_list,
    &fn_verb_log_show,
    &fn_verb_log_export,
    &fn_verb_log_replay,
    &fn_verb_log_rm,
    &fn_verb_log_purge,
    &fn_verb_keys_add,
    &fn_verb_keys_list,
    &fn_verb_keys_revoke,
    &fn_verb_runs_list,
    &fn_verb_runs_show,
    &fn_verb_runs_compare,
    &fn_verb_runs_rm,
    &fn_verb_runs_export,
    &fn_verb_runs_report,
    &fn_verb_runs_sync,
    &fn_verb_config_show,
    &fn_verb_config_options,
    NULL,
};

const fn_option_table *const fn_cli_tables[] = {
    &fn_data_option_table,      &fn_audit_option_table,       &fn_model_option_table, &fn_train_option_table,
    &fn_linear_option_table,    &fn_eval_option_table,        &fn_infer_option_table, &fn_pack_option_table,
    &fn_calibrate_option_table, &fn_explain_option_table,     &fn_serve_option_table, &fn_tensor_option_table,
    &fn_net_option_table,       &fn_predictions_option_table, &fn_track_option_table, &fn_registry_option_table,
    &fn_bucket_option_table,
};
const size_t fn_cli_n_tables = FN_COUNT_OF(fn_cli_tables);
