#include "audit/audit.h"

#include <stdio.h>

static void write_pair(fn_json_writer *w, const char *key, const uint64_t n[2]) {
  fn_json_object(w, key);
  fn_json_int(w, "real", (int64_t)n[0]);
  fn_json_int(w, "fake", (int64_t)n[1]);
  fn_json_end(w);
}

static void write_interval(fn_json_writer *w, double low, double high) {
  fn_json_array(w, "interval");
  fn_json_double(w, NULL, low);
  fn_json_double(w, NULL, high);
  fn_json_end(w);
}

static void write_probe(fn_json_writer *w, const fn_audit_probe *p) {
  bool is_rule = p->kind == FN_AUDIT_WORD || p->kind == FN_AUDIT_STYLE;
  fn_json_object(w, NULL);
  fn_json_text(w, "kind", fn_audit_kind_name(p->kind));
  fn_json_text(w, "field", fn_audit_field_name(p->field));
  fn_json_str(w, "name", p->name);
  if (p->kind == FN_AUDIT_STYLE) {
    fn_json_text(w, "unit", p->unit);
    fn_json_double(w, "threshold", p->threshold);
  }
  if (is_rule) fn_json_text(w, "says", p->side ? "fake" : "real");
  fn_json_double(w, "coverage", p->coverage);
  if (is_rule) fn_json_double(w, "train_balanced_accuracy", p->train);
  fn_json_double(w, "balanced_accuracy", p->balanced_accuracy);
  write_interval(w, p->low, p->high);
  fn_json_double(w, "accuracy", p->accuracy);
  fn_json_double(w, "auc", p->auc);
  fn_json_bool(w, "found", p->is_found);
  if (p->folded_into >= 0)
    fn_json_int(w, "folded_into", p->folded_into);
  else
    fn_json_null(w, "folded_into");
  fn_json_array(w, "with");
  for (size_t i = 0; i < p->n_with; i++) fn_json_str(w, NULL, p->with[i]);
  fn_json_end(w);
  fn_json_end(w);
}

static void write_models(fn_json_writer *w, const fn_audit_report *r) {
  fn_json_array(w, "models");
  for (size_t i = 0; i < r->n_models; i++) {
    const fn_audit_model *m = &r->models[i];
    fn_json_object(w, NULL);
    fn_json_text(w, "features", m->name);
    fn_json_int(w, "removed", (int64_t)m->removed);
    fn_json_int(w, "n_features", (int64_t)m->n_features);
    fn_json_double(w, "accuracy", m->accuracy);
    write_interval(w, m->low, m->high);
    fn_json_double(w, "balanced_accuracy", m->balanced_accuracy);
    fn_json_double(w, "auc", m->auc);
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_shared(fn_json_writer *w, const char *key, const fn_audit_shared shared[FN_AUDIT_N_SHARES],
                         uint64_t n_rows) {
  fn_json_object(w, key);
  fn_json_int(w, "rows", (int64_t)n_rows);
  for (int s = 0; s < FN_AUDIT_N_SHARES; s++) {
    fn_json_object(w, fn_audit_share_name((fn_audit_share)s));
    fn_json_int(w, "rows_that_have_one", (int64_t)shared[s].n);
    fn_json_int(w, "found", (int64_t)shared[s].n_hit);
    fn_json_int(w, "with_the_same_label", (int64_t)shared[s].n_same_label);
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_overlap(fn_json_writer *w, const fn_audit_report *r) {
  fn_json_object(w, "overlap");
  write_shared(w, "validation_in_train", r->shared[FN_SPLIT_VALIDATION], r->n_drawn[FN_SPLIT_VALIDATION]);
  write_shared(w, "test_in_train", r->shared[FN_SPLIT_TEST], r->n_drawn[FN_SPLIT_TEST]);
  write_shared(w, "test_in_validation", r->between, r->n_drawn[FN_SPLIT_TEST]);
  fn_json_array(w, "sentences");
  for (size_t i = 0; i < r->n_sentences; i++) {
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->sentences[i].hash);
    fn_json_object(w, NULL);
    fn_json_text(w, "hash", hash);
    fn_json_int(w, "words", (int64_t)r->sentences[i].n_words);
    write_pair(w, "in_train", r->sentences[i].n_train);
    fn_json_str(w, "begin", r->sentences[i].begin);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}

static void write_rows(fn_json_writer *w, const fn_audit_report *r) {
  fn_json_object(w, "rows");
  for (int s = 0; s < FN_SPLIT_COUNT; s++) write_pair(w, fn_split_name((fn_split)s), r->n_rows[s]);
  fn_json_end(w);
  fn_json_object(w, "rows_read");
  for (int s = 0; s < FN_SPLIT_COUNT; s++) fn_json_int(w, fn_split_name((fn_split)s), (int64_t)r->n_drawn[s]);
  fn_json_end(w);
  fn_json_text(w, "judged_on", fn_split_name(r->judged_on));
  write_pair(w, "rows_judged", r->n_judged);
  fn_json_double(w, "majority_accuracy", r->majority);
}

static void write_sources(fn_json_writer *w, const fn_audit_report *r) {
  fn_json_object(w, "sources");
  fn_json_int(w, "n", (int64_t)r->n_sources);
  fn_json_int(w, "in_both_classes", (int64_t)r->n_sources_both_classes);
  fn_json_int(w, "in_both_splits", (int64_t)r->n_sources_both_splits);
  fn_json_int(w, "rows_with_source", (int64_t)r->n_rows_with_source);
  fn_json_int(w, "rows_of_one_class_sources", (int64_t)r->n_rows_one_class_source);
  fn_json_int(w, "datasets", (int64_t)r->n_datasets);
  fn_json_end(w);
}

void fn_audit_format_json(fn_buf *out, const fn_audit_report *r) {
  char hash[33];
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "format", FN_AUDIT_FORMAT);
  fn_hash_format(hash, r->dataset_hash);
  fn_json_text(&w, "dataset_hash", hash);
  fn_json_text(&w, "level", fn_audit_level_name(r->level));
  fn_json_text(&w, "verdict", r->verdict);
  fn_json_array(&w, "findings");
  for (size_t i = 0; i < r->n_findings; i++) {
    fn_json_object(&w, NULL);
    fn_json_text(&w, "level", fn_audit_level_name(r->findings[i].level));
    fn_json_text(&w, "code", r->findings[i].code);
    fn_json_text(&w, "text", r->findings[i].text);
    fn_json_text(&w, "try", r->findings[i].setting);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_double(&w, "worst_probe", r->worst);
  write_rows(&w, r);
  fn_json_int(&w, "words", (int64_t)r->n_words);
  fn_json_array(&w, "probes");
  for (size_t i = 0; i < r->n_probes; i++) write_probe(&w, &r->probes[i]);
  fn_json_end(&w);
  write_models(&w, r);
  write_sources(&w, r);
  write_overlap(&w, r);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}
