/* Input bytes, packed with gzip or not: any bytes end with a verdict, and verdict and bytes are the same whatever
 * pieces the packed bytes come in and whatever pieces are asked for.
 */
#include "data/source.h"
#include "fuzz.h"

enum { MAX_OUT = 1 << 18 }; /* gzip unpacks a thousandfold */

typedef struct feed {
  const uint8_t *data;
  size_t size, at, piece;
} feed;

static fn_status next(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  (void)err;
  feed *f = arg;
  size_t n = f->size - f->at;
  if (n > f->piece) n = f->piece;
  if (n > capacity) n = capacity;
  if (n > 0) memcpy(buffer, f->data + f->at, n);
  f->at += n;
  *n_out = n;
  return FN_OK;
}

typedef struct reading {
  fn_buf out;
  fn_err err;
} reading;

static void read_all(reading *r, const char *name, const uint8_t *data, size_t size, size_t piece, size_t asked) {
  feed f = {data, size, 0, piece};
  fn_source *source = NULL;
  char buffer[1 << 12];
  size_t n = 1;
  fn_status status = fn_source_open_stream(&source, next, &f, name, &r->err);
  while (status == FN_OK && n > 0 && r->out.length < MAX_OUT) {
    status = fn_source_read(source, buffer, asked, &n, &r->err);
    FUZZ_CHECK(status != FN_OK || n <= asked);
    if (status == FN_OK) fn_buf_append(&r->out, buffer, n);
  }
  FUZZ_CHECK(status == FN_OK || (r->err.status == status && strncmp(r->err.message, name, strlen(name)) == 0));
  if (r->out.length > MAX_OUT) r->out.length = MAX_OUT;
  fn_source_close(source);
}

/* Damage is told by both. How much comes out before it depends on the pieces, and so does which damage is met first. */
static void check_same(const reading *a, const reading *b) {
  const size_t least = a->out.length < b->out.length ? a->out.length : b->out.length;
  FUZZ_CHECK(least == 0 || memcmp(a->out.data, b->out.data, least) == 0);
  if (a->out.length == MAX_OUT || b->out.length == MAX_OUT) return;
  FUZZ_CHECK(a->err.status == b->err.status);
  FUZZ_CHECK(a->err.status != FN_OK || a->out.length == b->out.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > 1 << 14) return 0;
  reading whole = {0}, pieces = {0};
  const char *name = data[0] & 0x80 ? "input.csv.gz" : "input.csv";
  read_all(&whole, name, data + 2, size - 2, size, 1 << 12);
  read_all(&pieces, name, data + 2, size - 2, 1 + data[0] % 32, 1 + (size_t)data[1] * 16);
  check_same(&whole, &pieces);
  fn_buf_deinit(&whole.out);
  fn_buf_deinit(&pieces.out);
  return 0;
}
