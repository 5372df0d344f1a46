/* What of a request's head is read and refused by ourselves: the target, the method, the framing of the body. Pure
 * functions of bytes, so that they can be fuzzed. Internal to src/serve. */
#ifndef FN_SERVE_HTTP_REQUEST_H
#define FN_SERVE_HTTP_REQUEST_H

#include "serve/exchange.h"

/* Path and query of a request's target into x->request; a target that is refused leaves a response. */
void fn_http_read_target(fn_exchange *x, const char *target);
void fn_http_read_method(fn_request *request, const char *method);
/* X-Request-Id where it is 1 to 64 of [A-Za-z0-9._-], else 32 random hexadecimal digits. */
void fn_http_choose_id(fn_exchange *x);
/* libmicrohttpd 0.9.75 cuts a head into pieces where it lies: each ':', each space of the first line and each byte of a
 * line's end becomes 0. So it still shows which line ended in LF alone, was folded, had a 0 in it or spaces where none
 * belong: all of that the library takes, and reads in another way than a proxy before it might. head: from the method
 * to the end of the empty line, as the library has left it; n_target: bytes of the target as it came, which the library
 * has decoded where it lies, so that they are not looked at here. (":" LF in place of CR LF, and 0 LF, cannot be told
 * apart from CR LF.) */
bool fn_http_head_is_exact(fn_str head, size_t n_target);
/* RFC 9112, sections 3 and 6: version, names of headers, Host, Content-Length and Transfer-Encoding, which must say in
 * one way how long the body is. FN_EXCHANGE_DONE: refused, the response is written. *length_out: of the body, as
 * announced; 0 when it comes in chunks. */
fn_progress fn_http_check(uint64_t *length_out, fn_exchange *x, const char *version);
/* The part of it that says nothing of framing: names are tokens, values have no control characters. */
fn_progress fn_http_check_fields(fn_exchange *x);
/* %XX and, in forms, '+'; in the arena. *malformed_out (may be NULL): a '%' without two digits, which stays as it is,
 * or a NUL. */
fn_str fn_http_decode(fn_arena *arena, fn_str s, bool plus, bool *malformed_out);
/* "a=b&c=d" of a query or a form into fields in the arena; NULL when memory is short or there are more than 100. '+' is
 * a space, %XX a byte; a malformed %XX stays as it is. */
fn_field *fn_form_parse(size_t *n_out, fn_arena *arena, fn_str text);

#endif
