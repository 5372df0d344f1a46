/* Files to rows: columns, labels, what is empty. */
#include "data/input.h"
#include "data/origin.h"
#include "data/prepare_internal.h"
#include "data/split.h"

#include <inttypes.h>
#include <stdlib.h>

typedef enum column_id { TITLE, TEXT, LABEL, SOURCE, DATASET, SPLIT, GROUP, N_COLUMNS } column_id;

typedef struct column {
  const char *name, *option;
  bool wanted, required, found;
  size_t index;
} column;

/* One file. */
typedef struct reading {
  fn_prepared *p;
  fn_load *load; /* where rows go */
  fn_input *input;
  const fn_prepare_input *from;
  fn_prepare_file *file;
  fn_str dataset; /* for rows that name none */
  column columns[N_COLUMNS];
  fn_source_watch watch; /* hasher NULL: no file is open */
} reading;

struct fn_prepare_reader {
  fn_prepared *p;
  size_t next_file;
  reading now;    /* now.input NULL: no file is open */
  fn_buf dataset; /* now.dataset */
};

/* What stands in the table of settings as the default name; a column asked for by another name must be there. */
static bool renamed(const char *name, const char *usual) {
  return strcmp(name, usual) != 0;
}

static void choose_columns(reading *r) {
  const fn_data_options *o = r->p->options;
  bool rows = fn_input_get_format(r->input) != FN_INPUT_TEXT;
  bool by_group = o->split == FN_SPLIT_GROUP;
  bool by_source = by_group && strcmp(o->group, "source") == 0,
       by_dataset = by_group && strcmp(o->group, "dataset") == 0;
  column *c = r->columns;
  c[TITLE] = (column){o->column_title,
                      "data.columns.title",
                      true,
                      rows && (o->text != FN_TEXT_TEXT || renamed(o->column_title, "title")),
                      false,
                      0};
  c[TEXT] = (column){o->column_text, "data.columns.text",
                     true,           rows && (o->text != FN_TEXT_TITLE || renamed(o->column_text, "text")),
                     false,          0};
  c[LABEL] = (column){o->column_label, "data.columns.label", r->from->label == FN_LABEL_UNKNOWN, true, false, 0};
  c[SOURCE] = (column){
      o->column_source, "data.columns.source", true, by_source || renamed(o->column_source, "source"), false, 0};
  c[DATASET] =
      (column){o->column_dataset, "data.columns.dataset", true, renamed(o->column_dataset, "dataset"), false, 0};
  c[SPLIT] = (column){o->column_split, "data.columns.split", o->split == FN_SPLIT_GIVEN, true, false, 0};
  c[GROUP] = (column){o->group, "data.group", by_group && !by_source && !by_dataset, true, false, 0};
}

/* "no column" with what else could help. */
static fn_status no_column(const reading *r, column_id id, fn_err *err) {
  const column *c = &r->columns[id];
  size_t index;
  fn_err local = {0};
  fn_status status = fn_input_require(&index, r->input, c->name, c->option, &local);
  const char *more = "";
  if (status == FN_E_NOT_FOUND && r->p->options->text == FN_TEXT_TITLE_TEXT && id == TITLE)
    more = ", or data.text=text to read the text alone";
  if (status == FN_E_NOT_FOUND && r->p->options->text == FN_TEXT_TITLE_TEXT && id == TEXT)
    more = ", or data.text=title to read the title alone";
  if (status == FN_E_NOT_FOUND && id == LABEL) more = ", or give the label of a whole file as fake:FILE or real:FILE";
  return fn_err_set(err, status, "%s%s", local.message, more);
}

/* CSV: once, with errors. JSON lines: whenever columns may have been added; what is still missing at the end is an
 * error then. */
static fn_status find_columns(reading *r, bool complain, fn_err *err) {
  for (int i = 0; i < N_COLUMNS; i++) {
    column *c = &r->columns[i];
    if (!c->wanted || c->found) continue;
    c->found = fn_input_find(&c->index, r->input, c->name);
    if (!c->found && c->required && complain) return no_column(r, (column_id)i, err);
    size_t unused;
    if (c->found && complain) FN_TRY(fn_input_require(&unused, r->input, c->name, c->option, err));
  }
  return FN_OK;
}

/* Value of a column; "" when the row or the file has none. Arrays and objects are no text. */
static fn_status value_of(fn_str *out, const reading *r, const fn_input_row *row, column_id id, fn_err *err) {
  const column *c = &r->columns[id];
  *out = fn_str_make("", 0);
  if (!c->wanted || !c->found || c->index >= row->n_fields) return FN_OK;
  fn_str value = row->fields[c->index];
  if (row->kinds[c->index] == FN_VALUE_OTHER && value.length && (value.data[0] == '[' || value.data[0] == '{'))
    return fn_err_set(err, FN_E_INVALID, "%s:%" PRIu64 ": \"%s\" is a JSON %s; a string is accepted",
                      fn_input_name(r->input), row->line, c->name, value.data[0] == '[' ? "array" : "object");
  *out = value;
  return FN_OK;
}

static fn_status copy(fn_str *io, fn_prepared *p, fn_err *err) {
  if (io->length == 0) return *io = fn_str_make("", 0), FN_OK;
  char *text = fn_arena_strndup(&p->arena, io->data, io->length);
  if (!text) return fn_err_no_memory(err, "the texts");
  io->data = text;
  return FN_OK;
}

static fn_status unknown_label(const reading *r, const fn_input_row *row, fn_str value, fn_err *err) {
  fn_buf FN_AUTO_BUF list = {0};
  fn_label_list(&list, &r->p->options->label_map);
  int length = value.length < 80 ? (int)value.length : 80;
  bool mapped = r->p->options->label_map.n > 0;
  return fn_err_set(err, FN_E_INVALID,
                    "%s:%" PRIu64 ": label \"%.*s\" (column \"%s\") is not known; %s %s; %s, as "
                    "data.label_map={%s%.*s:fake} (real, fake or drop)",
                    fn_input_name(r->input), row->line, length, value.data, r->columns[LABEL].name,
                    mapped ? "data.label_map has" : "accepted are", list.data ? list.data : "",
                    mapped ? "add this one" : "any other value needs a map", mapped ? "…," : "", length, value.data);
}

/* Counts a value of the label column. Their number is bounded: an unknown one ends the reading. */
static fn_status count_value(fn_prepared *p, fn_str value, int label, fn_err *err) {
  value = fn_str_trim(value);
  size_t n = p->report.n_values;
  for (size_t i = 0; i < n; i++)
    if (fn_str_equal_nocase(p->values[i].value, value)) return p->values[i].n_rows++, FN_OK;
  fn_prepare_value *grown = realloc(p->values, (n + 1) * sizeof *grown);
  if (!grown) return fn_err_no_memory(err, "label values");
  p->values = grown;
  FN_TRY(copy(&value, p, err));
  p->values[n] = (fn_prepare_value){value, label, 1};
  p->report.values = p->values;
  p->report.n_values++;
  return FN_OK;
}

static fn_status read_label(int *label_out, reading *r, const fn_input_row *row, fn_err *err) {
  if (r->from->label != FN_LABEL_UNKNOWN) {
    *label_out = r->from->label;
    return count_value(r->p, fn_str_from(r->from->given), *label_out, err);
  }
  fn_str value;
  FN_TRY(value_of(&value, r, row, LABEL, err));
  *label_out = FN_LABEL_UNKNOWN;
  if (fn_text_is_empty(value)) return FN_OK;
  *label_out = fn_label_parse(&r->p->options->label_map, value);
  if (*label_out == FN_LABEL_UNKNOWN) return unknown_label(r, row, fn_str_trim(value), err);
  return count_value(r->p, value, *label_out, err);
}

static fn_status read_split(uint8_t *split_out, const reading *r, const fn_input_row *row, fn_err *err) {
  *split_out = NO_SPLIT;
  if (!r->columns[SPLIT].wanted) return FN_OK;
  fn_str value;
  fn_split split;
  FN_TRY(value_of(&value, r, row, SPLIT, err));
  if (!fn_split_parse(&split, value))
    return fn_err_set(err, FN_E_INVALID,
                      "%s:%" PRIu64 ": split \"%.*s\" (column \"%s\") is none of train, validation (val, valid, dev), "
                      "test; data.split=random divides the rows anew",
                      fn_input_name(r->input), row->line, value.length < 80 ? (int)value.length : 80, value.data,
                      r->columns[SPLIT].name);
  *split_out = (uint8_t)split;
  return FN_OK;
}

/* Rows whose group is unknown are one group per dataset: they may be anyone's, so they are not spread over splits. */
static fn_status read_group(load_row *a, const reading *r, const fn_input_row *row, fn_str source, fn_str dataset,
                            fn_err *err) {
  const fn_data_options *o = r->p->options;
  if (o->split != FN_SPLIT_GROUP) return FN_OK;
  fn_str value = source;
  if (strcmp(o->group, "dataset") == 0)
    value = dataset;
  else if (r->columns[GROUP].wanted)
    FN_TRY(value_of(&value, r, row, GROUP, err));
  value = fn_str_trim(value);
  fn_buf FN_AUTO_BUF unknown = {0};
  if (value.length == 0) {
    fn_buf_printf(&unknown, "\x1Funknown in %.*s", (int)dataset.length, dataset.data);
    FN_TRY(fn_buf_check(&unknown, "a group", err));
    value = fn_buf_str(&unknown);
  }
  return fn_names_add(&a->group, &r->p->groups, value, err);
}

/* Appends one text to the load. */
static fn_status put(uint32_t *length_out, fn_load *load, fn_str text, fn_err *err) {
  if (text.length) fn_buf_append(&load->bytes, text.data, text.length);
  *length_out = (uint32_t)text.length; /* fields are bounded by FN_RECORD_LIMITS_DEFAULT */
  return fn_buf_check(&load->bytes, "the texts", err);
}

static fn_status read_article(reading *r, const fn_input_row *row, fn_err *err) {
  fn_prepared *p = r->p;
  fn_load *load = r->load;
  int label;
  load_row a = {.row = (int64_t)p->report.n_read - 1, .at = load->bytes.length};
  FN_TRY(read_label(&label, r, row, err));
  if (label < 0) return p->report.dropped[label == FN_LABEL_DROP ? FN_DROP_LABEL_MAP : FN_DROP_NO_LABEL]++, FN_OK;
  a.label = (int8_t)label;
  fn_str title, text, source, dataset;
  FN_TRY(value_of(&title, r, row, TITLE, err));
  FN_TRY(value_of(&text, r, row, TEXT, err));
  FN_TRY(value_of(&source, r, row, SOURCE, err));
  FN_TRY(value_of(&dataset, r, row, DATASET, err));
  FN_TRY(read_split(&a.split, r, row, err));
  if (fn_prepare_is_empty(p, title, text)) return fn_prepare_count_drop(p, label, FN_DROP_EMPTY), FN_OK;
  source = fn_str_trim(source);
  dataset = fn_str_trim(dataset);
  if (dataset.length == 0) dataset = r->dataset;
  FN_TRY(fn_names_add(&a.dataset, &p->datasets, dataset, err));
  FN_TRY(read_group(&a, r, row, source, dataset, err));
  FN_TRY(put(&a.title, load, title, err));
  FN_TRY(put(&a.text, load, text, err));
  FN_TRY(put(&a.source, load, source, err));
  load->rows[load->n++] = a;
  return FN_OK;
}

/* Rows until the load is full or the file is at its end. */
static fn_status read_rows(bool *ended_out, reading *r, fn_err *err) {
  bool more = true, lines = fn_input_get_format(r->input) == FN_INPUT_JSONL;
  while (r->load->n < LOAD_ROWS && r->load->bytes.length < LOAD_BYTES) {
    fn_input_row row;
    FN_TRY(fn_input_next(&row, &more, r->input, err));
    if (!more) break;
    r->file->n_rows++;
    r->p->report.n_read++;
    if (row.status != FN_OK) return fn_err_set(err, row.status, "%s", row.message);
    if (lines) FN_TRY(find_columns(r, false, err));
    FN_TRY(read_article(r, &row, err));
    if (r->p->report.n_read % 1024 == 0) FN_TRY(fn_prepare_check_stop(r->p, err));
  }
  *ended_out = !more;
  return FN_OK;
}

/* Base name without the endings that say how it is stored. */
static fn_str plain_name(const char *path) {
  static const char *const endings[] = {".gz", ".zst", ".csv", ".jsonl", ".ndjson", ".json", ".txt"};
  fn_str name = fn_str_from(fn_path_base(path));
  for (size_t i = 0; i < FN_COUNT_OF(endings); i++)
    if (fn_str_ends_with(name, endings[i]) && name.length > strlen(endings[i])) name.length -= strlen(endings[i]);
  return name;
}

/* The name of the dataset of rows that say nothing. Files that hold one class each are one dataset together: Fake.csv
 * and True.csv apart would be two datasets of one class, and every figure by dataset would be void. */
static fn_status default_dataset(fn_buf *out, const fn_prepared *p, const fn_prepare_input *input, fn_err *err) {
  if (p->options->dataset) {
    fn_buf_append_str(out, p->options->dataset);
  } else if (input->label == FN_LABEL_UNKNOWN) {
    fn_str name = plain_name(input->path);
    fn_buf_append(out, name.data, name.length);
  } else {
    for (size_t i = 0; i < p->request->n_inputs; i++) {
      if (p->request->inputs[i].label == FN_LABEL_UNKNOWN) continue;
      fn_str name = plain_name(p->request->inputs[i].path);
      if (out->length) fn_buf_append_char(out, '+');
      fn_buf_append(out, name.data, name.length);
    }
  }
  return fn_buf_check(out, "a dataset's name", err);
}

static fn_status keep(const char **out, fn_prepared *p, const char *text, fn_err *err) {
  *out = text ? fn_arena_strndup(&p->arena, text, strlen(text)) : NULL;
  return text && !*out ? fn_err_no_memory(err, "the report") : FN_OK;
}

/* What the settings say goes before what was noted when it was fetched. */
static fn_status describe_origin(fn_prepare_file *file, fn_prepared *p, const fn_prepare_input *input, fn_err *err) {
  fn_origin origin;
  FN_TRY(fn_origin_find(&origin, input->path, err));
  const char *license = origin.license;
  for (size_t i = 0; i < p->options->licenses.n; i++)
    if (strcmp(p->options->licenses.keys[i], fn_path_base(input->path)) == 0) license = p->options->licenses.values[i];
  fn_status status = keep(&file->source, p, origin.url, err);
  if (status == FN_OK) status = keep(&file->license, p, license, err);
  fn_origin_deinit(&origin);
  return status;
}

static fn_status describe_file(fn_prepare_file *file, fn_prepared *p, const fn_prepare_input *input, fn_err *err) {
  const char *base = fn_path_base(input->path);
  FN_TRY(describe_origin(file, p, input, err));
  file->name = fn_arena_strndup(&p->arena, base, strlen(base));
  file->label = input->label == FN_LABEL_UNKNOWN ? NULL : fn_label_name(input->label);
  return file->name ? FN_OK : fn_err_no_memory(err, "the report");
}

static fn_status open_file(fn_prepare_reader *reader, fn_err *err) {
  static const char *const formats[] = {"auto", "csv", "jsonl", "text"};
  fn_prepared *p = reader->p;
  const fn_prepare_input *from = &p->request->inputs[reader->next_file];
  reading *r = &reader->now;
  *r = (reading){.p = p, .from = from, .file = &p->files[reader->next_file]};
  fn_buf_reset(&reader->dataset);
  FN_TRY(default_dataset(&reader->dataset, p, from, err));
  r->dataset = fn_buf_str(&reader->dataset);
  fn_input_options how;
  FN_TRY(fn_input_options_from(&how, p->options, err));
  r->watch.hasher = fn_hasher_create(0);
  if (!r->watch.hasher) return fn_err_no_memory(err, "the hash of a file");
  how.watch = &r->watch;
  FN_TRY(fn_input_open(&r->input, from->path, &how, err));
  r->file->format = formats[fn_input_get_format(r->input)];
  choose_columns(r);
  reader->next_file++;
  return find_columns(r, fn_input_get_format(r->input) != FN_INPUT_JSONL, err);
}

static fn_status end_file(fn_prepare_reader *reader, fn_err *err) {
  reading *r = &reader->now;
  bool lines = fn_input_get_format(r->input) == FN_INPUT_JSONL;
  if (r->file->n_rows == 0)
    return fn_err_set(err, FN_E_INVALID, "%s: no rows%s", fn_input_name(r->input),
                      lines ? "; one JSON object a line is accepted" : " after the header");
  if (lines) FN_TRY(find_columns(r, true, err));
  r->file->encoding = fn_encoding_name(fn_input_get_encoding(r->input));
  r->file->delimiter = fn_delimiter_name(fn_input_get_delimiter(r->input));
  fn_input_close(r->input);
  r->input = NULL;
  r->file->hash = fn_hasher_get128(r->watch.hasher); /* of what was read: a pipe can be read but once */
  r->file->n_bytes = r->watch.n_bytes;
  fn_hasher_destroy(r->watch.hasher);
  r->watch = (fn_source_watch){0};
  return describe_file(r->file, reader->p, r->from, err);
}

fn_status fn_prepare_reader_fill(fn_load *load, fn_prepare_reader *reader, fn_err *err) {
  load->n = 0;
  fn_buf_reset(&load->bytes);
  while (load->n < LOAD_ROWS && load->bytes.length < LOAD_BYTES) {
    bool ended = false;
    if (!reader->now.input) {
      if (reader->next_file == reader->p->request->n_inputs) return FN_OK;
      FN_TRY(open_file(reader, err));
    }
    reader->now.load = load;
    FN_TRY(read_rows(&ended, &reader->now, err));
    if (ended) FN_TRY(end_file(reader, err));
  }
  return FN_OK;
}

/* A name that no input has is a mistake. */
static fn_status check_licenses(const fn_prepared *p, fn_err *err) {
  const fn_config_map *map = &p->options->licenses;
  for (size_t i = 0; i < map->n; i++) {
    bool known = false;
    for (size_t k = 0; k < p->request->n_inputs; k++)
      known = known || strcmp(map->keys[i], fn_path_base(p->request->inputs[k].path)) == 0;
    if (!known)
      return fn_err_set(err, FN_E_INVALID, "data.licenses: no input has the file name \"%.100s\"", map->keys[i]);
  }
  return FN_OK;
}

fn_status fn_prepare_reader_create(fn_prepare_reader **reader_out, fn_prepared *p, fn_err *err) {
  size_t n = p->request->n_inputs;
  if (n == 0) return fn_err_set(err, FN_E_INVALID, "no input; at least one [LABEL:]FILE is needed");
  p->files = fn_mem_calloc(n, sizeof *p->files);
  fn_prepare_reader *reader = fn_mem_calloc(1, sizeof *reader);
  if (!p->files || !reader) {
    free(reader);
    return fn_err_no_memory(err, "the report");
  }
  p->report.files = p->files;
  p->report.n_files = n;
  reader->p = p;
  const fn_status status = check_licenses(p, err);
  if (status != FN_OK) {
    free(reader);
    return status;
  }
  *reader_out = reader;
  return FN_OK;
}

void fn_prepare_reader_destroy(fn_prepare_reader *reader) {
  if (!reader) return;
  fn_input_close(reader->now.input);
  fn_hasher_destroy(reader->now.watch.hasher);
  fn_buf_deinit(&reader->dataset);
  free(reader);
}

static fn_status no_label(const char *argument, const fn_data_options *options, fn_err *err) {
  fn_buf FN_AUTO_BUF list = {0};
  fn_label_list(&list, &options->label_map);
  const char *colon = strchr(argument, ':');
  return fn_err_set(
      err, FN_E_INVALID,
      "--input %s: there is no such file, and \"%.*s\" is no label: [LABEL:]FILE is accepted, with a label "
      "of %s",
      argument, (int)(colon - argument), argument, list.data ? list.data : "");
}

fn_status fn_prepare_parse_input(fn_prepare_input *input_out, fn_arena *arena, const char *argument,
                                 const fn_data_options *options, fn_err *err) {
  const char *colon = strchr(argument, ':'), *slash = strchr(argument, '/');
  if (!colon || (slash && slash < colon) || fn_path_exists(argument)) {
    *input_out = (fn_prepare_input){argument, FN_LABEL_UNKNOWN, NULL};
    return FN_OK;
  }
  fn_str given = fn_str_make(argument, (size_t)(colon - argument));
  int label = fn_label_parse(&(fn_config_map){0}, given);
  if (label < 0) label = fn_label_parse(&options->label_map, given);
  if (label < 0) return no_label(argument, options, err);
  char *text = fn_arena_strndup(arena, given.data, given.length);
  if (!text) return fn_err_no_memory(err, "an input's label");
  *input_out = (fn_prepare_input){colon + 1, label, text};
  return FN_OK;
}
