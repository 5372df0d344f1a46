/* Forms: the first line is the header's value, the rest the body. In one piece or in many, the same parts come out. */
#include "fuzz.h"
#include "serve/multipart.h"

#include <string.h>

typedef struct seen {
  uint64_t hash; /* FNV-1a of all that came out */
  size_t n_parts, n_open, n_bytes;
} seen;

static void add(seen *s, const char *data, size_t length) {
  for (size_t i = 0; i < length; i++) s->hash = (s->hash ^ (unsigned char)data[i]) * 0x100000001b3u;
}

static fn_status on_part(void *arg, const fn_multipart_part *part, fn_err *err) {
  (void)err;
  seen *s = arg;
  FUZZ_CHECK(s->n_open == 0 && ++s->n_parts <= FN_MULTIPART_MAX_PARTS);
  s->n_open = 1;
  FUZZ_CHECK(part->name.length < 256 && part->file_name.length < 1024);
  add(s, part->name.data, part->name.length);
  if (part->file_name.data != NULL) add(s, part->file_name.data, part->file_name.length);
  return FN_OK;
}
static fn_status on_data(void *arg, const char *data, size_t length, fn_err *err) {
  (void)err;
  seen *s = arg;
  FUZZ_CHECK(s->n_open == 1 && length > 0);
  s->n_bytes += length;
  add(s, data, length);
  return FN_OK;
}
static fn_status on_end(void *arg, fn_err *err) {
  (void)err;
  seen *s = arg;
  FUZZ_CHECK(s->n_open == 1);
  s->n_open = 0;
  add(s, "|", 1);
  return FN_OK;
}

static fn_status parse(seen *s, fn_str type, const char *body, size_t length, size_t piece) {
  fn_multipart *p = NULL;
  const fn_multipart_events events = {on_part, on_data, on_end, s};
  *s = (seen){.hash = 0xcbf29ce484222325u};
  fn_status status = fn_multipart_create(&p, type, &events, NULL);
  if (status != FN_OK) return status;
  for (size_t at = 0; at < length && status == FN_OK; at += piece)
    status = fn_multipart_feed(p, body + at, length - at < piece ? length - at : piece, NULL);
  if (status == FN_OK) status = fn_multipart_finish(p, NULL);
  if (status == FN_OK) FUZZ_CHECK(s->n_open == 0);
  FUZZ_CHECK(s->n_bytes <= length);
  fn_multipart_destroy(p);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t pieces[] = {1, 2, 3, 7};
  const char *text = (const char *)data;
  const char *end = size > 0 ? memchr(text, '\n', size) : NULL;
  if (end == NULL || size > 1 << 14) return 0;
  const fn_str type = fn_str_make(text, (size_t)(end - text));
  const size_t length = size - type.length - 1;
  seen whole, cut;
  const fn_status status = parse(&whole, type, end + 1, length, length > 0 ? length : 1);
  const fn_status again = parse(&cut, type, end + 1, length, pieces[size % FN_COUNT_OF(pieces)]);
  FUZZ_CHECK(again == status);
  if (status == FN_OK) FUZZ_CHECK(cut.hash == whole.hash && cut.n_parts == whole.n_parts);
  return 0;
}
