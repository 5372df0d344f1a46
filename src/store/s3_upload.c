/* A file in parts: CreateMultipartUpload, UploadPart…, CompleteMultipartUpload. */
#include "store/crew.h"
#include "store/remember.h"
#include "store/s3.h"
#include "store/xml.h"

enum { MAX_PARTS = 10000, MAX_TAG = 128, MAX_ID = 2048, MAX_LIST = 8 << 20 };

/* What the server has of one part. */
typedef struct part {
  char etag[MAX_TAG]; /* "": not there yet */
  char sha256[45];    /* base64, as it was sent */
  uint64_t size;      /* what ListParts said; 0: unknown */
} part;

typedef struct upload {
  fn_store *store;
  const char *key, *path;
  int fd;
  uint64_t length, part_bytes;
  const fn_sums *sums;
  char id[MAX_ID];
  part *parts;
  size_t n;
  fn_upload memory;
} upload;

static uint64_t size_of(const upload *u, size_t i) {
  const uint64_t begin = i * u->part_bytes;
  return u->length - begin < u->part_bytes ? u->length - begin : u->part_bytes;
}

static fn_status copy_text(char *out, size_t size, fn_str text, const upload *u, const char *what, fn_err *err) {
  if (text.length == 0 || text.length >= size)
    return fn_err_set(err, FN_E_IO, "%.300s/%.300s: an answer without %s", u->store->uri, u->key, what);
  snprintf(out, size, "%.*s", (int)text.length, text.data);
  return FN_OK;
}

static fn_status create(upload *u, fn_err *err) {
  const fn_call_pair query[] = {{"uploads", ""}};
  const fn_call_pair headers[] = {{"x-amz-checksum-algorithm", "SHA256"}, {"x-amz-meta-sha256", u->sums->sha256}};
  const fn_store_call call = {
      .method = "POST", .key = u->key, .query = query, .n_query = 1, .headers = headers, .n_headers = 2, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_AUTO_BUF fn_buf id;
  fn_buf_init(&id, MAX_ID);
  FN_TRY(fn_store_expect(&answer, u->store, &call, err));
  (void)fn_xml_find(&id, fn_buf_str(&answer.body), "*/UploadId");
  FN_TRY(copy_text(u->id, sizeof u->id, fn_buf_str(&id), u, "UploadId", err));
  fn_upload_keep(&u->memory, u->id);
  return FN_OK;
}

/* ---- what an earlier call left */

typedef struct listing {
  upload *u;
  part now; /* the part that is being read */
  int64_t number;
  bool truncated;
  int64_t next;
} listing;

static fn_status on_element(void *arg, const char *path, fn_str text, fn_err *err) {
  (void)err;
  listing *l = arg;
  int64_t value;
  if (fn_xml_is(path, "*/Part/PartNumber") && fn_str_to_int64(&value, text)) l->number = value;
  if (fn_xml_is(path, "*/Part/Size") && fn_str_to_int64(&value, text) && value > 0) l->now.size = (uint64_t)value;
  if (fn_xml_is(path, "*/Part/ETag") && text.length < MAX_TAG)
    snprintf(l->now.etag, sizeof l->now.etag, "%.*s", (int)text.length, text.data);
  if (fn_xml_is(path, "*/Part/ChecksumSHA256") && text.length < sizeof l->now.sha256)
    snprintf(l->now.sha256, sizeof l->now.sha256, "%.*s", (int)text.length, text.data);
  if (fn_xml_is(path, "*/IsTruncated")) l->truncated = fn_str_is(text, "true");
  if (fn_xml_is(path, "*/NextPartNumberMarker") && fn_str_to_int64(&value, text)) l->next = value;
  if (!fn_xml_is(path, "*/Part")) return FN_OK;
  if (l->number >= 1 && (uint64_t)l->number <= l->u->n && l->now.size == size_of(l->u, (size_t)l->number - 1))
    l->u->parts[l->number - 1] = l->now;
  l->now = (part){.size = 0};
  l->number = 0;
  return FN_OK;
}

/* Fills u->parts; false when the upload is no longer there. */
static fn_status list_parts(bool *there_out, upload *u, fn_err *err) {
  listing l = {.u = u};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  for (int64_t marker = 0;; marker = l.next) {
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)marker);
    const fn_call_pair query[] = {{"uploadId", u->id}, {"part-number-marker", number}};
    const fn_store_call call = {.method = "GET",
                                .key = u->key,
                                .query = query,
                                .n_query = marker ? 2 : 1,
                                .max_answer_bytes = MAX_LIST,
                                .total = -1};
    const fn_status status = fn_store_expect(&answer, u->store, &call, err);
    *there_out = status == FN_OK;
    if (status == FN_E_NOT_FOUND) return FN_OK;
    FN_TRY(status);
    l.truncated = false;
    l.next = 0;
    FN_TRY(fn_xml_walk(fn_buf_str(&answer.body), u->store->uri, on_element, &l, err));
    if (!l.truncated || l.next <= marker) return FN_OK;
  }
}

/* ---- parts */

/* Whether an earlier call sent the part: its bytes are these when its SHA-256 is, or, with a service that lists none,
 * its MD5, which is then its tag. */
static bool is_there(part *p, const fn_sums *sums, const char *sha256) {
  char tag[40];
  snprintf(tag, sizeof tag, "\"%s\"", sums->md5);
  const bool same = p->sha256[0] ? strcmp(p->sha256, sha256) == 0 : strcmp(p->etag, tag) == 0;
  if (p->etag[0] && same) snprintf(p->sha256, sizeof p->sha256, "%.44s", sha256);
  return p->etag[0] && same;
}

/* One part, on a thread of the crew: nobody else uses its place in u->parts meanwhile. */
static fn_status put_part(void *arg, fn_store *store, size_t i, fn_err *err) {
  upload *u = arg;
  fn_sums sums;
  FN_AUTO_BUF fn_buf encoded;
  fn_buf_init(&encoded, 256);
  const uint64_t offset = i * u->part_bytes, size = size_of(u, i);
  part *p = &u->parts[i];
  const unsigned kinds = FN_SUM_SHA256 | (p->etag[0] && !p->sha256[0] ? FN_SUM_MD5 : 0u);
  FN_TRY(fn_sums_file(&sums, u->fd, offset, size, kinds, u->path, NULL, NULL, err));
  fn_sums_base64(&encoded, &sums, FN_SUM_SHA256);
  FN_TRY(fn_buf_check(&encoded, "a checksum", err));
  const fn_download_event all = {.kind = FN_DOWNLOAD_DATA, .text = u->key, .n_bytes = size, .total = (int64_t)size};
  if (is_there(p, &sums, encoded.data)) return fn_store_tell(store, all, err);
  char number[24];
  snprintf(number, sizeof number, "%zu", i + 1);
  const fn_call_pair query[] = {{"partNumber", number}, {"uploadId", u->id}};
  const fn_call_pair headers[] = {{"x-amz-checksum-sha256", encoded.data}};
  const fn_store_call call = {.method = "PUT",
                              .key = u->key,
                              .query = query,
                              .n_query = 2,
                              .headers = headers,
                              .n_headers = 1,
                              .from_file = true,
                              .body_file = u->fd,
                              .body_offset = offset,
                              .body_length = size,
                              .body_sha256 = sums.sha256,
                              .total = (int64_t)size};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_store_expect(&answer, store, &call, err));
  fn_str etag;
  (void)fn_call_header(&etag, &answer, "etag");
  FN_TRY(copy_text(p->etag, sizeof p->etag, etag, u, "ETag", err));
  snprintf(p->sha256, sizeof p->sha256, "%.44s", encoded.data);
  return fn_store_tell(store, all, err);
}

static fn_status put_parts(upload *u, fn_err *err) {
  const size_t most = u->store->buckets.connections > 1 ? (size_t)u->store->buckets.connections : 1;
  const fn_crew_work work = {.task = put_part, .arg = u, .n = u->n};
  fn_crew *crew;
  FN_TRY(fn_crew_start(&crew, u->store, &work, most < u->n ? most : u->n, err));
  const fn_status status = fn_crew_wait(crew, (fn_download_event){.text = u->key, .total = (int64_t)u->length}, err);
  fn_crew_destroy(crew);
  return status;
}

static fn_status complete(upload *u, fn_err *err) {
  FN_AUTO_BUF fn_buf body;
  const bool sums = !fn_s3_learnt_of(u->store).no_checksums;
  fn_buf_init(&body, 8 << 20);
  fn_buf_append_str(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
  for (size_t i = 0; i < u->n; i++) {
    fn_buf_append_str(&body, "<Part><ETag>");
    fn_xml_escape(&body, fn_str_from(u->parts[i].etag));
    fn_buf_append_str(&body, "</ETag>");
    if (sums) fn_buf_printf(&body, "<ChecksumSHA256>%s</ChecksumSHA256>", u->parts[i].sha256);
    fn_buf_printf(&body, "<PartNumber>%zu</PartNumber></Part>", i + 1);
  }
  fn_buf_append_str(&body, "</CompleteMultipartUpload>");
  FN_TRY(fn_buf_check(&body, "a list of parts", err));
  const fn_call_pair query[] = {{"uploadId", u->id}};
  const fn_call_pair headers[] = {{"content-type", "application/xml"}};
  const fn_store_call call = {.method = "POST",
                              .key = u->key,
                              .query = query,
                              .n_query = 1,
                              .headers = headers,
                              .n_headers = 1,
                              .body = fn_buf_str(&body),
                              .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  const fn_status status = fn_store_expect(&answer, u->store, &call, err);
  /* FN_E_NOT_FOUND: an attempt whose answer was lost may have completed it, run looks. */
  FN_TRY(status);
  FN_AUTO_BUF fn_buf etag;
  fn_buf_init(&etag, MAX_TAG);
  if (fn_xml_find(&etag, fn_buf_str(&answer.body), "*/ETag")) return FN_OK;
  answer.status = 500;
  return u->store->driver->explain(u->store, &answer, u->key, err);
}

/* Otherwise its parts are paid for until somebody finds them. patient: with attempts, as the service is there. False:
 * it may still be there. What failed before is what is told. */
static bool abort_upload(fn_store *store, const char *key, const char *id, bool patient) {
  const fn_call_pair query[] = {{"uploadId", id}};
  const fn_store_call call = {.method = "DELETE", .key = key, .query = query, .n_query = 1, .total = -1};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  if (!*id) return true;
  const fn_status status =
      patient ? fn_store_run(&answer, store, &call, NULL) : store->driver->call(&answer, store, &call, NULL);
  return status == FN_OK && ((answer.status >= 200 && answer.status < 300) || answer.status == 404);
}

void fn_s3_drop_upload(fn_store *store, const char *key) {
  if (!fn_upload_is_kept(store, key)) return;
  fn_upload u = {.uri = store->uri, .key = key};
  fn_upload_claim(&u, store);
  FN_AUTO_FREE char *other = NULL;
  (void)!fn_upload_recall(&other, store, &u); /* no file has no digest */
  if (other && abort_upload(store, key, other, true)) fn_upload_forget(store, &u);
  fn_upload_release(&u, store);
}

static bool is_stored(const upload *u) {
  fn_store_entry entry;
  return u->store->driver->stat(&entry, u->store, u->key, NULL) == FN_OK &&
         fn_digest_equal(entry.sha256, u->sums->sha256);
}

static fn_status run(upload *u, fn_err *err) {
  FN_AUTO_FREE char *other = NULL;
  FN_AUTO_FREE char *kept = fn_upload_recall(&other, u->store, &u->memory);
  bool goes_on = false;
  if (other) (void)abort_upload(u->store, u->key, other, true); /* of the file that was here before */
  if (kept && strlen(kept) < sizeof u->id) {
    memcpy(u->id, kept, strlen(kept) + 1);
    const fn_status listed = list_parts(&goes_on, u, err);
    /* Who may not list parts can begin anew. */
    if (listed != FN_OK && listed != FN_E_INVALID) return listed;
    if (listed == FN_OK && !goes_on && is_stored(u)) { /* it was completed, and the answer lost */
      fn_upload_forget(u->store, &u->memory);
      return FN_OK;
    }
    goes_on = goes_on && listed == FN_OK;
    if (!goes_on) (void)abort_upload(u->store, u->key, u->id, true);
  }
  if (!goes_on) FN_TRY(create(u, err));
  fn_status status = put_parts(u, err);
  if (status == FN_OK) status = complete(u, err);
  if (status == FN_E_NOT_FOUND && !is_stored(u)) { /* somebody removed the upload in between */
    memset(u->parts, 0, u->n * sizeof *u->parts);
    (void)abort_upload(u->store, u->key, u->id, true); /* or somebody in between says so */
    FN_TRY(create(u, err));
    status = put_parts(u, err);
    if (status == FN_OK) status = complete(u, err);
  } else if (status == FN_E_NOT_FOUND) {
    status = FN_OK;
  }
  /* What may pass, or was stopped, goes on with the same call when there is a memory of it. */
  const bool passes = status == FN_E_IO || status == FN_E_CANCELLED, keep = u->memory.fd >= 0 && passes;
  const bool ended = status == FN_OK || (!keep && abort_upload(u->store, u->key, u->id, !passes));
  if (ended) fn_upload_forget(u->store, &u->memory); /* else the next call for this key ends it */
  if (!keep || !err) return status;
  char text[sizeof err->message];
  memcpy(text, err->message, sizeof text);
  return fn_err_set(err, status, "%.850s; the parts that arrived are kept there, the same call goes on with them",
                    text);
}

fn_status fn_s3_upload(fn_store *store, const char *key, const char *from_path, int fd, uint64_t length,
                       const fn_sums *sums, fn_err *err) {
  const uint64_t mib = (uint64_t)1 << 20;
  uint64_t part_bytes = (uint64_t)store->buckets.part_mb * mib;
  const uint64_t least = (length + MAX_PARTS - 1) / MAX_PARTS;
  if (part_bytes < 5 * mib) part_bytes = 5 * mib; /* what S3 takes, but for the last one */
  if (part_bytes < least) part_bytes = (least + mib - 1) / mib * mib;
  if (part_bytes > 5120 * mib)
    return fn_err_set(err, FN_E_LIMIT, "%s: longer than S3 takes (5 TiB in %d parts)", from_path, MAX_PARTS);
  const size_t n = (size_t)((length + part_bytes - 1) / part_bytes);
  FN_AUTO_FREE part *parts = fn_mem_calloc(n, sizeof *parts);
  if (!parts) return fn_err_no_memory(err, from_path);
  upload u = {
      .store = store,
      .key = key,
      .path = from_path,
      .fd = fd,
      .length = length,
      .part_bytes = part_bytes,
      .sums = sums,
      .parts = parts,
      .n = n,
      .memory = {.uri = store->uri, .key = key, .sha256 = sums->sha256, .length = length, .part_bytes = part_bytes}};
  fn_upload_claim(&u.memory, store);
  const fn_status status = run(&u, err);
  fn_upload_release(&u.memory, store);
  return status;
}
