/* What follows from the figures, in words, each with the setting to try. The thresholds stand in audit.h and below, the
 * codes in docs/data.md. */
#include "audit/internal.h"

#include <math.h>

#define COPIES_WARNING   0.01 /* share of judged rows whose text, or half of it, stands in train */
#define COPIES_ALARM     0.05
#define TITLES_WARNING   0.01
#define SENTENCE_WARNING 0.10 /* share of judged rows that share a sentence with train … */
#define SENTENCE_LABEL   0.90 /* … whose label it gives this often */
#define MODEL_WARNING    0.90 /* balanced accuracy of all words without the best 100 */

enum { MAX_FINDINGS = 12 };

typedef struct writer {
  fn_audit *a;
  fn_audit_finding *findings;
  size_t n;
  fn_buf text, setting;
  fn_err *err;
} writer;

void fn_audit_describe_limit(fn_buf *out, const fn_audit_probe *p) {
  if (p->kind != FN_AUDIT_STYLE) return;
  if (fn_str_starts_with(fn_str_from(p->unit), "share"))
    fn_buf_printf(out, "> %.3g %%", 100 * p->threshold);
  else
    fn_buf_printf(out, "> %.4g", p->threshold);
}

void fn_audit_describe(fn_buf *out, const fn_audit_probe *p) {
  switch (p->kind) {
  case FN_AUDIT_WORD:
    fn_buf_append_str(out, "the word \"");
    fn_buf_append(out, p->name.data, p->name.length);
    fn_buf_printf(out, "\" in the %s", fn_audit_field_name(p->field));
    break;
  case FN_AUDIT_STYLE:
    fn_buf_printf(out, "the %s's ", fn_audit_field_name(p->field));
    fn_buf_append(out, p->name.data, p->name.length);
    fn_buf_append_str(out, " (");
    fn_audit_describe_limit(out, p);
    fn_buf_append_char(out, ')');
    break;
  case FN_AUDIT_SOURCE: fn_buf_append_str(out, "the publisher"); break;
  case FN_AUDIT_DATASET: fn_buf_append_str(out, "the dataset's name"); break;
  }
}

static const char *keep(writer *w, const fn_buf *buf) {
  return fn_arena_strndup(&w->a->arena, buf->length ? buf->data : "", buf->length);
}

static fn_status finding(writer *w, fn_audit_level level, const char *code) {
  FN_TRY(fn_buf_check(&w->text, "a finding", w->err));
  FN_TRY(fn_buf_check(&w->setting, "a finding", w->err));
  fn_audit_finding *f = &w->findings[w->n++];
  *f = (fn_audit_finding){level, code, keep(w, &w->text), keep(w, &w->setting)};
  fn_buf_reset(&w->text);
  fn_buf_reset(&w->setting);
  return f->text && f->setting ? FN_OK : fn_err_no_memory(w->err, "a finding");
}

static fn_audit_level level_of(double balanced_accuracy) {
  if (balanced_accuracy >= FN_AUDIT_GIVES_AWAY) return FN_AUDIT_ALARM;
  return balanced_accuracy >= FN_AUDIT_STRONG ? FN_AUDIT_WARNING : FN_AUDIT_NOTE;
}

/* How to judge on publishers that train has not seen. */
static void suggest_unseen(writer *w) {
  const fn_audit_report *r = &w->a->report;
  if (r->n_sources_both_splits > 0)
    fn_buf_append_str(&w->setting, "data.split=group data.group=source; evaluate on another set");
  else if (r->n_datasets > 1)
    fn_buf_append_str(&w->setting, "data.leave_out=DATASET when training");
  else
    fn_buf_append_str(&w->setting, "evaluate on another set; a second dataset and data.leave_out");
}

static const fn_audit_probe *best(const fn_audit_report *r, fn_audit_kind kind) {
  const fn_audit_probe *found = NULL;
  for (size_t i = 0; i < r->n_probes; i++) {
    const fn_audit_probe *p = &r->probes[i];
    if (p->kind == kind && p->is_found && (!found || p->balanced_accuracy > found->balanced_accuracy)) found = p;
  }
  return found;
}

static fn_status about_probe(writer *w, fn_audit_kind kind) {
  const fn_audit_probe *p = best(&w->a->report, kind);
  if (!p || p->balanced_accuracy < FN_AUDIT_WEAK) return FN_OK;
  fn_audit_describe(&w->text, p);
  fn_buf_printf(&w->text, ": balanced accuracy %.3f alone", p->balanced_accuracy);
  switch (kind) {
  case FN_AUDIT_WORD:
    fn_buf_append_str(&w->setting, "data.rules=FILE with a rule that cuts it");
    if (p->field == FN_AUDIT_TITLE) fn_buf_append_str(&w->setting, "; or data.text=text");
    break;
  case FN_AUDIT_STYLE:
    if (p->field == FN_AUDIT_TITLE) fn_buf_append_str(&w->setting, "data.text=text; ");
    suggest_unseen(w);
    break;
  case FN_AUDIT_SOURCE:
    fn_buf_printf(&w->text, "; train knows that of %.1f %% of the rows", 100 * p->coverage);
    fn_buf_append_str(&w->setting, "data.split=group data.group=source");
    break;
  case FN_AUDIT_DATASET: fn_buf_append_str(&w->setting, "data.leave_out=DATASET when training"); break;
  }
  return finding(w, level_of(p->balanced_accuracy), fn_audit_kind_name(kind));
}

static const fn_audit_model *find_model(const fn_audit_report *r, const char *name, size_t removed) {
  for (size_t i = 0; i < r->n_models; i++)
    if (strcmp(r->models[i].name, name) == 0 && r->models[i].removed == removed) return &r->models[i];
  return NULL;
}

static fn_status about_models(writer *w) {
  const fn_audit_report *r = &w->a->report;
  const fn_audit_model *style = find_model(r, "style", 0), *left = find_model(r, "words", 100);
  if (style && style->balanced_accuracy >= FN_AUDIT_STRONG) {
    fn_buf_printf(&w->text, "lengths, marks and capitals together, without a single word, give %.3f",
                  style->balanced_accuracy);
    suggest_unseen(w);
    FN_TRY(finding(w, level_of(style->balanced_accuracy), "style_model"));
  }
  if (left && left->balanced_accuracy >= MODEL_WARNING) {
    fn_buf_printf(&w->text,
                  "no short list of words is to blame: without the 100 that give the most, words still give %.3f",
                  left->balanced_accuracy);
    suggest_unseen(w);
    FN_TRY(finding(w, FN_AUDIT_WARNING, "words_model"));
  }
  return FN_OK;
}

static double share_of(uint64_t part, uint64_t whole) {
  return whole ? (double)part / (double)whole : 0;
}

static fn_status about_overlap(writer *w) {
  const fn_audit_report *r = &w->a->report;
  const fn_audit_shared *s = r->shared[r->judged_on];
  uint64_t rows = r->n_judged[0] + r->n_judged[1];
  const char *split = fn_split_name(r->judged_on);
  uint64_t copies = s[FN_AUDIT_SHARE_TEXT].n_hit > s[FN_AUDIT_SHARE_HALF].n_hit ? s[FN_AUDIT_SHARE_TEXT].n_hit
                                                                                : s[FN_AUDIT_SHARE_HALF].n_hit;
  double share = share_of(copies, rows);
  if (share >= COPIES_WARNING) {
    fn_buf_printf(&w->text, "%.1f %% of the rows of %s stand in train, whole or by half of their sentences",
                  100 * share, split);
    fn_buf_append_str(&w->setting, "data.near_duplicates=0.5");
    FN_TRY(finding(w, share >= COPIES_ALARM ? FN_AUDIT_ALARM : FN_AUDIT_WARNING, "copies"));
  }
  if (s[FN_AUDIT_SHARE_CLUSTER].n_hit > 0) {
    fn_buf_printf(&w->text, "%llu rows of %s have near copies in train",
                  (unsigned long long)s[FN_AUDIT_SHARE_CLUSTER].n_hit, split);
    fn_buf_append_str(&w->setting, "prepare again: data prepare keeps a cluster in one split");
    FN_TRY(finding(w, FN_AUDIT_WARNING, "clusters"));
  }
  share = share_of(s[FN_AUDIT_SHARE_TITLE].n_hit, rows);
  if (share >= TITLES_WARNING) {
    fn_buf_printf(&w->text, "%.1f %% of the rows of %s have a title that train has, too", 100 * share, split);
    fn_buf_append_str(&w->setting, "data.split=group data.group=title");
    FN_TRY(finding(w, FN_AUDIT_WARNING, "titles"));
  }
  const fn_audit_shared *sentence = &s[FN_AUDIT_SHARE_SENTENCE];
  share = share_of(sentence->n_hit, rows);
  if (share >= SENTENCE_WARNING && share_of(sentence->n_same_label, sentence->n_hit) >= SENTENCE_LABEL) {
    fn_buf_printf(&w->text, "%.1f %% of the rows of %s share a sentence with train, and %.1f %% of these its label",
                  100 * share, split, 100 * share_of(sentence->n_same_label, sentence->n_hit));
    fn_buf_append_str(&w->setting, "data.rules=FILE with rules that cut boilerplate");
    FN_TRY(finding(w, FN_AUDIT_WARNING, "sentences"));
  }
  return FN_OK;
}

/* Stable: worst level first, within it the order of writing. */
static void sort_findings(writer *w) {
  for (size_t i = 1; i < w->n; i++)
    for (size_t k = i; k > 0 && w->findings[k - 1].level < w->findings[k].level; k--) {
      fn_audit_finding other = w->findings[k];
      w->findings[k] = w->findings[k - 1];
      w->findings[k - 1] = other;
    }
}

static void find_worst(fn_audit_report *r) {
  r->worst = 0.5;
  for (size_t i = 0; i < r->n_probes; i++) {
    if (!r->probes[i].is_found || r->probes[i].balanced_accuracy <= r->worst) continue;
    r->worst = r->probes[i].balanced_accuracy;
    r->worst_probe = &r->probes[i];
  }
}

static bool has_finding(const fn_audit_report *r, fn_audit_level level, bool overlap) {
  static const char *const shared[] = {"copies", "clusters", "titles", "sentences"};
  for (size_t i = 0; i < r->n_findings; i++) {
    bool is_overlap = false;
    for (size_t k = 0; k < FN_COUNT_OF(shared); k++) is_overlap |= strcmp(r->findings[i].code, shared[k]) == 0;
    if (is_overlap == overlap && r->findings[i].level >= level) return true;
  }
  return false;
}

static void write_verdict(writer *w) {
  fn_audit_report *r = &w->a->report;
  const fn_audit_model *words = find_model(r, "words", 0), *style = find_model(r, "style", 0);
  double reach = fmax(words ? words->accuracy : 0, style ? style->accuracy : 0);
  bool shares = has_finding(r, FN_AUDIT_WARNING, true);
  if (r->worst >= FN_AUDIT_GIVES_AWAY) {
    fn_buf_append_str(&w->text, "the label can be read off ");
    fn_audit_describe(&w->text, r->worst_probe);
    fn_buf_printf(&w->text, ": a model will score about %.2f here, and it means little", fmax(reach, r->worst));
  } else if (has_finding(r, FN_AUDIT_ALARM, false)) {
    fn_buf_printf(&w->text,
                  "the label can be read off the publishers' style: a model will score about %.2f here, and it means "
                  "little",
                  reach);
  } else if (has_finding(r, FN_AUDIT_WARNING, false)) {
    fn_buf_append_str(&w->text, "part of the label can be had without reading the article");
    if (shares) fn_buf_append_str(&w->text, ", and the splits share texts");
  } else {
    fn_buf_append_str(&w->text, r->worst_probe ? "no single feature gives the label away; the best is "
                                               : "no single feature says anything about the label");
    if (r->worst_probe) {
      fn_audit_describe(&w->text, r->worst_probe);
      fn_buf_printf(&w->text, " with %.3f", r->worst);
    }
    if (shares) fn_buf_append_str(&w->text, "; but the splits share texts");
  }
}

static fn_status conclude(writer *w) {
  static const fn_audit_kind kinds[] = {FN_AUDIT_WORD, FN_AUDIT_STYLE, FN_AUDIT_SOURCE, FN_AUDIT_DATASET};
  fn_audit_report *r = &w->a->report;
  find_worst(r);
  for (size_t i = 0; i < FN_COUNT_OF(kinds); i++) FN_TRY(about_probe(w, kinds[i]));
  FN_TRY(about_models(w));
  FN_TRY(about_overlap(w));
  sort_findings(w);
  r->findings = w->findings;
  r->n_findings = w->n;
  r->level = w->n ? w->findings[0].level : FN_AUDIT_NOTE;
  write_verdict(w);
  FN_TRY(fn_buf_check(&w->text, "the verdict", w->err));
  r->verdict = keep(w, &w->text);
  return r->verdict ? FN_OK : fn_err_no_memory(w->err, "the verdict");
}

fn_status fn_audit_conclude(fn_audit *a, fn_err *err) {
  writer w = {.a = a, .err = err, .findings = fn_arena_alloc(&a->arena, MAX_FINDINGS, sizeof(fn_audit_finding))};
  if (!w.findings) return fn_err_no_memory(err, "findings");
  fn_buf_init(&w.text, 1 << 16);
  fn_buf_init(&w.setting, 1 << 16);
  fn_status status = conclude(&w);
  fn_buf_deinit(&w.text);
  fn_buf_deinit(&w.setting);
  return status;
}
