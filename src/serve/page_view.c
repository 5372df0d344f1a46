#include "serve/page_view.h"

#include "serve/page.h"

#include <math.h>

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "";
}

static void write_percent(fn_json_writer *w, const char *key, double share) {
  char text[32];
  snprintf(text, sizeof text, "%.0f %%", isnan(share) ? 0 : 100 * share);
  fn_json_text(w, key, isnan(share) ? "–" : text);
}

void fn_page_frequency(int *count, int *of, double p) {
  for (*of = 100; *of < 10000; *of *= 10) {
    *count = (int)lround(p * *of);
    if (*count > 0 && *count < *of) return;
  }
  *count = (int)lround(p * *of);
  if (*count < 1) *count = 1;
  if (*count >= *of) *count = *of - 1;
}

/* 1 in n, for a part of at most a half. */
static long one_in(double part) {
  return lround(fmin(1 / part, 999999));
}

const char *fn_page_share(char buffer[48], double share) {
  const long n = one_in(share <= 0.5 ? share : 1 - share), k = share <= 0.5 ? 1 : n - 1;
  if (n >= 1000 && k >= 1000)
    snprintf(buffer, 48, "%ld,%03ld in %ld,%03ld", k / 1000, k % 1000, n / 1000, n % 1000);
  else if (n >= 1000)
    snprintf(buffer, 48, "%ld in %ld,%03ld", k, n / 1000, n % 1000);
  else
    snprintf(buffer, 48, "%ld in %ld", k, n);
  return buffer;
}

bool fn_page_is_link(fn_str text) {
  text = fn_str_trim(text);
  bool is_address =
      fn_str_starts_with(text, "http://") || fn_str_starts_with(text, "https://") || fn_str_starts_with(text, "www.");
  for (size_t i = 0; i < text.length; i++)
    if (strchr(" \t\r\n", text.data[i]) != NULL) return false;
  return is_address;
}

static void write_option(fn_json_writer *w, double share, double chosen) {
  char words[48], value[32];
  snprintf(value, sizeof value, "%.6g", share);
  fn_json_object(w, NULL);
  fn_json_text(w, "value", value);
  fn_json_text(w, "words", fn_page_share(words, share));
  fn_json_bool(w, "chosen", fabs(share - chosen) < 1e-6);
  fn_json_end(w);
}

void fn_page_view_priors(fn_json_writer *w, double prior) {
  static const double shares[] = {0.9, 0.75, 2.0 / 3, 0.5, 1.0 / 3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001};
  enum { N = sizeof shares / sizeof *shares };
  if (!(prior > 0 && prior < 1)) prior = 0.5;
  fn_json_array(w, "prior_options");
  for (size_t i = 0; i < N; i++) {
    bool is_between = prior < shares[i == 0 ? 0 : i - 1] - 1e-6 && prior > shares[i] + 1e-6;
    if (is_between || (i == 0 && prior > shares[0] + 1e-6)) write_option(w, prior, prior);
    write_option(w, shares[i], prior);
  }
  if (prior < shares[N - 1] - 1e-6) write_option(w, prior, prior);
  fn_json_end(w);
}

/* Whether and how long texts are kept. */
static void write_privacy(fn_json_writer *w, const json_t *model) {
  const json_t *log = json_object_get(model, "log");
  const char *kept = text_of(log, "text");
  bool is_kept = json_is_true(json_object_get(log, "enabled"));
  double days = fn_json_number(log, "keep_days");
  char term[64] = "for as long as the operator wants";
  if (days > 0) snprintf(term, sizeof term, "for %.0f day%s", days, days > 1.5 ? "s" : "");
  fn_json_object(w, "privacy");
  fn_json_bool(w, "unknown", !json_is_object(log));
  fn_json_bool(w, "nothing", json_is_object(log) && !is_kept);
  fn_json_bool(w, "hash", is_kept && strcmp(kept, "hash") == 0);
  fn_json_bool(w, "full", is_kept && strcmp(kept, "full") == 0);
  fn_json_bool(w, "none", is_kept && strcmp(kept, "none") == 0);
  fn_json_text(w, "term", term);
  fn_json_end(w);
}

static void write_files(fn_json_writer *w) {
  static const char *const names[] = {"page.css", "page.js", "lists.js", "table.js", "csv.js", "icon.svg"};
  static const char *const keys[] = {"page_css", "page_js", "lists_js", "table_js", "csv_js", "icon_svg"};
  fn_json_object(w, "version");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char version[17];
    fn_page_file_version(version, fn_page_file(names[i]));
    fn_json_text(w, keys[i], version);
  }
  fn_json_end(w);
}

double fn_page_prior(const json_t *model) {
  return fn_json_number(json_object_get(model, "calibration"), "prior");
}

void fn_page_view_frame(fn_json_writer *w, const fn_page_frame *frame) {
  static const struct {
    const char *name, *path, *label;
  } pages[] = {{"check", "", "Text"},
               {"table", "table", "Table"},
               {"disputed", "disputed", "Disputed"},
               {"history", "history", "History"},
               {"card", "card", "Model"},
               {"docs", "docs", "API"}};
  char address[64];
  fn_json_text(w, "root", frame->root);
  fn_json_text(w, "title", frame->title);
  fn_json_text(w, "page", frame->name);
  fn_json_array(w, "pages");
  for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
    if (!frame->can_remark && strcmp(pages[i].name, "disputed") == 0) continue;
    snprintf(address, sizeof address, "%s%s", frame->root, pages[i].path);
    fn_json_object(w, NULL);
    fn_json_text(w, "address", address);
    fn_json_text(w, "label", pages[i].label);
    fn_json_bool(w, "is_current", strcmp(pages[i].name, frame->name) == 0);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_text(w, "csrf", frame->csrf);
  fn_json_bool(w, "keys_used", frame->keys_used);
  fn_json_bool(w, "is_signed_in", frame->is_signed_in);
  fn_json_bool(w, "wants_key", frame->keys_used && !frame->is_signed_in);
  fn_json_bool(w, "is_sign_in", strcmp(frame->name, "signin") == 0);
  fn_json_bool(w, "can_remark", frame->can_remark);
  fn_json_text(w, "model_id", text_of(frame->model, "id"));
  fn_json_double(w, "model_prior", fn_page_prior(frame->model));
  fn_json_int(w, "max_items", frame->max_items);
  fn_json_int(w, "max_body", frame->max_body);
  write_privacy(w, frame->model);
  write_files(w);
}

/* "not_to_be_used_for" → "Not to be used for". */
static void write_label(fn_json_writer *w, const char *key, const char *name) {
  FN_AUTO_BUF fn_buf label;
  fn_buf_init(&label, 1024);
  for (const char *c = name; *c != 0; c++) {
    char letter = *c == '_' ? ' ' : *c;
    if (strncmp(c, "auc", 3) == 0 && (c == name || c[-1] == '_') && (c[3] == 0 || c[3] == '_')) {
      fn_buf_append_str(&label, "AUC");
      c += 2;
      continue;
    }
    if (c == name && letter >= 'a' && letter <= 'z') letter = (char)(letter - 'a' + 'A');
    fn_buf_append_char(&label, letter);
  }
  fn_json_str(w, key, fn_buf_str(&label));
}

static void append_number(fn_buf *out, const json_t *value) {
  const double real = json_number_value(value);
  if (json_is_real(value) && real > -1e4 && real < 1e4) {
    fn_buf_printf(out, "%.4g", real); /* a figure to read; v1/model has all its digits */
  } else if (json_is_real(value)) {
    fn_buf_append_double(out, real);
  } else {
    const long long n = json_integer_value(value);
    if (n >= 10000 && n < 1000000)
      fn_buf_printf(out, "%lld,%03lld", n / 1000, n % 1000);
    else
      fn_buf_printf(out, "%lld", n);
  }
}

/* depth: of the objects around it; below the first their members stand in brackets. */
static void append_nested(fn_buf *out, const json_t *value,
                          int depth) { /* NOLINT(misc-no-recursion): a card is shallow */
  const char *key = NULL;
  json_t *member = NULL;
  if (json_is_string(value)) {
    fn_buf_append(out, json_string_value(value), json_string_length(value));
  } else if (json_is_number(value)) {
    append_number(out, value);
  } else if (json_is_boolean(value)) {
    fn_buf_append_str(out, json_is_true(value) ? "yes" : "no");
  } else if (json_is_object(value) && json_object_size(value) > 0) {
    const char *between = "";
    if (depth > 0) fn_buf_append_char(out, '(');
    json_object_foreach((json_t *)(uintptr_t)value, key, member) { /* jansson's macro takes no const; nothing changes */
      fn_buf_printf(out, "%s%s ", between, key);
      append_nested(out, member, depth + 1);
      between = depth > 0 ? ", " : "; ";
    }
    if (depth > 0) fn_buf_append_char(out, ')');
  } else if (json_is_array(value) && json_array_size(value) > 0) {
    for (size_t i = 0; i < json_array_size(value); i++) {
      if (i > 0) fn_buf_append_str(out, depth > 0 ? " / " : ", ");
      append_nested(out, json_array_get(value, i), depth);
    }
  } else {
    fn_buf_append_str(out, "–");
  }
}

static void append_plain(fn_buf *out, const json_t *value) {
  append_nested(out, value, 0);
}

static void write_plain(fn_json_writer *w, const char *key, const json_t *value) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  append_plain(&text, value);
  fn_json_str(w, key, fn_buf_str(&text));
}

/* "2026-11-26T17:40:01Z" → "2026-11-26 17:40:01 UTC"; anything else as it is. */
static void write_time(fn_json_writer *w, const char *key, const char *time) {
  char words[48];
  snprintf(words, sizeof words, "%s", time);
  if (strlen(time) == 20 && time[10] == 'T' && time[19] == 'Z')
    snprintf(words, sizeof words, "%.10s %.8s UTC", time, time + 11);
  fn_json_text(w, key, words);
}

static void write_cells(fn_json_writer *w, const json_t *value) {
  fn_json_array(w, "cells");
  if (json_is_array(value)) {
    for (size_t i = 0; i < json_array_size(value); i++) write_plain(w, NULL, json_array_get(value, i));
  } else {
    write_plain(w, NULL, value);
  }
  fn_json_end(w);
}

/* One entry of a card: a text, a list, or a table whose columns may have names. */
static void write_entry(fn_json_writer *w, const char *name, const json_t *value) {
  bool is_table = json_is_object(value);
  fn_json_object(w, NULL);
  write_label(w, "name", name);
  if (is_table || json_is_array(value))
    fn_json_null(w, "text");
  else
    write_plain(w, "text", value);
  fn_json_array(w, "items");
  for (size_t i = 0; i < json_array_size(value); i++) write_plain(w, NULL, json_array_get(value, i));
  fn_json_end(w);
  const json_t *columns = json_object_get(value, "columns");
  fn_json_array(w, "columns");
  for (size_t i = 0; i < json_array_size(columns); i++) write_plain(w, NULL, json_array_get(columns, i));
  fn_json_end(w);
  fn_json_array(w, "rows");
  const char *key = NULL;
  json_t *row = NULL;
  json_object_foreach((json_t *)(uintptr_t)value, key, row) { /* as above */
    if (strcmp(key, "columns") == 0) continue;
    fn_json_object(w, NULL);
    fn_json_text(w, "name", key);
    write_cells(w, row);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_bool(w, "has_items", json_array_size(value) > 0);
  fn_json_bool(w, "has_columns", json_array_size(columns) > 0);
  fn_json_bool(w, "is_table", is_table);
  fn_json_end(w);
}

static void write_calibration(fn_json_writer *w, const json_t *calibration) {
  const json_t *sets = json_object_get(calibration, "sets");
  fn_json_text(w, "grouped_by", text_of(calibration, "grouped_by"));
  fn_json_array(w, "sets");
  for (size_t i = 0; i < json_array_size(sets); i++) {
    const json_t *set = json_array_get(sets, i);
    const json_t *reached = json_object_get(set, "target_reached");
    fn_json_object(w, NULL);
    fn_json_text(w, "part", text_of(set, "part"));
    fn_json_text(w, "input", text_of(set, "input"));
    write_plain(w, "rows", json_object_get(set, "rows"));
    write_percent(w, "from", fn_json_number(set, "unsure_below"));
    write_percent(w, "coverage", fn_json_number(set, "coverage"));
    write_percent(w, "right", fn_json_number(set, "accuracy"));
    write_percent(w, "error", fn_json_number(json_object_get(set, "after"), "ece"));
    write_percent(w, "target", fn_json_number(set, "target"));
    fn_json_text(w, "reached", json_is_true(reached) ? "reached" : json_is_false(reached) ? "missed" : "–");
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_bool(w, "has_sets", json_array_size(sets) > 0);
}

/* What a registry calls the model: its name, version and alias; nothing for a file or a directory. */
static void write_registered(fn_json_writer *w, const json_t *registry) {
  const char *alias = text_of(registry, "alias");
  fn_json_text(w, "registered", json_is_object(registry) ? text_of(registry, "name") : NULL);
  write_plain(w, "registered_version", json_object_get(registry, "version"));
  fn_json_text(w, "registered_alias", alias && *alias ? alias : NULL);
}

void fn_page_view_card(fn_json_writer *w, const json_t *model) {
  const json_t *card = json_object_get(model, "card");
  const json_t *labels = json_object_get(model, "labels");
  fn_json_object(w, "card");
  fn_json_text(w, "id", text_of(model, "id"));
  write_registered(w, json_object_get(model, "registry"));
  fn_json_text(w, "checksum", text_of(model, "checksum"));
  fn_json_text(w, "family", text_of(model, "family"));
  fn_json_text(w, "reads", text_of(model, "reads"));
  const json_t *limit = json_object_get(model, "max_tokens"); /* 0: the linear family reads all of a text */
  if (json_integer_value(limit) > 0)
    write_plain(w, "max_tokens", limit);
  else
    fn_json_text(w, "max_tokens", ""); /* a template has a value for each of its names */
  write_time(w, "loaded_at", text_of(model, "loaded_at"));
  fn_json_text(w, "summary", text_of(card, "summary"));
  fn_json_array(w, "labels");
  for (size_t i = 0; i < json_array_size(labels); i++) write_plain(w, NULL, json_array_get(labels, i));
  fn_json_end(w);
  fn_json_array(w, "entries");
  const char *key = NULL;
  json_t *value = NULL;
  json_object_foreach((json_t *)(uintptr_t)card, key, value) if (strcmp(key, "summary") != 0)
      write_entry(w, key, value);
  fn_json_end(w);
  fn_json_bool(w, "has_entries", json_object_size(card) > 0);
  write_calibration(w, json_object_get(model, "calibration"));
  fn_json_end(w);
}
