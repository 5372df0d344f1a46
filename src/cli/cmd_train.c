/* fakenews train: progress on stderr, figures and the run's path on stdout. */
#include "cli/cli.h"
#include "train/train.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { REDRAW_MS = 100, MIN_WIDTH = 40, MAX_WIDTH = 200 };

/* What the progress line is made of. */
typedef struct progress {
  const fn_cli *cli;
  int64_t log_every;
  uint64_t begin_ns, step_ns, drawn_ns; /* start; end of the latest step or pause; latest drawing */
  int64_t first_step;                   /* steps that were done before this process */
  double loss;                          /* smoothed */
  double tokens_per_second;             /* smoothed, steps alone */
  bool bar_shown;
} progress;

static int terminal_width(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col < MIN_WIDTH ? MIN_WIDTH : size.ws_col > MAX_WIDTH ? MAX_WIDTH : size.ws_col;
}

static void clear_bar(progress *p) {
  if (p->bar_shown) fputs("\r\033[K", stderr);
  p->bar_shown = false;
}

/* "1:02:03" or "2:03" */
static const char *duration(char out[32], double seconds) {
  const long long s = (long long)(seconds + 0.5);
  if (s >= 3600)
    snprintf(out, 32, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
  else
    snprintf(out, 32, "%lld:%02lld", s / 60, s % 60);
  return out;
}

/* Seconds to the end, evaluations and checkpoints so far spread over the steps. */
static double eta(const progress *p, const fn_train_event *e, uint64_t now) {
  const int64_t done = e->step - p->first_step;
  return done > 0 ? (double)(now - p->begin_ns) / 1e9 / (double)done * (double)(e->n_steps - e->step) : 0;
}

static void draw_bar(progress *p, const fn_train_event *e, const char *tail, double share) {
  char head[64], bar[64];
  const int width = terminal_width();
  snprintf(head, sizeof head, "epoch %lld/%lld  step %lld/%lld  ", (long long)e->epoch, (long long)e->n_epochs,
           (long long)e->step, (long long)e->n_steps);
  int room = width - 1 - (int)strlen(head) - (int)strlen(tail) - 3;
  if (room > 40) room = 40;
  bar[0] = '\0';
  if (room >= 5) {
    const int full = (int)(share * room);
    int n = 0;
    bar[n++] = '[';
    for (int i = 0; i < room; i++) bar[n++] = i < full ? '=' : i == full ? '>' : ' ';
    bar[n++] = ']';
    bar[n++] = ' ';
    bar[n] = '\0';
  }
  fprintf(stderr, "\r\033[K%.*s%s%.*s", width - 1, head, bar, width, tail);
  fflush(stderr);
  p->bar_shown = true;
  p->drawn_ns = fn_clock_ns();
}

static void on_step(progress *p, const fn_train_event *e) {
  const uint64_t now = fn_clock_ns();
  const double seconds = (double)(now - p->step_ns) / 1e9, rate = seconds > 0 ? (double)e->n_tokens / seconds : 0;
  const bool first = e->step == p->first_step + 1;
  p->step_ns = now;
  p->loss = first ? e->loss : 0.95 * p->loss + 0.05 * e->loss;
  p->tokens_per_second = first ? rate : 0.95 * p->tokens_per_second + 0.05 * rate;
  char left[32], text[160];
  duration(left, eta(p, e, now));
  if (p->cli->tty_err) {
    if (now - p->drawn_ns < REDRAW_MS * 1000000ull && e->step < e->n_steps) return;
    snprintf(text, sizeof text, "loss %.4f  %.0f tokens/s  ETA %s", p->loss, p->tokens_per_second, left);
    draw_bar(p, e, text, (double)e->step / (double)e->n_steps);
  } else if (e->step % p->log_every == 0) {
    fprintf(stderr, "step %lld/%lld  epoch %lld/%lld  loss %.4f  lr %.3g  %.0f tokens/s  ETA %s\n", (long long)e->step,
            (long long)e->n_steps, (long long)e->epoch, (long long)e->n_epochs, p->loss, e->learning_rate,
            p->tokens_per_second, left);
  }
}

static void on_evaluation(progress *p, const fn_train_event *e) {
  if (!e->metrics) {
    char text[96];
    p->step_ns = fn_clock_ns();
    if (!p->cli->tty_err || p->step_ns - p->drawn_ns < REDRAW_MS * 1000000ull) return;
    snprintf(text, sizeof text, "evaluating %lld/%lld", (long long)e->n_rows, (long long)e->n_rows_all);
    draw_bar(p, e, text, (double)e->n_rows / (double)e->n_rows_all);
    return;
  }
  const fn_metrics *m = e->metrics;
  clear_bar(p);
  fprintf(stderr, "step %lld  %s: loss %.4f  accuracy %.4f  F1 %.4f  AUC %.4f  calibration error %.4f%s\n",
          (long long)e->step, e->split, m->log_loss, m->accuracy, m->weighted.f1, m->roc_auc, m->ece,
          e->best ? "  (best)" : "");
  p->step_ns = fn_clock_ns();
}

static bool on_event(void *arg, const fn_train_event *e) {
  progress *p = arg;
  const bool go_on = !fn_cli_stop_requested();
  if (p->cli->quiet) return go_on;
  switch (e->kind) {
  case FN_TRAIN_NOTE:
    clear_bar(p);
    fn_cli_note(p->cli, "%s", e->text);
    break;
  case FN_TRAIN_BEGIN:
    p->begin_ns = p->step_ns = fn_clock_ns();
    p->first_step = e->step;
    fprintf(stderr, "%s: %s", e->path, e->text);
    if (e->step > 0) fprintf(stderr, "; goes on after step %lld", (long long)e->step);
    fputc('\n', stderr);
    break;
  case FN_TRAIN_STEP: on_step(p, e); break;
  case FN_TRAIN_EVALUATION: on_evaluation(p, e); break;
  case FN_TRAIN_CHECKPOINT: p->step_ns = fn_clock_ns(); break;
  case FN_TRAIN_DONE:
    clear_bar(p);
    if (e->stopped_early) fn_cli_note(p->cli, "stopped early after step %lld (train.patience)", (long long)e->step);
    break;
  case FN_TRAIN_EPOCH: break;
  }
  return go_on;
}

static fn_status print_result(const fn_cli *cli, const fn_train_result *r, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  const struct {
    const char *title;
    const fn_metrics *metrics;
  } parts[] = {{"test", &r->test}, {"left out", &r->left_out}};
  for (size_t i = 0; i < FN_COUNT_OF(parts) && !cli->quiet; i++) {
    if (parts[i].metrics->n == 0) continue;
    const fn_metrics_entry entry = {.name = "best checkpoint", .metrics = parts[i].metrics};
    fn_metrics_format_table(&text, parts[i].title, &entry, 1);
    fn_buf_append_char(&text, '\n');
  }
  fn_buf_printf(&text, "%s\n", r->run);
  FN_TRY(fn_buf_check(&text, "the result", err));
  return fn_cli_print(fn_buf_str(&text), err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_train_options options;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_train_option_table, err));
  progress p = {.cli = cli, .log_every = options.log_every};
  const fn_train_job job = {
      .config = cli->config,
      .tables = fn_cli_tables,
      .n_tables = fn_cli_n_tables,
      .data = fn_cli_get(args, "--data"),
      .init = fn_cli_get(args, "--init"),
      .out = fn_cli_get(args, "--out"),
      .resume = fn_cli_get(args, "--resume"),
      .runs = "runs",
      .hub_cache = cli->hub_cache,
      .build = cli->version,
      .now_ms = fn_clock_unix_ms(),
      .sink = {on_event, &p},
  };
  fn_train_result result = {0};
  const fn_status status = fn_train(&result, &job, err);
  clear_bar(&p);
  fn_status printed = status;
  if (status == FN_OK)
    printed = print_result(cli, &result, err);
  else if (result.run && status != FN_E_INVALID)
    fn_cli_note(cli, "what was saved is kept; go on with: fakenews train --resume %s", result.run);
  free(result.run);
  return printed;
}

static const fn_cli_flag flags[] = {
    {.name = "--data", .value = "DIR", .help = "folder that `data prepare` made"},
    {.name = "--init",
     .value = "DIR|NAME|scratch",
     .help = "what to start from: a Hugging Face directory, owner/name in the local Hub cache, or scratch: a small new "
             "model with a vocabulary of its own"},
    {.name = "--out", .value = "RUN", .help = "run folder to make; default runs/<UTC time>-<name>"},
    {.name = "--resume", .value = "latest|RUN", .help = "goes on with a run that was stopped, bit for bit"},
    {0},
};

const fn_verb fn_verb_train = {
    .name = "train",
    .summary = "fine-tunes a transformer, or trains the linear family, on a prepared dataset",
    .usage = "--data DIR [--init DIR|NAME|scratch] [--out RUN] [--resume latest|RUN] [key=value …]",
    .flags = flags,
    .options = "family name train. data.leave_out data.text model. linear. device.",
    .examples = "  fakenews train --data data/news --init scratch\n"
                "  fakenews train --data data/news --init microsoft/MiniLM-L12-H384-uncased train.epochs=2\n"
                "  fakenews train --data data/news family=linear\n"
                "  fakenews train --resume latest\n",
    .run = run,
};
