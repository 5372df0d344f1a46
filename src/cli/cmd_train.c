/* fakenews train: progress on stderr, figures and the run's path on stdout. */
#include "cli/model_names.h"
#include "cli/train_progress.h"

#include <stdlib.h>

static fn_status print_result(const fn_cli *cli, const fn_train_result *r, const char *name, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  const struct {
    const char *title;
    const fn_metrics *metrics;
  } parts[] = {{"test", &r->test}, {"left out", &r->left_out}};
  for (size_t i = 0; i < FN_COUNT_OF(parts) && !cli->quiet; i++) {
    if (parts[i].metrics->n == 0) continue;
    const fn_metrics_entry entry = {.name = name, .metrics = parts[i].metrics};
    fn_metrics_format_table(&text, parts[i].title, &entry, 1);
    fn_buf_append_char(&text, '\n');
  }
  fn_buf_printf(&text, "%s\n", r->run);
  FN_TRY(fn_buf_check(&text, "the result", err));
  return fn_cli_print(fn_buf_str(&text), err);
}

/* What is told of the training: to a person, and to the store of runs. */
typedef struct telling {
  fn_train_progress progress;
  fn_cli_tracked *tracked; /* NULL: to nobody else */
} telling;

static bool on_event(void *arg, const fn_train_event *event) {
  telling *t = arg;
  fn_cli_tracked_event(t->tracked, event);
  return fn_train_progress_event(&t->progress, event);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_train_options options;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_train_option_table, err));
  telling t = {.progress = {.cli = cli,
                            .log_every = options.log_every,
                            .start_ns = fn_clock_ns(),
                            .has_steps = options.family == FN_FAMILY_BERT}};
  fn_train_progress *p = &t.progress;
  FN_AUTO_FREE char *init = NULL;
  if (fn_cli_get(args, "--init"))
    FN_TRY(fn_cli_fetch_model(&init, cli, fn_cli_get(args, "--init"), FN_WANT_DIRECTORY, err));
  FN_TRY(fn_cli_tracked_create(&t.tracked, cli, fn_cli_get(args, "--resume") != NULL, err));
  const fn_train_job job = {
      .config = cli->config,
      .tables = fn_cli_tables,
      .n_tables = fn_cli_n_tables,
      .data = fn_cli_get(args, "--data"),
      .init = init,
      .out = fn_cli_get(args, "--out"),
      .resume = fn_cli_get(args, "--resume"),
      .runs = "runs",
      .hub_cache = cli->hub_cache,
      .build = cli->version,
      .now_ms = fn_clock_unix_ms(),
      .sink = {on_event, &t},
  };
  fn_train_result result = {0};
  const fn_status status = fn_train(&result, &job, err);
  fn_cli_progress_end(cli);
  fn_cli_tracked_finish(t.tracked, status);
  fn_status printed = status;
  if (status == FN_OK) {
    fn_train_progress_done(p, &result);
    printed = print_result(cli, &result, p->has_steps ? "best checkpoint" : "model", err);
  } else if (result.run && status != FN_E_INVALID) {
    fn_cli_note(cli, "what was saved is kept; go on with: fakenews train --resume %s", result.run);
  }
  free(result.run);
  return printed;
}

static const fn_cli_flag flags[] = {
    {.name = "--data", .value = "DIR", .help = "folder that `data prepare` made"},
    {.name = "--init",
     .value = "DIR|NAME|scratch",
     .help = "what to start from: a Hugging Face directory, owner/name in the local Hub cache, models:/NAME@ALIAS, or "
             "scratch: a small new "
             "model with a vocabulary of its own"},
    {.name = "--out", .value = "RUN", .help = "run folder to make; default runs/<UTC time>-<name>"},
    {.name = "--resume", .value = "latest|RUN", .help = "goes on with a run that was stopped, bit for bit"},
    {0},
};

const fn_verb fn_verb_train = {
    .name = "train",
    .summary = "fine-tune a transformer, or train the linear family",
    .usage = "--data DIR [--init DIR|NAME|scratch] [--out RUN] [--resume latest|RUN] [key=value …]",
    .flags = flags,
    .options = "family name train. data.leave_out data.text model. linear. device. track.",
    .examples = "  fakenews train --data data/news --init scratch\n"
                "  fakenews train --data data/news --init sentence-transformers/all-MiniLM-L6-v2 train.epochs=2\n"
                "  fakenews train --data data/news family=linear\n"
                "  fakenews train --data data/news --init scratch 'track.sinks=[local,mlflow]' "
                "track.uri=http://localhost:5000\n"
                "  fakenews train --resume latest\n",
    .run = run,
};
