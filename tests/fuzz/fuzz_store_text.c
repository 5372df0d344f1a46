/* What object stores answer and what AWS keeps in files: XML and INI readers stay inside their input, and what the XML
 * reader hands out is UTF-8 of bounded depth.
 */
#include "fuzz.h"
#include "store/ini.h"
#include "store/when.h"
#include "store/xml.h"

#include <string.h>

static fn_status on_element(void *arg, const char *path, fn_str text, fn_err *err) {
  (void)arg, (void)err;
  size_t depth = 1;
  for (const char *p = path; *p; p++) depth += *p == '/';
  FUZZ_CHECK(*path && depth <= FN_XML_DEPTH);
  FUZZ_CHECK(fn_utf8_valid(text, NULL));
  return FN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 14) return 0;
  const fn_str text = fn_str_make((const char *)data, size);
  fn_err err = {0};
  fn_buf out;
  int64_t ms;
  const fn_status status = fn_xml_walk(text, "input", on_element, NULL, &err);
  FUZZ_CHECK(status == FN_OK || status == FN_E_INVALID || status == FN_E_LIMIT);
  fn_buf_init(&out, 1 << 16);
  (void)fn_xml_find(&out, text, "*/Code");
  fn_buf_reset(&out);
  if (fn_ini_find(&out, text, "default", "region")) FUZZ_CHECK(out.length > 0 && out.length <= size);
  (void)fn_ini_has_section(text, "profile x");
  char line[64];
  const size_t n = size < sizeof line - 1 ? size : sizeof line - 1;
  if (n) memcpy(line, data, n);
  line[n] = 0;
  (void)fn_when_parse(&ms, line);
  (void)fn_when_parse_http(&ms, fn_str_make(line, strlen(line)));
  fn_buf_deinit(&out);
  return 0;
}
