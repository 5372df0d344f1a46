/* Following an alias of the registry: a thread asks now and then where it stands, fetches a version that is new, and
 * hands it over. What goes wrong changes nothing of what is in use. */
#ifndef FN_REGISTRY_FOLLOW_H
#define FN_REGISTRY_FOLLOW_H

#include "registry/model_uri.h"

typedef enum fn_follow_what {
  FN_FOLLOW_MOVED,   /* another version is in use now */
  FN_FOLLOW_AWAY,    /* the registry does not answer, or has no such alias any more; told once until it does again */
  FN_FOLLOW_BACK,    /* it answers again */
  FN_FOLLOW_FETCH,   /* a version could not be fetched; tried again, later each time */
  FN_FOLLOW_REFUSED, /* a version was not taken; not tried again while the alias stands there */
} fn_follow_what;

typedef struct fn_follow_state {
  int64_t version;     /* in use */
  int64_t asked_ms;    /* Unix time of the registry's last answer; 0: none yet */
  uint64_t asked_ns;   /* the same by fn_clock_ns, which nobody sets; without an answer, of the start */
  uint64_t n_failures; /* of all three kinds */
} fn_follow_state;

typedef struct fn_follow_options {
  const fn_model_uri *uri;       /* with an alias; copied, its text stays the caller's */
  const fn_model_source *source; /* copied; what it points at outlives the follower */
  int64_t every_ms;              /* a fifth more or less at random */
  /* Takes a model at its path into use: FN_OK, or why not. On the follower's thread. */
  fn_status (*take)(void *arg, const char *path, fn_err *err);
  /* What happened, and after every question, with what FN_FOLLOW_… and text NULL, the state. */
  void (*tell)(void *arg, fn_follow_what what, const fn_follow_state *state, const char *text);
  void *arg;
} fn_follow_options;

typedef struct fn_follow fn_follow;
/* The state before the first question. */
fn_follow_state fn_follow_first(const fn_model_place *in_use);
/* in_use: what was fetched at the start; stale where the registry did not answer then. */
FN_NODISCARD fn_status fn_follow_start(fn_follow **follow_out, const fn_follow_options *options,
                                       const fn_model_place *in_use, fn_err *err);
/* Waits for the thread, which breaks off what it fetches. NULL is fine. */
void fn_follow_stop(fn_follow *follow);

#endif
