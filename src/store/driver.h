/* What a kind of store implements, and what they share. Internal to src/store. */
#ifndef FN_STORE_DRIVER_H
#define FN_STORE_DRIVER_H

#include "store/store.h"

/* Keys and folders are valid when they come here. Functions that a kind has not are NULL: it says so. */
typedef struct fn_store_driver {
  const char *name;  /* "S3", for messages */
  const char *lacks; /* why functions are NULL: "it is read-only" */
  fn_status (*get)(fn_store *store, const char *key, const char *to_path, const char *sha256, fn_err *err);
  fn_status (*put)(fn_store *store, const char *key, const char *from_path, const char *sha256, fn_err *err);
  fn_status (*read)(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err);
  fn_status (*write)(fn_store *store, const char *key, fn_str data, fn_err *err);
  fn_status (*list)(fn_store *store, const char *folder,
                    fn_status (*each)(void *arg, const fn_store_entry *entry, fn_err *err), void *arg, fn_err *err);
  fn_status (*stat)(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err);
  fn_status (*remove)(fn_store *store, const char *key, fn_err *err);
  void (*close)(fn_store *store);
} fn_store_driver;

struct fn_store {
  const fn_store_driver *driver;
  char *uri;
  fn_store_options options;
  void *state; /* of the driver */
};

/* Each fills *store (driver, state) from what follows its scheme; store->uri is set and may be replaced. */
FN_NODISCARD fn_status fn_store_open_file(fn_store *store, const char *path, fn_err *err);

/* Sends an event; FN_E_CANCELLED when the sink said so. */
FN_NODISCARD fn_status fn_store_tell(const fn_store *store, fn_download_event event, fn_err *err);
/* Makes the folders that a path lies in. */
FN_NODISCARD fn_status fn_store_make_parents(const char *path, fn_err *err);
/* FN_E_IO, naming both, unless the digest (64 hexadecimal digits) is the one that was wanted (NULL: any). */
FN_NODISCARD fn_status fn_store_check_sha256(const char *digest, const char *wanted, const char *what, fn_err *err);

#endif
