/* Public data by name: from Zenodo, from Kaggle, from any address; with the proof of what its labels mean. */
#ifndef FN_DATA_FETCH_H
#define FN_DATA_FETCH_H

#include "data/published.h"
#include "net/download.h"

typedef struct fn_fetch_request {
  const char *what; /* "welfake" (a published set), "kaggle:owner/name" or an address */
  const char *folder;
  const char *name;         /* of the file; NULL: its own. Not with kaggle: */
  const char *md5, *sha256; /* as in fn_download_request; for a published set in place of its own checksum */
  bool replace;
  const char *kaggle_folder; /* holds kaggle.json or access_token; NULL: none */
  const char *agent;
  int64_t now_ms;
  fn_download_sink sink;
} fn_fetch_request;

typedef struct fn_fetch_result {
  fn_download_result download;
  const fn_published_set *set; /* NULL: none that is known */
  char *file;                  /* path of the set's file; NULL without a set */
  fn_label_counts counts;      /* of that file */
  fn_label_order order;        /* REAL_0 or FAKE_0 */
} fn_fetch_result;
void fn_fetch_result_deinit(fn_fetch_result *result);

/* Errors: those of fn_download_run; FN_E_INVALID also for a `what` of no known form, for Kaggle credentials that cannot
 * be read, and when the rows of a published set are not those that its authors counted (the files stay). */
FN_NODISCARD fn_status fn_fetch_run(fn_fetch_result *result_out, const fn_fetch_request *request,
                                    const fn_net_options *options, fn_err *err);

#endif
