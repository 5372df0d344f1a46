#include "cli/data_print.h"

#include "data/labels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void fn_print_count(fn_buf *out, uint64_t n) {
  if (n >= 1000) {
    fn_print_count(out, n / 1000);
    fn_buf_printf(out, ",%03d", (int)(n % 1000));
  } else {
    fn_buf_printf(out, "%d", (int)n);
  }
}

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

void fn_print_line(fn_buf *out, fn_str text, size_t max) {
  size_t n = 0;
  bool gap = false;
  for (size_t i = 0; i < text.length;) {
    uint32_t c;
    size_t size = fn_utf8_decode(&c, text.data + i, text.length - i);
    if (size == 0) size = 1, c = ' ';
    bool space = c <= ' ' || (c >= 0x7F && c <= 0xA0) || c == 0x2028 || c == 0x2029;
    bool hidden = (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    if (!space && !hidden) {
      if (n + 1 >= max) {
        fn_buf_append_str(out, "…");
        return;
      }
      if (gap && n) fn_buf_append_char(out, ' '), n++;
      fn_buf_append(out, text.data + i, size);
      n++;
    }
    gap = (gap && (space || hidden)) || space;
    i += size;
  }
}

/* text in `width` columns; longer names are cut. */
static void name_column(fn_buf *out, fn_str text, size_t width) {
  size_t begin = out->length, columns = 0;
  fn_print_line(out, text, width);
  for (size_t i = begin; i < out->length; i++) columns += ((unsigned char)out->data[i] & 0xC0) != 0x80;
  while (columns++ < width) fn_buf_append_char(out, ' ');
}

static void print_files(fn_buf *out, const fn_prepare_report *r) {
  fn_buf_append_str(out, "Read        ");
  fn_print_count(out, r->n_read);
  fn_buf_printf(out, " rows from %zu file%s\n", r->n_files, r->n_files == 1 ? "" : "s");
  for (size_t i = 0; i < r->n_files; i++) {
    fn_buf_append_str(out, "  ");
    name_column(out, fn_str_from(r->files[i].name), 36);
    column(out, r->files[i].n_rows, 10);
    fn_buf_printf(out, "  %s%s%s\n", r->files[i].format, r->files[i].label ? ", all " : "",
                  r->files[i].label ? r->files[i].label : "");
  }
  fn_buf_append_str(out, "Labels     ");
  for (size_t i = 0; i < r->n_values && i < 12; i++) {
    fn_buf_append_str(out, i ? ", " : " ");
    fn_print_line(out, r->values[i].value, 40);
    fn_buf_printf(out, " → %s ", fn_label_name(r->values[i].label));
    fn_print_count(out, r->values[i].n_rows);
  }
  if (r->n_values > 12) fn_buf_printf(out, " and %zu more values", r->n_values - 12);
  fn_buf_append_char(out, '\n');
}

static void print_drops(fn_buf *out, const fn_prepare_report *r) {
  fn_buf_append_str(out, "Dropped     ");
  fn_print_count(out, r->n_read - r->n_kept);
  fn_buf_append_str(out, r->n_read == r->n_kept ? "\n" : "                                      real      fake\n");
  for (int d = 0; d < FN_DROP_COUNT; d++) {
    if (!r->dropped[d]) continue;
    fn_buf_append_str(out, "  ");
    name_column(out, fn_str_from(fn_drop_name((fn_drop)d)), 22);
    column(out, r->dropped[d], 10);
    bool labelled = r->dropped_by_label[d][0] || r->dropped_by_label[d][1];
    if (labelled) {
      fn_buf_append_str(out, "            ");
      column(out, r->dropped_by_label[d][0], 10);
      column(out, r->dropped_by_label[d][1], 10);
    } else {
      fn_buf_printf(out, "%32s", "");
    }
    fn_buf_printf(out, "   %s\n", fn_drop_meaning((fn_drop)d));
  }
}

static void print_rules(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  uint64_t hits = 0;
  for (size_t i = 0; i < r->n_rules; i++) hits += r->rules[i].n_rows[0] + r->rules[i].n_rows[1];
  fn_buf_printf(out, "Cut         boilerplate, rules \"%s\"%s\n", o->rules, hits ? ", in rows" : ": nothing");
  for (size_t i = 0; i < r->n_rules; i++) {
    const uint64_t *n = r->rules[i].n_rows;
    if (!n[0] && !n[1]) continue;
    fn_buf_append_str(out, "  ");
    name_column(out, fn_str_from(r->rules[i].name), 44);
    column(out, n[0], 10);
    column(out, n[1], 10);
    fn_buf_append_char(out, '\n');
  }
}

static void print_copies(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  fn_buf_append_str(out, "Copies      ");
  fn_print_count(out, r->n_exact_groups);
  fn_buf_append_str(out, " texts stand there more than once; ");
  if (isnan(o->near_duplicates)) {
    fn_buf_append_str(out, "near copies were not looked for\n");
    return;
  }
  fn_print_count(out, r->n_near_rows);
  fn_buf_append_str(out, " form ");
  fn_print_count(out, r->n_near_clusters);
  fn_buf_printf(out, " clusters of near copies (%g of their word triples)\n", o->near_duplicates);
}

static void print_splits(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  static const char *const modes[] = {"at random", "by group", "as given"};
  fn_buf_append_str(out, "Split       ");
  char how[64];
  if (r->n_groups)
    snprintf(how, sizeof how, "%s (%" PRIu64 " groups)", modes[o->split], r->n_groups);
  else
    snprintf(how, sizeof how, "%s", modes[o->split]);
  name_column(out, fn_str_from(how), 34);
  fn_buf_append_str(out, "      real      fake\n");
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    fn_buf_append_str(out, "  ");
    name_column(out, fn_str_from(fn_split_name((fn_split)s)), 34);
    column(out, r->n_split[s][0] + r->n_split[s][1], 10);
    column(out, r->n_split[s][0], 10);
    column(out, r->n_split[s][1], 10);
    fn_buf_append_char(out, '\n');
  }
  for (size_t d = 0; r->n_sets > 1 && d < r->n_sets && d < 20; d++) {
    uint64_t n[2] = {0, 0};
    for (int s = 0; s < FN_SPLIT_COUNT; s++)
      for (int k = 0; k < 2; k++) n[k] += r->sets[d].n_rows[s][k];
    fn_buf_append_str(out, d ? "  " : "Datasets\n  ");
    name_column(out, r->sets[d].name, 34);
    column(out, n[0] + n[1], 10);
    column(out, n[0], 10);
    column(out, n[1], 10);
    fn_buf_append_char(out, '\n');
  }
  if (r->n_sets > 20) fn_buf_printf(out, "  and %zu more\n", r->n_sets - 20);
}

void fn_print_prepare(fn_buf *out, const fn_prepare_report *r, const fn_data_options *o) {
  print_files(out, r);
  print_drops(out, r);
  print_rules(out, r, o);
  print_copies(out, r, o);
  print_splits(out, r, o);
  fn_buf_append_str(out, "Examples    are the labels the right way round? If not: data.label_map\n");
  for (int k = 0; k < 2; k++)
    for (int e = 0; e < 2; e++) {
      if (r->examples[k][e].length == 0) continue;
      fn_buf_printf(out, "  %s  ", fn_label_name(k));
      fn_print_line(out, r->examples[k][e], 100);
      fn_buf_append_char(out, '\n');
    }
}

static void print_lengths(fn_buf *out, const char *what, const fn_length_stats stats[FN_SPLIT_COUNT + 1]) {
  name_column(out, fn_str_from(what), 22);
  fn_buf_append_str(out, "      mean");
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
    name_column(out, fn_str_from(s < FN_SPLIT_COUNT ? fn_split_name((fn_split)s) : "all"), 20);
    fn_buf_printf(out, "%10.1f", stats[s].mean);
    for (int p = 0; p < FN_STATS_PERCENTILES; p++) column(out, stats[s].at[p], 8);
    fn_buf_append_char(out, '\n');
  }
}

static void print_counts(fn_buf *out, const fn_stats_report *r) {
  fn_buf_append_str(out, "Rows                             all      real      fake\n");
  uint64_t all[2] = {0, 0};
  for (int s = 0; s <= FN_SPLIT_COUNT; s++) {
    const uint64_t *n = s < FN_SPLIT_COUNT ? r->n_rows[s] : all;
    fn_buf_append_str(out, "  ");
    name_column(out, fn_str_from(s < FN_SPLIT_COUNT ? fn_split_name((fn_split)s) : "all"), 24);
    column(out, n[0] + n[1], 10);
    column(out, n[0], 10);
    column(out, n[1], 10);
    fn_buf_append_char(out, '\n');
    if (s < FN_SPLIT_COUNT) all[0] += n[0], all[1] += n[1];
  }
  fn_buf_append_str(out, "Datasets (real + fake)         train     validation           test\n");
  for (size_t d = 0; d < r->n_sets; d++) {
    fn_buf_append_str(out, "  ");
    name_column(out, r->sets[d].name, 18);
    for (int s = 0; s < FN_SPLIT_COUNT; s++) {
      column(out, r->sets[d].n_rows[s][0], s ? 7 : 8);
      fn_buf_append_str(out, " +");
      column(out, r->sets[d].n_rows[s][1], 6);
    }
    fn_buf_append_char(out, '\n');
  }
}

static void print_sources(fn_buf *out, const fn_stats_report *r, size_t max) {
  fn_buf_append_str(out, "Sources     ");
  fn_print_count(out, r->n_sources);
  fn_buf_append_str(out, " known, ");
  fn_print_count(out, r->n_no_source[0] + r->n_no_source[1]);
  fn_buf_append_str(out, " rows without");
  fn_buf_append_str(out, r->n_sources ? "; the largest, with their share of fake rows\n" : "\n");
  for (size_t i = 0; i < r->n_sources && i < max; i++) {
    const fn_stats_source *source = &r->sources[i];
    uint64_t n = source->n_rows[0] + source->n_rows[1];
    fn_buf_append_str(out, "  ");
    name_column(out, source->name, 44);
    column(out, n, 10);
    fn_buf_printf(out, "%8.1f %%\n", 100 * (double)source->n_rows[1] / (double)n);
  }
}

/* What prepare.json tells beyond the rows that are there. */
static void print_history(fn_buf *out, const json_t *prepare) {
  const json_t *rows = json_object_get(prepare, "rows"), *dropped = json_object_get(rows, "dropped");
  if (!dropped) return;
  fn_buf_append_str(out, "Prepared    ");
  fn_print_count(out, (uint64_t)json_integer_value(json_object_get(rows, "read")));
  fn_buf_append_str(out, " rows were read, ");
  fn_print_count(out, (uint64_t)json_integer_value(json_object_get(rows, "kept")));
  fn_buf_append_str(out, " kept; dropped:");
  bool any = false;
  for (int d = 0; d < FN_DROP_COUNT; d++) {
    json_int_t n = json_integer_value(json_object_get(json_object_get(dropped, fn_drop_name((fn_drop)d)), "rows"));
    if (n <= 0) continue;
    fn_buf_printf(out, "%s %s ", any ? "," : "", fn_drop_name((fn_drop)d));
    fn_print_count(out, (uint64_t)n);
    any = true;
  }
  fn_buf_append_str(out, any ? "\n" : " none\n");
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
  fn_print_count(out, r->n_cluster_rows);
  fn_buf_append_str(out, " rows are in ");
  fn_print_count(out, r->n_clusters);
  fn_buf_append_str(out, " clusters of near copies, each in one split\n");
  if (prepare) print_history(out, prepare);
  print_sources(out, r, max_sources);
}
