/* What a kind of store implements, and what they share. Internal to src/store. */
#ifndef FN_STORE_DRIVER_H
#define FN_STORE_DRIVER_H

#include "store/checksum.h"
#include "store/options.h"
#include "store/store.h"

#include <pthread.h>

/* One request about a key; a kind of store makes address and credentials of it, anew for each attempt. */
typedef struct fn_store_call {
  const char *method;
  const char *key;           /* relative to the store; NULL: the bucket is meant */
  const char *url;           /* GCS: the address of an upload that is going on, instead of the key's; NULL: none */
  const fn_call_pair *query; /* not encoded */
  size_t n_query;
  const fn_call_pair *headers; /* besides those that every request has */
  size_t n_headers;
  fn_str body; /* from memory, or … */
  int body_file;
  uint64_t body_offset, body_length; /* … from a file, where from_file */
  bool from_file;
  const char *body_sha256; /* of it, hexadecimal; NULL: S3 computes it (in memory only) */
  uint64_t done;           /* bytes of the file that were sent before, for events; -1 in total: no events */
  int64_t total;
  size_t max_answer_bytes; /* 0: 1 MiB */
  fn_status (*sink)(void *arg, const fn_call_answer *head, const void *data, size_t length, fn_err *err);
  void *arg; /* of sink */
} fn_store_call;

typedef fn_status (*fn_store_each)(void *arg, const fn_store_entry *entry, fn_err *err);

/* Keys and folders are valid when they come here. Functions that a kind has not are NULL: it says so. */
typedef struct fn_store_driver {
  const char *lacks; /* why functions are NULL: "it is read-only" */
  fn_status (*get)(fn_store *store, const char *key, const char *to_path, const char *sha256, fn_err *err);
  fn_status (*put)(fn_store *store, const char *key, const char *from_path, const char *sha256, fn_err *err);
  fn_status (*read)(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err);
  fn_status (*write)(fn_store *store, const char *key, fn_str data, fn_err *err);
  fn_status (*list)(fn_store *store, const char *folder, fn_store_each each, void *arg, fn_err *err);
  fn_status (*stat)(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err);
  fn_status (*remove)(fn_store *store, const char *key, fn_err *err);
  void (*close)(fn_store *store);
  /* The rest is for those behind HTTP. One attempt, by way of fn_store_perform: */
  fn_status (*call)(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err);
  /* The error that an answer other than 2xx means; key NULL: the bucket. */
  fn_status (*explain)(const fn_store *store, const fn_call_answer *answer, const char *key, fn_err *err);
  /* What was learnt from a refusal that lets the same request succeed: a bit for each cause (keys that expired are
   * forgotten, and had anew), 0: nothing. The request is repeated once for each. */
  unsigned (*renew)(fn_store *store, const fn_call_answer *answer);
  /* What a GET's headers say of the whole file's checksums. */
  void (*sums)(fn_sums *sums_out, const fn_call_answer *answer);
  bool has_ranges; /* a GET can be one of a few bytes, and many may run at once */
} fn_store_driver;

struct fn_store {
  const fn_store_driver *driver;
  char *uri;
  fn_store_options options;
  fn_bucket_options buckets;
  fn_http *http; /* NULL for folders */
  void *state;   /* of the driver */
  /* Guards what the state holds of credentials while threads of a crew use it too; NULL: they do not. */
  pthread_mutex_t *keys_lock;
};

/* A variable of the environment that the store was given; NULL when it is not set. */
static inline const char *fn_store_variable(const fn_store *store, const char *name) {
  return fn_environment_get(store->options.environment, name);
}

static inline void fn_store_lock_keys(const fn_store *store) {
  if (store->keys_lock) pthread_mutex_lock(store->keys_lock);
}
static inline void fn_store_unlock_keys(const fn_store *store) {
  if (store->keys_lock) pthread_mutex_unlock(store->keys_lock);
}

/* Each fills store->driver and state; store->uri is the address without a '/' at the end. */
FN_NODISCARD fn_status fn_store_open_file(fn_store *store, const char *path, fn_err *err);
FN_NODISCARD fn_status fn_store_open_s3(fn_store *store, const char *rest, fn_err *err);
FN_NODISCARD fn_status fn_store_open_gs(fn_store *store, const char *rest, fn_err *err);
FN_NODISCARD fn_status fn_store_open_web(fn_store *store, const char *uri, fn_err *err);

/* Sends an event; FN_E_CANCELLED when the sink said so. */
FN_NODISCARD fn_status fn_store_tell(const fn_store *store, fn_download_event event, fn_err *err);
/* Makes the folders that a path lies in. */
FN_NODISCARD fn_status fn_store_make_parents(const char *path, fn_err *err);
/* "bucket[/prefix]" in two malloc'd parts, each valid; prefix is "" or ends with '/'. */
FN_NODISCARD fn_status fn_store_split(char **bucket_out, char **prefix_out, const fn_store *store, const char *rest,
                                      fn_err *err);

/* Says whose credentials could not be had. Never FN_E_NOT_FOUND, whatever was missing for them: that means a key. */
FN_NODISCARD fn_status fn_store_no_credentials(const fn_store *store, fn_status status, const char *whose, fn_err *err);

/* ---- request.c: attempts */

/* A request to something else than the store itself (credentials, say), with the store's attempts and events. */
FN_NODISCARD fn_status fn_store_ask(fn_call_answer *answer, fn_store *store, const fn_call_request *request,
                                    fn_err *err);
/* For a driver's call: one attempt of a request whose address and headers it made; body, sink and events are added. */
FN_NODISCARD fn_status fn_store_perform(fn_call_answer *answer, fn_store *store, const fn_store_call *call,
                                        const fn_call_request *request, fn_err *err);
/* Attempts until an answer is final; FN_OK with any status that is. */
FN_NODISCARD fn_status fn_store_run(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err);
/* The same; FN_OK for 2xx only, else what the driver's explain says. */
FN_NODISCARD fn_status fn_store_expect(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err);

/* ---- receive.c */

/* Fetches call (a GET; its headers, sink and arg are set here) to a path: resumed, checked, in place by rename. */
FN_NODISCARD fn_status fn_store_receive(fn_store *store, const fn_store_call *call, const char *to_path,
                                        const char *sha256, fn_err *err);
/* Into memory, checked likewise. */
FN_NODISCARD fn_status fn_store_receive_small(fn_buf *out, fn_store *store, const fn_store_call *call, size_t max_bytes,
                                              fn_err *err);

#endif
