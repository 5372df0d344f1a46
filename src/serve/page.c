#include "serve/page.h"

#include "base/embedded.h"
#include "base/hash.h"

enum { MAX_DEPTH = 24, MAX_NAME = 64 };

extern const fn_embedded fn_embedded_web[];

/* Objects and elements in sight, the innermost last. */
typedef struct sight {
  const json_t *at[MAX_DEPTH];
  size_t n;
} sight;

typedef struct tag {
  char kind; /* 0: a value; else # ^ / > ! */
  char name[MAX_NAME];
  size_t begin, end; /* bytes of the source, braces included */
} tag;

void fn_page_escape(fn_buf *out, fn_str text) {
  fn_buf_append_html(out, text);
}

fn_str fn_page_file(const char *name) {
  static const char folder[] = "src/serve/web/";
  for (const fn_embedded *file = fn_embedded_web; file->name != NULL; file++)
    if (strncmp(file->name, folder, sizeof folder - 1) == 0 && strcmp(file->name + sizeof folder - 1, name) == 0)
      return fn_str_make((const char *)file->data, file->size);
  return fn_str_make(NULL, 0);
}

void fn_page_file_version(char out[17], fn_str file) {
  char digits[33];
  fn_hash_format(digits, fn_hash_bytes(file.data, file.length));
  memcpy(out, digits, 16);
  out[16] = 0;
}

/* The next tag from `from` on: FN_OK with kind and name; *found false when there is none. */
static fn_status next_tag(tag *out, bool *found, fn_str source, size_t from, fn_err *err) {
  *found = false;
  for (size_t i = from; i + 1 < source.length; i++) {
    if (source.data[i] != '{' || source.data[i + 1] != '{') continue;
    size_t end = i + 2;
    while (end + 1 < source.length && !(source.data[end] == '}' && source.data[end + 1] == '}')) end++;
    if (end + 1 >= source.length) return fn_err_set(err, FN_E_INTERNAL, "template: {{ without }} at byte %zu", i);
    fn_str inside = fn_str_make(source.data + i + 2, end - i - 2);
    out->kind = 0;
    if (inside.length > 0 && strchr("#^/>!", inside.data[0]) != NULL) {
      out->kind = inside.data[0];
      inside = fn_str_make(inside.data + 1, inside.length - 1);
    }
    inside = fn_str_trim(inside);
    if (out->kind == '!') inside.length = 0;
    if (inside.length >= MAX_NAME) return fn_err_set(err, FN_E_INTERNAL, "template: too long a name at byte %zu", i);
    memcpy(out->name, inside.length > 0 ? inside.data : "", inside.length);
    out->name[inside.length] = 0;
    out->begin = i;
    out->end = end + 2;
    *found = true;
    return FN_OK;
  }
  return FN_OK;
}

/* The tag that closes `open`. */
static fn_status find_end(tag *out, fn_str source, const tag *open, fn_err *err) {
  size_t depth = 1, at = open->end;
  for (;;) {
    bool found = false;
    FN_TRY(next_tag(out, &found, source, at, err));
    if (!found) return fn_err_set(err, FN_E_INTERNAL, "template: section %s has no end", open->name);
    at = out->end;
    if (strcmp(out->name, open->name) != 0) continue;
    if (out->kind == '#' || out->kind == '^') depth++;
    if (out->kind == '/' && --depth == 0) return FN_OK;
  }
}

static const json_t *find_path(const json_t *value, const char *path) {
  while (value != NULL) {
    const char *dot = strchr(path, '.');
    if (dot == NULL) return json_object_get(value, path);
    char member[MAX_NAME];
    size_t length = (size_t)(dot - path); /* below MAX_NAME, as the whole name */
    memcpy(member, path, length);
    member[length] = 0;
    value = json_object_get(value, member);
    path = dot + 1;
  }
  return NULL;
}

static const json_t *find_value(const sight *in, const char *name) {
  if (strcmp(name, ".") == 0) return in->at[in->n - 1];
  for (size_t i = in->n; i-- > 0;) {
    const json_t *value = find_path(in->at[i], name);
    if (value != NULL) return value;
  }
  return NULL;
}

static void append_value(fn_buf *out, const json_t *value) {
  if (json_is_string(value))
    fn_page_escape(out, fn_str_make(json_string_value(value), json_string_length(value)));
  else if (json_is_integer(value))
    fn_buf_printf(out, "%lld", (long long)json_integer_value(value));
  else if (json_is_real(value))
    fn_buf_append_double(out, json_real_value(value));
  else if (json_is_boolean(value))
    fn_buf_append_str(out, json_is_true(value) ? "true" : "false");
}

static bool says_nothing(const json_t *value) {
  return value == NULL || json_is_null(value) || json_is_false(value) ||
         (json_is_string(value) && json_string_length(value) == 0) ||
         (json_is_array(value) && json_array_size(value) == 0);
}

static fn_status fill(fn_buf *out, fn_str source, sight *in, fn_err *err);

static fn_status fill_with(fn_buf *out, fn_str source, sight *in, const json_t *value, fn_err *err) {
  if (in->n == MAX_DEPTH) return fn_err_set(err, FN_E_INTERNAL, "template: sections lie too deep");
  in->at[in->n++] = value;
  fn_status status = fill(out, source, in, err);
  in->n--;
  return status;
}

static fn_status fill_section(fn_buf *out, fn_str inner, const tag *open, sight *in, fn_err *err) {
  const json_t *value = find_value(in, open->name);
  if (value == NULL) return fn_err_set(err, FN_E_INTERNAL, "template: nothing is called %s", open->name);
  if (says_nothing(value) != (open->kind == '^')) return FN_OK;
  if (open->kind == '^' || !json_is_array(value)) return fill_with(out, inner, in, value, err);
  for (size_t i = 0; i < json_array_size(value); i++) FN_TRY(fill_with(out, inner, in, json_array_get(value, i), err));
  return FN_OK;
}

static fn_status fill_file(fn_buf *out, const char *name, sight *in, fn_err *err) {
  char path[MAX_NAME + 8];
  snprintf(path, sizeof path, "%s.html", name);
  fn_str source = fn_page_file(path);
  if (source.data == NULL) return fn_err_set(err, FN_E_INTERNAL, "template: there is no %s", path);
  /* a file that includes itself ends here as well */
  return fill_with(out, source, in, in->at[in->n - 1], err);
}

static fn_status fill(fn_buf *out, fn_str source, sight *in, fn_err *err) {
  size_t at = 0;
  for (;;) {
    tag open = {0}, end = {0};
    bool found = false;
    FN_TRY(next_tag(&open, &found, source, at, err));
    fn_buf_append(out, source.data + at, (found ? open.begin : source.length) - at);
    if (!found) return FN_OK;
    at = open.end;
    switch (open.kind) {
    case '!': break;
    case '>': FN_TRY(fill_file(out, open.name, in, err)); break;
    case '/': return fn_err_set(err, FN_E_INTERNAL, "template: %s ends but never began", open.name);
    case '#':
    case '^':
      FN_TRY(find_end(&end, source, &open, err));
      FN_TRY(fill_section(out, fn_str_make(source.data + at, end.begin - at), &open, in, err));
      at = end.end;
      break;
    default: {
      const json_t *value = find_value(in, open.name);
      if (value == NULL) return fn_err_set(err, FN_E_INTERNAL, "template: nothing is called %s", open.name);
      append_value(out, value);
    }
    }
  }
}

fn_status fn_page_fill(fn_buf *out, fn_str source, const json_t *view, fn_err *err) {
  sight in = {.at = {view}, .n = 1};
  FN_TRY(fill(out, source, &in, err));
  return fn_buf_check(out, "page", err);
}

fn_status fn_page_render(fn_buf *out, const char *name, const json_t *view, fn_err *err) {
  sight in = {.at = {view}, .n = 1};
  FN_TRY(fill_file(out, name, &in, err));
  return fn_buf_check(out, "page", err);
}
