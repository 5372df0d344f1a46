/* `fakenews serve` as a function of AWS Lambda: where the environment has AWS_LAMBDA_RUNTIME_API. */
#ifndef FN_CLI_SERVE_LAMBDA_H
#define FN_CLI_SERVE_LAMBDA_H

#include "serve/serve.h"

#include <signal.h>

/* Answers events until one of `set`, which are blocked, comes. */
FN_NODISCARD fn_status fn_serve_lambda(fn_server *server, const char *api, const sigset_t *set, fn_err *err);
/* Tells Lambda that and why the function does not start; whether that arrives changes nothing. */
void fn_serve_lambda_report(const char *api, const fn_err *cause);

#endif
