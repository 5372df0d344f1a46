#include "cli/data_print.h"

#include "cli/cli.h"
#include "data/labels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* Right-aligned in width columns. */
static void column(fn_buf *out, uint64_t n, size_t width) {
  size_t begin = out->length;
  fn_print_count(out, n);
  size_t length = out->length - begin;
  if (out->failed || length >= width) return;
  char digits[32];
  if (length >= sizeof digits) return;
  memcpy(digits, out->data + begin, length);
  out->length = begin;
  fn_buf_printf(out, "%*s%.*s", (int)(width - length), "", (int)length, digits);
}

/* text in `width` columns; longer names are cut. */
static void name_column(fn_buf *out, fn_str text, size_t width) {
  const size_t begin = out->length;
  fn_print_line(out, text, width);
  size_t columns = out->length > begin ? fn_utf8_columns(fn_str_make(out->data + begin, out->length - begin)) : 0;
  while (columns++ < width) fn_buf_append_char(out, ' ');
}

/* Tables fit 80 columns: two of indent, a name, then counts of all, real and fake rows. */
enum { NAME_WIDTH = 44, COUNT_WIDTH = 10, TITLE_WIDTH = 72, LABELS_WIDTH = 76 };

static void headings(fn_buf *out) {
  fn_buf_printf(out, "%*s%*s\n", COUNT_WIDTH, "real", COUNT_WIDTH, "fake");
}

/* One line: a name and its rows, those of both classes together too. */
static void counts_line(fn_buf *out, fn_str name, uint64_t all, const uint64_t by_label[2]) {
  fn_buf_append_str(out, "  ");
  name_column(out, name, NAME_WIDTH);
  column(out, all, COUNT_WIDTH);
  if (by_label) {
    column(out, by_label[0], COUNT_WIDTH);
    column(out, by_label[1], COUNT_WIDTH);
  }
  fn_buf_append_char(out, '\n');
}

/* "1 row", "12,345 rows" */
static void print_number_of(fn_buf *out, uint64_t n, const char *one, const char *many) {
  fn_print_count(out, n);
  fn_buf_printf(out, " %s", n == 1 ? one : many);
}

static void print_labels(fn_buf *out, const fn_prepare_report *r) {
  enum { SHOWN = 12, INDENT = 12 };
  size_t columns = INDENT;
  fn_buf_append_str(out, "Labels      ");
  for (size_t i = 0; i < r->n_values && i < SHOWN; i++) {
    FN_AUTO_BUF fn_buf item;
    fn_buf_init(&item, 1 << 10);
    fn_print_line(&item, r->values[i].value, 40);
    fn_buf_printf(&item, " → %s ", fn_label_name(r->values[i].label));
    fn_print_count(&item, r->values[i].n_rows);
    if (i && columns + item.length + 2 > LABELS_WIDTH) {
      fn_buf_printf(out, ",\n%*s", INDENT, "");
      columns = INDENT;
    } else if (i) {
      fn_buf_append_str(out, ", ");
    }
    fn_buf_append(out, item.data, item.length);
    out->failed |= item.failed;
    columns += item.length + 2;
  }
  if (r->n_values > SHOWN) fn_buf_printf(out, " and %zu more values", r->n_values - SHOWN);
  fn_buf_append_char(out, '\n');
}

/* What is not the usual form, on a line of its own. */
static void reading_line(fn_buf *out, const fn_prepare_file *f) {
  bool foreign = strcmp(f->encoding, "utf-8") != 0, delimited = f->delimiter && strcmp(f->delimiter, ",") != 0;
  if (!foreign && !delimited) return;
  fn_buf_printf(out, "    read as %s", f->encoding);
  if (delimited) fn_buf_printf(out, ", delimiter %s", f->delimiter);
  fn_buf_append_char(out, '\n');
}

static void print_files(fn_buf *out, const fn_prepare_report *r) {
  fn_buf_append_str(out, "Read        ");
  print_number_of(out, r->n_read, "row", "rows");
  fn_buf_append_str(out, " from ");
  print_number_of(out, r->n_files, "file", "files");
  fn_buf_append_char(out, '\n');
  for (size_t i = 0; i < r->n_files; i++) {
    fn_buf_append_str(out, "  ");
    name_column(out, fn_str_from(r->files[i].name), NAME_WIDTH);
    column(out, r->files[i].n_rows, COUNT_WIDTH);
    fn_buf_printf(out, "  %s%s%s\n", r->files[i].format, r->files[i].label ? ", all " : "",
                  r->files[i].label ? r->files[i].label : "");
    reading_line(out, &r->files[i]);
  }
}

static void drop_line(fn_buf *out, fn_drop drop, uint64_t n, const uint64_t *by_label) {
  char what[96];
  snprintf(what, sizeof what, "%s: %s", fn_drop_name(drop), fn_drop_meaning(drop));
  counts_line(out, fn_str_from(what), n, by_label);
}

static void print_drops(fn_buf *out, const fn_prepare_report *r) {
  const uint64_t n = r->n_read - r->n_kept;
  if (n == 0) {
    fn_buf_append_str(out, "Dropped     0\n");
    return;
  }
  fn_buf_append_str(out, "Dropped     ");
  name_column(out, fn_str_from(""), NAME_WIDTH - 10);
  column(out, n, COUNT_WIDTH);
  headings(out);
  for (int d = 0; d < FN_DROP_COUNT; d++) {
    if (!r->dropped[d]) continue;
    const bool labelled = r->dropped_by_label[d][0] || r->dropped_by_label[d][1];
    drop_line(out, (fn_drop)d, r->dropped[d], labelled ? r->dropped_by_label[d] : NULL);
  }
}

static void print_rules(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  uint64_t hits = 0;
  for (size_t i = 0; i < r->n_rules; i++) hits += r->rules[i].n_rows[0] + r->rules[i].n_rows[1];
  fn_buf_printf(out, "Cut         boilerplate, rules \"%s\"%s\n", o->rules, hits ? ", in rows" : ": nothing");
  for (size_t i = 0; i < r->n_rules; i++) {
    const uint64_t *n = r->rules[i].n_rows;
    if (n[0] || n[1]) counts_line(out, fn_str_from(r->rules[i].name), n[0] + n[1], n);
  }
}

static void print_copies(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  fn_buf_append_str(out, "Copies      ");
  if (r->n_exact_groups)
    print_number_of(out, r->n_exact_groups, "text stands there more than once", "texts stand there more than once");
  else
    fn_buf_append_str(out, "no text stands there twice");
  fn_buf_append_str(out, "\n            ");
  if (isnan(o->near_duplicates)) {
    fn_buf_append_str(out, "near copies were not looked for (data.near_duplicates=null)\n");
    return;
  }
  if (r->n_near_clusters) {
    print_number_of(out, r->n_near_rows, "row in ", "rows in ");
    print_number_of(out, r->n_near_clusters, "cluster of near copies", "clusters of near copies");
  } else {
    fn_buf_append_str(out, "no near copies");
  }
  fn_buf_printf(out, " (%g of word triples alike)\n", o->near_duplicates);
}

static void print_splits(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  static const char *const modes[] = {"at random", "by group", "as given"};
  fn_buf_append_str(out, "Split       ");
  char how[64];
  if (r->n_groups)
    snprintf(how, sizeof how, "%s (%" PRIu64 " groups)", modes[o->split], r->n_groups);
  else
    snprintf(how, sizeof how, "%s", modes[o->split]);
  name_column(out, fn_str_from(how), NAME_WIDTH - 10 + COUNT_WIDTH);
  headings(out);
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    counts_line(out, fn_str_from(fn_split_name((fn_split)s)), r->n_split[s][0] + r->n_split[s][1], r->n_split[s]);
  for (size_t d = 0; r->n_sets > 1 && d < r->n_sets && d < 20; d++) {
    uint64_t n[2] = {0, 0};
    for (int s = 0; s < FN_SPLIT_COUNT; s++)
      for (int k = 0; k < 2; k++) n[k] += r->sets[d].n_rows[s][k];
    if (d == 0) fn_buf_append_str(out, "Datasets\n");
    counts_line(out, r->sets[d].name, n[0] + n[1], n);
  }
  if (r->n_sets > 20) fn_buf_printf(out, "  and %zu more\n", r->n_sets - 20);
}

void fn_print_prepare(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  print_files(out, r);
  print_labels(out, r);
  print_drops(out, r);
  print_rules(out, r, o);
  print_copies(out, r, o);
  print_splits(out, r, o);
  fn_buf_append_str(out, "Examples    are the labels the right way round? If not: data.label_map\n");
  for (int k = 0; k < 2; k++)
    for (int e = 0; e < 2; e++) {
      if (r->examples[k][e].length == 0) continue;
      fn_buf_printf(out, "  %s  ", fn_label_name(k));
      fn_print_line(out, r->examples[k][e], TITLE_WIDTH);
      fn_buf_append_char(out, '\n');
    }
}

static void print_lengths(fn_buf *out, const char *what, const fn_length_stats stats[FN_SPLIT_COUNT + 1]) {
  enum { LENGTH_NAME = 12 };
  name_column(out, fn_str_from(what), LENGTH_NAME + 2);
  fn_buf_append_str(out, "    mean");
  for (int p = 0; p < FN_STATS_PERCENTILES; p++) {
    int percent = fn_stats_percentiles[p];
    if (percent == 0 || percent == 100)
      fn_buf_printf(out, "%8s", percent ? "max" : "min");
    else
      fn_buf_printf(out, "%6d %%", percent);
  }
  fn_buf_append_char(out, '\n');
  for (int s = 0; s <= FN_SPLIT_COUNT; s++) {
    if (stats[s].n == 0) continue;
    fn_buf_append_str(out, "  ");
    name_column(out, fn_str_from(s < FN_SPLIT_COUNT ? fn_split_name((fn_split)s) : "all"), LENGTH_NAME);
    fn_buf_printf(out, "%8.1f", stats[s].mean);
    for (int p = 0; p < FN_STATS_PERCENTILES; p++) column(out, stats[s].at[p], 8);
    fn_buf_append_char(out, '\n');
  }
}

static void print_counts(fn_buf *out, const fn_stats_report *r) {
  uint64_t all[2] = {0, 0};
  name_column(out, fn_str_from("Rows"), NAME_WIDTH + 2);
  fn_buf_printf(out, "%*s", COUNT_WIDTH, "all");
  headings(out);
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    const uint64_t *n = r->n_rows[s];
    counts_line(out, fn_str_from(fn_split_name((fn_split)s)), n[0] + n[1], n);
    all[0] += n[0], all[1] += n[1];
  }
  counts_line(out, fn_str_from("all"), all[0] + all[1], all);
  fn_buf_append_str(out, "Datasets (real + fake)               train         validation               test\n");
  for (size_t d = 0; d < r->n_sets; d++) {
    fn_buf_append_str(out, "  ");
    name_column(out, r->sets[d].name, 21);
    for (int s = 0; s < FN_SPLIT_COUNT; s++) {
      column(out, r->sets[d].n_rows[s][0], 10);
      fn_buf_append_str(out, " +");
      column(out, r->sets[d].n_rows[s][1], 7);
    }
    fn_buf_append_char(out, '\n');
  }
}

static void print_sources(fn_buf *out, const fn_stats_report *r, size_t max) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 256);
  fn_buf_append_str(out, "Sources     ");
  fn_print_count(&text, r->n_sources);
  fn_buf_append_str(&text, " known, ");
  print_number_of(&text, r->n_no_source[0] + r->n_no_source[1], "row without", "rows without");
  if (text.failed) {
    out->failed = true;
    return;
  }
  if (r->n_sources == 0) {
    fn_buf_printf(out, "%s\n", text.data);
    return;
  }
  name_column(out, fn_buf_str(&text), NAME_WIDTH - 10);
  fn_buf_printf(out, "%*s%*s\n", COUNT_WIDTH, "rows", COUNT_WIDTH, "fake");
  for (size_t i = 0; i < r->n_sources && i < max; i++) {
    const fn_stats_source *source = &r->sources[i];
    uint64_t n = source->n_rows[0] + source->n_rows[1];
    fn_buf_append_str(out, "  ");
    name_column(out, source->name, NAME_WIDTH);
    column(out, n, COUNT_WIDTH);
    fn_buf_printf(out, "%*.1f %%\n", COUNT_WIDTH - 2, 100 * (double)source->n_rows[1] / (double)n);
  }
  if (r->n_sources > max) {
    fn_buf_append_str(out, "  … and ");
    fn_print_count(out, r->n_sources - max);
    fn_buf_append_str(out, " more\n");
  }
}

/* What prepare.json tells beyond the rows that are there. */
static void print_history(fn_buf *out, const json_t *prepare) {
  const json_t *rows = json_object_get(prepare, "rows"), *dropped = json_object_get(rows, "dropped");
  if (!dropped) return;
  fn_buf_append_str(out, "Prepared    ");
  print_number_of(out, (uint64_t)json_integer_value(json_object_get(rows, "read")), "row was read, ",
                  "rows were read, ");
  fn_print_count(out, (uint64_t)json_integer_value(json_object_get(rows, "kept")));
  fn_buf_append_str(out, " kept\n");
  for (int d = 0; d < FN_DROP_COUNT; d++) {
    json_int_t n = json_integer_value(json_object_get(json_object_get(dropped, fn_drop_name((fn_drop)d)), "rows"));
    if (n > 0) drop_line(out, (fn_drop)d, (uint64_t)n, NULL);
  }
}

void fn_print_stats(fn_buf *out, const fn_stats_report *r, const json_t *prepare, size_t max_sources) {
  print_counts(out, r);
  print_lengths(out, "Words", r->words);
  if (r->has_tokens) {
    print_lengths(out, "Tokens", r->tokens);
    fn_buf_append_str(out, "  longer than");
    for (int l = 0; l < FN_STATS_LIMITS; l++)
      fn_buf_printf(out, "%s %d tokens: %.1f %%", l ? "," : "", fn_stats_limits[l], 100 * r->over[l]);
    fn_buf_append_char(out, '\n');
  }
  fn_buf_append_str(out, "Copies      ");
  if (r->n_cluster_rows == 0) {
    fn_buf_append_str(out, "no near copies\n");
  } else {
    print_number_of(out, r->n_cluster_rows, "row in ", "rows in ");
    print_number_of(out, r->n_clusters, "cluster of near copies, which is in one split\n",
                    "clusters of near copies, each in one split\n");
  }
  if (prepare) print_history(out, prepare);
  print_sources(out, r, max_sources);
}
