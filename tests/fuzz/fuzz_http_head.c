/* Header lines of an answer: whatever they hold, the name that comes out is one file name inside a folder, and the
 * validators can be sent back without adding a line.
 */
#include "fuzz.h"
#include "net/head.h"

#include <string.h>

static void check_name(const char *name) {
  const char *why;
  FUZZ_CHECK(strlen(name) <= FN_NAME_MAX);
  FUZZ_CHECK(!strchr(name, '/') && name[0] != '.');
  FUZZ_CHECK(fn_name_is_inside(fn_str_from(name), &why));
}

static void check_printable(const char *text) {
  for (; *text; text++) FUZZ_CHECK(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 14) return 0;
  fn_http_head head;
  fn_http_head_reset(&head);
  const char *text = (const char *)data;
  for (size_t begin = 0; begin < size;) {
    const char *end = memchr(text + begin, '\n', size - begin);
    size_t n = end ? (size_t)(end - text) - begin + 1 : size - begin;
    fn_http_head_line(&head, fn_str_make(text + begin, n));
    begin += n;
  }
  if (head.name[0]) check_name(head.name);
  check_printable(head.etag);
  check_printable(head.last_modified);
  FUZZ_CHECK(head.status == 0 || (head.status >= 100 && head.status <= 999));
  char name[FN_NAME_MAX + 1];
  if (fn_name_from_path(name, fn_str_make(text, size))) check_name(name);
  if (fn_name_clean(name, fn_str_make(text, size))) check_name(name);
  return 0;
}
