/* Where a bucket of S3 is: its region, and the address that follows from it. */
#include "store/s3.h"

#include <stdlib.h>

/* "host" or "host:port", as libcurl will write it. */
static char *host_of(const fn_url *url) {
  const bool usual = url->port == (url->scheme == FN_URL_HTTPS ? 443 : 80);
  char text[512];
  snprintf(text, sizeof text, usual ? "%.400s" : "%.400s:%d", url->host, url->port);
  return fn_str_dup(fn_str_from(text));
}

/* All or nothing: `base` says that the bucket was found. */
static fn_status keep_base(fn_s3 *s3, const fn_url *url, fn_str base, fn_err *err) {
  while (base.length && base.data[base.length - 1] == '/') base.length--; /* a path is added */
  char *host = host_of(url), *path = fn_str_dup(fn_str_from(strcmp(url->path, "/") == 0 ? "" : url->path));
  char *copy = fn_str_dup(base);
  if (!host || !path || !copy) {
    free(host), free(path), free(copy);
    return fn_err_no_memory(err, "an address");
  }
  free(s3->host), free(s3->path), free(s3->base);
  s3->host = host, s3->path = path, s3->base = copy;
  return FN_OK;
}

static fn_status set_base(fn_s3 *s3, const char *base, bool in_path, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_url url;
  fn_buf_init(&text, FN_URL_MAX);
  fn_buf_append_str(&text, base);
  while (text.length && text.data[text.length - 1] == '/') text.data[--text.length] = 0;
  if (in_path) fn_buf_printf(&text, "/%s", s3->bucket);
  FN_TRY(fn_buf_check(&text, "an address", err));
  FN_TRY(fn_url_parse(&url, text.data, err));
  const bool plain = url.scheme != FN_URL_FILE && !url.user && !strpbrk(text.data, "?#");
  fn_status status = FN_OK;
  if (!plain) /* without the bucket, and without a password */
    status = fn_err_set(err, FN_E_INVALID, "%.*s is no endpoint of S3; https://host[:port] is (store.s3_endpoint)",
                        (int)(strcspn(url.text, "?#") < 300 ? strcspn(url.text, "?#") : 300), url.text);
  else
    status = keep_base(s3, &url, fn_str_from(url.text), err);
  fn_url_deinit(&url);
  return status;
}

/* Whether a name can be part of a host name that the certificate of *.s3.REGION.amazonaws.com fits: those with dots do
 * not, nor old ones with capitals or '_'. */
static bool is_host_part(const char *bucket) {
  const size_t n = strlen(bucket);
  return n <= 63 && strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && bucket[0] != '-' &&
         bucket[n - 1] != '-';
}

/* Nothing that could lead to another host. */
static bool is_region(fn_str text) {
  if (text.length == 0 || text.length > 63) return false;
  for (size_t i = 0; i < text.length; i++)
    if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", text.data[i]) || !text.data[i]) return false;
  return true;
}

static bool is_china(const char *region) {
  return strncmp(region, "cn-", 3) == 0;
}

static fn_status find_region(fn_s3 *s3, const fn_store *store, fn_err *err) {
  FN_AUTO_BUF fn_buf region;
  fn_buf_init(&region, 256);
  if (s3->told_region)
    fn_buf_append_str(&region, s3->told_region);
  else
    fn_aws_region(&region, &s3->aws, store);
  FN_TRY(fn_buf_check(&region, "a region", err));
  if (!is_region(fn_buf_str(&region)))
    return fn_err_set(err, FN_E_INVALID, "\"%.100s\" is no region; eu-central-1 is (store.s3_region, AWS_REGION)",
                      region.data);
  free(s3->region);
  s3->region = fn_str_dup(fn_buf_str(&region));
  return s3->region ? FN_OK : fn_err_no_memory(err, "a region");
}

fn_status fn_s3_find(fn_store *store, fn_err *err) {
  fn_s3 *s3 = store->state;
  if (s3->base) return FN_OK;
  FN_TRY(find_region(s3, store, err));
  static const fn_aws_service s3_service = {"AWS_ENDPOINT_URL_S3", "s3", "s3"};
  FN_AUTO_BUF fn_buf given, text;
  fn_buf_init(&given, FN_URL_MAX), fn_buf_init(&text, FN_URL_MAX);
  const char *endpoint = store->buckets.s3_endpoint;
  if (!endpoint && fn_aws_endpoint(&given, &s3->aws, store, &s3_service)) {
    FN_TRY(fn_buf_check(&given, "an address", err));
    endpoint = given.data;
  }
  s3->is_amazon = !endpoint;
  if (endpoint) return set_base(s3, endpoint, true, err);
  const bool in_host = is_host_part(s3->bucket);
  fn_buf_printf(&text, "https://%s%ss3.%s.amazonaws.com%s", in_host ? s3->bucket : "", in_host ? "." : "", s3->region,
                is_china(s3->region) ? ".cn" : "");
  FN_TRY(fn_buf_check(&text, "an address", err));
  return set_base(s3, text.data, !in_host, err);
}

void fn_s3_answered_region(char out[FN_S3_SHOWN + 1], const fn_call_answer *answer) {
  fn_str header;
  out[0] = 0;
  if (fn_call_header(&header, answer, "x-amz-bucket-region")) fn_str_clean(out, FN_S3_SHOWN + 1, header);
  if (!out[0]) fn_s3_error_part(out, answer, "Error/Region");
}

bool fn_s3_learn_region(fn_store *store, const fn_call_answer *answer) {
  fn_s3 *s3 = store->state;
  char region[FN_S3_SHOWN + 1];
  const int http = answer->status;
  if ((http != 301 && http != 302 && http != 307 && http != 400) || s3->told_region) return false;
  if (store->keys_lock) return false; /* other threads use the address; their first request has found the region */
  fn_s3_answered_region(region, answer);
  if (!is_region(fn_str_from(region)) || strcmp(region, s3->region) == 0) return false;
  if (s3->is_amazon && is_china(region) != is_china(s3->region)) return false; /* another company's, other keys */
  s3->told_region = fn_str_dup(fn_str_from(region));
  if (!s3->told_region) return false;
  free(s3->base);
  s3->base = NULL; /* found anew, from the region alone: no address of the answer is used */
  return true;
}
