#include "cli/serve_lambda.h"

#include "serve/lambda.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

fn_status fn_serve_lambda(fn_server *server, const char *api, const sigset_t *set, fn_err *err) {
  const int fd = signalfd(-1, set, SFD_CLOEXEC);
  if (fd < 0) return fn_err_errno(err, errno, "signals");
  const fn_status status = fn_lambda_run(server, api, fd, err);
  close(fd);
  return status;
}

void fn_serve_lambda_report(const char *api, const fn_err *cause) {
  fn_err ignored = {0};
  const fn_status status = fn_lambda_report(api, cause, &ignored);
  (void)status;
}
