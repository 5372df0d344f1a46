#include "report/html.h"

#include "base/base64.h"
#include "base/embedded.h"
#include "base/sha256.h"

#include <math.h>

extern const fn_embedded fn_embedded_report[];

void fn_html_text(fn_buf *out, const char *text) {
  fn_buf_append_html(out, fn_str_from(text));
}

void fn_html_cut(fn_buf *out, const char *text, size_t max) {
  const fn_str s = fn_str_from(text);
  size_t at = 0, n = 0;
  while (at < s.length && n < max) {
    const size_t length = fn_utf8_decode(NULL, s.data + at, s.length - at);
    at += length ? length : 1;
    n++;
  }
  fn_buf_append_html(out, fn_str_make(s.data, at));
  if (at < s.length) fn_buf_append_str(out, "…");
}

void fn_html_key(fn_buf *out, const char *text, size_t max) {
  const fn_str s = fn_str_from(text);
  size_t from = 0, at = 0, n = 0;
  while (at < s.length && n < max) {
    const size_t length = fn_utf8_decode(NULL, s.data + at, s.length - at);
    const char c = s.data[at];
    at += length ? length : 1;
    n++;
    if (c != '.' && c != '_' && c != '/') continue;
    fn_buf_append_html(out, fn_str_make(s.data + from, at - from));
    fn_buf_append_str(out, "<wbr>");
    from = at;
  }
  fn_buf_append_html(out, fn_str_make(s.data + from, at - from));
  if (at < s.length) fn_buf_append_str(out, "…");
}

/* One conversion; returns the byte after it. */
static const char *add_value(fn_buf *out, const char *spec, va_list *values) {
  if (*spec == '%') {
    fn_buf_append_char(out, '%');
    return spec + 1;
  }
  if (*spec == 's') {
    fn_html_text(out, va_arg(*values, const char *));
    return spec + 1;
  }
  if (*spec == 'd') {
    fn_buf_printf(out, "%d", va_arg(*values, int));
    return spec + 1;
  }
  if (strncmp(spec, "zu", 2) == 0) {
    fn_buf_printf(out, "%zu", va_arg(*values, size_t));
    return spec + 2;
  }
  if (strncmp(spec, "lld", 3) == 0) {
    fn_buf_printf(out, "%lld", va_arg(*values, long long));
    return spec + 3;
  }
  if (strncmp(spec, ".*f", 3) == 0 || strncmp(spec, ".*g", 3) == 0) {
    const int digits = va_arg(*values, int);
    const double value = va_arg(*values, double);
    if (spec[2] == 'f')
      fn_buf_printf(out, "%.*f", digits, value);
    else
      fn_buf_printf(out, "%.*g", digits, value);
    return spec + 3;
  }
  out->failed = true; /* a conversion that is not in the list: a mistake of the caller */
  return spec;
}

void fn_html_add(fn_buf *out, const char *markup, ...) {
  va_list values;
  va_start(values, markup);
  while (*markup && !out->failed) {
    const size_t plain = strcspn(markup, "%");
    fn_buf_append(out, markup, plain);
    markup += plain;
    if (*markup == '%') markup = add_value(out, markup + 1, &values);
  }
  va_end(values);
}

static fn_str file_of(const char *name) {
  static const char folder[] = "src/report/web/";
  for (const fn_embedded *file = fn_embedded_report; file->name != NULL; file++)
    if (strncmp(file->name, folder, sizeof folder - 1) == 0 && strcmp(file->name + sizeof folder - 1, name) == 0)
      return fn_str_make((const char *)file->data, file->size);
  return fn_str_make(NULL, 0);
}

static void add_hash(fn_buf *out, fn_str text) {
  unsigned char sum[FN_SHA256_BYTES];
  fn_sha256_bytes(sum, text);
  fn_buf_append_str(out, "'sha256-");
  fn_base64_encode(out, fn_str_make((const char *)sum, sizeof sum));
  fn_buf_append_char(out, '\'');
}

fn_status fn_html_begin(fn_buf *out, const fn_html_page *page, fn_err *err) {
  const fn_str style = file_of("report.css"), script = file_of("report.js");
  if (style.length == 0 || script.length == 0)
    return fn_err_set(err, FN_E_INTERNAL, "report.css or report.js is not part of this program");
  fn_buf_append_str(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src ");
  add_hash(out, style);
  fn_buf_append_str(out, "; script-src ");
  add_hash(out, script);
  fn_buf_append_str(out, "; base-uri 'none'; form-action 'none'\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                         "<meta name=\"color-scheme\" content=\"light dark\">\n"
                         "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
  fn_html_cut(out, page->title, 200);
  fn_buf_append_str(out, "</title>\n<style>");
  fn_buf_append(out, style.data, style.length);
  fn_buf_append_str(out,
                    "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
                    "<header class=\"top\"><div class=\"wide\"><span class=\"name\">fakenews</span></div></header>\n"
                    "<main id=\"main\" class=\"wide\" tabindex=\"-1\">\n<h1 class=\"lead\">");
  fn_html_cut(out, page->title, 200);
  fn_buf_append_str(out, "</h1>\n");
  if (page->lead) fn_html_add(out, "<p class=\"intro\">%s</p>\n", page->lead);
  return FN_OK;
}

fn_status fn_html_end(fn_buf *out, const fn_html_page *page, const fn_buf *data, fn_err *err) {
  const fn_str script = file_of("report.js");
  if (script.length == 0) return fn_err_set(err, FN_E_INTERNAL, "report.js is not part of this program");
  fn_html_add(out,
              "</main>\n<footer><div class=\"wide\"><p>%s</p><p>This page stands alone: it asks no server for "
              "anything, and reads the same without JavaScript.</p></div></footer>\n",
              page->made);
  if (data) {
    fn_buf_append_str(out, "<script type=\"application/json\" id=\"data\">\n");
    fn_html_json(out, fn_buf_str(data));
    fn_buf_append_str(out, "\n</script>\n");
  }
  fn_buf_append_str(out, "<script>");
  fn_buf_append(out, script.data, script.length);
  fn_buf_append_str(out, "</script>\n</body>\n</html>\n");
  return FN_OK;
}

void fn_html_section_begin(fn_buf *out, const char *id, const char *title) {
  fn_html_add(out, "<section id=\"%s\" aria-labelledby=\"%s-name\">\n<h2 id=\"%s-name\">%s</h2>\n", id, id, id, title);
}

void fn_html_section_end(fn_buf *out) {
  fn_buf_append_str(out, "</section>\n");
}

void fn_html_contents(fn_buf *out, const fn_html_link *links, size_t n) {
  fn_buf_append_str(out, "<nav class=\"contents\" aria-label=\"Contents\"><ul>");
  for (size_t i = 0; i < n; i++) fn_html_add(out, "<li><a href=\"#%s\">%s</a></li>", links[i].id, links[i].title);
  fn_buf_append_str(out, "</ul></nav>\n");
}

void fn_html_json(fn_buf *out, fn_str json) {
  for (size_t i = 0, from = 0; i <= json.length; i++) {
    if (i < json.length && json.data[i] != '<' && json.data[i] != '>' && json.data[i] != '&') continue;
    fn_buf_append(out, json.data + from, i - from);
    if (i < json.length) fn_buf_printf(out, "\\u%04x", (unsigned)json.data[i]);
    from = i + 1;
  }
}

void fn_html_href(fn_buf *out, const char *path) {
  const char *colon = strchr(path, ':'), *slash = strchr(path, '/');
  if (colon && (!slash || colon < slash)) fn_buf_append_str(out, "./");
  for (const char *c = path; *c; c++) {
    if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~/", *c))
      fn_buf_append_char(out, *c);
    else
      fn_buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
  }
}

/* "12345" → "12,345" in place; room for it is there. */
static void group_digits(char out[32]) {
  size_t begin = out[0] == '-', length = strlen(out);
  for (size_t at = length; at > begin + 3 && length < 30;) {
    at -= 3;
    memmove(out + at + 1, out + at, length - at + 1);
    out[at] = ',';
    length++;
  }
}

const char *fn_number_text(char out[32], double value) {
  if (!isfinite(value)) {
    snprintf(out, 32, "%s", isnan(value) ? "NaN" : value > 0 ? "∞" : "−∞");
    return out;
  }
  const double size = fabs(value);
  if (size < 1e9 && value == floor(value)) { // NOLINT: whole numbers are exact here
    snprintf(out, 32, "%.0f", value == 0 ? 0 : value);
    if (size >= 10000) group_digits(out);
  } else if (size >= 1e6 || size < 1e-3) {
    snprintf(out, 32, "%.3g", value);
  } else if (size >= 1000) {
    snprintf(out, 32, "%.0f", value);
    if (size >= 9999.5) group_digits(out);
  } else {
    snprintf(out, 32, "%.4g", value);
  }
  return out;
}

const char *fn_bytes_text(char out[32], int64_t n_bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  double n = n_bytes < 0 ? 0 : (double)n_bytes;
  size_t unit = 0;
  while (n >= 999.5 && unit + 1 < FN_COUNT_OF(units)) n /= 1000, unit++;
  snprintf(out, 32, "%.*f %s", unit > 0 && n < 99.95 ? 1 : 0, n, units[unit]);
  return out;
}

const char *fn_duration_text(char out[32], int64_t ms) {
  const long long s = ms < 0 ? 0 : ms / 1000 + (ms % 1000 >= 500);
  if (ms < 10000)
    snprintf(out, 32, "%.1f s", ms < 0 ? 0 : (double)ms / 1000);
  else if (s < 60)
    snprintf(out, 32, "%lld s", s);
  else if (s < 3600)
    snprintf(out, 32, "%lld min %02lld s", s / 60, s % 60);
  else if (s < 48 * 3600)
    snprintf(out, 32, "%lld h %02lld min", s / 3600, s / 60 % 60);
  else
    snprintf(out, 32, "%lld d %lld h", s / 86400, s / 3600 % 24);
  return out;
}
