/* Another program, run to its end. No shell comes between: its words are given one by one. */
#ifndef FN_BASE_PROGRAM_H
#define FN_BASE_PROGRAM_H

#include "base/str.h"

typedef struct fn_program {
  char *const *words;       /* program and arguments, NULL behind the last; the first is looked for along PATH */
  char *const *environment; /* "NAME=value" …, NULL behind the last */
  double timeout_s;         /* for all of it; it is killed then, with what it started */
  bool (*go_on)(void *arg); /* asked about ten times a second; false kills it. NULL: nothing is asked */
  void *arg;
} fn_program;

/* Appends to *out what it writes to its standard output, up to out->max; it reads nothing, and its standard error is
 * dropped. FN_E_NOT_FOUND: there is no such program; FN_E_IO: it cannot be run, failed, or took too long; FN_E_LIMIT:
 * it wrote more; FN_E_CANCELLED. Messages name the program and nothing that it wrote. */
FN_NODISCARD fn_status fn_program_run(fn_buf *out, const fn_program *program, fn_err *err);

/* Takes a command line apart as a shell does with words and quotes, and nothing else of it: 'a b', "a \"b\"", a\ b.
 * *words_out ends with NULL, and is released with one free. FN_E_INVALID: an open quote, or no word. */
FN_NODISCARD fn_status fn_program_split(char ***words_out, const char *text, fn_err *err);

#endif
