#include "data/schema.h"

const fn_arrow_field fn_columns[FN_COLUMN_COUNT] = {
    {"title", FN_ARROW_UTF8},    {"text", FN_ARROW_UTF8},   {"label", FN_ARROW_INT64},
    {"dataset", FN_ARROW_UTF8},  {"source", FN_ARROW_UTF8}, {"split", FN_ARROW_UTF8},
    {"cluster", FN_ARROW_INT64}, {"row", FN_ARROW_INT64},   {"hash", FN_ARROW_UTF8},
};

const char *fn_split_name(fn_split split) {
  static const char *const names[FN_SPLIT_COUNT] = {"train", "validation", "test"};
  return split >= 0 && split < FN_SPLIT_COUNT ? names[split] : "unknown";
}

void fn_schema_format_features(fn_json_writer *json, const char *key) {
  fn_json_object(json, key);
  for (size_t c = 0; c < FN_COLUMN_COUNT; c++) {
    fn_json_object(json, fn_columns[c].name);
    if (c == FN_COLUMN_LABEL) {
      fn_json_array(json, "names");
      fn_json_text(json, NULL, "real");
      fn_json_text(json, NULL, "fake");
      fn_json_end(json);
      fn_json_text(json, "_type", "ClassLabel");
    } else {
      fn_json_text(json, "dtype", fn_columns[c].type == FN_ARROW_INT64 ? "int64" : "string");
      fn_json_text(json, "_type", "Value");
    }
    fn_json_end(json);
  }
  fn_json_end(json);
}

fn_hash128 fn_row_hash_chain(fn_hash128 before, const fn_row *row) {
  const fn_str texts[] = {row->title, row->text, row->dataset, row->source, row->hash};
  uint64_t link[2 + 2 * FN_COUNT_OF(texts) + 3] = {before.high, before.low};
  size_t n = 2;
  for (size_t i = 0; i < FN_COUNT_OF(texts); i++) {
    fn_hash128 hash = fn_hash_bytes(texts[i].data, texts[i].length);
    link[n++] = hash.high;
    link[n++] = hash.low;
  }
  link[n++] = (uint64_t)row->label;
  link[n++] = (uint64_t)row->cluster;
  link[n++] = (uint64_t)row->row;
  return fn_hash_bytes(link, sizeof link);
}

fn_hash128 fn_row_hash_combine(const fn_hash128 chains[FN_SPLIT_COUNT], const size_t n_rows[FN_SPLIT_COUNT]) {
  uint64_t parts[3 * FN_SPLIT_COUNT];
  size_t n = 0;
  for (size_t s = 0; s < FN_SPLIT_COUNT; s++) {
    parts[n++] = n_rows[s];
    parts[n++] = chains[s].high;
    parts[n++] = chains[s].low;
  }
  return fn_hash_bytes(parts, sizeof parts);
}
