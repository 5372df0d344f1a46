#include "track/filter.h"

/* What is read, and how far. */
typedef struct reader {
  fn_str text;
  size_t at;
  fn_arena *arena;
  const char *what; /* "filter", "order", "column" */
} reader;

static const struct {
  const char *name;
  fn_field_kind kind;
} kinds[] = {
    {"metric", FN_FIELD_METRIC},
    {"metrics", FN_FIELD_METRIC},
    {"param", FN_FIELD_PARAM},
    {"params", FN_FIELD_PARAM},
    {"parameter", FN_FIELD_PARAM},
    {"parameters", FN_FIELD_PARAM},
    {"tag", FN_FIELD_TAG},
    {"tags", FN_FIELD_TAG},
    {"dataset", FN_FIELD_DATASET},
    {"datasets", FN_FIELD_DATASET},
    {"attr", FN_FIELD_ATTRIBUTE},
    {"attribute", FN_FIELD_ATTRIBUTE},
    {"attributes", FN_FIELD_ATTRIBUTE},
    {"run", FN_FIELD_ATTRIBUTE},
};

static const struct {
  const char *name;
  fn_attribute attribute;
} attributes[] = {
    {"run_id", FN_ATTRIBUTE_RUN_ID},         {"run_name", FN_ATTRIBUTE_RUN_NAME},
    {"Run name", FN_ATTRIBUTE_RUN_NAME},     {"Run Name", FN_ATTRIBUTE_RUN_NAME},
    {"run name", FN_ATTRIBUTE_RUN_NAME},     {"status", FN_ATTRIBUTE_STATUS},
    {"user_id", FN_ATTRIBUTE_USER_ID},       {"artifact_uri", FN_ATTRIBUTE_ARTIFACT_URI},
    {"start_time", FN_ATTRIBUTE_START_TIME}, {"created", FN_ATTRIBUTE_START_TIME},
    {"Created", FN_ATTRIBUTE_START_TIME},    {"end_time", FN_ATTRIBUTE_END_TIME},
};

static const char *const comparators[FN_N_COMPARATORS] = {
    "=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"};

bool fn_field_is_number(const fn_field *field) {
  return field->kind == FN_FIELD_METRIC ||
         (field->kind == FN_FIELD_ATTRIBUTE && field->attribute >= FN_ATTRIBUTE_START_TIME);
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(reader *r) {
  while (r->at < r->text.length && is_space(r->text.data[r->at])) r->at++;
}

static char next(const reader *r) {
  return r->at < r->text.length ? r->text.data[r->at] : '\0';
}

/* "filter, byte 9 ("foo"): …" */
FN_PRINTF(3, 4)
static fn_status fail(const reader *r, fn_err *err, const char *format, ...) {
  char why[512];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  const size_t left = r->text.length - r->at;
  const int shown = left > 30 ? 30 : (int)left;
  if (shown == 0) return fn_err_set(err, FN_E_INVALID, "%s, at its end: %s", r->what, why);
  return fn_err_set(err, FN_E_INVALID, "%s, byte %zu (\"%.*s%s\"): %s", r->what, r->at + 1, shown, r->text.data + r->at,
                    left > 30 ? "…" : "", why);
}

/* Between two marks, `quote` at *at; the mark twice stands for itself. */
static fn_status read_quoted(fn_str *out, reader *r, fn_err *err) {
  const size_t begin = r->at;
  const char quote = r->text.data[r->at];
  size_t n = 0, end = begin + 1; /* of what the marks hold, at most */
  while (end < r->text.length &&
         (r->text.data[end] != quote || (end + 1 < r->text.length && r->text.data[end + 1] == quote)))
    end += r->text.data[end] == quote ? 2 : 1;
  char *copy = fn_arena_alloc(r->arena, end - begin + 1, 1);
  if (!copy) return fn_err_no_memory(err, r->what);
  for (r->at++; r->at < r->text.length; r->at++) {
    const char c = r->text.data[r->at];
    if (c == quote) {
      if (r->at + 1 == r->text.length || r->text.data[r->at + 1] != quote) {
        r->at++;
        *out = fn_str_make(copy, n);
        return FN_OK;
      }
      r->at++;
    }
    copy[n++] = c;
  }
  r->at = begin;
  return fail(r, err, "the %c is not closed", quote);
}

/* Letters of a name that needs no quotes. MLflow has fewer: - / : there only between quotes. */
static bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '/' || c == '-' || c == ':' || (unsigned char)c >= 0x80;
}

static fn_str read_bare(reader *r) {
  const size_t begin = r->at;
  while (r->at < r->text.length && is_bare(r->text.data[r->at])) r->at++;
  return fn_str_make(r->text.data + begin, r->at - begin);
}

static bool find_attribute(fn_attribute *out, fn_str name) {
  for (size_t i = 0; i < FN_COUNT_OF(attributes); i++)
    if (fn_str_is(name, attributes[i].name)) return *out = attributes[i].attribute, true;
  return false;
}

static fn_status take_attribute(fn_field *field, const reader *r, fn_str name, fn_err *err) {
  field->kind = FN_FIELD_ATTRIBUTE;
  if (find_attribute(&field->attribute, name)) return FN_OK;
  return fail(r, err,
              "a field is metrics.NAME, params.NAME, tags.NAME, datasets.name|digest|context, or one of run_id, "
              "run_name, status, start_time, end_time, user_id, artifact_uri");
}

static fn_status take_key(fn_field *field, const reader *r, fn_str key, fn_err *err) {
  if (field->kind == FN_FIELD_ATTRIBUTE) return take_attribute(field, r, key, err);
  if (key.length == 0) return fail(r, err, "a name follows the dot");
  field->key = key;
  if (field->kind != FN_FIELD_DATASET || fn_str_is(key, "name") || fn_str_is(key, "digest") ||
      fn_str_is(key, "context"))
    return FN_OK;
  return fail(r, err, "of datasets there are name, digest and context");
}

static bool find_kind(fn_field_kind *out, fn_str name) {
  for (size_t i = 0; i < FN_COUNT_OF(kinds); i++)
    if (fn_str_is(name, kinds[i].name)) return *out = kinds[i].kind, true;
  return false;
}

static fn_status read_field(fn_field *field_out, reader *r, fn_err *err) {
  fn_field field = {.key = {NULL, 0}};
  fn_str name = {NULL, 0};
  skip_space(r);
  const reader begin = *r; /* errors show where the field begins */
  if (next(r) == '`' || next(r) == '"') {
    FN_TRY(read_quoted(&name, r, err));
    FN_TRY(take_attribute(&field, &begin, name, err));
    *field_out = field;
    return FN_OK;
  }
  name = read_bare(r);
  const char *dot = name.length ? memchr(name.data, '.', name.length) : NULL;
  if (!dot) {
    FN_TRY(take_attribute(&field, &begin, name, err));
  } else {
    const fn_str kind = fn_str_make(name.data, (size_t)(dot - name.data));
    fn_str key = fn_str_make(dot + 1, name.length - kind.length - 1);
    if (!find_kind(&field.kind, kind)) return take_attribute(&field, &begin, name, err);
    if (key.length == 0 && (next(r) == '`' || next(r) == '"' || next(r) == '\'')) FN_TRY(read_quoted(&key, r, err));
    FN_TRY(take_key(&field, &begin, key, err));
  }
  *field_out = field;
  return FN_OK;
}

/* The word at the reader, when it is this one and ends here. */
static bool take_word(reader *r, const char *word) {
  const size_t n = strlen(word);
  if (r->text.length - r->at < n || !fn_str_equal_nocase(fn_str_make(r->text.data + r->at, n), fn_str_from(word)))
    return false;
  if (r->at + n < r->text.length && is_bare(r->text.data[r->at + n])) return false;
  r->at += n;
  return true;
}

static bool take_mark(reader *r, const char *mark) {
  const size_t n = strlen(mark);
  if (r->text.length - r->at < n || memcmp(r->text.data + r->at, mark, n) != 0) return false;
  r->at += n;
  return true;
}

/* Two or three words with space between them; third may be NULL. */
static bool take_words(reader *r, const char *first, const char *second, const char *third) {
  const size_t begin = r->at;
  const char *const words[] = {first, second, third};
  for (size_t i = 0; i < 3 && words[i]; i++) {
    skip_space(r);
    if (take_word(r, words[i])) continue;
    r->at = begin;
    return false;
  }
  return true;
}

static bool take_comparator(fn_comparator *out, reader *r) {
  static const fn_comparator marks[] = {FN_COMPARE_NE, FN_COMPARE_GE, FN_COMPARE_LE,
                                        FN_COMPARE_EQ, FN_COMPARE_GT, FN_COMPARE_LT};
  for (size_t i = 0; i < FN_COUNT_OF(marks); i++)
    if (take_mark(r, comparators[marks[i]])) return *out = marks[i], true;
  static const fn_comparator words[] = {FN_COMPARE_LIKE, FN_COMPARE_ILIKE, FN_COMPARE_IN};
  for (size_t i = 0; i < FN_COUNT_OF(words); i++)
    if (take_word(r, comparators[words[i]])) return *out = words[i], true;
  const size_t begin = r->at;
  if (take_words(r, "NOT", "IN", NULL)) return *out = FN_COMPARE_NOT_IN, true;
  if (take_words(r, "IS", "NULL", NULL)) return *out = FN_COMPARE_IS_NULL, true;
  if (take_words(r, "IS", "NOT", "NULL")) return *out = FN_COMPARE_IS_NOT_NULL, true;
  r->at = begin;
  return false;
}

static bool takes_list(const fn_field *f) {
  return f->kind == FN_FIELD_DATASET || (f->kind == FN_FIELD_ATTRIBUTE && f->attribute == FN_ATTRIBUTE_RUN_ID);
}

static bool may_be_null(const fn_field *f) {
  return f->kind == FN_FIELD_PARAM || f->kind == FN_FIELD_TAG;
}

static bool takes(const fn_field *f, fn_comparator c) {
  if (fn_field_is_number(f)) return c <= FN_COMPARE_LE;
  if (c >= FN_COMPARE_IS_NULL) return may_be_null(f);
  if (c >= FN_COMPARE_IN) return takes_list(f);
  return c <= FN_COMPARE_NE || c >= FN_COMPARE_LIKE;
}

static fn_status read_comparator(fn_clause *c, reader *r, fn_err *err) {
  skip_space(r);
  const reader begin = *r;
  if (take_comparator(&c->comparator, r) && takes(&c->field, c->comparator)) return FN_OK;
  if (fn_field_is_number(&c->field)) return fail(&begin, err, "numbers are compared by = != > >= < <=");
  if (takes_list(&c->field)) return fail(&begin, err, "this field is compared by = != LIKE ILIKE IN or NOT IN");
  return may_be_null(&c->field)
             ? fail(&begin, err, "text is compared by = != LIKE ILIKE, or IS NULL or IS NOT NULL stands here")
             : fail(&begin, err, "text is compared by = != LIKE or ILIKE");
}

static fn_status read_number(fn_clause *c, reader *r, fn_err *err) {
  const reader begin = *r;
  if (next(r) == '-' || next(r) == '+') r->at++;
  const size_t digits = r->at;
  while (r->at < r->text.length && (is_bare(r->text.data[r->at]) || r->text.data[r->at] == '+')) r->at++;
  const char first = digits < r->text.length ? r->text.data[digits] : '\0';
  fn_str number = fn_str_make(r->text.data + begin.at, r->at - begin.at);
  if (number.length && number.data[0] == '+') number.data++, number.length--;
  if (((first >= '0' && first <= '9') || first == '.') && fn_str_to_double(&c->number, number)) return FN_OK;
  return fail(&begin, err, "a number is compared with a number, without quotes");
}

static fn_status read_string(fn_str *out, reader *r, fn_err *err) {
  skip_space(r);
  if (next(r) == '\'' || next(r) == '"') return read_quoted(out, r, err);
  return fail(r, err, "text stands between quotes, as in 'FINISHED'");
}

static fn_status read_list(fn_clause *c, reader *r, fn_err *err) {
  size_t capacity = 1;
  for (size_t i = r->at; i < r->text.length; i++) capacity += r->text.data[i] == ',';
  fn_str *strings = fn_arena_alloc(r->arena, capacity, sizeof *strings);
  if (!strings) return fn_err_no_memory(err, r->what);
  if (!take_mark(r, "(")) return fail(r, err, "a list follows, as in ('a', 'b')");
  do {
    FN_TRY(read_string(&strings[c->n_strings++], r, err));
    skip_space(r);
    if (!take_mark(r, ",")) break;
    skip_space(r);
  } while (next(r) != ')'); /* ('a',) is how Python writes a list of one */
  c->strings = strings;
  return take_mark(r, ")") ? FN_OK : fail(r, err, "a list goes on with , or ends with )");
}

static fn_status read_value(fn_clause *c, reader *r, fn_err *err) {
  if (c->comparator >= FN_COMPARE_IS_NULL) return FN_OK;
  skip_space(r);
  if (fn_field_is_number(&c->field)) return read_number(c, r, err);
  if (c->comparator >= FN_COMPARE_IN) return read_list(c, r, err);
  fn_str *string = fn_arena_alloc(r->arena, 1, sizeof *string);
  if (!string) return fn_err_no_memory(err, r->what);
  FN_TRY(read_string(string, r, err));
  c->strings = string;
  c->n_strings = 1;
  return FN_OK;
}

static fn_status check_text(fn_str text, const char *what, fn_err *err) {
  if (text.length > FN_FILTER_MAX_BYTES)
    return fn_err_set(err, FN_E_LIMIT, "%s: has %zu bytes; %d are accepted", what, text.length,
                      (int)FN_FILTER_MAX_BYTES);
  if (text.length && memchr(text.data, '\0', text.length)) return fn_err_set(err, FN_E_INVALID, "%s: has a NUL", what);
  size_t at = 0;
  return fn_utf8_valid(text, &at) ? FN_OK : fn_err_set(err, FN_E_INVALID, "%s, byte %zu: not UTF-8", what, at + 1);
}

fn_status fn_filter_parse(fn_filter *filter_out, fn_arena *arena, fn_str text, fn_err *err) {
  reader r = {text, 0, arena, "filter"};
  fn_filter *f = filter_out;
  f->n = 0;
  FN_TRY(check_text(text, r.what, err));
  skip_space(&r);
  while (r.at < text.length) {
    if (f->n == FN_FILTER_MAX_CLAUSES)
      return fn_err_set(err, FN_E_LIMIT, "filter: has over %d comparisons", (int)FN_FILTER_MAX_CLAUSES);
    fn_clause *c = &f->clauses[f->n];
    *c = (fn_clause){.n_strings = 0};
    FN_TRY(read_field(&c->field, &r, err));
    FN_TRY(read_comparator(c, &r, err));
    FN_TRY(read_value(c, &r, err));
    f->n++;
    skip_space(&r);
    if (r.at == text.length) break;
    if (!take_word(&r, "AND")) return fail(&r, err, "comparisons are joined by AND alone");
    skip_space(&r);
    if (r.at == text.length) return fail(&r, err, "a comparison follows AND");
  }
  return FN_OK;
}

static fn_status parse_field(fn_field *field_out, bool *descending_out, reader *r, fn_err *err) {
  fn_field field;
  FN_TRY(check_text(r->text, r->what, err));
  FN_TRY(read_field(&field, r, err));
  skip_space(r);
  bool descending = false;
  if (descending_out) {
    descending = take_word(r, "DESC");
    if (!descending) (void)take_word(r, "ASC");
    skip_space(r);
  }
  if (r->at < r->text.length)
    return fail(r, err, "a field is followed by %s", descending_out ? "ASC, DESC or nothing" : "nothing");
  *field_out = field;
  if (descending_out) *descending_out = descending;
  return FN_OK;
}

fn_status fn_filter_parse_order(fn_field *field_out, bool *descending_out, fn_arena *arena, fn_str text, fn_err *err) {
  reader r = {text, 0, arena, "order"};
  return parse_field(field_out, descending_out, &r, err);
}

fn_status fn_filter_parse_column(fn_field *field_out, fn_arena *arena, fn_str text, fn_err *err) {
  reader r = {text, 0, arena, "column"};
  return parse_field(field_out, NULL, &r, err);
}
