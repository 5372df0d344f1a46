/* One address to one file, or to the files of the archive that it is.
 *
 * The bytes gather in NAME.part beside the target. What stops a download – a broken connection, a full disk, a signal,
 * a power cut – leaves that part, and the next call goes on behind it, when the server can and the file is still the
 * same (If-Range with its ETag or date; without either only where a checksum will judge). Whole and checked, the file
 * gets its name by one rename; archives are unpacked aside first. download.json in the folder says what came from
 * where, so a call for what is there does nothing. */
#ifndef FN_NET_DOWNLOAD_H
#define FN_NET_DOWNLOAD_H

#include "net/digest.h"
#include "net/http.h"
#include "net/receipt.h"

typedef enum fn_download_event_kind {
  FN_DOWNLOAD_BEGIN,  /* bytes will come: text = address, n_bytes = kept from before, total */
  FN_DOWNLOAD_DATA,   /* n_bytes of total are there */
  FN_DOWNLOAD_RETRY,  /* an attempt failed: text = why, wait_s until the next one */
  FN_DOWNLOAD_NOTE,   /* text */
  FN_DOWNLOAD_CHECK,  /* n_bytes of total are read for the checksums */
  FN_DOWNLOAD_UNPACK, /* n_bytes of total are unpacked */
  FN_DOWNLOAD_WAIT,   /* nothing new: asked about once a second, so that a wait can be cancelled */
} fn_download_event_kind;

typedef struct fn_download_event {
  fn_download_event_kind kind;
  const char *text;
  uint64_t n_bytes;
  int64_t total; /* -1: not known */
  double wait_s;
} fn_download_event;

/* Gets every event, on the calling thread; false cancels. event may be NULL. */
typedef struct fn_download_sink {
  bool (*event)(void *arg, const fn_download_event *event);
  void *arg;
} fn_download_sink;
/* Sends an event; FN_E_CANCELLED when the sink said so. */
FN_NODISCARD fn_status fn_download_tell(const fn_download_sink *sink, const fn_download_event *event, fn_err *err);

typedef struct fn_download_request {
  const char *url;          /* http, https or file; user:password@ in it serve as credentials when none are given */
  const char *folder;       /* made when it is not there */
  const char *name;         /* of the file; NULL: what the server says, else the address's last part */
  const char *md5, *sha256; /* hexadecimal digits that the fetched bytes must have; NULL: not checked */
  bool unpack;              /* a ZIP archive: its files are what is wanted, it is removed */
  bool replace;             /* fetch again what is there, and overwrite other files of the same names */
  fn_http_credentials credentials;
  const char *hint_denied, *hint_missing; /* added to the message for 401 and 403, for 404 and 410; NULL: nothing */
  const char *agent;                      /* User-Agent */
  int64_t now_ms;                         /* time for download.json, Unix milliseconds */
  fn_download_sink sink;
} fn_download_request;

typedef struct fn_download_result {
  fn_receipt receipt;
  bool already; /* nothing was fetched: all of it was there and unchanged */
} fn_download_result;
void fn_download_result_deinit(fn_download_result *result);

/* Errors: FN_E_INVALID (address, refused redirect, denied, a file that is in the way, an archive that is refused),
 * FN_E_NOT_FOUND (404), FN_E_LIMIT (net.max_bytes, net.max_unpacked_bytes), FN_E_IO (network, disk, checksum, another
 * download into the folder is running), FN_E_CANCELLED, FN_E_UNSUPPORTED (a library is missing). The message says what
 * is kept. Two calls, also in two processes, may go on at once only into different folders. */
FN_NODISCARD fn_status fn_download_run(fn_download_result *result_out, const fn_download_request *request,
                                       const fn_net_options *options, fn_err *err);

#endif
