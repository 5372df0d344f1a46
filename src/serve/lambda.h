/* The server as a function of AWS Lambda: takes events from the Runtime API, one at a time, answers each as the same
 * routes answer over HTTP. */
#ifndef FN_SERVE_LAMBDA_H
#define FN_SERVE_LAMBDA_H

#include "serve/serve.h"

/* Answers events until stop_fd (-1: none) becomes readable. api: AWS_LAMBDA_RUNTIME_API. FN_E_INVALID, FN_E_IO: the API
 * cannot be reached or says that this sandbox is of no more use; the process should end then. */
FN_NODISCARD fn_status fn_lambda_run(fn_server *server, const char *api, int stop_fd, fn_err *err);
/* Tells the Runtime API why the function cannot start; the process must then end with a code other than 0. */
FN_NODISCARD fn_status fn_lambda_report(const char *api, const fn_err *cause, fn_err *err);

#endif
