#include "store/sigv4.h"

#include <ctype.h>
#include <time.h>

void fn_sigv4_time(char out[17], int64_t unix_ms) {
  char text[21]; /* "2013-05-24T00:00:00Z" */
  fn_clock_format(text, unix_ms);
  size_t n = 0;
  for (const char *p = text; *p && n < 16; p++)
    if (*p != '-' && *p != ':') out[n++] = *p;
  out[n] = 0;
}

/* Parameters are sorted by their encoded name, then by their encoded value. */
static int by_encoded(const void *a, const void *b) {
  const fn_call_pair *x = a, *y = b;
  const int order = strcmp(x->name, y->name);
  return order ? order : strcmp(x->value, y->value);
}

void fn_sigv4_query(fn_buf *out, const fn_sigv4 *r) {
  fn_call_pair pairs[FN_SIGV4_PAIRS] = {{NULL, NULL}};
  FN_AUTO_BUF fn_buf text; /* "name\0value\0" … */
  fn_buf_init(&text, 1 << 16);
  size_t starts[2 * FN_SIGV4_PAIRS] = {0};
  for (size_t i = 0; i < r->n_query && i < FN_SIGV4_PAIRS; i++) {
    starts[2 * i] = text.length;
    fn_url_encode(&text, fn_str_from(r->query[i].name), "");
    fn_buf_append_char(&text, 0);
    starts[2 * i + 1] = text.length;
    fn_url_encode(&text, fn_str_from(r->query[i].value ? r->query[i].value : ""), "");
    fn_buf_append_char(&text, 0);
  }
  if (text.failed) {
    out->failed = true;
    return;
  }
  const size_t n = r->n_query < FN_SIGV4_PAIRS ? r->n_query : FN_SIGV4_PAIRS;
  for (size_t i = 0; i < n; i++) pairs[i] = (fn_call_pair){text.data + starts[2 * i], text.data + starts[2 * i + 1]};
  qsort(pairs, n, sizeof *pairs, by_encoded);
  for (size_t i = 0; i < n; i++) fn_buf_printf(out, "%s%s=%s", i ? "&" : "", pairs[i].name, pairs[i].value);
}

static int by_name(const void *a, const void *b) {
  const fn_call_pair *const *x = a, *const *y = b;
  fn_str s = fn_str_from((*x)->name), t = fn_str_from((*y)->name);
  for (size_t i = 0; i < s.length && i < t.length; i++) {
    const int c = tolower((unsigned char)s.data[i]) - tolower((unsigned char)t.data[i]);
    if (c) return c;
  }
  if (s.length != t.length) return s.length < t.length ? -1 : 1;
  return *x < *y ? -1 : *x > *y; /* several of one name stay in their order */
}

static size_t sort_headers(const fn_call_pair *sorted[FN_SIGV4_PAIRS], const fn_sigv4 *r) {
  size_t n = 0;
  for (; n < r->n_headers && n < FN_SIGV4_PAIRS; n++) sorted[n] = &r->headers[n];
  qsort(sorted, n, sizeof *sorted, by_name);
  return n;
}

static void append_lower(fn_buf *out, const char *text) {
  for (; *text; text++) fn_buf_append_char(out, (char)tolower((unsigned char)*text));
}

static bool same_name(const fn_call_pair *a, const fn_call_pair *b) {
  return fn_str_equal_nocase(fn_str_from(a->name), fn_str_from(b->name));
}

static void signed_names(fn_buf *out, const fn_sigv4 *r) {
  const fn_call_pair *sorted[FN_SIGV4_PAIRS] = {NULL};
  const size_t n = sort_headers(sorted, r);
  for (size_t i = 0; i < n; i++) {
    if (i && same_name(sorted[i], sorted[i - 1])) continue;
    if (i) fn_buf_append_char(out, ';');
    append_lower(out, sorted[i]->name);
  }
}

/* Without spaces at the ends, runs of them inside as one. */
static void append_value(fn_buf *out, const char *text) {
  fn_str value = fn_str_trim(fn_str_from(text));
  bool space = false;
  for (size_t i = 0; i < value.length; i++) {
    const bool is_space = value.data[i] == ' ';
    if (!is_space || !space) fn_buf_append_char(out, value.data[i]);
    space = is_space;
  }
}

void fn_sigv4_canonical(fn_buf *out, const fn_sigv4 *r) {
  const fn_call_pair *sorted[FN_SIGV4_PAIRS] = {NULL};
  const size_t n = sort_headers(sorted, r);
  fn_buf_printf(out, "%s\n%s\n", r->method, *r->path ? r->path : "/");
  fn_sigv4_query(out, r);
  for (size_t i = 0; i < n; i++) {
    const bool more = i && same_name(sorted[i], sorted[i - 1]);
    fn_buf_append_char(out, more ? ',' : '\n');
    if (!more) append_lower(out, sorted[i]->name);
    if (!more) fn_buf_append_char(out, ':');
    append_value(out, sorted[i]->value);
  }
  fn_buf_append_str(out, "\n\n");
  signed_names(out, r);
  fn_buf_printf(out, "\n%s", r->payload_sha256);
}

void fn_sigv4_to_sign(fn_buf *out, const fn_sigv4 *r) {
  FN_AUTO_BUF fn_buf canonical;
  fn_buf_init(&canonical, 1 << 18);
  fn_sigv4_canonical(&canonical, r);
  unsigned char digest[FN_SHA256_BYTES];
  char hex[2 * FN_SHA256_BYTES + 1];
  fn_sha256_bytes(digest, fn_buf_str(&canonical));
  fn_hex_format(hex, digest, sizeof digest);
  fn_buf_printf(out, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", r->time, r->time, r->region, r->service, hex);
  out->failed = out->failed || canonical.failed;
}

static void chain(unsigned char key[FN_SHA256_BYTES], const char *text) {
  unsigned char next[FN_SHA256_BYTES];
  fn_hmac_sha256(next, fn_str_make((const char *)key, FN_SHA256_BYTES), fn_str_from(text));
  memcpy(key, next, sizeof next);
}

fn_status fn_sigv4_authorization(fn_buf *out, const fn_sigv4 *r, const fn_aws_keys *keys, fn_err *err) {
  if (r->n_headers > FN_SIGV4_PAIRS || r->n_query > FN_SIGV4_PAIRS)
    return fn_err_set(err, FN_E_LIMIT, "a signed request has at most %d headers and parameters", FN_SIGV4_PAIRS);
  FN_AUTO_BUF fn_buf to_sign, secret;
  fn_buf_init(&to_sign, 1 << 16);
  fn_buf_init(&secret, 1 << 12);
  fn_sigv4_to_sign(&to_sign, r);
  fn_buf_printf(&secret, "AWS4%s", keys->secret);
  FN_TRY(fn_buf_check(&to_sign, "a signature", err));
  FN_TRY(fn_buf_check(&secret, "a secret key of more than 4,000 bytes", err));
  unsigned char key[FN_SHA256_BYTES];
  char hex[2 * FN_SHA256_BYTES + 1], date[9];
  memcpy(date, r->time, 8);
  date[8] = 0;
  fn_hmac_sha256(key, fn_buf_str(&secret), fn_str_from(date));
  chain(key, r->region);
  chain(key, r->service);
  chain(key, "aws4_request");
  unsigned char signature[FN_SHA256_BYTES];
  fn_hmac_sha256(signature, fn_str_make((const char *)key, sizeof key), fn_buf_str(&to_sign));
  fn_hex_format(hex, signature, sizeof signature);
  fn_buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=", keys->id, date, r->region,
                r->service);
  signed_names(out, r);
  fn_buf_printf(out, ", Signature=%s", hex);
  return fn_buf_check(out, "a signature", err);
}
