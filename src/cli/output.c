#include "cli/cli.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MIN_WIDTH = 20, USUAL_WIDTH = 80, MIN_BAR = 5, MAX_BAR = 40 };

#define WIPE_LINE "\r\033[K"

FN_PRINTF(4, 0)
static void say(const fn_cli *cli, const char *kind, const char *color, const char *format, va_list args) {
  flockfile(stderr); /* whole lines, also when the tracker's thread has something to say */
  fn_cli_progress_end(cli);
  if (cli->color && cli->tty_err)
    fprintf(stderr, "%s%s:\033[0m ", color, kind);
  else
    fprintf(stderr, "%s: ", kind);
  char text[8192];
  vsnprintf(text, sizeof text, format, args);
  fn_cli_print_error(text);
  funlockfile(stderr);
}

/* "scheme://user:password@host" as "scheme://user:***@host", whoever wrote the message. */
static void put_line(const char *line) {
  for (const char *at; (at = strstr(line, "://")) != NULL;) {
    const char *host = at + 3, *colon = NULL, *end = NULL;
    for (const char *p = host; *p && !strchr("/?#\"' ", *p); p++) {
      if (*p == ':' && !colon) colon = p;
      if (*p == '@') end = p;
    }
    const bool secret = colon && end && colon < end;
    fprintf(stderr, "%.*s%s", (int)((secret ? colon + 1 : host) - line), line, secret ? "***" : "");
    line = secret ? end : host;
  }
  fputs(line, stderr);
}

void fn_cli_print_error(const char *text) {
  char line[1024];
  while (*text) {
    size_t length = strcspn(text, "\n");
    if (length >= sizeof line) { /* in pieces, each of whole characters */
      length = sizeof line - 1;
      while (length > sizeof line - 4 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
    }
    fn_str_clean(line, sizeof line, fn_str_make(text, length));
    put_line(line);
    text += length;
    if (*text == '\n' && *++text) fputc('\n', stderr);
  }
  fputc('\n', stderr);
}

void fn_cli_note(const fn_cli *cli, const char *format, ...) {
  if (cli->quiet) return;
  va_list args;
  va_start(args, format);
  say(cli, "note", "\033[36m", format, args);
  va_end(args);
}

void fn_cli_warn(const fn_cli *cli, const char *format, ...) {
  va_list args;
  va_start(args, format);
  say(cli, "warning", "\033[33m", format, args);
  va_end(args);
}

int fn_cli_width(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return USUAL_WIDTH;
  return size.ws_col < MIN_WIDTH ? MIN_WIDTH : size.ws_col;
}

void fn_cli_progress(const fn_cli *cli, const char *format, ...) {
  if (!cli->tty_err || cli->quiet) return;
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  /* One column stays free: a cursor beyond the last one would begin a second line, which nothing wipes. */
  fprintf(stderr, WIPE_LINE "%.*s", fn_cli_width(STDERR_FILENO) - 1, line);
  fflush(stderr);
}

void fn_cli_bar(const fn_cli *cli, const char *head, const char *tail, double share) {
  char bar[MAX_BAR + 4] = "";
  int room = fn_cli_width(STDERR_FILENO) - 1 - (int)strlen(head) - (int)strlen(tail) - 3;
  if (room > MAX_BAR) room = MAX_BAR;
  if (room >= MIN_BAR && share >= 0) {
    const int full = (int)(share * room);
    int n = 0;
    bar[n++] = '[';
    for (int i = 0; i < room; i++) bar[n++] = i < full ? '=' : i == full ? '>' : ' ';
    bar[n++] = ']';
    bar[n++] = ' ';
    bar[n] = '\0';
  }
  fn_cli_progress(cli, "%s%s%s", head, bar, tail);
}

const char *fn_cli_duration(char out[32], double seconds) {
  const long long s = (long long)(seconds + 0.5);
  if (s >= 3600)
    snprintf(out, 32, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
  else
    snprintf(out, 32, "%lld:%02lld", s / 60, s % 60);
  return out;
}

void fn_cli_progress_end(const fn_cli *cli) {
  if (!cli->tty_err || cli->quiet) return;
  fputs(WIPE_LINE, stderr);
  fflush(stderr);
}

void fn_print_count(fn_buf *out, uint64_t n) {
  if (n >= 1000) {
    fn_print_count(out, n / 1000);
    fn_buf_printf(out, ",%03d", (int)(n % 1000));
  } else {
    fn_buf_printf(out, "%d", (int)n);
  }
}

void fn_cli_json_time(fn_json_writer *w, const char *key, int64_t ms) {
  char time[21];
  fn_clock_format(time, ms);
  fn_json_text(w, key, ms ? time : NULL);
}

void fn_print_line(fn_buf *out, fn_str text, size_t max) {
  size_t n = 0;
  bool gap = false;
  for (size_t i = 0; i < text.length;) {
    uint32_t c;
    size_t size = fn_utf8_decode(&c, text.data + i, text.length - i);
    if (size == 0) size = 1, c = ' ';
    bool space = c <= ' ' || (c >= 0x7F && c <= 0xA0) || c == 0x2028 || c == 0x2029;
    bool hidden =
        (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
    if (!space && !hidden) {
      const size_t columns = fn_utf8_columns(fn_str_make(text.data + i, size));
      if (n + columns >= max && columns > 0) {
        fn_buf_append_str(out, "…");
        return;
      }
      if (gap && n) fn_buf_append_char(out, ' '), n++;
      fn_buf_append(out, text.data + i, size);
      n += columns;
    }
    gap = (gap && (space || hidden)) || space;
    i += size;
  }
}

fn_status fn_cli_print(fn_str text, fn_err *err) {
  if (text.length && fwrite(text.data, 1, text.length, stdout) != text.length)
    return fn_err_errno(err, errno, "standard output");
  if (fflush(stdout) != 0 || ferror(stdout)) return fn_err_errno(err, errno, "standard output");
  return FN_OK;
}
