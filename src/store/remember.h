/* Uploads that were broken off, remembered in a folder so that the same call goes on with them. Internal to src/store.
 */
#ifndef FN_STORE_REMEMBER_H
#define FN_STORE_REMEMBER_H

#include "store/driver.h"

/* What has to be the same for an upload to go on. */
typedef struct fn_upload {
  const char *uri, *key, *sha256;
  uint64_t length, part_bytes;
  int fd; /* of the memory, locked; set by fn_upload_claim, -1: none */
} fn_upload;

/* Makes the memory of an upload this caller's own, until fn_upload_release. Another process or thread that puts the
 * same file now has none: it neither goes on with that upload nor keeps its own. */
void fn_upload_claim(fn_upload *upload, const fn_store *store);
void fn_upload_release(fn_upload *upload, const fn_store *store);

/* The id that was kept for it (S3: an upload id; Google: the address of a session), malloc'd; NULL when there is none
 * or the file has changed: *other_out is then the one of the file before, malloc'd, which nobody else will end, or
 * NULL. */
char *fn_upload_recall(char **other_out, const fn_store *store, const fn_upload *upload);
/* Whether something may be kept for a key, without a claim. */
bool fn_upload_is_kept(const fn_store *store, const char *key);
/* Keeps an id, readable by the owner only: whoever has Google's can write. Without a folder it does nothing, and a
 * failure is none of the upload's. */
void fn_upload_keep(const fn_upload *upload, const char *id);
void fn_upload_forget(const fn_store *store, const fn_upload *upload);

#endif
