/* Requests per client: a bucket of tokens for each, in a table of fixed size. Any thread. */
#ifndef FN_SERVE_LIMIT_H
#define FN_SERVE_LIMIT_H

#include "base/base.h"

typedef struct fn_limit fn_limit;

/* A client may ask per_minute times at once, and gets as many again over each minute. n_clients [8, 2^24]: that are
 * remembered; beyond, the one that has asked least of late is forgotten. */
FN_NODISCARD fn_status fn_limit_create(fn_limit **limit_out, int64_t per_minute, size_t n_clients, fn_err *err);
void fn_limit_destroy(fn_limit *limit); /* NULL is fine */
/* False: too many; *retry_after_s_out ≥ 1 says when one is free again. client: bytes that name it. */
bool fn_limit_take(unsigned *retry_after_s_out, fn_limit *limit, fn_str client, uint64_t now_ns);

#endif
