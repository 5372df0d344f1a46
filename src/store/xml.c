#include "store/xml.h"

enum { MAX_NAME = 128, MAX_PATH = FN_XML_DEPTH * (MAX_NAME + 1), MAX_TEXT = 1 << 20 };

typedef struct reader {
  fn_str all;
  size_t at;
  const char *name, *wrong;
  char path[MAX_PATH + 1];
  size_t length;             /* of the path */
  size_t ends[FN_XML_DEPTH]; /* length of the path outside of each open element */
  bool inner[FN_XML_DEPTH];  /* an element stands in it */
  int depth;
  bool seen;   /* the outermost element has begun */
  fn_buf text; /* of the innermost element */
  fn_status (*see)(void *arg, const char *path, fn_str text, fn_err *err);
  void *arg;
} reader;

static bool refuse(reader *r, const char *wrong) {
  if (!r->wrong) r->wrong = wrong;
  return false;
}

static bool ahead(const reader *r, const char *text) {
  const size_t n = strlen(text);
  return r->all.length - r->at >= n && memcmp(r->all.data + r->at, text, n) == 0;
}

/* Goes behind the next `text`. */
static bool skip_to(reader *r, const char *text) {
  for (; r->at < r->all.length; r->at++)
    if (ahead(r, text)) return r->at += strlen(text), true;
  return refuse(r, "something that does not end");
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':';
}

static bool read_name(reader *r, fn_str *out) {
  const size_t from = r->at;
  while (r->at < r->all.length && is_name(r->all.data[r->at])) r->at++;
  *out = fn_str_make(r->all.data + from, r->at - from);
  if (out->length == 0 || out->length > MAX_NAME) return refuse(r, "no name of an element");
  const char *colon = memchr(out->data, ':', out->length);
  if (colon) *out = fn_str_make(colon + 1, out->length - (size_t)(colon + 1 - out->data));
  return out->length > 0 || refuse(r, "no name of an element");
}

static void skip_space(reader *r) {
  while (r->at < r->all.length && is_space(r->all.data[r->at])) r->at++;
}

/* name="value" …, up to > or />. */
static bool skip_attributes(reader *r, bool *empty) {
  *empty = false;
  for (;;) {
    skip_space(r);
    if (ahead(r, "/>")) return *empty = true, r->at += 2, true;
    if (ahead(r, ">")) return r->at++, true;
    fn_str name;
    if (!read_name(r, &name)) return false;
    skip_space(r);
    if (!ahead(r, "=")) return refuse(r, "an attribute without a value");
    r->at++;
    skip_space(r);
    const char *quote = ahead(r, "\"") ? "\"" : ahead(r, "'") ? "'" : NULL;
    if (!quote) return refuse(r, "an attribute without quotes");
    r->at++;
    if (!skip_to(r, quote)) return false;
  }
}

/* &amp; &#65; &#x41; */
static bool read_entity(reader *r) {
  static const struct {
    const char *name;
    char c;
  } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
  for (size_t i = 0; i < FN_COUNT_OF(known); i++)
    if (ahead(r, known[i].name)) {
      fn_buf_append_char(&r->text, known[i].c);
      r->at += strlen(known[i].name);
      return true;
    }
  if (!ahead(r, "&#")) return refuse(r, "an unknown entity");
  r->at += 2;
  const uint32_t base = ahead(r, "x") ? 16 : 10;
  r->at += base == 16;
  uint32_t code = 0;
  size_t n = 0;
  for (; r->at < r->all.length && r->all.data[r->at] != ';' && n < 8; r->at++, n++) {
    const char c = r->all.data[r->at];
    const uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                           : base == 16 && c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                           : base == 16 && c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                                : 99;
    if (digit == 99) return refuse(r, "an unknown entity");
    code = code * base + digit;
  }
  if (n == 0 || !ahead(r, ";") || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
    return refuse(r, "an unknown entity");
  r->at++;
  char bytes[4];
  fn_buf_append(&r->text, bytes, fn_utf8_encode(bytes, code));
  return true;
}

static fn_status enter(reader *r, fn_str name, fn_err *err) {
  if (r->depth == FN_XML_DEPTH)
    return fn_err_set(err, FN_E_LIMIT, "%s: more than %d elements inside each other", r->name, FN_XML_DEPTH);
  if (r->depth) r->inner[r->depth - 1] = true;
  r->ends[r->depth] = r->length;
  r->inner[r->depth++] = false;
  if (r->length) r->path[r->length++] = '/';
  memcpy(r->path + r->length, name.data, name.length);
  r->length += name.length;
  r->path[r->length] = 0;
  fn_buf_reset(&r->text);
  return FN_OK;
}

static fn_status leave(reader *r, fn_err *err) {
  const fn_str text = r->inner[r->depth - 1] ? fn_str_make("", 0) : fn_buf_str(&r->text);
  if (r->text.failed) return fn_err_set(err, FN_E_LIMIT, "%s: a text of more than a megabyte", r->name);
  FN_TRY(r->see(r->arg, r->path, text.data ? text : fn_str_make("", 0), err));
  r->length = r->ends[--r->depth];
  r->path[r->length] = 0;
  fn_buf_reset(&r->text);
  return FN_OK;
}

/* The innermost element's name. */
static fn_str innermost(const reader *r) {
  const size_t from = r->ends[r->depth - 1] ? r->ends[r->depth - 1] + 1 : 0;
  return fn_str_make(r->path + from, r->length - from);
}

/* What begins with '<'. *bad: refused by the reader, not by see. */
static fn_status read_tag(reader *r, bool *bad, fn_err *err) {
  fn_str name;
  bool empty;
  *bad = true;
  if (ahead(r, "<!--")) return *bad = !skip_to(r, "-->"), FN_OK;
  if (ahead(r, "<?")) return *bad = !skip_to(r, "?>"), FN_OK;
  if (ahead(r, "<!")) return (void)refuse(r, "a document type or CDATA"), FN_OK;
  if (ahead(r, "</")) {
    r->at += 2;
    if (!read_name(r, &name)) return FN_OK;
    skip_space(r);
    if (!ahead(r, ">") || r->depth == 0 || !fn_str_equal(name, innermost(r)))
      return (void)refuse(r, "an end that belongs to no element"), FN_OK;
    r->at++;
    *bad = false;
    return leave(r, err);
  }
  r->at++;
  if (!read_name(r, &name) || !skip_attributes(r, &empty)) return FN_OK;
  if (r->seen && r->depth == 0) return (void)refuse(r, "a second document"), FN_OK;
  r->seen = true;
  *bad = false;
  FN_TRY(enter(r, name, err));
  return empty ? leave(r, err) : FN_OK;
}

static fn_status walk(reader *r, fn_err *err) {
  if (ahead(r, "\xEF\xBB\xBF")) r->at += 3;
  while (r->at < r->all.length) {
    bool bad = false;
    const char c = r->all.data[r->at];
    if (c == '<') {
      FN_TRY(read_tag(r, &bad, err));
    } else if (c == '&' && r->depth) {
      bad = !read_entity(r);
    } else if (r->depth) {
      fn_buf_append_char(&r->text, c);
      r->at++;
    } else if (is_space(c)) {
      r->at++;
    } else {
      bad = !refuse(r, "text outside of any element");
    }
    if (bad) break;
  }
  if (!r->wrong && (r->depth || !r->seen)) r->wrong = "it ends too early";
  if (!r->wrong) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: no XML of a kind that is expected: %s, at byte %zu", r->name, r->wrong,
                    r->at);
}

fn_status fn_xml_walk(fn_str text, const char *name,
                      fn_status (*see)(void *arg, const char *path, fn_str text, fn_err *err), void *arg, fn_err *err) {
  if (!fn_utf8_valid(text, NULL)) return fn_err_set(err, FN_E_INVALID, "%s: not UTF-8", name);
  reader r = {.all = text, .name = name, .see = see, .arg = arg};
  fn_buf_init(&r.text, MAX_TEXT);
  const fn_status status = walk(&r, err);
  fn_buf_deinit(&r.text);
  return status;
}

bool fn_xml_is(const char *path, const char *pattern) {
  while (*path && *pattern) {
    if (*pattern == '*') {
      path += strcspn(path, "/");
      pattern++;
    } else if (*path++ != *pattern++) {
      return false;
    }
  }
  return *path == *pattern;
}

typedef struct search {
  const char *pattern;
  fn_buf *out;
  bool found;
} search;

static fn_status on_element(void *arg, const char *path, fn_str text, fn_err *err) {
  (void)err;
  search *s = arg;
  if (s->found || !fn_xml_is(path, s->pattern)) return FN_OK;
  s->found = true;
  fn_buf_append(s->out, text.data, text.length);
  return FN_OK;
}

bool fn_xml_find(fn_buf *out, fn_str text, const char *pattern) {
  search s = {pattern, out, false};
  const fn_status status = fn_xml_walk(text, "", on_element, &s, NULL);
  return status == FN_OK && s.found;
}

void fn_xml_escape(fn_buf *out, fn_str text) {
  for (size_t i = 0; i < text.length; i++) {
    const char c = text.data[i];
    const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
    if (entity) fn_buf_append_str(out, entity);
    if (!entity) fn_buf_append_char(out, c);
  }
}
