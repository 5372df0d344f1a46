#include "net/download.h"

#include "base/lock.h"
#include "net/transfer.h"
#include "net/unzip.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* One call of fn_download_run. */
typedef struct job {
  fn_download_request request; /* with the credentials of its address */
  const fn_net_options *options;
  fn_url url;
  char fallback[FN_NAME_MAX + 1]; /* name by the address alone */
  int lock;                       /* the folder, locked; -1 */
  int64_t check_total;            /* of the file whose checksum is computed */
  fn_part part;
  fn_receipt receipt;
} job;

static void release(job *j) {
  fn_part_close(&j->part);
  fn_receipt_deinit(&j->receipt);
  fn_url_deinit(&j->url);
  if (j->lock >= 0) close(j->lock);
}

void fn_download_result_deinit(fn_download_result *result) {
  fn_receipt_deinit(&result->receipt);
}

static bool on_check(void *arg, uint64_t n_bytes) {
  const job *j = arg;
  const fn_download_event e = {.kind = FN_DOWNLOAD_CHECK, .n_bytes = n_bytes, .total = j->check_total};
  return fn_download_tell(&j->request.sink, &e, NULL) == FN_OK;
}

static bool on_unpack(void *arg, uint64_t n_bytes, uint64_t n_total) {
  const job *j = arg;
  const fn_download_event e = {.kind = FN_DOWNLOAD_UNPACK, .n_bytes = n_bytes, .total = (int64_t)n_total};
  return fn_download_tell(&j->request.sink, &e, NULL) == FN_OK;
}

/* The folder itself carries the lock: no file is left behind, and it ends with the process. */
static fn_status lock_folder(job *j, fn_err *err) {
  const char *folder = j->request.folder;
  FN_TRY(fn_dir_create(folder, err));
  const fn_status status = fn_lock_open(&j->lock, folder, O_RDONLY | O_DIRECTORY, 0, NULL);
  if (status != FN_OK || j->lock >= 0) return FN_OK; /* some file systems have no locks */
  return fn_err_set(err, FN_E_IO, "%s: another download into this folder is running", folder);
}

static fn_status check_request(const fn_download_request *r, fn_err *err) {
  if (r->md5 && !fn_digest_is_hex(r->md5, 32))
    return fn_err_set(err, FN_E_INVALID, "\"%.80s\" is no MD5: 32 hexadecimal digits are", r->md5);
  if (r->sha256 && !fn_digest_is_hex(r->sha256, 64))
    return fn_err_set(err, FN_E_INVALID, "\"%.80s\" is no SHA-256: 64 hexadecimal digits are", r->sha256);
  char clean[FN_NAME_MAX + 1];
  if (r->name && (!fn_name_clean(clean, fn_str_from(r->name)) || strcmp(clean, r->name) != 0))
    return fn_err_set(err, FN_E_INVALID, "\"%.200s\" cannot be the name of a file here", r->name);
  return FN_OK;
}

/* The wrong checksum as "md5 … instead of …", or "" when all is right. */
static void compare(char out[256], const fn_digests *got, const fn_download_request *want) {
  out[0] = 0;
  if (want->md5 && !fn_digest_equal(got->md5, want->md5))
    snprintf(out, 256, "md5 %s instead of %s", got->md5, want->md5);
  else if (want->sha256 && !fn_digest_equal(got->sha256, want->sha256))
    snprintf(out, 256, "sha256 %s instead of %s", got->sha256, want->sha256);
}

/* Everything that an earlier call fetched from this address is still there. */
static fn_status find_earlier(bool *there_out, job *j, fn_err *err) {
  bool found = false, holds = false;
  fn_receipt receipt = {0};
  FN_TRY(fn_receipt_load(&receipt, &found, j->request.folder, j->url.text, err));
  *there_out = false;
  if (!found) return FN_OK;
  char wrong[256];
  compare(wrong, &receipt.digests, &j->request);
  j->check_total = -1;
  fn_status status = wrong[0] ? FN_OK : fn_receipt_holds(&holds, j->request.folder, &receipt, on_check, j, err);
  if (status == FN_OK && holds) {
    j->receipt = receipt;
    *there_out = true;
    return FN_OK;
  }
  fn_receipt_deinit(&receipt);
  return status;
}

static fn_status fill_receipt(job *j, uint64_t size, const fn_digests *digests, fn_err *err) {
  j->receipt.url = fn_str_dup(fn_str_from(j->url.text));
  if (!j->receipt.url) return fn_err_no_memory(err, "download.json");
  j->receipt.size_bytes = size;
  j->receipt.digests = *digests;
  j->receipt.fetched_ms = j->request.now_ms;
  return FN_OK;
}

/* A file that the user put there himself, known by its checksum. */
static fn_status find_by_checksum(bool *there_out, job *j, fn_err *err) {
  const fn_download_request *r = &j->request;
  *there_out = false;
  if (r->unpack || (!r->md5 && !r->sha256)) return FN_OK;
  const char *name = r->name ? r->name : j->fallback;
  FN_AUTO_FREE char *path = fn_path_join(r->folder, name);
  if (!path) return fn_err_no_memory(err, name);
  if (!fn_path_exists(path)) return FN_OK;
  fn_digests digests;
  j->check_total = -1;
  FN_TRY(fn_digest_file(&digests, path, on_check, j, err));
  char wrong[256];
  compare(wrong, &digests, r);
  if (wrong[0])
    return fn_err_set(err, FN_E_INVALID, "%s is there already and is another file (%s); --replace overwrites it", path,
                      wrong);
  fn_map map;
  FN_TRY(fn_map_open(&map, path, err));
  const uint64_t size = map.length;
  fn_map_close(&map);
  FN_TRY(fill_receipt(j, size, &digests, err));
  FN_TRY(fn_receipt_add(&j->receipt, name, size, digests.sha256, err));
  *there_out = true;
  return fn_receipt_save(r->folder, &j->receipt, err);
}

/* Fetches and checks. Bytes of two attempts that do not fit together are fetched again, once. */
static fn_status fetch(fn_transfer *t, job *j, fn_digests *digests, fn_err *err) {
  for (int round = 0;; round++) {
    FN_TRY(fn_transfer_run(t, err));
    j->check_total = (int64_t)j->part.size;
    FN_TRY(fn_digest_file(digests, j->part.path, on_check, j, err));
    char wrong[256], text[512];
    compare(wrong, digests, &j->request);
    if (!wrong[0]) return FN_OK;
    FN_TRY(fn_part_empty(&j->part, err));
    if (!t->went_on || round > 0)
      return fn_err_set(err, FN_E_IO, "%.400s: %s: what came is damaged, or it is another file", j->url.text, wrong);
    snprintf(text, sizeof text, "%s after going on with an earlier part: fetched again from the start", wrong);
    const fn_download_event note = {.kind = FN_DOWNLOAD_NOTE, .text = text};
    FN_TRY(fn_download_tell(&j->request.sink, &note, err));
  }
}

/* The part, under its name. The receipt is written before: without the file it says nothing. */
static fn_status place_file(job *j, const char *name, const char *sha256, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(j->request.folder, name);
  if (!path) return fn_err_no_memory(err, name);
  FN_TRY(fn_receipt_add(&j->receipt, name, j->part.size, sha256, err));
  FN_TRY(fn_receipt_save(j->request.folder, &j->receipt, err));
  FN_TRY(fn_path_rename(j->part.path, path, err));
  return fn_dir_sync(j->request.folder, err);
}

static fn_status place_archive(job *j, fn_err *err) {
  const fn_unzip_request request = {.archive = j->part.path,
                                    .folder = j->request.folder,
                                    .max_bytes = (uint64_t)j->options->max_unpacked_bytes,
                                    .max_key = "net.max_unpacked_bytes",
                                    .replace = j->request.replace,
                                    .progress = on_unpack,
                                    .arg = j};
  fn_unzipped *unzipped;
  FN_TRY(fn_unzip(&unzipped, &j->receipt, &request, err));
  fn_status status = fn_receipt_save(j->request.folder, &j->receipt, err);
  if (status == FN_OK) status = fn_unzipped_place(unzipped, &j->receipt, err);
  fn_unzipped_destroy(unzipped);
  return status;
}

/* Says on failure what is left for the next call. */
static fn_status explain(const fn_transfer *t, fn_status status, fn_err *err) {
  if (!err || !fn_transfer_can_go_on(t)) return status;
  char text[sizeof err->message];
  memcpy(text, err->message, sizeof text);
  return fn_err_set(err, status, "%.700s; %llu bytes are kept in %.200s, the same command goes on there", text,
                    (unsigned long long)t->part->size, t->part->path);
}

static fn_status fetch_and_place(job *j, fn_http *http, fn_err *err) {
  const fn_download_request *r = &j->request;
  fn_transfer t = {.part = &j->part,
                   .http = http,
                   .url = &j->url,
                   .request = r,
                   .options = j->options,
                   .checked = r->md5 || r->sha256,
                   .fallback = j->fallback};
  fn_digests digests;
  FN_TRY(fn_part_open(&j->part, r->folder, r->name ? r->name : j->fallback, j->url.text, err));
  fn_status status = fetch(&t, j, &digests, err);
  if (status != FN_OK) {
    if (j->part.size == 0) fn_part_remove(&j->part);
    return explain(&t, status, err);
  }
  FN_TRY(fill_receipt(j, j->part.size, &digests, err));
  if (r->unpack)
    FN_TRY(place_archive(j, err));
  else
    FN_TRY(place_file(j, fn_transfer_name(&t, j->part.name), digests.sha256, err));
  fn_part_remove(&j->part);
  return FN_OK;
}

static fn_status run(bool *already_out, job *j, fn_err *err) {
  FN_TRY(fn_url_parse(&j->url, j->request.url, err));
  if (!fn_name_from_path(j->fallback, fn_str_from(j->url.path))) memcpy(j->fallback, "download", sizeof "download");
  FN_TRY(lock_folder(j, err));
  if (!j->request.replace) {
    FN_TRY(find_earlier(already_out, j, err));
    if (!*already_out) FN_TRY(find_by_checksum(already_out, j, err));
    if (*already_out) return FN_OK;
  }
  if (j->url.user && !j->request.credentials.user && !j->request.credentials.bearer)
    j->request.credentials = (fn_http_credentials){.user = j->url.user, .password = j->url.password};
  fn_http *http;
  FN_TRY(fn_http_create(&http, j->options, j->request.agent ? j->request.agent : "fakenews", err));
  fn_status status = fetch_and_place(j, http, err);
  fn_http_destroy(http);
  return status;
}

fn_status fn_download_run(fn_download_result *result_out, const fn_download_request *request,
                          const fn_net_options *options, fn_err *err) {
  FN_TRY(check_request(request, err));
  job j = {.request = *request, .options = options, .lock = -1, .part = {.fd = -1}};
  bool already = false;
  fn_status status = run(&already, &j, err);
  if (status == FN_OK) {
    *result_out = (fn_download_result){.receipt = j.receipt, .already = already};
    j.receipt = (fn_receipt){0};
  }
  release(&j);
  return status;
}
