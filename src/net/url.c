#include "net/url.h"

#include "net/curl_library.h"

/* One part as a malloc'd copy, or NULL when the address has none (ok stays) or memory is short (ok = false). */
static char *part_of(const fn_curl *curl, CURLU *handle, CURLUPart part, unsigned flags, bool *ok) {
  char *value = NULL;
  CURLUcode code = curl->url_get(handle, part, &value, flags);
  char *copy = code == CURLUE_OK ? fn_str_dup(fn_str_from(value)) : NULL;
  if (code == CURLUE_OUT_OF_MEMORY || (code == CURLUE_OK && !copy)) *ok = false;
  if (code == CURLUE_URLDECODE) *ok = false; /* %00 in a name or password */
  curl->free(value);
  return copy;
}

/* True when something was no small letter. */
static bool lower(char *text) {
  bool changed = false;
  for (; text && *text; text++)
    if (*text >= 'A' && *text <= 'Z') *text = (char)(*text - 'A' + 'a'), changed = true;
  return changed;
}

static bool find_scheme(fn_url_scheme *out, const char *scheme) {
  static const char *const names[] = {[FN_URL_HTTP] = "http", [FN_URL_HTTPS] = "https", [FN_URL_FILE] = "file"};
  for (size_t i = 0; scheme && i < FN_COUNT_OF(names); i++)
    if (strcmp(scheme, names[i]) == 0) return *out = (fn_url_scheme)i, true;
  return false;
}

/* Fills url from handle; false when something is missing. */
static bool take(fn_url *url, const fn_curl *curl, CURLU *handle) {
  bool ok = true;
  char *scheme = part_of(curl, handle, CURLUPART_SCHEME, 0, &ok);
  bool known = find_scheme(&url->scheme, scheme);
  free(scheme);
  if (!known) return false;
  url->host = part_of(curl, handle, CURLUPART_HOST, 0, &ok);
  url->path = part_of(curl, handle, CURLUPART_PATH, 0, &ok);
  url->user = part_of(curl, handle, CURLUPART_USER, CURLU_URLDECODE, &ok);
  url->password = part_of(curl, handle, CURLUPART_PASSWORD, CURLU_URLDECODE, &ok);
  /* As it is sent: who signs a request signs the host in lower case. */
  if (lower(url->host)) ok = ok && curl->url_set(handle, CURLUPART_HOST, url->host, 0) == CURLUE_OK;
  if (url->scheme == FN_URL_FILE && !url->host) url->host = fn_str_dup(fn_str_make(NULL, 0));
  if (url->scheme != FN_URL_FILE) {
    int64_t port = 0;
    char *text = part_of(curl, handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, &ok);
    ok = ok && text && fn_str_to_int64(&port, fn_str_from(text));
    url->port = (int)port;
    free(text);
  }
  /* The text that is shown and kept has neither credentials nor a fragment. */
  ok = ok && curl->url_set(handle, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
       curl->url_set(handle, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
       curl->url_set(handle, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK;
  if (ok) url->text = part_of(curl, handle, CURLUPART_URL, 0, &ok);
  return ok && url->host && url->path && url->text;
}

/* An address that is refused, as it may be shown: what stands before the last '@' may be a password, with a '/' in it
 * even. */
const char *fn_url_show(char out[301], const char *text) {
  const char *slashes = strstr(text, "//"), *begin = slashes ? slashes + 2 : text;
  const char *at = strrchr(begin, '@');
  if (at)
    snprintf(out, 301, "%.*s***%.250s", begin - text < 40 ? (int)(begin - text) : 40, text, at);
  else
    snprintf(out, 301, "%.300s", text);
  return out;
}

fn_status fn_url_parse(fn_url *url_out, const char *text, fn_err *err) {
  const fn_curl *curl;
  char shown[301];
  FN_TRY(fn_curl_get(&curl, err));
  if (strlen(text) > FN_URL_MAX)
    return fn_err_set(err, FN_E_INVALID, "%.60s…: an address of more than %d bytes", fn_url_show(shown, text),
                      FN_URL_MAX);
  CURLU *handle = curl->url();
  if (!handle) return fn_err_no_memory(err, "an address");
  fn_url url = {0};
  bool ok = curl->url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK && take(&url, curl, handle);
  curl->url_cleanup(handle);
  if (!ok) {
    fn_url_deinit(&url);
    return fn_err_set(err, FN_E_INVALID,
                      "\"%s\" is no address that can be fetched; http://…, https://… and file:///… are",
                      fn_url_show(shown, text));
  }
  *url_out = url;
  return FN_OK;
}

void fn_url_deinit(fn_url *url) {
  free(url->text);
  free(url->host);
  free(url->path);
  free(url->user);
  free(url->password);
  *url = (fn_url){0};
}

bool fn_url_same_origin(const fn_url *a, const fn_url *b) {
  return a->scheme == b->scheme && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool fn_url_is_here(const fn_url *url) {
  const char *host = url->host;
  if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return true;
  return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host);
}

void fn_url_encode(fn_buf *out, fn_str text, const char *keep) {
  for (size_t i = 0; i < text.length; i++) {
    const char c = text.data[i];
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (c && strchr(keep, c));
    if (plain) fn_buf_append_char(out, c);
    if (!plain) fn_buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
  }
}

static bool is_control(uint32_t c) {
  return c < ' ' || (c >= 0x7F && c < 0xA0);
}

/* Cuts a name to FN_NAME_MAX bytes between code points, its last 20 bytes from the dot on kept. */
static void shorten(fn_buf *name) {
  if (name->length <= FN_NAME_MAX) return;
  size_t tail = 0;
  for (size_t i = name->length; i > 0 && name->length - i < 20; i--)
    if (name->data[i - 1] == '.') {
      tail = name->length - i + 1;
      break;
    }
  size_t head = FN_NAME_MAX - tail;
  while (head > 0 && ((unsigned char)name->data[head] & 0xC0) == 0x80) head--;
  memmove(name->data + head, name->data + name->length - tail, tail);
  name->length = head + tail;
}

bool fn_name_clean(char out[FN_NAME_MAX + 1], fn_str raw) {
  for (size_t i = raw.length; i > 0; i--)
    if (raw.data[i - 1] == '/' || raw.data[i - 1] == '\\') {
      raw = fn_str_make(raw.data + i, raw.length - i);
      break;
    }
  raw = fn_str_trim(raw);
  if (raw.length == 0 || fn_str_is(raw, ".") || fn_str_is(raw, "..")) return false;
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, FN_URL_MAX * 2);
  for (size_t i = 0; i < raw.length;) {
    uint32_t c;
    size_t n = fn_utf8_decode(&c, raw.data + i, raw.length - i);
    bool bad = n == 0 || is_control(c) || (i == 0 && c == '.');
    if (bad)
      fn_buf_append_char(&name, '_');
    else
      fn_buf_append(&name, raw.data + i, n);
    i += n ? n : 1;
  }
  if (name.failed || name.length == 0) return false;
  shorten(&name);
  memcpy(out, name.data, name.length);
  out[name.length] = 0;
  return true;
}

static int hex_of(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

void fn_url_decode(fn_buf *out, fn_str text) {
  for (size_t i = 0; i < text.length; i++) {
    int high = i + 2 < text.length && text.data[i] == '%' ? hex_of(text.data[i + 1]) : -1;
    int low = high >= 0 ? hex_of(text.data[i + 2]) : -1;
    fn_buf_append_char(out, low >= 0 ? (char)(high * 16 + low) : text.data[i]);
    if (low >= 0) i += 2;
  }
}

bool fn_name_from_path(char out[FN_NAME_MAX + 1], fn_str path) {
  size_t begin = path.length;
  while (begin > 0 && path.data[begin - 1] != '/') begin--;
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, FN_URL_MAX);
  fn_url_decode(&name, fn_str_make(path.data + begin, path.length - begin));
  return !name.failed && name.length > 0 && fn_name_clean(out, fn_buf_str(&name));
}

/* Takes "key = value" off the front of *rest: a token or a quoted string with its \ removed, into value. */
static bool next_parameter(fn_str *key_out, fn_buf *value, fn_str *rest) {
  fn_str s = fn_str_trim(*rest);
  while (s.length && s.data[0] == ';') s = fn_str_trim(fn_str_make(s.data + 1, s.length - 1));
  size_t n = 0;
  while (n < s.length && s.data[n] != '=' && s.data[n] != ';') n++;
  *key_out = fn_str_trim(fn_str_make(s.data, n));
  fn_buf_reset(value);
  if (n < s.length && s.data[n] == '=') {
    s = fn_str_trim(fn_str_make(s.data + n + 1, s.length - n - 1));
    n = 0;
    if (s.length && s.data[0] == '"') {
      for (n = 1; n < s.length && s.data[n] != '"'; n++) {
        if (s.data[n] == '\\' && n + 1 < s.length) n++;
        fn_buf_append_char(value, s.data[n]);
      }
    } else {
      while (n < s.length && s.data[n] != ';') fn_buf_append_char(value, s.data[n++]);
    }
    while (n < s.length && s.data[n] != ';') n++;
  }
  *rest = fn_str_make(s.data + n, s.length - n);
  return key_out->length > 0 || rest->length > 0;
}

bool fn_name_from_disposition(char out[FN_NAME_MAX + 1], fn_str value) {
  FN_AUTO_BUF fn_buf parameter;
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&parameter, FN_URL_MAX);
  fn_buf_init(&name, FN_URL_MAX);
  fn_str key;
  bool found = false;
  for (int i = 0; i < 32 && value.length && next_parameter(&key, &parameter, &value); i++) {
    fn_str text = fn_str_trim(fn_buf_str(&parameter));
    bool plain = fn_str_equal_nocase(key, fn_str_from("filename"));
    if (plain && !found) {
      fn_buf_reset(&name);
      fn_buf_append(&name, text.data, text.length);
    }
    if (fn_str_equal_nocase(key, fn_str_from("filename*")) && text.length > 7 &&
        fn_str_equal_nocase(fn_str_make(text.data, 6), fn_str_from("utf-8'"))) {
      const char *quote = memchr(text.data + 6, '\'', text.length - 6);
      if (!quote) continue;
      fn_buf_reset(&name);
      fn_url_decode(&name, fn_str_make(quote + 1, text.length - (size_t)(quote + 1 - text.data)));
      found = true;
    }
  }
  return !name.failed && name.length > 0 && fn_name_clean(out, fn_buf_str(&name));
}

bool fn_name_is_inside(fn_str path, const char **why_out) {
  *why_out = NULL;
  if (path.length == 0) *why_out = "is empty";
  if (path.length > 1024) *why_out = "is longer than 1,024 bytes";
  if (path.length && path.data[0] == '/') *why_out = "is absolute";
  if (!fn_utf8_valid(path, NULL)) *why_out = "is not UTF-8";
  for (size_t i = 0; i < path.length && !*why_out; i++) {
    unsigned char c = (unsigned char)path.data[i];
    if (c < ' ' || c == 0x7F) *why_out = "holds a control character";
    if (c == '\\') *why_out = "holds a backslash";
  }
  while (path.length && !*why_out) {
    const char *slash = memchr(path.data, '/', path.length);
    fn_str part = fn_str_make(path.data, slash ? (size_t)(slash - path.data) : path.length);
    if (part.length == 0 || fn_str_is(part, ".")) *why_out = "has an empty part";
    if (part.length > 255) *why_out = "has a part of more than 255 bytes";
    if (fn_str_is(part, "..")) *why_out = "goes up (..)";
    path = slash ? fn_str_make(slash + 1, path.length - part.length - 1) : fn_str_make(NULL, 0);
    if (slash && path.length == 0 && !*why_out) *why_out = "names a folder";
  }
  return *why_out == NULL;
}
