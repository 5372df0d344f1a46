/* Files of runs that do not stand behind the server's proxy: in a folder, in s3:// or gs://. Internal to src/mlflow. */
#ifndef FN_MLFLOW_STORES_H
#define FN_MLFLOW_STORES_H

#include "mlflow/internal.h"

FN_NODISCARD fn_status fn_mlflow_store_put(fn_mlflow *mlflow, const char *root, const char *path, const char *source,
                                           fn_err *err);
FN_NODISCARD fn_status fn_mlflow_store_get(fn_mlflow *mlflow, const char *root, const char *path, const char *target,
                                           fn_err *err);
FN_NODISCARD fn_status fn_mlflow_store_list(fn_mlflow *mlflow, const char *root, const char *path,
                                            fn_mlflow_file_emit emit, void *arg, fn_err *err);

#endif
