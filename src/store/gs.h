/* What the files of the driver for Google Cloud Storage share. Internal to src/store. */
#ifndef FN_STORE_GS_H
#define FN_STORE_GS_H

#include "store/google.h"

typedef struct fn_gs {
  char *bucket, *prefix; /* prefix: "" or ends with '/' */
  char *base;            /* "https://storage.googleapis.com" */
  fn_google google;
} fn_gs;

typedef struct fn_gs_source {
  fn_str data; /* unless from_file */
  bool from_file;
  int fd;
  uint64_t length;
  const char *name; /* for errors */
} fn_gs_source;

/* Puts bytes by a resumable upload (gs_upload.c). sha256: that they must have, NULL: not known. */
FN_NODISCARD fn_status fn_gs_upload(fn_store *store, const char *key, const fn_gs_source *source, const char *sha256,
                                    fn_err *err);

#endif
