#include "data/dataset_writer.h"

#include "data/schema.h"

#include <stdlib.h>

struct fn_dataset_writer {
  char *dir;
  fn_arrow_writer *arrow[FN_SPLIT_COUNT];
  size_t n_rows[FN_SPLIT_COUNT];
  fn_hash128 chains[FN_SPLIT_COUNT];
};

/* DIR/<split>/name, or DIR/name when split is FN_SPLIT_COUNT. malloc'd. */
static char *make_path(const fn_dataset_writer *writer, fn_split split, const char *name) {
  if (split == FN_SPLIT_COUNT) return fn_path_join(writer->dir, name);
  FN_AUTO_FREE char *dir = fn_path_join(writer->dir, fn_split_name(split));
  return dir ? fn_path_join(dir, name) : NULL;
}

static fn_status open_split(fn_dataset_writer *writer, fn_split split, fn_str metadata, fn_err *err) {
  FN_AUTO_FREE char *dir = fn_path_join(writer->dir, fn_split_name(split));
  FN_AUTO_FREE char *path = make_path(writer, split, FN_ARROW_SHARD);
  if (!dir || !path) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(dir, err));
  return fn_arrow_writer_create(&writer->arrow[split], path, fn_columns, FN_COLUMN_COUNT, "huggingface", metadata, err);
}

fn_status fn_dataset_writer_create(fn_dataset_writer **writer_out, const char *dir, fn_err *err) {
  fn_dataset_writer *writer = fn_mem_calloc(1, sizeof *writer);
  if (writer) writer->dir = fn_str_dup(fn_str_from(dir));
  if (!writer || !writer->dir) {
    fn_dataset_writer_destroy(writer);
    return fn_err_no_memory(err, "a dataset writer");
  }
  FN_AUTO_BUF fn_buf metadata;
  fn_buf_init(&metadata, 1 << 16);
  fn_json_writer json;
  fn_json_begin(&json, &metadata, 0);
  fn_json_object(&json, NULL);
  fn_json_object(&json, "info");
  fn_schema_format_features(&json, "features");
  fn_json_end(&json);
  fn_json_end(&json);
  fn_status status = fn_buf_check(&metadata, "the metadata of a dataset", err);
  for (int s = 0; s < FN_SPLIT_COUNT && status == FN_OK; s++)
    status = open_split(writer, (fn_split)s, fn_buf_str(&metadata), err);
  if (status != FN_OK) {
    fn_dataset_writer_destroy(writer);
    return status;
  }
  *writer_out = writer;
  return FN_OK;
}

static bool is_hexadecimal(fn_str s) {
  for (size_t i = 0; i < s.length; i++)
    if (!((s.data[i] >= '0' && s.data[i] <= '9') || (s.data[i] >= 'a' && s.data[i] <= 'f'))) return false;
  return true;
}

static fn_status check_row(const fn_dataset_writer *writer, fn_split split, const fn_row *row, fn_err *err) {
  const struct {
    const char *name;
    fn_str text;
  } texts[] = {{"title", row->title}, {"text", row->text}, {"dataset", row->dataset}, {"source", row->source}};
  const char *wrong = NULL;
  for (size_t i = 0; i < FN_COUNT_OF(texts); i++) {
    size_t at;
    if (texts[i].text.length > FN_ARROW_MAX_TEXT)
      return fn_err_set(err, FN_E_LIMIT, "%s: row %zu of %s: %s has %zu bytes; at most %d are accepted", writer->dir,
                        writer->n_rows[split], fn_split_name(split), texts[i].name, texts[i].text.length,
                        FN_ARROW_MAX_TEXT);
    if (!fn_utf8_valid(texts[i].text, &at))
      return fn_err_set(err, FN_E_INVALID, "%s: row %zu of %s: %s is not UTF-8 at byte %zu", writer->dir,
                        writer->n_rows[split], fn_split_name(split), texts[i].name, at);
  }
  if (row->label != 0 && row->label != 1) wrong = "label must be 0 or 1";
  if (row->cluster < 0) wrong = "cluster must be 0 or more";
  if (row->row < 0) wrong = "row must be 0 or more";
  if (row->hash.length != FN_ROW_HASH_LENGTH || !is_hexadecimal(row->hash))
    wrong = "hash must have 32 lower-case hexadecimal digits";
  if (wrong)
    return fn_err_set(err, FN_E_INVALID, "%s: row %zu of %s: %s", writer->dir, writer->n_rows[split],
                      fn_split_name(split), wrong);
  return FN_OK;
}

fn_status fn_dataset_writer_append(fn_dataset_writer *writer, fn_split split, const fn_row *row, fn_err *err) {
  FN_TRY(check_row(writer, split, row, err));
  const fn_arrow_value values[FN_COLUMN_COUNT] = {
      [FN_COLUMN_TITLE].text = row->title,       [FN_COLUMN_TEXT].text = row->text,
      [FN_COLUMN_LABEL].number = row->label,     [FN_COLUMN_DATASET].text = row->dataset,
      [FN_COLUMN_SOURCE].text = row->source,     [FN_COLUMN_SPLIT].text = fn_str_from(fn_split_name(split)),
      [FN_COLUMN_CLUSTER].number = row->cluster, [FN_COLUMN_ROW].number = row->row,
      [FN_COLUMN_HASH].text = row->hash,
  };
  FN_TRY(fn_arrow_writer_append(writer->arrow[split], values, err));
  writer->chains[split] = fn_row_hash_chain(writer->chains[split], row);
  writer->n_rows[split]++;
  return FN_OK;
}

static fn_status save_json(const fn_dataset_writer *writer, fn_split split, const char *name, const fn_buf *text,
                           fn_err *err) {
  FN_TRY(fn_buf_check(text, name, err));
  FN_AUTO_FREE char *path = make_path(writer, split, name);
  if (!path) return fn_err_no_memory(err, "a path");
  return fn_file_write(path, text->data, text->length, err);
}

static fn_status save_info(const fn_dataset_writer *writer, fn_split split, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 16);
  fn_json_writer json;
  fn_json_begin(&json, &text, 2);
  fn_json_object(&json, NULL);
  fn_json_text(&json, "citation", "");
  fn_json_text(&json, "description", "");
  fn_schema_format_features(&json, "features");
  fn_json_text(&json, "homepage", "");
  fn_json_text(&json, "license", "");
  fn_json_end(&json);
  return save_json(writer, split, "dataset_info.json", &text, err);
}

/* The fingerprint names the content: `datasets` keys what it derives from a split by it. */
static fn_status save_state(const fn_dataset_writer *writer, fn_split split, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 16);
  uint64_t content[4] = {(uint64_t)split, writer->n_rows[split], writer->chains[split].high, writer->chains[split].low};
  char fingerprint[33];
  fn_hash_format(fingerprint, fn_hash_bytes(content, sizeof content));
  fn_json_writer json;
  fn_json_begin(&json, &text, 2);
  fn_json_object(&json, NULL);
  fn_json_array(&json, "_data_files");
  fn_json_object(&json, NULL);
  fn_json_text(&json, "filename", FN_ARROW_SHARD);
  fn_json_end(&json);
  fn_json_end(&json);
  fn_json_str(&json, "_fingerprint", fn_str_make(fingerprint, 16));
  fn_json_null(&json, "_format_columns");
  fn_json_object(&json, "_format_kwargs");
  fn_json_end(&json);
  fn_json_null(&json, "_format_type");
  fn_json_bool(&json, "_output_all_columns", false);
  fn_json_text(&json, "_split", fn_split_name(split));
  fn_json_end(&json);
  return save_json(writer, split, "state.json", &text, err);
}

fn_status fn_dataset_writer_finish(fn_dataset_writer *writer, fn_hash128 *hash_out, fn_err *err) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    FN_TRY(fn_arrow_writer_finish(writer->arrow[s], err));
    FN_TRY(save_info(writer, (fn_split)s, err));
    FN_TRY(save_state(writer, (fn_split)s, err));
  }
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 16);
  fn_json_writer json;
  fn_json_begin(&json, &text, 0);
  fn_json_object(&json, NULL);
  fn_json_array(&json, "splits");
  for (int s = 0; s < FN_SPLIT_COUNT; s++) fn_json_text(&json, NULL, fn_split_name((fn_split)s));
  fn_json_end(&json);
  fn_json_end(&json);
  FN_TRY(save_json(writer, FN_SPLIT_COUNT, "dataset_dict.json", &text, err));
  if (hash_out) *hash_out = fn_row_hash_combine(writer->chains, writer->n_rows);
  return FN_OK;
}

void fn_dataset_writer_destroy(fn_dataset_writer *writer) {
  if (!writer) return;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) fn_arrow_writer_destroy(writer->arrow[s]);
  free(writer->dir);
  free(writer);
}
