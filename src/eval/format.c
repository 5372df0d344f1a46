#include "eval/eval.h"

#include <math.h>

/* Columns of a terminal: a name, then three systems; a figure with its interval takes 20. */
enum { NAME_WIDTH = 18, CELL_WIDTH = 20, SYSTEMS_ABREAST = 3 };

void fn_metrics_scalars(fn_metric_scalar out[FN_METRICS_N_SCALARS], const fn_metrics *m,
                        const fn_metrics_intervals *intervals) {
  const fn_interval none = {FN_UNDEFINED, FN_UNDEFINED};
  const fn_metrics_intervals unknown = {none, none, none, none, none, none, none, 0, 0};
  const fn_metrics_intervals *i = intervals ? intervals : &unknown;
  const fn_metric_scalar all[FN_METRICS_N_SCALARS] = {
      {"loss", m->log_loss, i->log_loss},
      {"accuracy", m->accuracy, i->accuracy},
      {"f1_weighted", m->weighted.f1, i->f1_weighted},
      {"f1_macro", m->macro.f1, i->f1_macro},
      {"roc_auc", m->roc_auc, i->roc_auc},
      {"brier", m->brier, i->brier},
      {"ece", m->ece, i->ece},
      {"precision_weighted", m->weighted.precision, none},
      {"recall_weighted", m->weighted.recall, none},
      {"precision_real", m->by_class[0].precision, none},
      {"recall_real", m->by_class[0].recall, none},
      {"f1_real", m->by_class[0].f1, none},
      {"precision_fake", m->by_class[1].precision, none},
      {"recall_fake", m->by_class[1].recall, none},
      {"f1_fake", m->by_class[1].f1, none},
  };
  memcpy(out, all, sizeof all);
}

static void json_pair(fn_json_writer *w, const char *key, int64_t a, int64_t b) {
  fn_json_array(w, key);
  fn_json_int(w, NULL, a);
  fn_json_int(w, NULL, b);
  fn_json_end(w);
}

void fn_metrics_format_json(fn_json_writer *w, const char *key, const fn_metrics_entry *entry) {
  const fn_metrics *m = entry->metrics;
  fn_metric_scalar scalars[FN_METRICS_N_SCALARS];
  fn_metrics_scalars(scalars, m, entry->intervals);
  fn_json_object(w, key);
  fn_json_int(w, "n", m->n);
  for (size_t i = 0; i < FN_METRICS_N_SCALARS; i++) fn_json_double(w, scalars[i].name, scalars[i].value);
  fn_json_object(w, "support");
  fn_json_int(w, "real", m->by_class[0].support);
  fn_json_int(w, "fake", m->by_class[1].support);
  fn_json_end(w);
  fn_json_array(w, "confusion");
  for (int k = 0; k < 2; k++) json_pair(w, NULL, m->confusion[k][0], m->confusion[k][1]);
  fn_json_end(w);
  if (entry->intervals != NULL) {
    fn_json_object(w, "intervals");
    fn_json_double(w, "confidence", 0.95);
    fn_json_int(w, "n_groups", entry->intervals->n_groups);
    fn_json_int(w, "n_resamples", entry->intervals->n_resamples);
    for (size_t i = 0; i < FN_METRICS_N_SCALARS; i++) {
      if (strcmp(scalars[i].name, "precision_weighted") == 0) break; /* none beyond here */
      fn_json_array(w, scalars[i].name);
      fn_json_double(w, NULL, scalars[i].interval.low);
      fn_json_double(w, NULL, scalars[i].interval.high);
      fn_json_end(w);
    }
    fn_json_end(w);
  }
  fn_json_end(w);
}

/* Five characters: three decimals, two from 10 on (only a loss is that large), or "-" for what is undefined. */
static const char *figure(char out[16], double value) {
  if (isnan(value)) return "-";
  snprintf(out, 16, value < 9.9995 ? "%.3f" : "%.2f", value);
  return out;
}

static const char *cell(char out[64], double value, fn_interval interval) {
  char v[16], low[16], high[16];
  if (isnan(interval.low)) {
    snprintf(out, 64, "%s", figure(v, value));
  } else {
    snprintf(out, 64, "%s [%s %s]", figure(v, value), figure(low, interval.low), figure(high, interval.high));
  }
  return out;
}

/* Bytes of the longest prefix of whole characters in at most `columns`. */
static int prefix_bytes(const char *text, size_t columns) {
  int bytes = 0;
  for (size_t n = 0; text[bytes] != '\0';) {
    const size_t size = fn_utf8_head(text + bytes, 1).length;
    n += fn_utf8_columns(fn_str_make(text + bytes, size));
    if (n > columns) break;
    bytes += (int)size;
  }
  return bytes;
}

/* Left-aligned, cut to width columns. */
static void append_padded(fn_buf *out, const char *text, size_t width) {
  const size_t length = (size_t)prefix_bytes(text, width);
  fn_buf_append(out, text, length);
  for (size_t n = fn_utf8_columns(fn_str_make(text, length)); n < width; n++) fn_buf_append_char(out, ' ');
}

/* Spaces before a line break help nobody. */
static void end_line(fn_buf *out) {
  while (!out->failed && out->length > 0 && out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
  fn_buf_append_char(out, '\n');
}

static void append_confusion(fn_buf *out, const fn_metrics_entry *entries, size_t n) {
  static const char *const label[2] = {"real", "fake"};
  for (int k = 0; k < 2; k++) {
    char name[32];
    snprintf(name, sizeof name, "%s as real/fake", label[k]);
    append_padded(out, name, NAME_WIDTH);
    for (size_t s = 0; s < n; s++) {
      char text[64];
      snprintf(text, sizeof text, "%lld / %lld", (long long)entries[s].metrics->confusion[k][0],
               (long long)entries[s].metrics->confusion[k][1]);
      fn_buf_append_char(out, ' ');
      append_padded(out, text, CELL_WIDTH - 1);
    }
    end_line(out);
  }
}

/* Up to SYSTEMS_ABREAST systems. */
static void append_block(fn_buf *out, const fn_metrics_entry *entries, size_t n) {
  fn_metric_scalar scalars[SYSTEMS_ABREAST][FN_METRICS_N_SCALARS];
  append_padded(out, "", NAME_WIDTH);
  for (size_t s = 0; s < n; s++) {
    fn_metrics_scalars(scalars[s], entries[s].metrics, entries[s].intervals);
    fn_buf_append_char(out, ' ');
    append_padded(out, entries[s].name, CELL_WIDTH - 1);
  }
  end_line(out);
  for (size_t i = 0; i < FN_METRICS_N_SCALARS; i++) {
    append_padded(out, scalars[0][i].name, NAME_WIDTH);
    for (size_t s = 0; s < n; s++) {
      char text[64];
      fn_buf_append_char(out, ' ');
      append_padded(out, cell(text, scalars[s][i].value, scalars[s][i].interval), CELL_WIDTH - 1);
    }
    end_line(out);
  }
  append_confusion(out, entries, n);
}

void fn_metrics_format_table(fn_buf *out, const char *title, const fn_metrics_entry *entries, size_t n) {
  if (n == 0) return;
  const fn_metrics *m = entries[0].metrics;
  fn_buf_printf(out, "%s: %lld rows (%lld real, %lld fake)", title, (long long)m->n, (long long)m->by_class[0].support,
                (long long)m->by_class[1].support);
  const fn_metrics_intervals *intervals = entries[0].intervals;
  if (intervals != NULL) fn_buf_printf(out, ", %d groups", (int)intervals->n_groups);
  fn_buf_append_char(out, '\n');
  if (intervals != NULL) {
    fn_buf_printf(out, "[95 %% intervals: %d resamples of whole groups]\n", (int)intervals->n_resamples);
  }
  for (size_t from = 0; from < n; from += SYSTEMS_ABREAST) {
    fn_buf_append_char(out, '\n');
    append_block(out, entries + from, n - from < SYSTEMS_ABREAST ? n - from : SYSTEMS_ABREAST);
  }
}

void fn_metrics_format_groups(fn_buf *out, const char *title, const char *const *groups, size_t n_groups,
                              const char *const *systems, size_t n_systems, const fn_metrics *metrics) {
  enum { GROUP_WIDTH = 22, COUNT_WIDTH = 7, FAKE_WIDTH = 6, SYSTEM_WIDTH = 14 };
  append_padded(out, "", GROUP_WIDTH + COUNT_WIDTH + FAKE_WIDTH);
  for (size_t s = 0; s < n_systems && s < SYSTEMS_ABREAST; s++) {
    fn_buf_append_str(out, "  ");
    append_padded(out, systems[s], SYSTEM_WIDTH - 2);
  }
  end_line(out);
  append_padded(out, title, GROUP_WIDTH);
  fn_buf_printf(out, "%*s%*s", COUNT_WIDTH, "rows", FAKE_WIDTH, "fake");
  for (size_t s = 0; s < n_systems && s < SYSTEMS_ABREAST; s++) fn_buf_printf(out, "%8s%6s", "acc", "auc");
  fn_buf_append_char(out, '\n');
  for (size_t g = 0; g < n_groups; g++) {
    const fn_metrics *first = &metrics[g * n_systems];
    char share[16];
    append_padded(out, groups[g], GROUP_WIDTH);
    fn_buf_printf(out, "%*lld%*s", COUNT_WIDTH, (long long)first->n, FAKE_WIDTH,
                  figure(share, first->n > 0 ? (double)first->by_class[1].support / (double)first->n : FN_UNDEFINED));
    for (size_t s = 0; s < n_systems && s < SYSTEMS_ABREAST; s++) {
      const fn_metrics *m = &first[s];
      char accuracy[16], auc[16];
      fn_buf_printf(out, "%8s%6s", figure(accuracy, m->n > 0 ? m->accuracy : FN_UNDEFINED),
                    figure(auc, m->n > 0 ? m->roc_auc : FN_UNDEFINED));
    }
    fn_buf_append_char(out, '\n');
  }
}
