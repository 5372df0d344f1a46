/* Base64 of RFC 4648, section 4. */
#ifndef FN_BASE_BASE64_H
#define FN_BASE_BASE64_H

#include "base/str.h"

/* Appends the bytes that `text` stands for: whole groups of four with their padding, no white space, unused bits zero,
 * so that every text stands for other bytes. False, and nothing appended, for anything else or when memory is short
 * (out->failed tells which). */
bool fn_base64_decode(fn_buf *out, fn_str text);
void fn_base64_encode(fn_buf *out, fn_str bytes);

#endif
