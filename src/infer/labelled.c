#include "infer/labelled.h"

#include "data/input.h"
#include "data/labels.h"
#include "data/select.h"
#include "eval/eval.h"

#include <stdlib.h>

enum { MAX_ROWS = 1 << 26 };

void fn_labelled_deinit(fn_labelled *l) {
  fn_arena_deinit(&l->arena);
  *l = (fn_labelled){0};
}

/* Arrays for n rows. */
static fn_status make_arrays(fn_labelled *l, size_t n, fn_err *err) {
  l->n = n;
  l->articles = fn_arena_alloc(&l->arena, n, sizeof *l->articles);
  l->labels = fn_arena_alloc(&l->arena, n, sizeof *l->labels);
  l->groups = fn_arena_alloc(&l->arena, n, sizeof *l->groups);
  l->datasets = fn_arena_alloc(&l->arena, n, sizeof *l->datasets);
  return l->articles && l->labels && l->groups && l->datasets ? FN_OK : fn_err_no_memory(err, "rows to evaluate");
}

static fn_status take_names(const char ***out, fn_labelled *l, const char *const *names, size_t n, fn_err *err) {
  const char **copies = fn_arena_alloc(&l->arena, n, sizeof *copies);
  for (size_t i = 0; copies != NULL && i < n; i++) {
    copies[i] = fn_arena_strndup(&l->arena, names[i], strlen(names[i]));
    if (copies[i] == NULL) return fn_err_no_memory(err, "names of datasets and sources");
  }
  *out = copies;
  return copies ? FN_OK : fn_err_no_memory(err, "names of datasets and sources");
}

static fn_status copy_index(fn_labelled *l, const fn_row_index *index, const fn_dataset *dataset, fn_split split,
                            fn_err *err) {
  if (index->n == 0) {
    return fn_err_set(err, FN_E_INVALID, "%s: the %s split has no rows; choose another with --split",
                      fn_dataset_dir(dataset), fn_split_name(split));
  }
  FN_TRY(make_arrays(l, index->n, err));
  FN_TRY(take_names(&l->dataset_names, l, index->dataset_names, index->n_datasets, err));
  FN_TRY(take_names(&l->group_names, l, index->source_names, index->n_sources, err));
  l->n_datasets = index->n_datasets;
  l->n_groups = index->n_sources;
  for (size_t i = 0; i < index->n; i++) {
    fn_row row;
    fn_dataset_get(&row, dataset, split, index->rows[i]);
    l->articles[i] = (fn_article){.title = row.title, .text = row.text};
    l->labels[i] = index->labels[i];
    l->groups[i] = index->source_ids[i];
    l->datasets[i] = index->dataset_ids[i];
    l->sources_known |= row.source.length > 0;
  }
  return FN_OK;
}

fn_status fn_labelled_from_dataset(fn_labelled *labelled_out, const fn_dataset *dataset, fn_split split, fn_err *err) {
  fn_row_index index;
  FN_TRY(fn_row_index_build(&index, dataset, split, NULL, err));
  fn_labelled l = {0};
  fn_arena_init(&l.arena);
  fn_status status = copy_index(&l, &index, dataset, split, err);
  fn_row_index_deinit(&index);
  if (status != FN_OK) {
    fn_labelled_deinit(&l);
    return status;
  }
  *labelled_out = l;
  return FN_OK;
}

/* ---- files ---- */

typedef struct file_row {
  fn_article article;
  fn_str source, dataset;
  int32_t label;
} file_row;

typedef struct reader {
  fn_labelled *to;
  fn_input *input;
  fn_text_mode mode;
  const fn_data_options *options;
  file_row *rows;
  size_t n, capacity;
  fn_labelled_refused refused;
  void *arg;
} reader;

/* Value of a column, "" when the row has none. */
static fn_str field(const reader *r, const fn_input_row *row, const char *column) {
  size_t i;
  if (!fn_input_find(&i, r->input, column) || i >= row->n_fields) return (fn_str){NULL, 0};
  return row->fields[i];
}

static fn_status keep(fn_str *out, reader *r, fn_str text, fn_err *err) {
  char *copy = fn_arena_strndup(&r->to->arena, text.length ? text.data : "", text.length);
  if (copy == NULL) return fn_err_no_memory(err, "rows to evaluate");
  *out = fn_str_make(copy, text.length);
  return FN_OK;
}

static void refuse(reader *r, const fn_input_row *row, const char *what) {
  char message[512];
  r->to->n_refused++;
  if (r->refused == NULL) return;
  snprintf(message, sizeof message, "%s:%llu: %s", fn_input_name(r->input), (unsigned long long)row->line, what);
  r->refused(r->arg, message);
}

static fn_status take_row(reader *r, const fn_input_row *row, fn_err *err) {
  const fn_data_options *o = r->options;
  if (row->status != FN_OK) {
    r->to->n_refused++;
    if (r->refused != NULL) r->refused(r->arg, row->message);
    return FN_OK;
  }
  fn_str value = field(r, row, o->column_label), title = field(r, row, o->column_title);
  fn_str text = field(r, row, o->column_text);
  fn_label label = fn_label_parse(&o->label_map, value);
  if (label == FN_LABEL_DROP) return FN_OK;
  if (label == FN_LABEL_UNKNOWN) {
    FN_AUTO_BUF fn_buf what;
    fn_buf_init(&what, 4096);
    fn_buf_printf(&what, "label \"%.*s\" is none of ", value.length < 60 ? (int)value.length : 60,
                  value.length ? value.data : "");
    fn_label_list(&what, &o->label_map);
    fn_buf_append_str(&what, "; say what it means with data.label_map");
    refuse(r, row, what.data ? what.data : "unknown label");
    return FN_OK;
  }
  bool has_title = r->mode != FN_TEXT_TEXT && fn_str_trim(title).length > 0;
  bool has_text = r->mode != FN_TEXT_TITLE && fn_str_trim(text).length > 0;
  if (!has_title && !has_text) {
    refuse(r, row, "nothing to classify: what the model reads is empty");
    return FN_OK;
  }
  file_row kept = {.label = label};
  FN_TRY(keep(&kept.article.title, r, title, err));
  FN_TRY(keep(&kept.article.text, r, text, err));
  FN_TRY(keep(&kept.source, r, field(r, row, o->column_source), err));
  FN_TRY(keep(&kept.dataset, r, field(r, row, o->column_dataset), err));
  void *rows = r->rows;
  FN_TRY(fn_mem_grow(&rows, &r->capacity, r->n + 1, sizeof kept, MAX_ROWS, "rows to evaluate", err));
  r->rows = rows;
  r->rows[r->n++] = kept;
  return FN_OK;
}

/* Dense numbers for the datasets, in order of first appearance. */
static fn_status number_datasets(reader *r, fn_str fallback, fn_err *err) {
  fn_labelled *l = r->to;
  FN_AUTO_FREE fn_str *names = fn_mem_calloc(r->n, sizeof *names);
  if (names == NULL) return fn_err_no_memory(err, "names of datasets");
  for (size_t i = 0; i < r->n; i++) names[i] = r->rows[i].dataset.length ? r->rows[i].dataset : fallback;
  FN_TRY(fn_groups_make(l->datasets, &l->n_datasets, names, NULL, r->n, err));
  l->dataset_names = fn_arena_alloc(&l->arena, l->n_datasets, sizeof *l->dataset_names);
  if (l->dataset_names == NULL) return fn_err_no_memory(err, "names of datasets");
  for (size_t i = r->n; i-- > 0;) {
    l->dataset_names[l->datasets[i]] = fn_arena_strndup(&l->arena, names[i].data, names[i].length);
    if (l->dataset_names[l->datasets[i]] == NULL) return fn_err_no_memory(err, "names of datasets");
  }
  return FN_OK;
}

static fn_status name_groups(fn_labelled *l, const fn_str *sources, fn_err *err) {
  l->group_names = fn_arena_alloc(&l->arena, l->n_groups, sizeof *l->group_names);
  for (size_t i = l->n; l->group_names != NULL && i-- > 0;) {
    char row[32];
    snprintf(row, sizeof row, "row %zu", i);
    fn_str name = sources[i].length > 0 ? sources[i] : fn_str_from(row);
    l->group_names[l->groups[i]] = fn_arena_strndup(&l->arena, name.data, name.length);
    if (l->group_names[l->groups[i]] == NULL) return fn_err_no_memory(err, "sources");
  }
  return l->group_names ? FN_OK : fn_err_no_memory(err, "sources");
}

static fn_status fill(reader *r, const char *path, fn_err *err) {
  fn_labelled *l = r->to;
  if (r->n == 0) {
    return fn_err_set(err, FN_E_INVALID, "%s: no row can be evaluated (%zu left out)", path, l->n_refused);
  }
  FN_TRY(make_arrays(l, r->n, err));
  FN_AUTO_FREE fn_str *sources = fn_mem_calloc(r->n, sizeof *sources);
  if (sources == NULL) return fn_err_no_memory(err, "sources");
  for (size_t i = 0; i < r->n; i++) {
    l->articles[i] = r->rows[i].article;
    l->labels[i] = r->rows[i].label;
    sources[i] = r->rows[i].source;
    l->sources_known |= sources[i].length > 0;
  }
  FN_TRY(fn_groups_make(l->groups, &l->n_groups, sources, NULL, r->n, err));
  FN_TRY(name_groups(l, sources, err));
  const char *name = r->options->dataset ? r->options->dataset : fn_path_base(path);
  return number_datasets(r, fn_str_from(name), err);
}

/* For CSV the columns are known at once; the keys of JSON lines come with the rows. */
static fn_status check_columns(const reader *r, fn_err *err) {
  const fn_data_options *o = r->options;
  size_t i;
  if (fn_input_get_format(r->input) != FN_INPUT_CSV) return FN_OK;
  FN_TRY(fn_input_require(&i, r->input, o->column_label, "data.columns.label", err));
  if (r->mode == FN_TEXT_TITLE) return fn_input_require(&i, r->input, o->column_title, "data.columns.title", err);
  if (r->mode == FN_TEXT_TITLE_TEXT && fn_input_find(&i, r->input, o->column_title)) return FN_OK;
  return fn_input_require(&i, r->input, o->column_text, "data.columns.text", err);
}

static fn_status read_all(reader *r, const char *path, fn_err *err) {
  FN_TRY(check_columns(r, err));
  for (;;) {
    fn_input_row row;
    bool more;
    FN_TRY(fn_input_next(&row, &more, r->input, err));
    if (!more) break;
    FN_TRY(take_row(r, &row, err));
  }
  return fill(r, path, err);
}

fn_status fn_labelled_from_file(fn_labelled *labelled_out, const char *path, fn_text_mode mode,
                                const fn_data_options *options, fn_labelled_refused refused, void *arg, fn_err *err) {
  FN_TRY(fn_label_map_check(&options->label_map, err));
  fn_input_options reading;
  FN_TRY(fn_input_options_from(&reading, options, err));
  fn_labelled l = {0};
  fn_arena_init(&l.arena);
  reader r = {.to = &l, .mode = mode, .options = options, .refused = refused, .arg = arg};
  fn_status status = fn_input_open(&r.input, path, &reading, err);
  if (status == FN_OK) {
    status = read_all(&r, path, err);
    l.encoding = fn_input_get_encoding(r.input);
    fn_input_close(r.input);
  }
  free(r.rows);
  if (status != FN_OK) {
    fn_labelled_deinit(&l);
    return status;
  }
  *labelled_out = l;
  return FN_OK;
}
