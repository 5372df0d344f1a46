/* What S3's answers mean. */
#include "store/aws_remote.h"
#include "store/s3.h"
#include "store/xml.h"

fn_status fn_s3_no_speaker(const fn_store *store, fn_err *err) {
  const fn_s3 *s3 = store->state;
  return fn_err_set(err, FN_E_IO,
                    "%.300s: %.300s answers, but not as S3 does: is this the address of its API (store.s3_endpoint, "
                    "AWS_ENDPOINT_URL_S3)?",
                    store->uri, s3->base);
}

fn_status fn_s3_check_speaker(const fn_call_answer *answer, const fn_store *store, const fn_store_call *call,
                              fn_err *err) {
  fn_str value;
  if (answer->status < 200 || answer->status > 299 || !call->key || call->n_query) return FN_OK;
  const bool removes = strcmp(call->method, "DELETE") == 0;
  const bool page =
      answer->status == 200 && fn_call_header(&value, answer, "content-type") && fn_str_starts_with(value, "text/html");
  if (removes ? !page : fn_call_header(&value, answer, "etag")) return FN_OK;
  return fn_s3_no_speaker(store, err);
}

/* Text of an element of the error, on one line. */
void fn_s3_error_part(char out[FN_S3_SHOWN + 1], const fn_call_answer *answer, const char *path) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  out[0] = 0;
  if (!fn_xml_find(&text, fn_buf_str(&answer->body), path)) return;
  fn_str_clean(out, FN_S3_SHOWN + 1, fn_buf_str(&text));
}

/* No address of an answer is followed: only a region is taken from one (s3_place.c). */
static fn_status led_elsewhere(const char *where, int http, fn_str location, fn_err *err) {
  char to[FN_URL_MAX], shown[301];
  const char *query = memchr(location.data, '?', location.length);
  fn_str_clean(to, sizeof to, fn_str_make(location.data, query ? (size_t)(query - location.data) : location.length));
  return fn_err_set(err, FN_E_INVALID,
                    "%.500s: HTTP %d redirects to %.250s: not followed; store.s3_endpoint is to be the final address",
                    where, http, fn_url_show(shown, to));
}

fn_status fn_s3_explain(const fn_store *store, const fn_call_answer *answer, const char *key, fn_err *err) {
  const fn_s3 *s3 = store->state;
  char code[FN_S3_SHOWN + 1], message[FN_S3_SHOWN + 1], region[FN_S3_SHOWN + 1], where[FN_URL_MAX], source[500] = "";
  fn_str header;
  fn_s3_error_part(code, answer, "Error/Code");
  fn_s3_error_part(message, answer, "Error/Message");
  fn_s3_answered_region(region, answer);
  snprintf(where, sizeof where, "%.300s%s%.400s", store->uri, key ? "/" : "", key ? key : "");
  fn_store_lock_keys(store);
  if (s3->aws.source) snprintf(source, sizeof source, "; keys are from %.300s", s3->aws.source);
  fn_store_unlock_keys(store);
  const int http = answer->status;
  if (region[0] && strcmp(region, s3->region) != 0 && (http == 301 || http == 307 || http == 400))
    return fn_err_set(err, FN_E_INVALID,
                      "%.500s: the bucket is in region %.60s, not in %.60s: set AWS_REGION=%.60s or store.s3_region",
                      where, region, s3->region, region);
  if (http >= 300 && http < 400 && fn_call_header(&header, answer, "location"))
    return led_elsewhere(where, http, header, err);
  if (strcmp(code, "RequestTimeTooSkewed") == 0)
    return fn_err_set(err, FN_E_INVALID, "%.500s: the clock of this machine differs too much from the server's", where);
  if (http == 404 && strcmp(code, "NoSuchBucket") == 0)
    return fn_err_set(err, FN_E_NOT_FOUND, "%.500s: there is no bucket %.100s", where, s3->bucket);
  if (http == 404) return fn_err_set(err, FN_E_NOT_FOUND, "%.700s: not there", where);
  char detail[2 * FN_S3_SHOWN + 8] = "";
  if (code[0]) snprintf(detail, sizeof detail, ": %s%s%s", code, message[0] ? ": " : "", message);
  if (http == 401 || http == 403)
    return fn_err_set(err, FN_E_INVALID, "%.400s: HTTP %d, access denied%.300s%.250s", where, http, detail, source);
  if (answer->retry || http >= 500 || http < 400)
    return fn_err_set(err, FN_E_IO, "%.400s: HTTP %d%.400s", where, http, detail);
  return fn_err_set(err, http == 413 ? FN_E_LIMIT : FN_E_INVALID, "%.400s: HTTP %d%.400s", where, http, detail);
}

/* The server's clock counts: one that was set wrong, or slept, may be hours off. */
static bool take_clock(fn_store *store, const fn_call_answer *answer) {
  int64_t skew_ms;
  if (!fn_aws_clock_of(&skew_ms, answer)) return false;
  fn_store_lock_keys(store);
  ((fn_s3 *)store->state)->aws.skew_ms = skew_ms;
  fn_store_unlock_keys(store);
  return true;
}

/* Services that came before S3's checksums refuse their headers. What is sent is still compared: with the SHA-256 that
 * is signed. */
static bool leave_checksums(fn_store *store, const fn_call_answer *answer, const char *code) {
  char message[FN_S3_SHOWN + 1];
  if (strcmp(code, "NotImplemented") != 0 && strcmp(code, "InvalidArgument") != 0) return false;
  fn_s3_error_part(message, answer, "Error/Message");
  if (!strstr(message, "checksum")) return false;
  fn_store_lock_keys(store);
  ((fn_s3 *)store->state)->learnt.no_checksums = true;
  fn_store_unlock_keys(store);
  return true;
}

/* What may be learnt from a refusal, once each for a request. */
enum { KEYS = 1, CLOCK = 2, CHECKSUMS = 4, REGION = 8 };

unsigned fn_s3_renew(fn_store *store, const fn_call_answer *answer) {
  fn_s3 *s3 = store->state;
  char code[FN_S3_SHOWN + 1];
  const int http = answer->status;
  if (fn_s3_learn_region(store, answer)) return REGION;
  if (http != 400 && http != 401 && http != 403 && http != 501) return 0;
  fn_s3_error_part(code, answer, "Error/Code");
  if (strcmp(code, "RequestTimeTooSkewed") == 0) return take_clock(store, answer) ? CLOCK : 0;
  if (leave_checksums(store, answer, code)) return CHECKSUMS;
  if (strcmp(code, "ExpiredToken") != 0 && strcmp(code, "TokenRefreshRequired") != 0) return 0;
  fn_store_lock_keys(store);
  const bool renews = fn_aws_keys_forget(&s3->aws);
  fn_store_unlock_keys(store);
  return renews ? KEYS : 0;
}

void fn_s3_mark_passing(fn_call_answer *answer, const fn_store_call *call) {
  char code[FN_S3_SHOWN + 1];
  const bool late = answer->status == 200 && strcmp(call->method, "POST") == 0;
  if (!late && answer->status != 400) return;
  fn_s3_error_part(code, answer, "Error/Code");
  if (late && !code[0]) return;
  if (late) answer->status = 500;
  answer->retry = late || strcmp(code, "RequestTimeout") == 0 || strcmp(code, "BadDigest") == 0;
}

/* The ETag of what was put in one piece is its MD5, unless it is encrypted with a key of the user. Our own uploads
 * carry their SHA-256. */
void fn_s3_sums(fn_sums *sums, const fn_call_answer *answer) {
  fn_str value, type, encryption;
  char hex[65];
  if (fn_call_header(&value, answer, "x-amz-meta-sha256") && value.length == 64) {
    snprintf(hex, sizeof hex, "%.64s", value.data);
    if (fn_digest_is_hex(hex, 64)) memcpy(sums->sha256, hex, 65), sums->kinds |= FN_SUM_SHA256;
  }
  const bool composite = fn_call_header(&type, answer, "x-amz-checksum-type") && fn_str_is(type, "COMPOSITE");
  if (answer->status == 200 && !composite) {
    if (fn_call_header(&value, answer, "x-amz-checksum-sha256")) (void)fn_sums_take_base64(sums, FN_SUM_SHA256, value);
    if (fn_call_header(&value, answer, "x-amz-checksum-crc32")) (void)fn_sums_take_base64(sums, FN_SUM_CRC32, value);
    if (fn_call_header(&value, answer, "x-amz-checksum-crc32c")) (void)fn_sums_take_base64(sums, FN_SUM_CRC32C, value);
  }
  if (sums->kinds & (FN_SUM_SHA256 | FN_SUM_CRC32 | FN_SUM_CRC32C)) return;
  const bool own_key =
      (fn_call_header(&encryption, answer, "x-amz-server-side-encryption") && !fn_str_is(encryption, "AES256")) ||
      fn_call_header(&encryption, answer, "x-amz-server-side-encryption-customer-algorithm");
  if (own_key || !fn_call_header(&value, answer, "etag") || value.length != 34 || value.data[0] != '"') return;
  snprintf(sums->md5, sizeof sums->md5, "%.32s", value.data + 1);
  if (fn_digest_is_hex(sums->md5, 32)) sums->kinds |= FN_SUM_MD5;
}
