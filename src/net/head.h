/* The header lines of an HTTP answer, as far as a download needs them. Parses bytes of strangers. */
#ifndef FN_NET_HEAD_H
#define FN_NET_HEAD_H

#include "net/url.h"

typedef struct fn_http_head {
  int status; /* 200 …; 0 before the first line; 200 for file: */
  /* Entity tag with its quotes, "" when there is none or only a weak one; Last-Modified as it stands, "". Either one
   * tells whether a part that was fetched before still belongs to the file (RFC 9110, 13.1.5). */
  char etag[256], last_modified[64];
  char name[FN_NAME_MAX + 1]; /* from Content-Disposition, safe; "" */
  bool has_range, has_total;  /* Content-Range was there; it named the whole length */
  uint64_t range_first, range_total;
  int64_t length; /* of the body that follows; -1: not known */
} fn_http_head;

void fn_http_head_reset(fn_http_head *head);
/* One line, its line break removed or not. A status line ("HTTP/1.1 206 …") resets what was read before: of several
 * heads in a row (100 Continue, a proxy's CONNECT) the last one counts. Unknown and malformed lines do nothing. */
void fn_http_head_line(fn_http_head *head, fn_str line);
/* What If-Range can compare: the etag, else the date, else NULL. */
const char *fn_http_head_validator(const fn_http_head *head);

#endif
