#include "cli/cli.h"

#include <errno.h>

FN_PRINTF(4, 0)
static void say(const fn_cli *cli, const char *kind, const char *color, const char *format, va_list args) {
  if (cli->color && cli->tty_err)
    fprintf(stderr, "%s%s:\033[0m ", color, kind);
  else
    fprintf(stderr, "%s: ", kind);
  vfprintf(stderr, format, args);
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

fn_status fn_cli_print(fn_str text, fn_err *err) {
  if (text.length && fwrite(text.data, 1, text.length, stdout) != text.length)
    return fn_err_errno(err, errno, "standard output");
  if (fflush(stdout) != 0) return fn_err_errno(err, errno, "standard output");
  return FN_OK;
}
