/* A CSV that comes in pieces, is classified block by block on a thread of its own and answered from a temporary file:
 * memory does not grow with it. What is wrong with it is found before the answer begins, so that the status is right.
 *
 * The transport hands pieces to fn_upload_receive until it takes less than given; then it waits for x->resume. The
 * thread touches the exchange only after the body's end was given (and before that, under the upload's lock, to ask for
 * more), so a client that leaves in the middle ends the exchange at once and the thread soon after. */
#ifndef FN_SERVE_UPLOAD_H
#define FN_SERVE_UPLOAD_H

#include "infer/scored_rows.h"
#include "serve/exchange.h"

typedef enum fn_upload_form {
  FN_UPLOAD_CSV,    /* the input's columns and the answer's */
  FN_UPLOAD_LINES,  /* JSON, a row a line */
  FN_UPLOAD_TITLES, /* the second predecessor's: one JSON array; a row that cannot be answered refuses the file */
} fn_upload_form;

typedef struct fn_upload_options {
  fn_upload_form form;
  size_t block_rows; /* [1,64] */
  bool bom;          /* CSV: a byte-order mark first, which makes Excel read UTF-8 */
  bool raw;          /* CSV: cells are left as they are, formulas too */
} fn_upload_options;

/* Threads of uploads of one server, bounded by serve.max_uploads. */
typedef struct fn_uploads fn_uploads;
FN_NODISCARD fn_status fn_uploads_create(fn_uploads **uploads_out, size_t max, fn_err *err);
/* No upload begins any more, and those at work give up soon. */
void fn_uploads_stop(fn_uploads *uploads);
/* Ends all threads and waits for them, while the batcher still runs. NULL is fine. */
void fn_uploads_destroy(fn_uploads *uploads);
size_t fn_uploads_n_active(const fn_uploads *uploads);

/* Takes the body of exchange, multipart/form-data with a part "file" or the CSV itself: what is in request.body,
 * or, where the transport can wait (exchange->resume), what fn_upload_receive is given. FN_EXCHANGE_DONE: refused. */
fn_progress fn_upload_begin(fn_exchange *x, const fn_upload_options *options);
/* fn_route.receive of such routes. length 0: the body has ended. */
fn_progress fn_upload_receive(fn_exchange *x, const char *data, size_t length, size_t *n_used);

#endif
