/* Attempts until a part is whole. Internal to src/net. */
#ifndef FN_NET_TRANSFER_H
#define FN_NET_TRANSFER_H

#include "net/download.h"
#include "net/part.h"

typedef struct fn_transfer {
  fn_part *part;
  fn_http *http;
  const fn_url *url;
  const fn_download_request *request;
  const fn_net_options *options;
  bool checked;   /* a checksum will judge the whole file */
  char *fallback; /* file name when neither the request nor the server gives one */
  bool went_on;   /* out: bytes of an earlier attempt are part of it */
} fn_transfer;

/* Fetches what is missing. On failure the part holds what came. */
FN_NODISCARD fn_status fn_transfer_run(fn_transfer *transfer, fn_err *err);
/* Whether another attempt could go on behind the bytes that are there. */
bool fn_transfer_can_go_on(const fn_transfer *transfer);
/* The name that the file gets. */
const char *fn_transfer_name(const fn_transfer *transfer, const char *from_server);

#endif
