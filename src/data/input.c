#include "data/input.h"

#include "data/csv.h"
#include "data/jsonl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 1 << 16 };

struct fn_input {
  fn_decoder *decoder;
  char *name;
  fn_input_format format;
  char delimiter;
  fn_csv *csv;
  fn_jsonl *jsonl;
  fn_buf text; /* FN_INPUT_TEXT: the article; afterwards its column's name is in `columns` */
  bool done;   /* FN_INPUT_TEXT: handed out */
  fn_arena names;
  fn_str *columns; /* CSV and text: [n_columns] */
  size_t n_columns;
  fn_value_kind text_kind;
  fn_str text_field;
  uint64_t index;
  bool ended; /* the source is at its end */
  size_t begin, end;
  char chunk[CHUNK]; /* bytes read and not parsed yet: chunk[begin, end) */
  char message[1024];
};

/* What bad bytes are called depends on the encoding, which may be known only after a while. */
static void name_bad_bytes(fn_input *input) {
  const char *complaint = fn_encoding_complaint(fn_input_get_encoding(input));
  if (input->csv) fn_csv_set_complaint(input->csv, complaint);
  if (input->jsonl) fn_jsonl_set_complaint(input->jsonl, complaint);
}

static fn_status refill(fn_input *input, fn_err *err) {
  if (input->begin == input->end) input->begin = input->end = 0;
  size_t n;
  FN_TRY(fn_decoder_read(input->decoder, input->chunk + input->end, CHUNK - input->end, &n, err));
  input->end += n;
  input->ended = n == 0;
  name_bad_bytes(input);
  return FN_OK;
}

static fn_str without_packing(fn_str name) {
  if (fn_str_ends_with(name, ".gz")) name.length -= 3;
  if (fn_str_ends_with(name, ".zst")) name.length -= 4;
  return name;
}

static fn_input_format guess(const fn_input *input) {
  fn_str name = without_packing(fn_str_from(input->name));
  if (fn_str_ends_with(name, ".csv") || fn_str_ends_with(name, ".tsv")) return FN_INPUT_CSV;
  if (fn_str_ends_with(name, ".jsonl") || fn_str_ends_with(name, ".ndjson") || fn_str_ends_with(name, ".json"))
    return FN_INPUT_JSONL;
  if (fn_str_ends_with(name, ".txt")) return FN_INPUT_TEXT;
  fn_str start = fn_str_trim(fn_str_make(input->chunk + input->begin, input->end - input->begin));
  return start.length && start.data[0] == '{' ? FN_INPUT_JSONL : FN_INPUT_CSV;
}

/* Empty input and the format. */
static fn_status look(fn_input *input, fn_input_format format, fn_err *err) {
  FN_TRY(refill(input, err));
  input->format = format == FN_INPUT_AUTO ? guess(input) : format;
  if (input->begin == input->end && input->format != FN_INPUT_TEXT)
    return fn_err_set(err, FN_E_INVALID, "%s: the file is empty; %s is accepted", input->name,
                      input->format == FN_INPUT_JSONL ? "one JSON object a line" : "a header line and rows");
  return FN_OK;
}

static fn_status parse(fn_record_event *event, fn_record *record, fn_input *input, fn_err *err) {
  for (;;) {
    const char *p = input->chunk + input->begin;
    size_t n = input->end - input->begin, used = 0;
    if (n == 0 && input->ended)
      return input->csv ? fn_csv_finish(event, record, input->csv, err)
                        : fn_jsonl_finish(event, record, input->jsonl, err);
    if (input->csv)
      FN_TRY(fn_csv_feed(event, record, &used, input->csv, p, n, err));
    else
      FN_TRY(fn_jsonl_feed(event, record, &used, input->jsonl, p, n, err));
    input->begin += used;
    if (*event == FN_RECORD_READY) return FN_OK;
    FN_TRY(refill(input, err));
  }
}

/* Errors of the parsers begin with the line; the file's name comes before it. */
static fn_status parse_named(fn_record_event *event, fn_record *record, fn_input *input, fn_err *err) {
  fn_err local = {0};
  fn_status status = parse(event, record, input, &local);
  if (status == FN_OK) return FN_OK;
  if (status == FN_E_INVALID && input->csv && local.message[0] >= '0' && local.message[0] <= '9')
    return fn_err_set(err, status, "%s:%s", input->name, local.message);
  return fn_err_set(err, status, "%s", local.message);
}

static fn_status read_header(fn_input *input, fn_err *err) {
  fn_record_event event;
  fn_record record;
  FN_TRY(parse_named(&event, &record, input, err));
  if (event == FN_RECORD_NONE)
    return fn_err_set(err, FN_E_INVALID, "%s: the file holds only empty lines; a header line and rows are accepted",
                      input->name);
  if (record.status != FN_OK)
    return fn_err_set(err, record.status, "%s:%" PRIu64 ": header: %s", input->name, record.error_line, record.message);
  input->columns = fn_arena_alloc(&input->names, record.n_fields, sizeof *input->columns);
  if (!input->columns) return fn_err_no_memory(err, "a CSV header");
  for (size_t i = 0; i < record.n_fields; i++) {
    fn_str name = fn_str_trim(record.fields[i]);
    char *copy = fn_arena_strndup(&input->names, name.length ? name.data : "", name.length);
    if (!copy) return fn_err_no_memory(err, "a CSV header");
    input->columns[i] = fn_str_make(copy, name.length);
  }
  input->n_columns = record.n_fields;
  fn_csv_expect_fields(input->csv, record.n_fields);
  return FN_OK;
}

static const char delimiters[] = ",;\t|";

const char *fn_delimiter_name(char delimiter) {
  static const char *const names[] = {",", ";", "tab", "|"};
  const char *p = delimiter ? strchr(delimiters, delimiter) : NULL;
  return p ? names[p - delimiters] : NULL;
}

/* How often each delimiter stands outside of quotes in a line, which ends at the first line break or with `text`. */
static void count_delimiters(size_t counts[sizeof delimiters - 1], fn_str text) {
  bool quoted = false;
  memset(counts, 0, (sizeof delimiters - 1) * sizeof *counts);
  for (size_t i = 0; i < text.length && (quoted || (text.data[i] != '\n' && text.data[i] != '\r')); i++) {
    quoted ^= text.data[i] == '"';
    const char *p = quoted || !text.data[i] ? NULL : strchr(delimiters, text.data[i]);
    if (p) counts[p - delimiters]++;
  }
}

/* The first line of the chunk that is not empty, as far as it is there. */
static fn_str first_line(const fn_input *input) {
  size_t begin = input->begin;
  while (begin < input->end && (input->chunk[begin] == '\r' || input->chunk[begin] == '\n')) begin++;
  return fn_str_make(input->chunk + begin, input->end - begin);
}

/* data.delimiter=auto. A header line that is longer than the chunk is judged by its beginning. */
static fn_status find_delimiter(fn_input *input, fn_err *err) {
  for (fn_str line = first_line(input); line.length == 0 || !memchr(line.data, '\n', line.length);
       line = first_line(input)) {
    if (input->ended || CHUNK - input->end < 4) break;
    FN_TRY(refill(input, err));
  }
  size_t counts[sizeof delimiters - 1], n_kinds = 0, kind = 0;
  count_delimiters(counts, first_line(input));
  for (size_t i = 0; i < FN_COUNT_OF(counts); i++)
    if (counts[i]) n_kinds++, kind = i;
  input->delimiter = delimiters[n_kinds == 1 ? kind : 0];
  return FN_OK;
}

static fn_status start(fn_input *input, const fn_input_options *options, fn_err *err) {
  FN_TRY(look(input, options->format, err));
  fn_record_limits limits = FN_RECORD_LIMITS_DEFAULT;
  if (input->format == FN_INPUT_JSONL) {
    FN_TRY(fn_jsonl_create(&input->jsonl, &limits, err));
    name_bad_bytes(input);
    return FN_OK;
  }
  if (input->format == FN_INPUT_CSV) {
    FN_TRY(fn_csv_create(&input->csv, &limits, err));
    input->delimiter = options->delimiter;
    if (!input->delimiter) FN_TRY(find_delimiter(input, err));
    fn_csv_set_delimiter(input->csv, input->delimiter);
    name_bad_bytes(input);
    return read_header(input, err);
  }
  input->columns = fn_arena_alloc(&input->names, 1, sizeof *input->columns);
  if (!input->columns) return fn_err_no_memory(err, "an input");
  input->columns[0] = fn_str_from("text");
  input->n_columns = 1;
  input->text_kind = FN_VALUE_STRING;
  fn_buf_init(&input->text, limits.max_field_bytes);
  return FN_OK;
}

static fn_status create(fn_input **input_out, fn_source *source, const char *name, const fn_input_options *options,
                        fn_err *err) {
  static const fn_input_options find_out;
  if (!options) options = &find_out;
  fn_input *input = fn_mem_calloc(1, sizeof *input);
  char *copy = input ? fn_str_dup(fn_str_from(name)) : NULL;
  if (!copy) {
    free(input);
    fn_source_close(source);
    return fn_err_no_memory(err, "an input");
  }
  input->name = copy;
  if (options->watch) fn_source_set_watch(source, options->watch);
  fn_arena_init(&input->names);
  fn_status status = fn_decoder_create(&input->decoder, source, copy, options->encoding, err);
  if (status == FN_OK) status = start(input, options, err);
  if (status != FN_OK) {
    fn_input_close(input);
    return status;
  }
  *input_out = input;
  return FN_OK;
}

fn_status fn_input_options_from(fn_input_options *options_out, const fn_data_options *data, fn_err *err) {
  fn_input_options o = {.format = (fn_input_format)data->format, .encoding = (fn_encoding)data->encoding};
  fn_str delimiter = fn_str_from(data->delimiter);
  for (size_t i = 0; delimiters[i]; i++)
    if (fn_str_is(delimiter, fn_delimiter_name(delimiters[i])) ||
        fn_str_equal(delimiter, fn_str_make(&delimiters[i], 1)))
      o.delimiter = delimiters[i];
  if (!o.delimiter && !fn_str_is(delimiter, "auto"))
    return fn_err_set(err, FN_E_INVALID, "data.delimiter: \"%.20s\" is none of auto, \",\", \";\", \"|\", tab",
                      data->delimiter);
  *options_out = o;
  return FN_OK;
}

fn_status fn_input_open(fn_input **input_out, const char *path, const fn_input_options *options, fn_err *err) {
  fn_source *source;
  FN_TRY(fn_source_open(&source, path, err));
  return create(input_out, source, path, options, err);
}

fn_status fn_input_open_stream(fn_input **input_out, fn_read read, void *arg, const char *name,
                               const fn_input_options *options, fn_err *err) {
  fn_source *source;
  FN_TRY(fn_source_open_stream(&source, read, arg, name, err));
  return create(input_out, source, name, options, err);
}

void fn_input_close(fn_input *input) {
  if (!input) return;
  fn_csv_destroy(input->csv);
  fn_jsonl_destroy(input->jsonl);
  fn_buf_deinit(&input->text);
  fn_arena_deinit(&input->names);
  fn_decoder_destroy(input->decoder);
  free(input->name);
  free(input);
}

const char *fn_input_name(const fn_input *input) {
  return input->name;
}
fn_input_format fn_input_get_format(const fn_input *input) {
  return input->format;
}
fn_encoding fn_input_get_encoding(const fn_input *input) {
  return fn_decoder_encoding(input->decoder);
}
char fn_input_get_delimiter(const fn_input *input) {
  return input->delimiter;
}

/* The whole input as one row. */
static fn_status next_text(fn_input_row *row, bool *more, fn_input *input, fn_err *err) {
  *more = !input->done;
  if (input->done) return FN_OK;
  input->done = true;
  *row =
      (fn_input_row){.line = 1, .n_fields = 1, .fields = &input->text_field, .kinds = &input->text_kind, .message = ""};
  bool limit = false;
  for (;;) {
    size_t n = input->end - input->begin;
    limit = limit || n > input->text.max - input->text.length;
    if (!limit) fn_buf_append(&input->text, input->chunk + input->begin, n);
    FN_TRY(fn_buf_check(&input->text, "a text", err));
    input->begin = input->end;
    if (input->ended) break;
    FN_TRY(refill(input, err));
  }
  input->text_field = fn_str_make(input->text.data ? input->text.data : "", input->text.length);
  size_t at;
  if (limit) {
    row->status = FN_E_LIMIT;
    snprintf(input->message, sizeof input->message, "%s: longer than %zu bytes", input->name, input->text.max);
  } else if (input->text.length && memchr(input->text.data, 0, input->text.length)) {
    row->status = FN_E_INVALID;
    snprintf(input->message, sizeof input->message, "%s: holds NUL bytes; text is accepted", input->name);
  } else if (!fn_utf8_valid(input->text_field, &at)) {
    row->status = FN_E_INVALID;
    snprintf(input->message, sizeof input->message, "%s: byte %zu (0x%02x) %s", input->name, at + 1,
             (unsigned char)input->text.data[at], fn_encoding_complaint(fn_input_get_encoding(input)));
  }
  if (row->status != FN_OK) {
    row->message = input->message;
    row->n_fields = 0;
  }
  return FN_OK;
}

fn_status fn_input_next(fn_input_row *row_out, bool *more_out, fn_input *input, fn_err *err) {
  if (input->format == FN_INPUT_TEXT) return next_text(row_out, more_out, input, err);
  fn_record_event event;
  fn_record record;
  FN_TRY(parse_named(&event, &record, input, err));
  *more_out = event == FN_RECORD_READY;
  if (!*more_out) return FN_OK;
  *row_out = (fn_input_row){
      .index = input->index++,
      .line = record.line,
      .n_fields = record.n_fields,
      .fields = record.fields,
      .kinds = record.kinds,
      .status = record.status,
      .message = "",
  };
  if (record.status != FN_OK) {
    snprintf(input->message, sizeof input->message, "%s:%" PRIu64 ": %s", input->name, record.error_line,
             record.message);
    row_out->message = input->message;
    row_out->n_fields = 0;
  }
  return FN_OK;
}

const fn_str *fn_input_columns(const fn_input *input, size_t *n_out) {
  if (input->jsonl) return fn_jsonl_columns(input->jsonl, n_out);
  *n_out = input->n_columns;
  return input->columns;
}

/* How many columns match, and the first of them. */
static size_t count(size_t *index, const fn_input *input, const char *name, bool any_case) {
  size_t n, found = 0;
  const fn_str *columns = fn_input_columns(input, &n);
  for (size_t i = n; i-- > 0;) {
    bool same = any_case ? fn_str_equal_nocase(columns[i], fn_str_from(name)) : fn_str_is(columns[i], name);
    if (!same) continue;
    *index = i;
    found++;
  }
  return found;
}

bool fn_input_find(size_t *index_out, const fn_input *input, const char *name) {
  size_t index = 0;
  if (count(&index, input, name, false) == 0 && count(&index, input, name, true) != 1) return false;
  *index_out = index;
  return true;
}

/* A header whose names hold another delimiter at least as often as there are columns was hardly meant so. */
static void hint_delimiter(fn_buf *out, const fn_input *input, const fn_str *columns, size_t n) {
  size_t sums[sizeof delimiters - 1] = {0}, counts[sizeof delimiters - 1];
  for (size_t i = 0; i < n; i++) {
    count_delimiters(counts, columns[i]);
    for (size_t k = 0; k < FN_COUNT_OF(counts); k++) sums[k] += counts[k];
  }
  for (size_t k = 0; input->csv && k < FN_COUNT_OF(sums); k++) {
    if (sums[k] < n || delimiters[k] == input->delimiter) continue;
    fn_buf_printf(out, "; with data.delimiter=\"%s\" there are %zu", fn_delimiter_name(delimiters[k]), n + sums[k]);
    return;
  }
}

static void list_columns(fn_buf *out, const fn_input *input, const char *name) {
  size_t n, nearest = SIZE_MAX, distance = 4;
  const fn_str *columns = fn_input_columns(input, &n);
  for (size_t i = 0; i < n; i++) {
    char text[64];
    if (columns[i].length == 0 || columns[i].length >= sizeof text) continue;
    memcpy(text, columns[i].data, columns[i].length);
    text[columns[i].length] = 0;
    size_t d = fn_str_distance(text, name);
    if (d < distance && d < strlen(name)) distance = d, nearest = i;
  }
  if (nearest != SIZE_MAX)
    fn_buf_printf(out, ", did you mean \"%.*s\"?", (int)columns[nearest].length, columns[nearest].data);
  else
    fn_buf_append_char(out, '.');
  fn_buf_append_str(out, n ? " The columns are " : " There are no columns");
  for (size_t i = 0; i < n && i < 24; i++) {
    int length = columns[i].length < 40 ? (int)columns[i].length : 40;
    fn_buf_printf(out, "%s\"%.*s\"", i ? ", " : "", length, columns[i].data);
  }
  if (n > 24) fn_buf_printf(out, " and %zu more", n - 24);
  hint_delimiter(out, input, columns, n);
}

fn_status fn_input_require(size_t *index_out, const fn_input *input, const char *name, const char *option,
                           fn_err *err) {
  size_t index = 0, exact = count(&index, input, name, false);
  if (exact == 1 || (exact == 0 && count(&index, input, name, true) == 1)) {
    *index_out = index;
    return FN_OK;
  }
  if (exact > 1)
    return fn_err_set(err, FN_E_INVALID, "%s:1: column \"%s\" stands %zu times in the header; once is accepted",
                      input->name, name, exact);
  fn_buf FN_AUTO_BUF list = {0};
  list_columns(&list, input, name);
  FN_TRY(fn_buf_check(&list, "an error message", err));
  if (option) fn_buf_printf(&list, "; choose one with %s=NAME", option);
  if (input->csv && !fn_str_ends_with(without_packing(fn_str_from(input->name)), ".csv"))
    fn_buf_append_str(&list, "; if this is one plain text and no CSV: data.format=text");
  return fn_err_set(err, FN_E_NOT_FOUND, "%s%s: no column \"%s\"%s", input->name, input->csv ? ":1" : "", name,
                    list.data ? list.data : "");
}
