#include "cli/train_progress.h"

#include <unistd.h>

enum { REDRAW_MS = 100 };

/* Seconds to the end, evaluations and checkpoints so far spread over the steps. */
static double eta(const fn_train_progress *p, const fn_train_event *e, uint64_t now) {
  const int64_t done = e->step - p->first_step;
  return done > 0 ? (double)(now - p->begin_ns) / 1e9 / (double)done * (double)(e->n_steps - e->step) : 0;
}

static bool is_time_to_draw(const fn_train_progress *p, uint64_t now) {
  return now - p->drawn_ns >= REDRAW_MS * 1000000ull;
}

static void draw_bar(fn_train_progress *p, const char *head, const char *tail, double share) {
  fn_cli_bar(p->cli, head, tail, share);
  p->drawn_ns = fn_clock_ns();
}

/* On a narrow terminal the epoch goes first, then the rate: the step, the loss and the time that is left stay. */
static void draw_step(fn_train_progress *p, const fn_train_event *e, const char *left) {
  char epoch[64], step[64], loss[32], rate[32], head[160], tail[160];
  const size_t width = (size_t)fn_cli_width(STDERR_FILENO);
  snprintf(epoch, sizeof epoch, "epoch %lld/%lld  ", (long long)e->epoch, (long long)e->n_epochs);
  snprintf(step, sizeof step, "step %lld/%lld  ", (long long)e->step, (long long)e->n_steps);
  snprintf(loss, sizeof loss, "loss %.4f  ", p->loss);
  snprintf(rate, sizeof rate, "%.0f tokens/s  ", p->tokens_per_second);
  size_t room = width - 1, rest = strlen(step) + strlen(loss) + strlen("ETA ") + strlen(left);
  const bool with_rate = rest + strlen(rate) <= room;
  const bool with_epoch = with_rate && rest + strlen(rate) + strlen(epoch) <= room;
  snprintf(head, sizeof head, "%s%s", with_epoch ? epoch : "", step);
  snprintf(tail, sizeof tail, "%s%sETA %s", loss, with_rate ? rate : "", left);
  draw_bar(p, head, tail, (double)e->step / (double)e->n_steps);
}

static void on_step(fn_train_progress *p, const fn_train_event *e) {
  const uint64_t now = fn_clock_ns();
  const double seconds = (double)(now - p->step_ns) / 1e9, rate = seconds > 0 ? (double)e->n_tokens / seconds : 0;
  const bool first = e->step == p->first_step + 1;
  p->step_ns = now;
  p->loss = first ? e->loss : 0.95 * p->loss + 0.05 * e->loss;
  p->tokens_per_second = first ? rate : 0.95 * p->tokens_per_second + 0.05 * rate;
  char left[32];
  fn_cli_duration(left, eta(p, e, now));
  if (p->cli->tty_err) {
    if (is_time_to_draw(p, now) || e->step == e->n_steps) draw_step(p, e, left);
  } else if (e->step % p->log_every == 0) {
    fprintf(stderr, "step %lld/%lld  epoch %lld/%lld  loss %.4f  lr %.3g  %.0f tokens/s  ETA %s\n", (long long)e->step,
            (long long)e->n_steps, (long long)e->epoch, (long long)e->n_epochs, p->loss, e->learning_rate,
            p->tokens_per_second, left);
  }
}

/* The figures of test and left-out rows come as tables on stdout. */
static void on_evaluation(fn_train_progress *p, const fn_train_event *e) {
  p->step_ns = fn_clock_ns();
  if (!e->metrics) {
    char head[64], tail[64];
    if (!p->cli->tty_err || !is_time_to_draw(p, p->step_ns)) return;
    snprintf(head, sizeof head, "evaluating on %s  ", e->split);
    snprintf(tail, sizeof tail, "%lld/%lld rows", (long long)e->n_rows, (long long)e->n_rows_all);
    draw_bar(p, head, tail, (double)e->n_rows / (double)e->n_rows_all);
    return;
  }
  if (strcmp(e->split, "val") != 0) return;
  const fn_metrics *m = e->metrics;
  fn_cli_progress_end(p->cli);
  if (p->has_steps) fprintf(stderr, "step %lld  ", (long long)e->step);
  fprintf(stderr, "%s: loss %.4f  acc %.3f  F1 %.3f  AUC %.3f  ECE %.3f%s\n", e->split, m->log_loss, m->accuracy,
          m->weighted.f1, m->roc_auc, m->ece, e->best ? "  (best)" : "");
}

static void on_begin(fn_train_progress *p, const fn_train_event *e) {
  p->begin_ns = p->step_ns = fn_clock_ns();
  p->first_step = e->step;
  fn_cli_progress_end(p->cli);
  fprintf(stderr, "%s: %s", e->path, e->text);
  if (p->has_steps && e->step == e->n_steps)
    fprintf(stderr, "; all %lld steps are done", (long long)e->step);
  else if (e->step > 0)
    fprintf(stderr, "; goes on after step %lld", (long long)e->step);
  fputc('\n', stderr);
}

bool fn_train_progress_event(void *arg, const fn_train_event *e) {
  fn_train_progress *p = arg;
  const bool go_on = !fn_cli_stop_requested();
  if (p->cli->quiet) return go_on;
  flockfile(stderr); /* lines are made of parts, and the tracker's thread may have a remark */
  switch (e->kind) {
  case FN_TRAIN_NOTE: fn_cli_note(p->cli, "%s", e->text); break;
  case FN_TRAIN_BEGIN: on_begin(p, e); break;
  case FN_TRAIN_STEP: on_step(p, e); break;
  case FN_TRAIN_EVALUATION: on_evaluation(p, e); break;
  case FN_TRAIN_CHECKPOINT: p->step_ns = fn_clock_ns(); break;
  case FN_TRAIN_DONE:
    if (e->stopped_early) fn_cli_note(p->cli, "stopped early after step %lld (train.patience)", (long long)e->step);
    break;
  case FN_TRAIN_SAVING:
  case FN_TRAIN_EPOCH: break;
  }
  funlockfile(stderr);
  return go_on;
}

void fn_train_progress_done(const fn_train_progress *p, const fn_train_result *r) {
  char took[32];
  if (p->cli->quiet) return;
  fn_cli_progress_end(p->cli);
  fn_cli_duration(took, (double)(fn_clock_ns() - p->start_ns) / 1e9);
  fprintf(stderr, "done in %s", took);
  if (p->has_steps)
    fprintf(stderr, "; best checkpoint: step %lld of %lld", (long long)r->best_step, (long long)r->n_steps);
  fputs(p->cli->tty_err && p->cli->tty_out ? "\n\n" : "\n", stderr); /* the tables follow */
}
