/* fakenews log list|show|export|rm|purge: the prediction log from the command line. */
#include "cli/log_support.h"
#include "data/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const formats[] = {"text", "jsonl", "csv"};
enum { AS_TEXT, AS_JSONL, AS_CSV };

/* Rows on their way out. */
typedef struct output {
  const fn_cli *cli;
  int format;
  bool with_feedback, all_labels;
  fn_writer writer; /* of --out; not open: standard output */
  fn_buf buf;
  uint64_t n, n_other, n_without_text;
} output;

static fn_status flush(output *o, fn_err *err) {
  FN_TRY(fn_buf_check(&o->buf, "rows of the log", err));
  const fn_status status = o->writer.file ? fn_writer_write(&o->writer, o->buf.data, o->buf.length, err)
                                          : fn_cli_print(fn_buf_str(&o->buf), err);
  fn_buf_reset(&o->buf);
  return status;
}

static void append_probability(fn_buf *out, double p) {
  if (p == p)
    fn_buf_printf(out, "%6.4f", p);
  else
    fn_buf_append_str(out, "     –");
}

/* ---- list ---- */

static fn_status list_row(void *arg, const fn_stored_prediction *s, const fn_last_feedback *feedback, fn_err *err) {
  output *o = arg;
  (void)feedback;
  o->n++;
  if (o->format == AS_JSONL) {
    fn_json_writer w;
    fn_json_begin(&w, &o->buf, 0);
    FN_TRY(fn_stored_prediction_format(&w, NULL, s, err));
    fn_buf_append_char(&o->buf, '\n');
    return flush(o, err);
  }
  char time[21];
  fn_clock_format(time, s->time_ms);
  fn_buf_printf(&o->buf, "%s  %-34s  %-6s  ", time, s->id, *s->verdict ? s->verdict : s->label);
  append_probability(&o->buf, s->p_fake);
  fn_buf_printf(&o->buf, "  %-28s  ", s->model);
  if (s->title.data)
    fn_print_line(&o->buf, s->title, 60);
  else
    fn_buf_append_str(&o->buf, s->route);
  fn_buf_append_char(&o->buf, '\n');
  return flush(o, err);
}

static fn_status list_disputed_row(void *arg, const fn_disputed *d, fn_err *err) {
  output *o = arg;
  char time[21];
  o->n++;
  if (o->format == AS_JSONL) {
    fn_json_writer w;
    fn_json_begin(&w, &o->buf, 0);
    fn_json_object(&w, NULL);
    fn_json_str(&w, "prediction_id", d->prediction_id);
    fn_json_str(&w, "label", d->label);
    fn_json_double(&w, "p_fake", d->p_fake);
    fn_json_text(&w, "feedback", fn_feedback_label_names[d->feedback.label]);
    fn_json_str(&w, "name", d->feedback.name);
    fn_json_str(&w, "reason", d->feedback.reason);
    fn_json_int(&w, "time_ms", d->entry.time_ms);
    fn_json_end(&w);
  } else {
    fn_clock_format(time, d->entry.time_ms);
    fn_buf_printf(&o->buf, "%s  %.*s  %.*s ", time, (int)d->prediction_id.length, d->prediction_id.data,
                  (int)d->label.length, d->label.data);
    append_probability(&o->buf, d->p_fake);
    fn_buf_printf(&o->buf, "  but %s", fn_feedback_label_names[d->feedback.label]);
    if (d->feedback.name.length) fn_buf_append_str(&o->buf, ", says ");
    fn_print_line(&o->buf, d->feedback.name, 40);
    if (d->feedback.reason.length) fn_buf_append_str(&o->buf, ": ");
    fn_print_line(&o->buf, d->feedback.reason, 80);
  }
  fn_buf_append_char(&o->buf, '\n');
  return flush(o, err);
}

static fn_status parse_limit(int64_t *out, const char *text, fn_err *err) {
  if (!text) return FN_OK;
  if (fn_str_to_int64(out, fn_str_from(text)) && *out >= 1) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "--limit takes a whole number from 1, not \"%.40s\"", text);
}

static fn_status parse_period(fn_browse_filter *filter, const fn_cli_args *args, fn_err *err) {
  FN_TRY(fn_cli_parse_time(&filter->since_ms, "--since", fn_cli_get(args, "--since"), err));
  return fn_cli_parse_time(&filter->until_ms, "--until", fn_cli_get(args, "--until"), err);
}

static fn_status list(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  output o = {.cli = cli, .format = cli->tty_out ? AS_TEXT : AS_JSONL};
  fn_browse_filter filter = {.limit = 20, .newest_first = true};
  FN_TRY(parse_limit(&filter.limit, fn_cli_get(args, "--limit"), err));
  FN_TRY(parse_period(&filter, args, err));
  FN_TRY(fn_cli_parse_choice(&o.format, "--format", fn_cli_get(args, "--format"), formats, 2, err));
  fn_sql *sql = NULL;
  FN_TRY(fn_cli_open_log(&sql, cli, true, err));
  fn_buf_init(&o.buf, 0);
  const fn_status status =
      fn_cli_get(args, "--disputed")
          ? fn_feedback_list_disputed(sql, filter.since_ms, filter.until_ms, filter.limit, list_disputed_row, &o, err)
          : fn_browse(sql, &filter, list_row, &o, err);
  fn_buf_deinit(&o.buf);
  fn_sql_close(sql);
  if (status == FN_OK && o.n == 0) fn_cli_note(cli, "no such predictions");
  return status;
}

/* ---- show ---- */

static fn_status show_feedback(void *arg, const fn_feedback *f, const fn_feedback_entry *e, bool latest, fn_err *err) {
  fn_json_writer *w = arg;
  char time[21];
  (void)err;
  fn_clock_format(time, e->time_ms);
  fn_json_object(w, NULL);
  fn_json_text(w, "id", e->id);
  fn_json_text(w, "time", time);
  fn_json_text(w, "label", fn_feedback_label_names[f->label]);
  fn_json_str(w, "name", f->name);
  fn_json_str(w, "reason", f->reason);
  fn_json_text(w, "corrects", e->corrects[0] ? e->corrects : NULL);
  fn_json_bool(w, "latest", latest);
  fn_json_end(w);
  return FN_OK;
}

static fn_status show_one(fn_buf *out, fn_sql *sql, const char *id, fn_err *err) {
  fn_stored_prediction *stored = NULL;
  fn_json_writer w;
  FN_TRY(fn_prediction_load(&stored, sql, fn_str_from(id), err));
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_status status = fn_stored_prediction_format(&w, "prediction", stored, err);
  fn_json_array(&w, "feedback");
  int64_t n = 0;
  if (status == FN_OK)
    status = fn_feedback_list(&n, sql, fn_str_from(id), FN_FEEDBACK_MAX_REMARKS, show_feedback, &w, err);
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
  fn_stored_prediction_destroy(stored);
  return status;
}

static fn_status show(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  FN_TRY(fn_cli_check_ids(args, 1, "log show takes one id, as `fakenews log list` prints it", err));
  fn_sql *sql = NULL;
  FN_TRY(fn_cli_open_log(&sql, cli, true, err));
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  fn_status status = show_one(&out, sql, args->rest[0], err);
  fn_sql_close(sql);
  if (status == FN_OK) status = fn_buf_check(&out, "a prediction", err);
  return status == FN_OK ? fn_cli_print(fn_buf_str(&out), err) : status;
}

/* ---- export ---- */

/* Columns that `data prepare` reads, then what helps people. */
static const char *const training_columns[] = {"title", "text",      "label",  "source", "prediction_id", "time",
                                               "model", "predicted", "p_fake", "name",   "reason"};
static const char *const columns[] = {"id",         "time",    "route",    "client",    "model",
                                      "title",      "text",    "label",    "verdict",   "p_fake",
                                      "calibrated", "reasons", "n_tokens", "n_windows", "truncated"};

static void append_header(output *o) {
  fn_str fields[16];
  const char *const *names = o->with_feedback ? training_columns : columns;
  const size_t n = o->with_feedback ? FN_COUNT_OF(training_columns) : FN_COUNT_OF(columns);
  for (size_t i = 0; i < n; i++) fields[i] = fn_str_from(names[i]);
  fn_csv_append_record(&o->buf, fields, n);
}

static void append_csv(output *o, const fn_stored_prediction *s) {
  char time[21], tokens[24], windows[24];
  FN_AUTO_BUF fn_buf p;
  fn_buf_init(&p, 64);
  fn_clock_format(time, s->time_ms);
  snprintf(tokens, sizeof tokens, "%lld", (long long)s->n_tokens);
  snprintf(windows, sizeof windows, "%lld", (long long)s->n_windows);
  if (s->p_fake == s->p_fake) fn_buf_append_double(&p, s->p_fake);
  const fn_str fields[] = {fn_str_from(s->id),
                           fn_str_from(time),
                           fn_str_from(s->route),
                           fn_str_from(s->client),
                           fn_str_from(s->model),
                           s->title,
                           s->text,
                           fn_str_from(s->label),
                           fn_str_from(s->verdict),
                           fn_buf_str(&p),
                           fn_str_from(s->calibrated ? "true" : "false"),
                           fn_str_from(s->reasons),
                           fn_str_from(tokens),
                           fn_str_from(windows),
                           fn_str_from(s->truncated ? "true" : "false")};
  fn_csv_append_record(&o->buf, fields, FN_COUNT_OF(fields));
}

/* A row to train on: its text, and what people last said of it. */
static void append_training(output *o, const fn_stored_prediction *s, const fn_last_feedback *feedback) {
  char time[21];
  FN_AUTO_BUF fn_buf p;
  fn_buf_init(&p, 64);
  fn_clock_format(time, s->time_ms);
  if (s->p_fake == s->p_fake) fn_buf_append_double(&p, s->p_fake);
  const fn_str fields[] = {s->title,
                           s->text,
                           fn_str_from(fn_feedback_label_names[feedback->label]),
                           fn_str_from("feedback"),
                           fn_str_from(s->id),
                           fn_str_from(time),
                           fn_str_from(s->model),
                           fn_str_from(s->label),
                           fn_buf_str(&p),
                           fn_str_from(feedback->name),
                           fn_str_from(feedback->reason)};
  if (o->format == AS_CSV) {
    fn_csv_append_record(&o->buf, fields, FN_COUNT_OF(fields));
    return;
  }
  fn_json_writer w;
  fn_json_begin(&w, &o->buf, 0);
  fn_json_object(&w, NULL);
  for (size_t i = 0; i < FN_COUNT_OF(fields); i++) {
    if (strcmp(training_columns[i], "p_fake") == 0)
      fn_json_double(&w, "p_fake", s->p_fake);
    else
      fn_json_str(&w, training_columns[i], fields[i]);
  }
  fn_json_end(&w);
  fn_buf_append_char(&o->buf, '\n');
}

static fn_status export_row(void *arg, const fn_stored_prediction *s, const fn_last_feedback *feedback, fn_err *err) {
  output *o = arg;
  if (fn_cli_stop_requested()) return fn_err_set(err, FN_E_CANCELLED, "stopped");
  if (feedback && s->text_kept != FN_TEXT_KEEP_FULL) return o->n_without_text++, FN_OK;
  if (feedback && !o->all_labels && feedback->label > FN_FEEDBACK_FAKE) return o->n_other++, FN_OK;
  o->n++;
  if (feedback) {
    append_training(o, s, feedback);
  } else if (o->format == AS_CSV) {
    append_csv(o, s);
  } else {
    fn_json_writer w;
    fn_json_begin(&w, &o->buf, 0);
    FN_TRY(fn_stored_prediction_format(&w, NULL, s, err));
    fn_buf_append_char(&o->buf, '\n');
  }
  return o->buf.length >= 1 << 16 ? flush(o, err) : FN_OK;
}

static void explain_export(const output *o) {
  if (o->n_without_text)
    fn_cli_note(o->cli,
                "left out with their feedback, as their texts were not kept: %llu (predictions.text=full keeps them)",
                (unsigned long long)o->n_without_text);
  if (o->n_other)
    fn_cli_note(o->cli, "left out because people call them satire, opinion or mixed: %llu (--labels all takes them)",
                (unsigned long long)o->n_other);
  if (o->n == 0) fn_cli_note(o->cli, "no such predictions");
}

static fn_status export_all(output *o, fn_sql *sql, const fn_browse_filter *filter, const char *path, fn_err *err) {
  if (path && strcmp(path, "-") != 0) FN_TRY(fn_writer_open(&o->writer, path, err));
  if (o->format == AS_CSV) append_header(o);
  FN_TRY(fn_browse(sql, filter, export_row, o, err));
  FN_TRY(flush(o, err));
  return o->writer.file ? fn_writer_commit(&o->writer, err) : FN_OK;
}

static fn_status export_rows(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  static const char *const label_choices[] = {"real-fake", "all"};
  output o = {.cli = cli, .format = 0, .with_feedback = fn_cli_get(args, "--with-feedback") != NULL};
  fn_browse_filter filter = {.with_feedback = o.with_feedback};
  int labels = 0;
  FN_TRY(parse_period(&filter, args, err));
  FN_TRY(fn_cli_parse_choice(&o.format, "--format", fn_cli_get(args, "--format"), formats + 1, 2, err));
  FN_TRY(fn_cli_parse_choice(&labels, "--labels", fn_cli_get(args, "--labels"), label_choices, 2, err));
  o.format += AS_JSONL;
  o.all_labels = labels == 1;
  fn_sql *sql = NULL;
  FN_TRY(fn_cli_open_log(&sql, cli, true, err));
  fn_buf_init(&o.buf, 0);
  const fn_status status = export_all(&o, sql, &filter, fn_cli_get(args, "--out"), err);
  fn_writer_abort(&o.writer);
  fn_buf_deinit(&o.buf);
  fn_sql_close(sql);
  if (status == FN_OK) explain_export(&o);
  return status;
}

/* ---- rm, purge ---- */

static fn_status rm(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  FN_TRY(fn_cli_check_ids(args, SIZE_MAX, "log rm takes the ids of the predictions to delete", err));
  fn_sql *sql = NULL;
  FN_TRY(fn_cli_open_log(&sql, cli, false, err));
  fn_status status = FN_OK;
  for (size_t i = 0; i < args->n_rest && status == FN_OK; i++)
    status = fn_database_remove(sql, fn_str_from(args->rest[i]), err);
  if (status == FN_OK) status = fn_sql_compact(sql, err);
  fn_sql_close(sql);
  return status;
}

static fn_status purge_all(uint64_t *n, fn_sql *sql, int64_t before_ms, fn_err *err) {
  for (size_t some = 1; some > 0; *n += some) {
    if (fn_cli_stop_requested()) return fn_err_set(err, FN_E_CANCELLED, "stopped after %llu", (unsigned long long)*n);
    FN_TRY(fn_database_purge(&some, sql, before_ms, 500, err));
  }
  return *n > 0 ? fn_sql_compact(sql, err) : FN_OK;
}

static fn_status purge(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_predictions_options options;
  uint64_t n = 0;
  int64_t before_ms = INT64_MIN;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_predictions_option_table, err));
  if (options.keep_days != INT64_MIN) before_ms = fn_clock_unix_ms() - options.keep_days * 86400000;
  FN_TRY(fn_cli_parse_time(&before_ms, "--before", fn_cli_get(args, "--before"), err));
  if (before_ms == INT64_MIN)
    return fn_err_set(err, FN_E_INVALID, "predictions.keep_days is null: say with --before what is to be deleted");
  fn_sql *sql = NULL;
  FN_TRY(fn_cli_open_log(&sql, cli, false, err));
  const fn_status status = purge_all(&n, sql, before_ms, err);
  fn_sql_close(sql);
  if (status == FN_OK) fn_cli_note(cli, "%llu prediction%s deleted", (unsigned long long)n, n == 1 ? " was" : "s were");
  return status;
}

/* ---- verbs ---- */

#define PERIOD                                                                                                         \
  {.name = "--since", .value = "TIME", .help = "from this time on: a day, a time, or how long ago (90d, 12h, 30m)"}, { \
    .name = "--until", .value = "TIME", .help = "before this time"                                                     \
  }

static const fn_cli_flag list_flags[] = {
    {.name = "--limit", .value = "N", .help = "how many, the latest first (default: 20)"},
    PERIOD,
    {.name = "--disputed", .help = "those that somebody's latest feedback contradicts, with what was said"},
    {.name = "--format", .value = "text|jsonl", .help = "default: text on a terminal, else jsonl"},
    {0},
};

const fn_verb fn_verb_log_list = {
    .name = "log",
    .sub = "list",
    .summary = "the latest predictions of the log, or the disputed ones",
    .usage = "[--limit N] [--since TIME] [--until TIME] [--disputed] [--format text|jsonl] [key=value …]",
    .flags = list_flags,
    .options = "predictions.url",
    .examples = "  fakenews log list --since 12h\n"
                "  fakenews log list --disputed --limit 100\n",
    .run = list,
};

static const fn_cli_flag no_flags[] = {{0}};

const fn_verb fn_verb_log_show = {
    .name = "log",
    .sub = "show",
    .summary = "one prediction with its feedback, as JSON",
    .usage = "ID [key=value …]",
    .flags = no_flags,
    .options = "predictions.url",
    .takes_rest = true,
    .examples = "  fakenews log show p_0123456789abcdef0123456789abcdef\n",
    .run = show,
};

static const fn_cli_flag export_flags[] = {
    {.name = "--format", .value = "jsonl|csv", .help = "default: jsonl"},
    {.name = "--out",
     .value = "FILE",
     .help = "write to FILE, which appears when it is whole (default: standard output)"},
    PERIOD,
    {.name = "--with-feedback",
     .help = "only predictions with feedback and text, labelled with what people last said: input for `data prepare`"},
    {.name = "--labels",
     .value = "real-fake|all",
     .help = "with --with-feedback: `all` keeps satire, opinion and mixed under their names (default: real-fake)"},
    {0},
};

const fn_verb fn_verb_log_export = {
    .name = "log",
    .sub = "export",
    .summary = "predictions as JSON lines or CSV; or as labelled rows to train on",
    .usage =
        "[--format jsonl|csv] [--out FILE] [--since TIME] [--until TIME] [--with-feedback] [--labels real-fake|all] "
        "[key=value …]",
    .flags = export_flags,
    .options = "predictions.url",
    .examples = "  fakenews log export --since 2026-11-01 --out november.jsonl\n"
                "  fakenews log export --with-feedback --format csv --out feedback.csv\n"
                "  fakenews data prepare --input feedback.csv --out data/feedback\n",
    .run = export_rows,
};

const fn_verb fn_verb_log_rm = {
    .name = "log",
    .sub = "rm",
    .summary = "delete predictions with their feedback",
    .usage = "ID … [key=value …]",
    .flags = no_flags,
    .options = "predictions.url",
    .takes_rest = true,
    .examples = "  fakenews log rm p_0123456789abcdef0123456789abcdef\n",
    .run = rm,
};

static const fn_cli_flag purge_flags[] = {
    {.name = "--before",
     .value = "TIME",
     .help = "delete what is older than this (default: predictions.keep_days ago)"},
    {0},
};

const fn_verb fn_verb_log_purge = {
    .name = "log",
    .sub = "purge",
    .summary = "delete old predictions now, with their feedback",
    .usage = "[--before TIME] [key=value …]",
    .flags = purge_flags,
    .options = "predictions.url predictions.keep_days",
    .examples = "  fakenews log purge\n"
                "  fakenews log purge --before 30d\n",
    .run = purge,
};
