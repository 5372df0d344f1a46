/* download.json: what was fetched into a folder, and from where. */
#ifndef FN_NET_RECEIPT_H
#define FN_NET_RECEIPT_H

#include "net/digest.h"

#define FN_RECEIPT_NAME "download.json"

typedef struct fn_receipt_file {
  char *name; /* below the folder, parts joined by '/' */
  uint64_t size_bytes;
  char sha256[65];
} fn_receipt_file;

/* One address. Release with fn_receipt_deinit. */
typedef struct fn_receipt {
  char *url;
  uint64_t size_bytes; /* of what was fetched: the file itself, or the archive that held the files */
  fn_digests digests;
  int64_t fetched_ms; /* Unix milliseconds */
  fn_receipt_file *files;
  size_t n_files;
} fn_receipt;

void fn_receipt_deinit(fn_receipt *receipt);
/* Adds a file; name is copied. */
FN_NODISCARD fn_status fn_receipt_add(fn_receipt *receipt, const char *name, uint64_t size_bytes, const char *sha256,
                                      fn_err *err);

/* What the folder's download.json says of url; *found_out = false when it says nothing. FN_E_INVALID when there is a
 * file of that name that this program did not write. */
FN_NODISCARD fn_status fn_receipt_load(fn_receipt *receipt_out, bool *found_out, const char *folder, const char *url,
                                       fn_err *err);
/* The same for the address that a file of the folder came from; name as in fn_receipt_file. */
FN_NODISCARD fn_status fn_receipt_find(fn_receipt *receipt_out, bool *found_out, const char *folder, const char *name,
                                       fn_err *err);
/* Puts it into download.json, in place of an older one for the same address. */
FN_NODISCARD fn_status fn_receipt_save(const char *folder, const fn_receipt *receipt, fn_err *err);
/* True when every file of the receipt is there with its size and SHA-256. progress as in fn_digest_file. */
FN_NODISCARD fn_status fn_receipt_holds(bool *holds_out, const char *folder, const fn_receipt *receipt,
                                        fn_digest_progress progress, void *arg, fn_err *err);

#endif
