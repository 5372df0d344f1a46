/* What the Runtime API of AWS Lambda answers, read from a socket: no bytes make the reader overrun, wait or leak, and a
 * body that it takes is as long as its head said. */
#include "fuzz.h"
#include "serve/lambda_client.h"

#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int pair[2];
  if (size > 1 << 15) return 0;
  FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  FUZZ_CHECK(send(pair[1], data, size, 0) == (ssize_t)size);
  FUZZ_CHECK(shutdown(pair[1], SHUT_WR) == 0);
  /* No address to connect to again. */
  fn_lambda_client client = {.fd = pair[0], .stop_fd = -1, .host = "api"};
  fn_lambda_reply reply;
  fn_lambda_reply_init(&reply);
  fn_err err = {0};
  const fn_status status = fn_lambda_client_call(&reply, &client, "GET", "/next", "", fn_str_from(""), &err);
  FUZZ_CHECK(status == FN_OK || status == FN_E_IO || status == FN_E_INVALID);
  if (status == FN_OK) {
    FUZZ_CHECK(reply.status >= 100 && reply.status <= 599);
    FUZZ_CHECK(reply.body.length <= size);
    int64_t length;
    const fn_str told = fn_lambda_reply_header(&reply, "Content-Length");
    if (told.data != NULL && fn_str_to_int64(&length, told)) FUZZ_CHECK((size_t)length == reply.body.length);
  }
  fn_lambda_reply_deinit(&reply);
  fn_lambda_client_deinit(&client);
  close(pair[1]);
  return 0;
}
