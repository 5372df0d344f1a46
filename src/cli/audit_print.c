#include "cli/audit_print.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_PROBES = 8, MAX_BRIEF_PROBES = 3, MAX_BRIEF_FINDINGS = 3, LABEL = 12 };

/* Columns that text[from …] takes. */
static size_t columns_of(const fn_buf *out, size_t from) {
  return out->length > from ? fn_utf8_columns(fn_str_make(out->data + from, out->length - from)) : 0;
}

static void pad(fn_buf *out, size_t from, size_t width) {
  for (size_t n = columns_of(out, from); n < width; n++) fn_buf_append_char(out, ' ');
}

/* Words of text on lines of width columns, further lines indented. */
static void wrap(fn_buf *out, const char *text, size_t at, size_t indent, size_t width) {
  bool first = true;
  for (const char *p = text; *p;) {
    const size_t n = strcspn(p, " "), wide = fn_utf8_columns(fn_str_make(p, n));
    if (!first && at + 1 + wide > width) {
      fn_buf_printf(out, "\n%*s", (int)indent, "");
      at = indent;
    } else if (!first) {
      fn_buf_append_char(out, ' ');
      at++;
    }
    fn_print_line(out, fn_str_make(p, n), 400);
    at += wide;
    first = false;
    p += n + (p[n] == ' ');
  }
  fn_buf_append_char(out, '\n');
}

static void heading(fn_buf *out, const char *name, const char *text, size_t width) {
  fn_buf_printf(out, "%-*s", LABEL, name);
  wrap(out, text, LABEL, LABEL, width);
}

static void print_name(fn_buf *out, const fn_audit_probe *p, size_t max) {
  switch (p->kind) {
  case FN_AUDIT_WORD: fn_print_line(out, p->name, max); break;
  case FN_AUDIT_STYLE:
    fn_print_line(out, p->name, max - 9);
    fn_buf_append_char(out, ' ');
    fn_audit_describe_limit(out, p);
    break;
  case FN_AUDIT_SOURCE: fn_buf_append_str(out, "publisher, as train knows"); break;
  case FN_AUDIT_DATASET: fn_buf_append_str(out, "dataset's name"); break;
  }
}

static void print_with(fn_buf *out, const fn_audit_probe *p, size_t width) {
  if (p->n_with == 0) return;
  size_t begin = out->length;
  fn_buf_append_str(out, "         like it:");
  for (size_t i = 0; i < p->n_with; i++) {
    size_t mark = out->length;
    fn_buf_append_str(out, i ? ", " : " ");
    fn_print_line(out, p->with[i], 24);
    if (out->failed || columns_of(out, begin) <= width) continue;
    out->length = mark;
    out->data[mark] = 0;
    break;
  }
  fn_buf_append_char(out, '\n');
}

/* The probes that are worth a line, largest balanced accuracy first; returns how many. */
static size_t choose(const fn_audit_probe *chosen[MAX_PROBES], const fn_audit_report *r, size_t max) {
  size_t n = 0;
  for (size_t i = 0; i < r->n_probes; i++) {
    const fn_audit_probe *p = &r->probes[i];
    if (!p->is_found || p->folded_into >= 0) continue;
    size_t at = n < max ? n++ : max;
    while (at > 0 && chosen[at - 1]->balanced_accuracy < p->balanced_accuracy) {
      if (at < max) chosen[at] = chosen[at - 1];
      at--;
    }
    if (at < max) chosen[at] = p;
  }
  return n;
}

static const char *says(const fn_audit_probe *p) {
  if (p->kind == FN_AUDIT_SOURCE || p->kind == FN_AUDIT_DATASET) return "";
  return p->side ? "→ fake" : "→ real";
}

static void print_probe(fn_buf *out, const fn_audit_probe *p, size_t width) {
  size_t begin = out->length, name = width - 44;
  fn_buf_printf(out, "  %-6s ", p->field == FN_AUDIT_ROW ? "" : fn_audit_field_name(p->field));
  print_name(out, p, name - 9);
  pad(out, begin, name);
  size_t side = out->length;
  fn_buf_append_str(out, says(p));
  pad(out, side, 7);
  fn_buf_printf(out, " %.3f [%.3f, %.3f] %6.3f %6.1f %%\n", p->balanced_accuracy, p->low, p->high, p->auc,
                100 * p->coverage);
}

static void print_probes(fn_buf *out, const fn_audit_report *r, size_t width) {
  const fn_audit_probe *chosen[MAX_PROBES];
  size_t n = choose(chosen, r, MAX_PROBES), begin = out->length;
  if (n == 0) {
    heading(out, "Alone", "no word, mark, length or publisher says more about the label than chance would", width);
    return;
  }
  fn_buf_append_str(out, "Alone       one feature each");
  pad(out, begin, width - 37);
  fn_buf_append_str(out, "balanced acc. [95 %]     AUC  in rows\n");
  for (size_t i = 0; i < n; i++) {
    print_probe(out, chosen[i], width);
    print_with(out, chosen[i], width);
  }
}

static void print_models(fn_buf *out, const fn_audit_report *r, size_t width) {
  size_t begin = out->length;
  fn_buf_append_str(out, "Together    a linear model");
  pad(out, begin, width - 37);
  fn_buf_append_str(out, "accuracy [95 %]          AUC  bal. a.\n");
  for (size_t i = 0; i < r->n_models; i++) {
    const fn_audit_model *m = &r->models[i];
    begin = out->length;
    if (strcmp(m->name, "style") == 0) {
      fn_buf_append_str(out, "  lengths, marks, capitals; no word");
    } else if (m->removed == 0) {
      fn_buf_append_str(out, "  all ");
      fn_print_count(out, m->n_features);
      fn_buf_append_str(out, " words");
    } else {
      fn_buf_printf(out, "  without the best %zu", m->removed);
    }
    pad(out, begin, width - 38);
    fn_buf_printf(out, " %.3f [%.3f, %.3f] %6.3f %7.3f\n", m->accuracy, m->low, m->high, m->auc, m->balanced_accuracy);
  }
  begin = out->length;
  fn_buf_printf(out, "  always the larger class of train");
  pad(out, begin, width - 38);
  fn_buf_printf(out, " %.3f                   0.500   0.500\n", r->majority);
}

static void print_overlap(fn_buf *out, const fn_audit_report *r, size_t width) {
  const fn_audit_shared *shared = r->shared[r->judged_on];
  uint64_t rows = r->n_drawn[r->judged_on];
  size_t begin = out->length;
  fn_buf_printf(out, "Overlap     in train as well as in %s", fn_split_name(r->judged_on));
  pad(out, begin, width - 34);
  fn_buf_append_str(out, "     rows    share its label there\n");
  bool any = false;
  for (int s = 0; s < FN_AUDIT_N_SHARES; s++) {
    if (shared[s].n_hit == 0) continue;
    any = true;
    begin = out->length;
    fn_buf_printf(out, "  %s", fn_audit_share_meaning((fn_audit_share)s));
    pad(out, begin, width - 34);
    FN_AUTO_BUF fn_buf count;
    fn_buf_init(&count, 64);
    fn_print_count(&count, shared[s].n_hit);
    out->failed |= count.failed;
    fn_buf_printf(out, "%9s %6.1f %% %13.1f %%\n", count.data ? count.data : "",
                  100 * (double)shared[s].n_hit / (double)rows,
                  100 * (double)shared[s].n_same_label / (double)shared[s].n_hit);
  }
  if (!any) fn_buf_append_str(out, "  nothing\n");
  for (size_t i = 0; i < r->n_sentences && i < 2; i++) {
    const fn_audit_sentence *s = &r->sentences[i];
    fn_buf_printf(out, "  sentence %016llx of %llu words, in train %llu times real, %llu fake\n    ",
                  (unsigned long long)s->hash, (unsigned long long)s->n_words, (unsigned long long)s->n_train[0],
                  (unsigned long long)s->n_train[1]);
    fn_print_line(out, s->begin, width - 8);
    fn_buf_append_str(out, " …\n");
  }
}

static void print_sources(fn_buf *out, const fn_audit_report *r, size_t width) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 4096);
  if (r->n_sources == 0) {
    heading(out, "Publishers", "none is known (data.columns.source)", width);
    return;
  }
  fn_print_count(&text, r->n_sources);
  fn_buf_append_str(&text, " known, ");
  fn_print_count(&text, r->n_sources_both_classes);
  fn_buf_append_str(&text, " with both labels, ");
  fn_print_count(&text, r->n_sources_both_splits);
  fn_buf_printf(&text,
                " in train and %s; %.1f %% of the rows with one come from publishers of two rows or more and one "
                "label only",
                fn_split_name(r->judged_on), 100 * (double)r->n_rows_one_class_source / (double)r->n_rows_with_source);
  if (text.data) heading(out, "Publishers", text.data, width);
}

static void print_findings(fn_buf *out, const fn_audit_report *r, size_t max, size_t width, bool color) {
  static const char *const colors[] = {"", "\033[33m", "\033[31m"};
  for (size_t i = 0; i < r->n_findings && i < max; i++) {
    const fn_audit_finding *f = &r->findings[i];
    fn_buf_printf(out, "  %s%-8s%s  ", color ? colors[f->level] : "", fn_audit_level_name(f->level),
                  color && f->level ? "\033[0m" : "");
    wrap(out, f->text, LABEL, LABEL, width);
    fn_buf_printf(out, "%*stry ", LABEL, "");
    wrap(out, f->setting, LABEL + 4, LABEL + 4, width);
  }
}

static void print_rows(fn_buf *out, const fn_audit_report *r, size_t width) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 4096);
  fn_buf_append_str(&text, "fitted on ");
  fn_print_count(&text, r->n_drawn[FN_SPLIT_TRAIN]);
  fn_buf_append_str(&text, " rows of train, judged on ");
  fn_print_count(&text, r->n_judged[0] + r->n_judged[1]);
  fn_buf_printf(&text, " of %s (", fn_split_name(r->judged_on));
  fn_print_count(&text, r->n_judged[0]);
  fn_buf_append_str(&text, " real, ");
  fn_print_count(&text, r->n_judged[1]);
  fn_buf_append_str(&text, " fake)");
  uint64_t all = 0, read = r->n_drawn[FN_SPLIT_TRAIN] + r->n_judged[0] + r->n_judged[1];
  for (int k = 0; k < 2; k++) all += r->n_rows[FN_SPLIT_TRAIN][k] + r->n_rows[r->judged_on][k];
  if (read < all) {
    fn_buf_append_str(&text, ", drawn from ");
    fn_print_count(&text, all);
  }
  if (text.data) heading(out, "Audit", text.data, width);
}

void fn_print_audit(fn_buf *out, const fn_audit_report *r, int columns, bool color) {
  size_t width = columns < 80 ? 80 : columns > 120 ? 120 : (size_t)columns;
  print_rows(out, r, width);
  heading(out, "Verdict", r->verdict, width);
  print_findings(out, r, 12, width, color);
  print_probes(out, r, width);
  print_models(out, r, width);
  print_sources(out, r, width);
  print_overlap(out, r, width);
}

static void print_brief(fn_buf *out, const fn_audit_report *r, const char *dir, int columns, bool color) {
  size_t width = columns < 80 ? 80 : columns > 120 ? 120 : (size_t)columns;
  const fn_audit_probe *chosen[MAX_PROBES];
  size_t n = choose(chosen, r, MAX_BRIEF_PROBES);
  heading(out, "Audit", r->verdict, width);
  for (size_t i = 0; i < n; i++) print_probe(out, chosen[i], width);
  fn_buf_append_str(out, "  linear model:");
  for (size_t i = 0; i < r->n_models; i++) {
    const fn_audit_model *m = &r->models[i];
    if (strcmp(m->name, "style") == 0)
      fn_buf_printf(out, " style alone %.3f,", m->accuracy);
    else if (m->removed)
      fn_buf_printf(out, " without the best %zu %.3f,", m->removed, m->accuracy);
    else
      fn_buf_printf(out, " words %.3f,", m->accuracy);
  }
  fn_buf_printf(out, " larger class %.3f\n", r->majority);
  print_findings(out, r, MAX_BRIEF_FINDINGS, width, color);
  fn_buf_append_str(out, "  all of it: fakenews data audit ");
  fn_print_line(out, fn_str_from(dir), 200);
  fn_buf_append_char(out, '\n');
}

fn_status fn_cli_audit_brief(fn_buf *out, const fn_cli *cli, const char *dir, fn_pool *pool, fn_err *err) {
  fn_audit_options options;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_audit_option_table, err));
  if (!options.after_prepare) return FN_OK;
  fn_audit_request request = {.dir = dir, .brief = true, .pool = pool, .stop = fn_cli_stop_requested};
  fn_audit *audit;
  fn_err why = {0};
  if (fn_audit_run(&audit, &request, &options, &why) != FN_OK) {
    fn_buf_printf(out, "Audit       not done: %s\n", why.message);
    return FN_OK;
  }
  print_brief(out, fn_audit_get_report(audit), dir, fn_cli_width(STDOUT_FILENO), cli->color && cli->tty_out);
  fn_audit_destroy(audit);
  return FN_OK;
}
