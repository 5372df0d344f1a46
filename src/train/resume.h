/* Settings of a resumed run: its own, with what the caller may and did change. */
#ifndef FN_TRAIN_RESUME_H
#define FN_TRAIN_RESUME_H

#include "train/train.h"

/* *config_out (the caller destroys it) has the settings of <run>/config.yaml. Settings that job->config got from
 * anywhere but defaults and the environment (command line, --config, group=name) count as asked for: one that differs
 * is taken over when fn_train_resumable_keys has it (*changed_out becomes true), and is FN_E_INVALID, naming every such
 * setting, when not. */
FN_NODISCARD fn_status fn_train_resume_config(fn_config **config_out, bool *changed_out, const fn_train_job *job,
                                              const char *run, fn_err *err);

#endif
