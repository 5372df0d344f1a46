#include "net/wire.h"

#include <math.h>

enum { BUFFER = 1 << 17 };

/* This machine is asked directly: credentials may go to it over plain http, and would go to the proxy. */
static const char *proxy_of(const fn_net_options *o, const fn_url *url) {
  if (url->scheme == FN_URL_HTTP && fn_url_is_here(url)) return "";
  const char *proxy = url->scheme == FN_URL_HTTPS ? o->https_proxy : url->scheme == FN_URL_HTTP ? o->http_proxy : NULL;
  return proxy ? proxy : ""; /* libcurl reads the environment for NULL */
}

static CURLcode set_limits(const fn_curl *curl, CURL *easy, const fn_net_options *o) {
  CURLcode code = CURLE_OK;
  FN_WIRE_SET(CURLOPT_NOSIGNAL, 1L);
  FN_WIRE_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)ceil(o->connect_timeout_s * 1000));
  FN_WIRE_SET(CURLOPT_LOW_SPEED_TIME, (long)o->stall_timeout_s);
  FN_WIRE_SET(CURLOPT_LOW_SPEED_LIMIT, (long)o->stall_bytes_per_s);
  FN_WIRE_SET(CURLOPT_BUFFERSIZE, (long)BUFFER);
  FN_WIRE_SET(CURLOPT_NOPROXY, o->no_proxy ? o->no_proxy : "");
  if (o->ca_file) FN_WIRE_SET(CURLOPT_CAINFO, o->ca_file);
  return code;
}

CURLcode fn_wire_set(fn_http *http, const fn_url *url, const fn_http_credentials *credentials, bool direct) {
  const fn_curl *curl = http->curl;
  CURL *easy = http->easy;
  CURLcode code = set_limits(curl, easy, http->options);
  FN_WIRE_SET(CURLOPT_URL, url->text);
  FN_WIRE_SET(CURLOPT_PROTOCOLS_STR, url->scheme == FN_URL_FILE ? "file" : "http,https");
  FN_WIRE_SET(CURLOPT_FOLLOWLOCATION, 0L);
  FN_WIRE_SET(CURLOPT_PROXY, direct ? "" : proxy_of(http->options, url));
  FN_WIRE_SET(CURLOPT_USERAGENT, http->agent);
  FN_WIRE_SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  if (credentials && credentials->bearer) {
    FN_WIRE_SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    FN_WIRE_SET(CURLOPT_XOAUTH2_BEARER, credentials->bearer);
  } else if (credentials && credentials->user) {
    FN_WIRE_SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    FN_WIRE_SET(CURLOPT_USERNAME, credentials->user);
    FN_WIRE_SET(CURLOPT_PASSWORD, credentials->password ? credentials->password : "");
  }
  return code;
}

CURLcode fn_wire_listen(fn_http *http, size_t (*on_header)(char *, size_t, size_t, void *),
                        size_t (*on_body)(char *, size_t, size_t, void *),
                        int (*on_tick)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t), void *arg) {
  const fn_curl *curl = http->curl;
  CURL *easy = http->easy;
  CURLcode code = CURLE_OK;
  FN_WIRE_SET(CURLOPT_HEADERFUNCTION, on_header);
  FN_WIRE_SET(CURLOPT_HEADERDATA, arg);
  FN_WIRE_SET(CURLOPT_WRITEFUNCTION, on_body);
  FN_WIRE_SET(CURLOPT_WRITEDATA, arg);
  FN_WIRE_SET(CURLOPT_XFERINFOFUNCTION, on_tick);
  FN_WIRE_SET(CURLOPT_XFERINFODATA, arg);
  FN_WIRE_SET(CURLOPT_NOPROGRESS, 0L);
  return code;
}

CURLcode fn_wire_perform(fn_http *http, CURLcode code, struct curl_slist *headers, char detail[CURL_ERROR_SIZE]) {
  const fn_curl *curl = http->curl;
  CURL *easy = http->easy;
  FN_WIRE_SET(CURLOPT_HTTPHEADER, headers);
  FN_WIRE_SET(CURLOPT_ERRORBUFFER, detail);
  if (code == CURLE_OK) code = curl->easy_perform(easy);
  curl->slist_free_all(headers);
  return code;
}

/* Whether another attempt may find the way free. */
static bool passing(CURLcode code) {
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_PARTIAL_FILE:
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM: return true;
  default: return false;
  }
}

bool fn_wire_passing(int status) {
  return status == 408 || status == 425 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

bool fn_wire_is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

double fn_wire_retry_after(fn_http *http) {
  curl_off_t wait = 0;
  http->curl->easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &wait);
  return (double)wait;
}

fn_status fn_wire_check_plain(const fn_url *url, const fn_net_options *o, fn_err *err) {
  if (url->scheme != FN_URL_HTTP || fn_url_is_here(url)) return FN_OK;
  for (size_t i = 0; i < o->insecure_hosts.n; i++)
    if (fn_str_equal_nocase(fn_str_from(o->insecure_hosts.items[i]), fn_str_from(url->host))) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "http://%.250s: credentials would travel unencrypted; use https://, or allow this host by "
                    "net.insecure_hosts=[%.250s]",
                    url->host, url->host);
}

fn_status fn_wire_failed(bool *retry_out, bool *unresolved_out, const fn_http *http, const fn_wire_failure *f,
                         fn_err *err) {
  const char *url = f->url->text;
  const int n = (int)(f->hide_query ? strcspn(url, "?") : strlen(url)), shown = n < 500 ? n : 500;
  if (f->code == CURLE_OUT_OF_MEMORY) return fn_err_no_memory(err, "a request");
  if (f->code == CURLE_FILE_COULDNT_READ_FILE)
    return fn_err_set(err, FN_E_NOT_FOUND, "%.*s: no such file can be read", shown, url);
  *retry_out = passing(f->code);
  *unresolved_out = f->code == CURLE_COULDNT_RESOLVE_HOST;
  const char *text = f->detail[0] ? f->detail : http->curl->easy_strerror(f->code);
  if (f->code == CURLE_OPERATION_TIMEDOUT) {
    const char *hint = f->answered ? " (net.stall_timeout_s" : " (net.connect_timeout_s, net.stall_timeout_s";
    return fn_err_set(err, FN_E_IO, "%.*s: %.250s%s%s%s)", shown, url, text, hint, f->limit ? ", " : "",
                      f->limit ? f->limit : "");
  }
  const bool verification = f->code == CURLE_PEER_FAILED_VERIFICATION || f->code == CURLE_SSL_CACERT_BADFILE;
  return fn_err_set(err, FN_E_IO, "%.*s: %.250s%s", shown, url, text,
                    verification ? "; certificates to trust come with the Debian package ca-certificates, others by "
                                   "net.ca_file"
                                 : "");
}

fn_status fn_wire_redirect(fn_url *next_out, fn_http *http, const fn_url *from, int status, fn_err *err) {
  const char *target = NULL;
  http->curl->easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &target);
  /* What follows a '?' may be a key. */
  const size_t n = strcspn(from->text, "?");
  const int shown = (int)(n < 350 ? n : 350);
  if (!target)
    return fn_err_set(err, FN_E_IO, "%.*s: answers %d without saying where to go", shown, from->text, status);
  const fn_status parsed = fn_url_parse(next_out, target, NULL);
  if (parsed == FN_E_INVALID) {
    char text[301];
    (void)fn_url_show(text, target);
    return fn_err_set(err, parsed, "%.*s redirects to \"%.*s\", which is no address that is followed", shown,
                      from->text, (int)strcspn(text, "?"), text);
  }
  if (parsed != FN_OK) return fn_err_no_memory(err, "an address");
  const char *why = next_out->scheme == FN_URL_FILE ? "only http and https are followed"
                    : from->scheme == FN_URL_HTTPS && next_out->scheme == FN_URL_HTTP
                        ? "from https to http, which anyone on the way could read and change"
                        : NULL;
  if (!why) return FN_OK;
  const size_t m = strcspn(next_out->text, "?");
  (void)fn_err_set(err, FN_E_INVALID, "%.*s redirects to %.*s: refused, %s", shown, from->text,
                   (int)(m < 350 ? m : 350), next_out->text, why);
  fn_url_deinit(next_out);
  return FN_E_INVALID;
}
