/* ZIP archives from strangers, over libzip. Nothing is put in place before all of it has been unpacked and checked. */
#ifndef FN_NET_UNZIP_H
#define FN_NET_UNZIP_H

#include "net/receipt.h"

/* Called now and then with the bytes unpacked so far; false stops. */
typedef bool (*fn_unzip_progress)(void *arg, uint64_t n_bytes, uint64_t n_total);

typedef struct fn_unzip_request {
  const char *archive, *folder;
  uint64_t max_bytes;  /* of all files together, unpacked */
  const char *max_key; /* the setting that max_bytes comes from, for the message */
  bool replace;        /* overwrite other files of the same names */
  fn_unzip_progress progress;
  void *arg;
} fn_unzip_request;

enum { FN_UNZIP_MAX_FILES = 100000 };

/* A checked and unpacked archive, its files still in a folder of their own inside the target folder. */
typedef struct fn_unzipped fn_unzipped;

/* Unpacks to FOLDER/.unpack. FN_E_INVALID: not a ZIP archive, damaged (CRC-32, sizes), encrypted, no file in it, a name
 * that leads out of the folder or stands twice, a link, or a file that is in the way (other content, no replace);
 * FN_E_LIMIT: more than max_bytes or FN_UNZIP_MAX_FILES; FN_E_IO, FN_E_CANCELLED, FN_E_UNSUPPORTED (no libzip). The
 * files are added to *receipt. On failure nothing stays. */
FN_NODISCARD fn_status fn_unzip(fn_unzipped **unzipped_out, fn_receipt *receipt, const fn_unzip_request *request,
                                fn_err *err);
/* Puts the files in place, each by a rename, and removes the folder. Also after failure: release with
 * fn_unzipped_destroy, which removes what is still unpacked aside. */
FN_NODISCARD fn_status fn_unzipped_place(fn_unzipped *unzipped, const fn_receipt *receipt, fn_err *err);
void fn_unzipped_destroy(fn_unzipped *unzipped);

#endif
