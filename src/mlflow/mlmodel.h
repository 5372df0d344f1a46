/* The MLmodel file: how MLflow and Transformers load a directory of Hugging Face's that stands as `model` beside it,
 * with the tokenizer's files once more in components/tokenizer. The fields are those of MLflow's transformers flavour.
 */
#ifndef FN_MLFLOW_MLMODEL_H
#define FN_MLFLOW_MLMODEL_H

#include "base/base.h"

#define FN_MLMODEL_FOLDER     "model"
#define FN_MLMODEL_COMPONENTS "components/tokenizer"

/* The name of a file of the tokenizer, which belongs into components/tokenizer too. */
bool fn_mlmodel_is_tokenizer_file(const char *name);
/* A file of a model's directory that is of the model: not a hidden one, nor the state of a training, nor a folder. */
bool fn_mlmodel_is_model_file(const char *path);
/* The same, and no link, which could lead to any other file of this machine, nor a pipe, which nobody may fill. */
bool fn_mlmodel_is_plain_file(const char *path);
/* The class that Transformers loads a directory with; "" for a model of the linear family, which it does not load. */
FN_NODISCARD fn_status fn_mlmodel_class(char out[96], const char *dir, fn_err *err);
/* 32 digits over the names and bytes of a directory's plain files. */
FN_NODISCARD fn_status fn_mlmodel_hash(char out[33], const char *dir, fn_err *err);
/* A number, never 0, over names, sizes and times of those files: another one when a file was written since. */
FN_NODISCARD fn_status fn_mlmodel_stamp(uint64_t *stamp_out, const char *dir, fn_err *err);

/* Inside the object "flavors": "transformers" and "python_function". */
void fn_mlmodel_write_flavors(fn_json_writer *w, const char *model_class, const char *source_name);
/* "signature": a text in, a label and its probability out, which is what a pipeline of MLflow answers. */
void fn_mlmodel_write_signature(fn_json_writer *w);
/* "utc_time_created": now, and "mlflow_version". */
void fn_mlmodel_write_origin(fn_json_writer *w);
/* requirements.txt and python_env.yaml into `folder`, for `mlflow models serve`. */
FN_NODISCARD fn_status fn_mlmodel_save_environment(const char *folder, fn_err *err);
FN_NODISCARD fn_status fn_mlmodel_save_text(const char *folder, const char *name, const fn_buf *text, fn_err *err);

#endif
