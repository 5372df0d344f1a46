#include "data/prepare_json.h"

#include "data/duplicates.h"
#include "data/encoding.h"
#include "data/labels.h"

#include <math.h>

static void write_hash(fn_json_writer *w, const char *key, fn_hash128 hash) {
  char text[33];
  fn_hash_format(text, hash);
  fn_json_text(w, key, text);
}

static void write_pair(fn_json_writer *w, const char *key, const uint64_t counts[2]) {
  fn_json_object(w, key);
  fn_json_int(w, "real", (int64_t)counts[0]);
  fn_json_int(w, "fake", (int64_t)counts[1]);
  fn_json_end(w);
}

static void write_splits(fn_json_writer *w, const uint64_t counts[FN_SPLIT_COUNT][2]) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++) write_pair(w, fn_split_name((fn_split)s), counts[s]);
}

static void write_options(fn_json_writer *w, const fn_data_options *o) {
  static const char *const texts[] = {"title", "text", "title+text"};
  static const char *const formats[] = {"auto", "csv", "jsonl", "text"};
  static const char *const splits[] = {"random", "group", "given"};
  fn_json_object(w, "options");
  fn_json_text(w, "data.text", texts[o->text]);
  fn_json_text(w, "data.format", formats[o->format]);
  fn_json_text(w, "data.encoding", fn_encoding_name((fn_encoding)o->encoding));
  fn_json_text(w, "data.delimiter", o->delimiter);
  fn_json_text(w, "data.columns.title", o->column_title);
  fn_json_text(w, "data.columns.text", o->column_text);
  fn_json_text(w, "data.columns.label", o->column_label);
  fn_json_text(w, "data.columns.source", o->column_source);
  fn_json_text(w, "data.columns.dataset", o->column_dataset);
  fn_json_text(w, "data.columns.split", o->column_split);
  fn_json_text(w, "data.dataset", o->dataset);
  fn_json_object(w, "data.licenses");
  for (size_t i = 0; i < o->licenses.n; i++) fn_json_text(w, o->licenses.keys[i], o->licenses.values[i]);
  fn_json_end(w);
  fn_json_object(w, "data.label_map");
  for (size_t i = 0; i < o->label_map.n; i++) fn_json_text(w, o->label_map.keys[i], o->label_map.values[i]);
  fn_json_end(w);
  fn_json_text(w, "data.rules", o->rules);
  fn_json_double(w, "data.near_duplicates", o->near_duplicates);
  fn_json_text(w, "data.split", splits[o->split]);
  fn_json_array(w, "data.fractions");
  for (size_t i = 0; i < o->fractions.n; i++) {
    double share;
    fn_json_double(w, NULL, fn_str_to_double(&share, fn_str_from(o->fractions.items[i])) ? share : (double)NAN);
  }
  fn_json_end(w);
  fn_json_int(w, "data.seed", o->seed);
  fn_json_text(w, "data.group", o->group);
  fn_json_end(w);
}

static void write_inputs(fn_json_writer *w, const fn_prepare_report *r) {
  fn_json_array(w, "inputs");
  for (size_t i = 0; i < r->n_files; i++) {
    const fn_prepare_file *f = &r->files[i];
    fn_json_object(w, NULL);
    fn_json_text(w, "file", f->name);
    fn_json_text(w, "label", f->label);
    fn_json_text(w, "format", f->format);
    fn_json_text(w, "encoding", f->encoding);
    if (f->delimiter) fn_json_text(w, "delimiter", f->delimiter);
    fn_json_int(w, "bytes", (int64_t)f->n_bytes);
    write_hash(w, "xxh3_128", f->hash);
    fn_json_int(w, "rows", (int64_t)f->n_rows);
    if (f->source) fn_json_text(w, "source", f->source);
    fn_json_text(w, "license", f->license ? f->license : "unknown");
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_rows(fn_json_writer *w, const fn_prepare_report *r) {
  fn_json_object(w, "rows");
  fn_json_int(w, "read", (int64_t)r->n_read);
  fn_json_int(w, "kept", (int64_t)r->n_kept);
  fn_json_object(w, "dropped");
  for (int d = 0; d < FN_DROP_COUNT; d++) {
    fn_json_object(w, fn_drop_name((fn_drop)d));
    fn_json_int(w, "rows", (int64_t)r->dropped[d]);
    fn_json_int(w, "real", (int64_t)r->dropped_by_label[d][0]);
    fn_json_int(w, "fake", (int64_t)r->dropped_by_label[d][1]);
    fn_json_end(w);
  }
  fn_json_end(w);
  write_pair(w, "kept_without_title", r->n_no_title);
  write_pair(w, "kept_without_text", r->n_no_text);
  fn_json_end(w);
}

static void write_labels(fn_json_writer *w, const fn_prepare_report *r) {
  fn_json_array(w, "labels");
  for (size_t i = 0; i < r->n_values; i++) {
    fn_json_object(w, NULL);
    fn_json_str(w, "value", r->values[i].value);
    fn_json_text(w, "label", fn_label_name(r->values[i].label));
    fn_json_int(w, "rows", (int64_t)r->values[i].n_rows);
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_rules(fn_json_writer *w, const fn_prepare_report *r) {
  fn_json_object(w, "rules");
  write_hash(w, "xxh3_128", r->rules_hash);
  fn_json_array(w, "rows_cut");
  for (size_t i = 0; i < r->n_rules; i++) {
    fn_json_object(w, NULL);
    fn_json_text(w, "name", r->rules[i].name);
    fn_json_int(w, "real", (int64_t)r->rules[i].n_rows[0]);
    fn_json_int(w, "fake", (int64_t)r->rules[i].n_rows[1]);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}

static void write_duplicates(fn_json_writer *w, const fn_data_options *o, const fn_prepare_report *r) {
  fn_json_object(w, "duplicates");
  fn_json_int(w, "exact_groups", (int64_t)r->n_exact_groups);
  fn_json_int(w, "near_clusters", (int64_t)r->n_near_clusters);
  fn_json_int(w, "near_texts", (int64_t)r->n_near_rows);
  fn_json_int(w, "near_largest", (int64_t)r->n_near_largest);
  if (!isnan(o->near_duplicates)) {
    fn_minhash_bands bands = fn_minhash_choose(o->near_duplicates);
    fn_json_object(w, "method");
    fn_json_int(w, "shingle_words", FN_SHINGLE_WORDS);
    fn_json_int(w, "bins", FN_MINHASH_BINS);
    fn_json_int(w, "bands", bands.n_bands);
    fn_json_int(w, "rows_per_band", bands.rows);
    fn_json_int(w, "pairs_compared", (int64_t)r->n_near_candidates);
    fn_json_int(w, "pairs_joined", (int64_t)r->n_near_pairs);
    fn_json_int(w, "pairs_not_compared", (int64_t)r->n_near_skipped);
    fn_json_end(w);
  }
  fn_json_end(w);
}

void fn_prepare_format_json(fn_buf *out, const char *version, const fn_data_options *options,
                            const fn_prepare_report *r) {
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "format", FN_PREPARE_FORMAT);
  fn_json_text(&w, "program", version);
  write_hash(&w, "dataset_hash", r->dataset_hash);
  write_options(&w, options);
  write_inputs(&w, r);
  write_rows(&w, r);
  write_labels(&w, r);
  write_rules(&w, r);
  write_duplicates(&w, options, r);
  fn_json_object(&w, "splits");
  write_splits(&w, r->n_split);
  if (r->n_groups) fn_json_int(&w, "groups", (int64_t)r->n_groups);
  fn_json_end(&w);
  fn_json_array(&w, "datasets");
  for (size_t i = 0; i < r->n_sets; i++) {
    fn_json_object(&w, NULL);
    fn_json_str(&w, "name", r->sets[i].name);
    write_splits(&w, r->sets[i].n_rows);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}
