/* Times as the clouds write them. Internal to src/store. */
#ifndef FN_STORE_WHEN_H
#define FN_STORE_WHEN_H

#include "base/base.h"

/* "2026-11-26T21:00:00Z", with a fraction of a second or not. False when text is no such time. */
bool fn_when_parse(int64_t *unix_ms_out, const char *text);
/* "Thu, 26 Nov 2026 21:00:00 GMT" (RFC 9110, IMF-fixdate). */
bool fn_when_parse_http(int64_t *unix_ms_out, fn_str text);

#endif
