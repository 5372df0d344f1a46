/* Artifact stores: files under keys in a folder, in S3, in Google Cloud Storage, or (read-only) behind HTTP.
 *
 * A store is opened by its address:
 *   /path, path, file:///path      a folder, made when something is put into it
 *   s3://bucket[/prefix]           Amazon S3 and what speaks its protocol (docs/stores.md: endpoints, credentials)
 *   gs://bucket[/prefix]           Google Cloud Storage
 *   http://…, https://…            a folder of a web server: get, read and stat only; what stands behind a '?'
 *                                  goes with every request and is never shown (addresses signed for one file)
 *
 * Keys are relative paths: parts joined by '/', none empty, "." or "..", UTF-8 without control characters or
 * backslashes, at most 1,024 bytes. What is put appears under its key only when all of it is there, and replaces what
 * was there before; what is fetched appears under its path by rename. Bytes are checked on the way: against a SHA-256
 * where one is given, and in any case against what the service says of them.
 *
 * Statuses, everywhere here:
 *   FN_E_NOT_FOUND    there is no such key, bucket or local file
 *   FN_E_INVALID      a key or address that is none; no credentials, or access denied: the message says what to set
 *   FN_E_UNSUPPORTED  this kind of store cannot do that: it is read-only, it has no list; a library is missing
 *   FN_E_LIMIT        longer than the caller or the service allows
 *   FN_E_IO           network, server or disk, after all attempts; a wrong checksum
 *   FN_E_CANCELLED    the sink said so
 * No message holds a credential. */
#ifndef FN_STORE_STORE_H
#define FN_STORE_STORE_H

#include "base/base.h"
#include "net/net.h"

/* How stores are reached. All of it outlives the store; several threads may use one for a store each. */
typedef struct fn_store_options {
  const fn_net_options *net;               /* time limits, attempts, proxies, certificates */
  const struct fn_bucket_options *buckets; /* store.*; NULL: the defaults */
  const fn_environment *environment;       /* credentials of the clouds are looked up in it; NULL: there are none */
  const char *state; /* folder that remembers uploads that were broken off, so that they go on; NULL: they begin anew */
  const char *agent; /* User-Agent; NULL: fakenews */
  /* Told of bytes, of attempts that failed, and asked now and then whether to go on; .event NULL: nothing. Events are
   * those of downloads (FN_DOWNLOAD_BEGIN, DATA, RETRY, NOTE, CHECK, WAIT); text of BEGIN is the address. */
  fn_download_sink sink;
} fn_store_options;

/* One store, used by one thread at a time. Parts of large files travel on threads of its own, which are gone when the
 * call returns; the sink is called on the caller's thread only. */
typedef struct fn_store fn_store;

typedef struct fn_store_entry {
  const char *key; /* lives until the callback returns; in fn_store_stat's result it is the caller's own */
  uint64_t size_bytes;
  int64_t modified_ms; /* Unix time; -1: not known */
  /* SHA-256 of the bytes when the store keeps one of the whole file, else "". */
  char sha256[65];
} fn_store_entry;

/* Whether text names a store by a scheme (s3:, gs:, http:, https:, file:), not a path. */
bool fn_store_is_uri(const char *text);
/* Nothing is asked of the service yet, but credentials are looked up when it is first used. */
FN_NODISCARD fn_status fn_store_open(fn_store **store_out, const char *uri, const fn_store_options *options,
                                     fn_err *err);
void fn_store_close(fn_store *store);
/* The address, without credentials and without a '/' at the end: "s3://bucket/prefix", "/path/to/folder". */
const char *fn_store_uri(const fn_store *store);

/* Fetches a file to a path; folders on the way to it are made. Bytes gather in PATH.part; what breaks off goes on there
 * next time. sha256: 64 hexadecimal digits that the bytes must have, NULL: not known. A file that is there is
 * replaced. */
FN_NODISCARD fn_status fn_store_get(fn_store *store, const char *key, const char *to_path, const char *sha256,
                                    fn_err *err);
/* Puts a file. sha256 as above: of the bytes that are at from_path; NULL: computed. */
FN_NODISCARD fn_status fn_store_put(fn_store *store, const char *key, const char *from_path, const char *sha256,
                                    fn_err *err);
/* The same for small ones, in memory. read appends to *out; FN_E_LIMIT when it is longer than max_bytes. */
FN_NODISCARD fn_status fn_store_read(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err);
FN_NODISCARD fn_status fn_store_write(fn_store *store, const char *key, fn_str data, fn_err *err);
/* Calls each(arg, entry) for every key below a folder ("" for all: "a/b" gives "a/b/c", not "a/bc"), in no particular
 * order; what it returns other than FN_OK ends the list and is returned. A folder without keys is no error. */
FN_NODISCARD fn_status fn_store_list(fn_store *store, const char *folder,
                                     fn_status (*each)(void *arg, const fn_store_entry *entry, fn_err *err), void *arg,
                                     fn_err *err);
FN_NODISCARD fn_status fn_store_stat(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err);
/* A key that is not there is fine. */
FN_NODISCARD fn_status fn_store_remove(fn_store *store, const char *key, fn_err *err);

#endif
