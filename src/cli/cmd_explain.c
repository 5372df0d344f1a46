/* fakenews explain: which sentences carry an answer. */
#include "cli/loading.h"
#include "infer/explain.h"
#include "infer/scoring.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct explain {
  const fn_cli *cli;
  fn_cli_model model;
  const fn_classifier_info *info;
  fn_explain_options options;
  fn_data_options columns;
  fn_input_options reading;
  fn_scoring_counts counts;
  const char *file; /* NULL: --title and --text */
  bool json;
  size_t width;
  fn_explanation explanation;
  fn_buf out;
} explain;

/* What is shown of an answer: the article and what was found of it. */
typedef struct shown {
  fn_article article;
  bool has_title;
  uint64_t row;
  const fn_explanation *e;
} shown;

static fn_str text_of(const shown *s, bool title, size_t begin, size_t end) {
  fn_str from = title ? s->article.title : s->article.text;
  return fn_str_make(from.data + begin, end - begin);
}

/* ---- JSON lines ---- */

static int by_contribution(const void *a, const void *b) {
  const fn_explained_part *const *x = a, *const *y = b;
  double p = isnan((*x)->contribution) ? -1.0 : fabs((*x)->contribution);
  double q = isnan((*y)->contribution) ? -1.0 : fabs((*y)->contribution);
  if (p != q) return p > q ? -1 : 1;
  return *x < *y ? -1 : *x > *y;
}

/* malloc'd, the greatest first; what has no contribution comes last. */
static fn_status rank(const fn_explained_part ***out, const fn_explanation *e, fn_err *err) {
  const fn_explained_part **ranked = fn_mem_calloc(e->n_parts, sizeof(fn_explained_part *));
  if (ranked == NULL) return fn_err_no_memory(err, "sentences");
  for (size_t i = 0; i < e->n_parts; i++) ranked[i] = &e->parts[i];
  qsort(ranked, e->n_parts, sizeof(fn_explained_part *), by_contribution);
  *out = ranked;
  return FN_OK;
}

static void write_place(fn_json_writer *w, const shown *s, bool title, size_t begin, size_t end) {
  fn_json_text(w, "part", title ? "title" : "text");
  fn_json_int(w, "begin", (int64_t)begin);
  fn_json_int(w, "end", (int64_t)end);
  fn_json_str(w, "text", text_of(s, title, begin, end));
}

static void write_answer(fn_json_writer *w, const explain *x, const shown *s) {
  const fn_prediction *p = &s->e->prediction;
  fn_json_text(w, "label", x->info->labels[p->label]);
  fn_json_object(w, "probabilities");
  for (int32_t k = 0; k < x->info->n_labels; k++) fn_json_double(w, x->info->labels[k], p->probabilities[k]);
  fn_json_end(w);
  fn_json_text(w, "verdict", fn_verdict_names[p->verdict]);
  fn_json_bool(w, "calibrated", p->calibrated);
  fn_json_array(w, "reasons");
  for (int i = 0; i < FN_N_REASONS; i++) {
    if (p->reasons & 1u << i) fn_json_text(w, NULL, fn_reason_names[i]);
  }
  fn_json_end(w);
  fn_json_double(w, "logit", s->e->logit);
  fn_json_int(w, "n_forwards", (int64_t)s->e->n_forwards);
  fn_json_int(w, "read_bytes", (int64_t)s->e->read_bytes);
}

static fn_status append_json(explain *x, const shown *s, fn_err *err) {
  const fn_explanation *e = s->e;
  FN_AUTO_FREE const fn_explained_part **ranked = NULL;
  fn_json_writer w;
  FN_TRY(rank(&ranked, e, err));
  fn_json_begin(&w, &x->out, 0);
  fn_json_object(&w, NULL);
  if (x->file != NULL) fn_json_text(&w, "file", x->file);
  fn_json_int(&w, "row", (int64_t)s->row);
  if (s->has_title) {
    fn_json_str(&w, "title", s->article.title);
  } else {
    fn_json_null(&w, "title");
  }
  write_answer(&w, x, s);
  fn_json_array(&w, "parts");
  for (size_t i = 0; i < e->n_parts; i++) {
    fn_json_object(&w, NULL);
    write_place(&w, s, ranked[i]->title, ranked[i]->begin, ranked[i]->end);
    fn_json_int(&w, "n_sentences", ranked[i]->n_sentences);
    fn_json_bool(&w, "read", ranked[i]->read);
    fn_json_double(&w, "contribution", ranked[i]->contribution);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_array(&w, "ngrams");
  for (size_t i = 0; i < e->n_ngrams; i++) {
    fn_json_object(&w, NULL);
    write_place(&w, s, e->ngrams[i].in_title, e->ngrams[i].begin, e->ngrams[i].end);
    fn_json_double(&w, "contribution", e->ngrams[i].contribution);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_text(&w, "model", x->info->id);
  fn_json_end(&w);
  fn_buf_append_char(&x->out, '\n');
  return FN_OK;
}

/* ---- for reading ---- */

/* "+++" to "---" by size beside the greatest; readable without colours. */
static const char *mark_of(double contribution, double greatest) {
  static const char *const marks[2][4] = {{"   ", "  +", " ++", "+++"}, {"   ", "  -", " --", "---"}};
  double share = greatest > 0.0 && !isnan(contribution) ? fabs(contribution) / greatest : 0.0;
  int size = share > 2.0 / 3.0 ? 3 : share > 1.0 / 3.0 ? 2 : share > 0.1 ? 1 : 0;
  return marks[contribution < 0.0][size];
}

static void set_colour(explain *x, double contribution, const char *mark) {
  if (x->cli->color && mark[2] != ' ') fn_buf_append_str(&x->out, contribution > 0.0 ? "\033[1;33m" : "\033[1;36m");
}
static void end_colour(explain *x, const char *mark) {
  if (x->cli->color && mark[2] != ' ') fn_buf_append_str(&x->out, "\033[0m");
}

/* Text that may hold anything, wrapped behind what is on the line. */
static void append_text(explain *x, fn_str text, size_t column, size_t max) {
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 0);
  fn_print_line(&line, text, max);
  if (line.failed) x->out.failed = true;
  fn_buf_append_wrapped(&x->out, line.data ? line.data : "", column, column, x->width);
}

static void append_verdict(explain *x, const shown *s) {
  const fn_prediction *p = &s->e->prediction;
  fn_buf_printf(&x->out, "model    %s\nverdict  %s: %s is %.4f probable (%s)\n", x->info->id,
                fn_verdict_names[p->verdict], x->info->labels[p->label], p->probabilities[p->label],
                p->calibrated ? "calibrated" : "not calibrated: the model's own figure");
  for (int i = 0; i < FN_N_REASONS; i++) {
    if (!(p->reasons & 1u << i)) continue;
    fn_buf_printf(&x->out, "careful  %s: ", fn_reason_names[i]);
    fn_buf_append_wrapped(&x->out, fn_reason_meanings[i], 11 + strlen(fn_reason_names[i]), 9, x->width);
    fn_buf_append_char(&x->out, '\n');
  }
}

static void append_ranking(explain *x, const shown *s, const fn_explained_part *const *ranked, double greatest) {
  enum { SHOWN = 5 };
  const fn_explanation *e = s->e;
  fn_buf_append_str(&x->out, "\nwhat the strongest sentences add to the logit of fake\n");
  for (size_t i = 0, n = 0; i < e->n_parts && n < SHOWN && !isnan(ranked[i]->contribution); i++, n++) {
    const fn_explained_part *part = ranked[i];
    const char *mark = mark_of(part->contribution, greatest);
    set_colour(x, part->contribution, mark);
    fn_buf_printf(&x->out, "%s %+8.3f", mark, part->contribution);
    end_colour(x, mark);
    fn_buf_append_str(&x->out, part->title ? "  title: " : "  ");
    append_text(x, text_of(s, part->title, part->begin, part->end), 14, 160);
    fn_buf_append_char(&x->out, '\n');
  }
  if (e->n_parts == 0 || isnan(ranked[0]->contribution))
    fn_buf_append_str(&x->out, "  nothing: there is one sentence only, and without it no article\n");
}

static void append_ngrams(explain *x, const shown *s) {
  const fn_explanation *e = s->e;
  if (e->n_ngrams == 0) return;
  fn_buf_append_str(&x->out, "\nwords of the linear half, and what they add to the logit\n");
  for (size_t i = 0; i < e->n_ngrams; i++) {
    const fn_linear_ngram *g = &e->ngrams[i];
    fn_buf_printf(&x->out, "    %+8.3f  ", g->contribution);
    append_text(x, text_of(s, g->in_title, g->begin, g->end), 14, 60);
    fn_buf_append_char(&x->out, '\n');
  }
}

static void append_article(explain *x, const shown *s, double greatest) {
  const fn_explanation *e = s->e;
  fn_buf_append_str(&x->out, "\nthe article: + speaks for fake, - for real\n");
  for (size_t i = 0; i < e->n_parts; i++) {
    const fn_explained_part *part = &e->parts[i];
    const char *mark = mark_of(part->contribution, greatest);
    set_colour(x, part->contribution, mark);
    fn_buf_append_str(&x->out, part->read ? mark : "...");
    end_colour(x, mark);
    fn_buf_append_str(&x->out, "  ");
    append_text(x, text_of(s, part->title, part->begin, part->end), 5, 4096);
    fn_buf_append_str(&x->out, part->title ? "\n\n" : "\n");
  }
  if (e->n_parts > 0 && !e->parts[e->n_parts - 1].read)
    fn_buf_append_str(&x->out, "... was not read (infer.max_tokens, infer.long)\n");
}

static fn_status append_report(explain *x, const shown *s, fn_err *err) {
  FN_AUTO_FREE const fn_explained_part **ranked = NULL;
  FN_TRY(rank(&ranked, s->e, err));
  double greatest = s->e->n_parts > 0 ? fabs(ranked[0]->contribution) : 0.0;
  if (x->counts.n_rows > 1) fn_buf_append_char(&x->out, '\n');
  if (x->file != NULL) fn_buf_printf(&x->out, "%s, row %llu\n", x->file, (unsigned long long)s->row);
  append_verdict(x, s);
  append_ranking(x, s, ranked, greatest);
  append_ngrams(x, s);
  append_article(x, s, greatest);
  return FN_OK;
}

/* ---- */

static fn_status show(explain *x, const shown *s, fn_err *err) {
  FN_TRY(x->json ? append_json(x, s, err) : append_report(x, s, err));
  FN_TRY(fn_buf_check(&x->out, "an explanation", err));
  FN_TRY(fn_cli_print(fn_buf_str(&x->out), err));
  fn_buf_reset(&x->out);
  return FN_OK;
}

static fn_status on_row(void *arg, const fn_scored_row *row, fn_err *err) {
  explain *x = arg;
  x->counts.n_rows++;
  if (row->prediction == NULL) {
    x->counts.n_refused++;
    fn_cli_warn(x->cli, "%s", row->message);
    return FN_OK;
  }
  const fn_article article = {.title = row->title, .text = row->text};
  fn_err why = {0};
  fn_status status = fn_explain(&x->explanation, x->model.session, &article, &x->options, &why);
  if (status == FN_E_LIMIT) { /* this article alone */
    x->counts.n_refused++;
    fn_cli_warn(x->cli, "row %llu: %s", (unsigned long long)row->row, why.message);
    return FN_OK;
  }
  if (status != FN_OK) return fn_err_set(err, status, "%s", why.message);
  FN_TRY(show(x, &(shown){article, row->has_title, row->row, &x->explanation}, err));
  return fn_cli_stop_requested() ? fn_err_set(err, FN_E_CANCELLED, "stopped") : FN_OK;
}

static fn_status take_file(explain *x, const char *path, fn_err *err) {
  fn_input *input;
  fn_scoring_counts counts = {0}; /* ours count while rows come */
  FN_TRY(fn_input_open(&input, path, &x->reading, err));
  x->file = path;
  fn_status status = fn_score_input(&counts, input, x->model.session, &x->columns, on_row, x, err);
  fn_input_close(input);
  return status;
}

static fn_status take_article(explain *x, const char *title, const char *text, fn_err *err) {
  const fn_article article = {.title = fn_str_from(title), .text = fn_str_from(text)};
  if (!fn_utf8_valid(article.title, NULL)) return fn_err_set(err, FN_E_INVALID, "--title is not UTF-8");
  if (!fn_utf8_valid(article.text, NULL)) return fn_err_set(err, FN_E_INVALID, "--text is not UTF-8");
  FN_TRY(fn_explain(&x->explanation, x->model.session, &article, &x->options, err));
  const fn_prediction *p = &x->explanation.prediction;
  if (p->status != FN_OK) return fn_err_set(err, p->status, "--title, --text: %s", p->message);
  x->counts.n_rows++;
  return show(x, &(shown){article, title != NULL, 0, &x->explanation}, err);
}

static fn_status choose_format(explain *x, const char *name, fn_err *err) {
  x->json = !x->cli->tty_out;
  if (name == NULL) return FN_OK;
  x->json = strcmp(name, "jsonl") == 0;
  if (x->json || strcmp(name, "text") == 0) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "--format takes text or jsonl, not \"%.40s\"", name);
}

static fn_status explain_all(explain *x, const fn_cli_args *args, fn_err *err) {
  const char *title = fn_cli_get(args, "--title"), *text = fn_cli_get(args, "--text");
  const bool article = title != NULL || text != NULL;
  if (article == (args->n_rest > 0))
    return fn_err_set(err, FN_E_INVALID, "give one article with --text and --title, or FILE (CSV, JSON lines or text)");
  FN_TRY(choose_format(x, fn_cli_get(args, "--format"), err));
  FN_TRY(fn_config_fill(&x->columns, x->cli->config, &fn_data_option_table, err));
  FN_TRY(fn_config_fill(&x->options, x->cli->config, &fn_explain_option_table, err));
  FN_TRY(fn_input_options_from(&x->reading, &x->columns, err));
  FN_TRY(fn_cli_load_model(&x->model, x->cli, fn_cli_get(args, "--model"), err));
  x->info = fn_classifier_get_info(x->model.classifier);
  if (article) return take_article(x, title, text, err);
  for (size_t i = 0; i < args->n_rest; i++) FN_TRY(take_file(x, args->rest[i], err));
  if (x->counts.n_refused == 0) return FN_OK;
  return fn_err_set(err, FN_E_PARTIAL, "%llu of %llu rows were refused", (unsigned long long)x->counts.n_refused,
                    (unsigned long long)x->counts.n_rows);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  explain x = {.cli = cli, .width = (size_t)fn_cli_width(STDOUT_FILENO)};
  fn_buf_init(&x.out, 0);
  fn_status status = explain_all(&x, args, err);
  fn_explanation_deinit(&x.explanation);
  fn_buf_deinit(&x.out);
  fn_cli_unload_model(&x.model);
  return status;
}

static const fn_cli_flag flags[] = {
    FN_CLI_MODEL_FLAG,
    {.name = "--text", .value = "TEXT", .help = "one article instead of files: its text"},
    {.name = "--title", .value = "TEXT", .help = "its title"},
    {.name = "--format",
     .value = "text|jsonl",
     .help = "form of the output; without it: text on a terminal, else JSON lines"},
    {0},
};

const fn_verb fn_verb_explain = {
    .name = "explain",
    .summary = "which sentences carry an answer; what changes when each is left out",
    .usage = "[--model FILE|DIR] [--text TEXT] [--title TEXT] [FILE …] [--format text|jsonl] [key=value …]",
    .flags = flags,
    .options = "explain. infer. data.format data.encoding data.delimiter data.columns.title data.columns.text device.",
    .takes_rest = true,
    .examples =
        "  fakenews explain --text \"Scientists admit that the moon is rented. The city confirmed the price.\"\n"
        "  fakenews explain --model runs/latest article.txt --format text\n",
    .run = run,
};
