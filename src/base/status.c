#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct status_row {
  const char *name;
  int exit_code, http;
} status_row;

static const status_row rows[] = {
#define STATUS_ROW(code, name, exit_code, http, meaning) [code] = {name, exit_code, http},
    FN_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

static const status_row *row_of(fn_status status) {
  size_t i = (size_t)status;
  return &rows[i < sizeof rows / sizeof rows[0] ? i : (size_t)FN_E_INTERNAL];
}

const char *fn_status_name(fn_status status) {
  return row_of(status)->name;
}
int fn_status_exit_code(fn_status status) {
  return row_of(status)->exit_code;
}
int fn_status_http(fn_status status) {
  return row_of(status)->http;
}

/* Messages quote names from files of others and end up on terminals: control characters become '?', lines stay. */
static void make_printable(char *text) {
  for (; *text; text++) {
    if (((unsigned char)*text < ' ' && *text != '\n' && *text != '\t') || *text == 0x7f) *text = '?';
  }
}

fn_status fn_err_set(fn_err *err, fn_status status, const char *format, ...) {
  if (!err) return status;
  err->status = status;
  /* Through a copy, so that the message may be built from the one that is there. */
  char text[sizeof err->message];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  make_printable(text);
  memcpy(err->message, text, sizeof text);
  return status;
}

fn_status fn_err_prefix(fn_err *err, fn_status status, const char *format, ...) {
  if (!err) return status;
  char prefix[sizeof err->message];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(prefix, sizeof prefix, format, args);
  va_end(args);
  size_t used = n < 0 ? 0 : (size_t)n < sizeof prefix ? (size_t)n : sizeof prefix - 1;
  char text[sizeof err->message];
  size_t room = sizeof text - 1;
  size_t old = strlen(err->message);
  if (used > room) used = room;
  memcpy(text, prefix, used);
  if (used + 2 <= room) {
    memcpy(text + used, ": ", 2);
    used += 2;
  }
  if (old > room - used) old = room - used;
  memcpy(text + used, err->message, old);
  text[used + old] = 0;
  make_printable(text);
  memcpy(err->message, text, used + old + 1);
  err->status = status;
  return status;
}

/* A path that leads nowhere or to the wrong kind of thing is the caller's mistake; the rest happened to us. */
static fn_status status_of_errno(int errno_value) {
  switch (errno_value) {
  case ENOENT:
  case ENOTDIR: return FN_E_NOT_FOUND;
  case EISDIR:
  case ELOOP:
  case ENAMETOOLONG: return FN_E_INVALID;
  case ENOMEM: return FN_E_NO_MEMORY;
  default: return FN_E_IO;
  }
}

fn_status fn_err_errno(fn_err *err, int errno_value, const char *format, ...) {
  fn_status status = status_of_errno(errno_value);
  if (!err) return status;
  char text[sizeof err->message];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  char reason[128];
  if (strerror_r(errno_value, reason, sizeof reason) != 0) snprintf(reason, sizeof reason, "error %d", errno_value);
  return fn_err_set(err, status, "%.800s: %s", text, reason);
}

fn_status fn_err_no_memory(fn_err *err, const char *what) {
  return fn_err_set(err, FN_E_NO_MEMORY, "out of memory for %s", what);
}
