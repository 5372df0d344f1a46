/* What a program was started with, handed to code that must not read it itself: the library reads no environment, the
 * command line passes it on. */
#ifndef FN_BASE_ENVIRONMENT_H
#define FN_BASE_ENVIRONMENT_H

#include <stddef.h>

typedef struct fn_environment {
  /* The value of a variable, NULL when it is not set; it lives as long as the environment. NULL: no variable is set. */
  const char *(*get)(void *arg, const char *name);
  void *arg;
  const char *home; /* the user's folder; NULL: not known */
  /* All variables as "NAME=value", NULL behind the last, for programs that are started (credential_process of AWS).
   * NULL: none are started. */
  char *const *variables;
} fn_environment;

/* The value; NULL when the variable is not set or empty, and for an environment that is NULL. */
static inline const char *fn_environment_get(const fn_environment *environment, const char *name) {
  const char *value = environment && environment->get ? environment->get(environment->arg, name) : NULL;
  return value && *value ? value : NULL;
}

#endif
