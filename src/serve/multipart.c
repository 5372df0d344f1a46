#include "serve/multipart.h"

#include <stdlib.h>

/* Where the parser stands. */
typedef enum stage {
  PREAMBLE,   /* before the first boundary: thrown away */
  DATA,       /* of a part */
  AFTER,      /* behind a boundary: "--" ends the body, white space and CR LF begin a part */
  AFTER_DASH, /* the first '-' of "--" */
  AFTER_CR,   /* CR of the line's end */
  HEAD,       /* header lines, collected */
  EPILOGUE,   /* behind the closing boundary: thrown away */
} stage;

struct fn_multipart {
  fn_multipart_events events;
  char delimiter[FN_MULTIPART_MAX_BOUNDARY + 5]; /* CR LF - - boundary */
  size_t n_delimiter, n_matched;                 /* of it, so far */
  stage stage;
  size_t n_parts;
  fn_buf head;
};

/* ---- header values */

static bool is_token_byte(char c) {
  return c > ' ' && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* The next `; name=value` of a header: its name and its value, which may be quoted. */
static bool next_parameter(fn_str *name_out, fn_str *value_out, bool *quoted_out, fn_str *rest) {
  const char *p = rest->data, *end = rest->data + rest->length;
  while (p < end && (*p == ' ' || *p == '\t' || *p == ';')) p++;
  const char *begin = p;
  while (p < end && is_token_byte(*p)) p++;
  *name_out = fn_str_make(begin, (size_t)(p - begin));
  if (name_out->length == 0 || p == end || *p != '=') return false;
  p++;
  *quoted_out = p < end && *p == '"';
  begin = *quoted_out ? ++p : p;
  if (*quoted_out) {
    while (p < end && *p != '"') p += *p == '\\' && p + 1 < end ? 2 : 1;
    if (p >= end) return false;
  } else {
    while (p < end && is_token_byte(*p)) p++;
  }
  *value_out = fn_str_make(begin, (size_t)(p - begin));
  if (*quoted_out) p++;
  *rest = fn_str_make(p, (size_t)(end - p));
  return true;
}

/* A backslash stands before a quote or a backslash; elsewhere it is a letter of a Windows path. */
static bool unquote(char *out, size_t capacity, fn_str value, bool quoted) {
  size_t n = 0;
  for (size_t i = 0; i < value.length; i++) {
    char c = value.data[i];
    if (quoted && c == '\\' && i + 1 < value.length && (value.data[i + 1] == '"' || value.data[i + 1] == '\\'))
      c = value.data[++i];
    if (n + 1 >= capacity) return false;
    out[n++] = c;
  }
  out[n] = '\0';
  return true;
}

bool fn_header_parameter(char *out, size_t capacity, fn_str value, const char *name) {
  const char *semicolon = value.length > 0 ? memchr(value.data, ';', value.length) : NULL;
  if (semicolon == NULL) return false;
  fn_str rest = fn_str_make(semicolon, value.length - (size_t)(semicolon - value.data)), key, text;
  bool quoted;
  while (next_parameter(&key, &text, &quoted, &rest)) {
    if (fn_str_equal_nocase(key, fn_str_from(name))) return unquote(out, capacity, text, quoted);
  }
  return false;
}

/* ---- */

static bool is_boundary(const char *s) {
  const size_t n = strlen(s);
  for (size_t i = 0; i < n; i++) {
    const char c = s[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
          strchr("'()+_,-./:=? ", c) != NULL))
      return false;
  }
  return n > 0 && s[n - 1] != ' ';
}

fn_status fn_multipart_create(fn_multipart **parser_out, fn_str content_type, const fn_multipart_events *events,
                              fn_err *err) {
  char boundary[FN_MULTIPART_MAX_BOUNDARY + 1];
  const char *semicolon = content_type.length > 0 ? memchr(content_type.data, ';', content_type.length) : NULL;
  const size_t n = semicolon != NULL ? (size_t)(semicolon - content_type.data) : content_type.length;
  if (!fn_str_equal_nocase(fn_str_trim(fn_str_make(content_type.data, n)), fn_str_from("multipart/form-data")))
    return fn_err_set(err, FN_E_INVALID, "the body must be multipart/form-data");
  if (!fn_header_parameter(boundary, sizeof boundary, content_type, "boundary") || !is_boundary(boundary))
    return fn_err_set(err, FN_E_INVALID, "multipart/form-data must name its boundary, 1 to %d characters of RFC 2046",
                      (int)FN_MULTIPART_MAX_BOUNDARY);
  fn_multipart *p = fn_mem_calloc(1, sizeof *p);
  if (p == NULL) return fn_err_no_memory(err, "a form");
  p->events = *events;
  p->n_delimiter = (size_t)snprintf(p->delimiter, sizeof p->delimiter, "\r\n--%s", boundary);
  p->n_matched = 2; /* the body begins as if a line had ended before it */
  fn_buf_init(&p->head, FN_MULTIPART_MAX_HEAD);
  *parser_out = p;
  return FN_OK;
}

void fn_multipart_destroy(fn_multipart *p) {
  if (p == NULL) return;
  fn_buf_deinit(&p->head);
  free(p);
}

static bool is_header(fn_str line, const char *name, fn_str *value_out) {
  const size_t n = strlen(name);
  if (line.length <= n || line.data[n] != ':' || !fn_str_equal_nocase(fn_str_make(line.data, n), fn_str_from(name)))
    return false;
  *value_out = fn_str_trim(fn_str_make(line.data + n + 1, line.length - n - 1));
  return true;
}

static fn_status begin_part(fn_multipart *p, fn_err *err) {
  char name[256], file_name[1024];
  fn_str disposition = {NULL, 0}, type = {NULL, 0}, rest = fn_buf_str(&p->head);
  while (rest.length > 0) {
    const char *end = memchr(rest.data, '\n', rest.length);
    const size_t n = end != NULL ? (size_t)(end - rest.data) : rest.length;
    const fn_str line = fn_str_trim(fn_str_make(rest.data, n));
    if (!is_header(line, "Content-Disposition", &disposition)) (void)is_header(line, "Content-Type", &type);
    rest = fn_str_make(rest.data + n + (end != NULL), rest.length - n - (end != NULL));
  }
  const size_t kind = sizeof "form-data" - 1;
  if (disposition.length < kind ||
      !fn_str_equal_nocase(fn_str_make(disposition.data, kind), fn_str_from("form-data")) ||
      !fn_header_parameter(name, sizeof name, disposition, "name"))
    return fn_err_set(err, FN_E_INVALID,
                      "part %zu of the form has no Content-Disposition: form-data with a name below 256 bytes",
                      p->n_parts);
  fn_multipart_part part = {.name = fn_str_from(name), .content_type = type};
  if (fn_header_parameter(file_name, sizeof file_name, disposition, "filename"))
    part.file_name = fn_str_from(file_name);
  fn_buf_reset(&p->head);
  return p->events.part(p->events.arg, &part, err);
}

/* A line of the head has ended; an empty one ends the head. */
static fn_status take_line_end(fn_multipart *p, fn_err *err) {
  const fn_str head = fn_buf_str(&p->head);
  if (fn_str_is(head, "\r\n") || fn_str_ends_with(head, "\r\n\r\n")) {
    p->stage = DATA;
    p->n_matched = 0;
    return begin_part(p, err);
  }
  return fn_str_ends_with(head, "\r\n") ? FN_OK
                                        : fn_err_set(err, FN_E_INVALID, "a line of a part's head ends without CR LF");
}

/* Bytes of a part, or of the preamble, up to the next boundary. */
static fn_status take_data(size_t *used_out, fn_multipart *p, const char *data, size_t length, fn_err *err) {
  const bool kept = p->stage == DATA;
  size_t i = 0;
  if (p->n_matched == 0) {
    const char *cr = memchr(data, '\r', length);
    i = cr != NULL ? (size_t)(cr - data) : length;
    if (kept && i > 0) FN_TRY(p->events.data(p->events.arg, data, i, err));
    *used_out = i;
    if (cr == NULL) return FN_OK;
  }
  while (i < length && p->n_matched < p->n_delimiter && data[i] == p->delimiter[p->n_matched]) {
    i++;
    p->n_matched++;
  }
  *used_out = i;
  if (p->n_matched == p->n_delimiter) {
    p->n_matched = 0;
    p->stage = AFTER;
    return kept ? p->events.end(p->events.arg, err) : FN_OK;
  }
  if (i == length) return FN_OK;
  /* No boundary after all. CR stands only at its beginning, so what matched begins no other one. */
  const size_t n = p->n_matched;
  p->n_matched = 0;
  return kept && n > 0 ? p->events.data(p->events.arg, p->delimiter, n, err) : FN_OK;
}

static fn_status take_after(fn_multipart *p, char c, fn_err *err) {
  if (p->stage == AFTER && c == '-') {
    p->stage = AFTER_DASH;
  } else if (p->stage == AFTER && c == '\r') {
    p->stage = AFTER_CR;
  } else if (p->stage == AFTER_DASH && c == '-') {
    p->stage = EPILOGUE;
  } else if (p->stage == AFTER_CR && c == '\n') {
    if (++p->n_parts > FN_MULTIPART_MAX_PARTS)
      return fn_err_set(err, FN_E_LIMIT, "the form has more than %d parts", (int)FN_MULTIPART_MAX_PARTS);
    p->stage = HEAD;
    fn_buf_reset(&p->head);
  } else if (p->stage != AFTER || (c != ' ' && c != '\t')) {
    return fn_err_set(err, FN_E_INVALID, "a boundary of the form is followed by neither a line's end nor \"--\"");
  }
  return FN_OK;
}

static fn_status take_head(size_t *used_out, fn_multipart *p, const char *data, size_t length, fn_err *err) {
  const char *end = memchr(data, '\n', length);
  const size_t n = end != NULL ? (size_t)(end - data) + 1 : length;
  fn_buf_append(&p->head, data, n);
  if (p->head.failed)
    return fn_err_set(err, FN_E_LIMIT, "the head of a part of the form has more than %d bytes",
                      (int)FN_MULTIPART_MAX_HEAD);
  *used_out = n;
  return end != NULL ? take_line_end(p, err) : FN_OK;
}

fn_status fn_multipart_feed(fn_multipart *p, const char *data, size_t length, fn_err *err) {
  while (length > 0) {
    size_t used = 1;
    switch (p->stage) {
    case PREAMBLE:
    case DATA: FN_TRY(take_data(&used, p, data, length, err)); break;
    case AFTER:
    case AFTER_DASH:
    case AFTER_CR: FN_TRY(take_after(p, *data, err)); break;
    case HEAD: FN_TRY(take_head(&used, p, data, length, err)); break;
    case EPILOGUE: return FN_OK;
    }
    data += used;
    length -= used;
  }
  return FN_OK;
}

fn_status fn_multipart_finish(const fn_multipart *p, fn_err *err) {
  if (p->stage == EPILOGUE) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "the form ends before its closing boundary");
}
