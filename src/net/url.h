/* Addresses, and file names that are safe to use. */
#ifndef FN_NET_URL_H
#define FN_NET_URL_H

#include "base/base.h"

enum { FN_URL_MAX = 8192, FN_NAME_MAX = 200 };

typedef enum fn_url_scheme { FN_URL_HTTP, FN_URL_HTTPS, FN_URL_FILE } fn_url_scheme;

/* A parsed address. Release with fn_url_deinit. */
typedef struct fn_url {
  fn_url_scheme scheme;
  char *text;            /* without user and password: what may be shown and kept */
  char *host, *path;     /* host in lower case, "" for file: path as written, with its %XX */
  char *user, *password; /* decoded; NULL when the address holds none */
  int port;              /* 0 for file */
} fn_url;

/* FN_E_INVALID: not an address, one over FN_URL_MAX bytes, or a scheme other than http, https and file.
 * FN_E_UNSUPPORTED when libcurl, which parses, is not there. */
FN_NODISCARD fn_status fn_url_parse(fn_url *url_out, const char *text, fn_err *err);
void fn_url_deinit(fn_url *url);
/* An address for messages, be it a good one or not: what may be user and password is ***. 300 bytes at most; returns
 * out. */
const char *fn_url_show(char out[301], const char *text);
/* Same scheme, host and port: credentials for a may be sent to b. */
bool fn_url_same_origin(const fn_url *a, const fn_url *b);
/* Whether the host is this machine: localhost, ::1, and 127.0.0.0/8 in dotted form, not the name 127.example.org. */
bool fn_url_is_here(const fn_url *url);

/* Appends text with every byte but letters, digits, "-._~" and those in `keep` as %XX in upper case (RFC 3986, 2.3). */
void fn_url_encode(fn_buf *out, fn_str text, const char *keep);

/* The other way: %XX becomes a byte, anything else stays. */
void fn_url_decode(fn_buf *out, fn_str text);

/* Makes a file name of what a stranger wrote: the part after the last / or \, valid UTF-8, no control characters, no
 * dot in front, at most FN_NAME_MAX bytes (the extension is kept). False when nothing is left, and for "." and "..". */
bool fn_name_clean(char out[FN_NAME_MAX + 1], fn_str raw);
/* Last part of an address's path, %XX decoded. False when there is none. */
bool fn_name_from_path(char out[FN_NAME_MAX + 1], fn_str path);
/* The value of a Content-Disposition header (RFC 6266): filename* in UTF-8, else filename. False when it has none. */
bool fn_name_from_disposition(char out[FN_NAME_MAX + 1], fn_str value);
/* A path inside an archive, as it is safe below a folder: parts joined by '/', each as it stands. False, with *why_out
 * saying what is wrong, when it is absolute, goes up, is empty, too long, not UTF-8, or holds a backslash or a control
 * character. */
bool fn_name_is_inside(fn_str path, const char **why_out);

#endif
