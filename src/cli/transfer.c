#include "cli/transfer.h"

/* A bar for what takes less than this would only flicker. */
enum { REDRAW_MS = 100, PLAIN_LINE_S = 10, PATIENCE_MS = 500 };

void fn_cli_size_text(char out[32], uint64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < FN_COUNT_OF(units)) value /= 1000, unit++;
  snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void on_begin(fn_cli_transfer *s, const fn_download_event *e) {
  s->begin_ns = s->shown_ns = fn_clock_ns();
  s->begin_bytes = e->n_bytes;
  if (s->brief) return;
  char done[32], all[32];
  fn_cli_size_text(done, e->n_bytes);
  fn_cli_size_text(all, e->total > 0 ? (uint64_t)e->total : 0);
  fn_cli_progress_end(s->cli);
  fprintf(stderr, "%s", e->text);
  if (e->total >= 0) fprintf(stderr, ", %s", all);
  if (e->n_bytes > 0) fprintf(stderr, "; goes on after %s", done);
  fputc('\n', stderr);
}

static bool is_time_to_show(const fn_cli_transfer *s, uint64_t now) {
  if (s->brief && now - s->begin_ns < PATIENCE_MS * 1000000ull) return false;
  return now - s->shown_ns >= (s->cli->tty_err ? REDRAW_MS * 1000000ull : PLAIN_LINE_S * 1000000000ull);
}

static void on_data(fn_cli_transfer *s, const fn_download_event *e) {
  const uint64_t now = fn_clock_ns();
  if (s->brief && e->total >= 0 && e->n_bytes == (uint64_t)e->total) fn_cli_progress_end(s->cli);
  if (!is_time_to_show(s, now)) return;
  const double seconds = (double)(now - s->begin_ns) / 1e9;
  const double rate = seconds > 0 ? (double)(e->n_bytes - s->begin_bytes) / seconds : 0;
  char done[32], all[32], speed[32], left[32], head[96], tail[96];
  fn_cli_size_text(done, e->n_bytes);
  fn_cli_size_text(all, e->total > 0 ? (uint64_t)e->total : 0);
  fn_cli_size_text(speed, (uint64_t)rate);
  const bool known = e->total > 0;
  snprintf(head, sizeof head, known ? "%s of %s  " : "%s  ", done, all);
  if (known && rate > 0)
    snprintf(tail, sizeof tail, "%s/s  ETA %s", speed,
             fn_cli_duration(left, (double)((uint64_t)e->total - e->n_bytes) / rate));
  else
    snprintf(tail, sizeof tail, "%s/s", speed);
  if (s->cli->tty_err)
    fn_cli_bar(s->cli, head, tail, known ? (double)e->n_bytes / (double)e->total : -1);
  else
    fprintf(stderr, "%s%s\n", head, tail);
  s->shown_ns = now;
}

static void on_local_work(fn_cli_transfer *s, const char *what, const fn_download_event *e) {
  const uint64_t now = fn_clock_ns();
  if (!s->cli->tty_err || !is_time_to_show(s, now)) return;
  s->shown_ns = now;
  char head[64], done[32];
  fn_cli_size_text(done, e->n_bytes);
  snprintf(head, sizeof head, "%s %s  ", what, done);
  fn_cli_bar(s->cli, head, "", e->total > 0 ? (double)e->n_bytes / (double)e->total : -1);
}

static bool on_event(void *arg, const fn_download_event *e) {
  fn_cli_transfer *s = arg;
  const bool go_on = !fn_cli_stop_requested();
  if (s->cli->quiet) return go_on;
  switch (e->kind) {
  case FN_DOWNLOAD_BEGIN: on_begin(s, e); break;
  case FN_DOWNLOAD_DATA: on_data(s, e); break;
  case FN_DOWNLOAD_RETRY: fn_cli_note(s->cli, "%s; next attempt in %.1f s", e->text, e->wait_s); break;
  case FN_DOWNLOAD_NOTE: fn_cli_note(s->cli, "%s", e->text); break;
  case FN_DOWNLOAD_CHECK: on_local_work(s, "checking", e); break;
  case FN_DOWNLOAD_UNPACK: on_local_work(s, "unpacking", e); break;
  case FN_DOWNLOAD_WAIT: break;
  }
  return go_on;
}

fn_download_sink fn_cli_transfer_sink(fn_cli_transfer *transfer) {
  return (fn_download_sink){on_event, transfer};
}
