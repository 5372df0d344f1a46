#include "data/stats.h"

#include <stdio.h>

static void write_pair(fn_json_writer *w, const char *key, const uint64_t counts[2]) {
  fn_json_object(w, key);
  fn_json_int(w, "real", (int64_t)counts[0]);
  fn_json_int(w, "fake", (int64_t)counts[1]);
  fn_json_end(w);
}

static void write_lengths(fn_json_writer *w, const char *key, const fn_length_stats stats[FN_SPLIT_COUNT + 1]) {
  fn_json_object(w, key);
  for (int s = 0; s <= FN_SPLIT_COUNT; s++) {
    fn_json_object(w, s < FN_SPLIT_COUNT ? fn_split_name((fn_split)s) : "all");
    if (stats[s].n)
      fn_json_double(w, "mean", stats[s].mean);
    else
      fn_json_null(w, "mean");
    for (int p = 0; p < FN_STATS_PERCENTILES; p++) {
      char name[8];
      snprintf(name, sizeof name, "p%d", fn_stats_percentiles[p]);
      if (stats[s].n)
        fn_json_int(w, name, (int64_t)stats[s].at[p]);
      else
        fn_json_null(w, name);
    }
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_sources(fn_json_writer *w, const fn_stats_report *r, size_t max) {
  fn_json_object(w, "sources");
  fn_json_int(w, "n", (int64_t)r->n_sources);
  write_pair(w, "unknown", r->n_no_source);
  fn_json_array(w, "top");
  for (size_t i = 0; i < r->n_sources && i < max; i++) {
    const fn_stats_source *source = &r->sources[i];
    uint64_t n = source->n_rows[0] + source->n_rows[1];
    fn_json_object(w, NULL);
    fn_json_str(w, "name", source->name);
    fn_json_int(w, "rows", (int64_t)n);
    fn_json_double(w, "fake_share", (double)source->n_rows[1] / (double)n);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}

void fn_dataset_stats_format_json(fn_buf *out, const fn_stats_report *r, size_t max_sources) {
  char hash[33];
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_hash_format(hash, r->hash);
  fn_json_text(&w, "dataset_hash", hash);
  fn_json_object(&w, "splits");
  for (int s = 0; s < FN_SPLIT_COUNT; s++) write_pair(&w, fn_split_name((fn_split)s), r->n_rows[s]);
  fn_json_end(&w);
  fn_json_array(&w, "datasets");
  for (size_t i = 0; i < r->n_sets; i++) {
    fn_json_object(&w, NULL);
    fn_json_str(&w, "name", r->sets[i].name);
    for (int s = 0; s < FN_SPLIT_COUNT; s++) write_pair(&w, fn_split_name((fn_split)s), r->sets[i].n_rows[s]);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  write_lengths(&w, "words", r->words);
  if (r->has_tokens) {
    fn_json_str(&w, "tokenizer_hash", r->tokenizer);
    write_lengths(&w, "tokens", r->tokens);
    fn_json_object(&w, "share_longer_than");
    for (int l = 0; l < FN_STATS_LIMITS; l++) {
      char name[16];
      snprintf(name, sizeof name, "%d", fn_stats_limits[l]);
      fn_json_double(&w, name, r->over[l]);
    }
    fn_json_end(&w);
  }
  fn_json_object(&w, "near_duplicates");
  fn_json_int(&w, "clusters", (int64_t)r->n_clusters);
  fn_json_int(&w, "rows", (int64_t)r->n_cluster_rows);
  fn_json_end(&w);
  write_sources(&w, r, max_sources);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}
